"""What NetCDF's library leaves where nothing was written, and takes for missing where a file states no number of its own.

``NC_FILL_SHORT`` and its kin of ``netcdf.h``; bytes have none, for all of their values are needed (NetCDF Users Guide,
"Fill Values").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_hsr.io.found import Found

#: Of floats of both sizes.
OF_FLOATS = 9.969209968386869e36
_OF_INTEGERS = {
    "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295,
    "i8": -9223372036854775806, "u8": 18446744073709551614,
}  # fmt: skip


def stated(stored: Any) -> Any:
    """What a data set of HDF5 leaves where nothing was written, None for floats: no value is so large."""
    import h5py

    if stored.dtype.kind == "f":
        return None
    by_user = stored.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED
    return stored.fillvalue if by_user else float("nan")


def add(found: Found, of_file: Any = None) -> None:
    """Take the number for missing values where the file states none, nor a valid range.

    Parameters
    ----------
    found : Found
    of_file : int or float, optional
        What the file itself leaves where nothing was written, if it can tell: another number says that a program
        wrote it that has no such custom, and that the usual one may be a value.
    """
    dtype, decoding = found.source.dtype, found.decoding
    fill: float | int | None = OF_FLOATS
    if dtype.kind != "f":
        fill = _OF_INTEGERS.get(f"{dtype.kind}{dtype.itemsize}")
    if fill is None or decoding.markers or decoding.valid is not None or decoding.kind:
        return
    if of_file is None or of_file == fill:
        found.decoding = replace(decoding, no_data=(fill,))
