"""What networks that are wrapped around another one share: its weights lie below ``network.``.

A wrapper adds a few tensors of its own beside them, so that the whole is one file of weights,
recognised again from its keys alone, and a wrapper may be wrapped in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.card import ModelCard
from napari_hsr.models.rules import Mean

if TYPE_CHECKING:
    from torch import Tensor

    from napari_hsr.models.descriptor import Model

    Weights = Mapping[str, Tensor]

#: What stands before the names of the wrapped network's weights.
PREFIX = "network."


def is_wrapped(weights: Weights) -> bool:
    """Whether a network lies below :data:`PREFIX`, with something beside it."""
    inside = sum(key.startswith(PREFIX) for key in weights)
    return 0 < inside < len(weights)


def inner(weights: Weights, card: ModelCard | None = None, bands: int | None = None) -> Model:
    """The model that is wrapped, recognised from the weights below :data:`PREFIX`.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        Of the wrapper.
    card : ModelCard, optional
        Of the wrapper: encoding, rule and units are the inner model's too.
    bands : int, optional
        That the wrapper takes from it; the card's number where they are the same.

    Returns
    -------
    Model
        Its card is the wrapper's under the inner architecture's name. Where the inner model
        makes another number of bands, its wavelengths are band numbers: nobody is to see them.

    Raises
    ------
    ModelError
        If no architecture recognises them, or they make another number of bands.
    """
    from napari_hsr.models.registry import recognise  # it imports the wrappers

    inside = {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}
    architecture = recognise(inside)
    if card is None and bands not in (None, 31):
        card = ModelCard(
            name=architecture.id,
            title=architecture.title,
            architecture=architecture.id,
            input_encoding="linear-srgb",
            wavelengths_nm=_numbers(bands),
        )
    elif card is not None:
        changes: dict = {"architecture": architecture.id, "weights_sha256": ""}
        if card.input_rule == Mean.name:  # the wrapper's own, not the network's
            changes["input_rule"] = "none"
        if bands is not None and bands != len(card.wavelengths_nm):
            changes["wavelengths_nm"] = _numbers(bands)
        card = card.model_copy(update=changes)
    model = architecture.load(inside, card)
    if bands is not None and model.bands != bands:
        raise ModelError(
            f"The wrapped {architecture.title} makes {model.bands} bands, "
            f"but the weights around it take {bands}."
        )
    return model


def own(weights: Weights, title: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The wrapper's own tensors as float32, checked.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
    title : str
        Of the wrapper, for messages.
    shapes : mapping of str to tuple of int
        Every tensor that must lie beside the network.

    Raises
    ------
    ModelError
        If one is missing, too many, of another shape, or holds NaN or infinite values.
    """
    for key, shape in shapes.items():
        if key not in weights:
            raise ModelError(f"The weights look like those of {title}, but {key} is missing.")
        found = tuple(weights[key].shape)
        if found != shape:
            raise ModelError(
                f"The weights look like those of {title}, but {key} is {found} "
                f"where {shape} was expected."
            )
        if not torch.isfinite(weights[key]).all():
            raise ModelError(f"The weights of {title} hold NaN or infinite values in {key}.")
    extra = next((k for k in weights if not k.startswith(PREFIX) and k not in shapes), None)
    if extra is not None:
        raise ModelError(f"The weights look like those of {title}, but {extra} has no place.")
    return {key: weights[key].detach().float() for key in shapes}


def around(within: Weights, **tensors: Tensor) -> dict[str, Tensor]:
    """The weights of a wrapper: those of ``within`` below the prefix, and its own.

    Names of its own are given with ``__`` for the dot: ``adapter__weight``.
    """
    found = {f"{PREFIX}{key}": value for key, value in within.items()}
    return found | {key.replace("__", "."): value for key, value in tensors.items()}


def _numbers(bands: int) -> tuple[float, ...]:
    """Band numbers in the place of wavelengths."""
    return tuple(float(number) for number in range(1, bands + 1))
