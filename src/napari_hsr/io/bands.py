"""Some bands of a cube, with all that belongs to them; without the bad ones, as the file says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Wavelengths
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_hsr.cube import Cube

#: Lists in metadata that are never one item a band, whatever their length: ENVI's, those of grids and
#: boxes, and the sample chart's patches.
_WHOLE = frozenset({
    "default bands", "map info", "pixel size", "projection info", "coordinate system string",
    "geo points", "default stretch", "rpc info", "class lookup", "class names", "spectra names",
    "read procedures", "z plot range", "z plot average", "z plot titles", "description", "history",
    "binning", "himg", "vimg", "hroi", "vroi", "patches", "roi", "sensor size",
    "geotransform", "transform", "affine", "bounding box", "bbox", "bounds", "extent", "origin",
    "spacing", "resolution", "shape", "chunks", "dims", "dimensions", "axes",
})  # fmt: skip


def lists_of_bands(metadata: Mapping[str, Any], bands: int) -> set[str]:
    """The names of lists that hold an item a band: they go with the bands, all others stay whole."""
    return {
        key
        for key, value in metadata.items()
        if isinstance(value, list) and len(value) == bands and _plain(key) not in _WHOLE
    }


def widths_of(cube: Cube) -> np.ndarray | None:
    """Full widths at half maximum of the bands in nm, (bands,), where all are stated; else None."""
    listed = cube.metadata.get("fwhm")
    if not isinstance(listed, list) or len(listed) != cube.bands:
        return None
    try:
        widths = np.asarray(listed, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    known = widths.ndim == 1 and bool((np.isfinite(widths) & (widths > 0)).all())
    return widths if known else None


def _plain(key: str) -> str:
    return re.sub(r"[\W_]+", " ", key).strip().lower()


def take(cube: Cube, bands: Sequence[int] | np.ndarray, step: str | None = None) -> Cube:
    """The cube with these bands alone; one on disk stays there."""
    bands, nm = [int(band) for band in bands], cube.wavelengths
    stays = isinstance(cube.data, np.memmap) or not isinstance(cube.data, np.ndarray)
    of_bands = lists_of_bands(cube.metadata, cube.bands)
    metadata = {
        key: [value[band] for band in bands] if key in of_bands else value
        for key, value in cube.metadata.items()
        if key != "default bands"  # their numbers are others now
    }
    return cube.replace(
        data=LazyArray(cube.data, bands=bands) if stays else cube.data[bands],
        wavelengths=None if nm is None else Wavelengths(nm.nm[bands], nm.assumed),
        metadata=metadata,
        provenance=cube.provenance.with_step(step) if step else cube.provenance,
    )


def without_bad_bands(cube: Cube) -> Cube:
    """The cube without the bands that its metadata mark as bad (``bbl``); itself if there are none."""
    good = np.flatnonzero(cube.good_bands)
    if len(good) == cube.bands:
        return cube
    told = bad_bands_left_out(cube.bands - len(good), cube.name)
    taken = take(cube, good, str(told))
    return taken.replace(notices=(*cube.notices, told))


def bad_bands_left_out(count: int, name: str) -> Notice:
    """The notice of so many bands of a cube."""
    are = "band is" if count == 1 else "bands are"
    return Notice.info(
        Code.BAD_BANDS_LEFT_OUT, f"{count} {are} marked as bad in {name} (bbl) and left out."
    )
