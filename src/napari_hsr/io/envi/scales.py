"""Factors, gains and offsets of ENVI headers: ENVI's own are applied, those of other programs are told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io.decoding import NO_DATA_NAMES, is_factor, nearly, nearly_words, plain_name
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.number_parsing import NOTHING
from napari_hsr.notices import Code, Notice
from napari_hsr.quantities import Quantity, quantity_of
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io import build_cube

_GAINS = ("data", "data reflectance")
#: Items that programs write without saying which way they go.
_OTHER_SCALES = re.compile(
    r"((data|radiance|reflectance|value|dn|intensity)[ _])?(scale|scaling)([ _]?factor)?"
    r"|[^=]{1,60}[ _](scale|scaling)[ _]factor"  # of any other name, perhaps a damaged one
)
#: The item of the number that stands for missing values.
_IGNORED = "data ignore value"
_FACTOR = "reflectance scale factor"
#: Other spellings of the item "reflectance scale factor".
_ALSO_REFLECTANCE = re.compile(r"refl(ectance|ection)?[ _-]?(scale|scaling)[ _-]?factor")
#: Words around the name of a gain or an offset: ``band gains``, ``radiance gain values``.
_AROUND_A_NAME = re.compile(r"^bands?[ _]|[ _](values?|list)$")


def apply_factor(header: Path, found: build_cube.Found, items: dict[str, Any]) -> None:
    """ENVI's reflectance scale factor, which divides.

    Raises
    ------
    FileError
        If it is not one positive number.
    """
    if not _is_said(items.get("reflectance scale factor")):
        also = [key for key in items if _ALSO_REFLECTANCE.fullmatch(key) and _is_said(items[key])]
        if also:
            items = {**items, "reflectance scale factor": items[also[0]]}
            found.metadata.pop(also[0])
    stated = items.get("reflectance scale factor")
    if isinstance(stated, str) and re.fullmatch(r"\d{1,3}(,\d{3})+", stated.strip()):
        items = {**items, "reflectance scale factor": stated.replace(",", "")}  # 10,000
    factor = envi_header.numbers(items, "reflectance scale factor")
    if factor is None:
        if str(stated or "").strip().lower() not in NOTHING:
            told = f"The header's reflectance scale factor, {stated!r}, is no number: not applied."
            found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
        return
    if len(set(factor)) != 1 or not np.isfinite(factor[0]) or factor[0] <= 0:
        raise FileError(
            header,
            "a positive number was expected as reflectance scale factor, not "
            f"{items['reflectance scale factor']!r}",
        )
    found.metadata["reflectance scale factor"] = factor[0]
    _take_for_reflectance(found, factor[0])
    if factor[0] < 1.0:  # divided, values would be larger than what is stored
        found.decoding = replace(found.decoding, scale=factor[0])
        told = (
            f"Values were multiplied by the reflectance scale factor {factor[0]:g} of the header: "
            "below 1, it can hardly be the number to divide by."
        )
        found.notices += (Notice.warning(Code.SCALE_APPLIED, told),)
        found.steps += (told,)
    elif factor[0] != 1.0:
        found.decoding = replace(found.decoding, divisor=factor[0])
        told = f"Values were divided by the reflectance scale factor {factor[0]:g} of the header."
        found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
        found.steps += (told,)


def unit_beside(factor: float, stated: str | None) -> str:
    """The unit of values with a reflectance scale factor: another stays, but for numbers that it makes fractions of."""
    kind = quantity_of(stated)
    scaled = (Quantity.COUNTS, Quantity.PERCENT) if factor != 1 else ()
    kept = kind not in (None, Quantity.REFLECTANCE, *scaled)
    return stated if stated and kept else "reflectance"


def _take_for_reflectance(found: build_cube.Found, factor: float) -> None:
    """The unit beside a reflectance scale factor; where they contradict each other, this is told."""
    stated, found.units = found.units, unit_beside(factor, found.units)
    if found.record is None:
        found.notices += contradicted(factor, stated)


def contradicted(factor: float, stated: str | None) -> tuple[Notice, ...]:
    """That a unit is none of values with a reflectance scale factor, where it is not."""
    if unit_beside(factor, stated) == "reflectance":
        return ()
    told = (
        f"The header states the data units {one_line(str(stated), 80)} and a reflectance scale factor "
        f"({factor:g}), which contradict each other: the values are taken for {quantity_of(stated)}."
    )
    return (Notice.warning(Code.VALUES_SCALE_GUESSED, told),)


def _is_said(value: Any) -> bool:
    """Whether an item of the header has anything behind its name."""
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return text.strip().lower() not in NOTHING


def apply_gains(header: Path, found: build_cube.Found, items: dict[str, Any], bands: int) -> None:
    """``stored * gain + offset`` of each band, unless a reflectance scale factor is stated too.

    Raises
    ------
    FileError
        If they are no numbers, or not one a band.
    """
    stated = {
        key: [envi_header.numbers(items, f"{key} {what} values") for what in ("gain", "offset")]
        for key in _GAINS
        if any(_is_said(items.get(f"{key} {what} values")) for what in ("gain", "offset"))
    }
    if not stated:
        return
    named = list(stated)
    gains, offsets = (
        numbers or [] if _is_said(items.get(f"{named[0]} {what} values")) else [default] * bands
        for what, default, numbers in zip(
            ("gain", "offset"), (1.0, 0.0), stated[named[0]], strict=True
        )
    )
    gains, offsets = (n * bands if len(n) == 1 else n for n in (gains, offsets))
    if not len(gains) == len(offsets) == bands:
        raise FileError(
            header, f"its {named[0]} gain and offset values are not {bands} numbers each"
        )
    if set(gains) == {1.0} and set(offsets) == {0.0}:
        return
    if not found.decoding.scales_nothing:
        told = (
            "The header names gains beside a reflectance scale factor: only this one was applied."
        )
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
        return
    found.decoding = replace(found.decoding, scale=np.array(gains), offset=np.array(offsets))
    told = f"Values were scaled by the {named[0]} gain and offset values of the header."
    found.notices += (Notice.info(Code.SCALE_APPLIED, told),)
    if len(named) > 1:
        left = f"The {named[1]} gain and offset values of the header were not applied as well."
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, left),)
    found.steps += (told,)
    for what in ("gain", "offset"):  # no longer true of the values
        for kept in (found.per_band, found.metadata):
            kept.pop(f"{named[0]} {what} values", None)


def left(items: dict[str, Any], bands: int) -> tuple[Notice, ...]:
    """Notices of factors that are not applied: of all bands, or one a band under a name that is not ENVI's."""
    named = [key for key in items if _OTHER_SCALES.fullmatch(key)]
    named = [k for k in named if not _ALSO_REFLECTANCE.fullmatch(k)]
    named = [k for k in named if _is_said(items[k])]
    notices: tuple[Notice, ...] = ()
    if named and envi_header.numbers(items, named[0]) != [1.0]:
        told = (
            f"The header names a {named[0]} ({items[named[0]]}), which may be to multiply or to "
            "divide by: it was not applied."
        )
        notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    own = {f"{key} {what} values" for key in _GAINS for what in ("gain", "offset")}
    for key, value in items.items():
        if key != _IGNORED and plain_name(key) in NO_DATA_NAMES and _is_said(value):
            told = (
                f"The header's {key} has no effect: ENVI's name for missing values is {_IGNORED}."
            )
            notices += (Notice.warning(Code.NO_DATA, told),)
            continue
        known = (*sorted(own), _IGNORED, _FACTOR)
        meant = nearly(key, map(plain_name, known)) or plain_name(nearly_words(key, known))
        if not meant and key not in known and plain_name(key) in map(plain_name, own):
            meant = plain_name(key)  # a blank of it is lost
        as_stored = is_factor(key) and meant != plain_name(_FACTOR)
        unlike = not (_ALSO_REFLECTANCE.fullmatch(key) or as_stored or key in named)
        if meant and unlike and _is_said(value):
            code = Code.NO_DATA if meant == plain_name(_IGNORED) else Code.GAIN_NOT_APPLIED
            told = f"The header's {key} may be a damaged name: it has no effect."
            notices += (Notice.warning(code, told),)
            continue
        if key in own or not isinstance(value, list) or not is_factor(_bare(key)):
            continue
        numbers = envi_header.numbers(items, key) or []
        if len(numbers) == bands and set(numbers) - {0.0, 1.0}:
            told = f"The header's {key} ({numbers[0]:g} …) were not applied: the numbers are as stored."
            notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    return notices


def _bare(name: str) -> str:
    return _AROUND_A_NAME.sub("", _AROUND_A_NAME.sub("", name.strip()))
