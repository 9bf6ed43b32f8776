"""From weights to a model, the same way for every network of the toolbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.card import ModelCard
from napari_hsr.models.checkpoint import weights_sha256
from napari_hsr.models.descriptor import Model

if TYPE_CHECKING:
    from torch import Tensor, nn

    Weights = Mapping[str, Tensor]


def has_kernels(weights: Weights, keys: Iterable[str]) -> bool:
    """Whether all ``keys`` are there and are kernels of convolutions (four dimensions)."""
    return all(key in weights and weights[key].ndim == 4 for key in keys)


def count(weights: Weights, prefix: str) -> int:
    """How many numbered parts stand below ``prefix``: the highest number and one.

    ``body.`` counts ``body.0.…``, ``body.1.…`` and so on.
    """
    rests = (key[len(prefix) :].split(".")[0] for key in weights if key.startswith(prefix))
    return max((int(rest) + 1 for rest in rests if rest.isdigit()), default=0)


def build(make: Callable[[], nn.Module], weights: Weights, title: str) -> nn.Module:
    """The network with these weights, in float32 and eval mode, sharing no memory with them.

    Parameters
    ----------
    make : callable
        Makes the empty network; every tensor it holds must be in its state dict.
    weights : mapping of str to torch.Tensor
        Its state dict, complete.
    title : str
        The network's name, for people.

    Raises
    ------
    ModelError
        If a key is missing or too many, a shape differs, or a value is not finite; the
        sentence names the first such key.
    """
    with torch.device("meta"):  # nothing is allocated or drawn at random only to be replaced
        module = make()
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    for key, shape in expected.items():
        if key not in weights:
            raise ModelError(f"The weights look like those of {title}, but {key} is missing.")
        found = tuple(weights[key].shape)
        if found != shape:
            raise ModelError(
                f"The weights look like those of {title}, but {key} has the shape {found}, "
                f"where {shape} was expected."
            )
    for key in weights:
        if key not in expected:
            raise ModelError(f"The weights look like those of {title}, which has no {key}.")
    for key, value in weights.items():
        if not torch.isfinite(value).all():
            raise ModelError(f"The weights of {title} hold NaN or infinite values in {key}.")
    own = {
        key: value.detach().to(torch.float32, copy=True)
        if value.is_floating_point()
        else value.detach().clone()
        for key, value in weights.items()
    }
    module.load_state_dict(own, strict=True, assign=True)
    return module.eval()


def describe(
    module: nn.Module,
    weights: Weights,
    card: ModelCard | None,
    *,
    id: str,
    title: str,
    channels: int,
    bands: int,
    input_rule: str,
    **facts: Any,
) -> Model:
    """The model, with its card or with one that says what is only assumed.

    Parameters
    ----------
    module : torch.nn.Module
        The network, loaded.
    weights : mapping of str to torch.Tensor
        What it was loaded from.
    card : ModelCard or None
        What is known besides the weights.
    id, title : str
        Of the architecture.
    channels, bands : int
        Of the input and of the output.
    input_rule : str
        The network's whole-image rule in words, for a card made here.
    **facts
        Further fields of :class:`~napari_hsr.models.descriptor.Model`.

    Raises
    ------
    ModelError
        If the card's wavelengths do not fit the weights, or there is no card and none can be
        made because the weights do not make 31 bands.
    """
    if card is None:
        if bands != 31:
            raise ModelError(f"A card with {bands} wavelengths is needed: the weights name none.")
        card = ModelCard(
            name=id,
            title=f"{title} without a card",
            architecture=id,
            input_encoding="linear-srgb",
            input_rule=input_rule,
            wavelengths_nm=tuple(range(400, 701, 10)),
            limits=(
                "Its wavelengths (400–700 nm in steps of 10 nm) and its input encoding "
                "(linear sRGB) are assumptions: the weights name none."
            ),
        )
    if len(card.wavelengths_nm) != bands:
        raise ModelError(
            f"The card of {card.name} names {len(card.wavelengths_nm)} wavelengths, "
            f"but its weights make {bands} bands."
        )
    return Model(
        module=module,
        card=card,
        weights_sha256=weights_sha256(dict(weights)),
        channels=channels,
        bands=bands,
        **facts,
    )
