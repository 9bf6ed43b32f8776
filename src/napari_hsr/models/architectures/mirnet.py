"""MIRNet as trained for spectral reconstruction: parallel streams of three resolutions.

Zamir et al. 2020, "Learning Enriched Features for Real Image Restoration and Enhancement",
in the size of the MST++ toolbox (Cai et al. 2022): three groups, one block each, width 1.
With width 1 the streams never exchange features, so two fifths of the parameters (most
resizing layers, two of the three fusions) are carried by every checkpoint and never used.
All dual attention units share one PReLU, and a row of the grid is one unit used ``width``
times; both are kept, so that the weights load as they were saved.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import ChannelGate, Module, Part, pad_below_right
from napari_hsr.models.model import TileDifference


def _conv(inputs: int, outputs: int, size: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=bias)


class BlurPool(Module):
    """Binomial 3×3 blur with reflected borders, then every second pixel."""

    def __init__(self, width: int):
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        kernel = torch.outer(line, line) / 16
        self.register_buffer("filt", kernel.repeat(width, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(x, self.filt, stride=2, groups=self.filt.shape[0])


class Halve(Module):
    """To half the resolution and twice the channels."""

    def __init__(self, width: int):
        super().__init__()
        self.top = nn.Sequential(
            _conv(width, width, 1),
            nn.PReLU(),
            _conv(width, width, 3),
            nn.PReLU(),
            BlurPool(width),
            _conv(width, 2 * width, 1),
        )
        self.bot = nn.Sequential(BlurPool(width), _conv(width, 2 * width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.top(x) + self.bot(x)


class Double(Module):
    """To twice the resolution and half the channels."""

    def __init__(self, width: int):
        super().__init__()
        self.top = nn.Sequential(
            _conv(width, width, 1),
            nn.PReLU(),
            nn.ConvTranspose2d(width, width, 3, 2, padding=1, output_padding=1, bias=False),
            nn.PReLU(),
            _conv(width, width // 2, 1),
        )
        self.bot = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            _conv(width, width // 2, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.top(x) + self.bot(x)


class Resize(Module):
    """``steps`` halvings or doublings one after another."""

    def __init__(self, kind: type[Halve] | type[Double], width: int, steps: int):
        super().__init__()
        widths = (width << i if kind is Halve else width >> i for i in range(steps))
        self.body = nn.Sequential(*map(kind, widths))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class SpatialGate(Module):
    """A weight for each pixel, from the channels' maximum and mean."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.ModuleDict({"conv": _conv(2, 1, 5)})

    def forward(self, x: Tensor) -> Tensor:
        summary = torch.cat((x.amax(1, keepdim=True), x.mean(1, keepdim=True)), 1)
        return x * self.spatial["conv"](summary).sigmoid()


