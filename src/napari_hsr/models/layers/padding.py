"""Padding to the sizes that a network can take, by the networks' own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def pad_below_right(images: Tensor, multiple: int) -> Tensor:
    """Grow (N, C, H, W) until H and W are multiples of ``multiple``.

    Rows are added below and columns to the right, by reflection; where a side is too short
    to be reflected, its last row or column is repeated.
    """
    height, width = images.shape[-2:]
    images = _grow(images, (0, 0, 0, -height % multiple), height)
    return _grow(images, (0, -width % multiple, 0, 0), width)


def pad_to_least(images: Tensor, least: int) -> Tensor:
    """Grow (N, C, H, W) by the same rule where H or W is below ``least``."""
    height, width = images.shape[-2:]
    images = _grow(images, (0, 0, 0, max(0, least - height)), height)
    return _grow(images, (0, max(0, least - width), 0, 0), width)


def _grow(images: Tensor, amounts: tuple[int, int, int, int], length: int) -> Tensor:
    if not any(amounts):
        return images
    mode = "reflect" if max(amounts) < length else "replicate"
    return functional.pad(images, amounts, mode=mode)
