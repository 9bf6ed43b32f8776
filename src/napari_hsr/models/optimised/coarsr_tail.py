"""CoarSR's tail as one convolution: it is linear, so its steps can be multiplied out beforehand.

From features to output pixels the network has convolutions, rearrangements and no activation. What
they do together is one convolution from the features of a pixel and its surroundings (5 × 5) to
all of its output pixels: 25 · width · scale² products instead of 746 thousand for ×4. Only where the
image ends it is another one, because each step pads what it reads with zeros: pixels of the first
and last row and column have kernels of their own, and no others, since an intermediate pixel
outside the image is never farther from a finer one than the coarse pixel's width.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from napari_hsr.models.layers import Module
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

#: Where a row or a column lies: whether it is the first, and whether it is the last.
_Place = tuple[bool, bool]
_PLACES: tuple[_Place, ...] = ((False, False), (False, True), (True, False), (True, True))
_INSIDE = (False, False)


class _Map(NamedTuple):
    """From the features around a coarse pixel to its output pixels.

    kernel : (S, S, C, m, m); bias : (S, S), both by row and column of the finer pixel.
    """

    kernel: Tensor
    bias: Tensor


_Maps = dict[tuple[_Place, _Place], _Map]


def _reads(step: int, place: _Place, taps: int) -> Iterable[tuple[int, int, int, int]]:
    """Along one axis, (output pixel, tap, coarse offset, which of its output pixels) inside the image."""
    first, last = place
    reach = taps // 2
    for pixel, tap in product(range(step), range(taps)):
        at = pixel + tap - reach
        if not (first and at < 0) and not (last and at >= step):
            yield pixel, tap, at // step, at % step


def _place(place: _Place, pixel: int, step: int) -> _Place:
    """Of a finer pixel in its own image."""
    return place[0] and pixel == 0, place[1] and pixel == step - 1


def _before(maps: _Maps, kernel: Tensor, bias: Tensor, step: int) -> _Maps:
    """The maps after a convolution to ``step``² as many channels and their rearrangement, with it.

    Parameters
    ----------
    maps : dict
        Of each place.
    kernel, bias : torch.Tensor
        (C · step², into, 3, 3) and (C · step²,).
    step : int
    """
    kernel = kernel.unflatten(0, (-1, step, step))
    bias = bias.unflatten(0, (-1, step, step))
    products = {  # (S, S, m, m, step, step, into, 3, 3): every tap with every finer pixel's kernel
        place: torch.einsum("uvcmn,cabief->uvmnabief", one.kernel, kernel)
        for place, one in maps.items()
    }
    constants = {
        place: torch.einsum("uvcmn,cab->uvmnab", one.kernel, bias) for place, one in maps.items()
    }
    size, _, _, taps, _ = next(iter(maps.values())).kernel.shape
    made: _Maps = {}
    for rows, columns in product(_PLACES, _PLACES):
        # output pixels as (step, S, step, S); two pixels around the coarse one at most
        total = kernel.new_zeros(step, size, step, size, kernel.shape[3], 5, 5)
        constant = kernel.new_zeros(step, size, step, size)
        for y, x in product(range(step), range(step)):
            constant[y, :, x] += maps[_place(rows, y, step), _place(columns, x, step)].bias
        across = list(_reads(step, columns, taps))
        # nothing to add up where only the shapes are asked for
        for y, m, down, a in () if kernel.is_meta else _reads(step, rows, taps):
            for x, n, right, b in across:
                place = _place(rows, y, step), _place(columns, x, step)
                part = total[y, :, x, :, :, down + 1 : down + 4, right + 1 : right + 4]
                part += products[place][:, :, m, n, a, b]
                constant[y, :, x] += constants[place][:, :, m, n, a, b]
        made[rows, columns] = _Map(
            total.flatten(2, 3).flatten(0, 1), constant.flatten(2, 3).flatten(0, 1)
        )
    return made


def multiplied_out(
    steps: Iterable[tuple[Tensor, Tensor, int]], kernel: Tensor, bias: Tensor
) -> _Maps:
    """The whole tail as one map for each place of the coarse pixel.

    Parameters
    ----------
    steps : iterable of (kernel, bias, step)
        Convolutions that are rearranged into ``step`` times as fine pixels, in order; float64.
    kernel, bias : torch.Tensor
        Of the last convolution, to one channel: (1, C, 3, 3) and (1,).
    """
    maps: _Maps = dict.fromkeys(product(_PLACES, _PLACES), _Map(kernel[None], bias[None]))
    for weight, offset, step in reversed(list(steps)):
        maps = _before(maps, weight, offset, step)
    return maps


def _segments(length: int) -> list[tuple[int, int, _Place]]:
    """(start, stop, place) of the rows or columns that share a place."""
    if length == 1:
        return [(0, 1, (True, True))]
    found = [(0, 1, (True, False)), (1, length - 1, _INSIDE), (length - 1, length, (False, True))]
    return [part for part in found if part[0] < part[1]]


class Tail(Module):
    """(N, C, H, W) → (N, 1, scale · H, scale · W), float32.

    Parameters
    ----------
    steps, kernel, bias
        As for :func:`multiplied_out`.
    dtype : torch.dtype
        What is computed in.
    """

    def __init__(
        self,
        steps: Iterable[tuple[Tensor, Tensor, int]],
        kernel: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
    ):
        super().__init__()
        for (rows, columns), one in multiplied_out(steps, kernel, bias).items():
            self.scale = len(one.bias)
            name = _name(rows, columns)
            packed = one.kernel.flatten(0, 1).to(dtype, memory_format=CHANNELS_LAST)
            hold(self, **{f"kernel{name}": packed, f"bias{name}": one.bias.flatten().to(dtype)})

    def _of(self, rows: _Place, columns: _Place) -> tuple[Tensor, Tensor]:
        name = _name(rows, columns)
        return getattr(self, f"kernel{name}"), getattr(self, f"bias{name}")

    def forward(self, x: Tensor) -> Tensor:
        """Finer pixels; ``x`` is of the type that is computed in, in channels_last."""
        height, width = x.shape[-2:]
        found = convolve(x, *self._of(_INSIDE, _INSIDE), padding=2)
        for top, bottom, rows in _segments(height):
            for left, right, columns in _segments(width):
                if rows == columns == _INSIDE:
                    continue
                part = _around(x, top, bottom, left, right)
                made = functional.conv2d(part, *self._of(rows, columns))
                found[..., top:bottom, left:right] = made
        return functional.pixel_shuffle(found.float(), self.scale)


def _around(x: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """That part of the image with two pixels around it, zeros outside."""
    height, width = x.shape[-2:]
    outside = (
        max(0, 2 - left),
        max(0, right + 2 - width),
        max(0, 2 - top),
        max(0, bottom + 2 - height),
    )
    part = x[..., max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2]
    return functional.pad(part, outside).contiguous(memory_format=CHANNELS_LAST)


def _name(rows: _Place, columns: _Place) -> str:
    return "_" + "".join(str(int(flag)) for flag in (*rows, *columns))
