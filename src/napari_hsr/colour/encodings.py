"""Encodings of photographs: names, possible conversions, and valid ranges of values."""

from __future__ import annotations

import math

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.errors import InputError
from napari_hsr.photograph import (
    CAMERA,
    LINEAR_SRGB,
    SRGB,
    XYZ_D65,
    Photograph,
    encoding_named,
)

#: Encodings that do not depend on a camera, in display order, with their labels. There is also a
#: named camera's linear response, ``camera:<name>``: see :func:`encoding_label`.
ENCODINGS: dict[str, str] = {
    SRGB: "sRGB (photographs from cameras and the web)",
    LINEAR_SRGB: "linear sRGB (linear light, D65)",
    XYZ_D65: "CIE 1931 XYZ (D65, white Y = 1)",
}

#: Valid float values of each encoding, with room for rounding, overshoot and, in linear light,
#: four stops above white, but not for 0..255.
_RANGES = {SRGB: (-0.1, 1.5), LINEAR_SRGB: (-1.0, 16.0), XYZ_D65: (-1.0, 16.0)}
_CAMERA_RANGE = (-1.0, 16.0)


def _known() -> str:
    return ", ".join([*ENCODINGS, f"{CAMERA}<name>"])


@told
def normalise_encoding(text: str) -> str:
    """Normalise the spelling of an encoding.

    Parameters
    ----------
    text : str
        ``"sRGB"``, ``"linear"``, ``"XYZ"``, ``"camera:Nikon_D700"``, ``"nikon-d700"``…

    Returns
    -------
    str
        ``"srgb"``, ``"linear-srgb"``, ``"xyz-d65"`` or ``"camera:<slug>"``.

    Raises
    ------
    InputError
        If it is none of these.
    """
    word = str(text).strip()
    named = encoding_named(word)
    if named is not None:
        return named
    if word.lower().startswith(CAMERA):
        raise InputError(f"The encoding {word!r} names no camera: write {CAMERA}nikon-d700.")
    raise InputError(f"The encoding {word!r} is not known; known are {_known()}.")


@told
def encoding_label(encoding: str | None) -> str:
    """Display name: ``"linear response of the camera nikon-d700"``."""
    if encoding is None:
        return "not known"
    if encoding.startswith(CAMERA):
        return f"linear response of the camera {encoding[len(CAMERA) :]}"
    return ENCODINGS.get(encoding, encoding)


def _short(encoding: str) -> str:
    names = {SRGB: "sRGB", LINEAR_SRGB: "linear sRGB", XYZ_D65: "CIE XYZ"}
    return names.get(encoding) or f"the {encoding_label(encoding)}"


@told
def why_not_convert(source: str | None, target: str | None) -> str | None:
    """Explain why values cannot be converted from one encoding to another.

    Parameters
    ----------
    source, target : str or None
        Encodings in any spelling that :func:`normalise_encoding` accepts; None if unknown.

    Returns
    -------
    str or None
        None if :func:`convert` supports it, else the reason in one sentence.
    """
    if source is None:
        return f"The encoding of this photograph is not known: state it ({_known()})."
    if target is None:
        return f"The encoding to convert to is not stated ({_known()})."
    try:
        source, target = normalise_encoding(source), normalise_encoding(target)
    except InputError as error:
        return str(error)
    if source == target or (source in ENCODINGS and target in ENCODINGS):
        return None
    if source in ENCODINGS:
        article = "An" if source == SRGB else "A"
        return (
            f"{article} {_short(source)} photograph cannot be turned into {_short(target)}: "
            "that takes the camera's own raw values; choose a model made for linear sRGB, or, if "
            f"these values are that camera's, state their encoding: {target}."
        )
    if target in ENCODINGS:
        return (
            f"A photograph in {_short(source)} cannot be turned into {_short(target)}: "
            "that takes a colour profile of this camera; choose a model made for this camera."
        )
    return (
        f"A photograph in {_short(source)} cannot be turned into {_short(target)}: "
        "each camera sees other parts of the spectrum; choose a model made for this camera."
    )


@told
def check_range(data: np.ndarray, encoding: str | None, name: str = "The photograph") -> str | None:
    """Explain why float values do not fit their encoding.

    Integers always fit: their full scale is 1. Floats lie in about 0..1, with some tolerance
    (sRGB -0.1..1.5, linear light up to 16, four stops above white). NaN and infinite values
    mark missing pixels and are ignored.

    Parameters
    ----------
    data : ndarray
        The photograph's values.
    encoding : str or None
        In any spelling; None is treated as sRGB.
    name : str
        Beginning of the sentence.

    Returns
    -------
    str or None
        None if they fit, else the reason in one sentence.
    """
    if np.dtype(getattr(data, "dtype", float)).kind != "f":
        return None  # nothing of what may be on disk is read
    encoding = SRGB if encoding is None else normalise_encoding(encoding)
    data = np.atleast_1d(data) if not np.ndim(data) else data
    low, high = np.inf, -np.inf
    rows = max(1, 2**22 // max(1, math.prod(np.shape(data)[1:])))
    for start in range(0, len(data), rows):  # bounded temporaries, of what is on disk too
        part = np.asarray(data[start : start + rows])
        finite = part[np.isfinite(part)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        return f"{name} holds no finite value."
    least, most = _RANGES.get(encoding, _CAMERA_RANGE)
    if least <= low and high <= most:
        return None
    advice = ""
    for bits in (8, 10, 12, 14, 16):
        if low >= 0 and high > most and high <= 2**bits - 1:
            advice = f"; divide by {2**bits - 1} if they are {bits}-bit values"
            break
    return (
        f"{name} holds floating-point values from {low:.4g} to {high:.4g}, "
        f"but {_short(encoding)} values lie in 0..1{advice}."
    )


@told
def why_not_values(photograph: Photograph) -> str | None:
    """:func:`check_range` on a whole photograph, in its own encoding."""
    return check_range(photograph.data, photograph.encoding, f"The photograph {photograph.name!r}")
