"""MXR-U-Net: a residual encoder with Mish, a sub-pixel decoder, self-attention at an eighth of the size.

After the network of akashpalrecha/hyperspectral-reconstruction (NTIRE 2020): an XResNet encoder
in fastai's dynamic U-Net. Names of parts are those of its state dict. Three sizes were published
(mxresnet50, 34 and 18 as encoders); width, depth, kind of block and self-attention are read off
the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.input_rules import NTIRE2020_CLEAN, Statistics, statistics_from_words
from napari_hsr.models.layers import LARGE_KERNEL, Module, Part, SpectralConv1d, WeightNormConv2d
from napari_hsr.models.model import TileDifference

TITLE = "MXR-U-Net"

#: The stages of the encoder stand behind three convolutions and a pooling.
_FIRST_STAGE = 4


#: Of the published sizes: by how many residual blocks there are, whether these are bottlenecks,
#: and whether there is attention.
_TILE_DIFFERENCES = {
    (8, False, True): TileDifference(0.027),
    (16, False, True): TileDifference(0.18),
    (16, False, False): TileDifference(0.14),
    (16, True, True): TileDifference(0.16),
}


@dataclass(frozen=True)
class Layout:
    """What distinguishes one MXR-U-Net from another.

    Attributes
    ----------
    channels, bands : int
        Of the input and of the output.
    stem : tuple of int
        Widths of the three convolutions at half the size.
    inner, outer : tuple of int
        Of each stage of the encoder: widths within a block and behind it.
    blocks : tuple of int
        How many residual blocks each stage has.
    bottleneck : bool
        Whether a block is 1x1, 3x3, 1x1 (else 3x3, 3x3).
    attention : bool
        Whether the second step of the decoder ends in self-attention.
    """

    channels: int
    bands: int
    stem: tuple[int, ...]
    inner: tuple[int, ...]
    outer: tuple[int, ...]
    blocks: tuple[int, ...]
    bottleneck: bool
    attention: bool

    def describe(self) -> str:
        """The encoder by its usual name, and whether there is self-attention."""
        depth = sum(self.blocks) * (3 if self.bottleneck else 2) + 2
        attention = "with" if self.attention else "without"
        return f"mxresnet{depth}, {attention} self-attention"


#: The smallest that was published: mxresnet18 with self-attention, for RGB and 31 bands.
SHALLOW = Layout(
    channels=3,
    bands=31,
    stem=(32, 64, 64),
    inner=(64, 128, 256, 512),
    outer=(64, 128, 256, 512),
    blocks=(2, 2, 2, 2),
    bottleneck=False,
    attention=True,
)
#: As deep as mxresnet34; the full network, mxresnet50, has as many blocks of three convolutions.
_MIDDLE = replace(SHALLOW, blocks=(3, 4, 6, 3))


def _conv_norm(into: int, out: int, size: int, stride: int = 1, mish: bool = True) -> nn.Sequential:
    conv = nn.Conv2d(into, out, size, stride, size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), *([nn.Mish()] if mish else []))


class ResidualBlock(Module):
    """Mish(convolutions + shortcut); the shortcut is pooled, then widened."""

    def __init__(self, into: int, inner: int, out: int, stride: int, bottleneck: bool):
        super().__init__()
        if bottleneck:
            steps = [
                _conv_norm(into, inner, 1),
                _conv_norm(inner, inner, 3, stride),
                _conv_norm(inner, out, 1, mish=False),
            ]
        else:
            steps = [_conv_norm(into, inner, 3, stride), _conv_norm(inner, out, 3, mish=False)]
        self.convs = nn.Sequential(*steps)
        self.pool = nn.AvgPool2d(2, ceil_mode=True) if stride > 1 else nn.Identity()
        same = into == out
        self.idconv = nn.Identity() if same else _conv_norm(into, out, 1, mish=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) → (N, out, H/stride, W/stride), rounded up."""
        return functional.mish(self.convs(x) + self.idconv(self.pool(x)))


