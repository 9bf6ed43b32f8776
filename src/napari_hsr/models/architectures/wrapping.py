"""What networks that are wrapped around another one share: its weights lie below ``network.``.

A wrapper adds a few tensors of its own beside them, so that the whole is one file of weights,
recognised again from its keys alone, and a wrapper may be wrapped in turn.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.card import ModelCard, WavelengthsNeededError
from napari_hsr.models.input_rules import Mean
from napari_hsr.models.model_file import weights_sha256
from napari_hsr.models.optimised_copy import made_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from napari_hsr.models.model import Model

    Weights = Mapping[str, Tensor]

#: What stands before the names of the wrapped network's weights.
PREFIX = "network."


def is_wrapped(weights: Weights) -> bool:
    """Whether a network lies below :data:`PREFIX`, with something beside it."""
    inside = sum(key.startswith(PREFIX) for key in weights)
    return 0 < inside < len(weights)


def inner(
    weights: Weights,
    card: ModelCard | None = None,
    bands: int | None = None,
    *,
    hidden: bool = False,
) -> Model:
    """The model that is wrapped, recognised from the weights below :data:`PREFIX`.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        Of the wrapper.
    card : ModelCard, optional
        Of the wrapper: encoding, rule and units are the inner model's too.
    bands : int, optional
        That the wrapper takes from it.
    hidden : bool
        Whether the wrapper makes other bands of them, whose wavelengths are in the card.

    Returns
    -------
    Model
        Its card is the wrapper's under the inner architecture's name. Where its bands are
        hidden and of another number, their wavelengths are band numbers.

    Raises
    ------
    WavelengthsNeededError
        If there is no card and none can be assumed.
    ModelError
        If no architecture recognises them, or they make another number of bands.
    """
    from napari_hsr.models.registry import recognise  # it imports the wrappers

    inside = {k.removeprefix(PREFIX): v for k, v in weights.items() if k.startswith(PREFIX)}
    architecture = recognise(inside)
    if card is None and bands not in (None, 31):
        if not hidden:
            raise WavelengthsNeededError(bands)
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
        if hidden and bands != len(card.wavelengths_nm):
            changes["wavelengths_nm"] = _numbers(bands)
        card = card.model_copy(update=changes)
    try:
        return architecture.load(inside, card)
    except ModelError as error:
        if not hidden:
            raise
        raise ModelError(
            f"The wrapped {architecture.title} does not fit what is around it: {error}"
        ) from error


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


def prepare_around(within: Model) -> Callable[[nn.Module, str], nn.Module]:
    """How inference's copy of a wrapper is made: its own layers around the network's copy.

    The wrapper's module holds the network as ``network``, and computes in float32 what comes
    after it.
    """

    def prepare(module: nn.Module, precision: str) -> nn.Module:
        network = made_of(module.network, precision, within.prepare)
        made = copy.copy(module)
        made._modules = {
            name: network if name == "network" else copy.deepcopy(layer)
            for name, layer in module._modules.items()
        }
        return made

    return prepare


def described(
    within: Model,
    module: nn.Module,
    weights: Weights,
    card: ModelCard | None,
    *,
    id: str,
    title: str,
    bands: int,
) -> Model:
    """The descriptor of a wrapper that changes nothing but the bands.

    Encoding, rule, precisions, tiles and windows are those of the network.

    Parameters
    ----------
    within : Model
        What is wrapped.
    module : torch.nn.Module
        The wrapper.
    weights : mapping of str to torch.Tensor
        All of them.
    card : ModelCard or None
        Of the wrapper; None: the network's own assumptions.
    id, title : str
        Of the wrapper.
    bands : int
        That it makes.

    Raises
    ------
    ModelError
        If the card names another number of wavelengths, or none can be assumed.
    """
    if card is None:
        if bands != 31:
            raise WavelengthsNeededError(bands)
        changes = {
            "name": id,
            "title": f"{within.card.title} ({title})",
            "wavelengths_nm": tuple(float(nm) for nm in range(400, 701, 10)),
        }
        card = within.card.model_copy(update=changes)
    if len(card.wavelengths_nm) != bands:
        raise ModelError(
            f"The card of {card.name} names {len(card.wavelengths_nm)} wavelengths, "
            f"but its weights make {bands} bands."
        )
    update = {"architecture": id, "input_rule": within.rule.name}
    return replace(
        within,
        module=module.eval().requires_grad_(False),
        card=card.model_copy(update=update),
        weights_sha256=weights_sha256(dict(weights)),
        bands=bands,
        # the network's bands beside the colours, and the wrapper's twice, in float32
        bytes_per_pixel=within.bytes_per_pixel + 4 * (within.bands + 3 + 2 * bands),
        bytes_fixed=within.bytes_fixed,
        prepare=prepare_around(within),
    )


def _numbers(bands: int) -> tuple[float, ...]:
    """Band numbers in the place of wavelengths."""
    return tuple(float(number) for number in range(1, bands + 1))
