"""Large weight-normed kernels: folded, or read from the exact module, some channels at a time.

So a large kernel is never in memory twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.layers import Module
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.models.layers import WeightNormConv2d

#: Values of a kernel at a time.
_VALUES_AT_ONCE = 2**22


def _in_parts(kernel: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Output channels and their kernels."""
    at_once = max(1, _VALUES_AT_ONCE // kernel[0].numel())
    for start in range(0, len(kernel), at_once):
        channels = slice(start, min(start + at_once, len(kernel)))
        yield channels, kernel[channels]


def _scale(conv: WeightNormConv2d, channels: slice) -> Tensor:
    """g / |v|, (channels, 1, 1, 1)."""
    norm = torch.linalg.vector_norm(conv.weight_v[channels], dim=(1, 2, 3), keepdim=True)
    return conv.weight_g[channels] / norm


def folded(conv: WeightNormConv2d, dtype: torch.dtype) -> Tensor:
    """The kernel of a weight-normed convolution, in ``dtype`` and channels_last."""
    made = torch.empty_like(conv.weight_v, dtype=dtype, memory_format=CHANNELS_LAST)
    for channels, kernel in _in_parts(conv.weight_v.detach()):
        made[channels] = kernel * _scale(conv, channels)
    return made


class SharedConvolution(Module):
    """A convolution with ``weight_v`` as it is; g / |v| multiplies its result."""

    def __init__(self, exact: WeightNormConv2d):
        super().__init__()
        self.padding = exact.weight_v.shape[-1] // 2
        kernel = exact.weight_v.detach()
        scale = torch.cat([_scale(exact, channels) for channels, _ in _in_parts(kernel)])
        hold(self, kernel=kernel, bias=exact.bias.detach()[:, None, None], scale=scale[:, 0])

    def forward(self, x: Tensor, relu: bool = False) -> Tensor:
        """(N, into, H, W) → (N, out, H, W)."""
        size = x.shape[-2:]
        y = torch.empty(
            (len(x), len(self.kernel), *size),
            dtype=x.dtype,
            device=x.device,
            memory_format=CHANNELS_LAST,
        )
        # As a matrix the kernel need not be laid out anew, but the pixels' surroundings must.
        few = size.numel() <= len(self.kernel)
        around = F.unfold(x, self.kernel.shape[-1], padding=self.padding) if few else x
        for channels, kernel in _in_parts(self.kernel):
            if few:
                part = (kernel.flatten(1) @ around).unflatten(2, size)
            else:
                part = F.conv2d(x, kernel, padding=self.padding)
            torch.addcmul(self.bias[channels], part, self.scale[channels], out=y[:, channels])
        return y.relu_() if relu else y
