"""Writing TIFF: cubes as one page a band, photographs as RGB; facts as JSON in the description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import embedded_record, gdal_metadata
from napari_hsr.io.atomic import replacing
from napari_hsr.io.build_cube import NO_DATA
from napari_hsr.io.decoding import with_marker

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph

#: Above this the offsets of classic TIFF (4 GiB) could run out.
_CLASSIC_LIMIT = 2**32 - 2**26


def write_cube(cube: Cube, path: Path) -> None:
    """Write float32 pages, not compressed, so that they can be memory-mapped.

    A cube on disk is copied band by band. Where its pixels have a place of their own, the
    resolution tags say how many of them make one of the source, without a unit; the position
    tags hold no numbers below 0, so that place stands in the description alone.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    import tifffile

    facts: dict[str, Any] = {"axes": "CYX", embedded_record.KEY: embedded_record.of_cube(cube)}
    if cube.wavelengths is not None:
        facts["wavelengths_nm"] = list(cube.wavelengths)
    sizes: dict[str, Any] = {}
    if cube.place is not None:
        height, width = cube.place.pixel
        sizes = {"resolution": (1 / width, 1 / height), "resolutionunit": "NONE"}
    marker = cube.metadata.get(NO_DATA)
    if isinstance(marker, (int, float)):
        sizes["extratags"] = [(gdal_metadata.NO_DATA_TAG, "s", 0, f"{marker:.9g}", True)]
    planes = (
        with_marker(np.ascontiguousarray(cube.data[b], dtype=np.float32), marker)
        for b in range(cube.bands)
    )
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            planes,
            shape=cube.shape,
            dtype=np.float32,
            photometric="minisblack",
            metadata=facts,
            bigtiff=4 * int(np.prod(cube.shape, dtype=np.int64)) > _CLASSIC_LIMIT,
            **sizes,
        )


def write_photograph(photograph: Photograph, path: Path) -> None:
    """Write 8-bit, 16-bit or float RGB, not compressed, with the encoding beside it.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    import tifffile

    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            np.ascontiguousarray(photograph.data),
            photometric="rgb",
            metadata={embedded_record.KEY: embedded_record.of_photograph(photograph)},
        )
