"""What every network does alike when it is loaded: built without cost, filled strictly, described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_hsr.errors import ModelError
from napari_hsr.models import memory_mapping
from napari_hsr.models.card import ModelCard, WavelengthsNeededError
from napari_hsr.models.input_rules import MinMax
from napari_hsr.models.model import Model
from napari_hsr.models.model_file import weights_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from napari_hsr.models.model import InputRule

    Shapes = dict[str, tuple[int, ...]]

#: Said in the card of weights that came without one.
ASSUMED = (
    "These weights came without a card: their wavelengths (400 to 700 nm in steps of 10) and "
    "their input encoding (linear sRGB) are assumptions."
)


def short(title: str) -> str:
    """A title as it stands within a sentence: without the clause behind its comma."""
    return title.partition(",")[0]


def shapes_of(build: Callable[[], nn.Module]) -> Shapes:
    """Keys and shapes of a network's state dict; no memory is taken and no weight drawn."""
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in build().state_dict().items()}


def first_difference(weights: Mapping[str, Tensor], expected: Shapes) -> str | None:
    """The first key that is missing or of another shape, else the first one too many, else None."""
    for key, shape in expected.items():
        if key not in weights:
            return f"{key} {_written(shape)} is missing"
        found = tuple(weights[key].shape)
        if found != shape:
            return f"{key} is {_written(found)} where {_written(shape)} was expected"
    extra = next((key for key in weights if key not in expected), None)
    return None if extra is None else f"{extra} {_written(weights[extra].shape)} has no place"


def _written(shape: Sequence[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def fill(build: Callable[[], nn.Module], weights: Mapping[str, Tensor], title: str) -> nn.Module:
    """Build a network and fill it with its weights, every key and shape as they must be.

    Parameters
    ----------
    build : callable
        Makes the network; called where tensors take no memory. Constant buffers must be in
        the state dict.
    weights : mapping of str to torch.Tensor
        They are copied, unless they lie in a mapped file.
    title : str
        Name of the network for messages.

    Returns
    -------
    torch.nn.Module
        On the CPU, in eval mode, no gradients asked for.

    Raises
    ------
    ModelError
        If a key is missing, too many, of another shape, or holds NaN or infinite values: the
        first one is named.
    """
    title = short(title)
    with torch.device("meta"):
        module = build()
    expected = module.state_dict()
    hidden = {name for name, _ in module.named_buffers()} - set(expected)
    if hidden:
        raise TypeError(f"{title}: constants outside the state dict would be lost: {hidden}")
    problem = first_difference(weights, {k: tuple(v.shape) for k, v in expected.items()})
    if problem:
        raise ModelError(f"The weights look like those of {title}, but {problem}.")
    for key, value in weights.items():
        if not _finite(value):
            raise ModelError(f"The weights of {title} hold NaN or infinite values in {key}.")
        memory_mapping.release(value)
    if all(memory_mapping.is_mapped(weights[key]) for key in weights):
        # Their file is their memory: nobody else can change them.
        module.load_state_dict(dict(weights), strict=True, assign=True)
    else:
        module.to_empty(device="cpu")
        module.load_state_dict(dict(weights), strict=True)
    return module.eval().requires_grad_(False)


def _finite(value: Tensor) -> bool:
    """In one pass that makes nothing: least and largest are NaN where any value is."""
    if not value.numel():
        return True
    return bool(torch.isfinite(torch.stack(value.aminmax())).all())


def card_for(
    card: ModelCard | None, *, id: str, title: str, bands: int, input_rule: str, limits: str = ""
) -> ModelCard:
    """The card given, checked against the number of bands; or one that says what is assumed.

    Raises
    ------
    ModelError
        If the card names another number of wavelengths, or none can be assumed.
    """
    if card is None:
        if bands != 31:
            raise WavelengthsNeededError(bands)
        card = ModelCard(
            name=id,
            title=f"{title} without a card",
            architecture=id,
            input_encoding="linear-srgb",
            input_rule=input_rule,
            wavelengths_nm=tuple(range(400, 701, 10)),
            limits=f"{ASSUMED} {limits}".strip(),
        )
    if len(card.wavelengths_nm) != bands:
        raise ModelError(
            f"The card of {card.name} names {len(card.wavelengths_nm)} wavelengths, "
            f"but its weights make {bands} bands."
        )
    return card


def assemble(
    build: Callable[[], nn.Module],
    weights: Mapping[str, Tensor],
    card: ModelCard | None,
    *,
    id: str,
    title: str,
    channels: int,
    bands: int,
    rule: InputRule | None = None,
    **facts: Any,
) -> Model:
    """The model of a network: built, filled and described.

    Parameters
    ----------
    build, weights
        As for :func:`fill`.
    card, id, title, bands
        As for :func:`card_for`.
    channels : int
        Of the network's input.
    rule : InputRule, optional
        What is done with a photograph first: min-max if nothing is said.
    **facts
        More attributes of the :class:`~napari_hsr.models.model.Model`; its ``precisions``
        are float32 and bfloat16 if nothing is said.

    Raises
    ------
    ModelError
        If a tensor is missing, too many or of another shape, or the card does not fit.
    """
    rule = rule or MinMax()
    return Model(
        module=fill(build, weights, title),
        card=card_for(card, id=id, title=title, bands=bands, input_rule=rule.name),
        weights_sha256=weights_sha256(dict(weights)),
        channels=channels,
        bands=bands,
        rule=rule,
        **{"precisions": ("float32", "bfloat16"), **facts},
    )


def numbered(weights: Mapping[str, Tensor], prefix: str) -> list[int]:
    """The numbers n for which there are keys ``<prefix><n>.…``, ascending."""
    found = set()
    for key in weights:
        if key.startswith(prefix):
            number = key[len(prefix) :].split(".", 1)[0]
            if number.isdecimal():
                found.add(int(number))
    return sorted(found)
