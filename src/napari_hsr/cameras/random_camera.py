"""Photographs of cubes for training: a camera drawn at random from stated ranges.

Exposure and photoelectrons are drawn uniformly in their logarithm, all else uniformly. What a
capture then does is in :mod:`napari_hsr.cameras.pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cameras.cut_off import cut_off, ends_inside, in_short
from napari_hsr.cameras.illuminants import BLACKBODY, KELVIN, Light, draw_light, light_pool
from napari_hsr.cameras.ntire_presets import draw_preset
from napari_hsr.cameras.pipeline import Capture, mean_brightness
from napari_hsr.cameras.response import (
    NORMALISATIONS,
    Response,
    mixture,
    remembered_response,
    response,
)
from napari_hsr.cameras.sensitivities import camera_pool, get_camera
from napari_hsr.cameras.settings import check_consistency, draw_value
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import CAMERA, LINEAR_SRGB, SRGB

if TYPE_CHECKING:
    from napari_hsr.cameras.sensitivities import Camera
    from napari_hsr.cameras.settings import CaptureSettings

#: Draws of a measured light before it is said that none will do.
_DRAWS = 50
#: Nobody photographs under a light for which the colour matrix has a larger coefficient.
_STEEPEST = 5.0


def draw(
    settings: CaptureSettings,
    wavelengths_nm: np.ndarray,
    rng: np.random.Generator,
    thumbnail: np.ndarray | None = None,
) -> Capture:
    """Draw a camera, light, exposure and file format from the ranges of the settings.

    Parameters
    ----------
    settings : CaptureSettings
    wavelengths_nm : array-like, shape (bands,)
        Band centres of the cubes.
    rng : Generator
    thumbnail : ndarray, shape (bands, h, w)
        The whole image at low resolution, by averaging; needed for auto exposure and the presets
        that expose by the image's mean.

    Returns
    -------
    Capture

    Raises
    ------
    InputError, FileError
        If the settings contradict each other, a camera, table or light is not known or does not
        fit the bands, or the thumbnail is missing.
    """
    check_consistency(settings)
    nm = _grid(wavelengths_nm)
    if settings.preset is not None:
        return draw_preset(settings, nm, rng, thumbnail)
    camera, light, seen = _draw_response(settings, rng, nm)
    if settings.white_balance_error > 0:
        red, blue = np.exp(rng.normal(0.0, settings.white_balance_error, 2))
        seen = Response(seen.sensor, seen.balance * (red, 1.0, blue), seen.correction)
    gain = 1.0
    if settings.auto_exposure is not None:
        gain = draw_value(settings.auto_exposure, rng) / mean_brightness(thumbnail, seen.whole)
    if settings.exposure is not None:
        gain *= draw_value(settings.exposure, rng, log=True)
    electrons = settings.photoelectrons
    quality = None
    if settings.jpeg is not None and rng.random() < settings.jpeg_probability:
        quality = round(draw_value(settings.jpeg, rng))
    return Capture(
        camera_name=camera.name,
        light=light.describe() if light else "no illuminant",
        response=seen,
        gain=float(gain),
        encoding=_encoding(settings, camera),
        electrons=None if electrons is None else draw_value(electrons, rng, log=True),
        read_noise=draw_value(settings.read_noise, rng),
        clip=settings.clip,
        bits=settings.bits,
        quality=quality,
        made=_made(settings, camera, light),
    )


def _draw_response(
    settings: CaptureSettings, rng: np.random.Generator, nm: tuple[float, ...]
) -> tuple[Camera, Light | None, Response]:
    """Draw a camera under a light; of measured lights only those that it can be balanced for."""
    how = (settings.normalise, settings.white_balance, settings.colour_matrix)
    for _ in range(_DRAWS):
        camera, mixed = _draw_camera(settings, rng, nm)
        light = draw_light(settings.illuminants, rng)
        if light is None or light.table is None:
            again = not mixed and (light is None or light.kelvin is None)
            return (
                camera,
                light,
                (remembered_response if again else response)(camera, light, nm, *how),
            )
        seen = _balanced(camera, light, nm, *how)
        if seen is not None:
            return camera, light, seen
    raise InputError(
        f"The cameras see no colours under the lights {', '.join(settings.illuminants)}: "
        "lights with power from 400 to 700 nm are needed."
    )


def _balanced(camera: Camera, light: Light, nm: tuple[float, ...], *how: Any) -> Response | None:
    """The response under a measured light; None if no colours can be seen under it."""
    try:
        seen = response(camera, light, nm, *how)
    except InputError:
        return None  # no power where the camera sees, as that of lamps of one colour
    steep = seen.correction is not None and np.abs(seen.correction).max() > _STEEPEST
    return None if steep else seen


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
    """Refuse settings for which a draw could fail, before training starts.

    Every camera is tried under every light.

    Raises
    ------
    InputError, FileError
        As :func:`draw`.
    """
    check_consistency(settings)
    nm = _grid(wavelengths_nm)
    if settings.preset is not None:
        draw_preset(settings, nm, np.random.default_rng(0), np.ones((len(nm), 1, 1)))
        return
    lights: list[Light | None] = []
    how = (settings.normalise, settings.white_balance, settings.colour_matrix)
    pool = camera_pool(settings.cameras, settings.leave_out)
    for name in settings.illuminants:
        found = light_pool(name)
        if found[0].table is not None:
            if not any(_balanced(pool[0], each, nm, *how) for each in found):
                raise InputError(
                    f"The camera {pool[0].name} sees no colours under the lights of {name}."
                )
        elif found[0].name == BLACKBODY:
            lights += [Light(BLACKBODY, kelvin) for kelvin in KELVIN]
        else:
            lights += found
    for camera in pool:
        for each in lights or ([] if settings.illuminants else [None]):
            remembered_response(camera, each, nm, *how)


def doubts(settings: CaptureSettings, wavelengths_nm: np.ndarray) -> tuple[Notice, ...]:
    """What is assumed of cameras and lights whose tables end before the bands do.

    Parameters
    ----------
    settings : CaptureSettings
        That :func:`check` accepts.
    wavelengths_nm : ndarray, shape (bands,)
        In nm.
    """
    if settings.preset is not None:  # of whose lights there are no tables
        named = settings.sensitivities
        return () if named is None else cut_off((get_camera(named),), wavelengths_nm)
    told = list(cut_off(camera_pool(settings.cameras, settings.leave_out), wavelengths_nm))
    lights = [light for name in settings.illuminants for light in light_pool(name) if light.table]
    short = [
        f"{light.name} ({light.table[0][0]:g}–{light.table[0][-1]:g} nm)"
        for light in lights
        if light.table and any(ends_inside(light.table[0], wavelengths_nm))
    ]
    if short:
        text = f"Lights whose tables end inside the bands: {in_short(short)}. Their last values are taken beyond."
        told.append(Notice.warning(Code.CURVES_CUT_OFF, text))
    return tuple(told)


def _grid(wavelengths_nm: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(wavelengths_nm, dtype=np.float64).ravel().tolist())