class DualAttention(Module):
    """A residual unit whose features are weighted per pixel and per channel."""

    def __init__(self, width: int, act: nn.PReLU):
        super().__init__()
        self.body = nn.Sequential(_conv(width, width, 3), act, _conv(width, width, 3))
        self.SA = SpatialGate()
        self.CA = ChannelGate(width, width // 8)
        self.conv1x1 = _conv(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.body(x)
        return self.conv1x1(torch.cat((self.SA(inner), self.CA(inner)), 1)) + x


class SelectiveFusion(Module):
    """Weighted sum of the streams; the weights of each channel add up to one."""

    def __init__(self, width: int, streams: int):
        super().__init__()
        hidden = max(width // 8, 4)
        self.conv_du = nn.Sequential(_conv(width, hidden, 1), nn.PReLU())
        self.fcs = nn.ModuleList(_conv(hidden, width, 1) for _ in range(streams))

    def forward(self, streams: list[Tensor]) -> Tensor:
        stack = torch.stack(streams, 1)
        summary = self.conv_du(stack.sum(1).mean((2, 3), keepdim=True))
        weights = torch.stack([fc(summary) for fc in self.fcs], 1).softmax(1)
        return (stack * weights).sum(1)


class MultiScale(Module):
    """A grid: ``height`` resolutions, ``width`` columns with full exchange between columns."""

    def __init__(self, features: int, height: int, width: int, bias: bool, act: nn.PReLU):
        super().__init__()
        self.width = width
        widths = [features << level for level in range(height)]
        self.blocks = nn.ModuleList(nn.ModuleList([DualAttention(w, act)] * width) for w in widths)
        self.last_up = nn.ModuleDict(
            {f"{level}": Resize(Double, widths[level], level) for level in range(1, height)}
        )
        self.down = nn.ModuleDict()
        self.up = nn.ModuleDict()
        for level, w in enumerate(widths):
            for steps in range(height - 1 - level, 0, -1):
                self.down[f"{w}_{1 << steps}"] = Resize(Halve, w, steps)
        for level, w in reversed(list(enumerate(widths))):
            for steps in range(level, 0, -1):
                self.up[f"{w}_{1 << steps}"] = Resize(Double, w, steps)
        self.conv_out = _conv(features, features, 3, bias)
        self.selective_kernel = nn.ModuleList(SelectiveFusion(w, height) for w in widths)

    def _at(self, x: Tensor, level: int, target: int) -> Tensor:
        if level == target:
            return x
        ways = self.up if target < level else self.down
        return ways[f"{x.shape[1]}_{1 << abs(level - target)}"](x)

    def forward(self, x: Tensor) -> Tensor:
        streams: list[Tensor] = []
        row: Part
        for level, row in enumerate(self.blocks):
            streams.append(row[0](self._at(streams[-1], level - 1, level) if streams else x))
        for column in range(1, self.width):
            fused = [
                fuse([self._at(s, level, target) for level, s in enumerate(streams)])
                for target, fuse in enumerate(self.selective_kernel)
            ]
            rows: Part = zip(self.blocks, fused, strict=True)
            streams = [row[column](s) for row, s in rows]
        full = [self.last_up[f"{i}"](s) if i else s for i, s in enumerate(streams)]
        return self.conv_out(self.selective_kernel[0](full)) + x


class Group(Module):
    """Residual group: blocks, then a convolution."""

    def __init__(self, features: int, count: int, *grid: Part):
        super().__init__()
        self.body = nn.Sequential(
            *(MultiScale(features, *grid) for _ in range(count)), _conv(features, features, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x


class MIRNet(Module):
    """(N, 3, H, W) → (N, features, H, W); the output has as many bands as there are features."""

    def __init__(
        self,
        channels: int = 3,
        features: int = 31,
        groups: int = 3,
        blocks_each: int = 1,
        height: int = 3,
        width: int = 1,
        bias: bool = False,
    ):
        super().__init__()
        act = nn.PReLU()
        self.conv_in = _conv(channels, features, 3, bias)
        self.body = nn.Sequential(
            *(Group(features, blocks_each, height, width, bias, act) for _ in range(groups))
        )
        self.conv_out = _conv(features, features, 3, bias)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        x = self.conv_in(pad_below_right(x, 8))
        return (self.conv_out(self.body(x)) + x)[:, :, :rows, :columns]


_UNIT = "body.0.body.0."


def _read(weights: Weights) -> Network:
    features, channels = weights["conv_in.weight"].shape[:2]

    def build() -> MIRNet:
        return MIRNet(
            channels,
            features,
            groups=len(numbered(weights, "body.")),
            blocks_each=len(numbered(weights, "body.0.body.")) - 1,  # the last is a convolution
            height=len(numbered(weights, _UNIT + "blocks.")),
            width=len(numbered(weights, _UNIT + "blocks.0.")),
            bias="conv_in.bias" in weights,
        )

    return Network(
        build=build,
        channels=channels,
        bands=features,
        context=None,  # channels are weighted by their means over the whole image
        tile_difference=TileDifference(0.2),
        bytes_per_pixel=2600,  # measured at 384×384 and 256×256
    )


ARCHITECTURE = Architecture(
    id="mirnet",
    title="MIRNet, multi-resolution streams with selective fusion",
    keys=kernels(
        "conv_in.weight",
        "conv_out.weight",
        _UNIT + "blocks.0.0.SA.spatial.conv.weight",
        _UNIT + "selective_kernel.0.fcs.0.weight",
    ),
    read=_read,
    published=(MIRNet,),
)
