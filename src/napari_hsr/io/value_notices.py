"""What is told of the numbers that a file stores: missing, rounded, not finite, marked without saying so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.decoding import nearly, plain_name, undeclared
from napari_hsr.notices import Code, Notice
from napari_hsr.quantities import Quantity, quantity_of
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from napari_hsr.io.decoding import Decoding

#: Whole numbers up to here are exact in float32.
_LARGEST_EXACT = 2**24
#: Of a few rows, half are beyond this where a factor is lost.
_ROWS, _FAR_BEYOND = 4, 2.0
#: Units in words, as ``plain_name`` writes them.
_USUAL_UNITS = (
    "reflectance",
    "radiance",
    "irradiance",
    "transmittance",
    "absorbance",
    "counts",
    "percent",
)


def no_data(decoding: Decoding, count: int | None = None) -> list[Notice]:
    """The notice of values that the file marks as missing; None for a number not known."""
    markers = " or ".join(f"{marker:.10g}" for marker in decoding.markers)
    of_each = ", each in bands of its own," * (decoding.no_data_of_each is not None)
    listed = [f"stored as {markers}{of_each}"] * bool(markers)
    if decoding.valid is not None:
        least, most = decoding.valid
        listed.append(f"outside of the valid range, {least:.10g} to {most:.10g},")
    if not listed:
        return []
    values = "Values" if count is None else f"{count} value{'s' if count > 1 else ''}"
    are = "is no data: it is" if count == 1 else "are no data: they are"
    told = f"{values} {' or '.join(listed)} {are} NaN in the cube."
    return [Notice.warning(Code.NO_DATA, told)]


def damaged_unit(units: str | None) -> list[Notice]:
    """A notice of a unit that is one letter from what many files have, and no plural of it."""
    meant = nearly(units or "", _USUAL_UNITS)
    if not meant or plain_name(units or "").rstrip("s") == meant.rstrip("s"):
        return []
    told = f"The file states the unit “{one_line(str(units), 40)}”, which may be a damaged “{meant}”: it was kept as it is."
    return [Notice.warning(Code.MAYBE_DAMAGED, told)]


def unit_of_own(record: dict[str, Any]) -> list[Notice]:
    """A notice of a record of this program, which always names a unit or null, where it does not, or not well."""
    if "units" in record:
        return damaged_unit(record["units"])
    told = (
        "It does not say what its values are, though this program always does: it may be damaged."
    )
    return [Notice.warning(Code.MAYBE_DAMAGED, told)]


def far_beyond_reflectance(units: str | None, data: Any) -> list[Notice]:
    """A notice of what is called reflectance, and is mostly far beyond it: its factor may be lost.

    Parameters
    ----------
    units : str or None
    data : array-like (bands, height, width)
        Of which a few rows of the middle band are read.
    """
    if quantity_of(units) is not Quantity.REFLECTANCE:
        return []
    rows = slice(data.shape[1] // 2, data.shape[1] // 2 + _ROWS)
    values = np.asarray(data[data.shape[0] // 2, rows])
    values = values[np.isfinite(values)]
    usual = float(np.median(values)) if values.size else 0.0
    if usual <= _FAR_BEYOND:
        return []
    told = (
        f"The file calls its values reflectance, and they are about {usual:.3g}: a factor may be lost, or not stated. "
        "They were kept as they are (to divide them: convert --scale)."
    )
    return [Notice.warning(Code.OTHER, told)]


def no_effect(decoding: Decoding, dtype: Any) -> list[Notice]:
    """A notice of no-data values that cannot be among what is stored."""
    markers = decoding.never_stored(np.dtype(dtype))
    if not markers:
        return []
    listed = " and ".join(f"{marker:.10g}" for marker in markers)
    told = f"The file gives {listed} for missing values, which {np.dtype(dtype).name} cannot hold: no effect."
    return [Notice.warning(Code.NO_DATA, told)]


def usual_marker(decoding: Decoding, stored: np.ndarray, sampled: bool = False) -> list[Notice]:
    """A notice of a usual marker of missing values that the file does not call one.

    Where only a sample was looked at, it is not said how many there are.
    """
    suspect = undeclared(stored) if decoding.valid is None else None
    if (
        suspect is None
        or replace(decoding, no_data=decoding.markers, no_data_of_each=None).missing(
            np.array([suspect[0]], stored.dtype)
        )
        is not None
    ):
        return []
    are = "value is" if suspect[1] == 1 else "values are"
    many = "Some values are" if sampled else f"{suspect[1]} {are}"
    told = (
        f"{many} {suspect[0]:.8g}, as programs mark missing ones; the file does not "
        "say so, and they are kept. Stated as no data when it is opened, they become NaN."
    )
    return [Notice.warning(Code.NO_DATA, told)]


def rounded(stored: np.ndarray) -> list[Notice]:
    """A notice of integers that float32 does not hold exactly."""
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize < 4 or not stored.size:
        return []
    most = max(abs(int(stored.min())), abs(int(stored.max())))
    if most <= _LARGEST_EXACT:
        return []
    told = f"Values up to {most:.6g} were rounded to the 24 bits of float32."
    return [Notice.info(Code.VALUES_ROUNDED, told)]


def beyond(
    stored: np.ndarray, values: np.ndarray, scaled: bool = False, sampled: bool = False
) -> tuple[list[Notice], int]:
    """A notice of numbers that only wider floats hold, and how many there are.

    Parameters
    ----------
    stored, values : ndarray
        Of one shape.
    scaled : bool
        The values are not what is stored: any number may become one of those.
    sampled : bool
        Only a part was looked at: it is not said how many there are.
    """
    if not scaled and (stored.dtype.kind != "f" or stored.dtype.itemsize <= 4):
        return [], 0
    count = int(np.isinf(values).sum())
    count -= int(np.isinf(stored).sum()) if count and stored.dtype.kind == "f" else 0
    if count <= 0:  # infinite ones may be marked as missing
        return [], 0
    are = "1 value is" if count == 1 else f"{count} values are"
    are = "Some values are" if sampled else are
    told = f"{are} too large for float32, which cubes hold, and infinite in the cube."
    return [Notice.warning(Code.VALUES_ROUNDED, told)], count


def kept(count: int) -> list[Notice]:
    """A notice of values that are NaN or infinite, of which there are so many."""
    if not count:
        return []
    told = "1 value is NaN or infinite; it is kept."
    if count > 1:
        told = f"{count} values are NaN or infinite; they are kept."
    return [Notice.warning(Code.NOT_FINITE, told)]
