"""HSCNN+: dense fusion blocks whose outputs all feed every following block.

Shi, Chen, Xiong, Liu, Wu 2018, "HSCNN+: Advanced CNN-based hyperspectral recovery from RGB
images", in the form that MST++'s toolbox trains: two parallel paths a block, no biases,
linear output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import Module

#: Channels of the first features, and of what each block adds to them.
FIRST, GROWTH = 128, 32


def _conv(inputs: int, outputs: int, side: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)


def _pointwise(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What ``conv``, a 1×1 convolution, makes of ``x``, as one matrix product.

    For hundreds of channels that are a part of a larger array it takes half the time and no
    memory: a convolution on a CPU first brings all of them into an order of its own.
    """
    return (conv.weight.flatten(1) @ x.flatten(2)).unflatten(2, x.shape[2:])


class Paths(Module):
    """Two paths of a wide and a pointwise convolution; their four outputs side by side."""

    def make_paths(self, inputs: int, pointwise: int) -> None:
        """Their convolutions; ``pointwise`` is how many channels each pointwise one makes."""
        self.conv_up1 = _conv(inputs, 32, 3)
        self.conv_up2 = _conv(32, pointwise, 1)
        self.conv_down1 = _conv(inputs, 32, 3)
        self.conv_down2 = _conv(32, pointwise, 1)

    def both(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 64 + 2 · pointwise, H, W)."""
        up = self.conv_up1(x).relu_()
        down = self.conv_down1(x).relu_()
        return torch.cat(
            [up, self.conv_up2(up).relu_(), down, self.conv_down2(down).relu_()], dim=1
        )


class FusionBlock(Paths):
    """What one block adds: (N, inputs, H, W) → (N, 32, H, W)."""

    def __init__(self, inputs: int):
        super().__init__()
        self.conv1 = _conv(inputs, FIRST, 1)
        self.make_paths(FIRST, 16)
        self.conv_fution = _conv(96, GROWTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """New features of all the features so far."""
        return self.conv_fution(self.both(_pointwise(self.conv1, x).relu_())).relu_()


class DenseFusion(Paths):
    """The image's first features and, behind them, what each block adds."""

    def __init__(self, channels: int, blocks: int):
        super().__init__()
        self.make_paths(channels, 32)
        self.dfus_blocks = nn.ModuleList(FusionBlock(FIRST + GROWTH * i) for i in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, 128 + 32 · blocks, H, W)."""
        features = self.both(x)
        if features.requires_grad:  # gradients need what each block saw, untouched
            for block in self.dfus_blocks:
                features = torch.cat([features, block(features)], dim=1)
            return features
        # Otherwise the features grow where they lie, which spares a copy of them a block.
        n, _, height, width = features.shape
        whole = features.new_empty((n, FIRST + GROWTH * len(self.dfus_blocks), height, width))
        whole[:, :FIRST] = features
        del features
        for i, block in enumerate(self.dfus_blocks):
            filled = FIRST + GROWTH * i
            whole[:, filled : filled + GROWTH] = block(whole[:, :filled])
        return whole


class HSCNNPlus(Module):
    """(N, channels, H, W) → (N, bands, H, W), any size."""

    def __init__(self, channels: int = 3, bands: int = 31, blocks: int = 30):
        super().__init__()
        self.ddfn = DenseFusion(channels, blocks)
        self.conv_out = _conv(FIRST + GROWTH * blocks, bands, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        return _pointwise(self.conv_out, self.ddfn(x))


def _read(weights: Weights) -> Network:
    channels = weights["ddfn.conv_up1.weight"].shape[1]
    bands = weights["conv_out.weight"].shape[0]
    blocks = len(numbered(weights, "ddfn.dfus_blocks."))
    return Network(
        build=lambda: HSCNNPlus(channels, bands, blocks),
        channels=channels,
        bands=bands,
        context=1 + blocks,  # one 3×3 convolution at the start and one a block
        bytes_per_pixel=4 * (FIRST + GROWTH * blocks + 5 * FIRST + bands),
    )


ARCHITECTURE = Architecture(
    id="hscnn_plus",
    title="HSCNN+",
    keys=kernels(
        "ddfn.conv_up1.weight", "ddfn.dfus_blocks.0.conv_fution.weight", "conv_out.weight"
    ),
    read=_read,
    published=(HSCNNPlus,),
)
