"""Checkpoints that a training resumes from: each is complete or absent."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, InputError, disk_is_full
from napari_hsr.training.engine.checkpoint_check import check_content

if TYPE_CHECKING:
    import torch

    from napari_hsr.training.events import Figures
    from napari_hsr.training.recipe.schema import Recipe

LAST = "last.pt"
FORMAT = 1
#: What helps where weights that a training hands over cannot be read.
_BACK = "put the file back, or begin a new training"


def save(folder: Path, state: dict[str, Any], name: str = LAST) -> Path:
    """Write a state of tensors, numbers, strings and their containers; atomic and durable.

    Raises
    ------
    FileError
        If there is no room or no permission; the earlier file stays.
    """
    import torch

    from napari_hsr.io.atomic import replacing

    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
        _sync(folder)
    except (OSError, FileError) as error:
        stays = "; the last good one stays" if (folder / LAST).is_file() else ""
        raise FileError(
            path, f"the checkpoint could not be written ({_reason(error)}){stays}"
        ) from error
    return path


def _sync(folder: Path) -> None:
    """Make new names in a folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(handle)


def _reason(error: BaseException) -> str:
    """Why a file could not be written; the system's error lies behind those of torch."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError):
        if disk_is_full(cause):
            return "the disk is full"
        return cause.strerror or str(cause)
    return str(error).split("\n")[0]


def read(folder: Path, name: str = LAST) -> dict[str, Any] | None:
    """The state, or None if there is none. No code that the file carries is run.

    Raises
    ------
    FileError
        If it is damaged, or of a later format.
    """
    import torch

    from napari_hsr.models.torch_checkpoint import check_archive

    path = folder / name
    if not path.is_file():
        return None
    try:
        check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive is a fault of any kind
        raise FileError(
            path,
            "it is damaged, or no checkpoint of a training; without it the training starts again",
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise FileError(path, f"a checkpoint of format {FORMAT} was expected")
    check_content(state, path)
    return state


def best_weights(folder: Path, name: str) -> dict[str, Any]:
    """The weights that were the best so far, which a training hands over at its end.

    Raises
    ------
    FileError
        If they are not there, or damaged.
    """
    path = folder / name
    try:
        saved = read(folder, name)
    except FileError as error:
        raise FileError(path, f"the best weights of this training are damaged; {_BACK}") from error
    if saved is None or "weights" not in saved:
        raise FileError(path, f"the best weights of this training are gone; {_BACK}")
    weights: dict[str, Any] = saved["weights"]
    return weights


def remove_unfinished(folder: Path) -> None:
    """Remove files that a killed run left unfinished."""
    for pattern in (".*.tmp", "*.part"):  # ours, and those of version 0.1
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def keep_only(folder: Path, pattern: str, name: str) -> None:
    """Remove the files of a pattern but one, once nothing refers to them any more."""
    for path in folder.glob(pattern):
        if path.name != name:
            path.unlink(missing_ok=True)


def on_cpu(value: Any) -> Any:
    """The tensors in nested containers copied to the CPU."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {k: on_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(on_cpu(v) for v in value)
    return value


#: Settings that may differ in a resumed run: they do not change the weights. Images are compared
#: one by one instead of their folders.
FREE = ("engine", "title", "licence", "data_statement")
#: Of ``data``: settings that change how an image is read.
READING = ("simulate", "input_encoding", "wavelengths_nm")

#: Names of images and the SHA-256 of their files.
Hashes = Mapping[str, str]


@dataclass
class State:
    """The state of a fit.

    Attributes
    ----------
    step, total : int
        Steps done, of how many; 0 while the total is not known.
    parts : int
        Parts of a step whose gradients are added.
    seconds : float
        Of all tries so far.
    measured : int
        The step of the last validation; -1: none.
    strikes : int
        Validations since the best one.
    best_step, best_file, best_mean, best_images
        Of the best weights.
    start_mean, start_images : dict
        Figures before the first step.
    """

    step: int = 0
    total: int = 0
    parts: int = 1
    seconds: float = 0.0
    measured: int = -1
    strikes: int = 0
    best_step: int = -1
    best_file: str = ""
    best_mean: Figures = field(default_factory=dict)
    best_images: dict[str, Figures] = field(default_factory=dict)
    start_mean: Figures = field(default_factory=dict)
    start_images: dict[str, Figures] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> State:
        """From a checkpoint, also one of an earlier version."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in content.items() if key in known})

    @property
    def complete(self) -> bool:
        """All steps are done."""
        return bool(self.total) and self.step >= self.total


@dataclass(frozen=True)
class Fitted:
    """The result of a fit.

    Attributes
    ----------
    weights : dict of str to Tensor
        The best on the held-out images; those of the last step if the recipe says so.
    mean, images : dict
        Their figures.
    step : int
        The step after which they were.
    state : State
    stopped : bool
        Stopped on request before the end.
    """

    weights: dict[str, torch.Tensor]
    mean: Figures
    images: dict[str, Figures]
    step: int
    state: State
    stopped: bool


def identity(recipe: Recipe, images: tuple[Hashes, Hashes]) -> dict[str, Any]:
    """What every checkpoint says of its training: the recipe, the split, and what the recipe names."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "split": {"train": dict(images[0]), "held_out": dict(images[1])},
        "tables": _tables(recipe),
        "models": _models(recipe),
    }


