"""What attributes state of an array's numbers: missing values, scale, offset, by CF (NetCDF) and NEON."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io.decoding import (
    APPLIED,
    NO_DATA,
    NO_DATA_NAMES,
    NO_DATA_OF_EACH,
    Decoding,
    is_factor,
    nearly,
    plain_name,
    with_markers,
)
from napari_hsr.io.hdf5.axes import text
from napari_hsr.io.number_parsing import NOTHING, number
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from napari_hsr.io.found import Found

_MOST_MARKERS = 16
#: Names of limits, as :func:`plain_name` has them.
_LIMITS = ("validrange", "validmin", "validmax")
#: A float64 in Base64, as xarray writes the fill value of floats in zarr.
_ENCODED = re.compile(r"[A-Za-z0-9+/]{11}=")
#: Around an array, a factor that is not spelled as CF does has to be smaller to be one of its numbers.
_OF_ANOTHER_SPELLING = 0.011
#: Attributes with a number to divide by: NEON's, and ENVI's.
DIVISORS = ("Scale_Factor", "reflectance_scale_factor", "reflectance scale factor")


def state_numbers(found: Found, attributes: Any, around: Any = None) -> None:
    """No data, scale and offset as CF conventions (NetCDF) and NEON state them.

    Parameters
    ----------
    found : Found
    attributes : mapping
        Those of the array itself.
    around : mapping, optional
        What stands around it too: attributes of the groups and the file it lies in, variables beside it, texts
        in JSON. It counts where the array itself states nothing, and factors where they can be meant in one
        way only; others are told, not applied.
    """
    found.notices += _unread(dict(around or {}) | dict(attributes), attributes)
    found.notices += _misspelt(dict(around or {}) | dict(attributes), attributes)
    if not (found.units or found.record):
        found.notices += _misspelt_units(attributes)
    stated = {str(key): numbers_in(attributes[key]) for key in attributes}
    markers = {
        m for key in stated if plain_name(key) in NO_DATA_NAMES for m in stated[key][:_MOST_MARKERS]
    }
    beyond = {str(k): numbers_in(v) for k, v in (around or {}).items() if k not in attributes}
    if not markers and NO_DATA_OF_EACH not in attributes:
        named = [k for k in beyond if plain_name(k) in NO_DATA_NAMES]
        markers = {m for key in named for m in beyond[key][:_MOST_MARKERS]}
    unclear = _spelled_otherwise(stated)
    unclear |= _from_around(found, stated, beyond)
    for key, numbers in unclear.items():
        nothing = {1.0} if plain_name(key) != "addoffset" else {0.0, 1.0}
        if plain_name(key) in APPLIED and numbers and set(numbers) - nothing:
            told = (
                f"The file's '{key}' ({numbers[0]:g}) was not applied: the numbers are as stored."
            )
            found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    divisor = _divisor(found, stated)
    scale, offset = (
        _of_all_or_each(found, stated.get(key)) for key in ("scale_factor", "add_offset")
    )
    for key, taken in (("scale_factor", scale), ("add_offset", offset)):
        if taken is None and (stated.get(key) or _says_something(attributes.get(key))):
            told = f"The file's '{key}' fits neither the array nor one of its axes, or is no number: not applied."
            found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    if divisor != 1.0 and scale is not None:  # CF's is the one that has a convention
        told = (
            f"The file states two scale factors: scale_factor was applied, and the {divisor:g} to "
            "divide by was not."
        )
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
        divisor = 1.0
    if divisor < 1.0:
        scale, divisor = divisor, 1.0
    kind = {"true": "u", "false": "i"}.get(text(attributes.get("_Unsigned")).lower(), "")
    found.decoding = Decoding(
        divisor=divisor,
        scale=1.0 if scale is None else scale,
        offset=0.0 if offset is None else offset,
        no_data=tuple(sorted(markers)),
        kind=kind if found.source.dtype.kind in "iu" and kind != found.source.dtype.kind else "",
    )
    valid = _valid(stated, found, attributes)
    found.decoding = replace(found.decoding, valid=valid)
    if NO_DATA_OF_EACH in attributes:
        of_each = [None if np.isnan(m) else m for m in attributes[NO_DATA_OF_EACH]]
        found.decoding = with_markers(found.decoding, of_each)
    if found.decoding.markers:
        found.metadata[NO_DATA] = found.decoding.markers[0]
    if not found.decoding.scales_nothing:
        told = "Values were scaled as the scale factor and offset in the file say."
        found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
        found.steps += (told,)


def unusable(attributes: Any) -> tuple[Notice, ...]:
    """Notices of what was meant to be a factor or missing values and is none: no number, or a damaged name."""
    return _unread(dict(attributes), {}) + _misspelt(dict(attributes), attributes)


def _divisor(found: Found, stated: dict[str, list[float]]) -> float:
    """The number to divide by: 1 where none is stated, or none that can be; below 1 it is to multiply by."""
    for key in DIVISORS:
        numbers = stated.get(key)
        if not numbers:
            continue
        if len(set(numbers)) == 1 and 0 < numbers[0] < np.inf:
            if numbers[0] < 1:
                told = (
                    f"The file's '{key}' ({numbers[0]:g}) is below 1, and can hardly be the number to divide by: values were "
                    "multiplied by it."
                )
                found.notices += (Notice.warning(Code.SCALE_APPLIED, told),)
            return numbers[0]
        told = (
            f"The file's '{key}' ({numbers[0]:g}) is no positive number of all bands: not applied."
        )
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    return 1.0


def _unread(every: dict[Any, Any], own: Any) -> tuple[Notice, ...]:
    """Notices of texts in the place of a number, which are none; those of CF in the array's ``own`` are told of apart."""
    notices = []
    for key, value in every.items():
        plain = plain_name(str(key))
        factor = plain in APPLIED and not (key in ("scale_factor", "add_offset") and key in own)
        if not (factor or plain in NO_DATA_NAMES or plain in _LIMITS):
            continue
        said = text(value)
        if np.asarray(value).dtype.kind == "c":
            said = str(np.ravel(np.asarray(value))[:1])
        if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
            said = ", ".join(value)
        if said.lower() not in NOTHING and not numbers_in(said):
            told = f"The file's '{key}', {said[:40]!r}, is no number: no effect."
            notices.append(Notice.warning(Code.GAIN_NOT_APPLIED if factor else Code.NO_DATA, told))
    return tuple(notices)


