"""What hides pixels of a TIFF: a page of the file, the mask that GDAL keeps beside it, or alpha."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import detect
from napari_hsr.io.masked import Masked, WithoutAlpha
from napari_hsr.io.tiff import decoding as tiff_decoding
from napari_hsr.io.tiff import gdal_metadata
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io import build_cube

#: The kind of a sample that is alpha, by which the others are multiplied.
_ASSOCIATED = 1


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
    if not detect.head_of(path, 4).startswith(detect.TIFF):
        return None
    tiff_chain.check(path)
    with tiff_chain.opened(path) as file:
        tiff_decoding.guard(path, file)
        page = file.pages.first
        return page.asarray() if page.shape == sides else None


def alpha(page: Any) -> int | None:
    """Which sample of each pixel is alpha, by GDAL's colours of the bands or the tags; None for none."""
    count = page.samplesperpixel
    named = gdal_metadata.colours(page) if count > 1 else {}
    if "alpha" in named.values():
        return min(band for band, name in named.items() if name == "alpha" and band < count)
    extra = [int(kind) for kind in page.extrasamples]  # they are the last ones
    places = [count - len(extra) + i for i, kind in enumerate(extra) if kind in (1, 2)]
    return places[-1] if count > 1 and places and not named.get(places[-1]) else None


def leave_out_alpha(found: build_cube.Found, page: Any, alpha: int) -> None:
    """Take the sample that is alpha out of what was found, and say so."""
    last = alpha == found.source.shape[found.convention] - 1
    cut = WithoutAlpha(found.source, found.convention, alpha)
    found.source = cut[()] if type(found.source) is np.ndarray else cut
    which = "The last band" if last else f"Band {alpha + 1}"
    told = f"{which} is alpha: it was left out, and pixels where it is 0 are NaN."
    extra = alpha - page.samplesperpixel + len(page.extrasamples)  # its place among those
    if extra >= 0 and page.extrasamples[extra] == _ASSOCIATED:
        told += " The file says that the others are multiplied by it: they are as stored."
    found.notices += (Notice.warning(Code.ALPHA_LEFT_OUT, told),)
