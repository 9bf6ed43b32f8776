"""The architectures, each recognised from keys and shapes of its weights alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import (
    affine_adapter,
    awan,
    band_mapping,
    coarsr,
    colour_exact,
    drcr,
    edsr,
    hdnet,
    hinet,
    hrnet,
    hscnn_plus,
    inr,
    mirnet,
    mprnet,
    mst_l,
    mstpp,
    mxrunet,
    restormer,
    root_polynomial,
)
from napari_hsr.models.card import RECONSTRUCTION, ModelCard
from napari_hsr.models.nearest_architecture import nearest
from napari_hsr.models.state_dict import unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    import torch

    from napari_hsr.models.model import Model

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
    published : tuple of callable
        They build the network in its published sizes, for comparing names and shapes.
    task : str
        What the network does, as :attr:`napari_hsr.models.card.ModelCard.task` says it.
    """

    id: str
    title: str
    detect: Callable[[Weights], bool]
    load: Callable[[Weights, ModelCard | None], Model]
    published: tuple[Callable[[], torch.nn.Module], ...] = ()
    task: str = RECONSTRUCTION


def _published(module: ModuleType) -> tuple[Callable[[], torch.nn.Module], ...]:
    """What a network's file says of its published size or sizes, if anything."""
    found = getattr(module, "PUBLISHED", ())
    return found if isinstance(found, tuple) else (found,)


#: In the order in which they are asked.
ARCHITECTURES: tuple[Architecture, ...] = tuple(
    Architecture(
        module.ID,
        module.TITLE,
        module.detect,
        module.load,
        _published(module),
        getattr(module, "TASK", RECONSTRUCTION),
    )
    for module in (
        colour_exact,
        affine_adapter,
        band_mapping,
        root_polynomial,
        mxrunet,
        inr,
        mstpp,
        mst_l,
        hdnet,
        drcr,
        mirnet,
        mprnet,
        restormer,
        hscnn_plus,
        awan,
        edsr,
        hinet,
        hrnet,
        coarsr,
    )
)


def recognise(weights: Weights) -> Architecture:
    """The architecture of a plain state dict.

    Raises
    ------
    ModelError
        If there is none: the nearest is named, with the first key or shape that differs.
    """
    for architecture in ARCHITECTURES:
        if architecture.detect(weights):
            return architecture
    clause = nearest(weights, [(a.title, build) for a in ARCHITECTURES for build in a.published])
    raise ModelError(f"Weights not recognised: {clause}.")


def from_state_dict(weights: Weights, card: ModelCard | None = None) -> Model:
    """Recognise weights and build their model.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        A state dict, or a checkpoint that holds one (:func:`napari_hsr.models.state_dict.unwrap`).
    card : ModelCard, optional
        What is known besides the weights.

    Raises
    ------
    ModelError
        If no architecture recognises the weights (the nearest is named, with the first key
        or shape that differs), or the card names another one.
    """
    weights = unwrap(weights)
    architecture = recognise(weights)
    if card is not None and card.architecture != architecture.id:
        raise ModelError(
            f"The card of {card.name} names the architecture {card.architecture}, "
            f"but its weights are those of {architecture.id}."
        )
    return architecture.load(weights, card)
