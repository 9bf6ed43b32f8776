"""Weights on disk: ours in safetensors with the card inside, others' too; no code is run."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, ModelError
from napari_hsr.models.card import ModelCard
from napari_hsr.models.state_dict import unwrap_file
from napari_hsr.models.torch_checkpoint import is_torch, read_torch

if TYPE_CHECKING:
    import torch

#: Key of the card in the safetensors header.
CARD_KEY = "napari_hsr_card"


def read_card(path: str | os.PathLike) -> ModelCard:
    """The card in the header of a safetensors file; no tensor is read and no torch needed.

    Raises
    ------
    FileError
        If the file is not safetensors, or carries no valid card.
    """
    from pydantic import ValidationError
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise FileError(path, _not_ours(error)) from error
    if CARD_KEY not in header:
        raise FileError(path, "the safetensors file carries no model card")
    try:
        return ModelCard.model_validate_json(header[CARD_KEY])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "card"
        raise FileError(path, f"its model card is not valid: {where}: {first['msg']}") from error


def read_weights(path: str | os.PathLike) -> dict[str, torch.Tensor]:
    """The tensors of a file, on the CPU; those of a large one are not read before they are used.

    Parameters
    ----------
    path : path-like
        A safetensors file or a checkpoint of torch, told apart by what is in them
        (:func:`napari_hsr.models.torch_checkpoint.is_torch`); a checkpoint's wrappings are taken
        off (:func:`napari_hsr.models.state_dict.unwrap`).

    Raises
    ------
    FileError
        If the file is damaged, holds no state dict, or cannot be read without running code
        that it names.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    from napari_hsr.models import memory_mapping

    if is_torch(path):
        return unwrap_file(read_torch(path), path)
    try:
        if memory_mapping.worth_it(path):
            with safe_open(path, framework="pt"):  # finds what is damaged
                return memory_mapping.tensors(path)
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise FileError(path, _not_ours(error)) from error
    except MemoryError as error:
        raise FileError(path, "it asks for more memory than there is") from error


def save_model(
    path: str | os.PathLike,
    weights: dict[str, torch.Tensor],
    card: ModelCard,
    *,
    exclusive: bool = False,
) -> Path:
    """Write weights and card to one safetensors file, atomically.

    The same weights and card give the same bytes. A tensor that has several names is written
    under each. Weights of a mapped file are in memory one at a time. ``exclusive`` raises
    FileExistsError if the file is there by the time it is to be put in its place.
    """
    from napari_hsr.models import safetensors_io

    path = Path(path)
    header = {CARD_KEY: json.dumps(card.model_dump(mode="json"), ensure_ascii=False)}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            safetensors_io.write(file, weights, header)
        os.chmod(temporary, 0o644)  # mkstemp makes it private; a model is for sharing
        if exclusive:
            _put_where_nothing_is(path, temporary)
        else:
            os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _put_where_nothing_is(path: Path, temporary: str) -> None:
    """Move a file unless there is one already: of many at once, one succeeds."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: an empty file until it is replaced
        with path.open("xb"):
            pass
        os.replace(temporary, path)
    else:
        os.unlink(temporary)  # the other of two names of one file


def weights_sha256(weights: dict[str, torch.Tensor]) -> str:
    """Hash of names, types, shapes and values, whatever file or card carries them."""
    from napari_hsr.models import memory_mapping

    digest = hashlib.sha256()
    for key in sorted(weights):
        tensor = weights[key].detach().cpu()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(memory_mapping.as_bytes(tensor))
        memory_mapping.release(tensor)
    return digest.hexdigest()


def find_weights(path: Path) -> Path:
    """``path`` itself if it is a file, else the one safetensors file in the folder.

    Raises
    ------
    ModelError
        If the folder holds none or several.
    """
    if path.is_file():
        return path
    found = sorted(path.glob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(f.name for f in found) or "none"
        raise ModelError(
            f"{path}: a model folder holds exactly one .safetensors file; found {names}."
        )
    return found[0]


def _not_ours(error: Exception) -> str:
    """What the library found wrong with a file, without the list of all that it knows."""
    return f"a safetensors file was expected ({str(error).partition(', expected')[0]})"
