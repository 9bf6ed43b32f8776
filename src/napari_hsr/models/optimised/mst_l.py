"""Optimised MST; see :mod:`~napari_hsr.models.optimised.spectral_attention`.

A batch is run image by image, each with its own mask, unlike the exact module's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsr.models.layers import Module, Part, pad_below_right
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed
from napari_hsr.models.optimised.spectral_attention import FastU

SLOPE = 0.1


class FastMST(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32, image by image."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.dtype, self.multiple = dtype, exact.multiple
        for name in ("embedding_1", "embedding_2", "mapping"):
            hold(self, **{name: packed(getattr(exact, name).weight, dtype)})
        self.u = FastU(exact, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        if len(x) != 1:
            return torch.cat([self(image[None]) for image in x])
        height, width = x.shape[-2:]
        x = pad_below_right(x, self.multiple).to(self.dtype, memory_format=CHANNELS_LAST)
        mask = convolve(x, self.embedding_1, padding=1, slope=SLOPE)
        x = convolve(x, self.embedding_2, padding=1, slope=SLOPE)
        x = convolve(self.u(x, mask), self.mapping, padding=1, onto=x)
        return x[..., :height, :width].float()


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs; it shares the weights of the attention."""
    return FastMST(module, getattr(torch, precision))
