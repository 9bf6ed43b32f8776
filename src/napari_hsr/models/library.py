"""Models by name: those on board, and those in a folder or file of the user's."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import ModelError
from napari_hsr.models.card import ModelCard

if TYPE_CHECKING:
    from napari_hsr.models.descriptor import Model

#: The model taken when none is named: photographs as cameras deliver them.
DEFAULT = "rootpoly-srgb"

_BUNDLED = Path(__file__).parent / "bundled"


@lru_cache(maxsize=1)
def _bundled() -> dict[str, tuple[ModelCard, Path]]:
    from napari_hsr.models.checkpoint import read_card

    found = {}
    for path in sorted(_BUNDLED.glob("*.safetensors")):
        card = read_card(path)
        found[card.name] = (card, path)
    return found


def list_models() -> list[ModelCard]:
    """Cards of all models that :func:`load_model` knows by name, the default first."""
    cards = [card for card, _ in _bundled().values()]
    return sorted(cards, key=lambda card: (card.name != DEFAULT, card.name))


def load_model(name: str | PathLike | Model = DEFAULT) -> Model:
    """Load a model by name, or from a folder or safetensors file.

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
    from napari_hsr.models.descriptor import Model

    if isinstance(name, Model):
        return name
    text = fspath(name)
    if text in _bundled():
        return _load_file(_bundled()[text][1], text)
    path = Path(text)
    if path.exists():
        from napari_hsr.models.checkpoint import find_weights

        return _load_file(find_weights(path), text)
    known = ", ".join(card.name for card in list_models())
    raise ModelError(f"There is no model or folder named {text!r}; models on board: {known}.")


def _load_file(path: Path, source: str) -> Model:
    from dataclasses import replace

    from napari_hsr.models.checkpoint import read_card, read_weights
    from napari_hsr.models.registry import from_state_dict

    card = read_card(path)
    try:
        model = from_state_dict(read_weights(path), card)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return replace(model, source=source)
