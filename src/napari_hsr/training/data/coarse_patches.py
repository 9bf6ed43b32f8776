"""Pairs of coarse and fine patches for super-resolution, by named degradations, with noise or not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import resample
from napari_hsr.errors import InputError
from napari_hsr.resample.kernels import GAUSSIAN_REACH
from napari_hsr.training.data import augmentation
from napari_hsr.training.data.batch_sampler import BatchSampler, Patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.resample import Kind
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
        self.blur, self.noise, self.noisy = (
            recipe.coarse.blur,
            recipe.coarse.noise,
            recipe.coarse.noisy,
        )
        #: Of each image; what noise is a fraction of.
        self.highest = [float(image.cube.max()) for image in self.images] if self.noise[1] else []
        scale = recipe.scale
        blurs = [k.blur(scale) for k in self.kinds if k.is_gaussian and not self.blur]
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
        kind = self._kind(rng)
        margin = self._margin(chosen, reduction, kind)
        fine = self._cut(chosen, (patch + 2 * margin) * scale, reduction, rng)
        coarse = resample.shrink(fine, scale, kind)
        inner = slice(margin, margin + patch)
        coarse = coarse[:, inner, inner]
        inner = slice(margin * scale, (margin + patch) * scale)
        fine = fine[:, inner, inner]
        # the coarse cube in place of the photograph, so that both are turned alike
        fine, turned = augmentation.geometric(fine, coarse.transpose(1, 2, 0), settings, rng)
        factor = np.float32(augmentation.exposure(settings, rng))
        if self.noise[1] and rng.random() < self.noisy:
            spread = np.float32(rng.uniform(*self.noise) * self.highest[chosen])
            turned = turned + spread * rng.standard_normal(turned.shape, dtype=np.float32)
        return Patch(turned.transpose(2, 0, 1) * factor, fine * factor)

    def _kind(self, rng: np.random.Generator) -> Kind:
        """Draw a degradation; where blurs have a range, its width too."""
        kind = self.kinds[rng.integers(len(self.kinds))]
        if self.blur is None or kind.name != "gaussian":
            return kind
        low, high = np.log(self.blur)
        return replace(kind, sigma=float(np.exp(rng.uniform(low, high))) * self.recipe.scale)

    def _margin(self, chosen: int, reduction: float, kind: Kind) -> int:
        """As many pixels around the patch as the kernel reaches and the image has room for."""
        side, scale = min(self.images[chosen].cube.shape[1:]), self.recipe.scale
        room: int = math.floor(side * reduction / scale + 1e-9)
        drawn = kind.blur(scale) if self.blur and kind.is_gaussian else 0.0
        reach = max(self.margin, math.ceil(GAUSSIAN_REACH * drawn / scale))
        return min(reach, (room - self.recipe.batch.patch) // 2)

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