class SelfAttention(Module):
    """x + gamma * attention over all pixels; the softmax runs over the *query* pixels.

    Attributes
    ----------
    values_at_once : int
        How much of the attention matrix is held at a time.
    """

    values_at_once = 2**24

    def __init__(self, channels: int):
        super().__init__()
        self.query = SpectralConv1d(channels, channels // 8)
        self.key = SpectralConv1d(channels, channels // 8)
        self.value = SpectralConv1d(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same.

        Keys are independent of each other, so the matrix of (HW)² values is made in parts.
        """
        pixels = x.flatten(2)
        query, value = self.query(pixels).transpose(1, 2), self.value(pixels)
        at_once = max(1, self.values_at_once // (len(x) * pixels.shape[2]))
        mixed = [
            value @ (query @ key).softmax(dim=1) for key in self.key(pixels).split(at_once, dim=2)
        ]
        return (self.gamma * torch.cat(mixed, dim=2) + pixels).view_as(x)


class SubPixel(Module):
    """Twice the size: 1x1 convolution, ReLU, pixel shuffle."""

    def __init__(self, into: int, out: int):
        super().__init__()
        self.conv = nn.Sequential(WeightNormConv2d(into, 4 * out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) → (N, out, 2H, 2W)."""
        return functional.pixel_shuffle(self.conv(x).relu_(), 2)


def _blur(x: Tensor) -> Tensor:
    """Mean of each pixel with its neighbours above and to the left: hides the shuffle's grid."""
    return functional.avg_pool2d(functional.pad(x, (1, 0, 1, 0), mode="replicate"), 2, stride=1)


class DecoderBlock(Module):
    """Up by two, joined with the encoder's features of that size, two convolutions."""

    def __init__(self, into: int, skip: int, out: int, attention: bool = False):
        super().__init__()
        self.shuf = SubPixel(into, into // 2)
        self.bn = nn.BatchNorm2d(skip)
        self.conv1 = nn.Sequential(WeightNormConv2d(into // 2 + skip, out, 3), nn.ReLU())
        end = [SelfAttention(out)] if attention else []
        self.conv2 = nn.Sequential(WeightNormConv2d(out, out, 3), nn.ReLU(), *end)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, into, h, w) and (N, skip, H, W) → (N, out, H, W)."""
        x = _blur(self.shuf(x))
        if x.shape[-2:] != skip.shape[-2:]:
            x = functional.interpolate(x, skip.shape[-2:], mode="nearest")
        return self.conv2(self.conv1(torch.cat([x, self.bn(skip)], dim=1).relu_()))


class LastBlock(Module):
    """x + two convolutions, each with ReLU."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(WeightNormConv2d(channels, channels, 3), nn.ReLU()),
            nn.Sequential(WeightNormConv2d(channels, channels, 3), nn.ReLU()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        return self.layers(x) + x


class MXRUNet(Module):
    """(N, channels, H, W) normalised RGB → (N, bands, H, W), any H, W ≥ 1.

    The original takes even sizes only; an odd one is grown by repeating its last row or
    column, and the result is cropped.
    """

    def __init__(self, layout: Layout):
        super().__init__()
        widths = (layout.channels, *layout.stem)
        encoder: list[nn.Module] = [
            _conv_norm(widths[i], widths[i + 1], 3, stride=2 if i == 0 else 1) for i in range(3)
        ]
        encoder.append(nn.MaxPool2d(3, stride=2, padding=1))
        width = layout.stem[-1]
        stages = zip(layout.inner, layout.outer, layout.blocks, strict=True)
        for number, (inner, outer, blocks) in enumerate(stages):
            stage = []
            for block in range(blocks):
                stride = 2 if number > 0 and block == 0 else 1
                stage.append(ResidualBlock(width, inner, outer, stride, layout.bottleneck))
                width = outer
            encoder.append(nn.Sequential(*stage))

        middle = nn.Sequential(
            nn.Sequential(WeightNormConv2d(width, 2 * width, 3), nn.ReLU()),
            nn.Sequential(WeightNormConv2d(2 * width, width, 3), nn.ReLU()),
        )
        skips = (*layout.outer[-2::-1], layout.stem[-1])
        decoder = []
        for step, skip in enumerate(skips):
            joined = width // 2 + skip
            out = joined // 2 if step == len(skips) - 1 else joined
            decoder.append(DecoderBlock(width, skip, out, layout.attention and step == 1))
            width = out
        last = width + layout.channels
        # Places 2 (a ReLU) and 9 (joining with the input) hold no weights; forward does them.
        self.layers = nn.ModuleList(
            [
                nn.Sequential(*encoder),
                nn.BatchNorm2d(layout.outer[-1]),
                nn.ReLU(),
                middle,
                *decoder,
                SubPixel(width, width),
                nn.Identity(),
                LastBlock(last),
                nn.Sequential(WeightNormConv2d(last, layout.bands, 1)),
            ]
        )

    def forward(self, rgb: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = rgb.shape[-2:]
        if height % 2 or width % 2:
            rgb = functional.pad(rgb, (0, width % 2, 0, height % 2), mode="replicate")
        features, skips = rgb, []
        encoder: Part = self.layers[0]
        for place, part in enumerate(encoder):
            features = part(features)
            if place == 2 or _FIRST_STAGE <= place < _FIRST_STAGE + 3:
                skips.append(features)
        features = self.layers[3](self.layers[1](features).relu_())
        for block in self.layers[4:8]:
            features = block(features, skips.pop())
        features = torch.cat([self.layers[8](features), rgb], dim=1)
        return self.layers[11](self.layers[10](features))[..., :height, :width]


def layout_of(weights: Weights) -> Layout:
    """The layout, read off keys and shapes."""

    def width(key: str) -> int:
        # what is missing or no kernel is named when the weights are filled in; any does till then
        return weights[key].shape[0] if key in weights and weights[key].ndim else 8

    stages = [f"layers.0.{_FIRST_STAGE + i}." for i in range(4)]
    bottleneck = f"{stages[0]}0.convs.2.0.weight" in weights
    last = 2 if bottleneck else 1
    return Layout(
        channels=weights["layers.0.0.0.weight"].shape[1],
        bands=width("layers.11.0.weight_v"),
        stem=tuple(width(f"layers.0.{i}.0.weight") for i in range(3)),
        inner=tuple(width(f"{stage}0.convs.0.0.weight") for stage in stages),
        outer=tuple(width(f"{stage}0.convs.{last}.0.weight") for stage in stages),
        blocks=tuple(len(numbered(weights, stage)) for stage in stages),
        bottleneck=bottleneck,
        attention="layers.5.conv2.2.gamma" in weights,
    )


def _read(weights: Weights, rule: Statistics = NTIRE2020_CLEAN) -> Network:
    layout = layout_of(weights)
    widest = layout.outer[-1]
    return Network(
        build=lambda: MXRUNet(layout),
        title=f"{TITLE} ({layout.describe()})",
        limits="The statistics of its input, those of NTIRE 2020's clean track, are assumed too.",
        channels=layout.channels,
        bands=layout.bands,
        # Even without attention it is not local: how features are resized to fit the encoder's
        # depends on the size of the whole image.
        context=None,
        tile_difference=_TILE_DIFFERENCES.get(
            (sum(layout.blocks), layout.bottleneck, layout.attention)
        ),
        bytes_per_pixel=9 * weights["layers.11.0.weight_v"].shape[1],
        # a kernel laid out anew, and what is left of others
        bytes_fixed=3 * 4 * min(LARGE_KERNEL, 2 * 9 * widest**2),
        rule=rule,
    )


_SIZES = {
    "shallow": SHALLOW,
    "middle": _MIDDLE,
    "middle-plain": replace(_MIDDLE, attention=False),
    "full": replace(_MIDDLE, outer=(256, 512, 1024, 2048), bottleneck=True),
}
_VARIANTS = {name: partial(MXRUNet, layout) for name, layout in _SIZES.items()}

ARCHITECTURE = Architecture(
    id="mxrunet",
    title=TITLE,
    keys=kernels(
        *(f"layers.0.{i}.0.weight" for i in range(3)),
        *(f"layers.0.{i}.0.convs.0.0.weight" for i in range(4, 8)),
        *(f"layers.{i}.shuf.conv.0.weight_v" for i in range(4, 8)),
        "layers.8.conv.0.weight_v",
        "layers.10.layers.0.0.weight_v",
        "layers.11.0.weight_v",
    ),
    read=_read,
    read_with_card=lambda weights, card: _read(weights, statistics_from_words(card.input_rule)),
    published=tuple(_VARIANTS.values()),
    variants=_VARIANTS,
)
