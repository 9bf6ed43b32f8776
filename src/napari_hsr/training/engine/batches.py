"""The batches of a training's steps, as tensors, one part of a step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from napari_hsr.errors import HSRError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from napari_hsr.training.data.examples import Batch


class Part(NamedTuple):
    """The patches of a step that go through the network together.

    Attributes
    ----------
    number : int
        Of this part, counted over all steps.
    step : int
        From 0.
    inputs, cubes : Tensor
        As in :class:`~napari_hsr.training.data.examples.Batch`.
    gains, offsets : Tensor, shape (n, 1, 1, 1)
        ``output * gains + offsets`` is the prediction in the cube's units.
    names : tuple of str
        Of the images that the patches come from.
    """

    number: int
    step: int
    inputs: Tensor
    cubes: Tensor
    gains: Tensor
    offsets: Tensor
    names: tuple[str, ...]

    def to(self, device: torch.device) -> Part:
        """The part with its tensors on a device."""
        tensors = ("inputs", "cubes", "gains", "offsets")
        return self._replace(**{key: getattr(self, key).to(device) for key in tensors})

    def patches(self, which: slice) -> Part:
        """Some of the patches."""
        tensors = ("inputs", "cubes", "gains", "offsets")
        return self._replace(**{key: getattr(self, key)[which] for key in tensors})

    def band(self, band: int) -> Part:
        """The same inputs with one band of the truth."""
        return self._replace(cubes=self.cubes[:, band : band + 1])


class StepBatches(IterableDataset[Part | InputError]):
    """The batches of the steps from ``first`` on, each in ``parts``.

    A batch is a pure function of its step, so a resumed run sees what it would have seen.
    Workers of a DataLoader take parts in turn, which keeps their order. A fault is handed on as
    an item: raised in a worker, it would lose its message on the way.

    Parameters
    ----------
    batch : callable
        ``batch(step, rank, world) -> Batch``.
    first : int
        The first step, from 0.
    last : callable
        The total number of steps, asked before each one: a time budget fixes it on the way.
    parts : int
        Parts of a step on this process.
    rank, world : int
        This process, and the number of processes that share a step.
    """

    def __init__(
        self,
        batch: Callable[[int, int, int], Batch],
        first: int,
        last: Callable[[], int],
        parts: int = 1,
        rank: int = 0,
        world: int = 1,
    ):
        self.batch, self.first, self.last = batch, first, last
        self.parts, self.rank, self.world = parts, rank, world

    def __iter__(self) -> Iterator[Part | InputError]:
        worker = get_worker_info()
        first, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        number = self.first * self.parts + first
        while number // self.parts < self.last():
            step, within = divmod(number, self.parts)
            try:
                batch = self.batch(step, self.rank * self.parts + within, self.world * self.parts)
            except HSRError as fault:
                yield InputError(str(fault))
                return
            yield Part(
                number,
                step,
                torch.from_numpy(np.ascontiguousarray(batch.inputs)),
                torch.from_numpy(np.ascontiguousarray(batch.cubes)),
                torch.from_numpy(batch.gains)[:, None, None, None],
                torch.from_numpy(batch.offsets)[:, None, None, None],
                batch.names,
            )
            number += workers
