"""Imports a published checkpoint as a model of the user's, with a card.

Only what is known goes into the card; what had to be assumed is said under its limits.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.arguments import told
from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM
from napari_hsr.errors import FileError, ModelError
from napari_hsr.io.atomic import standing
from napari_hsr.io.library_errors import not_there
from napari_hsr.models.card import (
    CUBE,
    DETAIL_ESTIMATED,
    ILL_POSED,
    RECONSTRUCTION,
    SUPER_RESOLUTION,
    ImportRecord,
    ModelCard,
    WavelengthsNeededError,
)
from napari_hsr.models.card_editing import (
    ASSUMPTIONS,
    restated,
    stated,
    with_assumption,
    with_fields,
)
from napari_hsr.models.published_weights import find
from napari_hsr.models.user_models import keep, place_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from napari_hsr.io.atomic import Identity
    from napari_hsr.models.architectures.base import AnyArchitecture
    from napari_hsr.models.model import Model
    from napari_hsr.models.published_weights import Entry

    Weights = dict[str, Tensor]

#: Side of the image that a network is tried with, in pixels, unless it needs multiples of more.
_TRIED_PIXELS = 32
#: Channels, and whatever else a tensor of weights counts: up to so many, the features of such an
#: image take little memory.
_TRIED_WIDTH = 4096


@dataclass(frozen=True)
class Checkpoint:
    """What a file with weights was recognised as, without the weights.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    architecture, title : str
        The network: its id in the registry, and its name for people.
    weights : int
        Number of weights.
    channels, bands : int or None
        Of its input and output; None where their number is free.
    input_rule : str
        Its whole-image rule, in words.
    asks_for_rule : bool
        Whether the user can state the statistics of that rule.
    card : ModelCard or None
        The card that the file carries, if it is one of ours.
    scale : int
        Output pixels per input pixel along each side.
    seen : tuple of int or None
        What changes when the file is written anew.
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
    seen: Identity = None


def examine(path: str | os.PathLike[str]) -> Checkpoint:
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
    seen = _seen(path)
    weights, card = _read(path)
    architecture = _recognise(weights, path)
    try:
        model = _model(weights, card, path)
    except WavelengthsNeededError as needed:
        placeholders = tuple(float(number) for number in range(1, needed.bands + 1))
        counted = _first_card(path, architecture, architecture.id)
        model = _model(weights, with_fields(counted, {"wavelengths_nm": placeholders}), path)
    _try(model, path)
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
        seen=seen,
    )


def import_examined(checkpoint: Checkpoint, **facts: Any) -> Model:
    """:func:`import_checkpoint` of a file that was examined, with what was stated of it then.

    Raises
    ------
    FileError
        If another file stands there by now, of which nothing was stated.
    """
    if _seen(checkpoint.path) != checkpoint.seen:
        raise FileError(checkpoint.path, "it changed since it was looked at: choose it again")
    return import_checkpoint(checkpoint.path, **facts)


def _seen(path: Path) -> Identity:
    return standing([path])[Path(os.path.realpath(path))]


