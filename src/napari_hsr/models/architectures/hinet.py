"""HINet: two U-Nets in a row with half instance normalisation.

Chen, Lu, Zhang, Chu, Chen 2021, "HINet: Half instance normalization network for image
restoration", in the form that MST++'s toolbox trains: a convolution makes as many channels as
there are bands, both U-Nets work on those, and only the second one's result is returned.
Instance norms take means over the whole image, so an output pixel depends on all of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import Module, Part, SupervisedAttention, pad_below_right
from napari_hsr.models.model import TileDifference

#: Sides are padded to multiples of this.
MULTIPLE = 16


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class InstanceNorm(nn.InstanceNorm2d):
    """Each channel of each image to mean 0 and variance 1, then scaled and shifted.

    Unlike the module it is made of, it takes a single pixel too (and gives the shift alone),
    so that images of any size go through networks of any depth.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        cudnn = torch.backends.cudnn.enabled
        return torch.instance_norm(
            x, self.weight, self.bias, None, None, True, 0.0, self.eps, cudnn
        )


class Block(Module):
    """Two convolutions and a pointwise path parallel to them.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    half_norm : bool
        Instance norm on the first half of the channels between the convolutions.
    fuses : bool
        Adds features that the first U-Net had at this level.
    halves : bool
        Has a convolution of stride 2 that makes the next level's input.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        half_norm: bool = False,
        fuses: bool = False,
        halves: bool = False,
    ):
        super().__init__()
        self.identity = nn.Conv2d(inputs, outputs, 1)
        self.conv_1 = _conv(inputs, outputs)
        self.conv_2 = _conv(outputs, outputs)
        self.relu = nn.LeakyReLU(0.2)
        if fuses:
            self.csff_enc = _conv(outputs, outputs)
            self.csff_dec = _conv(outputs, outputs)
        self.norm = InstanceNorm((outputs + 1) // 2, affine=True) if half_norm else None
        if halves:
            self.downsample = nn.Conv2d(outputs, outputs, 4, stride=2, padding=1, bias=False)

    def forward(
        self, x: Tensor, encoded: Tensor | None = None, decoded: Tensor | None = None
    ) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H, W)."""
        out = self.conv_1(x)
        if self.norm is not None:
            first, second = out.chunk(2, dim=1)
            out = torch.cat([self.norm(first), second], dim=1)
        out = self.relu(self.conv_2(self.relu(out))) + self.identity(x)
        if encoded is not None and decoded is not None:
            out = out + self.csff_enc(encoded) + self.csff_dec(decoded)
        return out


class UpBlock(Module):
    """Twice the size, joined with what the way down had there."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv_block = Block(inputs, outputs)

    def forward(self, x: Tensor, bridge: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, outputs, 2H, 2W) → (N, outputs, 2H, 2W)."""
        return self.conv_block(torch.cat([self.up(x), bridge], dim=1))


class HINet(Module):
    """(N, channels, H, W) → (N, bands, H, W), any size.

    Parameters
    ----------
    channels, bands : int
        Of the input and of the output; both U-Nets are ``bands`` wide at the top.
    depth : int
        Levels of each U-Net.
    normed : tuple of bool
        For each level of the way down, whether it has the half instance norm.
    """

    def __init__(
        self,
        channels: int = 3,
        bands: int = 31,
        depth: int = 4,
        normed: tuple[bool, ...] = (True,) * 4,
    ):
        super().__init__()
        self._multiple = max(MULTIPLE, 2 ** (depth - 1))
        widths = [bands * 2**i for i in range(depth)]
        ways_down = list(zip([bands, *widths[:-1]], widths, normed, strict=True))
        ways_up = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.conv_in = nn.Conv2d(channels, bands, 3, padding=1, bias=False)
        self.down_path_1 = nn.ModuleList()
        self.down_path_2 = nn.ModuleList()
        for level, (inputs, outputs, half_norm) in enumerate(ways_down):
            more = level + 1 < depth
            self.down_path_1.append(Block(inputs, outputs, half_norm, halves=more))
            self.down_path_2.append(Block(inputs, outputs, half_norm, fuses=more, halves=more))
        self.conv_01 = _conv(bands, bands)
        self.conv_02 = _conv(bands, bands)
        self.up_path_1 = nn.ModuleList(UpBlock(*pair) for pair in ways_up)
        self.up_path_2 = nn.ModuleList(UpBlock(*pair) for pair in ways_up)
        self.skip_conv_1 = nn.ModuleList(_conv(width, width) for _, width in ways_up)
        self.skip_conv_2 = nn.ModuleList(_conv(width, width) for _, width in ways_up)
        self.sam12 = SupervisedAttention(bands, bands, 3, bias=True)
        self.cat12 = nn.Conv2d(2 * bands, bands, 1)
        self.last = _conv(bands, bands)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = x.shape[-2:]
        image = self.conv_in(pad_below_right(x, self._multiple))

        first = self.conv_01(image)
        encoded: list[Tensor] = []
        block: Part
        for block in self.down_path_1[:-1]:
            encoded.append(block(first))
            first = block.downsample(encoded[-1])
        first = self.down_path_1[-1](first)
        decoded: list[Tensor] = []
        for up, skip, bridge in zip(
            self.up_path_1, self.skip_conv_1, reversed(encoded), strict=True
        ):
            first = up(first, skip(bridge))
            decoded.insert(0, first)

        second = self.cat12(torch.cat([self.conv_02(image), self.sam12(first, image)], dim=1))
        bridges: list[Tensor] = []
        for block, before, after in zip(self.down_path_2[:-1], encoded, decoded, strict=True):
            bridges.append(block(second, before, after))
            second = block.downsample(bridges[-1])
        second = self.down_path_2[-1](second)
        for up, skip, bridge in zip(
            self.up_path_2, self.skip_conv_2, reversed(bridges), strict=True
        ):
            second = up(second, skip(bridge))
        return (self.last(second) + image)[:, :, :height, :width]


def _read(weights: Weights) -> Network:
    bands, channels = weights["conv_in.weight"].shape[:2]
    depth = len(numbered(weights, "down_path_1."))
    normed = tuple(f"down_path_1.{level}.norm.weight" in weights for level in range(depth))
    return Network(
        build=lambda: HINet(channels, bands, depth, normed),
        channels=channels,
        bands=bands,
        context=None,
        tile_difference=TileDifference(0.28),
        size_multiple=max(MULTIPLE, 2 ** (depth - 1)),
        bytes_per_pixel=4 * 24 * bands,
    )


ARCHITECTURE = Architecture(
    id="hinet",
    title="HINet",
    keys=kernels(
        "conv_in.weight",
        "down_path_1.0.identity.weight",
        "down_path_2.0.identity.weight",
        "sam12.conv3.weight",
        "cat12.weight",
    ),
    read=_read,
    published=(HINet,),
)
