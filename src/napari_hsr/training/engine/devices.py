"""Where a training runs: device, precision, and the processes that share each step."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError
from napari_hsr.inference.precision import computes_bfloat16
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    import torch

    from napari_hsr.training.recipe.schema import BatchSettings, Recipe

#: Worker processes that prepare batches for a GPU.
WORKERS = 4


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
        Processes that prepare batches.
    devices : int or list of int
        On this node: how many, or which GPU.
    nodes : int
    started_by : {"own", "torchrun", "slurm"}
        Who starts the processes; ``own``: the first one does.
    """

    device: torch.device
    words: str
    precision: str
    rank: int
    world: int
    workers: int
    devices: int | list[int]
    nodes: int
    started_by: str

    @property
    def leads(self) -> bool:
        """Whether this process validates, reports and saves."""
        return self.rank == 0


def place(recipe: Recipe) -> Place:
    """The place that a recipe asks for, as seen by this process.

    Processes started by ``torchrun`` or SLURM share each step; so do ``engine.devices`` and
    ``engine.nodes``.

    Raises
    ------
    InputError
        If there is no such device, a batch cannot be shared evenly, or the precision is not for
        that device.
    """
    import torch

    from napari_hsr.inference.devices import resolve

    engine = recipe.engine
    device = resolve(engine.device)
    started_by, rank, world, local = _share(engine.devices, engine.nodes)
    _check_share(recipe, world)
    precision = _precision(engine.precision, device)
    devices: Any = local
    if device.type == "cuda":
        present = torch.cuda.device_count()
        if local > present:
            raise InputError(f"engine.devices asks for {local} GPUs, and {present} are here.")
        if world == 1:
            devices = [device.index or 0]
    elif device.type == "mps" and world > 1:
        raise InputError("An Apple GPU trains in one process: set engine.devices: 1.")
    threads = torch.get_num_threads()
    words = f"CPU, {threads} thread{'s' * (threads != 1)}"
    if device.type == "cuda":
        words = torch.cuda.get_device_name(device)
    elif device.type == "mps":
        words = "Apple GPU"
    if world > 1:
        words += f", {world} processes"
    return Place(
        device=device,
        words=words,
        precision=precision,
        rank=rank,
        world=world,
        workers=_workers(device),
        devices=devices,
        nodes=max(1, world // local),
        started_by=started_by,
    )


def leads(recipe: Recipe) -> bool:
    """Whether this process validates, reports and saves; its devices are not checked."""
    try:
        return _share(recipe.engine.devices, recipe.engine.nodes)[1] == 0
    except InputError:  # :func:`place` raises it again, where it is recorded
        return True


def _share(devices: int, nodes: int) -> tuple[str, int, int, int]:
    """(started by whom, rank, processes in all, processes on this node)."""
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        rank, world = _number("RANK"), _number("WORLD_SIZE")
        if not 0 <= rank < world:
            raise InputError(
                f"The environment says that this is process {rank} of {world}, which are counted "
                "from 0: unset RANK and WORLD_SIZE, or start with torchrun."
            )
        return "torchrun", rank, world, _number("LOCAL_WORLD_SIZE", world)
    world = devices * nodes
    if world > 1 and os.environ.get("SLURM_NTASKS") == str(world) and "SLURM_PROCID" in os.environ:
        return "slurm", _number("SLURM_PROCID"), world, devices
    if nodes > 1 and not {"MASTER_ADDR", "NODE_RANK"} <= set(os.environ):
        raise InputError(
            f"engine.nodes is {nodes}: start this on each of them with torchrun, or with the same "
            "MASTER_ADDR and MASTER_PORT and the node's own NODE_RANK in the environment."
        )
    rank = _number("NODE_RANK", 0) * devices + _number("LOCAL_RANK", 0) if world > 1 else 0
    return "own", rank, world, devices


def _number(name: str, otherwise: int | None = None) -> int:
    """A number in an environment variable of another program."""
    text = os.environ.get(name, "")
    if text == "" and otherwise is not None:
        return otherwise
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"The environment's {name} is {text!r}, where a number was expected."
        ) from None


def _check_share(recipe: Recipe, world: int) -> None:
    batch = recipe.batch
    share = world * batch.accumulate
    if batch.size % share:
        who = f"{world} processes" if world > 1 else "a step"
        parts = f" in {batch.accumulate} parts" if batch.accumulate > 1 else ""
        raise InputError(
            f"batch.size is {batch.size}, but {who}{parts} need{'s' * (world == 1)} a multiple of "
            f"{share}."
        )
    if world > 1 and recipe.strategy in ("adapter", "auto"):
        raise InputError(
            f"The strategy {recipe.strategy} runs in one process: set engine.devices: 1, or "
            "strategy: full."
        )


def smaller_parts(batch: BatchSettings, parts: int, world: int) -> int:
    """More parts of a step, each of at most half as many patches, where memory ran out.

    Raises
    ------
    InputError
        If a part is a single patch already, or other processes would have to do the same.
    """
    at_once = batch.size // (parts * world)
    smaller = range(at_once // 2, 0, -1)
    fewer = next((n for n in smaller if batch.size // world % n == 0), None)
    if fewer is None:
        raise InputError(
            f"There is not enough memory for a single patch of {batch.patch} x {batch.patch}: "
            "reduce batch.patch."
        )
    if world > 1:
        raise InputError(
            f"There is not enough memory for {at_once} patches at a time in each of {world} "
            f"processes: set batch.accumulate to {batch.size // fewer // world}."
        )
    return batch.size // fewer


def fewer_at_once(size: int, before: int, parts: int) -> Notice:
    """That a step of ``size`` patches goes through the network in more parts than before."""
    text = (
        f"There was not enough memory for {size // before} patches at a time: training "
        f"continues with {size // parts} at a time and adds their gradients, so a "
        f"step is still {size} patches."
    )
    return Notice.warning(Code.SMALLER_PARTS, text)


def _workers(device: torch.device) -> int:
    """A GPU must not wait for batches; copies of this process are cheap only where it can fork."""
    import multiprocessing

    return WORKERS if device.type == "cuda" and multiprocessing.get_start_method() == "fork" else 0


def _precision(asked: str, device: torch.device) -> str:
    if asked == "float16" and device.type == "cpu":
        raise InputError("float16 is trained on a GPU only; on a CPU choose float32 or bfloat16.")
    if asked != "auto":
        return asked
    if device.type == "cuda":
        return "bfloat16" if computes_bfloat16(device) else "float16"
    if device.type == "cpu" and _has_amx() and computes_bfloat16(device):
        return "bfloat16"
    return "float32"


def _has_amx() -> bool:
    """Whether this processor multiplies matrices in bfloat16."""
    import torch

    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check is not None and check())


def memory(at: Place) -> int:
    """Bytes in use: on the GPU, or by this process."""
    import torch

    if at.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(at.device))
    import psutil

    return int(psutil.Process().memory_info().rss)


def largest(values: list[int], device: torch.device) -> list[int]:
    """The largest of each number among the processes that share a step."""
    from torch import distributed, int64, tensor

    shared = tensor(values, dtype=int64, device=device)
    distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
    found: list[int] = shared.tolist()
    return found
