"""What happens around a fit's steps: averages, reports, measurements, checkpoints, the end."""

from __future__ import annotations

import logging
import time
import warnings
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Callback, Trainer

from napari_hsr.training import hardware
from napari_hsr.training.events import Step

if TYPE_CHECKING:
    from napari_hsr.training.gradient import Run
    from napari_hsr.training.module import TrainingModule

#: Steps that are timed before a time budget becomes a number of steps, and the first ones of
#: them that are not counted: memory is taken and kernels are chosen then.
PROBE, UNCOUNTED = 12, 3
#: Seconds between two reports of progress.
PACE = 0.5


class Follow(Callback):
    """Follows Lightning's loop: averages, reports, measures, saves, stops."""

    def __init__(self, run: Run, module: TrainingModule):
        self.run, self.module = run, module
        self.optimiser_steps = 0
        self.patience_over = False
        self.times: list[float] = []
        self.reported = time.monotonic()
        self.since = 0  # steps since the last report

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

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == self.optimiser_steps:
            return  # a part of a step
        self.optimiser_steps = trainer.global_step
        run, state = self.run, self.run.state
        run.stepped(self.module)
        now = time.monotonic()
        self.times.append(now - self.tick)
        self.since += 1
        if not state.total and len(self.times) >= PROBE:
            counted = self.times[UNCOUNTED:]
            run.fix_total(sum(counted) / len(counted))
        ended = state.total and state.step >= state.total
        if run.place.leads:
            if now - self.reported >= PACE or ended or state.step == 1:
                self._report(trainer, now)
            saved = False
            if run.due():
                self.keep_optimiser(trainer)
                run.measure_now()
                saved = True
                patience = run.recipe.validation.patience
                self.patience_over = bool(patience and state.strikes >= patience)
            if not saved and state.step % run.recipe.engine.checkpoint_every == 0:
                self.keep_optimiser(trainer)
                run.save()
        if ended or self.patience_over or run.stop.is_set():
            self.keep_optimiser(trainer)
            trainer.should_stop = True
        self.tick = time.monotonic()

    def _report(self, trainer: Trainer, now: float) -> None:
        run, state, seen = self.run, self.run.state, self.module.seen
        mean = sum(value for value, _ in seen) / len(seen)
        terms = {
            name: sum(t[name] for _, t in seen) / len(seen)
            for name in (seen[-1][1] if seen else ())
        }
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
            run.recipe.batch.size / each,
            left,
            hardware.memory(run.place),
        )
        run.report(event)
        if trainer.logger is not None:
            trainer.logger.log_metrics({"loss": mean, "learning_rate": rate, **terms}, state.step)
        self.reported, self.since = now, 0


def _on_cpu(value: Any) -> Any:
    """Tensors in nested containers, copied to the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {k: _on_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_on_cpu(v) for v in value)
    return value


class quiet:  # noqa: N801
    """Lightning tells of itself and of workers; the user has asked for neither."""

    def __enter__(self) -> None:
        self.catch = warnings.catch_warnings()
        self.catch.__enter__()
        for text in (
            ".*does not have many workers.*",
            ".*`IterableDataset` has `__len__`.*",
            ".*GPU available but not used.*",
            ".*TensorBoard.*",
            ".*isinstance.*treespec.*",
            ".*LeafSpec.*",
            ".*pkg_resources.*",
        ):
            warnings.filterwarnings("ignore", text)
        self.logs = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
        self.levels = [log.level for log in self.logs]
        for log in self.logs:
            log.setLevel(logging.ERROR)

    def __exit__(self, *exc: object) -> None:
        for log, level in zip(self.logs, self.levels, strict=True):
            log.setLevel(level)
        self.catch.__exit__(*exc)
