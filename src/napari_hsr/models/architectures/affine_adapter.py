"""A network whose output is corrected by one affine map, pixel by pixel.

The corrected spectrum is ``A [spectrum, colours] + b``, with the network's spectrum of a pixel and
the colours of its input. Fitted in closed form to a few images, see
:mod:`napari_hsr.training.adapter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.without_weights import without_weights
from napari_hsr.models.architectures.wrappers import Layer, Wrapper
from napari_hsr.models.layers import Module

if TYPE_CHECKING:
    from napari_hsr.models.architectures.base import Weights

TITLE = "A network with an adapter"
_WEIGHT, _BIAS = "adapter.weight", "adapter.bias"


class Adapted(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32.

    Parameters
    ----------
    network : torch.nn.Module
        (N, channels, H, W) → (N, its bands, H, W).
    weight : Tensor, shape (bands, its bands + channels)
    bias : Tensor, shape (bands,)
    """

    def __init__(self, network: nn.Module, weight: Tensor, bias: Tensor):
        super().__init__()
        self.network = network
        with without_weights():
            self.adapter = nn.Linear(weight.shape[1], weight.shape[0])
        self.adapter.weight = nn.Parameter(weight.clone())
        self.adapter.bias = nn.Parameter(bias.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        spectra = self.network(x)
        with torch.autocast(x.device.type, enabled=False):
            weight, inside = self.adapter.weight, spectra.shape[1]
            out = torch.einsum("tk,nkhw->nthw", weight[:, :inside], spectra.float())
            out = out + torch.einsum("tc,nchw->nthw", weight[:, inside:], x.float())
            return out + self.adapter.bias[:, None, None]


def _read(weights: Weights) -> Layer:
    bands, columns = weights[_WEIGHT].shape
    if columns < 4:
        raise ModelError(
            f"The weights look like those of {TITLE}, but {_WEIGHT} has {columns} columns where "
            "the network's bands and three colours were expected."
        )
    return Layer({_WEIGHT: (bands, columns), _BIAS: (bands,)}, columns - 3, bands)


ARCHITECTURE = Wrapper(
    id="adapted",
    title=TITLE,
    keys={_WEIGHT: 2},
    read=_read,
    make=lambda network, tensors: Adapted(network, tensors[_WEIGHT], tensors[_BIAS]),
)
