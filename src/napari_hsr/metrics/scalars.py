"""The metrics as plain functions of two arrays.

All take ``prediction`` and ``truth`` of shape (bands, height, width), add up in float64 in row
blocks, and leave out every sample that is NaN or infinite in either array. They raise
:class:`napari_hsr.errors.InputError` if the arrays do not fit each other. A figure that is not
defined is NaN. Definitions and their published variants: :mod:`napari_hsr.metrics.protocols`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from napari_hsr.metrics.measure import measure_events
from napari_hsr.metrics.protocol_rules import MraeRule, SamRule, SsimRule
from napari_hsr.metrics.protocols import PROTOCOLS, Protocol
from napari_hsr.progress import result_of

_BASE = replace(PROTOCOLS["default"], name="scalar", origin="")


def _measured(prediction: Any, truth: Any, key: str, **rules: Any) -> float:
    protocol: Protocol = replace(_BASE, metrics=(key,), **rules)
    return result_of(measure_events(prediction, truth, protocol)).values[key]


def mrae(
    prediction: Any,
    truth: Any,
    *,
    floor: float | None = 1e-3,
    epsilon: float = 0.0,
    zero: float | None = None,
) -> float:
    """Mean relative absolute error, mean of ``|p - t| / (t + epsilon)``.

    Parameters
    ----------
    floor : float or None
        Only samples whose truth exceeds this share of the truth's maximum count. With None
        all do, and zeros of the truth give inf or NaN.
    epsilon : float
        Added to every denominator.
    zero : float or None
        Replaces zeros of the truth.
    """
    rule = MraeRule(floor, epsilon, zero)
    return _measured(prediction, truth, "mrae", mrae=rule)


def mrse(prediction: Any, truth: Any, *, epsilon: float = 1e-8) -> float:
    """Mean relative squared error, mean of ``((p - t) / (t + epsilon))²``."""
    return _measured(prediction, truth, "mrse", mrse_epsilon=epsilon)


def rmse(prediction: Any, truth: Any) -> float:
    """Root of the mean squared error over all samples, in the cubes' units."""
    return _measured(prediction, truth, "rmse")


def psnr(
    prediction: Any,
    truth: Any,
    *,
    peak: float = 1.0,
    average: Literal["global", "band"] = "global",
) -> float:
    """Peak signal-to-noise ratio in dB, ``10 log10(peak² / MSE)``; inf for equal arrays.

    Parameters
    ----------
    peak : float
        Full scale of the values.
    average : {"global", "band"}
        One mean squared error over all samples, or the mean of the bands' PSNR (MPSNR).
    """
    key = {"global": "psnr", "band": "psnr_band"}[average]
    return _measured(prediction, truth, key, peak=peak)


def sam(
    prediction: Any,
    truth: Any,
    *,
    zeros: Literal["truth-excluded", "either-excluded", "right-angle", "filled"] = "truth-excluded",
    floor: float | None = None,
) -> float:
    """Mean spectral angle over pixels, in degrees.

    Kruse et al., Remote Sensing of Environment 44, 1993. A pixel with any value that is not
    finite is left out.

    Parameters
    ----------
    zeros : str
        What black spectra do: see :class:`napari_hsr.metrics.protocol_rules.SamRule`.
    floor : float or None
        Only pixels whose truth has a root-mean-square over bands above this count.
    """
    return _measured(prediction, truth, "sam", sam=SamRule(zeros, floor))


def ssim(prediction: Any, truth: Any, *, peak: float = 1.0, rule: SsimRule | None = None) -> float:
    """Structural similarity, mean over windows and bands.

    Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004:
    Gaussian window of 11 x 11, σ = 1.5, K = (0.01, 0.03), population covariance, windows inside
    the image only. Windows that touch a value that is not finite are left out.

    Parameters
    ----------
    peak : float
        Full scale of the values.
    rule : SsimRule, optional
        Another window.

    Returns
    -------
    float
        In -1..1; NaN if the image is smaller than the window.
    """
    return _measured(prediction, truth, "ssim", peak=peak, ssim=rule or SsimRule())


def ergas(prediction: Any, truth: Any, *, ratio: float = 1.0) -> float:
    """Relative dimensionless global error, ``100 / ratio · sqrt(mean_b (RMSE_b / μ_b)²)``.

    Wald, Data Fusion, 2002. Bands whose truth has a mean of 0 are left out.

    Parameters
    ----------
    ratio : float
        Scale ratio: 4 for images enlarged four times; 1 where there is none.
    """
    return _measured(prediction, truth, "ergas", ergas_ratio=ratio)


def cc(prediction: Any, truth: Any) -> float:
    """Pearson's correlation, mean over bands; constant bands are left out."""
    return _measured(prediction, truth, "cc")
