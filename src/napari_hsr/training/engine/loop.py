"""Fitting a network's weights, step by step, with Lightning; resumable after any step.

The state of a fit is small and explicit: steps done, weights, their average, the optimiser's
moments, and which weights were the best on the held-out images. Batches are a function of the
step, the learning rate and what a network draws at random too, so that nothing else need be
remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from napari_hsr.errors import Cancelled, FileError, HSRError, InputError
from napari_hsr.inference.memory_use import is_out_of_memory, release_cached
from napari_hsr.training.engine import checkpoint, checkpoint_state, devices, lightning_trainer
from napari_hsr.training.engine.callbacks import Follow
from napari_hsr.training.engine.checkpoint_state import Fitted, State
from napari_hsr.training.engine.lightning_module import (
    Average,
    NotFiniteError,
    StepBatches,
    TrainingModule,
    check_steps,
)
from napari_hsr.training.engine.losses import Loss
from napari_hsr.training.events import Began, Figures, Measured, Notice, Report, Saved
from napari_hsr.training.runs.figures_text import duration
from napari_hsr.training.validation import better

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.examples import Batch
    from napari_hsr.training.engine.checkpoint_state import Hashes
    from napari_hsr.training.recipe.schema import Recipe

__all__ = ["Fitted", "NotFiniteError", "Run", "State", "fit"]

#: More steps than any training takes, while their number is not known.
_MANY = 10**9

#: ``measure(model, step) -> (mean figures, figures by image, preview file)``.
Measure = Callable[["Model", int], tuple[Figures, dict[str, Figures], str]]


def fit(*arguments: Any, **settings: Any) -> Fitted:
    """Fit a model's weights to batches: :class:`Run` from its beginning to its end."""
    return Run(*arguments, **settings).result()


