"""A network whose bands are turned into others by one matrix, pixel by pixel.

For networks whose last layer cannot make another number of bands, because a skip connection
leads the features of the spectrum past it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_hsr.models.architectures.without_weights import without_weights
from napari_hsr.models.architectures.wrappers import Layer, Wrapper
from napari_hsr.models.layers import Module

if TYPE_CHECKING:
    from napari_hsr.models.architectures.base import Weights

_KEY = "bands.weight"


class Bands(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32.

    Parameters
    ----------
    network : torch.nn.Module
        (N, channels, H, W) → (N, its bands, H, W).
    weight : Tensor, shape (bands, its bands)
    """

    def __init__(self, network: nn.Module, weight: Tensor):
        super().__init__()
        self.network = network
        with without_weights():
            self.bands = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        self.bands.weight = nn.Parameter(weight.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        spectra = self.network(x)
        with torch.autocast(x.device.type, enabled=False):
            return torch.einsum("tk,nkhw->nthw", self.bands.weight, spectra.float())


def _read(weights: Weights) -> Layer:
    bands, inside = weights[_KEY].shape
    return Layer({_KEY: (bands, inside)}, inside, bands)


ARCHITECTURE = Wrapper(
    id="bands",
    title="A network with other bands",
    keys={_KEY: 2},
    read=_read,
    make=lambda network, tensors: Bands(network, tensors[_KEY]),
)
