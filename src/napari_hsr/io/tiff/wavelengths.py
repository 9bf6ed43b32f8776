"""Wavelengths in a TIFF outside of GDAL's items: OME-XML, XMP, ImageJ's labels, pages, descriptions."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from napari_hsr.io import json_facts
from napari_hsr.io.tiff.images import tags_of_pages
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.io.wavelengths.in_texts import NUMBER

_DESCRIPTION, _PAGE_NAME, _XMP, _MICRO_MANAGER = 270, 285, 700, 51123
#: Of cameras of a few bands (MicaSense, Sequoia, DJI, Pix4D), as an element, its list, or an attribute.
_WIDTHS = re.compile(r"WavelengthFWHM\b[^\w<]{0,4}((?:[\d.,\s]|</?rdf:\w+>)+)(?=[<\"']|$)")
_CENTRES = re.compile(r"CentralWavelength\b[^\w<]{0,4}((?:[\d.,\s]|</?rdf:\w+>)+)(?=[<\"']|$)")
#: Elements of XML with one wavelength each, whatever the program.
_ELEMENTS = re.compile(
    r"<[\w:]{0,60}?wave_?length[^<>]{0,500}>\s{0,100}(\d+(?:\.\d+)?)\s{0,100}</", re.IGNORECASE
)
#: Of a description no more characters are searched.
_LONGEST = 200_000
_DIGITS = r"\d+(?:\.\d+)?"
#: No letter stands between, so that the number is whole: of ``O5`` it were its end alone.
_OF_A_PAGE = re.compile(
    rf"wave\s?length(?:[^\d\n]{{0,19}}?(?:[^\w\n]|_))?({NUMBER})", re.IGNORECASE
)
_LIST = re.compile(
    r"wave\s?lengths?\s{0,20}[\[(]?(nm|[uµμ]m|nanomet\w+|micromet\w+)?[\])]?\s{0,20}[=:]\s{0,20}[\[{(]?\s{0,20}"
    rf"({NUMBER}(?:[\s,;]+{NUMBER})+)",
    re.IGNORECASE,
)
_UNIT = re.compile(r"wave\s?lengths?[ _]units?\s{0,20}[=:]\s{0,20}([^\s,;]+)", re.IGNORECASE)

Stated = tuple[Any, str | None]


def find(file: Any, series: Any, bands: int) -> Stated:
    """The list and its unit; None and None where nothing is stated for so many bands."""
    listed, unit = _ome(file)
    if listed is not None:
        return listed, unit
    centres = re.findall(_DIGITS, "".join(_CENTRES.findall(_xmp(file))[:1]))
    if len(centres) == bands:
        return centres, "nm"
    texts = _texts_of_pages(file, series, bands)
    elements = _ELEMENTS.findall(str(file.pages.first.description)[:_LONGEST] + _xmp(file))
    stated = (*map(wl.from_band_names, texts), _numbers_of_pages(texts), _list(file))
    for listed, unit in (*stated, (elements, None)):
        if listed is not None and len(listed) == bands > 1:
            return listed, unit
    return None, None


def _ome(file: Any) -> Stated:
    """Emission wavelengths of the channels, nm unless it says otherwise, or their names."""
    try:
        root = ElementTree.fromstring(file.ome_metadata or "<OME/>")
    except ElementTree.ParseError:
        return None, None  # a broken side note does not make the image unreadable
    image = root.find("{*}Image")
    channels = [] if image is None else image.findall(".//{*}Channel")
    listed = [channel.get("EmissionWavelength") for channel in channels]
    if listed and None not in listed:
        return listed, channels[0].get("EmissionWavelengthUnit", "nm")
    names = [channel.get("Name") or "" for channel in channels]
    return wl.from_band_names(names) if len(names) > 1 else (None, None)


def _texts_of_pages(file: Any, series: Any, bands: int) -> list[list[str]]:
    """ImageJ's labels of the slices, names of the pages and their descriptions: one a band each."""
    labels = list((file.imagej_metadata or {}).get("Labels") or [])
    if bands and labels == labels[:bands] * (len(labels) // bands):  # over and over, for each time
        labels = labels[:bands]
    found = [[str(label).split("\n")[0] for label in labels]]
    codes = (_DESCRIPTION, _PAGE_NAME, _MICRO_MANAGER)
    stated = any(tag in series.pages[0].tags for tag in codes)
    tags = tags_of_pages(series, bands, codes) if stated else []
    found.append([str(t[_PAGE_NAME].value) if _PAGE_NAME in t else "" for t in tags])
    of_channels = [t[_MICRO_MANAGER].value if _MICRO_MANAGER in t else None for t in tags]
    found.append([str(m.get("Channel", "")) if isinstance(m, dict) else "" for m in of_channels])
    found.append([str(t[_DESCRIPTION].value if _DESCRIPTION in t else "")[:_LONGEST] for t in tags])
    return [texts for texts in found if len(texts) == bands]


def _xmp(file: Any) -> str:
    tag = file.pages.first.tags.get(_XMP)
    value = b"" if tag is None else tag.value
    text = bytes(value).decode("utf-8", "replace") if not isinstance(value, str) else value
    return text[:_LONGEST]


def camera_band(file: Any) -> tuple[float | None, float | None]:
    """Centre and width in nm that the XMP of a camera with a file a band states of its only band."""
    text = _xmp(file)
    found = []
    for stated in (_CENTRES, _WIDTHS):
        numbers = re.findall(_DIGITS, "".join(stated.findall(text)[:1]))
        found.append(float(numbers[0]) if len(numbers) == 1 else None)
    return found[0], found[1]


def _numbers_of_pages(texts: list[list[str]]) -> Stated:
    """``{"wavelength": 510}`` or ``<Wavelength>510</Wavelength>`` in the description of each page."""
    for of_pages in texts:
        found = [match for match in map(_OF_A_PAGE.search, of_pages) if match is not None]
        if found and len(found) == len(of_pages):
            return [match[1] for match in found], None
    return None, None


def _list(file: Any) -> Stated:
    """``wavelengths (nm): 450, 500`` in the description, in ImageJ's notes, or in a text in JSON."""
    notes = str((file.imagej_metadata or {}).get("Info", ""))
    for text in (str(file.pages.first.description)[:_LONGEST], notes[:_LONGEST]):
        listed, unit = json_facts.wavelengths(json_facts.parsed(text))
        if listed is not None:
            return listed, unit
        found = _LIST.search(text)
        if found is not None:
            unit = found[1] or next(iter(_UNIT.findall(text)), None)
            return re.findall(NUMBER, found[2]), unit
    return None, None


def described(page: Any) -> dict[str, Any]:
    """The JSON of a page's description; empty where it is none."""
    return json_facts.parsed(page.description)
