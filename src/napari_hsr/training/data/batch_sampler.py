"""Batches of patches: a pure function of the seed and the step, whatever ran before."""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.training.data.examples import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe

#: Sets the order of the images apart from the patches with the same seed.
_ORDER = 0x0BDE5


class Patch(NamedTuple):
    """One item of a :class:`~napari_hsr.training.data.examples.Batch`."""

    inputs: np.ndarray
    cube: np.ndarray
    gain: float = 1.0
    offset: float = 0.0


class Draws(ABC):
    """Patches drawn from images, every image once before any comes again.

    Parameters
    ----------
    images : sequence of CachedImage
        To train on.
    recipe : Recipe

    Raises
    ------
    InputError
        If there is no image.
    """

    def __init__(self, images: Sequence[CachedImage], recipe: Recipe):
        if not images:
            raise InputError("There is no image to take patches from.")
        self.images = list(images)
        self.recipe = recipe

    @abstractmethod
    def draw(self, chosen: int, rng: np.random.Generator) -> Patch:
        """A patch of an image."""

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """The patches of a step, or every ``world``-th of them from ``rank`` on.

        Raises
        ------
        InputError
            If there are fewer patches than ``world``.
        """
        size = self.recipe.batch.size
        if world > size:
            raise InputError(
                f"A batch of {size} patches cannot be shared by {world}: set batch.size to "
                f"{world} or more."
            )
        drawn = [self._item(step, index) for index in range(rank, size, world)]
        patches, names = [patch for patch, _ in drawn], tuple(name for _, name in drawn)
        return Batch(
            np.stack([patch.inputs for patch in patches]),
            np.stack([patch.cube for patch in patches]),
            np.array([patch.gain for patch in patches], dtype=np.float32),
            np.array([patch.offset for patch in patches], dtype=np.float32),
            names,
        )

    def _item(self, step: int, index: int) -> tuple[Patch, str]:
        seed = self.recipe.seed
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step, index])))
        turn, place = divmod(step * self.recipe.batch.size + index, len(self.images))
        chosen = int(_order(seed, turn, len(self.images))[place])
        return self.draw(chosen, rng), self.images[chosen].name


def announce(cube: np.ndarray, rows: slice) -> None:
    """Ask the system for rows of a memory map at once, rather than page by page as they are read.

    Nothing happens where they are in memory, or the system takes no advice.
    """
    mapped = getattr(cube, "_mmap", None)
    if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
        return
    row = cube.strides[1]
    start = cube.offset + rows.start * row
    first = start - start % mmap.PAGESIZE
    mapped.madvise(mmap.MADV_WILLNEED, first, start + (rows.stop - rows.start) * row - first)


@lru_cache(maxsize=8)
def _order(seed: int, turn: int, number: int) -> np.ndarray:
    """The images in the order of one turn through all of them."""
    return np.random.default_rng([_ORDER, seed, turn]).permutation(number)
