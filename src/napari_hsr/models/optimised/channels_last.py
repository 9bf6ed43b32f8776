"""Any network with its channels last in memory, and its products in a shorter type if wanted.

Nothing of the network is known here: its copy computes what it always did, on features in another
order of memory. In float32 it reads the weights where they are. In reduced precision
convolutions and linear layers take the shorter type; norms and softmax stay in float32, as
torch's autocast has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_hsr.models.layers import Module, Part
from napari_hsr.models.optimised.convolution import CHANNELS_LAST
from napari_hsr.models.optimised_copy import sharing_memory

if TYPE_CHECKING:
    from torch import Tensor

#: Layers whose weights are held in the shorter type; autocast would convert them in every call.
PRODUCTS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class ChannelsLast(Module):
    """(N, channels, H, W) float32 → (N, bands, H, W) float32, by a copy of ``exact``."""

    def __init__(self, exact: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        self.module = sharing_memory(exact)
        if dtype != torch.float32:
            products: list[Part] = [m for m in self.module.modules() if isinstance(m, PRODUCTS)]
            for layer in products:
                layer.to(dtype, memory_format=CHANNELS_LAST)

    def forward(self, x: Tensor) -> Tensor:
        """Whatever the network makes of it."""
        x = x.contiguous(memory_format=CHANNELS_LAST)
        if self.dtype == torch.float32:
            return self.module(x)
        with torch.autocast(x.device.type, self.dtype):
            return self.module(x).float()


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """Channels last in every precision."""
    return ChannelsLast(module, getattr(torch, precision))


def prepare_reduced(module: nn.Module, precision: str) -> nn.Module:
    """The same for networks that it slows down in float32: there the exact module itself."""
    return module if precision == "float32" else prepare(module, precision)
