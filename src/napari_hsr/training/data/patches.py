"""Patches of photographs with their cubes, as a model for photographs wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import colour
from napari_hsr.errors import InputError, ModelError
from napari_hsr.photograph import LINEAR_SRGB, SRGB
from napari_hsr.training.data import augmentation
from napari_hsr.training.data.batch_sampler import Draws, Patch, announce

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_hsr.models.model import InputRule, Model
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import AugmentationSettings, Recipe

#: Pixels of a photograph that are decoded at a time when it is measured.
_STRIP_PIXELS = 2**20
#: More grey pixels are not needed for a mean between the extremes, but by rounding.
_MOST_GREY = 2**16


@dataclass(frozen=True)
class ModelInput:
    """What a model wants: the encoding of photographs, and its whole-image rule."""

    encoding: str
    rule: InputRule

    @classmethod
    def of(cls, model: Model) -> ModelInput:
        """That of a loaded model."""
        return cls(model.input_encoding, model.rule)


class Patches(Draws):
    """Patches of images, photographed and made ready for a model.

    Parameters
    ----------
    images : sequence of CachedImage
        To train on.
    recipe : Recipe
    model_input : ModelInput

    Raises
    ------
    InputError
        If the photographs cannot be turned into what the model wants, an image is smaller than
        a patch, or the recipe names no camera for cubes without a photograph.
    """

    def __init__(
        self,
        images: Sequence[CachedImage],
        recipe: Recipe,
        model_input: ModelInput,
    ):
        super().__init__(images, recipe)
        self.model_input = model_input
        self.wavelengths_nm = self.images[0].wavelengths_nm
        #: Whether the rule looks at the image at all.
        self._measured = model_input.rule.measure(iter(())) is not None
        self._few: dict[int, np.ndarray] = {}
        self._settings = [self._fitting(image) for image in self.images]
        self._check()

    def _fitting(self, image: CachedImage) -> AugmentationSettings:
        """The augmentation with those scales that the image is large enough for."""
        settings, patch = self.recipe.augmentation, self.recipe.batch.patch
        side = min(image.cube.shape[1:])
        scales = tuple(s for s in settings.scales if augmentation.source_side(patch, s) <= side)
        if not scales:
            raise InputError(
                f"{image.name} has {image.cube.shape[2]} x {image.cube.shape[1]} pixels, less than "
                f"a patch of {patch} x {patch}: set batch.patch to {side} or less."
            )
        return settings.model_copy(update={"scales": scales})

    def _check(self) -> None:
        target = self.model_input.encoding
        for image in self.images:
            if image.rgb is not None:
                reason = colour.why_not_convert(image.rgb_encoding, target)
                if reason:
                    raise InputError(f"{image.name}: {reason}")
        bare = [image for image in self.images if image.rgb is None]
        if not bare:
            return
        if self.recipe.camera is None or self.wavelengths_nm is None:
            raise InputError(
                f"{bare[0].name} has no photograph, and there is no camera to simulate one: "
                "set camera.cameras in the recipe."
            )
        from napari_hsr.cameras.random_camera import draw

        rng = np.random.default_rng(self.recipe.seed)
        capture = draw(self.recipe.camera, self.wavelengths_nm, rng, bare[0].thumbnail)
        reason = colour.why_not_convert(capture.encoding, target)
        if reason:
            raise InputError(f"The camera of the recipe does not fit the model: {reason}")

    def draw(self, chosen: int, rng: np.random.Generator) -> Patch:
        """A patch of an image, as the model wants it."""
        if self.images[chosen].rgb is None:
            rgb, cube, statistics = self._simulated(chosen, rng)
        else:
            rgb, cube, statistics = self._photographed(chosen, rng)
        rule = self.model_input.rule
        inputs = rule.apply(rgb, statistics).transpose(2, 0, 1)
        gain, offset = undone(rule, statistics)
        return Patch(inputs, cube, gain, offset)

    def _photographed(
        self, chosen: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """A patch of a given photograph, in the model's encoding, and of its cube."""
        image, settings = self.images[chosen], self._settings[chosen]
        target = self.model_input.encoding
        cube, rgb, scale = self._cut(chosen, rng)
        patch = (self.recipe.batch.patch,) * 2
        factor = augmentation.exposure(settings, rng)
        linear = LINEAR_SRGB if target == SRGB else target
        rgb = colour.decode_photograph_tile(rgb, image.rgb_encoding, linear)
        if scale != 1:
            cube = augmentation.reduce(cube, scale, patch)
            rgb = augmentation.reduce(rgb, scale, patch, axes=(0, 1))
        cube, rgb = augmentation.geometric(cube, rgb, settings, rng)
        cube, rgb = _times(cube, factor), _times(rgb, factor)
        statistics = self._statistics(chosen, linear, factor)
        return colour.convert(rgb, linear, target), cube, statistics

    def _simulated(
        self, chosen: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """A patch of a cube, photographed."""
        from napari_hsr.cameras.random_camera import draw

        image, settings = self.images[chosen], self._settings[chosen]
        patch = self.recipe.batch.patch
        capture = draw(self.recipe.camera, self.wavelengths_nm, rng, image.thumbnail)
        cube, sample = self._turned(chosen, rng)
        spectra = self._with_sample(cube, sample)
        if settings.mix > 0 and rng.random() < settings.mix:
            other = int(rng.integers(len(self.images)))
            spectra = augmentation.mix(spectra, self._with_sample(*self._turned(other, rng)), rng)
        spectra = augmentation.spectral(spectra, settings, rng, capture.matrix)
        spectra = _times(spectra, augmentation.exposure(settings, rng))
        cube = spectra[:, 0, : patch * patch].reshape(-1, patch, patch)
        rgb = self._decoded(capture.take(cube, rng), capture.encoding)
        statistics = None
        if sample is not None:
            small = spectra[:, 0, patch * patch :].reshape(-1, *sample.shape[1:])
            whole = self._decoded(capture.take(small, rng), capture.encoding)
            statistics = self.model_input.rule.measure(iter([whole]))
        return rgb, _times(cube, capture.gain), statistics

    def _turned(
        self, chosen: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """A patch of a cube, (bands, patch, patch) float32; if needed, the image in small."""
        cube, _, scale = self._cut(chosen, rng)
        if scale != 1:
            cube = augmentation.reduce(cube, scale, (self.recipe.batch.patch,) * 2)
        cube, _ = augmentation.geometric(cube, None, self._settings[chosen], rng)
        cube = cube.astype(np.float32, copy=False)
        if not self._measured:
            return cube, None
        side = min(min(image.sample.shape[1:]) for image in self.images)
        sample = self.images[chosen].sample
        rows, columns = (np.linspace(0, n - 1, side).astype(int) for n in sample.shape[1:])
        return cube, sample[:, rows[:, None], columns]

    @staticmethod
    def _with_sample(cube: np.ndarray, sample: np.ndarray | None) -> np.ndarray:
        """The pixels of a patch and of the whole image in small as one row."""
        pixels = cube.reshape(cube.shape[0], 1, -1)
        if sample is None:
            return pixels
        return np.concatenate([pixels, sample.reshape(cube.shape[0], 1, -1)], axis=2)

    def _cut(
        self, chosen: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None, float]:
        """A square out of an image, with the scale that it is to be reduced by."""
        image = self.images[chosen]
        scale = augmentation.pick_scale(self._settings[chosen], rng)
        side = augmentation.source_side(self.recipe.batch.patch, scale)
        top, left = (int(rng.integers(n - side + 1)) for n in image.cube.shape[1:])
        rows, columns = slice(top, top + side), slice(left, left + side)
        announce(image.cube, rows)
        rgb = None if image.rgb is None else np.asarray(image.rgb[rows, columns])
        return np.asarray(image.cube[:, rows, columns]), rgb, scale

    def _decoded(self, rgb: np.ndarray, encoding: str) -> np.ndarray:
        return colour.convert(rgb, encoding, self.model_input.encoding)

    def _statistics(self, chosen: int, linear: str, factor: float) -> Any:
        """What the rule measures of a whole photograph that is brightened."""
        if not self._measured:
            return None
        target = self.model_input.encoding
        if chosen not in self._few:
            self._few[chosen] = self._few_pixels(chosen, linear)
        few = self._few[chosen] * np.float32(factor)
        return self.model_input.rule.measure(iter([colour.convert(few, linear, target)]))

    def _few_pixels(self, chosen: int, linear: str) -> np.ndarray:
        """Pixels with the extremes and the mean of a whole photograph, (n, 1, 3).

        Raises
        ------
        ModelError
            If a rule measures more of the image than that.
        """
        image, target = self.images[chosen], self.model_input.encoding
        few, total, count = [], 0.0, 0

        def strips() -> Iterator[np.ndarray]:
            nonlocal total, count
            height, width = image.rgb.shape[:2]
            step = max(1, _STRIP_PIXELS // width)
            for top in range(0, height, step):
                values = colour.decode_photograph_tile(
                    image.rgb[top : top + step], image.rgb_encoding, linear
                )
                flat = values.reshape(-1, 3)
                few.append(_extremes(flat))
                total += float(flat.sum(dtype=np.float64))
                count += flat.size
                yield colour.convert(values, linear, target)

        whole = self.model_input.rule.measure(strips())
        pixels = _with_mean(_extremes(np.concatenate(few)), total / count)[:, None]
        again = self.model_input.rule.measure(iter([colour.convert(pixels, linear, target)]))
        if not np.allclose(whole, again, rtol=1e-6):
            raise ModelError(
                f"The whole-image rule {self.model_input.rule.name!r} cannot be followed in "
                "training: it measures more than the extremes and the mean of an image."
            )
        return pixels


def _extremes(pixels: np.ndarray) -> np.ndarray:
    """Those of (n, 3) that hold the least and the highest value of each channel, (6, 3)."""
    return pixels[np.concatenate([pixels.argmin(0), pixels.argmax(0)])]


def _with_mean(pixels: np.ndarray, mean: float) -> np.ndarray:
    """Grey pixels added, no brighter or darker than there are, until the mean is that given."""
    low, high = float(pixels.min()), float(pixels.max())
    total, added = float(pixels.sum(dtype=np.float64)), len(pixels)
    while True:
        value = (mean * (pixels.size + 3 * added) - total) / (3 * added)
        if low <= value <= high or added > _MOST_GREY:
            break
        added *= 2
    grey = np.full((added, 3), np.clip(value, low, high), dtype=np.float32)
    return np.concatenate([pixels, grey])


def undone(rule: InputRule, statistics: Any) -> tuple[float, float]:
    """(gain, offset) with which a rule turns a network's output into the cube's units.

    Cutting to 0..1, which some rules do at the end, is left out: it has no gradient.

    Raises
    ------
    ModelError
        If the rule is not affine.
    """
    low, half, middle = (
        float(rule.undo(np.full((1, 1, 1), v, dtype=np.float32), statistics)[0, 0, 0])
        for v in (0.0, 0.5, 0.25)
    )
    if abs(low + half - 2 * middle) > 1e-5:
        raise ModelError(f"The whole-image rule {rule.name!r} is not affine, so cannot be trained.")
    return 2 * (half - low), low


def _times(array: np.ndarray, factor: float) -> np.ndarray:
    array = np.asarray(array, dtype=np.float32)
    return array if factor == 1 else array * np.float32(factor)