def _spelled_otherwise(stated: dict[str, list[float]]) -> dict[str, list[float]]:
    """Put CF's and ENVI's items under their own names; those that may go either way are returned.

    A ``SCALE_FACTOR`` below 1 can only be CF's, to multiply by; NEON's ``Scale_Factor`` divides.
    """
    unclear = {}
    for key, numbers in list(stated.items()):
        plain = plain_name(key)
        if plain not in APPLIED or key in ("scale_factor", "add_offset", *DIVISORS) or not numbers:
            continue
        own = {"addoffset": "add_offset", "reflectancescalefactor": DIVISORS[1]}.get(plain)
        if own is None and all(0 < n < 1 for n in numbers):
            own = "scale_factor"
        if own is None or stated.get(own):
            unclear[key] = numbers
        else:
            stated[own] = numbers
    return unclear


def _misspelt(every: dict[Any, Any], own: Any) -> tuple[Notice, ...]:
    """Notices of names that are nearly those of a factor, of missing values or of limits, as of a damaged file."""
    notices = []
    for key in every:
        meant = is_nearly_one(str(key))
        if plain_name(str(key)) in _LIMITS and key not in own and _says_something(every[key]):
            told = f"The file's '{key}' is not the array's own: it has no effect."
            notices.append(Notice.warning(Code.NO_DATA, told))
        if meant and _says_something(every[key]):
            code = Code.GAIN_NOT_APPLIED if meant in APPLIED else Code.NO_DATA
            told = f"The file's '{key}' may be a damaged '{meant}': it has no effect."
            notices.append(Notice.warning(code, told))
    return tuple(notices)


def _misspelt_units(attributes: Any) -> tuple[Notice, ...]:
    """A notice of an attribute with a text whose name is nearly that of units."""
    for key in map(str, attributes):
        if key.lower() != "unit" and nearly(key, ("units",)) and text(attributes[key]):
            told = f"The file's '{one_line(key, 40)}' may be damaged 'units': it has no effect."
            return (Notice.warning(Code.MAYBE_DAMAGED, told),)
    return ()


