"""Patches of photographs with their cubes, prepared for a model of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import colour
from napari_hsr.errors import InputError, ModelError
from napari_hsr.photograph import LINEAR_SRGB, SRGB
from napari_hsr.training.data import augmentation
from napari_hsr.training.data.batch_sampler import BatchSampler, Patch
from napari_hsr.training.data.material_scenes import materials_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_hsr.cameras.pipeline import Capture
    from napari_hsr.models.input_rules import InputRule
    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe

#: Pixels of a photograph that are decoded at a time when its statistics are computed.
_STRIP_PIXELS = 2**20
#: Standard deviation of ln(brightness) of the image around a painted patch, against the patch.
_AROUND = 0.4
#: More grey pixels are needed only because of rounding.
_MOST_GREY = 2**16


@dataclass(frozen=True)
class ModelInput:
    """What a model expects: the encoding of photographs, and its whole-image rule."""

    encoding: str
    rule: InputRule

    @classmethod
    def of(cls, model: Model) -> ModelInput:
        """What a loaded model expects."""
        return cls(model.input_encoding, model.rule)


class Patches(BatchSampler):
    """Patches of images, photographed and prepared for a model.

    Parameters
    ----------
    images : sequence of CachedImage
        To train on.
    recipe : Recipe
    model_input : ModelInput

    Raises
    ------
    InputError
        If the photographs cannot be converted to the model's encoding, an image is smaller than
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
        wavelengths = self.images[0].wavelengths_nm
        self.wavelengths_nm = None if wavelengths is None else np.asarray(wavelengths)
        #: Whether the rule depends on the image.
        self._measured = model_input.rule.measure(iter(())) is not None
        self._few: dict[int, np.ndarray] = {}
        self._check()
        self.materials = materials_of(recipe, self.wavelengths_nm)

    def _check(self) -> None:
        target = self.model_input.encoding
        for image in self.images:
            if image.rgb is not None:
                reason = colour.why_not_convert(image.rgb_encoding, target)
                if reason:
                    raise InputError(f"{image.name}: {reason}")
        without = next((i for i, image in enumerate(self.images) if image.rgb is None), None)
        if without is None:
            return
        capture = self._capture(without, np.random.default_rng(self.recipe.seed))
        reason = colour.why_not_convert(capture.encoding, target)
        if reason:
            raise InputError(f"The camera of the recipe does not fit the model: {reason}")

    def _capture(
        self, chosen: int, rng: np.random.Generator, thumbnail: np.ndarray | None = None
    ) -> Capture:
        """Draw how a cube, or a painted scene, is photographed."""
        from napari_hsr.cameras.random_camera import draw

        image = self.images[chosen]
        if self.recipe.camera is None or self.wavelengths_nm is None:
            raise InputError(
                f"{image.name} has no photograph, and there is no camera to simulate one: "
                "set camera.cameras in the recipe."
            )
        seen = image.thumbnail if thumbnail is None else thumbnail
        return draw(self.recipe.camera, self.wavelengths_nm, rng, seen)

    def draw(self, chosen: int, rng: np.random.Generator) -> Patch:
        """Draw a patch of an image, as the model expects it."""
        photograph = self.images[chosen].rgb
        painted = self.materials is not None and self.materials.wanted(rng)
        if photograph is None or painted:
            rgb, cube, statistics = self._simulated(chosen, rng, painted)
        else:
            rgb, cube, statistics = self._photographed(chosen, photograph, rng)
        rule = self.model_input.rule
        inputs = rule.apply(rgb, statistics).transpose(2, 0, 1)
        gain, offset = undone(rule, statistics)
        return Patch(inputs, cube, gain, offset)

    def _photographed(
        self, chosen: int, photograph: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """A patch of a photograph, in the model's encoding, and of its cube."""
        image, settings = self.images[chosen], self.recipe.augmentation
        target = self.model_input.encoding
        cube, window, scale = self._cut(chosen, rng)
        patch = (self.recipe.batch.patch,) * 2
        factor = augmentation.exposure(settings, rng)
        linear = LINEAR_SRGB if target == SRGB else target
        tile = np.asarray(photograph[window])
        rgb = colour.decode_photograph_tile(tile, image.rgb_encoding, linear)
        if scale != 1:
            cube = augmentation.reduce(cube, scale, patch)
            rgb = augmentation.reduce(rgb, scale, patch, axes=(0, 1))
        cube, rgb = augmentation.geometric(cube, rgb, settings, rng)
        cube, rgb = _times(cube, factor), _times(rgb, factor)
        statistics = self._statistics(chosen, photograph, linear, factor)
        return colour.convert(rgb, linear, target), cube, statistics

    def _simulated(
        self, chosen: int, rng: np.random.Generator, painted: bool
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """A patch of a cube, or a painted one, photographed."""
        settings, patch = self.recipe.augmentation, self.recipe.batch.patch
        if painted:
            cube, sample = self._painted(chosen, rng)
            capture = self._capture(chosen, rng, cube)
        else:
            capture = self._capture(chosen, rng)
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
        """A patch of a cube, (bands, patch, patch) float32, and the reduced image if needed."""
        cube, _, scale = self._cut(chosen, rng)
        if scale != 1:
            cube = augmentation.reduce(cube, scale, (self.recipe.batch.patch,) * 2)
        cube, _ = augmentation.geometric(cube, None, self.recipe.augmentation, rng)
        cube = cube.astype(np.float32, copy=False)
        if not self._measured:
            return cube, None
        side = min(min(image.sample.shape[1:]) for image in self.images)
        sample = self.images[chosen].sample
        rows, columns = (np.linspace(0, n - 1, side).astype(int) for n in sample.shape[1:])
        return cube, sample[:, rows[:, None], columns]

    def _painted(
        self, chosen: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """A painted patch, and a reduced image around it, brighter or darker, if needed."""
        assert self.materials is not None
        cube, sample = self._turned(chosen, rng)
        cube = self.materials.paint(cube, rng)
        if sample is None:
            return cube, None
        rows, columns = (
            np.linspace(0, n - 1, m).astype(int)
            for n, m in zip(cube.shape[1:], sample.shape[1:], strict=True)
        )
        around = cube[:, rows[:, None], columns] * np.exp(rng.normal(0, _AROUND))
        return cube, around.astype(np.float32)

    @staticmethod
    def _with_sample(cube: np.ndarray, sample: np.ndarray | None) -> np.ndarray:
        """The pixels of a patch and of the reduced image as one row."""
        pixels = cube.reshape(cube.shape[0], 1, -1)
        if sample is None:
            return pixels
        return np.concatenate([pixels, sample.reshape(cube.shape[0], 1, -1)], axis=2)

    def _cut(
        self, chosen: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[slice, slice], float]:
        """Cut a square out of an image; its window, and the scale that it is to be reduced by."""
        scale = self.draw_scale(chosen, rng)
        side = augmentation.source_side(self.recipe.batch.patch, scale)
        window = self.draw_window(chosen, side, rng)
        return np.asarray(self.images[chosen].cube[:, *window]), window, scale

    def _decoded(self, rgb: np.ndarray, encoding: str) -> np.ndarray:
        return colour.convert(rgb, encoding, self.model_input.encoding)

    def _statistics(self, chosen: int, photograph: np.ndarray, linear: str, factor: float) -> Any:
        """What the rule measures of a whole photograph after a change of exposure."""
        if not self._measured:
            return None
        target = self.model_input.encoding
        if chosen not in self._few:
            self._few[chosen] = self._few_pixels(
                photograph, self.images[chosen].rgb_encoding, linear
            )
        few = self._few[chosen] * np.float32(factor)
        return self.model_input.rule.measure(iter([colour.convert(few, linear, target)]))

    def _few_pixels(self, photograph: np.ndarray, encoding: str | None, linear: str) -> np.ndarray:
        """A few pixels with the extremes and the mean of a whole photograph, (n, 1, 3).

        Raises
        ------
        ModelError
            If the rule depends on more than these.
        """
        target = self.model_input.encoding
        few: list[np.ndarray] = []
        total, count = 0.0, 0

        def strips() -> Iterator[np.ndarray]:
            nonlocal total, count
            height, width = photograph.shape[:2]
            step = max(1, _STRIP_PIXELS // width)
            for top in range(0, height, step):
                strip = photograph[top : top + step]
                values = colour.decode_photograph_tile(strip, encoding, linear)
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
    """The pixels of (n, 3) with the least and the greatest value of each channel, (6, 3)."""
    chosen: np.ndarray = pixels[np.concatenate([pixels.argmin(0), pixels.argmax(0)])]
    return chosen


def _with_mean(pixels: np.ndarray, mean: float) -> np.ndarray:
    """Add grey pixels within the range of the others until the mean is as given."""
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
    """(gain, offset) by which a rule converts a network's output to the cube's units.

    Clipping to 0..1, which some rules do last, is left out: it has no gradient.

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
