"""A whole training, from a recipe to a model directory: what every door calls.

Images are looked through and decoded, the start is measured, weights are fitted by the recipe's
strategy, and what is best on the held-out images is written with its card.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.models import load_model
from napari_hsr.training import export
from napari_hsr.training import validation as measure
from napari_hsr.training.data import cache
from napari_hsr.training.data.coarse_patches import CoarsePatches
from napari_hsr.training.data.inspection import inspect
from napari_hsr.training.data.patches import ModelInput, Patches
from napari_hsr.training.engine import devices, initial_model
from napari_hsr.training.events import Event as News
from napari_hsr.training.events import Figures, Finished, Notice, Report, Saved, Stopped
from napari_hsr.training.runs.recorder import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.batch_sampler import Draws
    from napari_hsr.training.data.cache import CachedImage, Images
    from napari_hsr.training.data.findings import Findings
    from napari_hsr.training.engine.checkpoint_state import Fitted
    from napari_hsr.training.recipe.schema import Recipe

#: Steps that an estimate takes, the first one not counted.
TRIED = 3
#: A first measurement that takes fewer seconds is taken again for an estimate.
WARM = 3.0


#: What a training comes to in a process that leads no others.
ELSEWHERE = Finished("", "Another process of this training writes the model.")


@dataclass
class Training:
    """What the parts of one training share.

    Attributes
    ----------
    recipe : Recipe
    output : Path
        The run's folder.
    report : callable
    stop : threading.Event
    images : Images
    start : Model
        Where the weights begin.
    resume : bool
    """

    recipe: Recipe
    output: Path
    report: Report
    stop: Event
    images: Images
    start: Model
    resume: bool = False

    @property
    def hashes(self) -> tuple[dict[str, str], dict[str, str]]:
        """Images trained on, and held out: names and SHA-256 of their files."""
        return _hashes(self.images.train), _hashes(self.images.held_out)

    def measure(self, model: Model, step: int) -> tuple[Figures, dict[str, Figures], str]:
        """Figures of the held-out images, and a preview of the first."""
        preview = self.output / "preview.npz"
        found = measure.measure(
            model, self.images.held_out, self.recipe, None, self.stop, preview=preview
        )
        return found.mean, found.images, preview.name

    def fit(
        self,
        model: Model,
        recipe: Recipe | None = None,
        trained: list[str] | None = None,
        part: str = "",
    ) -> Fitted:
        """Fit weights step by step.

        Parameters
        ----------
        model : Model
            Where they start.
        recipe : Recipe, optional
            The training's, changed.
        trained : list of str, optional
            Names of the weights that are trained; None: all.
        part : str
            Of a strategy: its checkpoints have a folder of their own.
        """
        from napari_hsr.training.engine.loop import fit  # Lightning: the adapter does without it

        recipe = recipe or self.recipe
        patches = draws(self.images, recipe, model)
        return fit(
            recipe,
            model,
            patches.batch,
            self.measure,
            Watching(self.images, self.report),
            self.stop,
            self.output / "checkpoint" / part,
            resume=self.resume,
            trained=trained,
            images=self.hashes,
            log=self.output / "tensorboard" / part,
        )


class Watching:
    """A report that also tells, at each checkpoint, when a source file is no longer as it was.

    Training goes on with what was decoded; only a resume would find another image.
    """

    def __init__(self, images: Images, report: Report):
        self.images, self.report = images, report
        self.told: str | None = None

    def __call__(self, event: News) -> None:
        """Report an event; at a checkpoint also, once, that image files have changed."""
        self.report(event)
        if isinstance(event, Saved):
            changed = self.images.changed()
            if changed and changed != self.told:
                self.report(Notice(changed, warning=True))
            self.told = changed


def prepare(
    recipe: Recipe, report: Report, stop: Event, findings: Findings | None = None
) -> tuple[Images, Model]:
    """The decoded images, and the model that training starts from.

    Raises
    ------
    HSRError
        In one sentence: what is wrong with the images, the model, or how they fit.
    Cancelled
        If ``stop`` was set.
    """
    measure.check(recipe)
    if recipe.model.start is not None:
        # what is wrong with it is told before images are read
        initial_model.check_task(load_model(recipe.model.start), recipe)
    if findings is None:
        findings = inspect(recipe, report, stop, keep=True)
    findings.check()
    images = cache.build(findings, recipe, report, stop)
    if images.wavelengths is None:
        raise InputError(
            "The wavelengths of the cubes are not known: set data.wavelengths_nm to those of their "
            "bands."
        )
    model = initial_model.start(recipe, images.wavelengths, [i.sample for i in images.train])
    return images, model


def train(
    recipe: Recipe, output: Path, report: Report, stop: Event, resume: bool = False
) -> Finished | Stopped:
    """Train by a recipe.

    Parameters
    ----------
    recipe : Recipe
    output : Path
        The run's folder; the model is written into it, and what happens as it happens.
    report : callable
        Takes :mod:`napari_hsr.training.events`, all but the last one.
    stop : threading.Event
        When set, the step at hand is finished and everything saved.
    resume : bool
        Go on from the folder's checkpoint.

    Returns
    -------
    Finished or Stopped

    Raises
    ------
    HSRError
        In one sentence; what was saved before stays.
    """
    output = Path(output)
    problem = export.why_not_output(output, recipe.name)
    if problem:
        raise FileError(output, problem.removeprefix(f"{output} ").rstrip("."))

    def work(report: Report) -> Finished | Stopped:
        return _train(recipe, output, report, stop, resume)

    if not devices.leads(recipe):  # another process of the same training writes and tells
        return work(report)
    return recorded(work, recipe, output, report, resume)


def _train(
    recipe: Recipe, output: Path, report: Report, stop: Event, resume: bool
) -> Finished | Stopped:
    leads = devices.place(recipe).leads
    began = time.monotonic()
    _say_what_is_left_out(recipe, report)
    try:
        images, model = prepare(recipe, report, stop)
        if leads and recipe.finer:
            report(measure.baseline(images.held_out, recipe, model.wavelengths))
        training = Training(recipe, output, report, stop, images, model, resume)
        end = _by_strategy(training, began)
    except Cancelled:
        end = Stopped(0, resume_command(output))
    # A stop of all is no fault of this one, which the first would take its end for.
    return end if leads else ELSEWHERE


def _say_what_is_left_out(recipe: Recipe, report: Report) -> None:
    wanted = recipe.engine.tensorboard and recipe.strategy != "adapter"
    if wanted and find_spec("tensorboard") is None:
        report(
            Notice(
                "The package tensorboard is not installed, so nothing is written for it; "
                "log.csv and plot.png are."
            )
        )


def draws(images: Images, recipe: Recipe, model: Model) -> Draws:
    """The patches of the training images that a recipe's task asks for."""
    if recipe.finer:
        return CoarsePatches(images.train, recipe, model.least_bands)
    return Patches(images.train, recipe, ModelInput.of(model))


