"""Writes a trained model with its card: a folder that ``load_model`` and all commands take."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError
from napari_hsr.io.text_files import write_text
from napari_hsr.models.card import DETAIL_ESTIMATED, HELD_OUT, ILL_POSED, NOT_STATED
from napari_hsr.notices import Code, Notice
from napari_hsr.training.runs.curves import write_plot
from napari_hsr.training.runs.history import History
from napari_hsr.training.validation import Validation, validate

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    import torch

    from napari_hsr.cameras.settings import CaptureSettings
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.events import Baseline
    from napari_hsr.training.recipe.schema import MaterialsSettings, Recipe

    Weights = Mapping[str, torch.Tensor]

#: What half precision may cost on the held-out images: PSNR in dB, spectral angle in degrees.
HALF_MAY_COST = {"psnr_db": 0.02, "sam_deg": 0.02}
#: Tensors of fewer values stay in float32: they take no room, and small errors there go far.
SMALL = 4096
#: Decimals of figures in cards.
DIGITS = 5


@dataclass(frozen=True)
class Stored:
    """Weights as they are stored, and their figures as such.

    Attributes
    ----------
    weights : dict of str to Tensor
    model : Model
        Of these weights.
    figures : Validation
        Of the held-out images.
    precision : str
        ``float16`` or ``float32``.
    """

    weights: dict[str, torch.Tensor]
    model: Model
    figures: Validation
    precision: str


def in_half(weights: Weights) -> dict[str, torch.Tensor]:
    """The large tensors in float16, small ones and integers as they are."""
    import torch

    return {
        key: value.detach().to("cpu", torch.float16)
        if value.is_floating_point() and value.numel() >= SMALL
        else value.detach().cpu()
        for key, value in weights.items()
    }


def choose_precision(
    model: Model,
    images: Sequence[CachedImage],
    recipe: Recipe,
    exact: Validation | None = None,
    cancel: threading.Event | None = None,
) -> Stored:
    """Store weights in half precision, unless that makes the figures worse.

    Parameters
    ----------
    model : Model
        In float32.
    images : sequence of CachedImage
        Held out.
    recipe : Recipe
    exact : Validation, optional
        Figures of the model in float32, if they are known.
    cancel : threading.Event, optional
    """
    import torch

    from napari_hsr.models.state_dict import from_state_dict

    plain = {key: value.detach().cpu() for key, value in model.module.state_dict().items()}
    half = in_half(plain)
    if exact is None:
        exact = validate(model, images, recipe, cancel)
    shortened = any(value.dtype == torch.float16 for value in half.values())
    if shortened and all(torch.isfinite(value).all() for value in half.values()):
        short = from_state_dict(half, model.card)
        figures = validate(short, images, recipe, cancel)
        if _near(figures.mean, exact.mean):
            return Stored(half, short, figures, "float16")
    return Stored(plain, from_state_dict(plain, model.card), exact, "float32")


def _near(half: Mapping[str, float], exact: Mapping[str, float]) -> bool:
    lost = {
        "psnr_db": exact.get("psnr_db", 0.0) - half.get("psnr_db", 0.0),
        "sam_deg": half.get("sam_deg", 0.0) - exact.get("sam_deg", 0.0),
    }
    return all(lost[key] <= most or math.isnan(lost[key]) for key, most in HALF_MAY_COST.items())


def check_output(output: Path, name: str) -> None:
    """Check that a model of this name can be written to a folder.

    A folder holds one model, and weights are never overwritten by those of another name.

    Raises
    ------
    FileError
        If the folder holds another model.
    """
    for file in sorted(output.glob("*.safetensors")):
        if file.name != f"{name}.safetensors":
            raise FileError(
                output, f"it holds another model already ({file.name}); choose another folder"
            )


@dataclass(frozen=True)
class TrainingFacts:
    """What a card says of a training beside its recipe.

    Attributes
    ----------
    before : Validation or None
        Figures of the start model; None if training started from random weights.
    train, held_out : mapping of str to str
        Names of the images, and the SHA-256 of their files.
    seconds : float
        Wall time, validation included.
    steps : int
        Of the optimiser.
    machine : str
        Where it was computed, for people.
    strategy : str
        That made the weights.
    copies : mapping of str to str
        Held-out images that were trained on under another name, and that name.
    baseline : Baseline or None
        Figures of plain interpolation, where they were measured.
    """

    before: Validation | None
    train: Mapping[str, str]
    held_out: Mapping[str, str]
    seconds: float
    steps: int
    machine: str
    strategy: str
    baseline: Baseline | None = None
    copies: Mapping[str, str] = field(default_factory=dict)


def write_model_folder(
    output: Path, recipe: Recipe, stored: Stored, facts: TrainingFacts
) -> tuple[Notice, ...]:
    """Write the model, its card, recipe, split, log and plot; what is to be told of it.

    Each file appears whole, the model last: a folder with ``NAME.safetensors`` is complete. A recipe
    there that somebody has changed meanwhile is moved aside.

    Parameters
    ----------
    output : Path
        The run's folder; ``events.jsonl`` in it becomes the log and the plot.
    recipe : Recipe
    stored : Stored
    facts : TrainingFacts

    Raises
    ------
    FileError
        If a file cannot be written, or the folder holds another model.
    """
    from napari_hsr.io.library_errors import translated
    from napari_hsr.models.model_file import save_model
    from napari_hsr.training.data import split
    from napari_hsr.training.recipe.yaml_io import put_recipe

    check_output(output, recipe.name)
    with translated(output, "it cannot be made", only=(OSError,)):
        output.mkdir(parents=True, exist_ok=True)
    history = History.read(output / "events.jsonl")
    card = card_of(recipe, stored, replace(facts, baseline=history.baseline))
    changed = put_recipe(recipe, output / "recipe.yaml")
    named = [(name, False) for name in facts.train] + [(name, True) for name in facts.held_out]
    split.write(named, output / "split.txt")
    write_text(output / "log.csv", history.csv())
    write_plot(history, output / "plot.png", recipe.title or recipe.name)
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
    write_text(output / "card.json", text + "\n")
    save_model(output / f"{recipe.name}.safetensors", stored.weights, card)
    if changed is None:
        return ()
    text = (
        f"recipe.yaml was changed during the training, which went by the settings that it began with; "
        f"the changed one is kept as {changed.name}."
    )
    return (Notice.warning(Code.RECIPE_CHANGED, text),)


def card_of(recipe: Recipe, stored: Stored, facts: TrainingFacts) -> ModelCard:
    """The card of trained weights."""
    from napari_hsr import __version__

    model, after, before = stored.model, stored.figures, facts.before
    start, begin = _model_name(recipe.model.start), _model_name(recipe.model.begin)
    figures = {HELD_OUT: _rounded(after.mean)}
    if before is not None:
        figures[f"{HELD_OUT} before training"] = _rounded(before.mean)
    if facts.baseline is not None:
        figures[f"{HELD_OUT} by {facts.baseline.name}"] = _rounded(facts.baseline.mean)
    content = {
        **model.card.model_dump(),
        "name": recipe.name,
        "title": recipe.title or _title(recipe, model),
        "training_data": recipe.data_statement
        or _data(facts.train, start, model.card.training_data),
        "protocol": _protocol(recipe, facts),
        "figures": figures,
        "precision_errors": {},
        "licence": _licence(recipe, model.card),
        "limits": _limits(recipe, model.card, facts),
        "source": f"napari_hsr.train of napari-hsr {__version__}, from "
        + str(start or begin or f"nothing ({recipe.model.architecture})"),
        "version": "",
        "weights_sha256": model.weights_sha256,
        "training": {
            "start": start,
            "architecture": model.card.architecture,
            "strategy": facts.strategy,
            "head": recipe.model.head,
            "begin": begin,
            "data": {name: {"sha256": sha} for name, sha in facts.train.items()},
            "held_out": {name: {"sha256": sha} for name, sha in facts.held_out.items()},
            "camera": recipe.camera and _portable(recipe.camera),
            "held_out_cameras": [_portable(c) for c in recipe.validation.captures],
            "coarse": recipe.coarse and recipe.coarse.model_dump(mode="json"),
            **({"materials": _materials(recipe.materials)} if recipe.materials else {}),
            "figures_of_each": {name: _rounded(f) for name, f in after.images.items()},
            "figures_of_each_before": {
                name: _rounded(f) for name, f in (before.images if before else {}).items()
            },
            "licence_stated": recipe.licence != NOT_STATED,
            "steps": facts.steps,
            "seconds": round(facts.seconds, 1),
            "machine": facts.machine,
            "seed": recipe.seed,
            "precision_of_weights": stored.precision,
            "versions": versions(),
        },
    }
    return type(model.card).model_validate(content)


def _limits(recipe: Recipe, card: ModelCard, facts: TrainingFacts) -> str:
    """Those of the start, or of its kind of task, and how few images it was trained on."""
    limits = card.limits
    if limits == NOT_STATED:
        limits = DETAIL_ESTIMATED if recipe.finer else ILL_POSED
    before = card.training or {}
    same = [len(before.get(part, ())) for part in ("data", "held_out")] == [
        len(facts.train),
        len(facts.held_out),
    ]
    if same and bool(before.get("start")) == bool(recipe.model.start):
        return limits  # the start's card says the same already
    seen = f"Trained on {_count(len(facts.train))}, chosen and measured on "
    seen += _count(len(facts.held_out))
    if recipe.model.start:
        seen += "; of what these do not show it knows no more than its start"
    return f"{limits} {seen}."


def _portable(settings: CaptureSettings) -> dict[str, Any]:
    """What is not as by default; tables by their file names, for others keep them elsewhere."""

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(v) for v in value]
        if isinstance(value, str) and re.search(r"\.(csv|npz)", value, re.IGNORECASE):
            return re.split(r"[\\/]", value)[-1]
        return value

    content = settings.model_dump(mode="json", exclude_defaults=True)
    return {key: named(value) for key, value in content.items()}


def _materials(settings: MaterialsSettings) -> dict[str, Any]:
    """The settings, with the names and hashes of the tables in place of their paths."""
    content = settings.model_dump(mode="json")
    files = [Path(os.path.expanduser(path)) for path in settings.tables]
    hashes = [hashlib.sha256(f.read_bytes()).hexdigest() if f.is_file() else "" for f in files]
    tables = [{"name": f.name, "sha256": h} for f, h in zip(files, hashes, strict=True)]
    return {**content, "tables": tables}


def versions() -> dict[str, str]:
    """Of this package and those that decide the result."""
    from importlib.metadata import PackageNotFoundError, version

    from napari_hsr import __version__

    found = {"napari-hsr": __version__}
    for package in ("torch", "lightning", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # lightning is not needed for a closed form
            found[package] = "not installed"
    return found


def _title(recipe: Recipe, model: Model) -> str:
    if recipe.model.start:
        return f"{model.card.title}, trained further as {recipe.name}"
    return f"{recipe.name} ({recipe.model.architecture})"


def _model_name(model: str | None) -> str | None:
    """A model's name; of a path the last part, for a card goes where the path does not."""
    return model and (re.split(r"[/\\]", model.rstrip("/\\"))[-1] or model)


