"""The camera pipelines of the NTIRE challenges on spectral reconstruction, as published.

Cubes and pictures are in 0..1: where a challenge scales its sensitivity curves to a sum of 255 or
65,535, the sum is 1 here. Two challenges did not publish their sensor and its noise; users may
state them, otherwise a stand-in is used, with a notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cameras.pipeline import Capture, mean_brightness
from napari_hsr.cameras.response import Response, matrix
from napari_hsr.cameras.sensitivities import MEASURED, Camera, get_camera
from napari_hsr.cameras.settings import draw_value
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import CAMERA

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.cameras.settings import CaptureSettings

#: 2020, real world: mean of the green channel, and standard deviation of the dark noise, both in
#: photoelectrons.
TARGET_ELECTRONS_2020, DARK_2020 = 5000.0, 100.0
QUALITY_2020 = 80

#: 2022: photoelectrons at the value 1 before exposure, gains of red, green and blue, and mean of
#: the exposed picture, the reflectance of a typical scene.
ELECTRONS_2022 = 750.0
GAINS_2022 = (2.2933984, 1.0, 1.62308182)
MEAN_2022 = 0.18
QUALITY_2022 = 65

_STAND_IN = MEASURED[0]


def draw_preset(
    settings: CaptureSettings,
    nm: tuple[float, ...],
    rng: np.random.Generator,
    thumbnail: np.ndarray | None,
) -> Capture:
    """The capture of a preset; parameters and errors as of :func:`cameras.random_camera.draw`."""
    pipelines: dict[str, Callable[..., Capture]] = {
        "ntire2020-clean": _clean_2020,
        "ntire2020-real-world": _real_world_2020,
        "ntire2022": _challenge_2022,
    }
    return pipelines[str(settings.preset)](settings, nm, rng, thumbnail)


def _clean_2020(settings: CaptureSettings, nm: tuple[float, ...], *_: object) -> Capture:
    """CIE 1964 curves of sum 255, truncated to 8 bits; no illuminant, no noise."""
    camera = get_camera(settings.sensitivities or "cie-1964")
    return Capture(
        camera_name=camera.name,
        light="no illuminant",
        response=Response(matrix(camera, np.array(nm), None, "sum"), np.ones(3), None),
        gain=1.0,
        encoding=CAMERA + camera.slug,
        clip=True,
        bits=8,
        truncate=True,
        made=(
            f"As in the clean track of NTIRE 2020: x̄, ȳ and z̄, linear, of {camera.name} "
            f"({camera.source}), each curve scaled to sum 1 (255 in the file).",
        ),
    )


def _real_world_2020(
    settings: CaptureSettings,
    nm: tuple[float, ...],
    rng: np.random.Generator,
    thumbnail: np.ndarray | None,
) -> Capture:
    """Bayer pattern, shot noise relative to the mean of green, and dark noise.

    The analogue gain is assumed to undo the scaling to photoelectrons.
    """
    camera, notes = _sensor(settings, "2020, real world")
    sensor = matrix(camera, np.array(nm), None, "sum")
    target = draw_value(settings.photoelectrons or TARGET_ELECTRONS_2020, rng, log=True)
    electrons = target / mean_brightness(thumbnail, sensor[:, 1:2])
    return Capture(
        camera_name=camera.name,
        light="no illuminant",
        response=Response(sensor, np.ones(3), None),
        gain=1.0,
        encoding=CAMERA + camera.slug,
        electrons=electrons,
        read_noise=DARK_2020 / electrons,
        clip=True,
        bits=8,
        quality=QUALITY_2020,
        pattern=True,
        notes=notes,
        made=(
            f"As in the real-world track of NTIRE 2020: the camera {camera.name}, each curve "
            f"scaled to sum 1, the mean of green exposed to {target:,.0f} photoelectrons.",
        ),
    )


def _challenge_2022(
    settings: CaptureSettings,
    nm: tuple[float, ...],
    rng: np.random.Generator,
    thumbnail: np.ndarray | None,
) -> Capture:
    """Quantum efficiencies times gains, shot noise before exposure, exposed to a mean of 0.18."""
    camera, notes = _sensor(settings, "2022")
    grid = np.array(nm)
    curves = matrix(camera, grid, None, None)
    gains = np.array(GAINS_2022)
    if settings.sensitivities is None:  # the gains are for another sensor: use this one's white
        gains = curves.sum(axis=0).max() / curves.sum(axis=0)
    curves = curves * gains
    # A perfect reflector is scaled to 1 in its brightest channel, as everywhere here;
    # photoelectrons are in the challenge's units.
    unit = curves.sum(axis=0).max()
    sensor = curves / unit
    gain = MEAN_2022 / mean_brightness(thumbnail, sensor)
    electrons = draw_value(settings.photoelectrons or ELECTRONS_2022, rng, log=True)
    return Capture(
        camera_name=camera.name,
        light="no illuminant",
        response=Response(sensor, np.ones(3), None),
        gain=gain,
        encoding=CAMERA + camera.slug,
        electrons=electrons * unit / gain,
        clip=True,
        bits=8,
        quality=QUALITY_2022,
        truncate=True,
        notes=notes,
        made=(
            f"As in NTIRE 2022: the camera {camera.name} with the gains "
            f"{gains[0]:.3f}, {gains[1]:.3f}, {gains[2]:.3f}, {electrons:,.0f} photoelectrons at "
            f"the value 1 before exposure, exposed to a mean of {MEAN_2022}.",
        ),
    )


def _sensor(settings: CaptureSettings, challenge: str) -> tuple[Camera, tuple[Notice, ...]]:
    if settings.sensitivities is not None:
        return get_camera(settings.sensitivities), ()
    camera = get_camera(_STAND_IN)
    told = (
        f"The sensor of NTIRE {challenge} was not published, so the camera {camera.name} stands in "
        "for it: figures are not comparable with the challenge's."
    )
    return camera, (Notice.warning(Code.STAND_IN_SENSOR, told),)
