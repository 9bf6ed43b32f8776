"""From the numbers that a file stores to values: no data, scale and offset, as the file states."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
#: The key of the metadata with the number that stands for missing values; ENVI's word for it.
NO_DATA = "data ignore value"
#: The same of each band by itself, where arrays of one band are put together.
NO_DATA_OF_EACH = "no data of each band"
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

    A value is ``stored / divisor * scale + offset``, in float32 where it holds what is stored, and NaN
    where ``no_data`` is stored.

    Attributes
    ----------
    divisor : float
        ENVI's reflectance scale factor.
    scale, offset : float or ndarray (bands,)
        As NetCDF and GDAL state them, for all bands or for each in the order of the file.
    no_data : tuple of float
        Stored numbers that stand for missing values in all bands.
    no_data_of_each : ndarray (bands,) or None
        The number that does so in each band alone, in the order of the file; NaN for none.
    valid : (float, float) or None
        Least and largest stored number that is valid; others are missing values (CF's ``valid_range``).
    kind : str
        ``"u"`` or ``"i"``: integers are to be taken as unsigned or as signed ones of their size (NetCDF's
        ``_Unsigned``); ``""``: as they are stored.
    """

    divisor: float = 1.0
    scale: Any = 1.0
    offset: Any = 0.0
    no_data: tuple[float, ...] = ()
    no_data_of_each: np.ndarray | None = None
    valid: tuple[float, float] | None = None
    kind: str = ""

    @property
    def does_nothing(self) -> bool:
        """Whether values are what is stored."""
        return self.scales_nothing and not (self._marks or self.kind)

    @property
    def scales_nothing(self) -> bool:
        """Whether there is neither scale nor offset."""
        plain = self.divisor == 1.0 and np.all(np.asarray(self.scale) == 1.0)
        return bool(plain and not np.any(self.offset))

    @property
    def _marks(self) -> bool:
        each = self.no_data_of_each is not None
        return bool(self.no_data or each or self.valid is not None)

    @property
    def markers(self) -> tuple[float, ...]:
        """All numbers that stand for missing values, in whichever band."""
        each = () if self.no_data_of_each is None else self.no_data_of_each.tolist()
        return tuple(dict.fromkeys((*self.no_data, *(m for m in each if not np.isnan(m)))))

    def missing(self, stored: np.ndarray, bands: Any = slice(None)) -> np.ndarray | None:
        """Where no data is stored; None if that is nowhere.

        ``stored`` and ``bands`` are those of :meth:`values`.
        """
        if not self._marks:
            return None
        stored = self._taken(stored)
        hits: list[np.ndarray] = []  # of large blocks no array more than is needed
        if self.valid is not None:
            with np.errstate(over="ignore"):  # limits beyond the type are infinite in it
                hits.append((stored < self.valid[0]) | (stored > self.valid[1]))
        hits += [self._equal(stored, marker) for marker in self.no_data if not np.isnan(marker)]
        if self.no_data_of_each is not None:
            own = self.no_data_of_each[bands]
            hits.append(
                np.stack([self._equal(s, m) for s, m in zip(stored, own, strict=True)])
                if np.ndim(own)
                else self._equal(stored, float(own))
            )
        hits = [hit for hit in hits if np.any(hit)]
        if not hits:
            return None
        found = hits[0]
        for hit in hits[1:]:
            found |= hit
        return found

    def _equal(self, stored: np.ndarray, marker: float) -> np.ndarray:
        """Where one number is stored; nowhere for NaN, which is missing as it is."""
        marker = self.meant(marker, stored.dtype)
        if stored.dtype.kind == "f":
            return _are(stored, marker)
        if not float(marker).is_integer():
            return np.zeros(stored.shape, dtype=bool)
        equal: np.ndarray = stored == int(marker)
        return equal

    def is_also_a_value(self, marker: float, dtype: np.dtype) -> bool:
        """Whether a value, scaled, may be the number that is stored for missing ones."""
        if np.isnan(marker):
            return False
        if self.no_data_of_each is not None and len(self.markers) > 1:
            return True  # what marks one band is a value of another
        if self.scales_nothing:
            return False
        if marker == 0 and not np.any(self.offset):
            return False
        if dtype.kind not in "iu":
            return abs(marker) < _BEYOND_VALUES
        limits = [np.iinfo(each) for each in (dtype, self._type(dtype))]
        ends = [float(min(n.min for n in limits)), float(max(n.max for n in limits))]
        scale, offset = np.asarray(self.scale) / self.divisor, np.asarray(self.offset)
        values = np.array([end * scale + offset for end in ends])
        return bool(values.min() <= marker <= values.max())

    def never_stored(self, dtype: np.dtype) -> list[float]:
        """Markers that integers of this type cannot be."""
        if dtype.kind not in "iu":
            return []
        limits = np.iinfo(self._type(dtype))
        markers = {m: self.meant(m, dtype) for m in self.markers if not np.isnan(m)}
        return [m for m, v in markers.items() if v % 1 or not limits.min <= v <= limits.max]

    def meant(self, number: float, dtype: np.dtype) -> float:
        """A stored number as it is meant: -1 in a byte that is to be taken as unsigned is 255."""
        size = 2.0 ** (8 * dtype.itemsize)
        if self.kind == "u" and number < 0:
            return number + size
        return number - size if self.kind == "i" and size / 2 <= number < size else number

    def _type(self, dtype: np.dtype) -> np.dtype:
        taken = self.kind if dtype.kind in "iu" else ""
        return np.dtype(dtype.str.replace(dtype.kind, taken)) if taken else dtype

    def _taken(self, stored: np.ndarray) -> np.ndarray:
        """What is stored, as the type that it is meant in."""
        taken = self._type(stored.dtype)
        return stored if taken == stored.dtype else stored.view(taken)

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
            missing = self.missing(stored, bands)
            taken = self._taken(stored)
            if not self.scales_nothing and np.promote_types(taken.dtype, np.float32) == np.float64:
                values = self._of_wide(taken, bands, order)
            else:
                values = self._scaled(np.array(taken, dtype=np.float32, order=order), bands)
            if missing is not None:
                values[missing] = np.nan
        return values

    def _scaled(self, values: np.ndarray, bands: Any) -> np.ndarray:
        """Floats divided, multiplied and moved where they lie."""
        if self.divisor != 1.0:
            values /= values.dtype.type(self.divisor)
        scale, offset = (_for_bands(each, bands, values) for each in (self.scale, self.offset))
        if np.any(scale != 1.0):
            values *= scale
        if np.any(offset):
            values += offset
        return values

    def _of_wide(self, stored: np.ndarray, bands: Any, order: Literal["C", "K"]) -> np.ndarray:
        """Values of numbers that float32 does not hold: rounded last, else an offset would bring that to light.

        Part by part, so that no second array of their size is made.
        """
        values = np.empty_like(stored, dtype=np.float32, order=order, subok=False)
        if stored.ndim < 2:
            values[...] = self._scaled(np.array(stored, dtype=np.float64), bands)
            return values
        each = np.ndim(self.scale) or np.ndim(self.offset)
        places = np.arange(stored.shape[0])
        if each:
            sizes = [np.size(n) for n in (self.scale, self.offset) if np.ndim(n)]
            places = np.ravel(np.arange(max(sizes))[bands])
        for at in range(stored.shape[0]):
            of_part = int(places[at if places.size > 1 else 0])
            values[at] = self._scaled(np.array(stored[at], dtype=np.float64), of_part)
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


