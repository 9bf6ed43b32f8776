"""MST, in its three sizes S, M and L (Cai, Lin, Hu and others 2022), as used for RGB images.

One U of spectral-wise attention whose values are weighted by a mask. The network was made for
compressed snapshots, whose mask is the camera's; here the mask is made from the image itself.

The weighting of the first image of a batch is used for all of them (see
:class:`~napari_hsr.models.architectures.spectral_attention.SpectralAttention`). It is part of
the published network and kept here: inference runs one image at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.base import Architecture, Network, Weights
from napari_hsr.models.architectures.spectral_attention import SpectralU, depths_of
from napari_hsr.models.layers import pad_below_right
from napari_hsr.models.model import TileDifference

if TYPE_CHECKING:
    from collections.abc import Sequence


SLOPE = 0.1


class MST(SpectralU):
    """(N, channels, H, W) → (N, bands, H, W), linear output; one image at a time.

    H and W that are not multiples of 8 are padded below and to the right, and cropped again.

    Parameters
    ----------
    channels : int
        Of the input.
    bands : int
        Of the output, and channels at the top.
    depths : sequence of int
        Blocks at each level (S: 2, 2, 2; M: 2, 4, 4; L: 4, 7, 5).
    """

    def __init__(self, channels: int = 3, bands: int = 31, depths: Sequence[int] = (4, 7, 5)):
        embeddings = {
            f"embedding_{i}": nn.Conv2d(channels, bands, 3, padding=1, bias=False) for i in (1, 2)
        }
        super().__init__(bands, depths, guided=True, **embeddings)
        self.multiple = max(8, 2 ** (len(depths) - 1))
        self.mapping = nn.Conv2d(bands, bands, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = x.shape[-2:]
        x = pad_below_right(x, self.multiple)
        mask = F.leaky_relu(self.embedding_1(x), SLOPE)
        x = F.leaky_relu(self.embedding_2(x), SLOPE)
        return (self.mapping(self.through(x, mask)) + x)[..., :height, :width]


def _read(weights: Weights) -> Network:
    bands, channels = weights["embedding_1.weight"].shape[:2]
    depths = depths_of(weights)
    return Network(
        build=lambda: MST(channels, bands, depths),
        channels=channels,
        bands=bands,
        context=None,  # attention sums over the whole image
        tile_difference=TileDifference(0.027),
        bytes_per_pixel=4000,
    )


ARCHITECTURE = Architecture(
    id="mst_l",
    title="MST-L",
    keys={
        "embedding_1.weight": 4,
        "embedding_2.weight": 4,
        "bottleneck.blocks.0.0.mm.depth_conv.weight": 4,
        "mapping.weight": 4,
    },
    read=_read,
    published=(MST,),
)
