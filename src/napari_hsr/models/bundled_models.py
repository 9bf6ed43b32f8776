"""The models that come with the package."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import translated
from napari_hsr.models.model_file import read_card

if TYPE_CHECKING:
    from napari_hsr.models.card import ModelCard

#: The model used when none is named: for photographs as cameras deliver them.
DEFAULT = "mstpp-photo"

FOLDER = Path(__file__).parent / "bundled"
#: The SHA-256 of each of its files, as ``sha256sum`` writes them; ``training/hashes.py`` makes the list.
HASHES = "SHA256SUMS"


@lru_cache(maxsize=1)
def bundled() -> dict[str, tuple[ModelCard, Path]]:
    """Cards and files of the bundled models, by name."""
    found = {}
    for path in sorted(FOLDER.glob("*.safetensors")):
        card = read_card(path)
        found[card.name] = (card, path)
    return found


def check(path: Path) -> None:
    """Hold a bundled model's whole file, weights and card, against the package's list; others pass.

    Neither safetensors nor a disk notices a bit that is no longer what it was.

    Raises
    ------
    FileError
        If it was changed or damaged since it was packaged.
    """
    if path.absolute().parent != FOLDER.absolute():
        return
    listed = FOLDER / HASHES
    with translated(listed, "the list of the package's models cannot be read"):
        lines = listed.read_text(encoding="utf-8").splitlines()
        stated = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    with translated(path, "it cannot be read"):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    if stated.get(path.name) != found:
        told = f"it is not as it was packaged (SHA-256 {found[:12]}…): the file was changed or damaged; install napari-hsr again"
        raise FileError(path, told)
