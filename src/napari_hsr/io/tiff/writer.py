"""Writing TIFF: cubes as one page a band, photographs as RGB; facts as JSON in the description."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import embedded_record, limits, whole_arrays
from napari_hsr.io.atomic import replacing
from napari_hsr.io.stored_numbers import Storing, plan, write_planes
from napari_hsr.io.tiff import gdal_items, gdal_metadata, geotiff, stale_note

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph

#: Above this the offsets of classic TIFF (4 GiB) could run out.
_CLASSIC_LIMIT = 2**32 - 2**26


def write_cube(cube: Cube, path: Path, storing: Storing | None = None) -> None:
    """Write a page a band, not compressed, so that they can be memory-mapped.

    A cube that lies on the ground (``map info``, GeoTIFF) becomes one page with a plane a band, as
    GIS expect it, with the tags of its place. A cube on disk is read once, in the order of its file. Where its pixels have a place of their own, the
    resolution tags say how many of them make one of the source, without a unit; the position
    tags hold no numbers below 0, so that place stands in the description alone.

    Raises
    ------
    FileError
        If the file cannot be written, or a note of GDAL's beside it would be applied to it.
    """
    import tifffile

    stale_note.check(path)
    facts: dict[str, Any] = {"axes": "CYX", embedded_record.KEY: embedded_record.of_cube(cube)}
    if cube.wavelengths is not None:
        facts["wavelengths_nm"] = list(cube.wavelengths)
    sizes: dict[str, Any] = {}
    if cube.place is not None:
        height, width = cube.place.pixel
        sizes = {"resolution": (1 / width, 1 / height), "resolutionunit": "NONE"}
    storing = storing or plan(cube)
    on_the_ground = geotiff.stated(cube.metadata)
    tags = geotiff.extra_tags(on_the_ground)
    if storing.no_data is not None:
        tags.append((gdal_metadata.NO_DATA_TAG, "s", 0, f"{storing.no_data:.9g}", True))
    described = gdal_metadata.to_text(cube, storing.factor, on_the_ground.get("gdal", {}))
    if described:
        tags.append((gdal_items.TAG, "s", 0, described, True))
    if "keys" in on_the_ground:
        facts.pop("axes")
        if cube.bands > 1:
            sizes["planarconfig"] = "separate"
    pages_needed = 1 if sizes.get("planarconfig") else cube.bands
    limits.check_count(path, pages_needed, "bands, each of which is a page", limits.MOST_ENTRIES)
    limits.check_kept(len(json.dumps(facts)), f"The metadata of {cube.name}")
    with replacing(path) as temporary:
        pages = tifffile.memmap(
            temporary,
            shape=cube.shape,
            dtype=storing.dtype,
            photometric="minisblack",
            metadata=facts,
            bigtiff=4 * int(np.prod(cube.shape, dtype=np.int64)) > _CLASSIC_LIMIT,
            extratags=tags,
            **sizes,
        )
        start = int(pages.offset)
        del pages
        with temporary.open("rb+") as file:
            write_planes(file, cube, storing, start)


def write_photograph(photograph: Photograph, path: Path) -> None:
    """Write 8-bit, 16-bit or float RGB, not compressed, with the encoding beside it.

    Raises
    ------
    FileError
        If the file cannot be written, or a note of GDAL's beside it would be applied to it.
    """
    import tifffile

    stale_note.check(path)
    with replacing(path) as temporary:
        place = tifffile.imwrite(
            temporary,
            np.ascontiguousarray(photograph.data),
            photometric="rgb",
            metadata={embedded_record.KEY: embedded_record.of_photograph(photograph)},
            extratags=geotiff.extra_tags(geotiff.stated(photograph.metadata)),
            returnoffset=True,
        )
        whole_arrays.check_end(temporary, place)
