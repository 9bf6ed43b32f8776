"""Convolutions whose kernels are normalised, with the state-dict names of torch's first way of doing it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.models.layers.module import Module

#: Values of a kernel from which the optimised copy uses it as it is: 32 MiB in float32.
LARGE_KERNEL = 2**23


class WeightNormConv2d(Module):
    """Convolution with kernel g · v / |v|, the norm taken for each output channel.

    Square kernels, zero padding that keeps the size. The kernel is made anew in each call, so
    that only ``weight_v`` is held in memory.
    """

    def __init__(self, into: int, out: int, size: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(out))
        self.weight_g = nn.Parameter(torch.ones(out, 1, 1, 1))
        self.weight_v = nn.Parameter(torch.empty(out, into, size, size))
        nn.init.kaiming_normal_(self.weight_v)

    def kernel(self) -> Tensor:
        """(out, into, size, size)."""
        norm = torch.linalg.vector_norm(self.weight_v, dim=(1, 2, 3), keepdim=True)
        return self.weight_v * (self.weight_g / norm)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) → (N, out, H, W)."""
        padding = self.weight_v.shape[-1] // 2
        if self.training:  # the gradients of a CPU are computed faster so
            x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, self.kernel(), self.bias, padding=padding)


class SpectralConv1d(Module):
    """1x1 convolution over (N, C, L) with its kernel divided by its largest singular value.

    That value is estimated by the vectors u and v of the state dict. In training each call takes
    one step of the power iteration that finds them (Miyato and others 2018, arXiv:1802.05957);
    otherwise they stay as they are.
    """

    def __init__(self, into: int, out: int):
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(out, into, 1))
        nn.init.kaiming_normal_(self.weight_orig)
        self.register_buffer("weight_u", torch.full((out,), out**-0.5))
        self.register_buffer("weight_v", torch.full((into,), into**-0.5))

    def kernel(self) -> Tensor:
        """(out, into, 1)."""
        matrix = self.weight_orig.flatten(1)
        # half precision would make the norm, and with it every weight, that much coarser
        with _exactly(matrix.device.type):
            if self.training:
                self._iterate(matrix.detach())
            # copies: the next call changes the vectors, and the gradient needs these
            u, v = self.weight_u.clone(), self.weight_v.clone()
            return self.weight_orig / torch.dot(u, matrix @ v)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor) -> None:
        """One step towards the singular vectors of the largest singular value."""
        self.weight_v.copy_(functional.normalize(matrix.T @ self.weight_u, dim=0, eps=1e-12))
        self.weight_u.copy_(functional.normalize(matrix @ self.weight_v, dim=0, eps=1e-12))

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, L) → (N, out, L)."""
        return functional.conv1d(x, self.kernel())


def _exactly(device: str) -> AbstractContextManager[object]:
    """Within it nothing is computed in half precision on a device; "meta", say, never does."""
    if torch.amp.is_autocast_available(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()
