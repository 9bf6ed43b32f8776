"""HDNet (Hu, Cai, Lin and others 2022): residual blocks around two attentions at full resolution.

Half way through the residual blocks, every channel and every pixel is weighted by what the
whole image says of it, then groups of channels by a map over the whole image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import Module, ResidualBlock
from napari_hsr.models.model import TileDifference


class _DomainAttention(Module):
    """The features weighted by channel, plus the features weighted by pixel.

    ``right`` finds a weight for each channel from a mean over the pixels that one map
    chooses; ``left`` finds one for each pixel by similarity to the mean pixel.
    """

    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        self.conv_q_right = nn.Conv2d(width, 1, 1, bias=False)
        self.conv_v_right = nn.Conv2d(width, half, 1, bias=False)
        self.conv_up = nn.Conv2d(half, width, 1, bias=False)
        self.conv_q_left = nn.Conv2d(width, half, 1, bias=False)
        self.conv_v_left = nn.Conv2d(width, half, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self._of_pixels(x) + x * self._of_channels(x)

    def _of_channels(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1) in 0..1."""
        chosen = self.conv_q_right(x).flatten(2).softmax(-1)
        mean = self.conv_v_right(x).flatten(2) @ chosen.transpose(1, 2)
        return torch.sigmoid(self.conv_up(mean[..., None]))

    def _of_pixels(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) in 0..1."""
        mean = self.conv_q_left(x).mean((2, 3))[:, None]
        likeness = mean @ self.conv_v_left(x).flatten(2)
        return torch.sigmoid(likeness.softmax(-1).unflatten(-1, x.shape[-2:]))


class _GroupAttention(Module):
    """A group of channels plus itself weighted by one map that sums to 1 over the image."""

    def __init__(self, width: int):
        super().__init__()
        self.conv_dws = nn.Conv2d(width, width, 1, groups=width)
        self.bn_dws = nn.BatchNorm2d(width)
        self.conv_point = nn.Conv2d(width, 1, 1)
        self.bn_point = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        peaks = F.max_pool2d(F.relu(self.bn_dws(self.conv_dws(x))), 3, stride=1, padding=1)
        weight = F.relu(self.bn_point(self.conv_point(peaks)))
        return x * weight.flatten(2).softmax(-1).view_as(weight) + x


class _Fusion(Module):
    """The groups of channels, each with its own attention."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.subspaces = nn.ModuleList(_GroupAttention(width // groups) for _ in range(groups))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(len(self.subspaces), 1)
        return torch.cat([s(part) for s, part in zip(self.subspaces, parts, strict=True)], 1)


class HDNet(Module):
    """(N, channels, H, W) → (N, bands, H, W), linear output; any H and W.

    Parameters
    ----------
    channels, bands : int
        Of input and output.
    width : int
        Feature channels (published: 48).
    before, after : int
        Residual blocks on either side of the attentions (published: 32 and 31).
    groups : int
        Of the second attention (published: 4).
    """

    def __init__(
        self,
        channels: int = 3,
        bands: int = 31,
        width: int = 48,
        before: int = 32,
        after: int = 31,
        groups: int = 4,
    ):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1))
        self.body = nn.Sequential(
            *(ResidualBlock(width) for _ in range(before)),
            _DomainAttention(width),
            _Fusion(width, groups),
            *(ResidualBlock(width) for _ in range(after)),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.tail = nn.Sequential(nn.Conv2d(width, bands, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        x = self.head(x)
        return self.tail(self.body(x) + x)


def _place_of_attention(weights: Weights) -> int | None:
    """How many residual blocks stand before the first attention; None if there is none."""
    places = numbered(weights, "body.")
    return next((n for n in places if f"body.{n}.conv_q_right.weight" in weights), None)


def _read(weights: Weights) -> Network:
    width, channels = weights["head.0.weight"].shape[:2]
    bands = weights["tail.0.weight"].shape[0]
    before = _place_of_attention(weights) or 0
    # a file without its last parts is one block short: the first key that differs is then named
    after = max(0, numbered(weights, "body.")[-1] - before - 2)
    groups = max(1, len(numbered(weights, f"body.{before + 1}.subspaces.")))
    return Network(
        build=lambda: HDNet(channels, bands, width, before, after, groups),
        channels=channels,
        bands=bands,
        context=None,  # both attentions see the whole image
        tile_difference=TileDifference(0.053),
        bytes_per_pixel=1550,
        precisions=("float32",),
    )


ARCHITECTURE = Architecture(
    id="hdnet",
    title="HDNet",
    keys=kernels("head.0.weight", "tail.0.weight"),
    also=lambda weights: _place_of_attention(weights) is not None,
    read=_read,
    published=(HDNet,),
)
