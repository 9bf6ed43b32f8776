"""The user's own models: imported once, kept in their data folder, listed with the others.

One safetensors file a model, with its card inside and the hash of its weights in the card.
"""

from __future__ import annotations

import os
import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import AlreadyThereError, FileError, HSRError, ModelError
from napari_hsr.io.atomic import replacing
from napari_hsr.io.library_errors import translated
from napari_hsr.models.bundled_models import bundled, check
from napari_hsr.models.card_editing import edited
from napari_hsr.models.model_file import read_card, save_model, weights_sha256
from napari_hsr.user_folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_hsr.models.card import ModelCard, PrecisionError

SUFFIX = ".safetensors"

#: Cards by file, so that lists need not open every file again: (time, size) and card.
_read: dict[Path, tuple[tuple[int, int], ModelCard]] = {}


def folder() -> Path:
    """Where imported models are kept; it need not exist."""
    return data_folder() / "models"


def stored() -> dict[str, tuple[ModelCard, Path]]:
    """Cards and files of the imported models, by name.

    A file that cannot be read is left out with a warning that says why. Of several files that hold
    a model of one name, the one that is called so too is taken, and the others are left out.
    """
    read: list[tuple[ModelCard, Path]] = []
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        try:
            card = _card(path)
        except FileNotFoundError:  # removed since the folder was listed
            continue
        except (HSRError, OSError) as error:
            warnings.warn(f"A model is left out: {error}", stacklevel=2)
            continue
        read.append((card, path))
    found: dict[str, tuple[ModelCard, Path]] = {}
    for card, path in sorted(read, key=lambda one: one[0].name != one[1].stem):
        if card.name in found or card.name in bundled():
            other = found[card.name][1] if card.name in found else "the bundled one"
            warnings.warn(
                f"A model is left out: {path} is another one named {card.name}, beside {other}.",
                stacklevel=2,
            )
            continue
        found[card.name] = (card, path)
    return dict(sorted(found.items()))


def _card(path: Path) -> ModelCard:
    state = path.stat()
    stamp = (state.st_mtime_ns, state.st_size)
    if path not in _read or _read[path][0] != stamp:
        _read[path] = (stamp, read_card(path))
    return _read[path][1]


def file_of(name: str) -> Path:
    """The file of an imported model.

    Raises
    ------
    ModelError
        If there is no imported model of that name; bundled ones are not.
    FileError
        If the file that has its name is damaged.
    """
    models = stored()
    if name in models:
        return models[name][1]
    if name in bundled():
        raise ModelError(
            f"{name} comes with the package: only imported models can be changed or removed."
        )
    damaged = _file_named(name)
    if damaged is not None:
        _card(damaged)  # tells what is wrong with it
    known = ", ".join(models) or "none"
    raise ModelError(f"There is no imported model named {name!r}; imported are: {known}.")


def _file_named(name: str) -> Path | None:
    """The file that a model of this name would be in, whatever it holds; None if there is none."""
    path = folder() / f"{name}{SUFFIX}"
    return path if _fit(name) and path.is_file() else None


def place_for(name: str, overwrite: bool = False) -> Path:
    """The file that a model of this name would be kept in.

    Raises
    ------
    ModelError
        If the name is not fit for one, is that of a bundled model, or is taken and may not
        be overwritten.
    """
    check_name(name)
    if name in bundled():
        raise ModelError(f"The name {name} belongs to a bundled model: choose another.")
    path = folder() / f"{name}{SUFFIX}"
    taken = [file for card, file in stored().values() if card.name == name]
    if (taken or path.exists()) and not overwrite:
        raise _taken(name)
    return taken[0] if taken else path


def _taken(name: str) -> ModelError:
    return ModelError(
        f"There is a model named {name} already: choose another name, or ask for it to be "
        "overwritten."
    )


def check_name(name: str) -> None:
    """Raise a ModelError unless ``name`` is fit for a command line and a file."""
    if not _fit(name):
        raise ModelError(
            f"The name {name!r} is not fit for a model: letters without accents, digits and "
            "-, _, ., + were expected, beginning with a letter or digit, at most 100 of them."
        )


