"""Fitting a network's weights, step by step, with Lightning; resumable after any step.

The state of a fit is small and explicit: steps done, weights, their average, the optimiser's
moments, and which weights were the best on the held-out images. Batches are a function of the
step, the learning rate too, so that nothing else need be remembered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference.work import give_back, ran_out
from napari_hsr.training import checkpointing, hardware
from napari_hsr.training.events import Began, Figures, Measured, Notice, Report, Saved
from napari_hsr.training.following import Follow, quiet
from napari_hsr.training.losses import Loss
from napari_hsr.training.measure import better
from napari_hsr.training.module import Average, StepBatches, TrainingModule

if TYPE_CHECKING:
    from napari_hsr.models.descriptor import Model
    from napari_hsr.training.batches import Batch
    from napari_hsr.training.recipe import Recipe

#: More steps than any training takes, while their number is not known.
_MANY = 10**9

#: ``measure(model, step) -> (mean figures, figures by image, preview file)``.
Measure = Callable[["Model", int], tuple[Figures, dict[str, Figures], str]]


@dataclass
class State:
    """Where a fit stands."""

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
    done: bool = False


@dataclass(frozen=True)
class Fitted:
    """What a fit came to.

    Attributes
    ----------
    weights : dict of str to Tensor
        The best on the held-out images; those of the last step if the recipe chooses so.
    mean, images : dict
        Their figures.
    step : int
        The step that they are of.
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


