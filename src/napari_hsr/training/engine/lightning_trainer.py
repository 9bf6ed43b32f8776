"""Lightning's Trainer as this product uses it: it says nothing, saves nothing, launches and steps."""

from __future__ import annotations

import atexit
import logging
import signal
import threading
import warnings
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import (
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.pytorch.strategies import DDPStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lightning.pytorch import Callback

    from napari_hsr.training.engine.devices import Place
    from napari_hsr.training.recipe.schema import Recipe

#: How long processes wait for one another: the first one measures the held-out images meanwhile.
PATIENCE = timedelta(hours=12)
#: Shape of the noise that a network is tried on, its channels left out.
TRIED = (2, 32, 32)
_LIGHTNING = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
_ENVIRONMENTS = {
    "torchrun": TorchElasticEnvironment,
    "slurm": lambda: SLURMEnvironment(auto_requeue=False),
    "own": LightningEnvironment,
}
#: What Lightning and those it calls warn of, and the user can do nothing about.
_HUSH = (
    ".*does not have many workers.*",
    ".*IterableDataset.*__len__.*",
    ".*GPU available but not used.*",
    ".*treespec.*",
    ".*LeafSpec.*",
    ".*pkg_resources.*",
    ".*multi-threaded, use of fork.*",
    ".*find_unused_parameters.*",
)


def make(
    recipe: Recipe, place: Place, network: torch.nn.Module, parts: int, follow: Callback, log: Path
) -> Trainer:
    """A Trainer for one epoch of all steps that are left.

    Parameters
    ----------
    recipe : Recipe
    place : Place
    network : torch.nn.Module
    parts : int
        Of a step, on this process.
    follow : Callback
    log : Path
        TensorBoard's folder.
    """
    clip = recipe.optimiser.clip or None
    if recipe.optimiser.step_per == "band":
        clip = None  # the training's module clips: Lightning leaves such steps to it
    return Trainer(
        accelerator="gpu" if place.device.type == "cuda" else place.device.type,
        devices=place.devices,
        num_nodes=place.nodes,
        precision=_LIGHTNING[place.precision],
        strategy=_strategy(place, network),
        plugins=[_ENVIRONMENTS[place.started_by]()],
        max_epochs=1,
        accumulate_grad_batches=parts,
        gradient_clip_val=clip,
        callbacks=[follow],
        logger=_logger(recipe, place, log),
        default_root_dir=log.parent,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _strategy(place: Place, network: torch.nn.Module) -> Any:
    if place.world == 1:
        return "auto"
    leave_at_exit()
    return DDPStrategy(timeout=PATIENCE, find_unused_parameters=_has_idle(network))


def leave_at_exit() -> None:
    """Let this process leave the others in order when it ends.

    The threads of a group that still stands when Python's own are gone abort the process, and
    torchrun then ends all others, in the midst of writing the model. Lightning does the like for
    NCCL alone.
    """
    atexit.unregister(_leave)  # once, however many trainings there are
    atexit.register(_leave)


def _leave() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _has_idle(network: torch.nn.Module) -> bool:
    """Whether weights take no part in the output: processes must then look for them each step."""
    number, *sides = TRIED
    noise = torch.rand(number, 3, *sides)
    trained = [p for p in network.parameters() if p.requires_grad]
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    gradients = torch.autograd.grad(network(noise).sum(), trained, allow_unused=True)
    for name, value in network.named_buffers():
        value.copy_(buffers[name])
    return any(gradient is None for gradient in gradients)


def _logger(recipe: Recipe, place: Place, log: Path) -> Any:
    if not (recipe.engine.tensorboard and place.leads):
        return False
    if find_spec("tensorboard") is None:  # log.csv is written without it
        return False
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(log.parent, name="", version=log.name)


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning tells of itself and of workers; the user has asked for neither.

    Warnings of the product's own, and of NumPy and torch, come through.
    """
    logs = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [log.level for log in logs]
    with warnings.catch_warnings():
        for text in _HUSH:
            warnings.filterwarnings("ignore", text)
        warnings.filterwarnings("ignore", category=PossibleUserWarning)
        warnings.filterwarnings("ignore", module=r"(lightning|tensorboard|google)(\.|$)")
        for log in logs:
            log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)


class Signals:
    """Ctrl-C and SIGTERM mean what they meant before Lightning took them over."""

    ASKING = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.mine = threading.current_thread() is threading.main_thread()
        self.handlers = self._now()

    def _now(self) -> dict[int, Any]:
        return {n: signal.getsignal(n) for n in self.ASKING} if self.mine else {}

    def take_back(self) -> None:
        """Undo what Lightning set when it began."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def remember(self) -> None:
        """Handlers may have changed while steps were taken; Lightning restores the first ones."""
        self.handlers = self._now()