def resume_command(output: Path) -> str:
    """What to type to go on."""
    import shlex

    return f"python -m napari_hsr.train --output {shlex.quote(str(output))} --resume"


def _by_strategy(training: Training, began: float) -> Finished | Stopped:
    recipe = training.recipe
    if recipe.strategy != "full":
        from napari_hsr.training import strategies

        return strategies.run(training, began)
    fitted = training.fit(training.start)
    if fitted.stopped:
        return Stopped(fitted.state.step, resume_command(training.output))
    if not devices.place(recipe).leads:
        return ELSEWHERE
    before = None
    if recipe.model.start is not None:
        before = _start_of(fitted, training)
        chosen = recipe.validation.choose
        if chosen != "last" and not measure.worthwhile(fitted.mean, before.mean, chosen):
            return Finished(
                "",
                f"Nothing was kept: on the held-out images no step of {fitted.state.step} came to "
                f"more than {measure.words(before.mean)}, which the start has.",
                before.mean,
                fitted.mean,
                time.monotonic() - began,
            )
    return finish(training, fitted, before, began)


def _start_of(fitted: Fitted, training: Training) -> measure.Measurement:
    """The figures that the start had on the held-out images."""
    state = fitted.state
    if state.start_mean:
        return measure.Measurement(state.start_mean, state.start_images)
    return measure.measure(
        training.start, training.images.held_out, training.recipe, stop=training.stop
    )