def fit(
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
    names: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Fitted:
    """Fit a model's weights to the batches.

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
        When set, the step at hand is finished, everything saved, and the fit returns.
    folder : Path
        Of the checkpoints.
    resume : bool
        Go on from the last checkpoint, if there is one.
    trained : sequence of str, optional
        Names of the weights that are trained; None: all.
    names : pair of sequences
        Images trained on and held out, for the report.

    Raises
    ------
    NotFiniteError
        If the loss becomes NaN or infinite; a checkpoint of the last good step is written.
    FileError
        If a checkpoint cannot be written, or the one to resume from is damaged.
    """
    return Run(
        recipe, model, batches, measure, report, stop, folder, resume, trained, names
    ).result()


class Run:
    def __init__(
        self, recipe, model, batches, measure, report, stop, folder, resume, trained, names
    ):
        self.recipe, self.model, self.batches, self.measure = recipe, model, batches, measure
        self.report, self.stop, self.folder, self.names = report, stop, folder, names
        self.place = hardware.place(recipe)
        self.state = State(total=recipe.schedule.steps or 0, parts=recipe.batch.accumulate)
        self.network = self._network(trained)
        saved = checkpointing.read(folder) if resume else None
        self.optimiser: dict[str, Any] | None = None
        self.precision: dict[str, Any] = {}
        if saved:
            self.network.load_state_dict(saved["weights"])
        self.average = Average(self.network, recipe.ema)
        if saved:
            self.average.weights = saved["average"]
            self.optimiser, self.precision = saved["optimiser"], saved["precision"]
            self.state = State(**saved["state"])
        self.before = self.state.seconds
        self.began = time.monotonic()
        self.measuring = 0.0  # seconds that measurements took
        self.of_measurement = 0.0  # of the last one

    def _network(self, trained: Sequence[str] | None) -> torch.nn.Module:
        """A copy of the model's module that can be trained."""
        from napari_hsr.models.registry import from_state_dict

        weights = checkpointing.copy_of(self.model.module.state_dict())
        network = from_state_dict(weights, self.model.card).module.train()
        known = dict(network.named_parameters())
        for name, parameter in known.items():
            parameter.requires_grad_(trained is None or name in trained)
        missing = set(trained or ()) - set(known)
        if missing:
            raise InputError(f"There are no weights named {', '.join(sorted(missing))}.")
        return network

    # ------------------------------------------------------------------ the run

    def result(self) -> Fitted:
        if self.place.leads:
            checkpointing.clear_parts(self.folder) if self.folder.is_dir() else None
            self._measure_start()
        while not (self.state.done or self.stop.is_set()):
            try:
                self._train()
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error) or not self._halve():
                    raise
        return self._fitted()

    def _measure_start(self) -> None:
        """The held-out images before the first step."""
        if self.state.measured < 0 or self.due():
            self.measure_now()
        self.report(
            Began(
                self.state.step,
                self.state.total,
                self.place.words,
                self.place.precision,
                tuple(self.names[0]),
                tuple(self.names[1]),
            )
        )

    def _halve(self) -> bool:
        """Half as many patches at a time, the same step; False if there is but one."""
        at_once = self.recipe.batch.size // (self.state.parts * self.place.world)
        if at_once < 2:
            return False
        self.state.parts *= 2
        self.report(
            Notice(
                f"There was not enough memory for {at_once} patches at a time: going on with "
                f"{at_once // 2} at a time, whose gradients are added, so that a step stays "
                f"{self.recipe.batch.size} patches.",
                warning=True,
            )
        )
        give_back(self.place.device)
        return True

    def _train(self) -> None:
        """Steps until the end, a stop, or a fault."""
        recipe, place = self.recipe, self.place
        torch.manual_seed(recipe.seed + self.state.step)
        self.loss = loss = Loss(recipe.loss, self.total(), self.report)
        module = TrainingModule(self.network, loss, recipe, self.total)
        follow = Follow(self, module)
        data = StepBatches(
            self.batches, self.state.step, self.total, self.state.parts, place.rank, place.world
        )
        workers = place.workers
        loader = DataLoader(data, batch_size=None, num_workers=workers)
        with quiet():
            trainer = Trainer(
                **place.arguments,
                max_epochs=1,
                accumulate_grad_batches=self.state.parts,
                gradient_clip_val=recipe.optimiser.clip or None,
                callbacks=[follow],
                logger=self._logger(),
                limit_val_batches=0,
                num_sanity_val_steps=0,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
            )
            try:
                trainer.fit(module, loader)
            except BaseException:
                follow.keep_optimiser(trainer)
                if self.place.leads and self.state.step > 0:
                    self.save()
                raise
        self.network.to("cpu")
        complete = bool(self.state.total) and self.state.step >= self.state.total
        self.state.done = complete or follow.patience_over
        if place.leads:
            if self.state.done and self.state.measured != self.state.step:
                self.measure_now()
            self.save()

    def total(self) -> int:
        """Steps in all; very many while it is not known."""
        return self.state.total or _MANY

    def _logger(self):
        if not (self.recipe.engine.tensorboard and self.place.leads):
            return False
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            return False
        from lightning.pytorch.loggers import TensorBoardLogger

        return TensorBoardLogger(self.folder.parent, name="", version="tensorboard")

    # ------------------------------------------------------------------ after a step

    def elapsed(self) -> float:
        """Seconds of this fit, earlier tries counted in."""
        return self.before + time.monotonic() - self.began

    def stepped(self, module: TrainingModule) -> None:
        """A step of the optimiser is complete."""
        self.state.step += 1
        self.average.update(self.network, self.state.step)

    def fix_total(self, seconds_a_step: float) -> None:
        """Turn the time budget into a number of steps, once."""
        left = self.recipe.schedule.minutes * 60 - self.elapsed()
        each = seconds_a_step + self.of_measurement / self.recipe.validation.every
        more = int((left - self.of_measurement) / each)
        self.state.total = self.state.step + max(1, more)
        self.loss.total_steps = self.state.total
        self.report(
            Notice(
                f"{self.recipe.schedule.minutes:g} minutes are {self.state.total} steps of "
                f"{seconds_a_step:.2g} s here."
            )
        )

    def due(self) -> bool:
        """Whether the held-out images are to be measured now."""
        step = self.state.step
        return step != self.state.measured and (
            step % self.recipe.validation.every == 0 or step == self.state.total
        )

    def rebuilt(self) -> Model:
        """The model with the averaged weights of now."""
        from napari_hsr.models.registry import from_state_dict

        weights = checkpointing.copy_of(self.average.weights)
        return from_state_dict(weights, self.model.card)

    def measure_now(self) -> bool:
        """Measure, report, and keep the weights if they are the best; whether they are."""
        start = time.monotonic()
        state, model = self.state, self.rebuilt()
        try:
            mean, images, preview = self.measure(model, state.step)
        except Cancelled:  # a stop need not wait: it is measured when the run goes on
            return False
        choose = self.recipe.validation.choose
        best = choose == "last" or better(mean, state.best_mean or None, choose)
        state.measured = state.step
        if best:
            file = f"best-{state.step}.pt"
            checkpointing.save(self.folder, {"weights": model.module.state_dict()}, file)
            state.best_step, state.best_file = state.step, file
            state.best_mean, state.best_images, state.strikes = mean, images, 0
        else:
            state.strikes += 1
        self.of_measurement = time.monotonic() - start
        self.measuring += self.of_measurement
        self.report(Measured(state.step, mean, images, preview, best))
        self.save()
        return best

    def save(self) -> None:
        """The checkpoint; the weights that it calls the best are there before it is."""
        self.state.seconds = self.elapsed()
        path = checkpointing.save(
            self.folder,
            {
                "state": {**vars(self.state)},
                "weights": checkpointing.copy_of(self.network.state_dict()),
                "average": checkpointing.copy_of(self.average.weights),
                "optimiser": self.optimiser,
                "precision": self.precision,
            },
        )
        checkpointing.keep_only(self.folder, "best-*.pt", self.state.best_file)
        self.report(Saved(self.state.step, str(path)))

    def _fitted(self) -> Fitted:
        state = self.state
        weights = self.average.weights
        mean, images, step = state.best_mean, state.best_images, state.step
        if self.place.leads and state.best_file:
            saved = checkpointing.read(self.folder, state.best_file)
            weights, step = saved["weights"], state.best_step
        stopped = not state.done
        return Fitted(checkpointing.copy_of(weights), mean, images, step, replace(state), stopped)
