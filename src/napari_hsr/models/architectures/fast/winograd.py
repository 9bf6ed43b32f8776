"""Winograd's convolution F(2x2, 3x3): 16 products for four output pixels instead of 36.

For wide layers, where the products are many and the sums around them few. Both transforms are
sums and differences, so that float32 loses little: about twice what a direct convolution does.
After Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor

#: Input channels from which it is worth its sums.
WORTH_FROM = 256
#: Squares of 2x2 output pixels at a time: as few as keep the products fast.
_SQUARES_AT_ONCE = 128


def transformed(kernel: Tensor) -> Tensor:
    """(out, into, 3, 3) → (16, into, out), what :func:`convolve` takes; 16/9 of the memory."""
    sides = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]).to(kernel)
    out, into = kernel.shape[:2]
    made = kernel.new_empty(16, into, out)
    for i in range(4):
        rows = sides[i, 0] * kernel[:, :, 0]
        rows += sides[i, 1] * kernel[:, :, 1]
        rows += sides[i, 2] * kernel[:, :, 2]
        for j in range(4):
            made[4 * i + j] = (rows @ sides[j]).T
    return made


def convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """3x3 convolution with a border of zeros, in bands of rows.

    Parameters
    ----------
    x : torch.Tensor
        (1, into, H, W), in channels_last; overwritten where there are as many channels out.
    kernel : torch.Tensor
        (16, into, out), from :func:`transformed`.

    Returns
    -------
    torch.Tensor
        (1, out, H, W), in channels_last.
    """
    image = x[0].permute(1, 2, 0)
    height, width, into = image.shape
    down, along = (height + 1) // 2, (width + 1) // 2
    out = image if kernel.shape[2] == into else x.new_empty(height, width, kernel.shape[2])
    rows = 2 * max(1, _SQUARES_AT_ONCE // along)
    above = image.new_zeros(1, width, into)
    for start in range(0, 2 * down, rows):
        stop = min(start + rows, 2 * down)
        band = torch.cat([above, image[start : stop + 1]])
        above = band[stop - start : stop - start + 1].clone()  # before it is overwritten
        band = F.pad(band, (0, 0, 1, 2 * along + 1 - width, 0, stop - start + 2 - len(band)))
        made = _band(band, kernel)
        del band
        out[start:stop] = made[: height - start, :width]
    return out.permute(2, 0, 1)[None]


def _band(image: Tensor, kernel: Tensor) -> Tensor:
    """(2n + 2, 2m + 2, into) with its border → (2n, 2m, out)."""
    n, m, into = image.shape[0] // 2 - 1, image.shape[1] // 2 - 1, image.shape[2]
    # Few operations on large tensors: every one waits for all processors.
    pairs = image.unflatten(0, (n + 1, 2))
    across = image.new_empty(4, n, 2 * m + 2, into)
    torch.sub(pairs[:-1].transpose(0, 1), pairs[1:].transpose(0, 1), out=across[::3])
    torch.add(pairs[:-1, 1], pairs[1:, 0], out=across[1])
    torch.sub(pairs[1:, 0], pairs[:-1, 1], out=across[2])
    pairs = across.unflatten(2, (m + 1, 2))
    squares = image.new_empty(4, 4, n, m, into)
    differences = squares[:, ::3].permute(0, 2, 3, 1, 4)
    torch.sub(pairs[:, :, :-1], pairs[:, :, 1:], out=differences)
    torch.add(pairs[:, :, :-1, 1], pairs[:, :, 1:, 0], out=squares[:, 1])
    torch.sub(pairs[:, :, 1:, 0], pairs[:, :, :-1, 1], out=squares[:, 2])
    del image, pairs, across
    made = torch.bmm(squares.view(16, n * m, into), kernel).view(4, 4, n, m, -1)
    made[0].add_(made[1]).add_(made[2])
    made[1].sub_(made[2]).sub_(made[3])
    made = made[:2]  # rows of the output; now its columns
    out = made.new_empty(n, 2, m, 2, made.shape[-1])
    places = out.permute(1, 3, 0, 2, 4)
    torch.add(made[:, 0].add_(made[:, 1]), made[:, 2], out=places[:, 0])
    torch.sub(made[:, 1].sub_(made[:, 2]), made[:, 3], out=places[:, 1])
    return out.flatten(2, 3).flatten(0, 1)
