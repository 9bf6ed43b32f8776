"""Band centres, widths, gains and offsets in the XML file beside an EnMAP or DESIS image.

Both keep one entry a band: EnMAP ``bandCharacterisation/bandID`` with ``wavelengthCenterOfBand``,
``FWHMOfBand``, ``GainOfBand`` and ``OffsetOfBand``; DESIS ``band`` with ``bandNumber``,
``wavelengthCenterOfBand``, ``wavelengthWidthOfBand``, ``gainOfBand`` and ``offsetOfBand``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_hsr.errors import FileError
from napari_hsr.io import limits

if TYPE_CHECKING:
    from pathlib import Path

_CENTRE, _WIDTH = ("wavelengthcenterofband",), ("fwhmofband", "wavelengthwidthofband")
_GAIN, _OFFSET = ("gainofband",), ("offsetofband",)


@dataclass(frozen=True)
class Product:
    """What the file states, one value a band; gains and offsets are None where it has none."""

    file: str
    wavelengths: list[float]
    fwhm: list[float] | None
    gains: list[float] | None
    offsets: list[float] | None
    no_data: float | None


def beside(path: Path, bands: int) -> Product | None:
    """The metadata of a ``…SPECTRAL_IMAGE….TIF``, if they are of as many bands."""
    start, found, _ = path.name.upper().partition("SPECTRAL_IMAGE")
    for file in names(path):
        if os.path.isfile(file):
            return _read(file, bands, path.name[len(start) + len(found) :].upper())
    return None


def names(path: Path) -> list[Path]:
    """The files that :func:`beside` may look into, whether they are there or not."""
    start, found, _ = path.name.upper().partition("SPECTRAL_IMAGE")
    name = path.name[: len(start)] + "METADATA"
    return [path.with_name(name + suffix) for suffix in (".XML", ".xml")] if found else []


def _read(file: Path, bands: int, rest: str) -> Product | None:
    """What a file states; ``rest``: of the image's name, where EnMAP's level 1B names a detector."""
    try:
        root = ElementTree.fromstring(limits.content(file))
    except (ElementTree.ParseError, OSError, FileError):
        return None  # a broken side note does not make the image unreadable
    entries = []
    for element in root.iter():
        values = {re.sub(r"\{.*\}", "", e.tag).lower(): (e.text or "").strip() for e in element}
        if _CENTRE[0] in values:
            entries.append(values)
    if len(entries) > bands and rest.startswith(("_VNIR", "_SWIR")):
        entries = entries[:bands] if rest.startswith("_VNIR") else entries[-bands:]
    centres = _numbers(entries, _CENTRE)
    if centres is None or len(centres) != bands:
        return None
    marker = next((e.text for e in root.iter() if e.tag.lower().endswith("backgroundvalue")), None)
    return Product(
        file.name,
        centres,
        _numbers(entries, _WIDTH),
        _numbers(entries, _GAIN),
        _numbers(entries, _OFFSET),
        _number(marker),
    )


def _numbers(entries: list[dict[str, str]], names: tuple[str, ...]) -> list[float] | None:
    texts = [next((e[name] for name in names if name in e), None) for e in entries]
    numbers = [_number(text) for text in texts]
    known = [n for n in numbers if n is not None]
    return known if known and len(known) == len(numbers) else None


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
