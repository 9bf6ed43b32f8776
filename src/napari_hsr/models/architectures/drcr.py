"""DRCR-Net (Li, Du, Song and others 2022): dense residual channel re-calibration.

A three-scale module first cleans the features of the photograph's noise (non-local
purification), then densely linked blocks re-weight their channels twice by what they find on
average over the whole image. Every value of the output depends on the whole input.

Two facts of the published network that its weights demand: the quarter scale of the
purification uses the convolutions of the half scale, so ``conv4_33`` and ``conv4_11`` are
stored and never used; and a block's skip connection is its input re-weighted twice, not its input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.base import Architecture, Network, Weights, numbered, shapes_of
from napari_hsr.models.input_rules import Maximum
from napari_hsr.models.layers import Module, NamedConv, gate_layers, pad_below_right
from napari_hsr.models.model import TileDifference

SLOPE = 0.2


class _Purification(Module):
    """The features plus what three scales of them say together."""

    def __init__(self, width: int):
        super().__init__()
        for scale in (0, 2, 4):
            setattr(self, f"conv{scale}_33", nn.Conv2d(width, width, 3, padding=1))
            setattr(self, f"conv{scale}_11", nn.Conv2d(width, width, 1))
            setattr(self, f"conv_{scale}_cat", nn.Conv2d(2 * width, width, 3, padding=1))
        self.conv_cat = nn.Conv2d(3 * width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        half = F.avg_pool2d(x, 2)
        quarter = F.avg_pool2d(half, 2)
        whole = _branch(x, self.conv0_33, self.conv0_11, self.conv_0_cat)
        half = _branch(half, self.conv2_33, self.conv2_11, self.conv_2_cat)
        # not conv4_33 and conv4_11: they are in the weights, and the network was trained without
        quarter = _branch(quarter, self.conv2_33, self.conv2_11, self.conv_4_cat)
        scales = [whole, _enlarge(half, 2), _enlarge(quarter, 4)]
        return x + F.leaky_relu(self.conv_cat(torch.cat(scales, 1)), SLOPE)


def _branch(x: Tensor, wide: nn.Module, narrow: nn.Module, join: nn.Module) -> Tensor:
    return F.leaky_relu(join(torch.cat([wide(x), narrow(x)], 1)), SLOPE)


def _enlarge(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class _Recalibration(Module):
    """Each channel times a gate between 0 and 1, found from the means of all channels."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc = gate_layers(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class _Block(Module):
    """Six convolutions, the last three also fed by the first three, around two re-calibrations."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        for number in (1, 2, 3):
            setattr(self, f"conv{number}", NamedConv(width, width))
        for number in (4, 5, 6):
            setattr(self, f"conv{number}", NamedConv(2 * width, width))
        self.se1 = _Recalibration(width, hidden)
        self.se2 = _Recalibration(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x1 = F.leaky_relu(self.conv1(x), SLOPE)
        x2 = F.leaky_relu(self.conv2(x1), SLOPE)
        x3 = F.leaky_relu(self.conv3(x2), SLOPE)
        weighted = self.se1(x)
        x4 = F.leaky_relu(self.conv4(torch.cat([x3, weighted], 1)), SLOPE)
        x5 = F.leaky_relu(self.conv5(torch.cat([x2, x4], 1)), SLOPE)
        x6 = F.leaky_relu(self.conv6(torch.cat([x1, x5], 1)), SLOPE)
        return x6 + self.se2(weighted)


class DRCR(Module):
    """(N, channels, H, W) → (N, bands, H, W), linear output.

    H and W that are not multiples of 4 are padded below and to the right, and cropped again;
    the channel means then see the padding.

    Parameters
    ----------
    channels, bands : int
        Of input and output.
    width : int
        Feature channels (published: 100).
    blocks : int
        Re-calibration blocks (published: 10).
    hidden : int
        Width of the gates (published: 12, an eighth of the features).
    """

    def __init__(
        self,
        channels: int = 3,
        bands: int = 31,
        width: int = 100,
        blocks: int = 10,
        hidden: int = 12,
    ):
        super().__init__()
        self.input_conv2D = NamedConv(channels, width, reflect=True)
        self.input_prelu2D = nn.PReLU()
        self.head_conv2D = NamedConv(width, width, reflect=True)
        self.denosing = _Purification(width)
        self.backbone = nn.ModuleList(_Block(width, hidden) for _ in range(blocks))
        self.tail_conv2D = NamedConv(width, width, reflect=True)
        self.output_prelu2D = nn.PReLU()
        self.output_conv2D = NamedConv(width, bands, reflect=True)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = x.shape[-2:]
        x = pad_below_right(x, 4)
        x = self.head_conv2D(self.input_prelu2D(self.input_conv2D(x)))
        x = self.denosing(x)
        for block in self.backbone:
            x = block(x)
        x = self.output_conv2D(self.output_prelu2D(self.tail_conv2D(x)))
        return x[..., :height, :width]


def _read(weights: Weights) -> Network:
    width, channels = weights["input_conv2D.conv2d.weight"].shape[:2]
    bands = weights["output_conv2D.conv2d.weight"].shape[0]
    hidden = weights["backbone.0.se1.fc.0.weight"].shape[0]
    blocks = len(numbered(weights, "backbone."))
    return Network(
        build=lambda: DRCR(channels, bands, width, blocks, hidden),
        rule=Maximum(clip=True),  # as the original saves its cubes
        channels=channels,
        bands=bands,
        context=None,  # the gates are means over the whole image
        tile_difference=TileDifference(0.07),
        bytes_per_pixel=2300,
        bytes_per_pixel_exact=6100,
        bytes_fixed=5 * 2**25,  # what the allocator keeps of features below 32 MB
    )


#: Tensors of the network outside its blocks, and in each block.
_OUTSIDE, _PER_BLOCK = 26, 18


def by_position(weights: Weights) -> Weights | None:
    """The weights under the names of the published network, or None if they are not its own.

    The original's test program copies values by their order and never looks at names, so
    files of it are in circulation with other names: they are known by the order of their shapes.
    """
    values = list(weights.values())
    blocks, rest = divmod(len(values) - _OUTSIDE, _PER_BLOCK)
    if rest or blocks < 1 or any(value.ndim != 4 for value in (values[0], values[-1])):
        return None
    width, channels = values[0].shape[:2]
    gates = [value for value in values if value.ndim == 2]
    if not gates:
        return None
    hidden, bands = gates[0].shape[0], values[-1].shape[0]
    expected = shapes_of(lambda: DRCR(channels, bands, width, blocks, hidden))
    if [tuple(value.shape) for value in values] != list(expected.values()):
        return None
    return dict(zip(expected, values, strict=True))


ARCHITECTURE = Architecture(
    id="drcr",
    title="DRCR-Net",
    keys={
        "input_conv2D.conv2d.weight": 4,
        "input_prelu2D.weight": 1,
        "denosing.conv_cat.weight": 4,
        "backbone.0.se1.fc.0.weight": 2,
        "output_conv2D.conv2d.weight": 4,
    },
    read=_read,
    published=(DRCR,),
    by_position=by_position,
)
