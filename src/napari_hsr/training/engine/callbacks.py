"""What happens around a fit's steps: averages, reports, measurements, checkpoints, the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, Trainer

from napari_hsr.training.engine import devices
from napari_hsr.training.engine.lightning_trainer import Signals
from napari_hsr.training.events import Step

if TYPE_CHECKING:
    from napari_hsr.training.engine.lightning_module import TrainingModule
    from napari_hsr.training.engine.loop import Run
    from napari_hsr.training.events import Figures

#: Steps that are timed before a time budget becomes a number of steps, and the first ones of
#: them that are not counted: memory is taken and kernels are chosen then.
PROBE, UNCOUNTED = 12, 3
#: Seconds between two reports of progress.
PACE = 0.5


class Follow(Callback):
    """Follows Lightning's loop: averages, reports, measures, saves, stops.

    Attributes
    ----------
    phase : {"batch", "step", "after"}
        What is going on: gradients, the optimiser's step, or what follows it. A fault within a
        step may have changed some of the weights and not others.
    times : list of float
        Seconds that each step took.
    interrupted : bool
        Whether Ctrl-C ended it at once.
    """

    def __init__(self, run: Run, module: TrainingModule):
        self.run, self.module = run, module
        self.optimiser_steps = 0
        self.phase = "batch"
        self.times: list[float] = []
        self.reported = time.monotonic()
        self.interrupted = False
        self.signals = Signals()

    def on_train_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        self.signals.take_back()

    def on_fit_start(self, trainer: Trainer, pl_module: TrainingModule) -> None:
        run = self.run
        if run.optimiser is not None:
            trainer.optimizers[0].load_state_dict(run.optimiser)
        if run.precision:
            trainer.precision_plugin.load_state_dict(run.precision)
        for key, value in run.average.weights.items():
            run.average.weights[key] = value.to(pl_module.device)
        self.tick = time.monotonic()

    def keep_optimiser(self, trainer: Trainer) -> None:
        """Its moments, for a checkpoint or another try."""
        if trainer.optimizers:
            state = trainer.optimizers[0].state_dict()
            self.run.optimiser = _on_cpu(state)
            self.run.precision = dict(trainer.precision_plugin.state_dict())

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        self.phase = "step"

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == self.optimiser_steps:
            return  # a part of a step
        self.phase = "after"
        self.optimiser_steps = trainer.global_step
        run = self.run
        run.stepped()
        now = time.monotonic()
        self.times.append(now - self.tick)
        if run.place.leads:
            self._lead(trainer, now)
        run.agree(pl_module.device)
        if run.over():
            self.keep_optimiser(trainer)
            trainer.should_stop = True
        self.phase = "batch"
        self.tick = time.monotonic()

    def _lead(self, trainer: Trainer, now: float) -> None:
        """What one process does for all."""
        run, state = self.run, self.run.state
        save = state.step % run.recipe.engine.checkpoint_every == 0
        if not state.total and len(self.times) >= PROBE:
            counted = self.times[UNCOUNTED:]
            run.fix_total(sum(counted) / len(counted))
            save = True  # the number of steps would be another one next time
        if now - self.reported >= PACE or state.complete or len(self.times) == 1:
            self._report(trainer, now)
        due = run.due()
        if due or save:
            self.keep_optimiser(trainer)
        if due:
            run.measure_now()
            if state.measured == state.step:
                figures = {f"held_out/{key}": value for key, value in run.figures.items()}
                self._log(trainer, figures)
        if save and not due:
            run.save()

    def on_exception(self, trainer, pl_module, exception: BaseException) -> None:
        self.interrupted = isinstance(exception, KeyboardInterrupt)
        if not self.interrupted:  # then Lightning has them ignored
            self.signals.remember()

    def on_train_end(self, trainer, pl_module) -> None:
        self.signals.remember()

    def _report(self, trainer: Trainer, now: float) -> None:
        run, state, seen = self.run, self.run.state, self.module.seen
        mean = sum(value for value, _ in seen) / len(seen)
        terms = {name: sum(t[name] for _, t in seen) / len(seen) for name in seen[-1][1]}
        seen.clear()
        recent = self.times[-20:]
        each = sum(recent) / len(recent)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        left = max(0, state.total - state.step) * each if state.total else 0.0
        event = Step(
            state.step,
            state.total,
            mean,
            terms,
            rate,
            run.recipe.batch.size / max(each, 1e-6),  # a clock may tick more slowly
            left,
            devices.memory(run.place),
        )
        run.report(event)
        self._log(trainer, {"loss": mean, "learning_rate": rate, **terms})
        self.reported = now

    def _log(self, trainer: Trainer, values: Figures) -> None:
        if trainer.logger is not None:
            trainer.logger.log_metrics(values, self.run.state.step)


def _on_cpu(value: Any) -> Any:
    """Tensors in nested containers, copied to the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {k: _on_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_on_cpu(v) for v in value)
    return value
