"""ENVI spectral libraries: a header and a ``.sli`` with one spectrum a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import detect
from napari_hsr.io.envi import header as envi_header
from napari_hsr.io.envi.scales import contradicted, unit_beside
from napari_hsr.io.libraries.assemble import REFLECTANCE, Choice, Found, assemble
from napari_hsr.io.number_parsing import number
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary

_KEPT = ("description", "bbl", "sensor type")


def read(path: Path, choice: Choice) -> SpectralLibrary:
    """Read a library named by its header or its binary.

    Raises
    ------
    FileError
        If it is an image, a part is missing, or header and binary do not fit each other.
    """
    if detect.is_envi_header(detect.head_of(path)):
        header, binary = path, None
    else:
        beside = detect.header_beside(path)
        assert beside is not None  # as the caller has seen
        header, binary = beside, path
    items = envi_header.parse(header)
    if "spectral library" not in str(items.get("file type", "")).lower():
        raise FileError(header, "this is an ENVI image, not a spectral library")
    layout = envi_header.layout(header, {**items, "file type": "ENVI Standard"})
    binary = binary or envi_header.find_binary(header, layout.size)
    if binary is None:
        raise FileError(header, f"the library has no binary beside it; looked for {path.stem}.sli")
    if layout.bands != 1:
        raise FileError(header, f"a library has one band, this header says {layout.bands}")
    actual = binary.stat().st_size
    if actual != layout.size:
        raise FileError(
            header,
            f"the header describes {layout.lines} spectra of {layout.samples} values "
            f"({layout.size} bytes), but {binary.name} has {actual}",
        )
    count = layout.lines * layout.samples
    values = np.fromfile(binary, layout.dtype, count, offset=layout.offset)
    factor, said_by, units, contradictions = _scale(items)
    widths = envi_header.numbers(items, "fwhm")
    markers = envi_header.numbers(items, "data ignore value")
    gains = [key for key in items if re.fullmatch(r"data (reflectance )?(gain|offset) values", key)]
    told = f"The header's {' and '.join(gains)} were not applied: values are as stored."
    notices = [Notice.warning(Code.GAIN_NOT_APPLIED, told)] if gains else []
    doubts = envi_header.stated_twice(header) + envi_header.no_items(header)
    doubts += envi_header.misnamed(items, layout.samples)
    listed, unit = envi_header.wavelengths(items)
    found = Found(
        _names(header, items, layout.lines),
        listed,
        unit,
        values.reshape(layout.lines, layout.samples).astype(np.float64),
        units,
        factor,
        said_by,
        markers[0] if markers and len(markers) == 1 else None,
        {"fwhm": widths} if widths is not None and len(widths) == layout.samples else {},
        {key: items[key] for key in _KEPT if key in items},
        [*layout.notices, *contradictions, *notices, *doubts],
    )
    return assemble(header.with_suffix(".sli"), found, choice)


def _names(header: Path, items: dict[str, Any], count: int) -> list[str]:
    names = items.get("spectra names")
    if names is None:
        return [f"spectrum {i + 1}" for i in range(count)]
    names = names if isinstance(names, list) else [names]
    if len(names) != count:
        raise FileError(
            header, f"the header lists {len(names)} names of spectra for {count} spectra"
        )
    return [str(name).strip().strip("\"'") for name in names]


def _scale(
    items: dict[str, Any],
) -> tuple[float | None, str, str | None, tuple[Notice, ...]]:
    """The factor, where it is said, what the values are, and what contradicts that."""
    titles = items.get("z plot titles")
    title = str(titles[-1] if isinstance(titles, list) and titles else titles or "").lower()
    units = items.get("data units") or (REFLECTANCE if "reflectance" in title else None)
    divisor = envi_header.numbers(items, "reflectance scale factor")
    if divisor is not None and len(divisor) == 1 and divisor[0] > 0:
        factor = divisor[0] if divisor[0] < 1 else 1 / divisor[0]  # below 1 it is to multiply by
        said_by = "the reflectance scale factor of the header"
        told = contradicted(divisor[0], units)
        return factor, said_by, unit_beside(divisor[0], units), told
    stated = re.search(r"[*x×]\s*([\d.]+(?:e[+-]?\d+)?)(?![\w.])", title)
    times = number(stated[1]) if stated else None
    if times is not None and 0 < times < np.inf:
        return 1.0 / times, "the title of the values in the header", units, ()
    if "%" in title or "percent" in title:
        return 0.01, "the title of the values in the header", units, ()
    return None, "the header", units, ()
