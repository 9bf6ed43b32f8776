"""From the numbers that a file stores to values: no data, scale and offset, as the file states."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from napari_hsr.notices import Code, Notice

#: Names, as :func:`plain_name` has them, of what numbers are to be multiplied or divided by, or moved.
_FACTOR = re.compile(
    r"(?:reflectance|radiance|data|values?|dn|intensity|radiometric|calibration|quantification|conversion|image)*"
    r"(?:scale|scales|scaling|scalefactors?|scalingfactors?|gains?|factor|slopes?|multiplier|divisor|coefficients?|"
    r"quantificationvalue|offsets?|addoffset|intercepts?)"
)
#: Of these, what is applied where the array itself has it.
APPLIED = ("scalefactor", "addoffset", "reflectancescalefactor")
#: Names, written in the same way, of the number that stands for missing values.
NO_DATA_NAMES = (
    "fillvalue",
    "missingvalue",
    "dataignorevalue",
    "ignorevalue",
    "nodata",
    "nodatavalue",
)
#: What programs write for missing values, also without saying so, and what only they reach.
_USUAL = {-999.0, -9999.0, -32767.0, -32768.0, -99999.0}
_HUGE = 1e19
#: So far from a huge number, as a share of it, floats are it all the same: files round it where they state it.
_ROUNDED = 1e-3
#: Floats that are scaled hardly reach it.
_BEYOND_VALUES = 1e3


@dataclass(frozen=True, eq=False)
class Decoding:
    """What a file states about its numbers.

    A value is ``stored / divisor * scale + offset`` in float32, and NaN where ``no_data`` is
    stored.

    Attributes
    ----------
    divisor : float
        ENVI's reflectance scale factor.
    scale, offset : float or ndarray (bands,)
        As NetCDF and GDAL state them, for all bands or for each in the order of the file.
    no_data : tuple of float
        Stored numbers that stand for missing values.
    valid : (float, float) or None
        Least and largest stored number that is valid; others are missing values (CF's ``valid_range``).
    unsigned : bool
        Signed integers are to be taken as unsigned ones of their size (NetCDF's ``_Unsigned``).
    """

    divisor: float = 1.0
    scale: Any = 1.0
    offset: Any = 0.0
    no_data: tuple[float, ...] = ()
    valid: tuple[float, float] | None = None
    unsigned: bool = False

    @property
    def does_nothing(self) -> bool:
        """Whether values are what is stored."""
        plain = self.divisor == 1.0 and np.all(np.asarray(self.scale) == 1.0)
        marked = self.no_data or self.valid is not None
        return bool(plain and not np.any(self.offset) and not (marked or self.unsigned))

    def missing(self, stored: np.ndarray) -> np.ndarray | None:
        """Where no data is stored; None if that is nowhere."""
        if not self.no_data and self.valid is None:
            return None
        stored = self._taken(stored)
        hits: list[np.ndarray] = []  # of large blocks no array more than is needed
        if self.valid is not None:
            with np.errstate(over="ignore"):  # limits beyond the type are infinite in it
                hits.append((stored < self.valid[0]) | (stored > self.valid[1]))
        for marker in self.no_data:
            if self.unsigned and marker < 0:
                marker += 2.0 ** (8 * stored.dtype.itemsize)
            if np.isnan(marker):
                continue  # NaN as it is
            if stored.dtype.kind == "f":
                hits.append(_are(stored, marker))
            elif float(marker).is_integer():
                hits.append(stored == int(marker))
        hits = [hit for hit in hits if np.any(hit)]
        if not hits:
            return None
        found = hits[0]
        for hit in hits[1:]:
            found |= hit
        return found

    def is_also_a_value(self, marker: float, dtype: np.dtype) -> bool:
        """Whether a value, scaled, may be the number that is stored for missing ones."""
        if replace(self, no_data=(), valid=None, unsigned=False).does_nothing or np.isnan(marker):
            return False
        if marker == 0 and not np.any(self.offset):
            return False
        if dtype.kind not in "iu":
            return abs(marker) < _BEYOND_VALUES
        limits = np.iinfo(dtype)
        size = float(limits.max) - float(limits.min)
        ends = [float(limits.min), float(limits.min) + (2 if self.unsigned else 1) * size]
        scale, offset = np.asarray(self.scale) / self.divisor, np.asarray(self.offset)
        values = np.array([end * scale + offset for end in ends])
        return bool(values.min() <= marker <= values.max())

    def never_stored(self, dtype: np.dtype) -> list[float]:
        """Markers that integers of this type cannot be."""
        if dtype.kind not in "iu":
            return []
        limits = np.iinfo(dtype.str.replace("i", "u") if self.unsigned else dtype)
        shift = 2.0 ** (8 * dtype.itemsize) if self.unsigned else 0.0
        markers = {m: m + shift * (m < 0) for m in self.no_data if not np.isnan(m)}
        return [m for m, v in markers.items() if v % 1 or not limits.min <= v <= limits.max]

    def _taken(self, stored: np.ndarray) -> np.ndarray:
        """What is stored, as the type that it is meant in."""
        if self.unsigned and stored.dtype.kind == "i":
            return stored.view(stored.dtype.str.replace("i", "u"))
        return stored

    def values(
        self, stored: np.ndarray, bands: Any = slice(None), order: Literal["C", "K"] = "C"
    ) -> np.ndarray:
        """The values, float32 in C order, or in that of what is stored (``"K"``).

        Parameters
        ----------
        stored : ndarray
            Of any number of axes; if there are as many as a cube's, bands come first.
        bands : int, slice or array of int
            Which bands of the file these are, for a scale of each.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            missing = self.missing(stored)
            values = np.array(self._taken(stored), dtype=np.float32, order=order)
            if self.divisor != 1.0:
                values /= np.float32(self.divisor)
            scale, offset = (_for_bands(each, bands, values) for each in (self.scale, self.offset))
            if np.any(scale != 1.0):
                values *= scale
            if np.any(offset):
                values += offset
            if missing is not None:
                values[missing] = np.nan
        return values


#: A factor below this makes nothing of reflectance, and floats up to here are reflectance already.
_SMALL_FACTOR, _MOST_REFLECTANCE = 0.01, 2.0


def scaled_already(decoding: Decoding, dtype: np.dtype, data: Any) -> tuple[Notice, ...]:
    """A notice of floats as small as reflectance that are to be divided by a hundred or more all the same.

    Parameters
    ----------
    decoding : Decoding
    dtype : numpy.dtype
        Of what is stored.
    data : array-like (bands, height, width)
        The values that come of it, of which a few rows are read.
    """
    if dtype.kind != "f" or np.size(decoding.scale) > 1 or np.any(decoding.offset):
        return ()
    factor = float(np.ravel(decoding.scale)[0]) / decoding.divisor
    if not 0 < factor <= _SMALL_FACTOR:
        return ()
    rows = slice(data.shape[1] // 2, data.shape[1] // 2 + 4)
    values = np.abs(np.asarray(data[data.shape[0] // 2, rows]))
    most = float(np.max(values, initial=0.0, where=np.isfinite(values))) / factor
    if not 0 < most <= _MOST_REFLECTANCE:
        return ()
    told = (
        f"The stored values end near {most:.3g}, as reflectance does that was scaled before, and the factor {factor:g} was "
        f"applied as the file says: if it is not true of them, scale by {1 / factor:g} (convert --scale)."
    )
    return (Notice.warning(Code.VALUES_SCALE_GUESSED, told),)


def plain_name(name: str) -> str:
    """A name in small letters without blanks, lines and points: ``scalefactor`` of ``Scale_Factor``."""
    return re.sub(r"[\s_.-]+", "", name.lower())


def is_factor(name: str) -> bool:
    """Whether a name is that of a factor or an offset of the numbers, whatever the convention."""
    return _FACTOR.fullmatch(plain_name(name)) is not None


def undeclared(stored: np.ndarray) -> tuple[float, int] | None:
    """A number that stands for missing values by custom, far from all others, and how often it is there."""
    if stored.dtype.kind not in "if" or not stored.size:
        return None
    low, high = (float(f(stored, axis=None)) for f in (np.fmin.reduce, np.fmax.reduce))
    if low in _USUAL or low < -_HUGE:
        at = stored == stored.dtype.type(low)
        most = np.inf if stored.dtype.kind == "f" else np.iinfo(stored.dtype).max
        rest = np.fmin.reduce(stored, axis=None, where=~at, initial=most)
        if low / 2 <= rest < most:
            return low, int(at.sum())
    elif _HUGE < high < np.inf:
        at = stored == stored.dtype.type(high)
        rest = np.fmax.reduce(stored, axis=None, where=~at, initial=-np.inf)
        if -np.inf < rest < high / 1e6:
            return high, int(at.sum())
    return None


def _are(stored: np.ndarray, marker: float) -> np.ndarray:
    """Where floats are a marker: rounded as in ``-3.4e38``, or beyond their type, the end of it or infinite."""
    if abs(marker) <= _HUGE or np.isinf(marker):
        with np.errstate(over="ignore"):  # float16 holds no 1e5
            equal: np.ndarray = stored == np.asarray(marker, stored.dtype)
        return equal
    most = float(np.finfo(stored.dtype).max)
    least = min(abs(marker) * (1 - _ROUNDED), most)
    last = min(abs(marker) * (1 + _ROUNDED), most) if abs(marker) <= most else np.inf
    low, high = (least, last) if marker > 0 else (-last, -least)
    within: np.ndarray = (stored >= low) & (stored <= high)
    return within


def with_marker(plane: np.ndarray, marker: object) -> np.ndarray:
    """One band as it is written: NaN as the number that the file gives for missing values."""
    if not isinstance(marker, (int, float)) or isinstance(marker, bool) or np.isnan(marker):
        return plane
    holes = np.isnan(plane)
    if not holes.any():
        return plane
    filled: np.ndarray = np.where(holes, np.float32(marker), plane)
    return filled


def _for_bands(number: Any, bands: Any, values: np.ndarray) -> np.ndarray:
    """A number for each band in question, shaped to lie over the values."""
    chosen: np.ndarray = np.asarray(number, dtype=np.float32)
    if not chosen.ndim:
        return chosen
    chosen = np.asarray(chosen[bands])
    return chosen.reshape(chosen.shape + (1,) * (values.ndim - chosen.ndim))
