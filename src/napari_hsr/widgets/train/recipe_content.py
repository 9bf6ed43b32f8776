"""The recipe of the Train panel, as plain values; nothing here is Qt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_hsr.training.recipe.fields import FieldPath
    from napari_hsr.training.recipe.schema import Recipe

#: The packaged recipes that the panel begins with: for photographs, and for finer pixels.
BASE_RECIPES = {False: "fine-tune", True: "fine-tune-finer"}


def base_content(finer: bool = False) -> dict[str, Any]:
    """The recipe that the panel begins with, as plain values."""
    return _base_recipe(finer).model_dump(mode="json")


@cache
def _base_recipe(finer: bool) -> Recipe:
    """Read once: its file is one of the package."""
    from napari_hsr.training.recipe.yaml_io import read_recipe

    return read_recipe(BASE_RECIPES[finer])


def allowed_strategies(content: dict[str, Any], strategies: Iterable[str]) -> list[str]:
    """Those of the strategies that a recipe like this one takes: the recipe itself decides."""
    return [s for s in strategies if faults_of({**content, "strategy": s})[0] is not None]


@dataclass(frozen=True)
class Front:
    """What the panel shows in front of all other settings.

    ``coarse`` is None for a model that takes photographs.
    """

    name: str
    start: str
    strategy: str
    minutes: float
    simulated: bool
    folder: Path | None = None
    coarse: dict[str, Any] | None = None


def content_of(settings: dict[str, Any], front: Front) -> dict[str, Any]:
    """All of a recipe as plain values: the folded settings, and over them those in front."""
    schedule, data = dict(settings["schedule"]), dict(settings["data"])
    # Steps, where they are given, take the place of the time budget.
    schedule["minutes"] = None if schedule.get("steps") else front.minutes
    data |= {
        "folder": None if front.folder is None else str(front.folder),
        "pairs": [],
        "simulate": True if front.simulated else None,
    }
    coarse = front.coarse and {**(settings.get("coarse") or {}), **front.coarse}
    return {
        **settings,
        "name": front.name,
        "strategy": front.strategy,
        "model": {"start": front.start},
        "schedule": schedule,
        "data": data,
        "camera": None if coarse else settings.get("camera"),
        "coarse": coarse,
    }


def faults_of(content: dict[str, Any]) -> tuple[Recipe | None, dict[FieldPath, str]]:
    """The recipe, or what is wrong with it: one sentence a field, by its path."""
    from pydantic import ValidationError

    from napari_hsr.training.recipe.errors import faults
    from napari_hsr.training.recipe.schema import Recipe

    try:
        return Recipe.model_validate(content), {}
    except ValidationError as error:
        # the fields are named where the sentences are shown
        found = {fault.path: fault.sentence(named=False) for fault in faults(error, content)}
        return None, {path: text[:1].upper() + text[1:] for path, text in found.items()}


def camera_content(choice: str, encoding: str) -> dict[str, Any]:
    """How cubes are photographed by ``choice`` for a model that takes ``encoding``.

    Parameters
    ----------
    choice : str
        A camera as :func:`napari_hsr.cameras.get_camera` takes it, or ``preset:NAME``.
    encoding : str
        Of the start model: raw values of a camera, or any developed photograph.
    """
    if choice.startswith("preset:"):
        return {"preset": choice.removeprefix("preset:")}
    if encoding.startswith("camera:"):
        return {"cameras": [choice]}
    # What a camera makes of it: white balance, its colour matrix, sRGB in 8 bits.
    return {
        "cameras": [choice],
        "illuminants": ["D65"],
        "white_balance": True,
        "colour_matrix": True,
        "clip": True,
        "encoding": "srgb",
        "bits": 8,
    }
