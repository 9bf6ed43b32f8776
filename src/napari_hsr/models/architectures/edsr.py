"""EDSR without upsampling: residual blocks without norms, three channels in, bands out.

Lim, Son, Kim, Nah, Lee 2017, "Enhanced deep residual networks for single image
super-resolution", in the form that MST++'s toolbox trains.
"""

from __future__ import annotations

import re

from torch import Tensor, nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import Module, ResidualBlock


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class EDSR(Module):
    """(N, channels, H, W) → (N, bands, H, W), any size."""

    def __init__(self, channels: int = 3, bands: int = 31, width: int = 64, blocks: int = 32):
        super().__init__()
        self.head = nn.Sequential(_conv(channels, width))
        self.body = nn.Sequential(
            *(ResidualBlock(width) for _ in range(blocks)), _conv(width, width)
        )
        self.tail = nn.Sequential(_conv(width, bands))

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        x = self.head(x)
        return self.tail(self.body(x).add_(x))


_NAMES = re.compile(r"((head|tail)\.0|body\.\d+(\.body\.[02])?)\.(weight|bias)")


def _read(weights: Weights) -> Network:
    width, channels = weights["head.0.weight"].shape[:2]
    bands = weights["tail.0.weight"].shape[0]
    blocks = len(numbered(weights, "body.")) - 1  # the last part is a single convolution
    return Network(
        build=lambda: EDSR(channels, bands, width, blocks),
        channels=channels,
        bands=bands,
        context=2 * blocks + 3,  # 3×3 convolutions: two a block, and three more
        bytes_per_pixel=4 * (7 * width + bands),
    )


ARCHITECTURE = Architecture(
    id="edsr",
    title="EDSR",
    keys=kernels("head.0.weight", "body.0.body.0.weight", "body.0.body.2.weight", "tail.0.weight"),
    also=lambda weights: all(map(_NAMES.fullmatch, weights)),  # HDNet has more tensors
    read=_read,
    published=(EDSR,),
)
