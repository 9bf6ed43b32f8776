"""Images to validate on: the photograph or coarse cube a model gets, and the reference cube."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.photograph import Photograph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_hsr.cameras.settings import CaptureSettings
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import CoarseSettings, Recipe


@dataclass(frozen=True, eq=False)
class ValidationImage:
    """The input of a model and the reference for its output.

    Attributes
    ----------
    name : str
        Of the image, and of the camera if there are several.
    input : Photograph or Cube
        A photograph, or the coarse cube.
    reference : Cube
        In the photograph's exposure; for a coarse cube the fine one.
    """

    name: str
    input: Photograph | Cube
    reference: Cube


def validation_images(
    image: CachedImage,
    wavelengths: Wavelengths,
    recipe: Recipe,
    *,
    held_out: bool,
    photographs: int = 1,
) -> Iterator[ValidationImage]:
    """The photograph of a cube, those simulated from it, or its coarse cube.

    Simulated ones are the same each time: they are seeded by the recipe's seed, the image's
    name, and the number of the capture.

    Parameters
    ----------
    image : CachedImage
    wavelengths : Wavelengths
        Of its cube.
    recipe : Recipe
    held_out : bool
        Whether to use the recipe's captures of held-out images, if there are any, instead of
        its camera.
    photographs : int
        Number of photographs to simulate with each capture.

    Yields
    ------
    ValidationImage

    Raises
    ------
    InputError
        If there is no photograph and no camera to simulate one with, or the wavelengths do not
        fit the cube.
    """
    if len(wavelengths) != image.cube.shape[0]:
        raise InputError(
            f"{image.name} has {image.cube.shape[0]} bands, but {len(wavelengths)} wavelengths "
            f"({wavelengths.describe()}) were expected."
        )
    if recipe.coarse is not None:
        yield _coarse(image, wavelengths, recipe.coarse)
        return
    if image.rgb is not None:
        encoding = image.rgb_encoding or recipe.data.input_encoding
        yield ValidationImage(
            image.name,
            Photograph(image.rgb, encoding, name=image.name),
            Cube(image.cube, wavelengths, name=image.name),
        )
        return
    captures = [settings for settings in captures_of(recipe, held_out) for _ in range(photographs)]
    if not captures:
        raise InputError(
            f"{image.name} has no photograph, and the recipe names no camera to simulate one: "
            "set camera, or give photographs."
        )
    used: set[str] = set()
    for number, settings in enumerate(captures):
        yield _simulated(image, wavelengths, settings, recipe.seed, number, len(captures) > 1, used)


def _coarse(
    image: CachedImage, wavelengths: Wavelengths, coarse: CoarseSettings
) -> ValidationImage:
    """A cube and its coarse one by the first degradation; remaining rows and columns are cut off."""
    from napari_hsr.resample import degrade, modcrop

    fine = modcrop(Cube(image.cube, wavelengths, name=image.name), coarse.scale)
    return ValidationImage(image.name, degrade(fine, coarse.scale, coarse.degradations[0]), fine)


def captures_of(recipe: Recipe, held_out: bool) -> Sequence[CaptureSettings]:
    """How cubes are photographed: the captures of held-out images, or the camera of the training."""
    if held_out and recipe.validation.captures:
        return recipe.validation.captures
    return () if recipe.camera is None else (recipe.camera,)


def varies(settings: CaptureSettings) -> bool:
    """Whether photographs with these settings differ in more than their noise."""
    from napari_hsr.cameras.illuminants import BLACKBODY, known_light
    from napari_hsr.cameras.sensitivities import camera_pool

    ranges = (settings.exposure, settings.auto_exposure, settings.photoelectrons, settings.jpeg)
    return (
        settings.preset == "ntire2022"
        or settings.mix_cameras
        or settings.white_balance_error > 0
        or bool(settings.cameras and len(camera_pool(settings.cameras, settings.leave_out)) > 1)
        or len(settings.illuminants) > 1
        or any(known_light(name).name == BLACKBODY for name in settings.illuminants)
        or any(isinstance(r, tuple) and r[0] < r[1] for r in ranges)
    )


def _simulated(
    image: CachedImage,
    wavelengths: Wavelengths,
    settings: CaptureSettings,
    seed: int,
    number: int,
    several: bool,
    used: set[str],
) -> ValidationImage:
    from napari_hsr.cameras.random_camera import draw

    rng = np.random.default_rng(
        [seed, zlib.crc32(image.name.encode(errors="surrogatepass")), number]
    )
    capture = draw(settings, np.asarray(wavelengths), rng, image.thumbnail)
    name = f"{image.name}, {capture.camera_name}" if several else image.name
    if name in used:
        name = f"{name} ({number + 1})"
    used.add(name)
    rgb = capture.take(np.asarray(image.cube), rng)
    gain = np.float32(capture.gain)
    reference = image.cube if gain == 1 else np.asarray(image.cube) * gain
    return ValidationImage(
        name, Photograph(rgb, capture.encoding, name=name), Cube(reference, wavelengths, name=name)
    )
