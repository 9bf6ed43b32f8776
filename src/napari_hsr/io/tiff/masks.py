"""Masks of a TIFF: a page of the file, or the one that GDAL keeps beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import detect
from napari_hsr.io.masked import Masked
from napari_hsr.io.tiff import decoding as tiff_decoding
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io import build_cube


def is_mask(page: Any) -> bool:
    """Whether a page says which pixels of another one count (NewSubfileType 4)."""
    return bool(int(getattr(page, "subfiletype", 0) or 0) & 4)  # frames of a series have none


def apply(path: Path, found: build_cube.Found, file: Any) -> None:
    """Pixels that a mask in the file, or GDAL's beside it, hides become NaN."""
    shape = tuple(found.source.shape)
    if found.record is not None or len(shape) not in (2, 3):
        return
    one_band = len(shape) == 2
    sides = shape if one_band else tuple(n for i, n in enumerate(shape) if i != found.convention)
    inside = [page.asarray() for page in file.pages if is_mask(page) and page.shape == sides][:1]
    mask, beside = inside[0] if inside else None, path.with_name(f"{path.name}.msk")
    if mask is None and os.path.isfile(beside):
        mask = _mask_beside(beside, sides)
    hidden = np.zeros(()) if mask is None else np.asarray(mask) == 0
    if not hidden.any():
        return
    source = found.source[np.newaxis] if one_band else found.source
    masked = Masked(source, hidden, 0 if one_band else found.convention)
    values = masked[()] if one_band or type(source) is np.ndarray else masked
    found.source = values[0] if one_band else values
    which = "the file" if inside else beside.name
    told = f"{int(hidden.sum())} pixels that {which} masks are NaN in the cube."
    found.notices += (Notice.warning(Code.NO_DATA, told),)


def _mask_beside(path: Path, sides: tuple[int, ...]) -> np.ndarray | None:
    """The mask for all bands that GDAL keeps in ``NAME.msk``; None for a file of another kind."""
    import tifffile

    if not detect.head_of(path, 4).startswith(detect.TIFF):
        return None
    tiff_chain.check(path)
    with tifffile.TiffFile(path) as file:
        tiff_decoding.guard(path, file)
        page = file.pages.first
        return page.asarray() if page.shape == sides else None
