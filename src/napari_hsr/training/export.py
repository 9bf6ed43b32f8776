"""What a training leaves: a directory that ``load_model``, the command line and panels take."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError
from napari_hsr.training.runs.curves import write_plot
from napari_hsr.training.runs.history import History
from napari_hsr.training.validation import Measurement, measure

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    import torch

    from napari_hsr.cameras.settings import CaptureSettings
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.events import Baseline, Report
    from napari_hsr.training.recipe.schema import Recipe

    Weights = Mapping[str, torch.Tensor]

#: What half precision may cost on the held-out images: PSNR in dB, spectral angle in degrees.
HALF_MAY_COST = {"psnr_db": 0.02, "sam_deg": 0.02}
#: Tensors of fewer values stay in float32: they take no room, and small errors there go far.
SMALL = 4096
#: A licence that nobody has named.
NOT_STATED = "not stated"
_IMAGES = "of the images that it was trained further on: not stated"
#: Figures in cards have so many digits behind the point.
DIGITS = 5


@dataclass(frozen=True)
class Settled:
    """Weights as they will lie in the file, measured as such.

    Attributes
    ----------
    weights : dict of str to Tensor
    model : Model
        Of these weights.
    figures : Measurement
        Of the held-out images with them.
    precision : str
        ``float16`` or ``float32``.
    """

    weights: dict[str, torch.Tensor]
    model: Model
    figures: Measurement
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


def settle(
    weights: Weights,
    card: ModelCard,
    images: Sequence[CachedImage],
    recipe: Recipe,
    report: Report | None = None,
    stop: threading.Event | None = None,
    *,
    exact: Measurement | None = None,
    preview: Path | None = None,
) -> Settled:
    """Choose the precision that weights are kept in: half, unless the figures get worse by it.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        In float32.
    card : ModelCard
        As :func:`napari_hsr.models.from_state_dict` takes it.
    images : sequence of CachedImage
        Held out.
    recipe : Recipe
    report, stop
        As for :func:`napari_hsr.training.validation.measure`.
    exact : Measurement, optional
        Figures of the weights in float32, where they are known.
    preview : Path, optional
        Of the first image.
    """
    import torch

    from napari_hsr.models.state_dict import from_state_dict

    plain = {key: value.detach().cpu() for key, value in weights.items()}
    half = in_half(plain)
    shortened = any(value.dtype == torch.float16 for value in half.values())
    if shortened and all(torch.isfinite(value).all() for value in half.values()):
        model = from_state_dict(half, card)
        figures = measure(model, images, recipe, report, stop, preview=preview)
        if exact is None:
            exact = measure(from_state_dict(plain, card), images, recipe, report, stop)
        if _near(figures.mean, exact.mean):
            return Settled(half, model, figures, "float16")
    model = from_state_dict(plain, card)
    if exact is None or preview is not None:
        exact = measure(model, images, recipe, report, stop, preview=preview)
    return Settled(plain, model, exact, "float32")


def _near(half: Mapping[str, float], exact: Mapping[str, float]) -> bool:
    lost = {
        "psnr_db": exact.get("psnr_db", 0.0) - half.get("psnr_db", 0.0),
        "sam_deg": half.get("sam_deg", 0.0) - exact.get("sam_deg", 0.0),
    }
    return all(lost[key] <= most or math.isnan(lost[key]) for key, most in HALF_MAY_COST.items())


def why_not_output(output: Path, name: str) -> str | None:
    """Why a model of this name cannot be written to a folder, in one sentence; None if it can.

    Asked before training: a folder holds one model, and weights are never overwritten by those
    of another name.
    """
    others = [file.name for file in sorted(Path(output).glob("*.safetensors"))]
    others = [file for file in others if file != f"{name}.safetensors"]
    if others:
        return f"{output} holds another model already ({others[0]}): choose another folder."
    return None


def write_model_directory(
    output: Path,
    recipe: Recipe,
    settled: Settled,
    *,
    before: Measurement | None,
    train: Mapping[str, str],
    held_out: Mapping[str, str],
    seconds: float,
    steps: int,
    machine: str,
    strategy: str = "",
) -> Path:
    """Write the model, its card, recipe, split, log and plot.

    Each file appears whole, the model last: a folder with ``NAME.safetensors`` is complete.

    Parameters
    ----------
    output : Path
        The run's folder; ``events.jsonl`` in it becomes the log and the plot.
    recipe : Recipe
    settled : Settled
        The weights, with their figures after training.
    before : Measurement or None
        Figures of the start model; None if training started from nothing.
    train, held_out : mapping of str to str
        Names of the images, and the SHA-256 of their files.
    seconds : float
        Wall time, measurements included.
    steps : int
        Of the optimiser.
    machine : str
        What it was computed on, in words.
    strategy : str
        That made the weights, where the recipe's is ``auto``.

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    FileError
        If a file cannot be written, or another model lies in the folder.
    """
    from napari_hsr.io.atomic import replacing
    from napari_hsr.models.model_file import save_model
    from napari_hsr.training.data import split
    from napari_hsr.training.recipe.yaml_io import write_recipe

    output = Path(output)
    problem = why_not_output(output, recipe.name)
    if problem:
        raise FileError(output, problem.removeprefix(f"{output} ").rstrip("."))
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(output, f"it cannot be made ({error.strerror or error})") from error
    history = History.read(output / "events.jsonl")
    card = card_of(
        recipe,
        settled,
        before=before,
        baseline=history.baseline,
        train=train,
        held_out=held_out,
        seconds=seconds,
        steps=steps,
        machine=machine,
        strategy=strategy or recipe.strategy,
    )
    write_recipe(recipe, output / "recipe.yaml")
    named = [(name, False) for name in train] + [(name, True) for name in held_out]
    split.write(named, output / "split.txt")
    with replacing(output / "log.csv") as temporary:
        temporary.write_text(history.csv(), encoding="utf-8", newline="")
    write_plot(history, output / "plot.png", recipe.title or recipe.name)
    with replacing(output / "card.json") as temporary:
        text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    path = output / f"{recipe.name}.safetensors"
    try:
        save_model(path, settled.weights, card)
    except OSError as error:
        raise FileError(path, f"it cannot be written ({error.strerror or error})") from error
    return output


def card_of(
    recipe: Recipe,
    settled: Settled,
    *,
    before: Measurement | None,
    train: Mapping[str, str],
    held_out: Mapping[str, str],
    seconds: float,
    steps: int,
    machine: str,
    strategy: str,
    baseline: Baseline | None = None,
) -> ModelCard:
    """The card of trained weights; parameters as for :func:`write_model_directory`.

    ``baseline`` is what needs no training, where it was measured.
    """
    from napari_hsr import __version__
    from napari_hsr.models.card import FINER_IS_A_GUESS, HELD_OUT, ILL_POSED

    model, after = settled.model, settled.figures
    start, begin = _called(recipe.model.start), _called(recipe.model.begin)
    figures = {HELD_OUT: _rounded(after.mean)}
    if before is not None:
        figures[f"{HELD_OUT} before training"] = _rounded(before.mean)
    if baseline is not None:
        figures[f"{HELD_OUT} by {baseline.name}"] = _rounded(baseline.mean)
    limits = model.card.limits
    if limits == "not stated":
        limits = FINER_IS_A_GUESS if recipe.finer else ILL_POSED
    seen = (
        f"Trained on {_count(len(train))}, chosen and measured on {_count(len(held_out))}; of "
        "what these do not show it knows no more than its start."
        if start
        else f"Trained on {_count(len(train))}, chosen and measured on {_count(len(held_out))}."
    )
    content = {
        **model.card.model_dump(),
        "name": recipe.name,
        "title": recipe.title or _title(recipe, model),
        "training_data": recipe.data_statement or _data(train, start, model.card.training_data),
        "protocol": _protocol(recipe, held_out),
        "figures": figures,
        "precision_errors": {},
        "licence": _licence(recipe, model.card.licence),
        "limits": limits if limits.endswith(seen) else f"{limits} {seen}",
        "source": f"napari_hsr.train of napari-hsr {__version__}, from "
        + str(start or begin or f"nothing ({recipe.model.architecture})"),
        "version": "",
        "weights_sha256": model.weights_sha256,
        "training": {
            "start": start,
            "architecture": model.card.architecture,
            "strategy": strategy,
            "head": recipe.model.head,
            "begin": begin,
            "data": {name: {"sha256": sha} for name, sha in train.items()},
            "held_out": {name: {"sha256": sha} for name, sha in held_out.items()},
            "camera": recipe.camera and _portable(recipe.camera),
            "held_out_cameras": [_portable(c) for c in recipe.validation.captures],
            "coarse": recipe.coarse and recipe.coarse.model_dump(mode="json"),
            "figures_of_each": {name: _rounded(f) for name, f in after.images.items()},
            "figures_of_each_before": {
                name: _rounded(f) for name, f in (before.images if before else {}).items()
            },
            "steps": steps,
            "seconds": round(seconds, 1),
            "machine": machine,
            "seed": recipe.seed,
            "precision_of_weights": settled.precision,
            "versions": versions(),
        },
    }
    return type(model.card).model_validate(content)


def _portable(settings: CaptureSettings) -> dict[str, Any]:
    """What is not as by default; tables by their file names, for others keep them elsewhere."""

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(v) for v in value]
        if isinstance(value, str) and ".csv" in value.lower():
            return re.split(r"[\\/]", value)[-1]
        return value

    content = settings.model_dump(mode="json", exclude_defaults=True)
    return {key: named(value) for key, value in content.items()}


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


def _called(model: str | None) -> str | None:
    """A model's name; of a path the last part, for a card goes where the path does not."""
    return model and (re.split(r"[/\\]", model.rstrip("/\\"))[-1] or model)


def _data(train: Mapping[str, str], start: Any, before: str) -> str:
    names = ", ".join(list(train)[:20]) + (", …" if len(train) > 20 else "")
    own = f"{_count(len(train))}: {names}"
    return f"{own}; before that, as its start {start}: {before}" if start else own


def _licence(recipe: Recipe, before: str) -> str:
    """That of the recipe; else what is known: the start's, and that of the images is not."""
    if recipe.licence != NOT_STATED or not recipe.model.start:
        return recipe.licence
    if before.endswith(_IMAGES):  # a start that was trained so itself
        return before
    return f"of its start {_called(recipe.model.start)}: {before}; {_IMAGES}"


def _protocol(recipe: Recipe, held_out: Mapping[str, str]) -> str:
    from napari_hsr.metrics.protocols import get_protocol
    from napari_hsr.training.data.validation_images import captures_of

    rules = get_protocol(recipe.validation.protocol)
    measured = (
        f"measured on {_count(len(held_out))} that took no part in training but in "
        f"choosing the weights; means over them; {rules.name}: {rules.description}"
    )
    if recipe.finer:
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
