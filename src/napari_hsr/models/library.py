"""Finds models by name or path: bundled ones, imported ones, and those in the user's own files."""

from __future__ import annotations

import os
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.arguments import told
from napari_hsr.errors import ModelError
from napari_hsr.models.bundled_models import DEFAULT, bundled, check
from napari_hsr.models.model import Model
from napari_hsr.models.model_file import find_weights, in_use, read_card
from napari_hsr.models.torch_checkpoint import is_torch
from napari_hsr.models.user_models import stored
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from napari_hsr.models.card import ModelCard


def list_models() -> list[ModelCard]:
    """Cards of all models that :func:`load_model` knows by name.

    The default first, then the other bundled ones, then those that the user imported. An imported
    model whose file cannot be read is left out with a warning.
    """
    on_board = [card for card, _ in bundled().values()]
    imported = [card for card, _ in stored().values()]
    return [
        *sorted(on_board, key=lambda card: (card.name != DEFAULT, card.name)),
        *sorted(imported, key=lambda card: card.name),
    ]


@told
def card_of(name: str | PathLike[str]) -> ModelCard:
    """The card of a model by name, or in a folder or safetensors file; nothing is loaded.

    Raises
    ------
    ModelError
        If there is no such model.
    FileError
        If the file is damaged or carries no card.
    """
    return read_card(_file_of(_named(name)))


@told
def load_model(name: str | PathLike[str] | Model = DEFAULT) -> Model:
    """Load a model by name, or from a folder or safetensors file.

    Names take precedence over folders and files.

    Parameters
    ----------
    name : str, path or Model
        A name from :func:`list_models`, a folder with one ``.safetensors`` file, or such
        a file. A model that is already loaded is returned as it is.

    Returns
    -------
    Model
        In eval mode, on the CPU.

    Raises
    ------
    ModelError
        If there is no such model, or its weights are not recognised.
    FileError
        If the file is damaged or carries no card.
    """
    if isinstance(name, Model):
        return name
    text = _named(name)
    return _load_file(_file_of(text), text)


def _named(name: object) -> str:
    if not isinstance(name, (str, PathLike)):
        given = one_line(" ".join(repr(name).split()), 200)
        raise ModelError(f"A model is given by its name or its file, not {given}.")
    return fspath(name)


def _file_of(text: str) -> Path:
    """The file of a model by name, or the one that a path leads to."""
    models = {**stored(), **bundled()}
    if text in models:
        return models[text][1]
    path = Path(text)
    if os.path.exists(path):
        if path.is_file() and is_torch(path):
            raise ModelError(
                f"{path}: a checkpoint carries no card, so it is imported first: "
                f"napari-hsr models import {path} --name …"
            )
        return find_weights(path)
    known = one_line(", ".join(card.name for card in list_models()), 600)
    raise ModelError(f"There is no model or folder named {text!r}; available are: {known}.")


def _load_file(path: Path, source: str) -> Model:
    from napari_hsr.models.state_dict import from_state_dict, read_weights  # loads torch

    check(path)
    card, held = read_card(path), in_use(path)
    try:
        model = from_state_dict(read_weights(path), card, share=held is not None)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if card.weights_sha256 not in ("", model.weights_sha256):
        raise ModelError(
            f"{path}: its weights have the SHA-256 {model.weights_sha256}, but its card pins "
            f"{card.weights_sha256}: the file was changed or damaged."
        )
    model = replace(model, source=source, in_use=held)
    model.check_weights()
    return model
