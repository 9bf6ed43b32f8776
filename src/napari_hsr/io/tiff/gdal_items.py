"""GDAL's items in a tag of a TIFF: texts by their names, of a band or of the whole image."""

from __future__ import annotations

import functools
from typing import Any
from xml.etree import ElementTree

from napari_hsr.io.number_parsing import whole as whole_number

TAG = 42112


def by_band(tags: Any) -> tuple[dict[str, dict[int, str]], dict[str, str]]:
    """Texts by name and band, and those of the whole image, all names in lower case."""
    of_bands: dict[str, dict[int, str]] = {}
    whole: dict[str, str] = {}
    samples: dict[str | None, int | None] = {None: None}
    for name, sample, text in listed(tags) or ():
        if sample not in samples:
            samples[sample] = whole_number(sample or "")
        band = samples[sample]
        if band is not None and band >= 0:
            of_bands.setdefault(name.lower(), {})[band] = text
        else:
            whole[name.lower()] = text
    return of_bands, whole


def of_whole_image(tags: Any) -> dict[str, str]:
    """Texts that the tags state of no band, by their names as they stand there."""
    return {name: text for name, sample, text in listed(tags) or () if name and sample is None}


def listed(tags: Any) -> tuple[tuple[str, str | None, str], ...] | None:
    """Name, sample and text of each of GDAL's items; None where their XML is broken."""
    tag = tags.get(TAG)
    text = "" if tag is None else str(tag.value).strip("\0 \t\r\n")
    return _parsed(text) if text else ()


@functools.lru_cache(maxsize=1)
def _parsed(text: str) -> tuple[tuple[str, str | None, str], ...] | None:
    """As above; the same tag is asked for several times, and may hold hundreds of thousands of them."""
    try:
        items = ElementTree.fromstring(text).iter("Item")
    except ElementTree.ParseError:
        return None  # a broken side note does not make the image unreadable
    return tuple((i.get("name") or "", i.get("sample"), (i.text or "").strip()) for i in items)
