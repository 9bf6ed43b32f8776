"""A small network that looks at one pixel at a time, at any exposure.

The colour is divided by its mean over the channels and the spectrum is multiplied by it, so that
f(q · rgb) = q · f(rgb) for every exposure q > 0, to float32 rounding: what is learned is a
spectrum for each chromaticity. Negative inputs count as zero, and so do negative outputs.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, numbered
from napari_hsr.models.input_rules import AsIs
from napari_hsr.models.layers import Module

if TYPE_CHECKING:
    from torch import Tensor

#: Pixels computed at a time on a CPU: their features stay in the cache.
_BLOCK = 8192


class PerPixel(Module):
    """(N, 3, H, W) linear RGB, any exposure → (N, bands, H, W), not negative.

    A NaN in a pixel makes that pixel's spectrum NaN and touches no other.
    """

    def __init__(self, bands: int = 31, width: int = 128, hidden: int = 3):
        super().__init__()
        sizes = [3, *[width] * hidden, bands]
        self.bands = bands
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def spectra(self, rgb: Tensor) -> Tensor:
        """Colours (pixels, 3) → spectra (pixels, bands)."""
        rgb = rgb.clamp_min(0)
        brightness = rgb.mean(1, keepdim=True)
        x = rgb / torch.where(brightness > 0, brightness, torch.ones_like(brightness))
        for layer in self.layers[:-1]:
            x = nn.functional.gelu(layer(x))
        spectra: Tensor = self.layers[-1](x)
        return spectra.clamp_min(0) * brightness

    def forward(self, rgb: Tensor) -> Tensor:
        """Spectra of every pixel."""
        n, _, height, width = rgb.shape
        if self.training:  # one piece, through which gradients flow
            made = self.spectra(rgb.movedim(1, -1).reshape(-1, 3))
            return made.view(n, height, width, self.bands).movedim(-1, 1)
        out = rgb.new_empty((n, self.bands, height * width))
        step = _BLOCK if rgb.device.type == "cpu" else height * width
        for spectra, colours in zip(out, rgb.flatten(2), strict=True):
            for start in range(0, height * width, step):
                block = colours[:, start : start + step]
                spectra[:, start : start + step] = self.spectra(block.T).T
        return out.view(n, self.bands, height, width)


_NAMES = re.compile(r"layers\.\d+\.(weight|bias)")


def _read(weights: Weights) -> Network:
    hidden = len(numbered(weights, "layers.")) - 1
    width = weights["layers.0.weight"].shape[0]
    bands = weights[f"layers.{hidden}.weight"].shape[0]
    return Network(
        build=lambda: PerPixel(bands, width, hidden),
        bands=bands,
        rule=AsIs(),
        context=0,
        bytes_per_pixel=4 * (6 + 2 * bands),
        bytes_fixed=4 * _BLOCK * (3 * width + 2 * bands),
    )


ARCHITECTURE = Architecture(
    id="per-pixel",
    title="Per-pixel network",
    keys={"layers.0.weight": 2, "layers.0.bias": 1, "layers.1.weight": 2},
    also=lambda weights: (
        all(map(_NAMES.fullmatch, weights)) and weights["layers.0.weight"].shape[1] == 3
    ),
    read=_read,
)
