"""Batches of patches: a pure function of the seed and the step, whatever was drawn before."""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.training.data import augmentation
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches as the network expects them, and the cubes that it is to predict.

    Attributes
    ----------
    inputs : ndarray, shape (n, 3, h, w) or (n, bands, h, w), float32
        Photographs: in the model's encoding, with its whole-image rule applied with the statistics
        of the whole image. Coarse cubes: as they are.
    cubes : ndarray, shape (n, bands, h, w), float32
        In the cube's units, with the photograph's change of exposure; for super-resolution,
        height and width are multiplied by the scale.
    gains, offsets : ndarray, shape (n,), float32
        ``output * gain + offset`` is the prediction in the cube's units: it undoes the rule.
    names : tuple of str
        Of the patches' images.
    """

    inputs: np.ndarray
    cubes: np.ndarray
    gains: np.ndarray
    offsets: np.ndarray
    names: tuple[str, ...]


#: Makes the order of the images independent of the patches with the same seed.
_ORDER = 0x0BDE5


class Patch(NamedTuple):
    """One item of a :class:`~napari_hsr.training.data.batch_sampler.Batch`."""

    inputs: np.ndarray
    cube: np.ndarray
    gain: float = 1.0
    offset: float = 0.0


class BatchSampler(ABC):
    """Samples patches of images; every image is used once before any is used again.

    Parameters
    ----------
    images : sequence of CachedImage
        To train on.
    recipe : Recipe

    Raises
    ------
    InputError
        If there is no image, or one is smaller than a patch.
    """

    def __init__(self, images: Sequence[CachedImage], recipe: Recipe):
        if not images:
            raise InputError("There is no image to take patches from.")
        self.images = list(images)
        self.recipe = recipe
        #: Scales of the augmentation that each image is large enough for.
        self.scales = [self._fitting_scales(image) for image in self.images]
        self._check_memory()

    def _check_memory(self) -> None:
        """Refuse a batch whose patches alone are more than there is room for."""
        import psutil

        batch = self.recipe.batch
        side = batch.patch * self.recipe.scale
        coarse = self.recipe.coarse
        bands = (coarse and coarse.bands) or self.images[0].cube.shape[0]
        needed = 4 * batch.size * side**2 * bands
        free = psutil.virtual_memory().available
        if needed > free:
            raise InputError(
                f"The patches of a batch of {batch.size} take {format_bytes(needed)} of memory, and "
                f"{format_bytes(free)} are free: set batch.size or batch.patch to less."
            )

    @abstractmethod
    def draw(self, chosen: int, rng: np.random.Generator) -> Patch:
        """Draw a patch of an image."""

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Draw the patches of a step, or of them every ``world``-th beginning with ``rank``.

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

    def draw_scale(self, chosen: int, rng: np.random.Generator) -> float:
        """Draw the scale that a patch of an image is reduced by, 0..1."""
        return augmentation.pick_scale(self.scales[chosen], rng)

    def draw_window(self, chosen: int, side: int, rng: np.random.Generator) -> tuple[slice, slice]:
        """Draw the rows and columns of a square of an image."""
        cube = self.images[chosen].cube
        top, left = (int(rng.integers(n - side + 1)) for n in cube.shape[1:])
        rows = slice(top, top + side)
        _read_ahead(cube, rows)
        return rows, slice(left, left + side)

    def _fitting_scales(self, image: CachedImage) -> tuple[float, ...]:
        patch, scale = self.recipe.batch.patch, self.recipe.scale
        side, pixels = min(image.cube.shape[1:]), patch * scale
        scales = self.recipe.augmentation.scales
        fitting = tuple(s for s in scales if augmentation.source_side(pixels, s) <= side)
        if not fitting:
            raise InputError(
                f"{image.name} has {image.cube.shape[2]} x {image.cube.shape[1]} pixels, less than "
                f"a patch of {pixels} x {pixels}: set batch.patch to {side // scale} or less."
            )
        return fitting


def _read_ahead(cube: np.ndarray, rows: slice) -> None:
    """Ask the system to read rows of a memory map at once instead of page by page.

    Does nothing for arrays in memory, or if the system takes no such advice.
    """
    mapped, offset = getattr(cube, "_mmap", None), getattr(cube, "offset", 0)
    if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
        return
    row = cube.strides[1]
    start = offset + rows.start * row
    first = start - start % mmap.PAGESIZE
    mapped.madvise(mmap.MADV_WILLNEED, first, start + (rows.stop - rows.start) * row - first)


@lru_cache(maxsize=8)
def _order(seed: int, turn: int, number: int) -> np.ndarray:
    """The order of the images in one pass through all of them."""
    return np.random.default_rng([_ORDER, seed, turn]).permutation(number)
