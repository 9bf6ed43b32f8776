"""Strategies: which weights are trained, and whether the result is better than the start.

``adapter``: a closed-form map of the network's output. ``head``: the first and the last layer,
norms and biases. ``full``: all weights. ``auto``: these in turn, each starting from the best so
far, within one time budget. The best model on the held-out images is kept; none if the start is
the best.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import Cancelled, FileError, HSRError, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import stop_if
from napari_hsr.training.events import Began, Event, Figures, Measured, Noticed, Saved, Step
from napari_hsr.training.runs.figures import describe_figures
from napari_hsr.training.time_budget import Budget
from napari_hsr.training.validation import Validation, worthwhile

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    import torch

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import Images
    from napari_hsr.training.engine.checkpoint import Fitted
    from napari_hsr.training.recipe.schema import Recipe

    #: ``fit(recipe, model, trained)``: steps by one strategy's recipe; ``trained`` names the
    #: weights to train, None for all.
    Fit = Callable[[Recipe, Model, Sequence[str] | None], Generator[Event, None, Fitted]]
    #: Measures a model on the held-out images after so many steps.
    Validate = Callable[[Model, int], Validation]

ORDER = ("adapter", "head", "full")
#: Share of the remaining time, or of the steps, that ``auto`` gives to the head.
HEAD_SHARE = 0.3
NO_ADAPTER = Notice.info(
    Code.ADAPTER_WITHOUT_EFFECT,
    "The adapter changes nothing: fitted to some of the training images, it never improved the "
    "others.",
)
#: With fewer seconds left, ``auto`` starts no further strategy.
LEAST_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a strategy.

    Attributes
    ----------
    model : Model or None
        The best one, in float32; None if the start is the best, or after a stop.
    strategy : str
        That made it, else empty.
    kept : str
        What is kept and why, in one sentence.
    before : Validation or None
        Figures of the start; None if training started from random weights.
    after : Validation or None
        Figures of the model.
    steps : int
        Of the optimiser.
    seconds : float
        Of training, earlier tries included, as far as they are known.
    stopped : bool
        Stopped on request.
    """

    model: Model | None
    strategy: str
    kept: str
    before: Validation | None
    after: Validation | None
    steps: int = 0
    seconds: float = 0.0
    stopped: bool = False


def train_by_strategy(
    recipe: Recipe,
    model: Model,
    images: Images,
    validate: Validate,
    fit: Fit,
    cancel: threading.Event,
    *,
    spent: Path | None = None,
    resume: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Event, None, Outcome]:
    """Train by the recipe's strategy, and keep the best model on the held-out images.

    Parameters
    ----------
    recipe : Recipe
    model : Model
        The start, on the cubes' wavelengths; it is not changed.
    images : Images
    validate, fit : callable
        See :data:`Validate` and :data:`Fit`.
    cancel : threading.Event
    spent : Path, optional
        A file that remembers how much of the time budget of ``auto`` is spent.
    resume : bool
        Continue with the rest of that budget.
    clock : callable
        In seconds.

    Yields
    ------
    Event
        The steps of all strategies make one count; the adapter counts as one.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If the strategy needs a start model or trainable weights, and there are none.
    """
    if recipe.model.start is None and recipe.strategy in ("adapter", "head"):
        raise InputError(
            f"The strategy {recipe.strategy} needs a start model: set model.start, or "
            "strategy: full."
        )
    if recipe.model.start is None or recipe.strategy == "full":
        return (yield from _full(recipe.model_copy(update={"strategy": "full"}), model, fit))
    budget = None
    if recipe.strategy == "auto" and recipe.schedule.minutes is not None:
        budget = Budget(recipe.schedule.minutes, spent, resume, clock)
    return (yield from _Stages(recipe, model, images, validate, fit, cancel, budget).events())


