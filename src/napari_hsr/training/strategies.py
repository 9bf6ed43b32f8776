"""Ways from a start model to a better one, from the cheapest to the dearest.

``adapter``: a closed-form map of the network's output. ``head``: the first and the last layer,
norms and biases. ``full``: all weights. ``auto``: these in turn, each from the best so far, within
one time budget; what wins on the held-out images is kept, and nothing if nothing does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from napari_hsr.errors import Cancelled, FileError, HSRError, InputError
from napari_hsr.training.events import (
    Began,
    Event,
    Figures,
    Finished,
    Measured,
    Notice,
    Report,
    Saved,
    Step,
    Stopped,
)
from napari_hsr.training.time_budget import Budget
from napari_hsr.training.validation import Measurement, words, worthwhile

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    import torch

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import Images
    from napari_hsr.training.recipe.schema import Recipe
    from napari_hsr.training.train import Training

ORDER = ("adapter", "head", "full")
#: Share of what is left of the time, or of the steps, that ``auto`` gives to the head.
HEAD_SHARE = 0.3
#: Said where none is fitted.
NO_ADAPTER = (
    "The adapter is left as it begins, changing nothing: fitted to some training images, none "
    "made the others better."
)
#: With fewer seconds left, ``auto`` begins no further strategy.
LEAST_SECONDS = 5.0
#: Beside the checkpoints: how much of its time ``auto`` has spent.
SPENT = "spent.json"


class Fitted(Protocol):
    """What a fit by gradients comes to: the best weights on the held-out images."""

    weights: dict[str, torch.Tensor]
    mean: Figures
    images: dict[str, Figures]
    #: Steps after which they were the best; 0 for the start's own.
    step: int
    stopped: bool


#: ``fit(recipe, model, trained, report) -> Fitted``: the recipe's strategy is ``head`` or ``full``
#: and its schedule that stage's alone; the names of the weights to train, None for all.
Fit = Callable[["Recipe", "Model", "Sequence[str] | None", Report], Fitted]
#: ``measure(model, step) -> (mean, figures by image, preview file)``.
Measure = Callable[["Model", int], tuple[Figures, dict[str, Figures], str]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the strategies came to.

    Attributes
    ----------
    model : Model or None
        The winner, in float32; None where nothing was better than the start.
    strategy : str
        That made it; empty where nothing was better.
    kept : str
        What is kept and why, in one sentence.
    before : Measurement or None
        The start's figures; None if training started from nothing.
    after : Measurement or None
        The winner's.
    steps : int
        Of the optimiser, over all stages.
    stopped : bool
        Stopped on request: what is here is the best so far.
    """

    model: Model | None
    strategy: str
    kept: str
    before: Measurement | None
    after: Measurement | None
    steps: int = 0
    stopped: bool = False


def run(training: Training, began: float) -> Finished | Stopped:
    """Train by the strategy of the recipe and write the winner's directory.

    Parameters
    ----------
    training : Training
        Of :mod:`napari_hsr.training.train`.
    began : float
        Of ``time.monotonic``.

    Returns
    -------
    Finished or Stopped
        Finished with an empty directory where nothing was better than the start.

    Raises
    ------
    HSRError
        As :func:`decide`, or if the directory cannot be written.
    """
    from napari_hsr.training import export
    from napari_hsr.training.engine import devices
    from napari_hsr.training.train import resume_command

    recipe, images = training.recipe, training.images

    def fit(settings, model, trained, report):
        part = replace(training, report=report)
        return part.fit(model, settings, trained, part=settings.strategy)

    outcome = decide(
        recipe,
        training.start,
        images,
        training.measure,
        fit,
        training.report,
        training.stop,
        spent=training.output / "checkpoint" / SPENT,
        resume=training.resume,
    )
    if outcome.stopped:
        return Stopped(outcome.steps, resume_command(training.output))
    place = devices.place(recipe)
    if not place.leads:
        return Finished("", "Another process of this training writes the model.")
    before = outcome.before.mean if outcome.before else {}
    if outcome.model is None:
        return Finished("", outcome.kept, before, {}, time.monotonic() - began)
    settled = export.settle(
        outcome.model.module.state_dict(),
        outcome.model.card,
        images.held_out,
        recipe,
        stop=training.stop,
        exact=outcome.after,
    )
    seconds = time.monotonic() - began
    export.write_model_directory(
        training.output,
        recipe,
        settled,
        before=outcome.before,
        train={image.name: image.sha256 for image in images.train},
        held_out={image.name: image.sha256 for image in images.held_out},
        seconds=seconds,
        steps=outcome.steps,
        machine=f"{place.words}, {place.precision}",
        strategy=outcome.strategy,
    )
    after = settled.figures.mean
    return Finished(str(training.output), outcome.kept, before, after, seconds)


