"""Write the list of hashes that each bundled model is held against when it is loaded.

    python training/hashes.py

The scripts beside it that make or change a bundled model do so through :func:`save_model`, which keeps
the list. ``sha256sum -c SHA256SUMS`` in the folder of the models checks it without Python.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from napari_hsr.io.text_files import write_text
from napari_hsr.models import model_file
from napari_hsr.models.bundled_models import FOLDER, HASHES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_hsr.models.card import ModelCard


def save_model(path: Path, weights: Mapping[str, Tensor], card: ModelCard) -> Path:
    """Write a model; one of the package is listed as it is now."""
    made = model_file.save_model(path, weights, card)
    if made.absolute().parent == FOLDER.absolute():
        write_list()
    return made


def write_list() -> None:
    """List the hashes of all bundled models."""
    files = sorted(FOLDER.glob("*.safetensors"))
    lines = (f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    write_text(FOLDER / HASHES, "".join(lines))


if __name__ == "__main__":
    write_list()
