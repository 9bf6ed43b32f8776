"""Settings of simulated photographs for training, and which of them contradict each other.

:mod:`napari_hsr.cameras.random_camera` carries them out. A number stands for itself; a pair is a
range from which a value is drawn for each photograph.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from napari_hsr.cameras.illuminants import light_pool
from napari_hsr.errors import InputError

#: A table, with the name of one of its entries or ``*`` after a colon.
_TABLE = re.compile(r"(?P<path>.+\.(?:csv|txt|tsv|npz))(?::.+)?", re.IGNORECASE)
#: One value, or (minimum, maximum): drawn anew for each photograph.
Draw = float | tuple[float, float]


class CaptureSettings(BaseModel):
    """The steps from a cube to a photograph, in this order, each optional.

    The string below a field is its description, which the Train panel shows as help
    (:func:`napari_hsr.training.recipe.descriptions.descriptions`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    preset: Literal["ntire2020-clean", "ntire2020-real-world", "ntire2022"] | None = None
    """``ntire2020-clean``, ``ntire2020-real-world`` or ``ntire2022``: a challenge's whole pipeline.
    Nothing else may then be set but its ``sensitivities`` and ``photoelectrons``, where the
    challenge kept its own secret."""
    sensitivities: str | None = None
    cameras: tuple[str, ...] = ("cie-1931",)
    """As :func:`napari_hsr.cameras.get_camera` takes them, or ``table.csv:*`` for every camera of a
    table; each photograph draws one."""
    leave_out: tuple[str, ...] = ()
    """Cameras of the tables that are never drawn: kept for measuring on unseen cameras."""
    mix_cameras: bool = False
    """Draw convex mixtures of two of the cameras too."""
    normalise: Literal["sum", "white"] | None = "sum"
    """As :func:`napari_hsr.cameras.matrix`."""
    illuminants: tuple[str, ...] = ()
    """Names of CIE illuminants, ``equal-energy``, ``blackbody`` (2,500–8,000 K), or measured lights
    as ``table.npz:NAME`` or ``table.csv:*`` (all of a table); each photograph draws one. Empty: the cube is taken as it is (a CIE observer sees it under D65)."""
    white_balance: bool = False
    """Channels scaled so that a perfect reflector is neutral."""
    white_balance_error: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Standard deviation of ln(gain) of the red and the blue channel after it."""
    colour_matrix: bool = False
    """From the camera's white-balanced response to linear sRGB, by least squares over measured-like
    reflectances, white kept."""
    auto_exposure: Draw | None = None
    """The photograph's mean becomes this, before ``exposure``."""
    exposure: Draw | None = None
    """Exposure as a factor on the linear photograph; drawn log-uniformly."""
    photoelectrons: Draw | None = None
    """At the value 1 of the exposed sensor, which its brightest channel records of a white exposed
    × 1; shot noise. It arises before the white balance and the colour matrix, which amplify it.
    None for none."""
    read_noise: Draw = 0.0
    """Standard deviation, there too and in the same units."""
    clip: bool = False
    """To 0..1, after the white balance and after the colour matrix, as a camera does. Files of
    integers are always clipped."""
    encoding: Literal["linear", "srgb"] = "linear"
    """Of the file."""
    bits: Literal[8, 16] | None = None
    """Rounding; None for none."""
    jpeg: Draw | None = None
    """Quality 1..100. None for none."""
    jpeg_probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How many of the photographs are JPEG files."""

    @property
    def table_files(self) -> tuple[str, ...]:
        """The tables of cameras and lights that are named, without the name of an entry."""
        named = (self.sensitivities or "", *self.cameras, *self.illuminants)
        found = (_TABLE.fullmatch(text.strip()) for text in named)
        return tuple(table["path"] for table in found if table)

    @field_validator("auto_exposure", "exposure", "photoelectrons", "read_noise", "jpeg")
    @classmethod
    def _ascending(cls, value: Draw | None) -> Draw | None:
        pair = value if isinstance(value, tuple) else (value or 0.0,) * 2
        if pair[0] > pair[1] or pair[0] < 0:
            raise ValueError(f"a range runs from the least to the highest value, not {value}")
        return value


def draw_value(value: Draw, rng: np.random.Generator, log: bool = False) -> float:
    """A value, or one drawn from a range: uniformly, or uniformly in its logarithm."""
    if not isinstance(value, tuple):
        return float(value)
    low, high = value
    if log and low > 0:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


@lru_cache(maxsize=64)
def check_consistency(settings: CaptureSettings) -> None:
    """Refuse settings that contradict themselves or name a light that is not known.

    Raises
    ------
    InputError
        Naming the setting.
    """
    for name in settings.illuminants:
        light_pool(name)
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
