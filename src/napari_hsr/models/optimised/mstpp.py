"""Optimised MST++; see :mod:`~napari_hsr.models.optimised.spectral_attention`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsr.models.layers import Module, Part, pad_below_right
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed
from napari_hsr.models.optimised.spectral_attention import FastU


class _Stage(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        hold(self, embedding=packed(exact.embedding.weight, dtype))
        hold(self, mapping=packed(exact.mapping.weight, dtype))
        self.u = FastU(exact, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """In place."""
        return convolve(
            self.u(convolve(x, self.embedding, padding=1)), self.mapping, padding=1, onto=x
        )


class FastMSTPlusPlus(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32, image by image."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.dtype, self.multiple = dtype, exact.multiple
        hold(self, into=packed(exact.conv_in.weight, dtype))
        hold(self, out=packed(exact.conv_out.weight, dtype))
        self.body = nn.Sequential(*(_Stage(stage, dtype) for stage in exact.body))

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        if len(x) != 1:
            return torch.cat([self(image[None]) for image in x])
        height, width = x.shape[-2:]
        x = pad_below_right(x, self.multiple).to(self.dtype, memory_format=CHANNELS_LAST)
        x = convolve(x, self.into, padding=1)
        x = convolve(self.body(x.clone()), self.out, padding=1, onto=x)
        return x[..., :height, :width].float()


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs; it shares the weights of the attention."""
    return FastMSTPlusPlus(module, getattr(torch, precision))
