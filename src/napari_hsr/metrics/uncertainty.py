"""Uncertainty held against ground truth: coverage, risk over coverage, error over measured share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import check_values
from napari_hsr.errors import InputError
from napari_hsr.trust.measured_share import measured_share

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.trust.linear_camera import LinearCamera


def coverage(lower: Cube, upper: Cube, truth: Cube) -> dict[str, Any]:
    """How much of the truth lies in intervals.

    Parameters
    ----------
    lower, upper, truth : Cube
        Of one size, on the same bands.

    Returns
    -------
    dict
        ``coverage``, over all finite samples, ``coverage_bands``, a list with None for bands without one,
        and ``half_width``, the mean.

    Raises
    ------
    InputError
        If sizes or wavelengths differ, a lower end is above the upper one, no sample is finite, or a value
        is too large to compute with.
    """
    for cube in (lower, upper):
        if cube.shape != truth.shape:
            raise InputError(
                f"{cube.name} has shape {cube.shape}, and the truth {truth.name} {truth.shape}."
            )
        bounds_nm, truth_nm = cube.wavelengths, truth.wavelengths
        if bounds_nm and truth_nm and not bounds_nm.matches(truth_nm):
            raise InputError(f"{cube.name} and {truth.name} have other wavelengths.")
    inside, widths, counts = [], [], []
    for band in range(truth.bands):
        low, high, true = (_checked(cube, band) for cube in (lower, upper, truth))
        finite = np.isfinite(low) & np.isfinite(high) & np.isfinite(true)
        if (low[finite] > high[finite]).any():
            raise InputError(f"{lower.name} lies above {upper.name}: they are the wrong way round.")
        counts.append(int(finite.sum()))
        inside.append(int(((true >= low) & (true <= high))[finite].sum()))
        widths.append(float((high - low)[finite].sum()) / 2)
    total = sum(counts)
    if not total:
        raise InputError(f"The truth {truth.name} has no value where {lower.name} has one.")
    return {
        "coverage": sum(inside) / total,
        "coverage_bands": [i / n if n else None for i, n in zip(inside, counts, strict=True)],
        "half_width": sum(widths) / total,
    }


def risk_coverage(
    error: np.ndarray, uncertainty: np.ndarray, points: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Mean error of the most certain pixels, for growing shares of all pixels.

    Parameters
    ----------
    error, uncertainty : array-like
        One value a pixel; pixels where one is not finite are left out.
    points : int
        Of the curve.

    Returns
    -------
    share : ndarray, shape (points,)
        Of the pixels kept, up to 1.
    risk : ndarray, shape (points,)
        Their mean error. It rises where the uncertainty knows of the errors, and is flat where it
        does not.

    Raises
    ------
    InputError
        If the sizes differ or no pixel is left.
    """
    error, uncertainty = _pairs(error, uncertainty)
    risk = np.cumsum(error[np.argsort(uncertainty, kind="stable")]) / np.arange(1, error.size + 1)
    count = np.ceil(np.linspace(1 / points, 1, points) * error.size).astype(int)
    return count / error.size, risk[count - 1]


def error_by_share(
    error: np.ndarray, share: np.ndarray, points: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Mean error over the measured share, in groups of as many pixels each.

    Parameters
    ----------
    error, share : array-like
        One value a pixel; pixels where one is not finite are left out.
    points : int
        Groups, fewer where there are fewer pixels.

    Returns
    -------
    share, error : ndarray, shape (points,)
        Means of the groups, by ascending share.

    Raises
    ------
    InputError
        If the sizes differ or no pixel is left.
    """
    error, share = _pairs(error, share)
    order = np.argsort(share, kind="stable")
    groups = np.array_split(order, min(points, order.size))
    return (
        np.array([share[group].mean() for group in groups]),
        np.array([error[group].mean() for group in groups]),
    )


def curves(
    prediction: Cube,
    truth: Cube,
    ends: tuple[Cube, Cube] | None = None,
    linear_camera: LinearCamera | None = None,
) -> dict[str, dict[str, list[float]]]:
    """Risk over coverage and error over measured share, of two cubes on the same grid.

    The error of a pixel is the mean of the absolute ones over the bands that both cubes have a value in.

    Parameters
    ----------
    prediction, truth : Cube
    ends : (Cube, Cube), optional
        Lower and upper ends: the uncertainty of a pixel is their mean distance over the same bands.
    linear_camera : LinearCamera, optional
        The camera that the share is measured by.

    Returns
    -------
    dict
        ``risk_coverage`` with ``share`` and ``error`` if there are ends; ``error_by_share`` with
        the same if there is a camera.

    Raises
    ------
    InputError
        If shapes differ, or a value is too large to compute with.
    """
    for cube in (prediction, truth, *(ends or ())):
        for band in range(cube.bands):
            _checked(cube, band)
    made, true = (np.asarray(cube.data, np.float32) for cube in (prediction, truth))
    if made.shape != true.shape:
        raise InputError(f"Cubes of shapes {made.shape} and {true.shape} cannot be compared.")
    apart = np.abs(made - true)
    error = mean_of_known(apart)
    found = {}
    if ends is not None:
        lower, upper = (np.asarray(end.data, np.float32) for end in ends)
        width = mean_of_known(np.where(np.isfinite(apart), upper - lower, np.nan))
        found["risk_coverage"] = risk_coverage(error, width)
    if linear_camera is not None:
        found["error_by_share"] = error_by_share(error, measured_share(made, linear_camera))
    return {
        name: {"share": share.tolist(), "error": mean.tolist()}
        for name, (share, mean) in found.items()
    }


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis of what is finite; NaN where nothing is.

    A band that a truth lacks as a whole would else leave no pixel with a figure.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    mean = np.full(total.shape, np.nan, total.dtype)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _checked(cube: Cube, band: int) -> np.ndarray:
    """A band in float64, whose values can be computed with."""
    values = np.asarray(cube.data[band], np.float64)
    check_values(values, cube.name)
    return values


def _pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.asarray(a, dtype=np.float64).ravel() for a in (first, second))
    if first.shape != second.shape:
        raise InputError(f"Maps of {first.size} and {second.size} pixels cannot be compared.")
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        raise InputError("No pixel has both figures.")
    return first[known], second[known]
