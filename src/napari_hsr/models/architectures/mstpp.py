"""MST++ (Cai, Lin, Lin and others 2022): spectral-wise attention in stages.

Winner of the NTIRE 2022 challenge on spectral reconstruction from RGB. Three equal U-shaped
stages refine features that have the channels of the spectrum from the start, and a skip
connection leads around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_hsr.models.architectures.base import Architecture, Network, Weights, numbered
from napari_hsr.models.architectures.spectral_attention import SpectralU, depths_of
from napari_hsr.models.layers import Module, pad_below_right
from napari_hsr.models.model import TileDifference

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stage(SpectralU):
    """(N, bands, H, W) → (N, bands, H, W): a correction of what comes in."""

    def __init__(self, bands: int, width: int, depths: Sequence[int]):
        embedding = nn.Conv2d(bands, width, 3, padding=1, bias=False)
        super().__init__(width, depths, guided=False, embedding=embedding)
        self.mapping = nn.Conv2d(width, bands, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.mapping(self.through(self.embedding(x))) + x


class MSTPlusPlus(Module):
    """(N, channels, H, W) → (N, bands, H, W), linear output.

    H and W that are not multiples of 8 are padded below and to the right, and cropped again.

    Parameters
    ----------
    channels, bands : int
        Of input and output.
    width : int
        Channels at the top of each stage (published: 31).
    stages : int
        Published: 3.
    depths : sequence of int
        Blocks at each level of a stage (published: 1, 1, 1).
    """

    def __init__(
        self,
        channels: int = 3,
        bands: int = 31,
        width: int = 31,
        stages: int = 3,
        depths: Sequence[int] = (1, 1, 1),
    ):
        super().__init__()
        self.multiple = max(8, 2 ** (len(depths) - 1))
        self.conv_in = nn.Conv2d(channels, bands, 3, padding=1, bias=False)
        self.body = nn.Sequential(*(Stage(bands, width, depths) for _ in range(stages)))
        self.conv_out = nn.Conv2d(bands, bands, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = x.shape[-2:]
        x = self.conv_in(pad_below_right(x, self.multiple))
        return (self.conv_out(self.body(x)) + x)[..., :height, :width]


def _read(weights: Weights) -> Network:
    bands, channels = weights["conv_in.weight"].shape[:2]
    width = weights["body.0.embedding.weight"].shape[0]
    stages = len(numbered(weights, "body."))
    depths = depths_of(weights, "body.0.")
    return Network(
        build=lambda: MSTPlusPlus(channels, bands, width, stages, depths),
        channels=channels,
        bands=bands,
        context=None,  # attention sums over the whole image
        tile_difference=TileDifference(0.079),
        bytes_per_pixel=3200,
    )


ARCHITECTURE = Architecture(
    id="mstpp",
    title="MST++",
    keys={
        "conv_in.weight": 4,
        "conv_out.weight": 4,
        "body.0.embedding.weight": 4,
        "body.0.bottleneck.blocks.0.0.rescale": 3,
        "body.0.mapping.weight": 4,
    },
    read=_read,
    published=(MSTPlusPlus,),
)
