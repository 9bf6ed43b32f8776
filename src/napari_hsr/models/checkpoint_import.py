"""From a checkpoint that somebody published to a model of the user's, with a card.

Only what is known goes into the card; what had to be assumed is said under its limits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM, Wavelengths
from napari_hsr.errors import FileError, ModelError
from napari_hsr.models.card import (
    CUBE,
    FINER_IS_A_GUESS,
    ILL_POSED,
    SUPER_RESOLUTION,
    ModelCard,
    WavelengthsNeededError,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import torch

    from napari_hsr.models.model import Model
    from napari_hsr.models.registry import Architecture

#: What is said of a card's field that nobody stated.
ASSUMED = {
    "wavelengths_nm": "Its wavelengths, 400 to 700 nm in steps of 10, are an assumption.",
    "input_encoding": "Its input encoding, linear sRGB, is an assumption.",
    "input_rule": "The statistics of its input rule are an assumption.",
}

#: Fields of a card that are the user's to state; the others follow from the weights.
STATABLE = {
    *("title", "wavelengths_nm", "input_encoding", "units", "training_data", "protocol"),
    *("licence", "limits", "source"),
}


@dataclass(frozen=True)
class Checkpoint:
    """What a file with weights was recognised as; the weights themselves are let go.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    architecture, title : str
        The network: its id in the registry, and its name for people.
    weights : int
        How many numbers the network holds.
    channels, bands : int or None
        Of its input and output; None where their number is free.
    input_rule : str
        Its whole-image rule, in words.
    asks_for_rule : bool
        Whether the statistics of that rule are the user's to state.
    card : ModelCard or None
        The card that the file carries, if it is one of ours.
    scale : int
        Output pixels per input pixel along each side.
    """

    path: Path
    architecture: str
    title: str
    weights: int
    channels: int | None
    bands: int | None
    input_rule: str
    asks_for_rule: bool
    card: ModelCard | None
    scale: int = 1


def examine(path: str | os.PathLike) -> Checkpoint:
    """Read a file as :func:`import_checkpoint` would, and say what it is; nothing is kept.

    Parameters
    ----------
    path : path-like
        A checkpoint of torch, or a safetensors file.

    Raises
    ------
    FileError
        If the file cannot be read, would run code, or its weights are not recognised.
    """
    from napari_hsr.models.input_rules import Statistics

    path = Path(path)
    weights, card = _read(path)
    architecture = _recognise(weights, path)
    try:
        model = _model(weights, card, path)
    except WavelengthsNeededError as needed:
        counted = _first_card(path, architecture, "counted", {})
        counted = _validated(counted, {"wavelengths_nm": tuple(range(1, needed.bands + 1))})
        model = _model(weights, counted, path)
    numbers = model.module.state_dict().values()  # a layer under several names counts once
    return Checkpoint(
        path=path,
        architecture=architecture.id,
        title=architecture.title,
        weights=sum({v.data_ptr(): v.numel() for v in numbers if v.is_floating_point()}.values()),
        channels=model.channels,
        bands=model.bands,
        input_rule=model.rule.name,
        asks_for_rule=isinstance(model.rule, Statistics),
        card=card,
        scale=model.scale,
    )


def import_checkpoint(
    path: str | os.PathLike,
    name: str,
    *,
    entry: str | None = None,
    title: str | None = None,
    wavelengths: Iterable[float] | None = None,
    input_encoding: str | None = None,
    input_rule: str | None = None,
    units: str | None = None,
    training_data: str | None = None,
    protocol: str | None = None,
    licence: str | None = None,
    limits: str | None = None,
    source: str | None = None,
    overwrite: bool = False,
) -> Model:
    """Recognise a checkpoint and keep it among the user's models.

    The file is read without running any code that it carries, recognised from its weights
    alone, and stored as safetensors with a model card and the hash of the weights.

    Parameters
    ----------
    path : path-like
        A checkpoint of torch (``.pth``, ``.pt``, ``.ckpt``…) or a safetensors file.
    name : str
        What the model will be called.
    entry : str, optional
        Name of the entry in :mod:`napari_hsr.models.published_weights` that the file is: what is
        known of it goes into the card where nothing else is stated.
    title : str, optional
        One line for lists.
    wavelengths : iterable of float, optional
        Band centres of the output in nm; 400 to 700 in steps of 10 are assumed for 31 bands.
    input_encoding : str, optional
        What the model was made for; ``linear-srgb`` is assumed.
    input_rule : str, optional
        For networks whose rule is not fixed (the statistics of MXR-U-Net), which it is.
    units : str, optional
        What the output values are.
    training_data, protocol, licence, limits, source : str, optional
        In plain words.
    overwrite : bool
        Whether a model of that name may be replaced.

    Returns
    -------
    Model
        The model, loaded; :func:`napari_hsr.models.load_model` finds it by its name.

    Raises
    ------
    FileError
        If the file cannot be read, holds no weights, or would run code.
    ModelError
        If the weights are not recognised, the name is not fit or is taken, or what is stated
        does not fit the weights.
    """
    from dataclasses import replace

    from napari_hsr.models.architectures.architecture import short
    from napari_hsr.models.input_rules import Statistics
    from napari_hsr.models.published_weights import find
    from napari_hsr.models.user_models import keep, place_for

    path = Path(path)
    place = place_for(name, overwrite)
    if entry:
        find(entry)  # before the file is read, which takes a while
    weights, card = _read(path)
    architecture = _recognise(weights, path)
    stated = _from_catalogue(entry, architecture, path) if entry else {}
    stated |= _stated(
        title=title,
        wavelengths=wavelengths,
        input_encoding=input_encoding,
        input_rule=input_rule,
        units=units,
        training_data=training_data,
        protocol=protocol,
        licence=licence,
        limits=limits,
        source=source,
    )
    if new := card is None:
        if architecture.task == SUPER_RESOLUTION:
            card = _first_card_for_cubes(weights, path, architecture, name, stated)
        else:
            card = _first_card(path, architecture, name, stated)
    card = _validated(card, {"name": name, **stated})
    model = _model(weights, card, path)
    facts = {"input_rule": model.rule.name, "weights_sha256": model.weights_sha256}
    if isinstance(model.rule, Statistics):
        if new and input_rule is None:
            facts["limits"] = f"{card.limits} {ASSUMED['input_rule']}"
    elif input_rule is not None:
        raise ModelError(
            f"{short(architecture.title)} has an input rule of its own ({model.rule.name}): "
            f"{input_rule!r} cannot be stated for it."
        )
    card = _validated(card, facts)
    keep(place, weights, card, overwrite)
    _move(model, place)
    return replace(model, card=card, source=name)


def changed(card: ModelCard, **changes: Any) -> ModelCard:
    """A card with some of what can be stated of a model stated anew.

    Raises
    ------
    ModelError
        If a change is not fit for the card, or the wavelengths are not as many as the bands.
    """
    stated = _stated(**changes)
    if wrong := sorted(stated.keys() - STATABLE):
        raise ModelError(f"Of a model that is stored, {', '.join(wrong)} cannot be changed.")
    count = len(stated.get("wavelengths_nm", card.wavelengths_nm))
    if count != len(card.wavelengths_nm) and card.task != SUPER_RESOLUTION:
        raise ModelError(
            f"{card.name} makes {len(card.wavelengths_nm)} bands, but {count} wavelengths are "
            "stated."
        )
    return _validated(card, stated)


def _stated(
    *,
    wavelengths: Iterable[float] | None = None,
    input_encoding: str | None = None,
    **words: str | None,
) -> dict[str, Any]:
    """The fields of a card that are stated, in the card's own spelling."""
    stated = {key: _worded(key, value) for key, value in words.items() if value is not None}
    if wavelengths is not None:
        stated["wavelengths_nm"] = tuple(Wavelengths(wavelengths))
    if input_encoding is not None:
        from napari_hsr.colour import normalise_encoding

        stated["input_encoding"] = normalise_encoding(input_encoding)
    return stated


