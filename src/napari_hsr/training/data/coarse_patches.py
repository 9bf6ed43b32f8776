"""Pairs of coarse and fine patches for super-resolution, by a named degradation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import resample
from napari_hsr.errors import InputError
from napari_hsr.resample.kernels import GAUSSIAN_REACH
from napari_hsr.training.data import augmentation
from napari_hsr.training.data.batch_sampler import BatchSampler, Patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe

#: Reach of the widest bicubic kernel, in coarse pixels.
BICUBIC_REACH = 2


class CoarsePatches(BatchSampler):
    """Coarse and fine patches of cubes.

    Both have the scale and exposure that the augmentation draws; with ``coarse.bands`` set they
    have as many adjacent bands, so that the network must take any number.

    Parameters
    ----------
    images : sequence of CachedImage
    recipe : Recipe
        Of the task ``super-resolution``.
    least_bands : int
        That the network takes.

    Raises
    ------
    InputError
        If a degradation is not known, an image is smaller than a patch, or it has fewer bands
        than ``coarse.bands`` or the network require.
    """

    def __init__(self, images: Sequence[CachedImage], recipe: Recipe, least_bands: int = 1):
        if recipe.coarse is None:
            raise InputError("Training on coarse patches needs coarse.scale.")
        super().__init__(images, recipe)
        self.kinds = [resample.find(name) for name in recipe.coarse.degradations]
        self.bands = recipe.coarse.bands
        scale = recipe.scale
        blurs = [k.blur(scale) for k in self.kinds if k.is_gaussian]
        #: Coarse pixels around a patch that are computed and cut off again, because what is
        #: beyond the edge of the window is not known.
        self.margin: int = max(
            [BICUBIC_REACH, *(math.ceil(GAUSSIAN_REACH * blur / scale) for blur in blurs)]
        )
        fewest = min(image.cube.shape[0] for image in self.images)
        if self.bands is not None and not least_bands <= self.bands <= fewest:
            raise InputError(
                f"coarse.bands is {self.bands}, but the network takes {least_bands} bands or more "
                f"and the cubes have {fewest}: set it between them."
            )
        if fewest < least_bands:
            raise InputError(
                f"The network takes cubes of {least_bands} bands or more, these have {fewest}."
            )

    def draw(self, chosen: int, rng: np.random.Generator) -> Patch:
        """Draw a window of a cube, and return its coarse and its fine pixels."""
        patch, scale, settings = (
            self.recipe.batch.patch,
            self.recipe.scale,
            self.recipe.augmentation,
        )
        reduction = self.draw_scale(chosen, rng)
        kind = self.kinds[rng.integers(len(self.kinds))]
        margin = self._margin(chosen, reduction)
        fine = self._cut(chosen, (patch + 2 * margin) * scale, reduction, rng)
        coarse = resample.shrink(fine, scale, kind)
        inner = slice(margin, margin + patch)
        coarse = coarse[:, inner, inner]
        inner = slice(margin * scale, (margin + patch) * scale)
        fine = fine[:, inner, inner]
        # the coarse cube in place of the photograph, so that both are turned alike
        fine, turned = augmentation.geometric(fine, coarse.transpose(1, 2, 0), settings, rng)
        factor = np.float32(augmentation.exposure(settings, rng))
        return Patch(turned.transpose(2, 0, 1) * factor, fine * factor)

    def _margin(self, chosen: int, reduction: float) -> int:
        """As many pixels around the patch as the image has room for, at most ``margin``."""
        side = min(self.images[chosen].cube.shape[1:])
        room: int = math.floor(side * reduction / self.recipe.scale + 1e-9)
        return min(self.margin, (room - self.recipe.batch.patch) // 2)

    def _cut(
        self, chosen: int, side: int, reduction: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Cut (bands, side, side) float32 out of an image, reduced by MATLAB's bicubic."""
        cube = self.images[chosen].cube
        source = augmentation.source_side(side, reduction)
        rows, columns = self.draw_window(chosen, source, rng)
        number = self.bands or cube.shape[0]
        first = int(rng.integers(cube.shape[0] - number + 1))
        cut = np.asarray(cube[first : first + number, rows, columns], dtype=np.float32)
        return cut if reduction == 1 else resample.imresize(cut, reduction)[:, :side, :side]
