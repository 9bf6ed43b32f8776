"""Patches of coarse cubes, made of fine ones by a named degradation, with the fine ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import resample
from napari_hsr.errors import InputError
from napari_hsr.resample.kernels import GAUSSIAN_REACH
from napari_hsr.training.data import augmentation
from napari_hsr.training.data.batch_sampler import Draws, Patch, announce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe

#: Coarse pixels that the widest bicubic kernel reaches.
BICUBIC_REACH = 2


class CoarsePatches(Draws):
    """Coarse and fine patches of cubes.

    Both are of the size and brightness that augmentation draws; with ``coarse.bands`` set they
    have as many neighbouring bands, so that a network must take any number.

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
        than ``coarse.bands`` or the network asks for.
    """

    def __init__(self, images: Sequence[CachedImage], recipe: Recipe, least_bands: int = 1):
        super().__init__(images, recipe)
        self.kinds = [resample.find(name) for name in recipe.coarse.degradations]
        scale = recipe.coarse.scale
        blurs = [k.blur(scale) for k in self.kinds if k.name.startswith("gaussian")]
        #: Coarse pixels around a patch that are made and left out again: what lies beyond the
        #: edge of what was cut out is not known.
        self.margin = max(
            [BICUBIC_REACH, *(math.ceil(GAUSSIAN_REACH * blur / scale) for blur in blurs)]
        )
        self.scales = [self._fitting(image) for image in self.images]
        fewest = min(image.cube.shape[0] for image in self.images)
        bands = recipe.coarse.bands
        if bands is not None and not least_bands <= bands <= fewest:
            raise InputError(
                f"coarse.bands is {bands}, but the network takes {least_bands} bands or more and "
                f"the cubes have {fewest}: set it between them."
            )
        if fewest < least_bands:
            raise InputError(
                f"The network takes cubes of {least_bands} bands or more, these have {fewest}."
            )

    def _fitting(self, image: CachedImage) -> list[float]:
        """The sizes of the augmentation that the image is large enough for."""
        coarse, patch = self.recipe.coarse, self.recipe.batch.patch
        side = min(image.cube.shape[1:])
        scales = [
            s
            for s in self.recipe.augmentation.scales
            if augmentation.source_side(patch * coarse.scale, s) <= side
        ]
        if not scales:
            raise InputError(
                f"{image.name} has {image.cube.shape[2]} x {image.cube.shape[1]} pixels, less than "
                f"a patch of {patch} coarse pixels takes: set batch.patch to "
                f"{side // coarse.scale} or less."
            )
        return scales

    def draw(self, chosen: int, rng: np.random.Generator) -> Patch:
        """Coarse pixels of a part of a cube, and its fine ones."""
        recipe, image = self.recipe, self.images[chosen]
        side, scale = recipe.batch.patch, recipe.coarse.scale
        size = float(self.scales[chosen][rng.integers(len(self.scales[chosen]))])
        kind = self.kinds[rng.integers(len(self.kinds))] if len(self.kinds) > 1 else self.kinds[0]
        margin = self._margin(image, size)
        fine = self._cut(image, (side + 2 * margin) * scale, size, rng)
        coarse = resample.shrink(fine, scale, kind)
        inner = slice(margin, margin + side)
        coarse = coarse[:, inner, inner]
        inner = slice(margin * scale, (margin + side) * scale)
        fine = fine[:, inner, inner]
        # the coarse cube in the place of the picture: the same turn for both
        fine, picture = augmentation.geometric(
            fine, coarse.transpose(1, 2, 0), recipe.augmentation, rng
        )
        factor = np.float32(augmentation.exposure(recipe.augmentation, rng))
        return Patch(picture.transpose(2, 0, 1) * factor, fine * factor)

    def _margin(self, image: CachedImage, size: float) -> int:
        """As many pixels around the patch as the image has room for, at most ``margin``."""
        side, scale = self.recipe.batch.patch, self.recipe.coarse.scale
        room = math.floor(min(image.cube.shape[1:]) * size / scale + 1e-9)
        return min(self.margin, (room - side) // 2)

    def _cut(
        self, image: CachedImage, side: int, size: float, rng: np.random.Generator
    ) -> np.ndarray:
        """(bands, side, side) float32 out of an image; at another size by MATLAB's bicubic."""
        bands, height, width = image.cube.shape
        source = augmentation.source_side(side, size)
        top, left = (int(rng.integers(n - source + 1)) for n in (height, width))
        number = self.recipe.coarse.bands or bands
        first = int(rng.integers(bands - number + 1)) if number < bands else 0
        rows = slice(top, top + source)
        announce(image.cube, rows)
        cut = image.cube[first : first + number, rows, left : left + source]
        cut = np.asarray(cut, dtype=np.float32)
        return cut if size == 1 else resample.imresize(cut, size)[:, :side, :side]