def _models(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of the models that a recipe names, with what they take and give."""
    from napari_hsr.models import load_model

    found = {}
    settings = recipe.model
    base = settings.base if settings.head == "over-base" else None
    for name in filter(None, (settings.start, settings.begin, base)):
        model = load_model(name)
        card = model.card
        facts = [model.weights_sha256, card.input_encoding, card.input_rule, *card.wavelengths_nm]
        found[name] = hashlib.sha256(repr(facts).encode()).hexdigest()
    return found


def _tables(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of the tables of cameras, lights and materials that a recipe names."""
    captures = [*([recipe.camera] if recipe.camera else []), *recipe.validation.captures]
    materials = recipe.materials.tables if recipe.materials else ()
    named = [*map(Path, materials), *(Path(t) for one in captures for t in one.table_files)]
    files = [file.expanduser() for file in named]
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
        for file in files
    }


def check_same(saved: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Check that a checkpoint belongs to this training.

    Parameters
    ----------
    saved, now : mapping
        As :func:`identity` makes them.
    path : Path
        Of the checkpoint.

    Raises
    ------
    FileError
        If the recipe differs.
    InputError
        If the images have changed since the training began.
    """
    if "recipe" in saved:
        a, b = (_deciding(c) for c in (_of_now(saved["recipe"], path), now["recipe"]))
        if differing := sorted(key for key in {*a, *b} if a.get(key) != b.get(key)):
            raise FileError(
                path,
                f"it is of a training with other settings ({', '.join(differing)}): begin a new "
                "one in another folder",
            )
        steps, total = b["schedule"]["steps"], saved.get("state", {}).get("total")
        if steps and total and steps != total:
            raise FileError(path, f"it says that {total:,} steps are all, its recipe {steps:,}")
    if "split" in saved:
        for part, what in (("train", "trained on"), ("held_out", "held out")):
            _check_images(saved["split"][part], now["split"][part], what)
    for kind in ("tables", "models"):
        before, found = saved.get(kind, {}), now[kind]  # earlier versions had none
        for name in before:
            if name in found and before[name] != found[name]:
                raise InputError(
                    f"{name} has changed since the training began: put it back as it was, or begin "
                    "a new training."
                )


def _of_now(recipe: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """A recipe of an earlier version with the defaults of settings that are new."""
    from pydantic import ValidationError

    from napari_hsr.training.recipe.schema import Recipe

    try:
        return Recipe.model_validate(recipe).model_dump(mode="json")
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise FileError(
            path, f"its recipe is of another version of this program ({where})"
        ) from error


def _deciding(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that change the result; that there is a time budget, and not what is left of it.

    How much the preparation leaves differs from start to start; it decides nothing but the number
    of steps, which the state keeps once it is known.
    """
    kept = {key: value for key, value in recipe.items() if key not in FREE}
    kept["data"] = {key: recipe["data"][key] for key in READING}
    if recipe["schedule"]["minutes"] is not None:
        kept["schedule"] = {**recipe["schedule"], "minutes": 0}
    return kept


def _check_images(before: Hashes, now: Hashes, what: str) -> None:
    advice = "put the images back as they were, or begin a new training."
    for name in before:
        if name not in now:
            raise InputError(f"{name} was {what} when the training began, and is no more: {advice}")
    for name in now:
        if name not in before:
            raise InputError(f"{name} was not {what} when the training began: {advice}")
        if before[name] != now[name]:
            raise InputError(f"{name} is not the image that the training began with: {advice}")
