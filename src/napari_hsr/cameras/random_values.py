"""Numbers from ranges, settings that contradict themselves, and how bright an image is."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_hsr.cameras.illuminants import known_light
from napari_hsr.cameras.settings import CaptureSettings, Draw
from napari_hsr.errors import InputError


def number(value: Draw, rng: np.random.Generator, log: bool = False) -> float:
    """A value, or one drawn from a range: evenly, or evenly in its logarithm."""
    if not isinstance(value, tuple):
        return float(value)
    low, high = value
    if log and low > 0:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


def mean_brightness(thumbnail: np.ndarray | None, matrix: np.ndarray) -> float:
    """The mean of an image's linear photograph at gain 1, over pixels and channels.

    Raises
    ------
    InputError
        If there is no thumbnail, or it is black.
    """
    if thumbnail is None:
        raise InputError("Exposing by the picture takes the picture in small: its thumbnail.")
    spectrum = np.asarray(thumbnail, dtype=np.float64).reshape(len(thumbnail), -1).mean(axis=1)
    if spectrum.size != len(matrix):
        raise InputError(f"The thumbnail has {spectrum.size} bands; {len(matrix)} are wanted.")
    mean = float((spectrum @ matrix).mean())
    if not (np.isfinite(mean) and mean > 0):
        raise InputError("The image is black, or not finite, so it cannot be exposed by its mean.")
    return mean


@lru_cache(maxsize=64)
def consistent(settings: CaptureSettings) -> None:
    """Refuse settings that contradict themselves or name a light that is not known.

    Raises
    ------
    InputError
        In one sentence.
    """
    for name in settings.illuminants:
        known_light(name)
    for name in ("auto_exposure", "exposure", "photoelectrons"):
        value = getattr(settings, name)
        if value is not None and (value[0] if isinstance(value, tuple) else value) <= 0:
            raise InputError(
                f"The camera's {name} must be above 0, not {value}; leave it out for none."
            )
    if settings.jpeg is not None:
        low, high = settings.jpeg if isinstance(settings.jpeg, tuple) else (settings.jpeg,) * 2
        if low < 1 or high > 100:
            raise InputError(f"A JPEG file has a quality of 1 to 100, not {settings.jpeg}.")
    if settings.preset is None:
        if settings.sensitivities is not None:
            raise InputError(
                "The camera's sensitivities are for a preset; without one, name tables in cameras."
            )
        neutral = settings.white_balance or settings.normalise == "white"
        neutral = neutral or (settings.normalise == "sum" and not settings.illuminants)
        if settings.colour_matrix and not neutral:
            raise InputError(
                "A colour matrix starts from a white-balanced response: "
                "set white_balance too, or leave colour_matrix out."
            )
        return
    default = CaptureSettings()
    for name in CaptureSettings.model_fields:
        free = name in ("preset", "sensitivities", "photoelectrons")
        if not free and getattr(settings, name) != getattr(default, name):
            raise InputError(
                f"The preset {settings.preset} is a whole pipeline, so the camera's {name} "
                "cannot be set beside it; leave one of the two out."
            )
    if settings.preset == "ntire2020-clean" and settings.photoelectrons is not None:
        raise InputError("The preset ntire2020-clean has no noise; leave photoelectrons out.")
