"""The state of a fit that a checkpoint holds beside tensors, and whether it can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from napari_hsr.training.events import Figures
    from napari_hsr.training.recipe.schema import Recipe

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
    """What every checkpoint says of its training: the recipe and the split."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "split": {"train": dict(images[0]), "held_out": dict(images[1])},
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
        timed = bool(saved.get("state", {}).get("total"))
        a, b = (_deciding(c, timed) for c in (_of_now(saved["recipe"], path), now["recipe"]))
        if differing := sorted(key for key in {*a, *b} if a.get(key) != b.get(key)):
            raise FileError(
                path,
                f"it is of a training with other settings ({', '.join(differing)}): begin a new "
                "one in another folder",
            )
    if "split" in saved:
        for part, what in (("train", "trained on"), ("held_out", "held out")):
            _check_images(saved["split"][part], now["split"][part], what)


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


def _deciding(recipe: Mapping[str, Any], timed: bool) -> dict[str, Any]:
    """The settings that change the result; not a time budget that has become steps."""
    kept = {key: value for key, value in recipe.items() if key not in FREE}
    kept["data"] = {key: recipe["data"][key] for key in READING}
    if timed and recipe["schedule"]["minutes"] is not None:
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
