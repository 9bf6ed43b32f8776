"""Optimised INR-HSISR: fewer multiplications in wide layers, one layer's weights at a time.

In float32 the wide convolutions are Winograd's; in bfloat16 the first ones stay in float32.

After the blocks, cells are independent of each other. They are processed in bands, and in a band the hypernetwork's last convolution makes the weights of one layer
of the perceptrons when that layer is reached: never those of all layers, never for all cells.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.layers import Module, Part, pad_below_right, pad_to_least
from napari_hsr.models.optimised import winograd
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed

if TYPE_CHECKING:
    from collections.abc import Sequence


SLOPE = 0.1
#: Values that are squared at a time.
_SQUARED_AT_ONCE = 2**18
#: Channels that are made at a time, and where they are in a shorter type widened to float32.
_CHANNELS_AT_ONCE = 256
#: Cells whose perceptrons run at a time.
_CELLS_AT_ONCE = 256


class _Norm(Module):
    """Instance norm and ReLU of one image in place; in float32 whatever it is in."""

    def __init__(self, exact: Part):
        super().__init__()
        self.eps = exact.eps
        hold(self, weight=exact.weight.detach(), bias=exact.bias.detach())

    def forward(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        """(1, C, H, W), of all channels or of those named."""
        pixels = x[0].permute(1, 2, 0)
        wide = pixels.float()
        number = wide[..., 0].numel()
        wide -= wide.sum(1).sum(0) / number  # along one side, then the other: ten times as fast
        rows = max(1, _SQUARED_AT_ONCE // wide[0].numel())
        squares = sum(part.square().sum(1).sum(0) for part in wide.split(rows))
        scale = self.weight[channels] * torch.rsqrt(squares / number + self.eps)
        torch.addcmul(self.bias[channels], wide, scale, out=wide).relu_()
        return x if wide is pixels else x.copy_(wide.permute(2, 0, 1))


class _Step(Module):
    """3x3 convolution, instance norm, ReLU; of many channels some after the others."""

    def __init__(self, exact: Part, dtype: torch.dtype, made: torch.dtype):
        super().__init__()
        self.stride, self.made = exact[0].stride[0], made
        self.norm = _Norm(exact[1])
        hold(self, kernel=packed(exact[0].weight, dtype))

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """Of what comes of it."""
        return 1, len(self.kernel), *((n - 1) // self.stride + 1 for n in x.shape[-2:])

    def forward(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """(1, into, h, w) → (1, channels, H, W), in ``out`` if that is given."""
        if out is None and len(self.kernel) <= _CHANNELS_AT_ONCE:
            return self._some(x, slice(None)).to(self.made)
        if out is None:
            out = torch.empty(
                self.shape(x), dtype=self.made, device=x.device, memory_format=CHANNELS_LAST
            )
        for start in range(0, len(self.kernel), _CHANNELS_AT_ONCE):
            some = slice(start, start + _CHANNELS_AT_ONCE)
            out[:, some] = self._some(x, some)
        return out

    def _some(self, x: Tensor, channels: slice) -> Tensor:
        kernel = self.kernel[channels]
        return self.norm(convolve(x, kernel, stride=self.stride, padding=1), channels)


class _Square(Module):
    """The same with as many wide channels out as in, by Winograd."""

    def __init__(self, exact: Part):
        super().__init__()
        self.norm = _Norm(exact[1])
        hold(self, kernel=winograd.transformed(exact[0].weight.detach()))

    def forward(self, frame: winograd.Frame) -> None:
        """In place."""
        frame.convolve_(self.kernel)
        self.norm(frame.image())


class _Perceptrons(Module):
    """The last convolution and what its result is for."""

    def __init__(self, exact: Part, widths: Sequence[int], dtype: torch.dtype):
        super().__init__()
        self.widths = list(pairwise(widths))
        kernel, bias = exact.weight.detach().flatten(1).to(dtype), exact.bias.detach().to(dtype)
        start = 0
        for i, (into, out) in enumerate(self.widths):
            for name, size in (("biases", out), ("weights", into * out)):
                taken = slice(start, start + size)  # biases come first
                hold(self, **{f"{name}{i}": kernel[taken], f"{name}{i}_bias": bias[taken]})
                start += size

    def forward(self, cells: Tensor, values: Tensor) -> Tensor:
        """(cells, width) and (cells, pixels, inputs) → (cells, pixels, bands)."""
        largest = max(into * out for into, out in self.widths)
        space = cells.new_empty(len(cells) * largest)  # taken once, for all layers in turn
        for i, (into, out) in enumerate(self.widths):
            if i > 0:
                values = F.leaky_relu_(values, SLOPE)
            weights, weights_bias, biases, biases_bias = self.made(i)
            matrices = space[: len(cells) * into * out].view(len(cells), -1)
            torch.addmm(weights_bias, cells, weights.T, out=matrices)
            values = torch.bmm(values, matrices.unflatten(1, (into, out)))
            values += F.linear(cells, biases, biases_bias)[:, None]
        return values

    def made(self, layer: int) -> tuple[Tensor, ...]:
        """The convolution's kernel and bias for the weights of a layer, and for its biases."""
        names = (f"weights{layer}", f"weights{layer}_bias", f"biases{layer}", f"biases{layer}_bias")
        return tuple(getattr(self, name) for name in names)


