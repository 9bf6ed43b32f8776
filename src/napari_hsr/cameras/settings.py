"""How photographs are simulated from cubes for training: a camera, not a formula.

Settings alone; :mod:`napari_hsr.cameras.random_camera` carries them out. A number stands for itself
and a pair for a range from which each photograph draws.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: One value, or (least, highest): drawn anew for each photograph.
Draw = float | tuple[float, float]


class CaptureSettings(BaseModel):
    """The steps from a cube to a photograph, in this order; each may be left out.

    Attributes
    ----------
    preset : str or None
        ``ntire2020-clean``, ``ntire2020-real-world`` or ``ntire2022``: a challenge's whole
        pipeline. Nothing else may then be set but its ``sensitivities`` and
        ``photoelectrons``, where the challenge kept its own secret.
    cameras : tuple of str
        As :func:`napari_hsr.cameras.get_camera` takes them, or ``table.csv:*`` for every camera
        of a table; each photograph draws one.
    leave_out : tuple of str
        Cameras of the tables that are never drawn: kept for measuring on unseen cameras.
    mix_cameras : bool
        Draw convex mixtures of two of the cameras too.
    normalise : {"sum", "white", None}
        As :func:`napari_hsr.cameras.matrix`.
    illuminants : tuple of str
        Names of CIE illuminants, ``equal-energy``, or ``blackbody`` (2,500–8,000 K); each
        photograph draws one. Empty: the cube is taken as it is (a CIE observer sees it
        under D65).
    white_balance : bool
        Channels scaled so that a perfect reflector is neutral.
    white_balance_error : float
        Standard deviation of ln(gain) of the red and the blue channel after it.
    colour_matrix : bool
        From the camera's white-balanced response to linear sRGB, by least squares over
        measured-like reflectances, white kept.
    exposure : Draw or None
        Exposure as a factor on the linear photograph; drawn log-uniformly.
    auto_exposure : Draw or None
        The photograph's mean becomes this, before ``exposure``.
    photoelectrons : Draw or None
        At the value 1 of the exposed sensor, which its brightest channel records of a white
        exposed × 1; shot noise. It arises before the white balance and the colour matrix,
        which amplify it. None for none.
    read_noise : Draw
        Standard deviation, there too and in the same units.
    clip : bool
        To 0..1, after the white balance and after the colour matrix, as a camera does. Files
        of integers are always clipped.
    encoding : {"linear", "srgb"}
        Of the file.
    bits : 8, 16 or None
        Rounding; None for none.
    jpeg : Draw or None
        Quality 1..100. None for none.
    jpeg_probability : float
        How many of the photographs are JPEG files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Literal["ntire2020-clean", "ntire2020-real-world", "ntire2022"] | None = None
    sensitivities: str | None = None
    cameras: tuple[str, ...] = ("cie-1931",)
    leave_out: tuple[str, ...] = ()
    mix_cameras: bool = False
    normalise: Literal["sum", "white"] | None = "sum"
    illuminants: tuple[str, ...] = ()
    white_balance: bool = False
    white_balance_error: Annotated[float, Field(ge=0, le=1)] = 0.0
    colour_matrix: bool = False
    auto_exposure: Draw | None = None
    exposure: Draw | None = None
    photoelectrons: Draw | None = None
    read_noise: Draw = 0.0
    clip: bool = False
    encoding: Literal["linear", "srgb"] = "linear"
    bits: Literal[8, 16] | None = None
    jpeg: Draw | None = None
    jpeg_probability: Annotated[float, Field(ge=0, le=1)] = 1.0

    @field_validator("auto_exposure", "exposure", "photoelectrons", "read_noise", "jpeg")
    @classmethod
    def _ascending(cls, value: Draw | None) -> Draw | None:
        pair = value if isinstance(value, tuple) else (value or 0.0,) * 2
        if pair[0] > pair[1] or pair[0] < 0:
            raise ValueError(f"a range runs from the least to the highest value, not {value}")
        return value
