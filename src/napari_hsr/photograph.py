"""A three-channel photograph and the encoding that its numbers are in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.arrays import unmasked
from napari_hsr.errors import InputError
from napari_hsr.notices import Notice, as_notices
from napari_hsr.provenance import Provenance

#: sRGB transfer curve applied (what cameras and web pages deliver).
SRGB = "srgb"
#: Linear light, sRGB primaries, D65 white.
LINEAR_SRGB = "linear-srgb"
#: CIE 1931 XYZ under D65, Y = 1 for the perfect reflector.
XYZ_D65 = "xyz-d65"
#: Prefix of a named camera's linear response, e.g. ``camera:nikon-d700``.
CAMERA = "camera:"
#: Other spellings of these.
_ALIASES = {
    "s-rgb": SRGB,
    "srgb-encoded": SRGB,
    "gamma": SRGB,
    "linear": LINEAR_SRGB,
    "srgb-linear": LINEAR_SRGB,
    "linear-rgb": LINEAR_SRGB,
    "linear-s-rgb": LINEAR_SRGB,
    "xyz": XYZ_D65,
    "cie-xyz": XYZ_D65,
    "ciexyz": XYZ_D65,
}

#: Makers by which the name of a camera is recognised: ``nikon-d700``.
_MAKERS = (
    *("agfa", "apple", "arri", "arashi", "basler", "blackmagic", "canon", "casio", "dji"),
    *("fuji", "fujifilm", "google", "gopro", "hasselblad", "huawei", "kodak", "leica"),
    *("minolta", "nikon", "nokia", "olympus", "panasonic", "pentax", "phase-one", "point-grey"),
    *("red", "ricoh", "samsung", "sigma", "sony", "ximea", "xiaomi"),
)
#: Share of full scale from which a stored integer counts as saturated.
SATURATED = 0.999


def slug(name: str) -> str:
    """``name`` in lower case with hyphens: ``"Nikon_D700"`` → ``"nikon-d700"``."""
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")


def camera_encoding(name: str) -> str:
    """The encoding of a camera's linear response: ``camera:nikon-d700``."""
    return CAMERA + slug(name)


def encoding_named(text: str) -> str | None:
    """The encoding that a text names in any spelling: ``"linear-srgb"`` of ``"linear"``; None if it names none."""
    word = text.strip()
    if word.lower().startswith(CAMERA):
        name = slug(word[len(CAMERA) :])
        return CAMERA + name if name else None
    key = slug(word)
    if key in (SRGB, LINEAR_SRGB, XYZ_D65):
        return key
    if key in _ALIASES:
        return _ALIASES[key]
    return CAMERA + key if any(key.startswith(f"{maker}-") for maker in _MAKERS) else None


@told
@dataclass(eq=False, repr=False)
class Photograph:
    """A colour image with its encoding stated.

    Attributes
    ----------
    data : ndarray, shape (height, width, 3)
        uint8 or uint16 (full scale = 1.0), or floating point in 0..1.
    encoding : str or None
        ``"srgb"``, ``"linear-srgb"``, ``"xyz-d65"``, ``"camera:<name>"``; None if it is
        not known, and then nothing is reconstructed until the user states it.
    name : str
        A short name for lists, layers and file names.
    provenance : Provenance
        Where it comes from.
    notices : tuple of Notice
        What the user must see.
    metadata : dict
        JSON-like facts (bit depth, ICC profile name, camera model, place on the ground…).
    measured : Photograph or None
        What the camera measured of the same pixels, where a camera profile made this of it.

    Raises
    ------
    InputError
        If the array is not (height, width, 3), is empty, or has another data type.
    """

    data: np.ndarray
    encoding: str | None = SRGB
    name: str = "photograph"
    provenance: Provenance = field(default_factory=Provenance)
    notices: tuple[Notice, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    measured: Photograph | None = None

    def __post_init__(self) -> None:
        self.notices = as_notices(self.notices)
        if isinstance(self.data, np.ma.MaskedArray):
            if self.data.dtype.kind != "f" and np.ma.is_masked(self.data):
                raise InputError(
                    "Pixels of this photograph are hidden by a mask, which whole numbers cannot say: "
                    "give floating-point values in 0..1 with NaN for them."
                )
            self.data = unmasked(self.data)
        shape = tuple(np.shape(self.data))
        if len(shape) != 3 or shape[2] != 3:
            raise InputError(
                f"A photograph has three colour channels (height, width, 3); this has shape {shape}."
            )
        if 0 in shape:
            raise InputError(f"The photograph is empty: shape {shape}.")
        if not (self.data.dtype in (np.uint8, np.uint16) or self.data.dtype.kind == "f"):
            raise InputError(
                f"A photograph holds 8-bit, 16-bit or floating-point values, not {self.data.dtype}."
            )

    def __repr__(self) -> str:
        size = f"{self.height} × {self.width} pixels, {self.data.dtype}"
        return f"<Photograph {self.name!r}: {size}, {self.encoding or 'encoding unknown'}>"

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.data.shape[1])

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON and for ``napari-hsr info``."""
        from napari_hsr.cube import jsonable

        return {
            "kind": "photograph",
            "name": self.name,
            "shape": list(self.data.shape),
            "dtype": str(self.data.dtype),
            "encoding": self.encoding,
            "provenance": self.provenance.to_dict(),
            "metadata": jsonable(self.metadata),
            "notices": [notice.text for notice in self.notices],
        }


def saturated(stored: np.ndarray) -> np.ndarray:
    """Which stored values only say "at least this"; same shape, bool.

    Of floating point 1 itself: a clip leaves it, while other light hardly ever measures it.
    """
    integers = stored.dtype.kind == "u"
    out: np.ndarray = stored >= SATURATED * np.iinfo(stored.dtype).max if integers else stored == 1
    return out


def unit_float(values: np.ndarray) -> np.ndarray:
    """Integers scaled by their full range, floats as they are; float32, same shape.

    ``unit_float(uint8 255) == unit_float(uint16 65535) == 1``.
    """
    values = np.asarray(values)
    if values.dtype == np.uint8 or values.dtype == np.uint16:
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return values.astype(np.float32, copy=False)
