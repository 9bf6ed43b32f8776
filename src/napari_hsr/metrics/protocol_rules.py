"""How a protocol counts: the choices in which published definitions differ, as data.

Each rule can say itself in one sentence, so that a protocol's description is made from the
very values that the computation uses and cannot drift away from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MraeRule:
    """Mean relative absolute error, ``|p - t| / (t + epsilon)``.

    Attributes
    ----------
    floor : float or None
        Only samples whose truth exceeds this share of the truth's maximum count; None: all.
    epsilon : float
        Added to every denominator.
    zero : float or None
        Truth values of exactly 0 are replaced by this before anything else.
    """

    floor: float | None = 1e-3
    epsilon: float = 0.0
    zero: float | None = None

    def sentence(self) -> str:
        """The rule in words."""
        divisor = f"(truth + {self.epsilon:g})" if self.epsilon else "truth"
        text = f"MRAE is the mean of |prediction - truth| / {divisor}"
        if self.zero is not None:
            text += f", with zeros of the truth replaced by {self.zero:g}"
        if self.floor is None:
            return f"{text}, over all samples, without a floor."
        return f"{text}, over the samples whose truth exceeds {self.floor:g} of its maximum."


@dataclass(frozen=True)
class SamRule:
    """Spectral angle, mean over pixels, always in degrees.

    Attributes
    ----------
    zeros : str
        What a black (all-zero) spectrum does. ``"truth-excluded"``: pixels with a black truth
        are left out, a black prediction of a lit truth counts 90°. ``"either-excluded"``:
        pixels with either spectrum black are left out. ``"right-angle"``: any black spectrum
        counts 90°. ``"filled"``: zeros become 1e-12, and every image row whose number is a
        coordinate of a pixel black in both counts 0° (as one published program does).
    floor : float or None
        Only pixels whose truth has a root-mean-square over bands above this count.
    """

    zeros: Literal["truth-excluded", "either-excluded", "right-angle", "filled"] = "truth-excluded"
    floor: float | None = None

    def sentence(self) -> str:
        """The rule in words."""
        text = {
            "truth-excluded": "pixels with a black truth are left out, and a black prediction "
            "of a lit pixel counts 90°",
            "either-excluded": "pixels with a black truth or a black prediction are left out",
            "right-angle": "a black truth or a black prediction counts 90°",
            "filled": "zeros are replaced by 1e-12, and each image row whose number is a "
            "coordinate of a pixel that is black in both counts 0°, as in the original program",
        }[self.zeros]
        if self.floor is not None:
            text = (
                f"only pixels whose truth has an RMS over bands above {self.floor:g} count; " + text
            )
        return f"SAM is the mean spectral angle over pixels in degrees: {text}."


@dataclass(frozen=True)
class SsimRule:
    """Structural similarity, mean over windows and bands, K = (0.01, 0.03).

    Attributes
    ----------
    window : {"gaussian", "uniform"}
        Weights of the window.
    taps : int
        Its width in pixels, odd.
    sigma : float
        Standard deviation of the Gaussian window, in pixels.
    border : {"valid", "zero"}
        Only windows inside the image, or windows at every pixel with zeros outside.
    sample_covariance : bool
        Divide by n - 1 instead of n.
    """

    window: Literal["gaussian", "uniform"] = "gaussian"
    taps: int = 11
    sigma: float = 1.5
    border: Literal["valid", "zero"] = "valid"
    sample_covariance: bool = False

    @property
    def margin(self) -> int:
        """Pixels that a window reaches to each side."""
        return self.taps // 2

    def sentence(self) -> str:
        """The rule in words."""
        shape = f"{self.taps} x {self.taps}"
        window = f"a Gaussian window, {shape}, σ = {self.sigma:g}"
        if self.window == "uniform":
            window = f"a uniform window, {shape}"
        border = "windows inside the image only" if self.border == "valid" else "zeros outside"
        kind = "sample" if self.sample_covariance else "population"
        return (
            f"SSIM uses {window}, K = (0.01, 0.03), {kind} covariance and {border}, "
            "and is the mean over windows and bands."
        )