def _worded(key: str, value: str) -> str | None:
    """A field's words; where they are empty, what a card says that does not state it."""
    if value.strip():
        return value
    if key in ("title", "limits"):
        raise ModelError(f"The {key} of a model cannot be empty.")
    return ModelCard.model_fields[key].default


def _validated(card: ModelCard, changes: dict[str, Any]) -> ModelCard:
    """The card with changes; what is stated now is no longer said to be assumed."""
    from pydantic import ValidationError

    if card.task == SUPER_RESOLUTION and changes.get("input_encoding", CUBE) != CUBE:
        raise ModelError(
            f"{card.name} takes cubes, not photographs: the input encoding "
            f"{changes['input_encoding']} cannot be stated for it."
        )
    limits = changes.get("limits")
    if limits is None:
        limits = card.limits
        for key in ASSUMED.keys() & changes.keys():
            limits = limits.replace(ASSUMED[key], "")
    else:  # what is still assumed goes on being said
        kept = (text for key, text in ASSUMED.items() if text in card.limits and key not in changes)
        limits = " ".join([limits, *(text for text in kept if text not in limits)])
    fields = {**card.model_dump(), **changes, "limits": " ".join(limits.split())}
    try:
        return ModelCard.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "card"
        raise ModelError(f"The model card is not valid: {where}: {first['msg']}.") from error