def are_factors_of_values(scale: Any, offset: Any) -> np.ndarray:
    """Whether float32 values come of a scale and an offset, or of those of each band."""
    least, most = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    size = np.abs(np.asarray(scale, dtype=np.float64))
    usable = (least <= size) & (size <= most) & (np.abs(np.asarray(offset, np.float64)) <= most)
    return np.atleast_1d(usable)


def plain_name(name: str) -> str:
    """A name in small letters without blanks, lines and points: ``scalefactor`` of ``Scale_Factor``."""
    return re.sub(r"[\s_.-]+", "", name.lower())


def is_factor(name: str) -> bool:
    """Whether a name is that of a factor or an offset of the numbers, whatever the convention."""
    return _FACTOR.fullmatch(plain_name(name)) is not None


def unpacked(values: Any, attributes: Any) -> Any:
    """A list beside the array, such as its wavelengths, as CF's scale and offset of its own say; others as they are."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        return values
    stated = [
        np.ravel(np.asarray(attributes.get(key, ()))) for key in ("scale_factor", "add_offset")
    ]
    numbers = [float(n[0]) if n.size == 1 and n.dtype.kind in "iuf" else None for n in stated]
    if numbers in ([None, None], [1.0, None], [None, 0.0], [1.0, 0.0]):
        return values
    scale, offset = numbers
    moved = values.astype(np.float64) * (1.0 if scale is None else scale)
    return moved + (0.0 if offset is None else offset)


def with_markers(decoding: Decoding, of_bands: Sequence[float | None]) -> Decoding:
    """With a number for missing values, or None, of each band; one that all bands share is that of all."""
    stated = {marker for marker in of_bands if marker is not None}
    if not stated:
        return decoding
    if len(stated) == 1 and None not in of_bands:
        return replace(decoding, no_data=(stated.pop(),))
    each = np.array([np.nan if marker is None else marker for marker in of_bands], dtype=np.float64)
    return replace(decoding, no_data_of_each=each)


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
    chosen: np.ndarray = np.asarray(number, dtype=values.dtype)
    if not chosen.ndim:
        return chosen
    chosen = np.asarray(chosen[bands])
    return chosen.reshape(chosen.shape + (1,) * (values.ndim - chosen.ndim))


def nearly(name: str, known: Iterable[str]) -> str:
    """The known name that another one is nearly, as one letter of it is damaged; empty if it is none.

    Parameters
    ----------
    name : str
    known : iterable of str
        As :func:`plain_name` writes them; one of these is not nearly another. Of short ones another name of
        as many letters may well be meant: the caller must know more of these.
    """
    plain, known = plain_name(name), tuple(known)
    if plain in known or not plain:
        return ""
    near = [one for one in known if abs(len(one) - len(plain)) <= 1]
    alike = [one for one in near if _one_letter_apart(plain, one)]
    return next(iter(alike or get_close_matches(plain, near, 1, 0.88)), "")


def nearly_words(name: str, known: Iterable[str]) -> str:
    """The known name, of several words, that another is but for a word that is missing or there twice; else empty."""
    split = re.compile(r"[a-z0-9]+").findall
    words, listed = split(name.lower()), [(one, split(one.lower())) for one in known]
    for one, meant in listed if all(words != each for _, each in listed) else ():
        without = [meant[:at] + meant[at + 1 :] for at in range(len(meant))]
        twice = [meant[: at + 1] + meant[at:] for at in range(len(meant))]
        if len(meant) > 1 and words in (*without, *twice):
            return one
    return ""


def _one_letter_apart(one: str, other: str) -> bool:
    """Whether a letter that is another, too many or missing is all that two names differ in."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return one[same + (len(one) >= len(other)) :] == other[same + (len(other) >= len(one)) :]
