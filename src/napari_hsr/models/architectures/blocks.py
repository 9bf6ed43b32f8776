"""What several networks do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor


def pad_below_and_right(x: Tensor, height: int, width: int) -> Tensor:
    """(N, C, h, w) grown to (N, C, height, width) by reflection.

    An image too small to be reflected that far (as many rows or columns would be added as it
    has) is grown by repeating its last row and column instead, as inference does it too.
    """
    below, right = height - x.shape[-2], width - x.shape[-1]
    if below == right == 0:
        return x
    fits = below < x.shape[-2] and right < x.shape[-1]
    return F.pad(x, (0, right, 0, below), mode="reflect" if fits else "replicate")


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """(N, C, h, w) grown below and to the right until both sides are multiples."""
    height, width = x.shape[-2:]
    return pad_below_and_right(x, height + -height % multiple, width + -width % multiple)
