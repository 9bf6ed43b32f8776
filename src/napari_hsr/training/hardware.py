"""Where a training runs: device, precision, and the processes that share a step."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    import torch

    from napari_hsr.training.recipe import Recipe

_LIGHTNING = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


@dataclass(frozen=True)
class Place:
    """A device, a precision, and a share of the work.

    Attributes
    ----------
    device : torch.device
    words : str
        For people: ``CPU, 2 threads``.
    precision : str
        ``float32``, ``bfloat16`` or ``float16``.
    rank, world : int
        This process among those that share a step.
    workers : int
        Processes that make batches.
    arguments : dict
        For Lightning's Trainer.
    """

    device: torch.device
    words: str
    precision: str
    rank: int
    world: int
    workers: int
    arguments: dict[str, Any]

    @property
    def leads(self) -> bool:
        """Whether this process measures, reports and saves."""
        return self.rank == 0


def place(recipe: Recipe) -> Place:
    """The place that a recipe asks for, as this process sees it.

    Processes started by ``torchrun`` share each step; so do ``engine.devices`` and
    ``engine.nodes``.

    Raises
    ------
    InputError
        If there is no such device, a batch cannot be shared evenly, or the precision is not for
        that device.
    """
    import torch

    from napari_hsr.inference.devices import resolve

    engine, size = recipe.engine, recipe.batch.size
    device = resolve(engine.device)
    world = int(os.environ.get("WORLD_SIZE", engine.devices * engine.nodes))
    rank = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))
    share = world * recipe.batch.accumulate
    if size % share:
        raise InputError(
            f"batch.size is {size}, but {world} processes in {recipe.batch.accumulate} parts need a "
            f"multiple of {share}."
        )
    precision = _precision(engine.precision, device)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", engine.devices))
    nodes = max(1, world // max(1, local)) if "WORLD_SIZE" in os.environ else engine.nodes
    devices: Any = local
    if device.type == "cuda" and world == 1:
        devices = [device.index or 0]
    arguments = {
        "accelerator": device.type if device.type != "cuda" else "gpu",
        "devices": devices,
        "num_nodes": nodes,
        "precision": _LIGHTNING[precision],
    }
    if world > 1:
        arguments["strategy"] = "ddp"
    words = f"CPU, {torch.get_num_threads()} threads"
    if device.type == "cuda":
        words = torch.cuda.get_device_name(device)
    elif device.type == "mps":
        words = "Apple GPU"
    if world > 1:
        words += f", {world} processes"
    workers = 4 if device.type == "cuda" else 0
    return Place(device, words, precision, rank, world, workers, arguments)


def _precision(asked: str, device: torch.device) -> str:
    import torch

    if asked == "float16" and device.type == "cpu":
        raise InputError("float16 is trained on a GPU only; on a CPU choose float32 or bfloat16.")
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if device.type == "cpu" and _cpu_has_bfloat16():
        return "bfloat16"
    return "float32"


def _cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies matrices in bfloat16; by emulation it would be slower."""
    import torch

    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check is not None and check())


def memory(at: Place) -> int:
    """Bytes that training holds: on the GPU, or of this process."""
    import torch

    if at.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(at.device))
    import psutil

    return int(psutil.Process().memory_info().rss)
