"""Models: recognised from their weights, found by name, described by a card.

Importing this package does not import torch; loading a model does.
"""

from importlib import import_module
from typing import Any

from napari_hsr.io.library_errors import look_after_torch
from napari_hsr.models.bundled_models import DEFAULT
from napari_hsr.models.card import ModelCard
from napari_hsr.models.library import card_of, list_models, load_model

look_after_torch()

__all__ = [
    "DEFAULT",
    "ModelCard",
    "between_pixels",
    "card_of",
    "from_state_dict",
    "import_checkpoint",
    "list_models",
    "load_model",
]

#: Imported on first use, because they need torch.
_LATE = {
    "between_pixels": "architectures.inr",
    "from_state_dict": "state_dict",
    "import_checkpoint": "checkpoint_import",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'napari_hsr.models' has no attribute {name!r}")
    return getattr(import_module(f"napari_hsr.models.{_LATE[name]}"), name)