def _data(train: Mapping[str, str], start: Any, before: str) -> str:
    names = ", ".join(list(train)[:20]) + (", …" if len(train) > 20 else "")
    own = f"{_count(len(train))}: {names}"
    return f"{own}; before that, as its start {start}: {before}" if start else own


def _licence(recipe: Recipe, start: ModelCard) -> str:
    """The recipe's; otherwise what is known: the start's, and that the images' is not."""
    if recipe.licence != NOT_STATED or not recipe.model.start:
        return recipe.licence
    if (start.training or {}).get("licence_stated") is False:
        return start.licence  # it says so already
    name = _model_name(recipe.model.start)
    return (
        f"of its start {name}: {start.licence}; of the images that it was trained further on: "
        "not stated"
    )


def _protocol(recipe: Recipe, facts: TrainingFacts) -> str:
    from napari_hsr.metrics.protocols import get_protocol
    from napari_hsr.training.data.validation_images import captures_of

    rules = get_protocol(recipe.validation.protocol)
    part = "that took no part in training but in choosing the weights"
    if facts.copies:
        names = ", ".join(list(facts.copies)[:20]) + (", …" if len(facts.copies) > 20 else "")
        part += f", but for those that were trained on under another name: {names}"
    measured = (
        f"measured on {_count(len(facts.held_out))} {part}; means over them; {rules.name}: "
        f"{rules.description}"
    )
    if recipe.coarse is not None:
        from napari_hsr.resample import find

        scale, kind = recipe.coarse.scale, find(recipe.coarse.degradations[0])
        return f"coarse cubes made of the fine ones, ×{scale}, by {kind.words(scale)}; {measured}"
    captures = captures_of(recipe, held_out=True)
    rgb = "the photographs that lie beside the cubes"
    if captures:
        several = f"in {len(captures)} ways" if len(captures) > 1 else "once"
        rgb = (
            f"RGB simulated from each cube {several} with the settings of this card's training, "
            "where there is no photograph"
        )
    return f"{rgb}; {measured}"


def _count(number: int) -> str:
    return f"{number} image{'s' * (number != 1)}"


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Finite ones: a card knows no others."""
    return {k: round(float(v), DIGITS) for k, v in figures.items() if math.isfinite(v)}
