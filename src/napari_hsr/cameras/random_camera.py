"""Photographs of cubes for training and testing: a camera drawn from stated ranges.

Exposure and photoelectrons are drawn evenly in their logarithm, all others evenly.
:mod:`napari_hsr.cameras.pipeline` says what a capture then does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cameras.camera_pool import camera_pool
from napari_hsr.cameras.illuminants import BLACKBODY, KELVIN, Light, draw_light, known_light
from napari_hsr.cameras.ntire_presets import draw_preset
from napari_hsr.cameras.pipeline import Capture
from napari_hsr.cameras.random_values import consistent, mean_brightness, number
from napari_hsr.cameras.response import Response, mixture, remembered_response, response
from napari_hsr.cameras.simulate import NORMALISATIONS
from napari_hsr.colour.render import row_blocks
from napari_hsr.cube import Cube, jsonable
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice, as_notices
from napari_hsr.photograph import CAMERA, LINEAR_SRGB, SRGB, Photograph

if TYPE_CHECKING:
    from napari_hsr.cameras.sensitivities import Camera
    from napari_hsr.cameras.settings import CaptureSettings

__all__ = ["Capture", "check", "draw", "photograph", "thumbnail"]


def draw(
    settings: CaptureSettings,
    wavelengths_nm: np.ndarray,
    rng: np.random.Generator,
    thumbnail: np.ndarray | None = None,
) -> Capture:
    """One camera, light, exposure and file from the ranges of the settings.

    Parameters
    ----------
    settings : CaptureSettings
    wavelengths_nm : array-like, shape (bands,)
        Band centres of the cubes.
    rng : Generator
    thumbnail : ndarray, shape (bands, h, w)
        The whole image in small, by averaging; for auto exposure and the presets that expose
        by the picture. Others need none.

    Returns
    -------
    Capture

    Raises
    ------
    InputError, FileError
        If the settings contradict each other, a camera, table or light is not known or does not
        fit the bands, or the thumbnail is missing.
    """
    consistent(settings)
    nm = _grid(wavelengths_nm)
    if settings.preset is not None:
        return draw_preset(settings, nm, rng, thumbnail)
    camera, mixed = _draw_camera(settings, rng, nm)
    light = draw_light(settings.illuminants, rng)
    how = (settings.normalise, settings.white_balance, settings.colour_matrix)
    again = not mixed and (light is None or light.kelvin is None)
    seen = (remembered_response if again else response)(camera, light, nm, *how)
    if settings.white_balance_error > 0:
        red, blue = np.exp(rng.normal(0.0, settings.white_balance_error, 2))
        seen = Response(seen.sensor, seen.balance * (red, 1.0, blue), seen.correction)
    gain = 1.0
    if settings.auto_exposure is not None:
        gain = number(settings.auto_exposure, rng) / mean_brightness(thumbnail, seen.whole)
    if settings.exposure is not None:
        gain *= number(settings.exposure, rng, log=True)
    electrons = settings.photoelectrons
    quality = None
    if settings.jpeg is not None and rng.random() < settings.jpeg_probability:
        quality = round(number(settings.jpeg, rng))
    return Capture(
        camera_name=camera.name,
        light=light.describe() if light else "no light of its own",
        response=seen,
        gain=float(gain),
        encoding=_encoding(settings, camera),
        electrons=None if electrons is None else number(electrons, rng, log=True),
        read_noise=number(settings.read_noise, rng),
        clip=settings.clip,
        bits=settings.bits,
        quality=quality,
        made=_made(settings, camera, light),
    )


def _draw_camera(
    settings: CaptureSettings, rng: np.random.Generator, nm: tuple[float, ...]
) -> tuple[Camera, bool]:
    pool = camera_pool(settings.cameras, settings.leave_out)
    camera = pool[rng.integers(len(pool))]
    if not settings.mix_cameras or len(pool) < 2 or rng.random() < 0.5:
        return camera, False
    other = pool[rng.integers(len(pool))]
    share = rng.uniform()
    if other is camera or camera.observer or other.observer:
        return camera, False
    return mixture(camera, other, share, nm), True


def _encoding(settings: CaptureSettings, camera: Camera) -> str:
    if settings.encoding == "srgb":
        return SRGB
    return LINEAR_SRGB if camera.observer or settings.colour_matrix else CAMERA + camera.slug


def _made(settings: CaptureSettings, camera: Camera, light: Light | None) -> tuple[str, ...]:
    source = f" ({camera.source})" if camera.source else ""
    under = f"under {light.describe()}" if light else "with no light applied"
    if camera.observer:
        under = under if light else "under the illuminant D65"
        return (f"Rendered to linear sRGB for the observer {camera.name}{source} {under}.",)
    said = [
        f"Photographed by the camera {camera.name}{source} {under}, "
        f"{NORMALISATIONS[settings.normalise]}."
    ]
    if settings.colour_matrix:
        said.append(
            "Colour matrix to linear sRGB by least squares over 123 reflectances, white kept."
        )
    return tuple(said)


def check(settings: CaptureSettings, wavelengths_nm: np.ndarray) -> None:
    """Refuse settings of which a draw could fail, before hours are spent on them.

    Every camera is tried under every light.

    Raises
    ------
    InputError, FileError
        As :func:`draw`.
    """
    consistent(settings)
    nm = _grid(wavelengths_nm)
    if settings.preset is not None:
        draw_preset(settings, nm, np.random.default_rng(0), np.ones((len(nm), 1, 1)))
        return
    lights: list[Light | None] = []
    for name in settings.illuminants:
        light = known_light(name)
        open_ = light.name == BLACKBODY
        lights += [Light(BLACKBODY, kelvin) for kelvin in KELVIN] if open_ else [light]
    how = (settings.normalise, settings.white_balance, settings.colour_matrix)
    for camera in camera_pool(settings.cameras, settings.leave_out):
        for each in lights or [None]:
            remembered_response(camera, each, nm, *how)


def _grid(wavelengths_nm: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(wavelengths_nm, dtype=np.float64).ravel().tolist())


def thumbnail(cube: Cube | np.ndarray, side: int = 64) -> np.ndarray:
    """A whole cube in small: each pixel the average of a square of the cube's.

    Parameters
    ----------
    cube : Cube or ndarray, shape (bands, h, w)
        Lazy cubes are read row by row.
    side : int
        Most pixels a side.

    Returns
    -------
    ndarray, shape (bands, rows, columns), float32
        Values that are not finite do not count; where there are no others it is 0.
    """
    cube = cube if isinstance(cube, Cube) else Cube(np.asarray(cube))
    bands, height, width = cube.shape
    step = max(1, -(-max(height, width) // side))
    out = []
    for _, block in row_blocks(cube, slice(0, bands), step):
        finite = np.isfinite(block)
        starts = np.arange(0, width, step)
        total = np.add.reduceat(np.where(finite, block, 0).sum(1, dtype=np.float64), starts, 1)
        count = np.add.reduceat(finite.sum(1), starts, 1)
        out.append(total / np.maximum(count, 1))
    return np.stack(out, axis=1).astype(np.float32)


def photograph(cube: Cube, settings: CaptureSettings, seed: int = 0) -> Photograph:
    """The photograph that one drawn camera takes of a whole cube.

    Parameters
    ----------
    cube : Cube
        With known wavelengths; lazy cubes are read row by row.
    settings : CaptureSettings
    seed : int
        Of the draw and the noise: the same seed gives the same photograph.

    Returns
    -------
    Photograph
        uint8 or uint16 if the file is of integers, else float32. Its provenance names every
        step; ``metadata["gain"]`` is the factor with which the cube is what it shows. Pixels
        that were not finite are 0, with a notice, and so are clipped ones counted.

    Raises
    ------
    InputError, FileError
        If the wavelengths are not known, or as :func:`draw`.
    """
    if cube.wavelengths is None:
        raise InputError(
            "The wavelengths of this cube are not known, so it cannot be photographed: "
            "set them first."
        )
    rng = np.random.default_rng(seed)
    capture = draw(settings, cube.wavelengths.nm, rng, thumbnail(cube))
    sensor = np.empty((*cube.shape[1:], 3), dtype=np.float32)
    for at, block in row_blocks(cube, slice(0, cube.bands), None):
        sensor[at] = capture.expose(block)
    missing = ~np.isfinite(sensor).all(axis=-1)
    sensor[missing] = 0.0
    picture, over, under = capture.develop(sensor, rng)
    if capture.file_bits:
        dtype = np.uint8 if capture.file_bits == 8 else np.uint16
        picture = np.rint(picture * np.iinfo(dtype).max).astype(dtype)
    provenance = cube.provenance
    for step in capture.steps:
        provenance = provenance.with_step(step)
    return Photograph(
        picture,
        encoding=capture.encoding,
        name=f"{cube.name} photographed",
        provenance=provenance,
        notices=(
            *as_notices(capture.notes),
            *_notices(int(missing.sum()), over, under, missing.size),
        ),
        metadata=_facts(capture, settings, seed),
    )


def _facts(capture: Capture, settings: CaptureSettings, seed: int) -> dict[str, Any]:
    return jsonable(
        {
            "camera": capture.camera_name,
            "light": capture.light,
            "gain": capture.gain,
            "seed": seed,
            "capture": settings.model_dump(mode="json", exclude_defaults=True),
        }
    )


def _notices(missing: int, over: int, under: int, pixels: int) -> list[Notice]:
    said = []
    if missing:
        told = f"{missing} of {pixels} pixels were not finite and are black here."
        said.append(Notice.warning(Code.NOT_FINITE, told))
    if over:
        told = f"{over} of {pixels} pixels were over-exposed and are clipped."
        said.append(Notice.warning(Code.PIXELS_CLIPPED, told))
    if under:
        told = (
            f"{under} of {pixels} pixels were below 0 (noise in the dark, or colours that sRGB "
            "does not hold) and are clipped."
        )
        said.append(Notice.info(Code.PIXELS_CLIPPED, told))
    return said
