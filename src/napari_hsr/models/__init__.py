"""Models: recognised from their weights, described by one descriptor, found by name.

Importing this package does not import torch; loading a model does.
"""

from napari_hsr.models.card import ModelCard
from napari_hsr.models.library import DEFAULT, card_of, list_models, load_model

__all__ = [
    "DEFAULT",
    "ModelCard",
    "card_of",
    "finer",
    "from_state_dict",
    "import_checkpoint",
    "list_models",
    "load_model",
]


def __getattr__(name: str):
    if name == "from_state_dict":  # needs torch, so on first use only
        from napari_hsr.models.registry import from_state_dict

        return from_state_dict
    if name == "finer":
        from napari_hsr.models.architectures.inr import finer

        return finer
    if name == "import_checkpoint":
        from napari_hsr.models.checkpoint_import import import_checkpoint

        return import_checkpoint
    raise AttributeError(f"module 'napari_hsr.models' has no attribute {name!r}")
