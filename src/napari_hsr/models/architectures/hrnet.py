"""HRNet: four resolutions, each solved after the coarser one, joined from below.

Zhao, Po, Yan, Liu, Lin 2020, "Hierarchical regression network for spectral reconstruction from
RGB images", as MST++'s toolbox trains it (there, class SGN). Two of its habits are kept because
trained weights contain them: the gates of the global blocks are computed and thrown away (their
tensors are held here and never used), and the output passes a leaky ReLU, which multiplies
negative values by 0.2.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels
from napari_hsr.models.layers import Module, NamedConv, gate_layers, pad_below_right

#: Sides are padded to multiples of this, the step of the coarsest grid.
MULTIPLE = 8

#: How far an output pixel sees. In 3×3 convolutions, each one pixel of its grid: 24 at full size,
#: 14 at a half, 9 at a quarter, 8 at an eighth, so 24 + 28 + 36 + 64 pixels; and up to 7 more
#: inside a pixel of the coarsest grid.
CONTEXT = 160


_conv = partial(NamedConv, slope=0.2)


class DenseBlock(Module):
    """Five convolutions, each of all before it; a tenth of the last is added to the input."""

    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        for i in range(1, 5):
            self.add_module(f"conv{i}", _conv(width + (i - 1) * half, half))
        self.conv5 = _conv(width + 4 * half, width)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, conv(seen)], dim=1)
        return 0.1 * self.conv5(seen) + x


class GlobalBlock(Module):
    """Two convolutions, a tenth of which is added to the input.

    ``fc`` holds the weights of channel gates. The original computes the gates and then goes
    on without them, so they have never been trained and are not computed here.
    """

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = _conv(width, width)
        self.conv2 = _conv(width, width)
        self.fc = gate_layers(width, width // 4)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as ``x``."""
        return 0.1 * self.conv2(self.conv1(x)) + x


class HRNet(Module):
    """(N, channels, H, W) → (N, bands, H, W), any size.

    Parameters
    ----------
    channels, bands : int
        Of the input and of the output.
    width : int
        Channels at full size; each coarser grid has twice as many.
    """

    def __init__(self, channels: int = 3, bands: int = 31, width: int = 64):
        super().__init__()
        # each grid hands a quarter of its channels, spread out in space, to the finer one
        self.top1 = _conv(64 * channels, 8 * width)
        self.top21 = DenseBlock(8 * width)
        self.top22 = GlobalBlock(8 * width)
        self.top3 = _conv(8 * width, 8 * width, 1)
        self.mid1 = _conv(16 * channels, 4 * width)
        self.mid2 = _conv(6 * width, 4 * width)
        self.mid31 = DenseBlock(4 * width)
        self.mid32 = GlobalBlock(4 * width)
        self.mid4 = _conv(4 * width, 4 * width)
        self.bot1 = _conv(4 * channels, 2 * width)
        self.bot2 = _conv(3 * width, 2 * width)
        self.bot31 = DenseBlock(2 * width)
        self.bot32 = DenseBlock(2 * width)
        self.bot33 = GlobalBlock(2 * width)
        self.bot4 = _conv(2 * width, 2 * width)
        self.main1 = _conv(channels, width)
        self.main2 = _conv(width + width // 2, width)
        self.main31 = DenseBlock(width)
        self.main32 = DenseBlock(width)
        self.main33 = DenseBlock(width)
        self.main34 = DenseBlock(width)
        self.main35 = GlobalBlock(width)
        self.main4 = _conv(width, bands)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = x.shape[-2:]
        x = pad_below_right(x, MULTIPLE)
        top = self.top22(self.top21(self.top1(F.pixel_unshuffle(x, 8))))
        coarse = F.pixel_shuffle(self.top3(top), 2)

        mid = self.mid2(torch.cat([self.mid1(F.pixel_unshuffle(x, 4)), coarse], dim=1))
        coarse = F.pixel_shuffle(self.mid4(self.mid32(self.mid31(mid))), 2)

        bot = self.bot2(torch.cat([self.bot1(F.pixel_unshuffle(x, 2)), coarse], dim=1))
        bot = self.bot33(self.bot32(self.bot31(bot)))
        coarse = F.pixel_shuffle(self.bot4(bot), 2)

        main = self.main2(torch.cat([self.main1(x), coarse], dim=1))
        main = self.main34(self.main33(self.main32(self.main31(main))))
        return self.main4(self.main35(main))[:, :, :height, :width]


def _read(weights: Weights) -> Network:
    width, channels = weights["main1.conv2d.weight"].shape[:2]
    bands = weights["main4.conv2d.weight"].shape[0]
    return Network(
        build=lambda: HRNet(channels, bands, width),
        channels=channels,
        bands=bands,
        context=CONTEXT,
        size_multiple=MULTIPLE,
        bytes_per_pixel=4 * 18 * width,
    )


ARCHITECTURE = Architecture(
    id="hrnet",
    title="HRNet",
    keys=kernels(
        "top1.conv2d.weight",
        "mid31.conv5.conv2d.weight",
        "bot32.conv5.conv2d.weight",
        "main1.conv2d.weight",
        "main4.conv2d.weight",
    ),
    read=_read,
    published=(HRNet,),
)
