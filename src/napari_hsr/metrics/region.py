"""Compare inside a region alone: everything outside counts as missing, but is not told as such."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arrays import as_mask
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import chunk_sides
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Inside:
    """An array (bands, height, width) that is NaN outside of a region.

    Parameters
    ----------
    source : array-like
    mask : ndarray of bool, shape (height, width)
    """

    def __init__(self, source: Any, mask: np.ndarray):
        self._source, self._mask = source, mask
        self.shape, self.dtype = source.shape, np.dtype(np.float64)
        sides = chunk_sides(source)
        self.chunks = None if sides is None else (1, *sides)

    def __getitem__(self, key: tuple[Any, Any, Any]) -> np.ndarray:
        values = np.asarray(self._source[key], dtype=np.float64)
        return np.where(self._mask[key[1:]], values, np.nan)


def checked_mask(mask: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """The region as (height, width) bool.

    Raises
    ------
    InputError
        If it has another size or holds no pixel.
    """
    region = as_mask(mask)
    if region.shape != tuple(shape[1:]):
        raise InputError(
            f"The region has {' x '.join(map(str, region.shape))} pixels, the cubes "
            f"{' x '.join(map(str, shape[1:]))}."
        )
    if not region.any():
        raise InputError("The region holds no pixel of the image.")
    return region


def inner(mask: np.ndarray, crop: int) -> np.ndarray:
    """The part of a region (height, width) that is left when so many pixels are left out at each side."""
    height, width = mask.shape
    return mask[crop : height - crop, crop : width - crop]


def without_outside(
    excluded: dict[str, int | float], mask: np.ndarray, crop: int, bands: int
) -> tuple[dict[str, int | float], Notice]:
    """What was excluded inside of a region, and the notice on it.

    Parameters
    ----------
    excluded : dict
        As of an evaluation of an :class:`Inside`.
    mask : ndarray of bool
        The region.
    crop : int
        Pixels that the protocol leaves out at each side.
    bands : int
    """
    seen = inner(mask, crop)
    outside, inside = int((~seen).sum()), max(1, int(seen.sum()))
    fixed = dict(excluded)
    for key, each, of in (("nonfinite", bands, bands), ("sam_nonfinite", 1, 0)):
        if key in fixed:
            fixed[key] = int(fixed[key]) - each * outside
            if of:
                fixed[f"{key}_share"] = fixed[key] / (of * inside)
    if "sam_black_share" in fixed:
        fixed["sam_black_share"] = fixed["sam_black"] / inside
    text = f"Compared in a region of {int(seen.sum()):,} of {seen.size:,} pixels."
    if "ssim_windows" in fixed:
        fixed["ssim_windows"] = 0
        text = f"{text[:-1]}; SSIM takes the windows that lie wholly inside it."
    return fixed, Notice.info(Code.REGION, text)
