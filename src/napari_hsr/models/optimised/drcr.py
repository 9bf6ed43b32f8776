"""Optimised DRCR-Net: channels last, no concatenation, gates folded into kernels.

A convolution of joined features is the sum of one convolution for each, so nothing is joined.
The re-weighted input of a block is never made either: its gate multiplies the kernel that
reads it, and the mean that the second gate asks for is the first mean times the first gate.
Images are taken one by one, because kernels then differ from image to image.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.layers import Module, Part, pad_below_right
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed

SLOPE = 0.2


class _Joined(Module):
    """The convolution of several features joined, as a sum; the rectifier comes last."""

    def __init__(self, layer: nn.Conv2d, parts: int, dtype: torch.dtype):
        super().__init__()
        self.parts = parts
        hold(self, bias=None if layer.bias is None else layer.bias.to(dtype))
        for i, kernel in enumerate(layer.weight.chunk(parts, 1)):
            hold(self, **{f"kernel{i}": packed(kernel, dtype)})

    def start(self, x: Tensor) -> Tensor:
        """The first of the summands."""
        slope = SLOPE if self.parts == 1 else None
        return convolve(x, self.kernel0, self.bias, padding=1, slope=slope)

    def add(self, x: Tensor, part: int, onto: Tensor) -> Tensor:
        """Another summand, in place; the last one is rectified."""
        slope = SLOPE if part == self.parts - 1 else None
        kernel = getattr(self, f"kernel{part}")
        return convolve(x, kernel, padding=1, slope=slope, onto=onto)


class _Plain(Module):
    """A convolution with zero or reflecting borders and, if wanted, a rectifier."""

    def __init__(self, layer: Part, dtype: torch.dtype, slope: float | None = None):
        super().__init__()
        self.reflect, self.slope = layer.padding_mode == "reflect", slope
        self.padding = 0 if self.reflect else layer.padding[0]
        bias = None if layer.bias is None else layer.bias.to(dtype)
        hold(self, kernel=packed(layer.weight, dtype), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.reflect:
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return convolve(x, self.kernel, self.bias, padding=self.padding, slope=self.slope)


class _Purification(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        for scale in (0, 2):
            for kernel in ("33", "11"):
                name = f"conv{scale}_{kernel}"
                setattr(self, name, _Plain(getattr(exact, name), dtype))
        for scale in (0, 2, 4):
            name = f"conv_{scale}_cat"
            setattr(self, name, _Joined(getattr(exact, name), 2, dtype))
        self.conv_cat = _Joined(exact.conv_cat, 3, dtype)

    def forward(self, x: Tensor) -> Tensor:
        total = self.conv_cat.start(_branch(x, self.conv0_33, self.conv0_11, self.conv_0_cat))
        half = F.avg_pool2d(x, 2)
        quarter = F.avg_pool2d(half, 2)
        half = _branch(half, self.conv2_33, self.conv2_11, self.conv_2_cat)
        quarter = _branch(quarter, self.conv2_33, self.conv2_11, self.conv_4_cat)
        total = self.conv_cat.add(_enlarge(half, 2), 1, total)
        return self.conv_cat.add(_enlarge(quarter, 4), 2, total).add_(x)


def _branch(x: Tensor, wide: _Plain, narrow: _Plain, join: _Joined) -> Tensor:
    total = join.start(wide(x))
    return join.add(narrow(x), 1, total)


def _enlarge(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class _Block(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        for number in (1, 2, 3):
            layer = getattr(exact, f"conv{number}").conv2d
            setattr(self, f"conv{number}", _Joined(layer, 1, dtype))
        for number in (5, 6):
            layer = getattr(exact, f"conv{number}").conv2d
            setattr(self, f"conv{number}", _Joined(layer, 2, dtype))
        layer = exact.conv4.conv2d
        bare, gated = layer.weight.chunk(2, 1)
        # float32 until the gate is in it, whatever is computed in
        hold(self, bare=packed(bare, dtype), gated=packed(gated, torch.float32))
        hold(self, bias=layer.bias.to(dtype))
        # their own: a shared module would follow this one to another device
        self.gates = nn.ModuleList(copy.deepcopy(gate.fc) for gate in (exact.se1, exact.se2))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), dtype=torch.float32)
        first = self.gates[0](mean)
        both = first * self.gates[1](first * mean)
        kernel = (self.gated * first[:, :, None, None]).to(x.dtype, memory_format=CHANNELS_LAST)
        x1 = self.conv1.start(x)
        x2 = self.conv2.start(x1)
        x4 = convolve(x, kernel, self.bias, padding=1)
        x4 = convolve(self.conv3.start(x2), self.bare, padding=1, slope=SLOPE, onto=x4)
        x5 = self.conv5.start(x2)
        del x2
        x5 = self.conv5.add(x4, 1, x5)
        del x4
        x6 = self.conv6.start(x1)
        del x1
        x6 = self.conv6.add(x5, 1, x6)
        return x6.addcmul_(x, both[:, :, None, None].to(x.dtype))


class FastDRCR(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32, as :class:`DRCR` computes it."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        first, last = (float(p.weight) for p in (exact.input_prelu2D, exact.output_prelu2D))
        self.into = nn.Sequential(
            _Plain(exact.input_conv2D.conv2d, dtype, first), _Plain(exact.head_conv2D.conv2d, dtype)
        )
        self.purify = _Purification(exact.denosing, dtype)
        self.backbone = nn.ModuleList(_Block(block, dtype) for block in exact.backbone)
        self.out = nn.Sequential(
            _Plain(exact.tail_conv2D.conv2d, dtype, last), _Plain(exact.output_conv2D.conv2d, dtype)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        if len(x) != 1:
            return torch.cat([self(image[None]) for image in x])
        height, width = x.shape[-2:]
        x = pad_below_right(x, 4).to(self.dtype, memory_format=CHANNELS_LAST)
        x = self.purify(self.into(x))
        for block in self.backbone:
            x = block(x)
        return self.out(x)[..., :height, :width].float()


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs."""
    return FastDRCR(module, getattr(torch, precision))