def _fit(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", name) is not None


def keep(
    path: Path, weights: Mapping[str, Tensor], card: ModelCard, overwrite: bool = True
) -> None:
    """Write a model to its place among the imported models, whole or not at all.

    Raises
    ------
    ModelError
        If another one has taken the place meanwhile, and may not be overwritten.
    FileError
        If it cannot be written.
    """
    try:
        save_model(path, weights, card, exclusive=not overwrite)
    except AlreadyThereError as error:
        raise _taken(card.name) from error


def edit(name: str, **changes: Any) -> ModelCard:
    """Complete or correct the card of an imported model.

    Parameters
    ----------
    name : str
        Its name.
    **changes
        As those of :func:`napari_hsr.models.checkpoint_import.import_checkpoint` that describe the
        model: ``title``, ``wavelengths``, ``input_encoding``, ``units``, ``training_data``,
        ``protocol``, ``licence``, ``limits``, ``source``.

    Returns
    -------
    ModelCard
        The new card; without figures, told in a warning, where they were measured with another
        encoding or other wavelengths.

    Raises
    ------
    ModelError
        If there is no such imported model, or a change does not fit it.
    """
    path = file_of(name)
    from napari_hsr.models.state_dict import checked_tensors  # loads torch

    before = _card(path)
    card = edited(before, **changes)
    keep(path, checked_tensors(path, before), card)
    return card


def add_precision_errors(
    name: str, errors: dict[str, PrecisionError], weights_sha256: str
) -> ModelCard:
    """Write what was measured of lower precisions into the card of an imported model.

    Parameters
    ----------
    name : str
        Its name.
    errors : dict of str to PrecisionError
        By precision; those of others stay.
    weights_sha256 : str
        Hash of the weights that it was measured with.

    Returns
    -------
    ModelCard
        The new card.

    Raises
    ------
    ModelError
        If there is no such imported model, or its weights have changed.
    FileError
        If its file cannot be written.
    """
    path = file_of(name)
    card = _card(path)
    if card.weights_sha256 not in ("", weights_sha256):
        raise ModelError(
            f"{name} has other weights than those that were measured: measure it again."
        )
    from napari_hsr.models.state_dict import checked_tensors

    tensors = checked_tensors(path, card)
    card = card.model_copy(update={"precision_errors": {**card.precision_errors, **errors}})
    keep(path, tensors, card)
    return card


def remove(name: str) -> None:
    """Delete an imported model; one with a damaged file is found by the file's name.

    Raises
    ------
    ModelError
        If there is no imported model of that name.
    FileError
        If its file cannot be deleted.
    """
    try:
        path = file_of(name)
    except FileError:
        path = folder() / f"{name}{SUFFIX}"
    with translated(path, "it cannot be deleted", only=(OSError,)):
        path.unlink()
    _read.pop(path, None)


def export(name: str, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Copy a model, imported or bundled, to a file that can be shared; its card pins its weights.

    Parameters
    ----------
    name : str
        Its name.
    path : path-like
        A ``.safetensors`` file to be made, or a folder to put one named after the model in: one that is there,
        or is made where the name has no suffix or ends with a slash.
    overwrite : bool
        Whether a file that is there may be replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ModelError
        If there is no model of that name.
    FileError
        If the file is there and may not be replaced, cannot be written, or would have
        another suffix.
    """
    models = {**stored(), **bundled()}
    if name not in models:
        raise ModelError(f"There is no model named {name!r}; there are: {', '.join(models)}.")
    target = Path(path)
    named_folder = not target.suffix or os.fspath(path).endswith(("/", os.sep))
    made = named_folder and not os.path.lexists(target)
    if target.is_dir() or made:
        target = target / f"{name}{SUFFIX}"
    if target.suffix.lower() != SUFFIX:
        raise FileError(target, f"models are exported as {SUFFIX} files")
    if target.exists() and not overwrite:
        raise AlreadyThereError(target)
    if not (target.parent.parent if made else target.parent).is_dir():
        raise FileError(target, "the folder for it does not exist")
    from napari_hsr.models.state_dict import checked_tensors, unwrap_file

    card, file = models[name]
    check(file)
    tensors = checked_tensors(file, card)  # nobody else is to get what is damaged
    if made:
        with translated(target.parent, "the folder cannot be made", only=(OSError,)):
            target.parent.mkdir(exist_ok=True)
    if not card.weights_sha256:  # and what is damaged on the way is known by it
        pin = weights_sha256(unwrap_file(tensors, file))
        pinned = card.model_copy(update={"weights_sha256": pin})
        return save_model(target, tensors, pinned)
    with replacing(target) as temporary:
        shutil.copyfile(file, temporary)
    return target
