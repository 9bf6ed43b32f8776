"""Arrays as callers give them: whatever has numbers in a regular order, hidden ones as missing ones.

NumPy's masked arrays, which netCDF4 and GDAL hand out, lose their mask without a word in
``numpy.asarray``, and what was hidden comes back as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError

#: Values along each axis by which it is known whether an array is as it was.
_EACH_WAY = 16

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def unmasked(values: Any) -> Any:
    """Values of a masked array with NaN where they are hidden; anything else as it is.

    Integers with something hidden become floats.
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    hidden = np.ma.getmaskarray(values)
    if not hidden.any():
        return np.asarray(values.data)
    return np.where(hidden, np.float32(np.nan), values.data)


def as_array(data: Any, what: str) -> Any:
    """An array of numbers that holds what is missing as NaN; one that is lazy stays so.

    Parameters
    ----------
    data : Any
    what : str
        For the sentence: ``"a cube"``.

    Raises
    ------
    InputError
        If it is none.
    """
    dtype = getattr(data, "dtype", None)
    of_numpy = dtype is None or isinstance(dtype, type) or hasattr(dtype, "kind")  # not torch's
    if isinstance(getattr(data, "shape", None), tuple) and of_numpy:
        return unmasked(data)
    try:  # a list, or a tensor
        return np.asarray(data)
    except (TypeError, ValueError, RuntimeError) as error:
        made = f"a regular array of numbers, not of the type {type(data).__name__}"
        raise InputError(f"{what[0].upper()}{what[1:]} is made of {made}.") from error


def as_spectral_image(data: Any) -> Any:
    """:func:`as_array` for a cube, (bands, height, width); float32 where it is NumPy's.

    Raises
    ------
    InputError
        If it has other axes, is empty, or holds no real numbers.
    """
    data = as_array(data, "a cube")
    if len(data.shape) != 3:
        raise InputError(
            "A cube has three axes (bands, height, width); "
            f"this array has {len(data.shape)}: shape {tuple(data.shape)}."
        )
    if 0 in data.shape:
        raise InputError(f"The cube is empty: shape {tuple(data.shape)}.")
    if isinstance(data, np.ndarray) and data.dtype != np.float32:
        if data.dtype.kind not in "fiub":
            raise InputError(f"A cube holds real numbers, not {data.dtype}.")
        with np.errstate(over="ignore"):  # infinite, as in cubes that are read lazily
            return data.astype(np.float32)
    return data


def sample(data: Any) -> bytes | None:
    """A few values all over an array that somebody may write into; None of others, which stay as they are."""
    if not isinstance(data, np.ndarray) or isinstance(data, np.memmap) or not data.flags.writeable:
        return None
    return data[tuple(slice(None, None, -(-size // _EACH_WAY)) for size in data.shape)].tobytes()


def as_mask(values: ArrayLike) -> np.ndarray:
    """What of an image is meant, as bool: not 0, and neither NaN nor hidden by a mask of its own.

    Raises
    ------
    InputError
        If it is no array of numbers.
    """
    found = np.asarray(unmasked(values))
    if found.dtype.kind not in "biuf":
        raise InputError(f"A region is an array of True and False, not of {found.dtype}.")
    return np.asarray((found != 0) & (found == found))
