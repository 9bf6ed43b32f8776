"""Band centres, widths, gains and offsets in the XML file beside an EnMAP or DESIS image.

Both keep one entry a band: EnMAP ``bandCharacterisation/bandID`` with ``wavelengthCenterOfBand``,
``FWHMOfBand``, ``GainOfBand`` and ``OffsetOfBand``; DESIS ``band`` with ``bandNumber``,
``wavelengthCenterOfBand``, ``wavelengthWidthOfBand``, ``gainOfBand`` and ``offsetOfBand``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.decoding import NO_DATA
from napari_hsr.io.number_parsing import NOTHING, number
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io.found import Found

_CENTRE, _WIDTH = ("wavelengthcenterofband",), ("fwhmofband", "wavelengthwidthofband")
_GAIN, _OFFSET = ("gainofband",), ("offsetofband",)
#: Gains of one image are not further than this, as a factor, from the one in their middle.
_MOST_APART = 1000.0


@dataclass(frozen=True)
class Product:
    """What the file states, one value a band; gains and offsets are None where it has none.

    ``unclear`` says that it states gains or offsets that are not one number a band, ``widths_unclear`` the same of widths; ``not_read`` is what
    it states for missing values if that is no number.
    """

    file: str
    wavelengths: list[float]
    fwhm: list[float] | None
    gains: list[float] | None
    offsets: list[float] | None
    no_data: float | None
    unclear: bool = False
    widths_unclear: bool = False
    not_read: str = ""


def beside(path: Path, bands: int) -> Product | str | None:
    """The metadata of a ``…SPECTRAL_IMAGE….TIF``, or why they are of no use; None if there are none."""
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


def add(path: Path, bands: int, found: Found, of_integers: bool) -> None:
    """Add wavelengths, gains and offsets of the metadata beside an EnMAP or DESIS image.

    Where the image states wavelengths itself, gains count for integers alone: floats of a program that wrote these
    are values already.
    """
    product = beside(path, bands)
    own = found.wavelengths is not None
    if product is None or (own and not of_integers):
        return
    if isinstance(product, str):
        told = f"{product}: nothing of it was taken, and the numbers are as stored."
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
        return
    if not own:
        found.wavelengths, found.unit = product.wavelengths, "nm"
    if product.widths_unclear and not own:
        told = f"Widths of bands in {product.file} are not one number a band: left out."
        found.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
    if product.fwhm is not None and not own:
        found.per_band["fwhm"] = product.fwhm
    if product.no_data is not None and not found.decoding.markers:
        found.decoding = replace(found.decoding, no_data=(product.no_data,))
        found.metadata[NO_DATA] = product.no_data
    if product.not_read:
        told = f"The backgroundValue in {product.file}, {product.not_read[:40]!r}, is no number: no effect."
        found.notices += (Notice.warning(Code.NO_DATA, told),)
    stated = found.decoding.scales_nothing and product.gains is not None
    if stated:
        offsets = product.offsets or [0.0] * len(product.wavelengths)
        found.decoding = replace(
            found.decoding, scale=np.array(product.gains), offset=np.array(offsets)
        )
    if product.unclear and found.decoding.scales_nothing:
        told = f"Gains and offsets in {product.file} are not one usable number a band: the numbers are as stored."
        found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    if own and not stated:
        return
    told = f"Wavelengths{', gains and offsets' if stated else ''} are those of {product.file}."
    told = told if not own else f"Gains and offsets are those of {product.file}."
    found.notices += (Notice.info(Code.SCALE_APPLIED if stated else Code.OTHER, told),)
    found.steps += (told,)


def _read(file: Path, bands: int, rest: str) -> Product | str:
    """What a file states, or why that is of no use: a broken side note does not make the image unreadable.

    ``rest``: of the image's name, where EnMAP's level 1B names a detector.
    """
    try:
        root = ElementTree.fromstring(limits.content(file))
    except (ElementTree.ParseError, OSError, FileError):
        return f"{file.name} beside the image cannot be read"
    entries = []
    for element in root.iter():
        values = {re.sub(r"\{.*\}", "", e.tag).lower(): (e.text or "").strip() for e in element}
        if _CENTRE[0] in values:
            entries.append(values)
    if len(entries) > bands and rest.startswith(("_VNIR", "_SWIR")):
        entries = entries[:bands] if rest.startswith("_VNIR") else entries[-bands:]
    centres = _numbers(entries, _CENTRE)
    if len(entries) != bands:
        return f"{file.name} beside the image states {len(entries)} bands for {bands}"
    if centres is None or min(centres) <= 0:
        return f"{file.name} beside the image does not state a wavelength for each band"
    gains, offsets = (_numbers(entries, names) for names in (_GAIN, _OFFSET))
    lost = [
        names
        for names, numbers in ((_GAIN, gains), (_OFFSET, offsets))
        if numbers is None and any(name in e for e in entries for name in names)
    ]
    usual = float(np.median(gains)) if gains else 1.0
    apart = any(not usual / _MOST_APART <= gain <= usual * _MOST_APART for gain in gains or ())
    if (
        apart or min(gains or [0.0 if offsets else 1.0]) <= 0
    ):  # none of these products has such ones
        lost.append(_GAIN)
    markers = (e.text for e in root.iter() if e.tag.lower().endswith("backgroundvalue"))
    marker = (next(markers, None) or "").strip()
    no_data = number(marker)
    widths = _numbers(entries, _WIDTH)
    return Product(
        file.name,
        centres,
        widths,
        None if lost else gains,
        None if lost else offsets,
        no_data,
        bool(lost),
        widths is None and any(name in entry for entry in entries for name in _WIDTH),
        marker if no_data is None and marker.lower() not in NOTHING else "",
    )


def _numbers(entries: list[dict[str, str]], names: tuple[str, ...]) -> list[float] | None:
    texts = [next((e[name] for name in names if name in e), None) for e in entries]
    numbers = [number(text or "") for text in texts]
    known = [n for n in numbers if n is not None]
    return known if known and len(known) == len(numbers) else None