@told
def import_checkpoint(
    path: str | os.PathLike[str],
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
    from napari_hsr.models.input_rules import Statistics
    from napari_hsr.models.model_file import is_large, read_tensors

    path = Path(path)
    place = place_for(name, overwrite)
    published = find(entry) if entry else None  # before the file is read, which takes a while
    weights, card = _read(path)
    architecture = _recognise(weights, path)
    facts = _of_published(published, architecture, path) if published else {}
    facts |= stated(
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
        scale = 1
        if architecture.task == SUPER_RESOLUTION:
            scale = _model(weights, None, path).scale
        card = _first_card(path, architecture, name, scale, path.name if source is None else "")
    card = restated(card, {"name": name, **facts})
    model = _model(weights, card, path)
    _try(model, path)
    found = {"weights_sha256": model.weights_sha256}
    if model.rule.name != card.input_rule:
        found["input_rule"] = model.rule.name
    card = with_fields(card, found)
    if isinstance(model.rule, Statistics):
        if new and input_rule is None:
            card = with_assumption(card, "input_rule")
    elif input_rule is not None:
        raise ModelError(
            f"{architecture.short_title} has an input rule of its own ({model.rule.name}): "
            f"{input_rule!r} cannot be stated for it."
        )
    keep(place, weights, card, overwrite)
    if is_large(place):  # its weights lie in the checkpoint, which is the user's to delete
        model.module.load_state_dict(read_tensors(place), strict=True, assign=True)
    return replace(model, card=card, source=name)


def _first_card(
    path: Path, architecture: AnyArchitecture, name: str, scale: int = 1, file: str = ""
) -> ModelCard:
    """A card of what the file tells, with everything else said to be assumed."""
    for_cubes = architecture.task == SUPER_RESOLUTION
    title = f"{architecture.title} ×{scale}" if for_cubes else architecture.title
    assumed = ("wavelengths_nm",) if for_cubes else ("wavelengths_nm", "input_encoding")
    guess = DETAIL_ESTIMATED if for_cubes else ILL_POSED
    return ModelCard(
        name=name,
        title=f"{title}, from {path.name}",
        architecture=architecture.id,
        input_encoding=CUBE if for_cubes else "linear-srgb",
        wavelengths_nm=DEFAULT_WAVELENGTHS_NM,
        scale=scale,
        limits=" ".join([guess, *(ASSUMPTIONS[field] for field in assumed)]),
        source=f"{path.name}, SHA-256 {_sha256(path)}",
        imported=ImportRecord(file=file, limits=guess.text, assumed=assumed),
    )


def _of_published(entry: Entry, architecture: AnyArchitecture, path: Path) -> dict[str, Any]:
    """What is known of published weights that the user says the file holds."""
    if entry.architecture != architecture.id:
        raise ModelError(
            f"{path} holds weights of {architecture.id}, but {entry.name} in the catalogue is "
            f"{entry.architecture}."
        )
    facts = {
        "title": entry.title,
        "wavelengths_nm": entry.wavelengths_nm,
        "input_encoding": entry.input_encoding,
        "units": entry.units,
        "training_data": entry.training_data,
        "licence": entry.licence,
        "source": f"{path.name}, SHA-256 {_sha256(path)}, said to be from {entry.page}",
    }
    return {key: value for key, value in facts.items() if value}


def _read(path: Path) -> tuple[Weights, ModelCard | None]:
    """Weights without their wrappings, and the card of a file that has one of ours."""
    from napari_hsr.models.model_file import card_in
    from napari_hsr.models.state_dict import checked_tensors, unwrap_file
    from napari_hsr.models.torch_checkpoint import looks_like, read_torch

    if path.is_dir():
        raise FileError(path, "a file with weights was expected, but this is a folder")
    if not path.exists():
        raise not_there(path, "there is no such file")
    named = "safetensors" if path.suffix.lower() == ".safetensors" else "torch"
    if (looks_like(path) or named) == "torch":
        return unwrap_file(read_torch(path), path), None
    card = card_in(path)
    return unwrap_file(checked_tensors(path, card), path), card


def _recognise(weights: Weights, path: Path) -> AnyArchitecture:
    from napari_hsr.models.registry import recognise

    try:
        return recognise(weights)
    except ModelError as error:
        raise FileError(path, str(error).rstrip(".")) from error


def _model(weights: Weights, card: ModelCard | None, path: Path) -> Model:
    """The network filled with its weights; what does not fit is told of the file."""
    from napari_hsr.models.model_file import is_large
    from napari_hsr.models.state_dict import from_state_dict

    try:
        model = from_state_dict(weights, card, share=is_large(path))
    except WavelengthsNeededError:
        raise
    except ModelError as error:
        raise FileError(path, str(error).rstrip(".")) from error
    for key, value in model.module.state_dict().items():
        if value.is_floating_point() and not weights[key].is_floating_point():
            kind = str(weights[key].dtype).removeprefix("torch.")
            raise FileError(path, f"weights were expected, but {key} holds whole numbers ({kind})")
    return model


def _try(model: Model, path: Path) -> None:
    """Run the network once on a small image: what would fail in use is refused now."""
    from napari_hsr.models.model_file import is_large

    if model.task == RECONSTRUCTION and model.channels != 3:
        raise FileError(
            path,
            f"its input has {model.channels} channels, where a photograph has 3: red, green and "
            "blue",
        )
    # A network that takes any bands does the same for each: one more than it needs at least.
    bands = model.channels or model.least_bands + 1
    side = model.size_multiple * -(-_TRIED_PIXELS // model.size_multiple)
    faults = (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError)
    # Without values is slower, but takes no memory and reads no large file.
    widest = max(
        (n for value in model.module.state_dict().values() for n in value.shape), default=0
    )
    light = widest <= _TRIED_WIDTH and not is_large(path)
    shape = (1, bands, side, side)
    try:
        try:
            found = _output_shape(model, shape, "cpu" if light else "meta")
        except faults:  # it may need values, which tensors without memory do not have
            if light:
                raise
            found = _output_shape(model, shape, "cpu")
    except faults as error:
        fault = (str(error).splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise FileError(path, f"its network cannot compute a small image: {fault}") from error
    expected = (1, model.bands or bands, model.scale * side, model.scale * side)
    if found != expected:
        of, instead = (" x ".join(map(str, shape[1:])) for shape in (expected, found))
        raise FileError(path, f"its network should make {of} (bands, rows, columns), not {instead}")


def _output_shape(model: Model, shape: tuple[int, ...], device: str) -> tuple[int, ...]:
    """What the network makes of an image; on the device "meta" without memory and values."""
    import torch

    module, weights = model.module, {}
    if device == "meta":
        tensors = [*module.named_parameters(), *module.named_buffers()]
        weights = {name: torch.empty_like(value, device=device) for name, value in tensors}
    with torch.inference_mode():
        image = torch.ones(shape, device=device)
        return tuple(torch.func.functional_call(module, weights, (image,)).shape)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