class Run:
    """Fit a model's weights to batches.

    Parameters
    ----------
    recipe : Recipe
        ``schedule``, ``optimiser``, ``loss``, ``batch``, ``ema``, ``anchor``, ``validation`` and
        ``engine`` of it are followed.
    model : Model
        Where the weights start; it is left as it is.
    batches : callable
        ``batches(step, rank, world) -> Batch``.
    measure : callable
        Figures of a model on the held-out images.
    report : callable
    stop : threading.Event
        When set, the step at hand is finished, everything saved, and the fit returns. With
        several processes, one that is asked to stop sets it in all of them.
    folder : Path
        Of the checkpoints.
    resume : bool
        Go on from the last checkpoint, if there is one.
    trained : sequence of str, optional
        Names of the weights that are trained; None: all.
    images : pair of mappings
        Images trained on and held out, with the SHA-256 of their files.
    log : Path, optional
        TensorBoard's; None: ``tensorboard`` beside ``folder``.

    Raises
    ------
    NotFiniteError
        If the loss becomes NaN or infinite; a checkpoint of the last good step is written.
    FileError
        If a checkpoint cannot be written, or the one to resume from is damaged.
    InputError
        If nothing of the model can be trained, there is too little memory for a single patch, or
        the images are no longer those of the checkpoint.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: Model,
        batches: Callable[[int, int, int], Batch],
        measure: Measure,
        report: Report,
        stop: Event,
        folder: Path,
        *,
        resume: bool = False,
        trained: Sequence[str] | None = None,
        images: tuple[Hashes, Hashes] = ({}, {}),
        log: Path | None = None,
    ):
        self.recipe, self.model, self.batches, self.measure = recipe, model, batches, measure
        self.report, self.stop, self.folder, self.images = report, stop, folder, images
        self.log = log or folder.parent / "tensorboard"
        self.figures: Figures = {}  # of the held-out images, measured last
        self.place = devices.place(recipe)
        self.identity = checkpoint_state.identity(recipe, images)
        self.network = self._network(trained)
        self.times: list[float] = []  # seconds of the steps of this try
        self._begin(checkpoint.read(folder) if resume else None)
        self.before = self.state.seconds
        self.began = time.monotonic()
        self.of_measurement = 0.0  # seconds that the last one took

    def _network(self, trained: Sequence[str] | None) -> torch.nn.Module:
        """A copy of the model's module that can be trained."""
        from napari_hsr.models.state_dict import from_state_dict

        weights = checkpoint.copy_of(self.model.module.state_dict())
        network = from_state_dict(weights, self.model.card).module.train()
        check_steps(self.recipe, network, self.model.name, self.place.world)
        known = dict(network.named_parameters())
        missing = set(trained or ()) - set(known)
        if missing:
            raise InputError(f"There are no weights named {', '.join(sorted(missing))}.")
        chosen = known if trained is None else trained
        if not chosen:
            raise InputError(
                f"{self.model.name} has no weights that steps could train: choose the strategy "
                "adapter, or another start."
            )
        for name, parameter in known.items():
            parameter.requires_grad_(name in chosen)
            if parameter.dim() == 4:  # a CPU's convolutions, and half precision, are faster so
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return network

    def _begin(self, saved: dict[str, Any] | None) -> None:
        """Stand where a checkpoint says, or at the start."""
        self.optimiser: dict[str, Any] | None = None
        self.precision: dict[str, Any] = {}
        if saved is None:
            self.network.load_state_dict(self.model.module.state_dict())
            self.average = Average(self.network, self.recipe.ema)
            self.state = State(
                total=self.recipe.schedule.steps or 0, parts=self.recipe.batch.accumulate
            )
            return
        path = self.folder / checkpoint.LAST
        checkpoint_state.check_same(saved, self.identity, path)
        try:
            self.network.load_state_dict(saved["weights"])
            self.average = Average(self.network, self.recipe.ema)
            self.average.weights = saved["average"]
            self.optimiser, self.precision = saved["optimiser"], saved["precision"]
            self.state = State.from_dict(saved["state"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise FileError(path, "it is of another network than this training's") from error

    # ------------------------------------------------------------------ the run

    def result(self) -> Fitted:
        """Take all steps that are left."""
        if self.place.leads:
            if self.folder.is_dir():
                checkpoint.clear_parts(self.folder)
            self._measure_start()
        while not (self.over() or self.stop.is_set()):
            self._train()
        return self._fitted()

    def over(self) -> bool:
        """Whether no step is to be taken any more: done, no better for too long, or stopped."""
        return self.state.complete or self._patience_over() or self.stop.is_set()

    def _patience_over(self) -> bool:
        patience = self.recipe.validation.patience
        return bool(patience and self.state.strikes >= patience)

    def _measure_start(self) -> None:
        """The held-out images before the first step, or where a measurement was broken off."""
        if self.state.measured < 0 or self.due():
            self.measure_now()
        self.report(
            Began(
                self.state.step,
                self.state.total,
                self.place.words,
                self.place.precision,
                tuple(self.images[0]),
                tuple(self.images[1]),
            )
        )

    def _halve(self) -> None:
        """Half as many patches at a time, the same step.

        Raises
        ------
        InputError
            If there is but one, or other processes would have to do the same.
        """
        size, world = self.recipe.batch.size, self.place.world
        at_once = size // (self.state.parts * world)
        parts = next(
            (size // n for n in range(at_once // 2, 0, -1) if size // world % n == 0), None
        )
        if parts is None:
            raise InputError(
                f"There is not enough memory for a single patch of {self.recipe.batch.patch} x "
                f"{self.recipe.batch.patch}: set batch.patch to less."
            )
        parts //= world
        if world > 1:
            raise InputError(
                f"There is not enough memory for {at_once} patches at a time in each of {world} "
                f"processes: set batch.accumulate to {parts}."
            )
        self.state.parts = parts
        self.report(
            Notice(
                f"There was not enough memory for {at_once} patches at a time: going on with "
                f"{size // parts} at a time, whose gradients are added, so that a step stays "
                f"{size} patches.",
                warning=True,
            )
        )
        self.network.zero_grad(set_to_none=True)
        release_cached(self.place.device)

    def _train(self) -> None:
        """Steps until the end, a stop, or a fault; out of memory they are taken in more parts."""
        self.loss = Loss(self.recipe.loss, self.total(), self.report)
        start = self.model.module.state_dict()
        parts = self.state.parts
        module = TrainingModule(self.network, self.loss, self.recipe, self.total, start, parts)
        parts = 1 if module.by_band else parts  # of a batch as it is made
        follow = Follow(self, module)
        self.times = follow.times
        place, state = self.place, self.state
        data = StepBatches(self.batches, state.step, self.total, parts, place.rank, place.world)
        loader = DataLoader(data, batch_size=None, num_workers=place.workers)
        with lightning_trainer.quiet():
            loop = lightning_trainer.make(self.recipe, place, self.network, parts, follow, self.log)
            try:
                loop.fit(module, loader)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or follow.phase == "after":
                    raise
                self._step_back(follow, loop)
                self._halve()
                return
            except HSRError as error:
                if follow.phase == "after" or isinstance(error, FileError):
                    raise  # what could not be written, would not be now
                self._step_back(follow, loop)
                if place.leads:
                    self.save()
                    raise
                self.stop.set()  # the first process tells of it
                return
            except SystemExit:
                if follow.interrupted:  # Lightning makes it of Ctrl-C
                    raise KeyboardInterrupt from None
                raise
            finally:
                follow.signals.take_back()
        self.network.to("cpu")
        if place.leads:
            if (state.complete or self._patience_over()) and state.measured != state.step:
                self.measure_now()
            self.save()

    def _step_back(self, follow: Follow, loop: Any) -> None:
        """Stand after the last whole step again, when one was broken off."""
        self.network.to("cpu")
        if follow.phase == "step":  # some weights have taken it, and some have not
            self._begin(checkpoint.read(self.folder))
            return
        self.average.restore_buffers(self.network)
        follow.keep_optimiser(loop)

    def total(self) -> int:
        """Steps in all; very many while it is not known."""
        return self.state.total or _MANY

    # ------------------------------------------------------------------ after a step

    def elapsed(self) -> float:
        """Seconds of this fit, earlier tries counted in."""
        return self.before + time.monotonic() - self.began

    def stepped(self) -> None:
        """A step of the optimiser is complete."""
        self.state.step += 1
        self.average.update(self.network, self.state.step)

    def agree(self, device: torch.device) -> None:
        """All processes of a step know what the first one decided, and whether one is to stop."""
        if self.place.world > 1:
            mine = (self.state.total, self.state.strikes) if self.place.leads else (0, 0)
            known = torch.tensor([*mine, self.stop.is_set()], dtype=torch.int64, device=device)
            torch.distributed.all_reduce(known, op=torch.distributed.ReduceOp.MAX)
            self.state.total, self.state.strikes, stop = known.tolist()
            if stop:
                self.stop.set()
        self.loss.total_steps = self.total()

    def fix_total(self, seconds_a_step: float) -> None:
        """Turn the time budget into a number of steps, once."""
        left = self.recipe.schedule.minutes * 60 - self.elapsed()
        each = seconds_a_step + self.of_measurement / self.recipe.validation.every
        more = int((left - self.of_measurement) / each)
        self.state.total = self.state.step + max(1, more)
        budget = duration(self.recipe.schedule.minutes * 60)
        self.report(
            Notice(
                f"There is time for {self.state.total} steps in {budget}: one takes "
                f"{seconds_a_step:.2g} s here."
            )
        )

    def due(self) -> bool:
        """Whether the held-out images are to be measured now."""
        step = self.state.step
        return step != self.state.measured and (
            step % self.recipe.validation.every == 0 or self.state.complete
        )

    def rebuilt(self) -> Model:
        """The model with the averaged weights of now."""
        from napari_hsr.models.state_dict import from_state_dict

        weights = checkpoint.copy_of(self.average.weights)
        return from_state_dict(weights, self.model.card)

    def measure_now(self) -> None:
        """Measure, report, and keep the weights if they are the best."""
        start = time.monotonic()
        state, model = self.state, self.rebuilt()
        try:
            mean, images, preview = self.measure(model, state.step)
        except Cancelled:  # a stop need not wait: it is measured when the run goes on
            return
        choose = self.recipe.validation.choose
        best = (
            choose == "last" or not state.best_file or better(mean, state.best_mean or None, choose)
        )
        self.figures = mean
        state.measured = state.step
        if state.step == 0:
            state.start_mean, state.start_images = mean, images
        if best:
            file = f"best-{state.step}.pt"
            content = {"weights": model.module.state_dict(), **self.identity}
            checkpoint.save(self.folder, content, file)
            state.best_step, state.best_file = state.step, file
            state.best_mean, state.best_images, state.strikes = mean, images, 0
        else:
            state.strikes += 1
        self.of_measurement = time.monotonic() - start
        self.report(Measured(state.step, mean, images, preview, best))
        self.save()

    def save(self) -> None:
        """The checkpoint; the weights that it calls the best are there before it is."""
        self.state.seconds = self.elapsed()
        path = checkpoint.save(
            self.folder,
            {
                **self.identity,
                "state": {**vars(self.state)},
                "weights": checkpoint.copy_of(self.network.state_dict()),
                "average": checkpoint.copy_of(self.average.weights),
                "optimiser": self.optimiser,
                "precision": self.precision,
            },
        )
        checkpoint.keep_only(self.folder, "best-*.pt", self.state.best_file)
        self.report(Saved(self.state.step, str(path)))

    def _fitted(self) -> Fitted:
        state = self.state
        weights = self.average.weights
        mean, images, step = state.best_mean, state.best_images, state.step
        if self.place.leads and state.best_file:
            saved = checkpoint.read(self.folder, state.best_file)
            if saved is None:
                raise FileError(self.folder / state.best_file, "the best weights are gone")
            weights, step = saved["weights"], state.best_step
        ended = state.complete or self._patience_over()
        if self.place.leads:
            ended = ended and state.measured == state.step
        return Fitted(checkpoint.copy_of(weights), mean, images, step, replace(state), not ended)
