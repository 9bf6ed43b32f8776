"""What GDAL states in a TIFF: wavelengths, widths, scale, offset and no data of each band.

The tags are those of GDAL's GTiff driver; the IMAGERY domain is where GDAL 3.10 and later keep
wavelengths, in micrometres (RFC "Band imagery metadata").
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.decoding import (
    APPLIED,
    NO_DATA_NAMES,
    Decoding,
    plain_name,
    with_markers,
)
from napari_hsr.io.number_parsing import number
from napari_hsr.io.number_parsing import whole as whole_number
from napari_hsr.io.tiff import gdal_items
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_hsr.cube import Cube

NO_DATA_TAG = 42113
#: Names under which a band states its wavelength, with the unit where the name has one.
_WAVELENGTHS = (
    ("central_wavelength_um", "um"),
    ("wavelength_nm", "nm"),
    ("wavelength_um", "um"),
    ("wavelength", None),
    ("wavelengths", None),
    ("center_wavelength", None),
    ("centre_wavelength", None),
)
#: Items that may name a band by its wavelength.
_NAMES = ("description", "bandname", "band_name")
#: Items of the whole image that programs write without saying which way they go.
_UNSURE = re.compile(
    r"((reflectance|radiance|data|band)_)?(scale|scale_?factor|gain|scaling_?factor|add_offset)"
)
_UNITS = ("wavelength_units", "wavelength_unit", "wavelength units", "wavelength unit")


@dataclass
class BandFacts:
    """What the tags state, one value a band where it is of each.

    ``around`` is what they state of the numbers of the whole image, factors and no data.
    """

    wavelengths: list[Any] | None = None
    unit: str | None = None
    per_band: dict[str, list[Any]] = field(default_factory=dict)
    decoding: Decoding = field(default_factory=Decoding)
    around: dict[str, str] = field(default_factory=dict)
    units: str | None = None
    notices: tuple[Notice, ...] = ()
    #: What is told of damage, whoever wrote the file.
    damage: tuple[Notice, ...] = ()


def read(
    page: Any,
    bands: int,
    path: Path | None = None,
    without: int | None = None,
    pages: Sequence[Any] = (),
) -> BandFacts:
    """The facts of the first page of a TIFF (tifffile's) for so many bands, and of GDAL's file beside it.

    ``without`` is a band of the file that is none of them; ``pages`` are the tags of each, where the bands have one each.
    """
    stated, whole = gdal_items.by_band(page.tags)
    _add_pages(pages, stated)
    of_file = (
        () if path is None else _add_beside(path, stated, whole, bands + (without is not None))
    )
    if without is not None:
        for name, texts in stated.items():
            stated[name] = {i - (i > without): t for i, t in texts.items() if i != without}
    facts = _facts(stated, whole, bands)
    facts.notices += of_file
    described = max((band for texts in stated.values() for band in texts), default=-1) + 1
    if described > bands:
        told = f"GDAL's items in the file describe {described} bands, of which the image has {bands}: it may be damaged."
        facts.damage += (Notice.warning(Code.MAYBE_DAMAGED, told),)
    if any(gdal_items.listed(tags) is None for tags in pages or [page.tags]):
        told = "GDAL's items in the file cannot be read: wavelengths, units and scales in them do not count."
        facts.damage += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
    _mark(facts, stated, bands)  # beside it, which is the later one
    said = [_no_data_text(tags) for tags in pages or [page.tags]]
    said = [said[0] if text is None else text for text in said]  # that of the first is of all
    if not facts.decoding.markers:
        markers = [None if text is None else number(text) for text in said]
        facts.decoding = with_markers(facts.decoding, markers * (bands if len(said) == 1 else 1))
        facts.damage += _unread([text for text in said if text and number(text) is None])
    return facts


def _no_data_text(tags: Any) -> str | None:
    tag = tags.get(NO_DATA_TAG)
    return None if tag is None else str(tag.value).strip("\0 \t\r\n")


def _add_pages(pages: Sequence[Any], stated: dict[str, dict[int, str]]) -> None:
    """What each page says of its only sample, as that of its band.

    Where the first page speaks of several samples, it speaks of all bands, and so do copies of it.
    """
    if any(band > 0 for texts in stated.values() for band in texts):
        return
    for band, tags in enumerate(pages):
        for name, texts in gdal_items.by_band(tags)[0].items():
            if 0 in texts:
                stated.setdefault(name, {})[band] = texts[0]


def beside(path: Path, bands: int) -> BandFacts:
    """What ``scene.img.aux.xml`` beside ``scene.img`` states."""
    stated: dict[str, dict[int, str]] = {}
    whole: dict[str, str] = {}
    told = _add_beside(path, stated, whole, bands)
    facts = _facts(stated, whole, bands)
    facts.notices += told
    _mark(facts, stated, bands)
    return facts


def _mark(facts: BandFacts, stated: dict[str, dict[int, str]], bands: int) -> None:
    """Add the missing values that a file beside it states, of each band its own."""
    texts = stated.get("nodatavalue", {})
    markers = {band: number(text) for band, text in texts.items()}
    facts.decoding = with_markers(facts.decoding, [markers.get(band) for band in range(bands)])
    unread = [texts[band] for band, marker in markers.items() if marker is None]
    facts.damage += _unread(unread)


def _unread(texts: list[str]) -> tuple[Notice, ...]:
    """A notice of what stands in the place of the number for missing values and is none."""
    if not texts:
        return ()
    told = f"The file's number for missing values, {texts[0][:40]!r}, is none: no effect."
    return (Notice.warning(Code.NO_DATA, told),)


def _facts(stated: dict[str, dict[int, str]], whole: dict[str, str], bands: int) -> BandFacts:
    facts = BandFacts()
    for name, unit in _WAVELENGTHS:
        listed = _listed(stated, name, bands)
        if listed is not None:
            facts.wavelengths, facts.unit = listed, unit
            break
    said = [stated.get(name) or {0: whole[name]} for name in _UNITS if name in {*stated, *whole}]
    if facts.wavelengths is not None and facts.unit is None and said:
        of_all = dict.fromkeys(said[0].values())
        facts.unit = next(iter(of_all)) if len(of_all) == 1 else None
    numbered = {
        "": {
            i: next((whole[k] for k in (f"band_{i + 1}", f"wavelength_{i + 1}") if k in whole), "")
            for i in range(bands)
        }
    }
    for names in (*(_listed(stated, name, bands) for name in _NAMES), _listed(numbered, "", bands)):
        if facts.wavelengths is None and names:
            facts.wavelengths, facts.unit = wl.from_band_names(names)
    for name, unit in _WAVELENGTHS:
        if facts.wavelengths is None and name in whole:
            found = wl.from_texts([whole[name]])
            if found is not None and len(found[0]) == bands:
                said_of_all = next((whole[n] for n in _UNITS if n in whole), None)
                facts.wavelengths, facts.unit = found[0].tolist(), unit or found[1] or said_of_all
    if facts.wavelengths is None:
        every = [
            [stated[name].get(i, "") for i in range(bands)] for name in _NAMES if name in stated
        ]
        facts.notices += next((told for told in map(wl.named_in_part, every) if told), ())
    _add_lists(facts, stated, whole, bands)
    _add_units(facts, stated, bands)
    _add_scale(facts, stated, bands)
    _add_whole(facts, whole)
    return facts


def _add_scale(facts: BandFacts, stated: dict[str, dict[int, str]], bands: int) -> None:
    """Scale and offset of the bands; those that state none have GDAL's own, 1 and 0, which is told if others do."""
    found, partly = [], False
    for name, default in (("scale", 1.0), ("offset", 0.0)):
        texts = {band: text for band, text in stated.get(name, {}).items() if band < bands}
        numbers = {band: number(text) for band, text in texts.items()}
        wrong = [band for band, n in sorted(numbers.items()) if n is None or not math.isfinite(n)]
        if wrong:
            told = (
                f"GDAL's {name.upper()} of band {wrong[0] + 1}, {one_line(texts[wrong[0]], 40)!r}, is no number: the "
                "numbers of all bands are as stored."
            )
            facts.damage += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
            return
        found.append(
            _one(
                [numbers.get(band) or 0.0 if band in numbers else default for band in range(bands)]
            )
        )
        partly = partly or 0 < len(texts) < bands
    facts.decoding = Decoding(scale=found[0], offset=found[1])
    if partly and not facts.decoding.scales_nothing:
        told = "GDAL's SCALE or OFFSET is stated of some bands alone: the others are as stored."
        facts.damage += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)


