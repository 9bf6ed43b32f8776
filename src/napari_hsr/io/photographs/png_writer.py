"""Writing photographs as PNG, 8 or 16 bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import embedded_record
from napari_hsr.io.atomic import replacing
from napari_hsr.io.photographs import png_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.photograph import Photograph


def write_png(photograph: Photograph, path: Path) -> None:
    """Write the pixels at their depth; the encoding and provenance go into a text chunk.

    Raises
    ------
    FileError
        If the photograph holds floats, or the file cannot be written.
    """
    import imagecodecs

    if photograph.data.dtype.kind == "f":
        raise FileError(
            path, "a photograph of floats does not fit a PNG; write .tif, or convert it to 16 bit"
        )
    content = bytes(imagecodecs.png_encode(np.ascontiguousarray(photograph.data), level=4))
    content = png_chunks.with_text(
        content, embedded_record.KEY, embedded_record.to_text(photograph)
    )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
