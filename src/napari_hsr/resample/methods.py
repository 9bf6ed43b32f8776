"""Named methods of downsampling and upsampling.

Implementations of "bicubic" differ by several decibels: MATLAB widens the kernel when it
shrinks an image, OpenCV does not and uses another kernel, torch and Pillow widen it but treat
borders differently. So no method here is called just "bicubic".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral

from napari_hsr.arguments import told
from napari_hsr.errors import InputError, did_you_mean
from napari_hsr.resample.kernels import (
    GAUSSIAN_REACH,
    Border,
    Kernel,
    Taps,
    box,
    cubic,
    gaussian,
    taps,
)

#: A narrower gaussian does not blur.
LEAST_SIGMA = 0.1
#: A wider one is the mean of the image: its kernel would take more memory than any.
LARGEST_SIGMA = 1000.0
#: Full width at half maximum of a gaussian, in standard deviations.
FWHM = 2 * math.sqrt(2 * math.log(2))
LARGEST_SCALE = 16


@dataclass(frozen=True)
class Kind:
    """A named method of resampling.

    Attributes
    ----------
    name : str
        As given to :func:`napari_hsr.resample.degrade` and shown in every result.
    title : str
        Display name.
    describe : str
        What it does exactly, in one clause.
    down, up : bool
        Whether it can degrade and upsample.
    back : str
        Name of the upsampling that back-projection uses with it.
    sigma : float or None
        Of a gaussian, in fine pixels; None means that its full width at half maximum is one
        coarse pixel.
    """

    name: str
    title: str
    describe: str
    down: bool = True
    up: bool = True
    back: str = "bicubic-matlab"
    sigma: float | None = None

    @property
    def is_gaussian(self) -> bool:
        """Whether it is a gaussian blur of any width."""
        return self.name not in _KERNELS

    def blur(self, scale: int) -> float:
        """Standard deviation of the gaussian, in fine pixels."""
        return scale / FWHM if self.sigma is None else self.sigma

    def words(self, scale: int) -> str:
        """Title and description; for a gaussian, its width at this scale."""
        if self.is_gaussian:
            return f"{self.title}, σ = {self.blur(scale):.4g} fine pixels"
        return f"{self.title} ({self.describe})"


_ALL = (
    Kind(
        "bicubic-matlab",
        "bicubic, MATLAB's imresize",
        "a = -0.5, kernel widened when it shrinks, mirrored borders",
    ),
    Kind(
        "bicubic-opencv",
        "bicubic, OpenCV's resize",
        "a = -0.75, no antialiasing, borders repeated; torch's without antialiasing is the same",
        back="bicubic-opencv",
    ),
    Kind(
        "bicubic-torch",
        "bicubic, torch's with antialiasing",
        "a = -0.5, kernel widened when it shrinks, weights renormalised at borders; also Pillow's",
        back="bicubic-torch",
    ),
    Kind(
        "box",
        "box",
        "the mean of the fine pixels in a coarse one; up, each pixel repeated",
    ),
    Kind(
        "gaussian",
        "gaussian blur and subsampling",
        "sampled at the centres of coarse pixels, mirrored borders",
        up=False,
    ),
)
#: All methods by name; the gaussian is the one whose width follows from the scale.
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
#: Bicubic upsampling: the baselines of super-resolution.
BASELINES = tuple(name for name in KINDS if name.startswith("bicubic-"))
#: Methods of downsampling.
DEGRADATIONS = tuple(KINDS)

#: Kernel, half width, border, and whether downsampling widens the kernel by the scale.
_KERNELS: dict[str, tuple[Kernel, float, Border, bool]] = {
    "bicubic-matlab": (cubic(-0.5), 2, "mirror", True),
    "bicubic-opencv": (cubic(-0.75), 2, "clamp", False),
    "bicubic-torch": (cubic(-0.5), 2, "renormalise", True),
    "box": (box, 0.5, "clamp", True),
}


@told
def find(name: str | Kind) -> Kind:
    """The method of this name.

    Parameters
    ----------
    name : str
        One of :data:`KINDS`, or ``"gaussian:1.6"`` for a blur of σ = 1.6 fine pixels. Words may
        be in any order: ``"matlab-bicubic"`` is ``"bicubic-matlab"``.

    Raises
    ------
    InputError
        If there is none; the message lists the known names.
    """
    if isinstance(name, Kind):
        return name
    text = str(name).strip().lower()
    words = re.match(r"gaussian\s*[:=]\s*(.*)$", text)
    if words:
        return _gaussian(words[1])
    by_words = {frozenset(known.split("-")): kind for known, kind in KINDS.items()}
    kind = by_words.get(frozenset(re.split(r"[-_ ]+", text)))
    if kind is None:
        raise InputError(
            f"There is no resampling {str(name)!r}{did_you_mean(text, KINDS)}; there are {', '.join(KINDS)} and "
            "gaussian:SIGMA with SIGMA in fine pixels."
        )
    return kind


def find_upsampling(name: str | Kind) -> Kind:
    """The method of this name, if it can upsample.

    Raises
    ------
    InputError
        If there is none of this name, or it only degrades.
    """
    found = find(name)
    if not found.up:
        known = ", ".join(name for name, kind in KINDS.items() if kind.up)
        raise InputError(f"{found.name} can only degrade; to upsample, use {known}.")
    return found


def _gaussian(text: str) -> Kind:
    try:
        sigma = float(text)
    except ValueError:
        sigma = math.nan
    if not LEAST_SIGMA <= sigma <= LARGEST_SIGMA:
        raise InputError(
            f"The blur of gaussian:SIGMA must be a number of fine pixels, at most {LARGEST_SIGMA:g} "
            f"and at least {LEAST_SIGMA:g}, not {text[:40]!r}."
        )
    base = KINDS["gaussian"]
    return Kind(f"gaussian:{sigma:g}", base.title, base.describe, up=False, sigma=sigma)


def checked_scale(scale: float) -> int:
    """The scale as an int.

    Raises
    ------
    InputError
        If it is not a whole number from 2 to :data:`LARGEST_SCALE`.
    """
    whole = not isinstance(scale, bool) and (
        isinstance(scale, Integral) or (isinstance(scale, float) and scale.is_integer())
    )
    if whole and scale == 1:
        raise InputError("The cube is already at the target size: a scale of 1 changes nothing.")
    if not whole or not 2 <= scale <= LARGEST_SCALE:
        raise InputError(
            f"A scale is a whole number from 2 to {LARGEST_SCALE}, such as 2, 3, 4 or 8, "
            f"not {scale!r}."
        )
    return int(scale)


@lru_cache(maxsize=32)
def down(kind: Kind, length: int, scale: int) -> Taps:
    """From ``length`` fine pixels along one side to coarse ones; ``scale`` divides ``length``."""
    outputs = length // scale
    if kind.is_gaussian:
        return taps(length, outputs, gaussian, GAUSSIAN_REACH, "mirror", stretch=kind.blur(scale))
    kernel, half_width, border, antialiased = _KERNELS[kind.name]
    stretch = scale if antialiased else 1
    return taps(length, outputs, kernel, half_width, border, stretch=stretch)


@lru_cache(maxsize=32)
def up(kind: Kind, length: int, scale: int) -> Taps:
    """From ``length`` coarse pixels along one side to ``scale`` times as many."""
    kernel, half_width, border, _ = _KERNELS[find_upsampling(kind).name]
    return taps(length, length * scale, kernel, half_width, border)
