"""A network whose output is corrected by one affine map, pixel by pixel.

Spectra are made anew from what the network says of a pixel, the colours that it saw there, and a
constant: ``A [spectrum, colours] + b``. Fitted in closed form to a few images, see
:mod:`napari_hsr.training.closed_form.adapter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import wrapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

ID = "adapted"
TITLE = "A network with an adapter"
_WEIGHT, _BIAS = "adapter.weight", "adapter.bias"


class Adapted(nn.Module):
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
        with torch.device("meta"):
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


def detect(weights: Mapping[str, Tensor]) -> bool:
    """A matrix ``adapter.weight`` beside a network's keys."""
    return _WEIGHT in weights and weights[_WEIGHT].ndim == 2 and wrapping.is_wrapped(weights)


def load(weights: Mapping[str, Tensor], card: ModelCard | None = None) -> Model:
    """Build the model around the one that is recognised in its keys below ``network.``.

    Raises
    ------
    ModelError
        If that one is not recognised, a key or shape differs, or the card does not fit.
    """
    bands, columns = weights[_WEIGHT].shape
    tensors = wrapping.own(weights, TITLE, {_WEIGHT: (bands, columns), _BIAS: (bands,)})
    inside = columns - 3
    if inside < 1:
        raise ModelError(
            f"The weights look like those of {TITLE}, but {_WEIGHT} has {columns} columns where "
            "the network's bands and three colours were expected."
        )
    within = wrapping.inner(weights, card, inside, hidden=True)
    module = Adapted(within.module, tensors[_WEIGHT], tensors[_BIAS])
    return wrapping.described(within, module, weights, card, id=ID, title=TITLE, bands=bands)
