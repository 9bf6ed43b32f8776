"""Wavelengths in texts of files: numbers with units, ends of channels, ranges, names of bands."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from napari_hsr.io import limits
from napari_hsr.io.number_parsing import number
from napari_hsr.io.wavelengths import wavelength_units as units
from napari_hsr.notices import Code, Notice

#: A number, and what follows it up to the next blank.
_STATED = re.compile(
    r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]{1,4})?)(\s*)([^\d\s:][^\s:]*)?\s*",
    re.IGNORECASE,
)


def from_texts(texts: list[Any]) -> tuple[np.ndarray, str | None] | None:
    """Numbers and unit of ``['400 nm', '410 nm']`` or ``['400, 410 nm']``; None if unclear.

    What follows a number and is no unit makes it none: ``4O0`` is not 4. A unit that is not behind all
    of them must be one that can be nothing else.
    """
    if not all(isinstance(text, str) for text in texts):
        return None
    if len(texts) == 1:  # between numbers, blanks part as commas do
        texts = re.split(r"[,;\n]+|(?<=[\d.])\s+(?=[-+.\d])", texts[0].strip(" \t\n[]{}"))
    if not limits.are_short(texts):
        return None
    matches = [_STATED.fullmatch(text) for text in texts]
    found = [match for match in matches if match is not None]
    if not found or len(found) < len(matches):
        return None
    behind = [match[3] for match in found if match[3]]
    if len(set(behind)) > 1 or not all(map(units.is_unit, behind[: len(behind) < len(found)])):
        return None
    unit = behind[0] if behind else None
    if unit and len(found) == 1 and not (found[0][2] or units.is_unit(unit)):
        return None  # 55m may be a number that lost its end
    return np.array([float(match[1]) for match in found]), unit


def from_ends(texts: list[Any]) -> tuple[np.ndarray, str | None] | None:
    """The middles of ``['425-475', '475-525']``, with their unit; None for anything else."""
    if not all(isinstance(text, str) for text in texts) or not limits.are_short(texts):
        return None
    found = [_ENDS.fullmatch(text) for text in texts]
    known = [match for match in found if match is not None]
    ends = np.array([(float(m[1]), float(m[2])) for m in known])
    if not known or len(known) < len(found) or not (ends[:, 0] < ends[:, 1]).all():
        return None
    units = {match[3] for match in known}
    return (ends.mean(axis=1), units.pop()) if len(units) == 1 else None


def from_steps(texts: list[Any], bands: int) -> tuple[np.ndarray, None] | None:
    """The numbers of ``450:50:700``, as MATLAB writes it, or ``450:700:50``; None unless there is one a band."""
    ends = str(texts[0]).strip(" []").split(":") if len(texts) == 1 else []
    found = [number(part) for part in ends]
    if len(found) != 3 or None in found or bands < 2:
        return None
    first, one, other = (float(value or 0) for value in found)
    for step, last in ((one, other), (other, one)):
        if step > 0 and first + step * (bands - 1) <= last + step / 1e6 < first + step * bands:
            listed: np.ndarray = first + step * np.arange(bands)
            return listed, None
    return None


#: Names whose number, without a unit, is a wavelength by its place: ``Band 7 (510.0)`` as ENVI writes
#: it, also behind the names of tools (``Resize (Band 7:a.dat) (510.0):b.dat``), ``wavelength_510``, and ``Red-668`` as cameras of a few bands have it.
_PLACES = (
    re.compile(r"(?:[^()]|\([^()]*[^\d.()][^()]*\))*\((\d+\.\d+)\)(?::[^()]*)?"),
    re.compile(r"(?:wavelength|wl|wvl|lambda|λ)[\s_:=-]*(\d+(?:\.\d+)?)", re.IGNORECASE),
    re.compile(r"X([1-9]\d{2,3}(?:\.\d+)?)"),  # as R names columns of numbers
    re.compile(r"(?:band|b|channel|ch)[\s_:=-]*([1-9]\d{2,3}\.\d+)", re.IGNORECASE),
    re.compile(
        r"(?:coastal|blue|green|yellow|red|red[ _-]?edge|nir|swir|lwir|pan)[ _-]*\d?[ _-]+(\d{3,5})",
        re.IGNORECASE,
    ),
)
_UNIT = r"(nm|nanomet(?:er|re)s?|[uµμ]m|micromet(?:er|re)s?|microns?)"
#: A number in running text, as a pattern without a group: behind it ends a word, or its unit.
NUMBER = (
    r"[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?"
    rf"(?=\s{{0,20}}{_UNIT.replace('(', '(?:', 1)}(?![a-zA-Z0-9])|[^\w.]|\.(?!\w)|$)"
)
_NAMED = re.compile(rf"(?<![\d.])(\d+(?:\.\d+)?)[\s_]*{_UNIT}(?![a-z0-9])", re.IGNORECASE)
#: Digits and a letter right before a number, of which it is but the end: ``4O5 nm``.
_BROKEN = re.compile(r"[0-9][^\W\d_]$")
#: No channel ends at so many times the wavelength that it begins at.
_WIDEST = 4
#: What stands before the number of a band: ``Band 8 - 10.6 um``.
_NUMBERED = re.compile(r"(?:bands?|b|channel|ch|no|nr|#)[\s_.:]*$", re.IGNORECASE)
#: A channel by its ends, ``411-420 nm``: the number before the unit is not its centre.
_RANGE = re.compile(
    rf"(?<![\w.])(\d+(?:\.\d+)?)\s*{_UNIT}?\s*(?:-|–|—|to)\s*(\d+(?:\.\d+)?)\s*{_UNIT}\b",
    re.IGNORECASE,
)


_ENDS = re.compile(
    rf"\s*(\d+(?:\.\d+)?)\s*(?:-|–|—|to)\s*(\d+(?:\.\d+)?)\s*{_UNIT}?\s*", re.IGNORECASE
)


def from_band_names(names: list[Any]) -> tuple[list[str] | None, str | None]:
    """Wavelengths and their unit in names such as ``Band 7 (510.0 nm)`` or ``510.0``.

    (None, None) unless every name has one, and names that merely count the bands have none.
    """
    texts = [str(name).strip() for name in names]
    if not limits.are_short(texts):
        return None, None
    for pattern in _PLACES:
        placed = [match for match in map(pattern.fullmatch, texts) if match is not None]
        if texts and len(placed) == len(texts):
            return [match[1] for match in placed], None
    ranges = [match for match in map(_RANGE.search, texts) if match is not None]
    ends = [(float(match[1]), float(match[3])) for match in ranges]
    if ranges and all(low < high < _WIDEST * low for low, high in ends):
        before = [match.string[: match.start()] for match in ranges]
        counted = all(map(_NUMBERED.search, before)) and (np.diff([e[0] for e in ends]) == 1).all()
        if not counted and len(ranges) < len(texts):
            return None, None  # the ends of the channels are not the centres of them
        if not counted and len({match[4].lower() for match in ranges}) == 1:
            return [f"{(low + high) / 2:.10g}" for low, high in ends], ranges[0][4]
    found = [match for match in map(_NAMED.search, texts) if match is not None]
    broken = [_BROKEN.search(match.string[: match.start()]) is not None for match in found]
    if any(broken) and not all(broken):
        return None, None
    if texts and len(found) == len(texts) and len({match[2].lower() for match in found}) == 1:
        return [match[1] for match in found], found[0][2]
    plain = from_texts(list(texts)) if len(texts) > 1 else None
    if plain is None or are_band_numbers(plain[0]) or plain[0].min() < 0.2:
        return None, None
    return texts, plain[1]


def named_in_part(names: list[Any]) -> tuple[Notice, ...]:
    """A notice of names of which some hold a wavelength with its unit, and some do not."""
    found = [_NAMED.search(str(name)[: limits.LONGEST_NAME]) for name in names]
    whole = [m for m in found if m is not None and not _BROKEN.search(m.string[: m.start()])]
    count = len(whole)
    if not 2 <= count < len(names):
        return ()
    told = (
        f"{count} of {len(names)} bands are named by a wavelength and the others are not: no wavelengths were "
        "taken from the names."
    )
    return (Notice.warning(Code.WAVELENGTHS_UNUSABLE, told),)


def are_band_numbers(values: np.ndarray) -> bool:
    """True for 0, 1, 2… or 1, 2, 3…: numbers of bands, not wavelengths."""
    values = np.ravel(values)
    return values.size > 1 and values[0] in (0, 1) and bool((np.diff(values) == 1).all())