def is_nearly_one(name: str) -> str:
    """The known name of a factor, of missing values or of limits that a damaged one may have been; empty for others."""
    return "" if is_factor(name) else nearly(name, (*APPLIED, *NO_DATA_NAMES, *_LIMITS))


def _from_around(
    found: Found, stated: dict[str, list[float]], beyond: dict[str, list[float]]
) -> dict[str, list[float]]:
    """Put what can only be meant in one way under its own name; the other factors are returned.

    Integers that are multiplied by less than one, or divided by more, become reflectance; an offset goes with a
    factor beside it.
    """
    factors = {k: n for k, n in beyond.items() if plain_name(k) in APPLIED and n}
    own = any(stated.get(key) for key in ("scale_factor", "add_offset", *DIVISORS))
    if own or found.source.dtype.kind not in "iu":
        return factors
    taken: dict[str, list[float]] = {}
    for key, numbers in factors.items():
        plain = plain_name(key)
        clear = key == "scale_factor" or plain == "reflectancescalefactor"
        most = 1 if clear else _OF_ANOTHER_SPELLING  # a "ScaleFactor" may be a zoom
        if plain != "addoffset" and all(0 < n < most for n in numbers):
            taken.setdefault("scale_factor", numbers)
        elif plain == "reflectancescalefactor" and all(n > 1 for n in numbers):
            taken.setdefault(DIVISORS[1], numbers)
        elif plain == "addoffset" and key != plain:
            taken.setdefault("add_offset", numbers)
    if set(taken) == {"add_offset"}:
        taken = {}
    stated |= taken
    used = list(taken.values())
    return {k: n for k, n in factors.items() if n not in used}


def _valid(
    stated: dict[str, list[float]], found: Found, attributes: Any
) -> tuple[float, float] | None:
    """CF's ``valid_range``, ``valid_min`` and ``valid_max``, which are meant as stored."""
    both = stated.get("valid_range") or []
    least = both[:1] or stated.get("valid_min") or [-np.inf]
    most = both[1:2] or stated.get("valid_max") or [np.inf]
    dtype, decoding = found.source.dtype, found.decoding
    low, high = decoding.meant(least[0], dtype), decoding.meant(most[0], dtype)
    packed = dtype.kind in "iu" and not decoding.scales_nothing
    fractions = any(np.isfinite(v) and v % 1 for v in (low, high))
    unpacked = packed and (fractions or _are_unpacked((low, high), found, attributes))
    if not low < high or unpacked or len(both) not in (0, 2):
        told = f"The file's limits of valid values, {low:g} to {high:g}, are none of what is stored: no effect."
        found.notices += (Notice.warning(Code.NO_DATA, told),)
        return None
    return None if (np.isinf(low) and np.isinf(high)) or dtype.kind not in "iuf" else (low, high)


def _are_unpacked(ends: tuple[float, float], found: Found, attributes: Any) -> bool:
    """Whether limits beside scaled integers are of the values: floats which the integers reach when scaled."""
    kinds = {np.asarray(attributes[k]).dtype.kind for k in attributes if plain_name(k) in _LIMITS}
    if kinds != {"f"}:
        return False
    dtype, decoding = found.source.dtype, found.decoding
    reached = decoding.values(np.array([np.iinfo(dtype).min, np.iinfo(dtype).max], dtype))
    known = [end for end in ends if np.isfinite(end)]
    return bool(known) and all(reached.min() <= end <= reached.max() for end in known)


def numbers_in(value: Any) -> list[float]:
    """The numbers that an attribute holds, one in a text among them; empty for anything else, and for None."""
    if said := text(value):
        known = number(said)
        if known is None and _ENCODED.fullmatch(said):
            (known,) = struct.unpack("<d", base64.b64decode(said))
        return [] if known is None else [known]
    array = np.ravel(np.asarray(value))
    return [float(v) for v in array] if array.dtype.kind in "iuf" else []


def _says_something(value: Any) -> bool:
    """Whether an attribute is there and holds a text or numbers."""
    array = np.asarray(value)
    return bool(text(value)) or (array.dtype.kind in "iufc" and array.size > 0)


def _of_all_or_each(found: Found, numbers: list[float] | None) -> Any:
    """A number for all bands, or as many as an axis is long; None for anything else."""
    if not numbers or (len(numbers) > 1 and len(numbers) not in found.source.shape):
        return None
    return numbers[0] if len(set(numbers)) == 1 else np.array(numbers)
