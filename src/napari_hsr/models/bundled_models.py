"""The models that come with the package."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.models.model_file import read_card

if TYPE_CHECKING:
    from napari_hsr.models.card import ModelCard

#: The model used when none is named: for photographs as cameras deliver them.
DEFAULT = "mstpp-photo"

FOLDER = Path(__file__).parent / "bundled"


@lru_cache(maxsize=1)
def bundled() -> dict[str, tuple[ModelCard, Path]]:
    """Cards and files of the bundled models, by name."""
    found = {}
    for path in sorted(FOLDER.glob("*.safetensors")):
        card = read_card(path)
        found[card.name] = (card, path)
    return found
