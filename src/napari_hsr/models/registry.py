"""The architectures, each recognised from keys and shapes of its weights alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import (
    drcr,
    hdnet,
    mirnet,
    mprnet,
    mst_l,
    mstpp,
    mxrunet,
    restormer,
    root_polynomial,
)
from napari_hsr.models.card import ModelCard
from napari_hsr.models.descriptor import Model

if TYPE_CHECKING:
    import torch

    Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Architecture:
    """A family of networks.

    Attributes
    ----------
    id : str
        Name in cards.
    title : str
        Name for people.
    detect : callable
        ``detect(weights) -> bool``: are these weights of this family?
    load : callable
        ``load(weights, card) -> Model``: hyper-parameters are read off the shapes;
        the card may be None, and is then made from what the weights say.
    """

    id: str
    title: str
    detect: Callable[[Weights], bool]
    load: Callable[[Weights, ModelCard | None], Model]


#: In the order in which they are asked.
ARCHITECTURES: tuple[Architecture, ...] = tuple(
    Architecture(module.ID, module.TITLE, module.detect, module.load)
    for module in (
        root_polynomial,
        mxrunet,
        mstpp,
        mst_l,
        hdnet,
        drcr,
        mirnet,
        mprnet,
        restormer,
    )
)


def from_state_dict(weights: Weights, card: ModelCard | None = None) -> Model:
    """Recognise weights and build their model.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        A state dict.
    card : ModelCard, optional
        What is known besides the weights.

    Raises
    ------
    ModelError
        If no architecture recognises the weights, or the card names another one.
    """
    for architecture in ARCHITECTURES:
        if architecture.detect(weights):
            if card is not None and card.architecture != architecture.id:
                raise ModelError(
                    f"The card of {card.name} names the architecture {card.architecture}, "
                    f"but its weights are those of {architecture.id}."
                )
            return architecture.load(weights, card)
    keys = ", ".join(list(weights)[:3]) or "no tensors"
    known = ", ".join(a.id for a in ARCHITECTURES)
    raise ModelError(f"Weights not recognised (they begin with {keys}); known: {known}.")