def _first_card(
    path: Path,
    architecture: Architecture,
    name: str,
    stated: dict[str, Any],
) -> ModelCard:
    """A card of what the file says, with what is assumed said as such."""
    assumed = [ASSUMED[key] for key in ("wavelengths_nm", "input_encoding") if key not in stated]
    return ModelCard(
        name=name,
        title=f"{architecture.title}, from {path.name}",
        architecture=architecture.id,
        input_encoding="linear-srgb",
        wavelengths_nm=DEFAULT_WAVELENGTHS_NM,
        limits=" ".join([ILL_POSED, *assumed]),
        source=f"{path.name}, SHA-256 {_sha256(path)}",
    )


def _first_card_for_cubes(
    weights: dict[str, torch.Tensor],
    path: Path,
    architecture: Architecture,
    name: str,
    stated: dict[str, Any],
) -> ModelCard:
    """The same for a network that makes the pixels of cubes finer; scale and rule are its own."""
    card = _model(weights, None, path).card
    assumed = [ASSUMED["wavelengths_nm"]] if "wavelengths_nm" not in stated else []
    changes = {
        "name": name,
        "title": f"{architecture.title} ×{card.scale}, from {path.name}",
        "limits": " ".join([FINER_IS_A_GUESS, *assumed]),
        "source": f"{path.name}, SHA-256 {_sha256(path)}",
    }
    return card.model_copy(update=changes)


def _from_catalogue(entry: str, architecture: Architecture, path: Path) -> dict[str, Any]:
    """What the catalogue knows of the file that the user says it is."""
    from napari_hsr.models.published_weights import find

    known = find(entry)
    if known.architecture != architecture.id:
        raise ModelError(
            f"{path} holds weights of {architecture.id}, but {entry} in the catalogue is "
            f"{known.architecture}."
        )
    facts = {
        "title": known.title,
        "wavelengths_nm": known.wavelengths_nm,
        "input_encoding": known.input_encoding,
        "units": known.units,
        "training_data": known.training_data,
        "licence": known.licence,
        "source": f"{path.name}, SHA-256 {_sha256(path)}, said to be from {known.page}",
    }
    return {key: value for key, value in facts.items() if value}


def _read(path: Path) -> tuple[dict[str, torch.Tensor], ModelCard | None]:
    """Weights without their wrappings, and the card of a file that has one of ours."""
    from napari_hsr.models.model_file import CARD_KEY, read_card, read_weights
    from napari_hsr.models.state_dict import unwrap_file
    from napari_hsr.models.torch_checkpoint import looks_like, read_torch

    if path.is_dir():
        raise FileError(path, "a file with weights was expected, but this is a folder")
    if not path.exists():
        raise FileError(path, "there is no such file")
    named = "safetensors" if path.suffix.lower() == ".safetensors" else "torch"
    if (looks_like(path) or named) == "torch":
        return unwrap_file(read_torch(path), path), None
    weights = unwrap_file(read_weights(path), path)
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        ours = CARD_KEY in (file.metadata() or {})
    return weights, read_card(path) if ours else None


def _recognise(weights: dict[str, torch.Tensor], path: Path) -> Architecture:
    from napari_hsr.models.registry import recognise

    try:
        return recognise(weights)
    except ModelError as error:
        raise FileError(path, str(error).rstrip(".")) from error


def _model(weights: dict[str, torch.Tensor], card: ModelCard | None, path: Path) -> Model:
    """The network filled with its weights; what does not fit is told of the file."""
    from napari_hsr.models.registry import from_state_dict

    try:
        model = from_state_dict(weights, card)
    except WavelengthsNeededError:
        raise
    except ModelError as error:
        raise FileError(path, str(error).rstrip(".")) from error
    for key, value in model.module.state_dict().items():
        if value.is_floating_point() and not weights[key].is_floating_point():
            kind = str(weights[key].dtype).removeprefix("torch.")
            raise FileError(path, f"weights were expected, but {key} holds whole numbers ({kind})")
    return model


def _move(model: Model, path: Path) -> None:
    """Weights that lie in a mapped file lie in the model's own from now on."""
    from napari_hsr.models import memory_mapping

    if all(memory_mapping.is_mapped(value) for value in model.module.state_dict().values()):
        model.module.load_state_dict(memory_mapping.tensors(path), strict=True, assign=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
