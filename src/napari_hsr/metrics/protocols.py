"""Named protocols: every figure is reported with the rules by which it was computed.

Published programs differ by 2 dB in PSNR and by five orders of magnitude in mean relative error
for the same pair of cubes, so a figure without its protocol means little. Protocols and their
rules are plain data, and their descriptions are generated from that data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from napari_hsr.arguments import told
from napari_hsr.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Keys of all metrics, in display order.
METRICS = ("mrae", "rmse", "psnr", "psnr_band", "sam", "ssim", "ergas", "cc", "mrse")

#: Display name of each metric.
LABELS = {
    "mrae": "MRAE",
    "rmse": "RMSE",
    "psnr": "PSNR",
    "psnr_band": "PSNR, mean of bands",
    "sam": "SAM",
    "ssim": "SSIM",
    "ergas": "ERGAS",
    "cc": "CC",
    "mrse": "MRSE",
}

#: Whether high or low values are better.
BETTER = {k: "high" if k in ("psnr", "psnr_band", "ssim", "cc") else "low" for k in METRICS}

Clip = Literal["none", "prediction", "both"]


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
        """Describe the rule."""
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
        """Describe the rule."""
        text = {
            "truth-excluded": "pixels with a black truth are left out, and a black prediction "
            "of a lit pixel counts 90°",
            "either-excluded": "pixels with a black truth or a black prediction are left out",
            "right-angle": "a black truth or a black prediction counts 90°",
            "filled": "zeros are replaced by 1e-12, and each image row whose number is a "
            "coordinate of a pixel that is black in both counts 0°, as in the original program",
        }[self.zeros]
        if self.floor is not None:
            kept = f"only pixels whose truth has an RMS over bands above {self.floor:g} count"
            text = f"{kept}; {text}"
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
        """Describe the rule."""
        window = f"a {'Gaussian' if self.window == 'gaussian' else 'uniform'} window, "
        window += f"{self.taps} x {self.taps}"
        if self.window == "gaussian":
            window += f", σ = {self.sigma:g}"
        border = "windows inside the image only" if self.border == "valid" else "zeros outside"
        kind = "sample" if self.sample_covariance else "population"
        return (
            f"SSIM uses {window}, K = (0.01, 0.03), {kind} covariance and {border}, "
            "and is the mean over windows and bands."
        )


@dataclass(frozen=True)
class Protocol:
    """How a prediction is compared with the ground truth.

    Attributes
    ----------
    name : str
        As given to :func:`napari_hsr.metrics.evaluate`.
    origin : str
        Where the rules come from, in one sentence.
    metrics : tuple of str
        Which of :data:`METRICS` are reported.
    crop : int
        Pixels left out at each of the four sides.
    peak : float
        Full scale L of PSNR and SSIM, and the upper limit of clipping.
    clip : {"none", "prediction", "both"}
        What is clipped to 0..``peak`` before anything is counted.
    clip_psnr : {"none", "prediction", "both"}
        What is clipped for PSNR alone.
    psnr_of_equal : float
        PSNR, in dB, where the squared error is 0.
    mrae, sam, ssim : MraeRule, SamRule, SsimRule
        The rules of these metrics.
    mrse_epsilon : float
        Added to the denominator of the mean relative squared error.
    ergas_ratio : float
        Scale ratio r in ``100 / r``: 4 for images enlarged four times, 1 for none.
    positive_truth : bool
        The original leaves out scenes whose truth has a value of 0 or less.
    remarks : str
        Anything else that readers of the figures must know.
    """

    name: str
    origin: str
    metrics: tuple[str, ...]
    crop: int = 0
    peak: float = 1.0
    clip: Clip = "none"
    clip_psnr: Clip = "none"
    psnr_of_equal: float = math.inf
    mrae: MraeRule = field(default_factory=MraeRule)
    sam: SamRule = field(default_factory=SamRule)
    ssim: SsimRule = field(default_factory=SsimRule)
    mrse_epsilon: float = 1e-8
    ergas_ratio: float = 1.0
    positive_truth: bool = False
    remarks: str = ""

    def __post_init__(self) -> None:
        unknown = [key for key in self.metrics if key not in METRICS]
        if unknown:
            raise InputError(f"Unknown metric {unknown[0]!r}; there are {', '.join(METRICS)}.")
        if not (math.isfinite(self.peak) and self.peak > 0):
            raise InputError(f"The full scale of PSNR must be above 0, not {self.peak:g}.")
        if not (math.isfinite(self.ergas_ratio) and self.ergas_ratio > 0):
            raise InputError(f"The scale ratio of ERGAS must be above 0, not {self.ergas_ratio:g}.")

    @property
    def mrse_rule(self) -> MraeRule:
        """The denominator of the mean relative squared error."""
        return MraeRule(floor=None, epsilon=self.mrse_epsilon)

    @property
    def description(self) -> str:
        """Origin and rules in one paragraph: range, clipping, crop, masks, averaging."""
        return f"{self.origin} {self.rules_text}"

    @property
    def rules_text(self) -> str:
        """The rules alone."""
        return " ".join(part for part in (*self._sentences(), self.remarks) if part)

    def _sentences(self) -> Iterator[str]:
        scope = "the whole image counts"
        if self.crop:
            scope = f"{self.crop} pixels at each side of the image are left out"
        yield _sentence(f"{self._clipping(self.clip)}; {scope}")
        psnr = "psnr" if "psnr" in self.metrics else "psnr_band"
        sentences = {
            "mrae": self.mrae.sentence(),
            "rmse": "RMSE is the root of the mean squared error over all samples.",
            psnr: self._psnr(),
            "sam": self.sam.sentence(),
            "ssim": self.ssim.sentence(),
            "ergas": "ERGAS is 100 / r times the root of the mean over bands of (RMSE / mean)², "
            f"r = {self.ergas_ratio:g}.",
            "cc": "CC is the mean over bands of Pearson's correlation.",
            "mrse": "MRSE is the mean of ((prediction - truth) / "
            f"(truth + {self.mrse_epsilon:g}))² over all samples.",
        }
        yield from (text for key, text in sentences.items() if key in self.metrics)
        yield "Samples that are NaN or infinite in either cube are left out."

    def _psnr(self) -> str:
        kinds = {
            "psnr": "PSNR takes the mean squared error over all samples",
            "psnr_band": "the band PSNR is the mean of the bands' PSNR",
        }
        text = " and ".join(kinds[key] for key in kinds if key in self.metrics)
        text += f", full scale {self.peak:g}"
        if self.clip_psnr != "none":
            text += f"; {self._clipping(self.clip_psnr)} for this alone"
        if math.isfinite(self.psnr_of_equal):
            text += f"; equal images count {self.psnr_of_equal:g} dB"
        return _sentence(text)

    def _clipping(self, clip: Clip) -> str:
        what = {"none": "nothing is", "prediction": "the prediction is", "both": "both cubes are"}
        return f"{what[clip]} clipped" + (f" to 0..{self.peak:g}" if clip != "none" else "")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


_NO_FLOOR = MraeRule(floor=None)
_MSTPP = "MST++ toolbox (Cai et al., CVPR Workshops 2022), on one image at a time."

_ALL = (
    Protocol(
        "default",
        "The definitions that this product recommends.",
        ("mrae", "rmse", "psnr", "psnr_band", "sam", "ssim", "ergas", "cc"),
    ),
    Protocol(
        "cave-val",
        "The protocol of the baseline table for the CAVE scenes; figures are means over scenes.",
        ("mrae", "rmse", "psnr", "psnr_band", "sam"),
        clip="prediction",
        sam=SamRule(floor=0.02),
    ),
    Protocol(
        "mstpp",
        _MSTPP,
        ("mrae", "rmse", "psnr"),
        clip_psnr="both",
        mrae=_NO_FLOOR,
        remarks="Published figures leave out 128 pixels at each side: see mstpp-validation.",
    ),
    Protocol(
        "mstpp-validation",
        _MSTPP,
        ("mrae", "rmse", "psnr"),
        crop=128,
        clip_psnr="both",
        mrae=_NO_FLOOR,
        remarks="This leaves the central 226 x 256 pixels of an ARAD_1K image of 482 x 512.",
    ),
    Protocol(
        "mstpp-custom",
        "The MRAE that the MST++ toolbox offers for users' own data with zeros in the truth.",
        ("mrae",),
        mrae=MraeRule(floor=None, zero=1e-8),
    ),
    Protocol(
        "drcr",
        "DRCR-Net (Li et al., CVPR Workshops 2022), its test program.",
        ("mrae", "rmse"),
        clip="prediction",
        mrae=_NO_FLOOR,
        positive_truth=True,
    ),
    Protocol(
        "drcr-train",
        "DRCR-Net (Li et al., CVPR Workshops 2022), its training loss.",
        ("mrae",),
        mrae=_NO_FLOOR,
    ),
    Protocol(
        "mxrunet",
        "MXR-U-Net (Banerjee and Palrecha, 2020), its training metrics.",
        ("mrae", "mrse"),
        mrae=MraeRule(floor=None, epsilon=1e-8),
        remarks="The original pools all images of a batch.",
    ),
    Protocol(
        "inr",
        "INR-HSISR, its test program.",
        ("psnr", "sam", "ssim"),
        sam=SamRule(zeros="either-excluded"),
        ssim=SsimRule(border="zero"),
        remarks="The original pools batches of random 64 x 64 crops, here the whole image counts.",
    ),
    Protocol(
        "dualsr",
        "DualSR and MCNet, the functions of their evaluation program.",
        ("psnr", "sam", "ssim"),
        psnr_of_equal=100.0,
        sam=SamRule(zeros="filled"),
        remarks="CoarSR's program cuts predictions to 0..1 before it calls them; that of DualSR's "
        "second half, FineSR, cuts nothing and fills no zeros.",
    ),
    Protocol(
        "sspsr",
        "SSPSR (Jiang et al., 2020), its quality assessment.",
        ("rmse", "psnr_band", "sam", "ssim", "ergas", "cc"),
        sam=SamRule(zeros="either-excluded"),
        ssim=SsimRule(window="uniform", taps=7, sample_covariance=True),
        ergas_ratio=4.0,
        remarks="r is the scale between coarse and fine pixels.",
    ),
    Protocol(
        "ntire2022",
        "NTIRE 2022 spectral recovery challenge, its utility functions.",
        ("mrae", "rmse", "sam"),
        mrae=_NO_FLOOR,
        sam=SamRule(zeros="right-angle"),
        remarks="The original gives the angle in radians. The challenge's ranking leaves out "
        "128 pixels at each side, as mstpp-validation does.",
    ),
)

#: All protocols by name, the recommended one first.
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}


def at_scale(protocol: str | Protocol, scale: float) -> Protocol:
    """The protocol with this scale ratio r in its ERGAS, for super-resolved cubes.

    Raises
    ------
    InputError
        If there is no such protocol, it has no ERGAS, or the scale is not above 0.
    """
    found = get_protocol(protocol)
    if "ergas" not in found.metrics:
        raise InputError(
            f"The protocol {found.name} has no ERGAS, the only figure that takes a scale."
        )
    return replace(found, ergas_ratio=float(scale))


@told
def get_protocol(protocol: str | Protocol) -> Protocol:
    """The protocol of this name; a :class:`Protocol` is returned as it is.

    Raises
    ------
    InputError
        If there is none; the message lists the known names.
    """
    if isinstance(protocol, Protocol):
        return protocol
    found = PROTOCOLS.get(str(protocol).strip().lower())
    if found is None:
        hint = did_you_mean(str(protocol).lower(), PROTOCOLS)
        raise InputError(
            f"There is no protocol {str(protocol)!r}{hint}; there are {', '.join(PROTOCOLS)}."
        )
    return found
