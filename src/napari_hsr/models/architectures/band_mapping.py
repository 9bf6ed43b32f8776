"""A network whose bands are turned into others by one matrix, pixel by pixel.

For networks whose last layer cannot make another number of bands, because a short cut leads
the features of the spectrum past it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_hsr.models.architectures import wrapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

ID = "bands"
TITLE = "A network with other bands"
_KEY = "bands.weight"


class Bands(nn.Module):
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
        with torch.device("meta"):
            self.bands = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        self.bands.weight = nn.Parameter(weight.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        spectra = self.network(x)
        with torch.autocast(x.device.type, enabled=False):
            return torch.einsum("tk,nkhw->nthw", self.bands.weight, spectra.float())


def detect(weights: Mapping[str, Tensor]) -> bool:
    """A matrix ``bands.weight`` beside a network's keys."""
    return _KEY in weights and weights[_KEY].ndim == 2 and wrapping.is_wrapped(weights)


def load(weights: Mapping[str, Tensor], card: ModelCard | None = None) -> Model:
    """Build the model around the one that is recognised in its keys below ``network.``.

    Raises
    ------
    ModelError
        If that one is not recognised, a key or shape differs, or the card does not fit.
    """
    bands, inside = weights[_KEY].shape
    tensors = wrapping.own(weights, TITLE, {_KEY: (bands, inside)})
    within = wrapping.inner(weights, card, inside, hidden=True)
    module = Bands(within.module, tensors[_KEY])
    return wrapping.described(within, module, weights, card, id=ID, title=TITLE, bands=bands)