def finish(
    training: Training,
    fitted: Fitted,
    before: measure.Measurement | None,
    began: float,
) -> Finished:
    """Write the model directory of fitted weights.

    Parameters
    ----------
    training : Training
    fitted : Fitted
    before : Measurement or None
        Of the start model.
    began : float
        Of ``time.monotonic``.
    """
    recipe, images = training.recipe, training.images
    exact = measure.Measurement(fitted.mean, fitted.images)
    settled = export.settle(
        fitted.weights,
        training.start.card,
        images.held_out,
        recipe,
        stop=training.stop,
        exact=exact,
    )
    place = devices.place(recipe)
    seconds = max(fitted.state.seconds, time.monotonic() - began)
    export.write_model_directory(
        training.output,
        recipe,
        settled,
        before=before,
        train=_hashes(images.train),
        held_out=_hashes(images.held_out),
        seconds=seconds,
        steps=fitted.step,
        machine=f"{place.words}, {place.precision}",
    )
    after = settled.figures
    kept = f"The weights after {fitted.step} steps: {after.words()} on the held-out images"
    kept += f"; the start had {before.words()}." if before else "."
    training.report(Notice(f"{training.output} holds the model {recipe.name}."))
    return Finished(str(training.output), kept, before.mean if before else {}, after.mean, seconds)


def _hashes(images: Sequence[CachedImage]) -> dict[str, str]:
    return {image.name: image.sha256 for image in images}


@dataclass(frozen=True)
class Estimate:
    """What a training would take here, from a few steps of it.

    Attributes
    ----------
    seconds : float
        In all, measurements included.
    memory_bytes : int
        Of the process.
    device : str
        In words.
    seconds_a_step : float
    steps : int
    """

    seconds: float
    memory_bytes: int
    device: str
    seconds_a_step: float
    steps: int


def estimate(recipe: Recipe, findings: Findings) -> Estimate:
    """Take a few steps with the recipe's data and network, and tell what all would take.

    Nothing is written but the cache of decoded images.
    """
    stop = Event()
    images, model = prepare(recipe, lambda _event: None, stop, findings)
    place = devices.place(recipe)
    closed = recipe.strategy == "auto" and not list(model.module.parameters())
    if recipe.strategy == "adapter" or closed:  # all that such a model can be trained by
        took = _seconds(lambda: measure.measure(model, images.held_out[:1], recipe)) * (
            len(images.train) + 2 * len(images.held_out)
        )
        return Estimate(took, devices.memory(place), place.words, took, 1)
    measuring = _seconds(lambda: measure.measure(model, images.held_out[:1], recipe))
    if measuring < WARM:  # most of it may be what happens only once
        measuring = _seconds(lambda: measure.measure(model, images.held_out[:1], recipe))
    measuring *= len(images.held_out)
    each = _seconds_a_step(recipe, images, model, place.world)
    every = recipe.validation.every
    if recipe.schedule.minutes is not None:
        seconds = recipe.schedule.minutes * 60
        steps = max(1, int(seconds / (each + measuring / every)))
    else:
        steps = recipe.schedule.steps
        # before the first step, on the way, after the last, and once more in half precision
        seconds = steps * each + measuring * (2 + math.ceil(steps / every))
    return Estimate(seconds, devices.memory(place), place.words, each, steps)


def _seconds_a_step(recipe: Recipe, images: Images, model: Model, world: int) -> float:
    """What a step takes one process, its share of the patches."""
    import tempfile

    from napari_hsr.training.engine.loop import Run

    def nothing(_model: Model, _step: int) -> tuple[Figures, dict[str, Figures], str]:
        return {"psnr_db": 0.0, "sam_deg": 0.0, "mrae": 0.0}, {}, ""

    changes = {
        "schedule": {"steps": TRIED, "minutes": None},
        "engine": {"tensorboard": False, "devices": 1, "nodes": 1},
        "batch": {"size": recipe.batch.size // world},
    }
    short = recipe.model_copy(
        update={key: getattr(recipe, key).model_copy(update=v) for key, v in changes.items()}
    )
    patches = draws(images, short, model)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            short, model, patches.batch, nothing, lambda _event: None, Event(), Path(folder) / "run"
        )
        run.result()
    return sum(run.times[1:]) / len(run.times[1:])


def _seconds(action) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start