def head_names(module: torch.nn.Module) -> list[str]:
    """Names of the weights that the strategy ``head`` trains.

    All of the first and of the last layer that has a matrix or kernel, in the order in which the
    network lists them, and everything with one value per channel: norms and biases.
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


def _full(recipe: Recipe, model: Model, fit: Fit) -> Generator[Event, None, Outcome]:
    """All weights, from a start model or from random ones."""
    fitted = yield from fit(recipe, model, None)
    state = fitted.state
    if fitted.stopped:
        return Outcome(None, "", "", None, None, state.step, state.seconds, stopped=True)
    started = recipe.model.start is not None and bool(state.start_mean)
    before = Validation(state.start_mean, state.start_images) if started else None
    after, choose = Validation(fitted.mean, fitted.images), recipe.validation.choose
    if before and choose != "last" and not worthwhile(after.mean, before.mean, choose):
        kept = (
            f"No model was made: none of the {state.step:,} steps improved on {model.name} on the "
            f"held-out images ({describe_figures(before.mean)})."
        )
        return Outcome(None, "", kept, before, after, fitted.step, state.seconds)
    kept = f"The weights after {fitted.step:,} steps: {describe_figures(after.mean)} on the held-out images"
    kept += f"; {model.name} had {describe_figures(before.mean)}." if before else "."
    trained = _with_weights(model, fitted.weights)
    return Outcome(trained, "full", kept, before, after, fitted.step, state.seconds)


class _Stages:
    """Strategies in turn, and the best model so far."""

    def __init__(
        self,
        recipe: Recipe,
        model: Model,
        images: Images,
        validate: Validate,
        fit: Fit,
        cancel: threading.Event,
        budget: Budget | None,
    ):
        self.recipe, self.start, self.images = recipe, model, images
        self.validate, self.fit, self.cancel, self.budget = validate, fit, cancel, budget
        self.auto = recipe.strategy == "auto"
        self.best, self.winner = model, ""
        self.before: Validation | None = None
        self.after = Validation({}, {})  # of the best
        self.steps = 0
        self.tried: list[tuple[str, Figures]] = []
        self.seconds_an_image = 0.0  # of the start, measuring included

    def events(self) -> Generator[Event, None, Outcome]:
        stopped = False
        try:
            began = self.budget.clock() if self.budget else 0.0
            self.before = self.after = self.validate(self.start, 0)
            if self.budget:
                held_out = len(self.images.held_out)
                self.seconds_an_image = (self.budget.clock() - began) / max(1, held_out)
            yield self._measured(self.before, best=True)
            yield from map(Noticed, self.before.notices)
            for name in self._order():
                stop_if(self.cancel)
                try:
                    yield from self._adapter() if name == "adapter" else self._gradient(name)
                except FileError:  # a full disk takes no model either
                    raise
                except HSRError as fault:
                    if not (self.auto and self.winner):
                        raise
                    text = f"The strategy {name} failed, and the best model so far is kept: {fault}"
                    yield Noticed(Notice.warning(Code.STRATEGY_FAILED, text))
                    break
        except Cancelled:
            stopped = True
        return Outcome(
            self.best if self.winner else None,
            self.winner,
            self._kept(),
            self.before,
            self.after if self.winner else None,
            self.steps,
            stopped=stopped,
        )

    def _order(self) -> tuple[str, ...]:
        if not self.auto:
            return (self.recipe.strategy,)
        # the adapter maps the spectrum of one pixel to another
        return ORDER[1:] if self.recipe.finer else ORDER

    def _noted(self, event: Event) -> Event:
        """The event; where it is one that a resumed run begins from, time spent is written down."""
        if self.budget is not None and isinstance(event, (Measured, Saved)):
            self.budget.keep()
        return event

    def _measured(self, found: Validation, best: bool) -> Event:
        return self._noted(Measured(self.steps, found.mean, found.images, found.preview, best))

    def _adapter(self) -> Generator[Event, None, None]:
        from napari_hsr.training.adapter import adapt

        images = len(self.images.train) + len(self.images.held_out)
        if self.budget and self.budget.left() < images * self.seconds_an_image:
            yield _skipped("No time is left for the strategy adapter.")
            return
        model, adapter = yield from adapt(self.best, self.images.train, self.recipe, self.cancel)
        self.steps += 1
        if math.isinf(adapter.pull):
            yield Noticed(NO_ADAPTER)
        found = self.validate(model, self.steps)
        yield self._measured(found, best=self._take("adapter", model, found))
        yield from map(Noticed, found.notices)

    def _gradient(self, name: str) -> Generator[Event, None, None]:
        names = head_names(self.best.module)
        every = [key for key, _ in self.best.module.named_parameters()]
        if not every:
            reason = f"{self.best.name} has no trainable weights"
            if not self.auto:
                raise InputError(f"{reason}: choose the strategy adapter, or another start model.")
            if name == "head":
                yield _skipped(f"{reason}, so only the adapter was tried.")
            return
        if name == "full" and self.auto and set(names) == set(every):
            return  # the head was all of it
        settings = self._settings(name)
        if settings is None:
            yield _skipped(f"No time is left for the strategy {name}.")
            return
        fitted = yield from self._counted(
            self.fit(settings, self.best, names if name == "head" else None)
        )
        if fitted.step == 0:  # the start of this stage is still the best
            self.tried.append((name, self.after.mean))
        else:
            figures = Validation(fitted.mean, fitted.images)
            last = not self.auto and self.recipe.validation.choose == "last"
            model = _with_weights(self.best, fitted.weights)
            self._take(name, model, figures, always=last)
        if fitted.stopped:
            raise Cancelled

    def _counted(self, events: Generator[Event, None, Fitted]) -> Generator[Event, None, Fitted]:
        """The events of a fit, its steps counted on from those before."""
        done = self.steps
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                fitted: Fitted = end.value
                return fitted
            if isinstance(event, (Began, Step, Measured, Saved)):
                event = replace(event, step=event.step + done)
                self.steps = max(self.steps, event.step)
            if isinstance(event, (Began, Step)) and event.total:
                event = replace(event, total=event.total + done)
            yield self._noted(event)

    def _settings(self, name: str) -> Recipe | None:
        """The recipe of one stage; None if its budget is spent."""
        schedule = self.recipe.schedule
        changes: dict[str, Any] = {"strategy": name}
        if self.budget is not None:
            share = HEAD_SHARE if name == "head" else 1.0
            minutes = self.budget.share(name, share, LEAST_SECONDS)
            if minutes is None:
                return None
            changes["schedule"] = schedule.model_copy(update={"minutes": minutes})
        elif self.auto and schedule.steps is not None:
            head = max(1, round(HEAD_SHARE * schedule.steps))
            steps = head if name == "head" else schedule.steps - head
            if steps < 1:
                return None
            changes["schedule"] = schedule.model_copy(update={"steps": steps})
        return self.recipe.model_copy(update=changes)

    def _take(self, name: str, model: Model, figures: Validation, always: bool = False) -> bool:
        """Keep a model if it is better than all before it; whether it is kept."""
        self.tried.append((name, figures.mean))
        choose = self.recipe.validation.choose
        if not always and not worthwhile(figures.mean, self.after.mean, choose):
            return False
        self.best, self.winner, self.after = model, name, figures
        return True

    def _kept(self) -> str:
        if self.before is None:
            return "It was stopped before anything was tried."
        start, before = self.start.name, describe_figures(self.before.mean)
        if self.winner:
            return (
                f"The strategy {self.winner} was the best: {describe_figures(self.after.mean)} on the "
                f"held-out images; {start} had {before}."
            )
        if not self.tried:
            return f"No model was made: no time was left to try anything. {start} has {before}."
        tried = "".join(f"; {name} {describe_figures(figures)}" for name, figures in self.tried)
        return (
            f"No model was made: nothing improved on {start} on the held-out images "
            f"({before}{tried})."
        )


def _skipped(text: str) -> Noticed:
    return Noticed(Notice.info(Code.STRATEGY_SKIPPED, text))


def _with_weights(model: Model, weights: dict[str, torch.Tensor]) -> Model:
    """A model with other weights of the same network."""
    from napari_hsr.models.state_dict import from_state_dict

    return from_state_dict(weights, model.card.unmeasured())