def _add_lists(
    facts: BandFacts, stated: dict[str, dict[int, str]], whole: dict[str, str], bands: int
) -> None:
    """Widths and bands of use, of each band or listed for the whole image."""
    for name, key in (("fwhm", "fwhm"), ("fwhm_um", "fwhm"), ("bbl", "bbl")):
        widths = _numbers(_listed(stated, name, bands))
        if widths is None and name in stated:
            told = f"GDAL's {name} are not one number a band: left out."
            facts.notices += (Notice.warning(Code.LIST_UNUSABLE, told),)
        if widths is not None:
            in_nm = 1e3 if name == "fwhm_um" and facts.unit == "nm" else 1.0
            facts.per_band[key] = [int(w) if key == "bbl" else w * in_nm for w in widths]
    for key in ("fwhm", "bbl"):
        listed_whole = wl.from_texts([whole.get(key, "")])
        if key not in facts.per_band and listed_whole is not None and len(listed_whole[0]) == bands:
            facts.per_band[key] = listed_whole[0].astype(int if key == "bbl" else float).tolist()


def _add_units(facts: BandFacts, stated: dict[str, dict[int, str]], bands: int) -> None:
    """The unit of the values; told where bands have several."""
    of_bands = [stated.get("unittype", {}).get(band, "") for band in range(bands)]
    different = list(dict.fromkeys(unit for unit in of_bands if unit))
    if len(different) == 1 and all(of_bands):
        facts.units = different[0]
    elif different:
        listed = ", ".join(one_line(unit, 40) for unit in different[:5])
        told = (
            f"The file states units of some bands alone, or several ({listed}): the cube has none."
        )
        facts.notices += (Notice.warning(Code.OTHER, told),)


