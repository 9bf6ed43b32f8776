"""The training loop: steps, validation, checkpoints, and where they end.

A fit can be resumed after any step. Its state is small and explicit: the number of steps,
weights, their average, the optimiser's moments, and which weights were the best on the held-out
images. Batches, the learning rate and a network's random numbers are functions of the step, so
nothing else needs to be remembered.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import Cancelled, FileError, HSRError, lacks_memory
from napari_hsr.inference.estimates.memory_use import release_cached
from napari_hsr.notices import Code, Notice
from napari_hsr.training.engine import checkpoint, devices
from napari_hsr.training.engine.checkpoint import Fitted, State
from napari_hsr.training.engine.losses import fetch_weights
from napari_hsr.training.engine.optimisation import Average, all_finite, finite_state
from napari_hsr.training.engine.step import StepBatches, Stepper, trainable_network
from napari_hsr.training.events import Began, Event, Measured, Noticed, Saved, Step
from napari_hsr.training.time_budget import steps_fixed
from napari_hsr.training.validation import Validation, better

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.batch_sampler import Batch
    from napari_hsr.training.engine.checkpoint import Hashes
    from napari_hsr.training.recipe.schema import Recipe

    Events = Generator[Event, None, None]

#: Stands for the total number of steps while a time budget has not fixed it.
_UNKNOWN_TOTAL = 10**9
#: Steps that are timed for a time budget, and how many of the first ones do not count; fewer where
#: they take this share of it.
PROBE, UNCOUNTED = 12, 3
PROBE_SHARE = 0.25
#: Seconds between two reports of progress.
PACE = 0.5

#: Measures a model on the held-out images after so many steps.
Validate = Callable[["Model", int], Validation]


class Fit:
    """Fit a model's weights to batches.

    Parameters
    ----------
    recipe : Recipe
        ``schedule``, ``optimiser``, ``loss``, ``batch``, ``ema``, ``anchor``, ``validation`` and
        ``engine`` are used.
    model : Model
        The initial weights; it is not changed.
    batches : callable
        ``batches(step, rank, world) -> Batch``.
    validate : callable
        Measures a model on the held-out images.
    cancel : threading.Event, optional
        When set, the current step is finished, everything is saved, and the fit returns. Of
        several processes, one that is cancelled stops all.
    folder : Path
        For the checkpoints.
    resume : bool
        Continue from the last checkpoint, if there is one.
    trained : sequence of str, optional
        Names of the weights that are trained; None: all.
    images : pair of mappings
        Names of the training and the held-out images, with the SHA-256 of their files.
    log : Path, optional
        Folder of TensorBoard's files; None: ``tensorboard`` beside ``folder``.
    validations : int
        How many follow the last step; a time budget has room for them.
    check : callable
        Called before a checkpoint is written; raises FileError where it is not to be.

    Attributes
    ----------
    state : State
    times : list of float
        Seconds that each step of this process took.

    Raises
    ------
    NotFiniteError
        If the loss becomes NaN or infinite; the last good step is saved.
    FileError
        If a checkpoint cannot be written, or the one to resume from is damaged.
    InputError
        If the model has nothing to train, memory is too small for a single patch, or the images
        are no longer those of the checkpoint.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: Model,
        batches: Callable[[int, int, int], Batch],
        validate: Validate,
        cancel: threading.Event | None,
        folder: Path,
        *,
        resume: bool = False,
        trained: Sequence[str] | None = None,
        images: tuple[Hashes, Hashes] = ({}, {}),
        log: Path | None = None,
        validations: int = 1,
        check: Callable[[], None] = lambda: None,
    ):
        self.recipe, self.model, self.batches, self.validate = recipe, model, batches, validate
        self.cancel = threading.Event() if cancel is None else cancel
        self.folder, self.images, self.validations, self.check = folder, images, validations, check
        self.log = log or folder.parent / "tensorboard"
        self.place = devices.place(recipe)
        self.identity = checkpoint.identity(recipe, images)
        self.network = trainable_network(model, recipe, trained, self.place.world)
        self.stepper: Stepper | None = None
        self.times: list[float] = []
        self._restore(checkpoint.read(folder) if resume else None)
        self.seconds_before, self.began = self.state.seconds, time.monotonic()
        self.seconds_validating = 0.0  # the last time

    def _restore(self, saved: dict[str, Any] | None) -> None:
        """Take the state of a checkpoint, or the initial one."""
        self.optimiser_state: dict[str, Any] | None = None
        self.precision_state: dict[str, Any] = {}
        if saved is None:
            self.network.load_state_dict(self.model.module.state_dict())
            self.average = Average(self.network, self.recipe.ema)
            self.state = State(
                total=self.recipe.schedule.steps or 0, parts=self.recipe.batch.accumulate
            )
            return
        path = self.folder / checkpoint.LAST
        checkpoint.check_same(saved, self.identity, path)
        try:
            self.network.load_state_dict(saved["weights"])
            self.average = Average(self.network, self.recipe.ema)
            self.average.take(saved["average"])
            self.optimiser_state, self.precision_state = saved["optimiser"], saved["precision"]
            self.state = State.from_dict(saved["state"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise FileError(path, "it belongs to another network than this training's") from error

    # --- the loop ---------------------------------------------------------------------------

    def events(self) -> Generator[Event, None, Fitted]:
        """Take all remaining steps: Began, Step, Measured, Saved and Noticed events."""
        if self.place.leads:
            checkpoint.remove_unfinished(self.folder)
            if self.state.best_file:  # a kill may have come before the others were removed
                checkpoint.best_weights(self.folder, self.state.best_file)  # not missed at the end
                checkpoint.keep_only(self.folder, "best-*.pt", self.state.best_file)
            if self.state.measured < 0 or self._due():
                yield from self._validate()
            here = self.place.words, self.place.precision
            yield Began(self.state.step, self.state.total, *here, *map(tuple, self.images))
        while not self.over():
            yield from self._train()
        return self._fitted()

    def _train(self) -> Events:
        """Take steps to the end, a stop or a fault; without enough memory, in smaller parts."""
        self._between_steps = False
        try:
            yield from self._steps()
        except (RuntimeError, MemoryError) as error:
            if not lacks_memory(error) or self._between_steps:
                raise
            self._step_back()
            yield self._take_smaller_parts()
            return
        except HSRError as error:
            if self._between_steps or isinstance(error, FileError):
                raise
            self._step_back()
            if self.place.leads:
                yield self._save()
                raise
            self.cancel.set()  # the first process reports the fault
            return
        self.network.to("cpu")
        if self.place.leads:
            if self._ended() and self.state.measured != self.state.step:
                yield from self._validate()
            yield self._save()

    def _steps(self) -> Events:
        place, state = self.place, self.state
        self.stepper = None
        yield from fetch_weights(self.recipe.loss)
        parts = 1 if self.recipe.optimiser.step_per == "band" else state.parts
        total, ranks = lambda: state.total or _UNKNOWN_TOTAL, (place.rank, place.world)
        batches = StepBatches(self.batches, state.step, total, parts, *ranks)
        start = self.model.module.state_dict()
        stepper = Stepper(self.recipe, place, self.network, start, batches, state.parts, self.log)
        stepper.load_state(self.optimiser_state, self.precision_state)
        self.stepper = stepper
        self.average.to(stepper.fabric.device)
        self.reported = tick = time.monotonic()
        while not self.over():
            stepper.step()
            self._between_steps = True
            state.step += 1
            self.average.update(self.network, state.step)
            self.times.append(time.monotonic() - tick)
            if place.leads:
                yield from self._after_step(stepper)
            self._agree(stepper.fabric.device)
            self._between_steps = False
            tick = time.monotonic()
        self._keep_optimiser()

    # --- after a step -----------------------------------------------------------------------

    def _after_step(self, stepper: Stepper) -> Events:
        """What the first process does for all."""
        state, now = self.state, time.monotonic()
        save = state.step % self.recipe.engine.checkpoint_every == 0
        if not state.total and self._timed():
            counted = self.times[UNCOUNTED:] or self.times[1:] or self.times
            yield self._fix_total(sum(counted) / len(counted))
            save = True  # another try would come to another number of steps
        elif self._late():
            state.total = state.step
            text = f"The time is up after {state.step:,} steps: they took longer than the first."
            yield Noticed(Notice.info(Code.STEPS_FIXED, text))
        if now - self.reported >= PACE or state.complete or len(self.times) == 1:
            yield self._report(stepper)
            self.reported = now
        due = self._due()
        if due or save:
            self._keep_optimiser()
        if due:
            yield from self._validate()
        elif save:
            yield self._save()

    def _report(self, stepper: Stepper) -> Step:
        state, seen = self.state, stepper.losses
        mean = sum(value for value, _ in seen) / len(seen)
        terms = {name: sum(t[name] for _, t in seen) / len(seen) for name in seen[-1][1]}
        seen.clear()
        each = sum(self.times[-20:]) / len(self.times[-20:])
        rate = stepper.optimiser.param_groups[0]["lr"]
        stepper.fabric.log_dict({"loss": mean, "learning_rate": rate, **terms}, state.step)
        pace = self.recipe.batch.size / max(each, 1e-6)  # a clock may be coarser
        left = max(0, state.total - state.step) * each if state.total else 0.0
        memory = devices.memory(self.place)
        return Step(state.step, state.total, mean, terms, rate, pace, left, memory)

    def _fix_total(self, seconds_a_step: float) -> Noticed:
        """Turn the time budget into a number of steps, once."""
        left = self._left()
        each = seconds_a_step + self.seconds_validating / self.recipe.validation.every
        more = max(0, int(left / each))
        self.state.total = self.state.step + more
        return Noticed(steps_fixed(self.state.step, more, each, left))

    def _timed(self) -> bool:
        """Whether enough steps have been timed to say how many there is time for."""
        share = PROBE_SHARE * (self.recipe.schedule.minutes or math.inf) * 60
        return len(self.times) >= PROBE or sum(self.times) >= share

    def _late(self) -> bool:
        """Whether a time budget is over though steps remain."""
        timed = self.recipe.schedule.minutes is not None
        return timed and 0 < self.state.step < self.state.total and self._left() < 0

    def _left(self) -> float:
        """Seconds of the time budget that are left for steps."""
        budget = (self.recipe.schedule.minutes or 0.0) * 60
        return budget - self._elapsed() - self.validations * self.seconds_validating

    def _agree(self, device: torch.device) -> None:
        """Share with all processes what the first one decided, and whether one is cancelled."""
        if self.place.world == 1:
            return
        mine = (self.state.total, self.state.strikes) if self.place.leads else (0, 0)
        agreed = devices.largest([*mine, self.cancel.is_set()], device)
        self.state.total, self.state.strikes, cancelled = agreed
        if cancelled:
            self.cancel.set()

    def _elapsed(self) -> float:
        """Seconds of this fit, earlier tries included."""
        return self.seconds_before + time.monotonic() - self.began

    def _ended(self) -> bool:
        """Whether all steps are taken, or validation has not improved for too long."""
        patience = self.recipe.validation.patience
        return self.state.complete or bool(patience and self.state.strikes >= patience)

    def over(self) -> bool:
        """Whether no step follows: it ended, or was cancelled."""
        return self._ended() or self.cancel.is_set()

    # --- validation and checkpoints ------------------------------------------------------------

    def _due(self) -> bool:
        step = self.state.step
        return step != self.state.measured and (
            step % self.recipe.validation.every == 0 or self.state.complete
        )

    def _validate(self) -> Events:
        """Measure the averaged weights on the held-out images; keep them if they are the best."""
        from napari_hsr.models.state_dict import from_state_dict

        start, state = time.monotonic(), self.state
        model = from_state_dict(checkpoint.on_cpu(self.average.weights), self.model.card)
        try:
            found = self.validate(model, state.step)
        except Cancelled:  # a stop does not wait: the resumed run validates
            return
        choose = self.recipe.validation.choose
        first = choose == "last" or not state.best_file
        best = first or better(found.mean, state.best_mean or None, choose)
        state.measured = state.step
        if state.step == 0:
            state.start_mean, state.start_images = found.mean, found.images
        if best:
            file = f"best-{state.step}.pt"
            content = {"weights": model.module.state_dict(), **self.identity}
            self.check()
            checkpoint.save(self.folder, content, file)
            state.best_step, state.best_file = state.step, file
            state.best_mean, state.best_images, state.strikes = found.mean, found.images, 0
        else:
            state.strikes += 1
        self.seconds_validating = time.monotonic() - start
        if self.stepper is not None:
            figures = {f"held_out/{key}": value for key, value in found.mean.items()}
            self.stepper.fabric.log_dict(figures, state.step)
        yield Measured(state.step, found.mean, found.images, found.preview, best)
        yield from map(Noticed, found.notices)
        yield self._save()

    def _save(self) -> Saved:
        """Write the checkpoint; the file of the best weights that it names is there before it."""
        self.check()
        self.state.seconds = self._elapsed()
        path = checkpoint.save(
            self.folder,
            {
                **self.identity,
                "state": {**vars(self.state)},
                "weights": checkpoint.on_cpu(finite_state(self.network)),
                "average": checkpoint.on_cpu(self.average.weights),
                "optimiser": self.optimiser_state,
                "precision": self.precision_state,
            },
        )
        checkpoint.keep_only(self.folder, "best-*.pt", self.state.best_file)
        return Saved(self.state.step, str(path))

    def _keep_optimiser(self) -> None:
        """Copy the optimiser's moments, for a checkpoint or another try."""
        if self.stepper is not None:
            self.optimiser_state, self.precision_state = self.stepper.state()

    # --- faults -------------------------------------------------------------------------------

    def _step_back(self) -> None:
        """Return to the last whole step after one was interrupted."""
        self.network.to("cpu")
        if self.stepper is not None and (self.stepper.updating or not all_finite(self.network)):
            self._restore(checkpoint.read(self.folder))
            return
        self.average.restore_buffers(self.network)
        self._keep_optimiser()

    def _take_smaller_parts(self) -> Noticed:
        """Let fewer patches go through the network at a time, for the same step."""
        size, before = self.recipe.batch.size, self.state.parts
        self.state.parts = devices.smaller_parts(self.recipe.batch, before, self.place.world)
        self.network.zero_grad(set_to_none=True)
        release_cached(self.place.device)
        return Noticed(devices.fewer_at_once(size, before, self.state.parts))

    def _fitted(self) -> Fitted:
        state = self.state
        weights, step = self.average.weights, state.step
        if self.place.leads and state.best_file:
            weights = checkpoint.best_weights(self.folder, state.best_file)
            step = state.best_step
        ended = self._ended() and (not self.place.leads or state.measured == state.step)
        best = state.best_mean, state.best_images
        return Fitted(checkpoint.on_cpu(weights), *best, step, replace(state), not ended)
