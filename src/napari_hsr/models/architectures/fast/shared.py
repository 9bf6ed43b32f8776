"""A weight-normed convolution that reads the exact module's kernel instead of holding one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.fast.convolution import hold

if TYPE_CHECKING:
    from torch import Tensor

    from napari_hsr.models.architectures.normalised import WeightNormConv2d

#: Kernels of so many values are shared: 32 MiB in float32.
SHARED_FROM = 2**23


class SharedConvolution(nn.Module):
    """A convolution with ``weight_v`` as it is; g / |v| multiplies its result."""

    def __init__(self, exact: WeightNormConv2d):
        super().__init__()
        self.padding = exact.weight_v.shape[-1] // 2
        norm = torch.linalg.vector_norm(exact.weight_v, dim=(1, 2, 3))
        scale = exact.weight_g.flatten() / norm
        hold(self, kernel=exact.weight_v.detach(), bias=exact.bias.detach()[:, None, None])
        hold(self, scale=scale[:, None, None])

    def forward(self, x: Tensor, relu: bool = False) -> Tensor:
        """(N, into, H, W) → (N, out, H, W)."""
        if x.shape[-2] * x.shape[-1] <= len(self.kernel):
            # The pixels' surroundings are less than the kernel, which oneDNN would copy.
            around = F.unfold(x, self.kernel.shape[-1], padding=self.padding)
            y = (self.kernel.flatten(1) @ around).unflatten(2, x.shape[-2:])
            y = y.contiguous(memory_format=torch.channels_last)
        else:
            y = F.conv2d(x, self.kernel, padding=self.padding)
        y = torch.addcmul(self.bias, y, self.scale, out=y)
        return y.relu_() if relu else y