def _add_whole(facts: BandFacts, whole: dict[str, str]) -> None:
    """Factors and no data of the whole image; told where they may go either way."""
    for name, text in whole.items():
        if plain_name(name) in (*APPLIED, *NO_DATA_NAMES):
            facts.around[name] = text
        elif _UNSURE.fullmatch(name) and number(text) not in (None, 0, 1):
            told = (
                f"The file names a {name} ({text[:40]}) for all bands: the numbers are as stored."
            )
            facts.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)


def _add_beside(
    path: Path, stated: dict[str, dict[int, str]], whole: dict[str, str], bands: int
) -> tuple[Notice, ...]:
    """Add what GDAL keeps in ``NAME.aux.xml``, later than what the file itself states; what is told of it."""
    file = path.with_name(f"{path.name}.aux.xml")
    if not os.path.isfile(file):  # False for a name that is too long
        return ()
    try:
        root = ElementTree.fromstring(limits.content(file))
    except (ElementTree.ParseError, OSError, FileError):
        # a broken side note does not make the image unreadable
        told = (
            f"{file.name} beside it cannot be read: missing values and scales in it do not count."
        )
        return (Notice.warning(Code.OTHER, told),)
    whole |= {
        (i.get("key") or "").lower(): (i.text or "").strip() for i in root.findall("Metadata/MDI")
    }
    spoken_of = 0
    for band in root.findall("PAMRasterBand"):
        at = (whole_number(band.get("band", "")) or 0) - 1
        if at < 0:
            continue
        items = [(e.tag, e.text) for e in band if not len(e)]
        items += [(i.get("key") or "", i.text) for i in band.findall("Metadata/MDI")]
        for name, text in items:
            stated.setdefault(name.lower(), {})[at] = (text or "").strip()
        spoken_of = max(spoken_of, at + 1)
    if spoken_of <= bands:
        return ()
    told = (
        f"{file.name} beside it speaks of {spoken_of} bands, but there are {bands}: it may be that of "
        "another image."
    )
    return (Notice.warning(Code.OTHER, told),)


def to_text(cube: Cube, factor: float, whole: Mapping[str, str]) -> str:
    """GDAL's XML for a cube: wavelengths and widths in the IMAGERY domain, scale, other items.

    Empty where there is nothing to say.
    """
    root = ElementTree.Element("GDALMetadata")
    for name, text in whole.items():
        ElementTree.SubElement(root, "Item", name=name).text = text

    def of_bands(name: str, values: Any, **more: str) -> None:
        for sample, value in enumerate(values):
            item = ElementTree.SubElement(
                root, "Item", {"name": name, "sample": str(sample), **more}
            )
            item.text = f"{value:.12g}"

    if cube.wavelengths is not None and not cube.wavelengths.assumed:
        of_bands("CENTRAL_WAVELENGTH_UM", cube.wavelengths.nm / 1000, domain="IMAGERY")
        widths = cube.metadata.get("fwhm")
        if isinstance(widths, list) and len(widths) == cube.bands:
            of_bands("FWHM_UM", np.asarray(widths) / 1000, domain="IMAGERY")
    if cube.units:
        for sample in range(cube.bands):
            item = {"name": "UNITTYPE", "sample": str(sample), "role": "unittype"}
            ElementTree.SubElement(root, "Item", item).text = one_line(cube.units)
    if factor != 1.0:
        of_bands("SCALE", [1 / factor] * cube.bands, role="scale")
        of_bands("OFFSET", [0.0] * cube.bands, role="offset")
    # what is not ASCII as references: TIFF has no other letters
    return ElementTree.tostring(root, encoding="us-ascii").decode("ascii") if len(root) else ""


def colours(page: Any) -> dict[int, str]:
    """How GDAL says that bands are to be interpreted, in lower case."""
    stated = gdal_items.by_band(page.tags)[0].get("colorinterp", {})
    return {band: name.lower() for band, name in stated.items() if band < page.samplesperpixel}


def band_name(page: Any, band: int) -> str | None:
    """What the tags call one band: its description, or how it is to be interpreted."""
    stated, _ = gdal_items.by_band(page.tags)
    for name in ("description", "colorinterp", "band_name", "bandname"):
        if stated.get(name, {}).get(band):
            return stated[name][band]
    return None


def _listed(stated: dict[str, dict[int, str]], name: str, bands: int) -> list[str] | None:
    """The texts of all bands in their order; None if one is missing."""
    found = stated.get(name, {})
    return [found[band] for band in range(bands)] if set(found) >= set(range(bands)) else None


def _numbers(texts: list[str] | None) -> list[float] | None:
    numbers = [number(text) for text in texts or ()]
    finite = [n for n in numbers if n is not None and math.isfinite(n)]
    return finite if finite and len(finite) == len(numbers) else None


def _one(numbers: list[float]) -> Any:
    """One number where all bands share it."""
    return numbers[0] if len(set(numbers)) == 1 else np.array(numbers)
