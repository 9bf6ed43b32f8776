"""AWAN: residual blocks with weighted channel attention, and a second-order non-local end.

Li, Wu, Song, Li, Liu 2020, "Adaptive weighted attention network with camera spectral
sensitivity prior for spectral reconstruction from RGB images", as MST++'s toolbox trains it.
Its attention is over the whole image, and its non-local end over each quarter of it (the
halves meet at H // 2 and W // 2), so an output pixel depends on all of the image and on its
size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import Module, NamedConv, pad_to_least
from napari_hsr.models.model import TileDifference


class ChannelAttention(Module):
    """Each channel multiplied by a gate, which is made of weighted means over the image."""

    def __init__(self, width: int, narrow: int):
        super().__init__()
        self.conv = nn.Conv2d(width, 1, 1, bias=False)
        self.fc = nn.Sequential(
            nn.Linear(width, narrow, bias=False),
            nn.PReLU(),
            nn.Linear(narrow, width, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        weight = self.conv(x).flatten(2).softmax(dim=2)  # (N, 1, HW)
        means = x.flatten(2) @ weight.transpose(1, 2)  # (N, width, 1)
        return x * self.fc(means[..., 0])[..., None, None]


class Block(Module):
    """A residual block on ``x`` and a second residual that goes from block to block."""

    def __init__(self, width: int, inner: int, narrow: int, side_up: int, side_down: int):
        super().__init__()
        self.conv1 = NamedConv(width, width, reflect=True)
        self.relu1 = nn.PReLU()
        self.conv2 = NamedConv(width, width, reflect=True)
        self.relu2 = nn.PReLU()
        self.up_conv = NamedConv(width, inner, side_up, reflect=True)
        self.up_relu = nn.PReLU()
        self.se = ChannelAttention(inner, narrow)
        self.down_conv = NamedConv(inner, width, side_down, reflect=True)
        self.down_relu = nn.PReLU()

    def forward(self, x: Tensor, passed: Tensor) -> tuple[Tensor, Tensor]:
        """Both residuals, each in its own shape."""
        out = self.relu2(self.conv2(self.relu1(self.conv1(x))) + x)
        passed = self.up_relu(self.up_conv(out) + passed)
        return self.down_relu(self.down_conv(self.se(passed)) + x), passed


class NonLocal(Module):
    """Every pixel of a quarter plus a mean over the quarter, weighted by their covariance."""

    def __init__(self, bands: int, narrow: int):
        super().__init__()
        self.g = nn.Conv2d(bands, narrow, 1, bias=False)
        self.W = nn.Conv2d(narrow, bands, 1, bias=False)
        self.theta = nn.Conv2d(bands, narrow, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        keys = self.theta(x)
        narrow = keys.shape[1]
        # A fused attention never holds the matrix of all pixels by all pixels, 15 GB for an
        # image of 482 × 512. It wants channels in multiples of eight: those added are 0.
        queries, keys, values = (
            F.pad(t.flatten(2).transpose(1, 2)[:, None], (0, -narrow % 8))  # (N, 1, HW, …)
            for t in (keys - keys.mean(1, keepdim=True), keys, self.g(x))
        )
        means = F.scaled_dot_product_attention(queries, keys, values, scale=1 / narrow)
        means = means[:, 0, :, :narrow].transpose(1, 2)
        return self.W(means.unflatten(2, x.shape[2:])) + x


class Quarters(Module):
    """The same non-local block on each quarter of the image."""

    def __init__(self, bands: int, narrow: int):
        super().__init__()
        self.non_local = NonLocal(bands, narrow)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        height, width = (n // 2 for n in x.shape[-2:])
        halves = (x[:, :, :height], x[:, :, height:])
        return torch.cat(
            [
                torch.cat([self.non_local(h[..., :width]), self.non_local(h[..., width:])], dim=3)
                for h in halves
            ],
            dim=2,
        )


class AWAN(Module):
    """(N, channels, H, W) → (N, bands, H, W), any size.

    Parameters
    ----------
    channels, bands : int
        Of the input and of the output.
    width : int
        Channels between the convolutions.
    inner : int
        Channels of the second residual, which begins as the first, so it is as wide.
    blocks : int
        Residual blocks.
    narrow : int
        Channels inside the attention's gate.
    narrow_end : int
        Channels inside the non-local end.
    side_up, side_down : int
        Sides of the kernels before and after the attention.
    """

    def __init__(
        self,
        channels: int = 3,
        bands: int = 31,
        width: int = 96,
        blocks: int = 8,
        narrow: int = 6,
        narrow_end: int = 3,
        side_up: int = 5,
        side_down: int = 3,
    ):
        super().__init__()
        self._least = 1 + max(3, side_up, side_down) // 2  # so much can be reflected
        self.input_conv2D = NamedConv(channels, width, reflect=True)
        self.input_prelu2D = nn.PReLU()
        self.head_conv2D = NamedConv(width, width, reflect=True)
        self.backbone = nn.ModuleList(
            Block(width, width, narrow, side_up, side_down) for _ in range(blocks)
        )
        self.tail_conv2D = NamedConv(width, width, reflect=True)
        self.output_prelu2D = nn.PReLU()
        self.output_conv2D = NamedConv(width, bands, reflect=True)
        self.tail_nonlocal = Quarters(bands, narrow_end)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = x.shape[-2:]
        x = pad_to_least(x, self._least)
        start = self.head_conv2D(self.input_prelu2D(self.input_conv2D(x)))
        out = passed = start
        for block in self.backbone:
            out, passed = block(out, passed)
        out = self.output_prelu2D(self.tail_conv2D(out) + start)
        return self.tail_nonlocal(self.output_conv2D(out))[:, :, :height, :width]


def _read(weights: Weights) -> Network:
    width, channels = weights["input_conv2D.conv2d.weight"].shape[:2]
    bands = weights["output_conv2D.conv2d.weight"].shape[0]
    gate = weights.get("backbone.0.se.fc.0.weight")

    def build() -> AWAN:
        return AWAN(
            channels,
            bands,
            width,
            blocks=len(numbered(weights, "backbone.")),
            narrow=gate.shape[0] if gate is not None and gate.ndim else width // 16,
            narrow_end=weights["tail_nonlocal.non_local.theta.weight"].shape[0],
            side_up=weights["backbone.0.up_conv.conv2d.weight"].shape[-1],
            side_down=weights["backbone.0.down_conv.conv2d.weight"].shape[-1],
        )

    return Network(
        build=build,
        channels=channels,
        bands=bands,
        context=None,
        tile_difference=TileDifference(0.23),
        bytes_per_pixel=4 * 14 * width,
    )


ARCHITECTURE = Architecture(
    id="awan",
    title="AWAN",
    keys=kernels(
        "input_conv2D.conv2d.weight",
        "backbone.0.up_conv.conv2d.weight",
        "backbone.0.down_conv.conv2d.weight",
        "backbone.0.se.conv.weight",
        "output_conv2D.conv2d.weight",
        "tail_nonlocal.non_local.theta.weight",
    ),
    read=_read,
    published=(AWAN,),
)
