"""Lightning Fabric as training uses it: a device, a precision, and processes that share a step."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import warnings
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import (
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.fabric.plugins.precision import MixedPrecision, Precision
from lightning.fabric.strategies import DDPStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lightning.fabric.loggers import Logger

    from napari_hsr.training.engine.devices import Place
    from napari_hsr.training.recipe.schema import Recipe

#: How long processes wait for one another: the first one validates meanwhile.
PATIENCE = timedelta(hours=12)
#: Shape of the noise that shows whether all weights are used, without its channels.
PROBE_SHAPE = (2, 32, 32)
_ENVIRONMENTS = {
    "torchrun": TorchElasticEnvironment,
    "slurm": lambda: SLURMEnvironment(auto_requeue=False),
    "own": LightningEnvironment,
}
#: Warnings of libraries that a user can do nothing about.
_HUSHED = (".*treespec.*", ".*LeafSpec.*", ".*pkg_resources.*", ".*multi-threaded, use of fork.*")


class _Autocast(MixedPrecision):
    """Mixed precision that leaves a network's inputs in float32."""

    def convert_input(self, data: Any) -> Any:
        return data


def launch(recipe: Recipe, place: Place, network: torch.nn.Module, log: Path) -> Fabric:
    """A launched Fabric for the steps of a training.

    Parameters
    ----------
    recipe : Recipe
    place : Place
    network : torch.nn.Module
        What is trained.
    log : Path
        Folder of TensorBoard's files.
    """
    strategy: str | DDPStrategy = "auto"
    if place.world > 1:
        _leave_at_exit()
        strategy = DDPStrategy(timeout=PATIENCE, find_unused_parameters=_has_unused(network))
    fabric = Fabric(
        accelerator="gpu" if place.device.type == "cuda" else place.device.type,
        devices=place.devices,
        num_nodes=place.nodes,
        strategy=strategy,
        plugins=[_precision(place), _ENVIRONMENTS[place.started_by]()],
        loggers=_logger(recipe, place, log),
    )
    fabric.launch()
    return fabric


def _precision(place: Place) -> Precision:
    if place.precision == "bfloat16":
        return _Autocast("bf16-mixed", place.device.type)
    if place.precision == "float16":
        return _Autocast("16-mixed", place.device.type)
    return Precision()


def _has_unused(network: torch.nn.Module) -> bool:
    """Whether some weights take no part in the output, so that DDP must look for them."""
    number, *sides = PROBE_SHAPE
    noise = torch.rand(number, 3, *sides)
    trained = [p for p in network.parameters() if p.requires_grad]
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    gradients = torch.autograd.grad(network(noise).sum(), trained, allow_unused=True)
    for name, value in network.named_buffers():
        value.copy_(buffers[name])
    return any(gradient is None for gradient in gradients)


def _logger(recipe: Recipe, place: Place, log: Path) -> list[Logger]:
    if not (recipe.engine.tensorboard and place.leads) or find_spec("tensorboard") is None:
        return []
    from lightning.fabric.loggers import TensorBoardLogger

    logger = TensorBoardLogger(log.parent, name="", version=log.name)
    _ = logger.experiment  # its libraries are imported here, where they are kept quiet
    return [logger]


def _leave_at_exit() -> None:
    """Leave the process group in order when this process ends.

    Threads of a group that outlive Python's own abort the process, and torchrun then ends all
    others while the first one may still be writing the model.
    """
    atexit.unregister(_leave)  # once, however many trainings there are
    atexit.register(_leave)


def _leave() -> None:
    gc.collect()  # wrapped modules in reference cycles would hold the group, and its threads
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def end_process(status: int) -> NoReturn:
    """End one of several processes at once, its group left and all that it said written.

    Python's own end takes libraries down in an order that a thread of theirs may not survive.
    """
    _leave()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own notes and warnings away; those of NumPy and torch come through."""
    logs = [logging.getLogger(name) for name in ("lightning.fabric", "lightning.pytorch")]
    levels = [log.level for log in logs]
    with warnings.catch_warnings():
        for text in _HUSHED:
            warnings.filterwarnings("ignore", text)
        warnings.filterwarnings("ignore", module=r"(lightning|tensorboard|google)(\.|$)")
        for log in logs:
            log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)
