"""Choosing among the variables of a MATLAB, HDF5 or NumPy file: the cube, its wavelengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import wavelengths as wl

#: Usual names of the cube, best first; compared without case.
CUBE_KEYS = (
    "cube", "hsi", "hypercube", "datacube", "hyper", "rad", "radiance", "ref", "refl",
    "reflectance", "spectral", "hrhsi", "hr_hsi", "msi", "gt", "bands", "img", "image",
    "data", "x", "z", "i", "array", "arr_0",
)  # fmt: skip
#: Names strong enough for a cube of one band, whose array has two axes.
ONE_BAND_KEYS = ("cube", "hsi", "rad", "ref")
#: Small facts worth keeping: one value, or one a band.
_SCALARS = ("norm_factor", "exposure", "integration_time", "illuminant", "units", "unit")
_PER_BAND = ("fwhm", "bbl", "bad_bands", "badbands")


@dataclass(frozen=True)
class Variable:
    """Name, shape and kind of one variable; ``dtype`` is None if it is no array of numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype | None
    kind: str

    @property
    def short(self) -> str:
        """The last part of the name, in lower case."""
        return self.name.rsplit("/", 1)[-1].lower()

    @property
    def real(self) -> bool:
        """True for arrays of real numbers."""
        return self.dtype is not None and self.dtype.kind in "fiub"

    @property
    def long_axes(self) -> int:
        """Axes longer than one: 1 for a vector however it is stored."""
        return sum(n > 1 for n in self.shape)

    def describe(self) -> str:
        """``cube (31 x 512 x 512 float32)``."""
        size = " x ".join(str(n) for n in self.shape)
        return f"{self.name} ({size} {self.kind})" if size else f"{self.name} ({self.kind})"


def choose_cube(path: Path, variables: list[Variable], ours: bool = False) -> Variable:
    """The variable that holds the cube.

    The first of :data:`CUBE_KEYS` with three axes, else the one array with three axes. An
    array with two axes (MATLAB drops a last axis of length one) is a cube of one band only
    if the file says so: it is one of ``ours``, or one wavelength stands beside an array under
    one of :data:`ONE_BAND_KEYS`. Otherwise it may be a mask, a table or a picture.

    Raises
    ------
    FileError
        Listing what is inside, if there is none or more than one candidate.
    """
    if not variables:
        raise FileError(path, "a cube was expected, but the file holds no variables")
    numeric = [v for v in variables if v.real]
    candidates = [v for v in numeric if len(v.shape) == 3]
    for key in CUBE_KEYS:
        named = [v for v in candidates if v.short == key]
        if len(named) == 1:
            return named[0]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise FileError(
            path,
            f"{len(candidates)} arrays could be the cube, none under a usual name such as "
            f"'cube': {_listing(candidates)}",
        )
    for key in ONE_BAND_KEYS if ours or _one_wavelength(numeric) else ():
        planes = [v for v in numeric if v.short == key and len(v.shape) == 2]
        if len(planes) == 1:
            return planes[0]
    # an odd number of axes, or numbers of another kind: the array itself says what is wrong
    for key in ("cube", None):
        odd = [v for v in variables if v.dtype is not None and v.short == (key or v.short)]
        if len(odd) == 1 and (len(odd[0].shape) > 3 or 0 in odd[0].shape):
            return odd[0]
    raise FileError(
        path, f"no numeric array with three axes was found; it holds {_listing(variables)}"
    )


def _one_wavelength(numeric: list[Variable]) -> bool:
    """True if a list of wavelengths (not a number of bands) has exactly one value."""
    listed = [v for v in numeric if v.short in wl.KEYS and v.short != "bands"]
    return any(int(np.prod(v.shape)) == 1 for v in listed)


def _listing(variables: list[Variable]) -> str:
    listed = ", ".join(v.describe() for v in variables[:12])
    return listed + (f" and {len(variables) - 12} more" if len(variables) > 12 else "")


@dataclass
class Companions:
    """What lies beside the cube in the same file."""

    wavelengths: np.ndarray | None
    unit: str | None
    metadata: dict[str, Any]
    per_band: dict[str, Any]
    notices: tuple[str, ...]


def companions(
    variables: list[Variable],
    cube: Variable,
    load: Callable[[str], Any],
    attributes: Mapping[str, Any] | None = None,
) -> Companions:
    """Wavelengths and small facts beside the cube, in variables or in attributes.

    Parameters
    ----------
    variables, cube
        All variables, and the one chosen.
    load : callable
        Gives the value of a variable by name.
    attributes : mapping, optional
        Attributes of the file and of the cube (HDF5).
    """
    attributes = {str(k).lower(): v for k, v in (attributes or {}).items()}
    result = Companions(None, None, {}, {}, ())
    vectors = {
        v.short: v for v in variables if v is not cube and v.real and v.long_axes <= 1 and v.shape
    }
    for key in wl.KEYS:
        if key in vectors:
            values = np.ravel(np.asarray(load(vectors[key].name)))
        elif key in attributes and np.ndim(attributes[key]) >= 1:
            values = np.ravel(np.asarray(attributes[key]))
        else:
            continue
        if _is_a_count(key, values, cube):
            continue
        if values.dtype.kind in "iuf" and wl.are_band_numbers(values):
            result.metadata[key] = values.tolist()
            result.notices += (f"The variable '{key}' numbers the bands and gives no wavelengths.",)
            continue
        result.wavelengths, result.unit = values, wl.unit_in_name(key)
        break
    for key in _SCALARS:
        if key in vectors and np.prod(vectors[key].shape) == 1:
            result.metadata[key] = np.ravel(np.asarray(load(vectors[key].name)))[0].item()
    for key in _PER_BAND:
        if key in vectors and result.wavelengths is not None:
            values = np.ravel(np.asarray(load(vectors[key].name)))
            if values.size == result.wavelengths.size:
                result.per_band[key] = values.tolist()
    return result


def _is_a_count(key: str, values: np.ndarray, cube: Variable) -> bool:
    """``bands = 31`` says how many there are, not where they lie."""
    if values.size != 1 or len(cube.shape) != 3:
        return False
    return 1 not in cube.shape or (key == "bands" and float(values[0]) == 1)