def decide(
    recipe: Recipe,
    model: Model,
    images: Images,
    measure: Measure,
    fit: Fit,
    report: Report,
    stop: threading.Event,
    *,
    spent: Path | None = None,
    resume: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Train as the recipe's strategy says, and keep what is best on the held-out images.

    Parameters
    ----------
    recipe : Recipe
    model : Model
        The start, on the cubes' wavelengths; it is left as it is.
    images : Images
    measure, fit : callable
        See :data:`Measure` and :data:`Fit`.
    report : callable
        Steps of later stages go on counting from those before; the adapter counts as one.
    stop : threading.Event
    spent : Path, optional
        A file that remembers how much of the time budget of ``auto`` is spent.
    resume : bool
        Whether the file is gone on with: a run that was broken off has the rest of its time.
    clock : callable
        In seconds.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If the strategy needs a start model or weights that can be trained, and there are none.
    """
    if recipe.model.start is None:
        if recipe.strategy in ("adapter", "head"):
            raise InputError(
                f"The strategy {recipe.strategy} needs a model to start from: set model.start, or "
                "strategy: full."
            )
        return _from_nothing(recipe, model, fit, report)
    budget = None
    if recipe.strategy == "auto" and recipe.schedule.minutes is not None:
        budget = Budget(recipe.schedule.minutes, spent, resume, clock)
    return _Stages(recipe, model, images, measure, fit, report, stop, budget).outcome()


def head_names(module: torch.nn.Module) -> list[str]:
    """Names of the weights that the strategy ``head`` trains.

    All of the first and of the last layer that has a matrix or kernel, in the order in which the
    network lists them, and everything with one value a channel: norms and biases.
    """
    layers = [
        name
        for name, layer in module.named_modules()
        if any(p.ndim >= 2 for p in layer.parameters(recurse=False))
    ]
    ends = {layers[0], layers[-1]} if layers else set()
    return [
        name for name, p in module.named_parameters() if p.ndim <= 1 or name.rpartition(".")[0] in ends
    ]  # fmt: skip


def _from_nothing(recipe: Recipe, model: Model, fit: Fit, report: Report) -> Outcome:
    heard = _Later(report, 0)
    fitted = fit(recipe.model_copy(update={"strategy": "full"}), model, None, heard)
    after = Measurement(fitted.mean, fitted.images)
    kept = f"Trained from nothing; the best weights are those after {fitted.step:,} steps: "
    return Outcome(
        _with(model, fitted.weights),
        "full",
        f"{kept}{words(after.mean)} on the held-out images.",
        None,
        after,
        heard.last,
        fitted.stopped,
    )


class _Stages:
    """The strategies in turn, and the best model so far."""

    def __init__(self, recipe, model, images, measure, fit, report, stop, budget):
        self.recipe: Recipe = recipe
        self.start: Model = model
        self.images: Images = images
        self.measure: Measure = measure
        self.fit: Fit = fit
        self.told: Report = report
        self.stop: threading.Event = stop
        self.budget: Budget | None = budget
        self.best = model
        self.winner = ""
        self.before: Measurement | None = None
        self.after: Measurement | None = None
        self.steps = 0
        self.stopped = False
        self.tried: list[tuple[str, Figures]] = []

    def report(self, event: Event) -> None:
        self.told(event)
        if self.budget is not None and isinstance(event, (Measured, Saved)):
            self.budget.keep()

    def outcome(self) -> Outcome:
        auto = self.recipe.strategy == "auto"
        try:
            mean, each, preview = self.measure(self.start, 0)
            self.before = self.after = Measurement(mean, each)
            self.report(Measured(0, mean, each, preview, best=True))
            for name in self._order():
                if self.stop.is_set():
                    raise Cancelled
                try:
                    self._adapter() if name == "adapter" else self._gradient(name, auto)
                except FileError:  # a full disk takes no model either
                    raise
                except HSRError as fault:
                    if not (auto and self.winner):
                        raise
                    self.report(Notice(f"{name}: {fault} What won before is kept.", warning=True))
                    break
                if self.stopped:
                    break
        except Cancelled:
            self.stopped = True
        return Outcome(
            self.best if self.winner else None,
            self.winner,
            self._kept(),
            self.before,
            self.after if self.winner else None,
            self.steps,
            self.stopped,
        )

    def _order(self) -> tuple[str, ...]:
        if self.recipe.strategy != "auto":
            return (self.recipe.strategy,)
        # the adapter is a map between spectra of one pixel
        return ORDER[1:] if self.recipe.finer else ORDER

    def _adapter(self) -> None:
        from napari_hsr.training.closed_form.adapter import adapt

        model, adapter = adapt(self.best, self.images.train, self.recipe, self.report, self.stop)
        self.steps += 1
        if math.isinf(adapter.pull):
            self.report(Notice(NO_ADAPTER))
        mean, each, preview = self.measure(model, self.steps)
        best = self._take("adapter", model, Measurement(mean, each))
        self.report(Measured(self.steps, mean, each, preview, best))

    def _gradient(self, name: str, auto: bool) -> None:
        names = head_names(self.best.module)
        every = [key for key, _ in self.best.module.named_parameters()]
        if not every:
            self._cannot(name, auto)
            return
        if name == "full" and auto and set(names) == set(every):
            return  # the head was all of it
        settings = self._settings(name, auto)
        if settings is None:
            self.report(Notice(f"No time is left to try the strategy {name}."))
            return
        later = _Later(self.report, self.steps)
        fitted = self.fit(settings, self.best, names if name == "head" else None, later)
        self.steps, self.stopped = later.last, fitted.stopped
        if fitted.step == 0:  # the start of this stage is still the best
            self.tried.append((name, self.after.mean))
            return
        figures = Measurement(fitted.mean, fitted.images)
        last = not auto and self.recipe.validation.choose == "last"
        self._take(name, _with(self.best, fitted.weights), figures, always=last)

    def _cannot(self, name: str, auto: bool) -> None:
        """There is nothing that gradients could change."""
        reason = f"{self.best.name} has no weights that steps could train"
        if not auto:
            raise InputError(f"{reason}: choose the strategy adapter, or another start.")
        if name == "head":
            self.report(Notice(f"{reason}, so only the adapter was tried."))

    def _settings(self, name: str, auto: bool) -> Recipe | None:
        """The recipe of one stage; None if its budget is spent."""
        schedule = self.recipe.schedule
        changes: dict = {"strategy": name}
        if self.budget is not None:
            part = HEAD_SHARE if name == "head" else 1.0
            minutes = self.budget.share(name, part, LEAST_SECONDS)
            if minutes is None:
                return None
            changes["schedule"] = schedule.model_copy(update={"minutes": minutes})
        elif auto:
            head = max(1, round(HEAD_SHARE * schedule.steps))
            steps = head if name == "head" else schedule.steps - head
            if steps < 1:
                return None
            changes["schedule"] = schedule.model_copy(update={"steps": steps})
        return self.recipe.model_copy(update=changes)

    def _take(self, name: str, model: Model, figures: Measurement, always: bool = False) -> bool:
        """Keep a model if it is better than all before it; whether it is kept."""
        self.tried.append((name, figures.mean))
        if not always and not worthwhile(
            figures.mean, self.after.mean, self.recipe.validation.choose
        ):
            return False
        self.best, self.winner, self.after = model, name, figures
        return True

    def _kept(self) -> str:
        if self.before is None:
            return "It was stopped before anything was tried."
        start, before = self.start.name, words(self.before.mean)
        if self.winner:
            return (
                f"The strategy {self.winner} won: {words(self.after.mean)} on the held-out images, "
                f"where {start} had {before}."
            )
        tried = "; ".join(f"{name} {words(figures)}" for name, figures in self.tried)
        return (
            f"Nothing was better than {start} on the held-out images ({before}"
            + (f"; {tried}" if tried else "")
            + "), so no model was made."
        )


def _with(model: Model, weights: dict[str, torch.Tensor]) -> Model:
    """A model with other weights of the same network."""
    from napari_hsr.models.state_dict import from_state_dict

    changes = {"figures": {}, "precision_errors": {}, "weights_sha256": ""}
    return from_state_dict(weights, model.card.model_copy(update=changes))


class _Later:
    """A report whose steps count from those done before; it remembers the last one."""

    def __init__(self, report: Report, done: int):
        self.report, self.done, self.last = report, done, done

    def __call__(self, event: Event) -> None:
        if isinstance(event, (Began, Step, Measured, Saved)):
            event = replace(event, step=event.step + self.done)
            self.last = max(self.last, event.step)
        if isinstance(event, (Began, Step)) and event.total:
            event = replace(event, total=event.total + self.done)
        self.report(event)
