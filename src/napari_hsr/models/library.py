"""Models by name: those on board, those imported, and those in a folder or file of the user's."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import ModelError

if TYPE_CHECKING:
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

#: The model taken when none is named: photographs as cameras deliver them.
DEFAULT = "mstpp-photo"

_BUNDLED = Path(__file__).parent / "bundled"


@lru_cache(maxsize=1)
def bundled() -> dict[str, tuple[ModelCard, Path]]:
    """Cards and files of the models on board, by name."""
    from napari_hsr.models.model_file import read_card

    found = {}
    for path in sorted(_BUNDLED.glob("*.safetensors")):
        card = read_card(path)
        found[card.name] = (card, path)
    return found


def list_models() -> list[ModelCard]:
    """Cards of all models that :func:`load_model` knows by name.

    The default first, the others on board, then those that the user imported. An imported
    model whose file cannot be read is left out with a warning.
    """
    from napari_hsr.models.user_models import stored

    on_board = [card for card, _ in bundled().values()]
    imported = [card for card, _ in stored().values()]
    return [
        *sorted(on_board, key=lambda card: (card.name != DEFAULT, card.name)),
        *sorted(imported, key=lambda card: card.name),
    ]


def card_of(name: str | PathLike) -> ModelCard:
    """The card of a model by name, or in a folder or safetensors file; nothing is loaded.

    Raises
    ------
    ModelError
        If there is no such model.
    FileError
        If the file is damaged or carries no card.
    """
    from napari_hsr.models.model_file import read_card

    return read_card(_file_of(fspath(name)))


def load_model(name: str | PathLike | Model = DEFAULT) -> Model:
    """Load a model by name, or from a folder or safetensors file.

    Names go before folders and files.

    Parameters
    ----------
    name : str, path or Model
        A name from :func:`list_models`, a folder with one ``.safetensors`` file, or such
        a file. A model that is already loaded is handed back.

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
    from napari_hsr.models.model import Model

    if isinstance(name, Model):
        return name
    text = fspath(name)
    return _load_file(_file_of(text), text)


def _file_of(text: str) -> Path:
    """The file of a model by name, or the one that a path leads to."""
    from napari_hsr.models.user_models import stored

    models = {**stored(), **bundled()}
    if text in models:
        return models[text][1]
    path = Path(text)
    if path.exists():
        from napari_hsr.models.model_file import find_weights
        from napari_hsr.models.torch_checkpoint import is_torch

        if path.is_file() and is_torch(path):
            raise ModelError(
                f"{path}: a checkpoint carries no card, so it is imported first: "
                f"napari-hsr models import {path} --name …"
            )
        return find_weights(path)
    known = ", ".join(card.name for card in list_models())
    raise ModelError(f"There is no model or folder named {text!r}; models at hand: {known}.")


def _load_file(path: Path, source: str) -> Model:
    from dataclasses import replace

    from napari_hsr.models.model_file import read_card, read_weights
    from napari_hsr.models.registry import from_state_dict

    card = read_card(path)
    try:
        model = from_state_dict(read_weights(path), card)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if card.weights_sha256 not in ("", model.weights_sha256):
        raise ModelError(
            f"{path}: its weights have the SHA-256 {model.weights_sha256}, but its card pins "
            f"{card.weights_sha256}: the file was changed or damaged."
        )
    return replace(model, source=source)
