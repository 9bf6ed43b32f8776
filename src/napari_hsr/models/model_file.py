"""A model's file: weights in safetensors, with the model card in its header."""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import AlreadyThereError, FileError, ModelError
from napari_hsr.io import limits
from napari_hsr.io.atomic import replacing
from napari_hsr.io.library_errors import translated
from napari_hsr.models.card import ModelCard, validation_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

#: Key of the card in the safetensors header.
CARD_KEY = "napari_hsr_card"
#: Files of this size in bytes are memory-mapped while their model is used; smaller ones are read,
#: and may then be changed or deleted by other programs.
LARGE = 2**29


def is_large(path: str | os.PathLike[str]) -> bool:
    """Whether a file is to be memory-mapped; not on Windows, which locks mapped files."""
    return os.name == "posix" and os.path.getsize(path) >= LARGE


class WeightsInUse:
    """A large file whose weights are used where they lie, looked after while that goes on.

    What lies behind the end of a file that became shorter cannot be read: the system would end the
    process. One that was written anew in the same place holds other weights than were checked.

    Parameters
    ----------
    path : path-like
        Opened before its weights are mapped: this is about the file that has the name now.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path = os.fspath(path)
        try:
            self._number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise FileError(path, f"it cannot be read ({error.strerror})") from error
        weakref.finalize(self, os.close, self._number)
        self._found = self._seen()

    def check(self) -> None:
        """Ask whether it is as it was.

        Raises
        ------
        FileError
            If it is not.
        """
        if self._seen() != self._found:
            raise FileError(
                self._path,
                "it was changed while its model was in use, whose weights lie in it; load the model again",
            )

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process has the weights in its memory."""
        return type(None), ()

    def _seen(self) -> tuple[int, int]:
        found = os.fstat(self._number)
        return found.st_size, found.st_mtime_ns


def in_use(path: str | os.PathLike[str]) -> WeightsInUse | None:
    """What looks after a file whose weights are about to be mapped; None for one that is copied."""
    return WeightsInUse(path) if is_large(path) else None


def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """The card in the header of a safetensors file; neither tensors nor torch are loaded.

    Raises
    ------
    FileError
        If the file is not safetensors, or carries no valid card.
    """
    card = card_in(path)
    if card is None:
        raise FileError(path, "the safetensors file carries no model card")
    return card


def card_in(path: str | os.PathLike[str]) -> ModelCard | None:
    """As :func:`read_card`, but None for a file without a card."""
    from pydantic import ValidationError
    from safetensors import SafetensorError, safe_open

    limits.check_regular(path)  # the library waits for ever for a pipe
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise FileError(path, _not_safetensors(error)) from error
    if CARD_KEY not in header:
        return None
    try:
        return ModelCard.model_validate_json(header[CARD_KEY])
    except ValidationError as error:
        problem = validation_problem(error)
        raise FileError(path, f"its model card is not valid: {problem}") from error


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file; those of a large one are read when they are used.

    A smaller one is read, not mapped: the process would end where another program cuts a file short
    whose tensors are being copied.

    Raises
    ------
    FileError
        If the file is damaged.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load, load_file

    limits.check_regular(path)
    try:
        if os.path.getsize(path) >= LARGE:
            return load_file(path)
        with safe_open(path, framework="numpy"):  # what it claims is looked at before all is read
            pass
        return load(Path(path).read_bytes())
    except (SafetensorError, OSError, KeyError) as error:
        raise FileError(path, _not_safetensors(error)) from error
    except MemoryError as error:
        raise FileError(path, "it asks for more memory than there is") from error


def save_model(
    path: str | os.PathLike[str],
    weights: Mapping[str, Tensor],
    card: ModelCard,
    *,
    exclusive: bool = False,
) -> Path:
    """Write weights and card to one safetensors file, atomically.

    The same weights and card give the same bytes. A tensor under several names is written under
    each.

    Parameters
    ----------
    path : path-like
    weights : mapping of str to torch.Tensor
    card : ModelCard
    exclusive : bool
        Whether a file that exists stays as it is.

    Raises
    ------
    AlreadyThereError
        If ``exclusive`` is set and the file exists by the time it is to be put in its place.
    FileError
        If the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    header = {CARD_KEY: json.dumps(card.model_dump(mode="json"), ensure_ascii=False)}
    with replacing(path, shared=exclusive) as temporary:  # `_claim` decides then
        path.parent.mkdir(parents=True, exist_ok=True)
        with translated(path, "it cannot be written", only=(SafetensorError,)):
            temporary.touch()
            mode = (
                temporary.stat().st_mode
            )  # as the user's other files; the library lets nobody else read
            save_file(_unshared(weights), temporary, header)
            temporary.chmod(mode)
        if exclusive:
            _claim(path, temporary)
    return path


def _unshared(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors of which no two use the same memory, as safetensors demands."""
    found: dict[str, Tensor] = {}
    used: set[int] = set()
    for key, value in weights.items():
        value = value.detach().cpu().contiguous()
        storage = value.untyped_storage().data_ptr()
        found[key] = value.clone() if storage in used else value
        used.add(storage)
    return found


def _claim(path: Path, complete: Path) -> None:
    """Make a file exist, or fail: of several processes at once, one succeeds."""
    try:
        os.link(complete, path)
    except FileExistsError as error:
        raise AlreadyThereError(path) from error
    except OSError:  # a file system without hard links
        try:
            path.touch(exist_ok=False)
        except FileExistsError as error:
            raise AlreadyThereError(path) from error


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Hash of names, types, shapes and values, whatever file or card carries them."""
    import torch

    digest = hashlib.sha256()
    for key in sorted(weights):
        tensor = weights[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def find_weights(path: Path) -> Path:
    """``path`` itself if it is a file, else the only safetensors file in the folder.

    Raises
    ------
    ModelError
        If the folder holds none or several.
    FileError
        If it is neither a file nor a folder.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        limits.check_regular(path)
    found = sorted(path.glob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(f.name for f in found) or "none"
        raise ModelError(
            f"{path}: a model folder holds exactly one .safetensors file; found {names}."
        )
    return found[0]


def _not_safetensors(error: Exception) -> str:
    """What the library found wrong, without its list of all types that it knows."""
    return f"a safetensors file was expected ({str(error).partition(', expected')[0]})"