class FastINR(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32, as :class:`INR` computes it."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.cell, self.least, self.periods = exact.cell, exact.least, exact.periods
        self.dtype, self.finer = dtype, exact.finer
        *steps, last = exact.hyper.model
        steps = [getattr(step, "conv_block", [step])[0] for step in steps]
        steps = [step for step in steps if not isinstance(step, nn.ReLU)]
        first, width = len(exact.layout.widths), exact.layout.widths[-1]
        self.squares = dtype == torch.float32 and width >= winograd.WORTH_FROM
        # What the first convolutions lose, every later one makes worse, and they cost little.
        made = [torch.float32] * (first - 1) + [dtype]
        self.steps = nn.ModuleList(
            _Step(step, torch.float32, m) for step, m in zip(steps[:first], made, strict=True)
        )
        self.blocks = nn.ModuleList(
            _Square(step) if self.squares else _Step(step, dtype, dtype) for step in steps[first:]
        )
        self.perceptrons = _Perceptrons(last, exact.layout.perceptron, dtype)

    def forward(self, image: Tensor) -> Tensor:
        """Spectra of every pixel, or of finer ones."""
        if len(image) != 1:
            return torch.cat([self(one[None]) for one in image])
        height, width = image.shape[-2:]
        image = pad_to_least(pad_below_right(image, self.cell), self.least)
        cells = self._cells(image.contiguous(memory_format=CHANNELS_LAST))
        if self.finer > 1:
            image = F.interpolate(image, scale_factor=self.finer, mode="bilinear")
        turns = [self._turns(length, image) for length in image.shape[-2:]]
        side = self.cell * self.finer
        rows = max(1, _CELLS_AT_ONCE // (cells.shape[3] * self.finer))
        spectra = image.new_empty(1, self.perceptrons.widths[-1][1], *image.shape[-2:])
        for start in range(0, cells.shape[2], rows):
            band = cells[0, :, start : start + rows]
            pixels = slice(start * side, (start + band.shape[1]) * side)
            values = self._places(image[0, :, pixels], turns[0][pixels], turns[1])
            found = self.perceptrons(band.permute(1, 2, 0).flatten(0, 1), values.to(self.dtype))
            found = found.view(*band.shape[1:], side, side, -1).permute(4, 0, 2, 1, 3)
            spectra[0, :, pixels].view(found.shape).copy_(found)
        return spectra[..., : height * self.finer, : width * self.finer]

    def _cells(self, x: Tensor) -> Tensor:
        """(1, channels, H, W) → (1, width, H/4, W/4), what perceptrons are made of."""
        last: Part
        *steps, last = self.steps
        for step in steps:
            x = step(x)
        if not self.squares:
            for step in (last, *self.blocks):
                x = step(x)
            return x
        frame = winograd.Frame(last.shape(x), len(self.blocks), x)
        last(x, out=frame.image())
        del x
        for block in self.blocks:
            block(frame)
        return frame.image()

    def _turns(self, length: int, image: Tensor) -> Tensor:
        """(length, 2 · periods): cosine and sine of each pixel's place along one side."""
        at = torch.arange(length, device=image.device, dtype=torch.float32)
        at = ((at + 0.5) / self.finer - 0.5) / (length // self.finer)
        angles = [2 * torch.pi * at / period for period in self.periods]
        return torch.stack([wave for angle in angles for wave in (angle.cos(), angle.sin())], 1)

    def _places(self, colours: Tensor, down: Tensor, along: Tensor) -> Tensor:
        """(channels, h, w), (h, …) and (w, …) → (cells, pixels of a cell, inputs)."""
        side = self.cell * self.finer
        channels, height, width = colours.shape
        values = colours.new_empty(height, width, channels + 2 * down.shape[1])
        values[..., :channels] = colours.permute(1, 2, 0)
        waves = values[..., channels:].unflatten(2, (-1, 2, 2))  # period, x or y, cosine or sine
        waves[:, :, :, 0] = along.view(1, width, -1, 2)
        waves[:, :, :, 1] = down.view(height, 1, -1, 2)
        values = values.view(height // side, side, width // side, side, -1)
        return values.transpose(1, 2).reshape(-1, side * side, values.shape[-1])


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs; in float32 its wide kernels take 16/9 of the exact ones' memory."""
    return FastINR(module, getattr(torch, precision))
