"""How far a network's float32 output may lie from another one: as far as rounding takes it here.

Processors add up the products of a convolution in different orders, and each order rounds
differently. No fixed tolerance is right for all of them; double precision is the same on all. So
the exact module is computed in double precision on the machine that runs the test, and what is
tested may be a stated factor farther from that than another float32 result of the same network:
the output that the original saved, or that of the exact module.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: Sums that a processor adds up beside each other, at most: four registers of 16 values.
LANES = 64
#: How much farther from double precision one float32 result may be than another, in root mean
#: square. Of n products of variance σ², the k-th partial sum is σ√k large, and its rounding is in
#: proportion to it. Added up in a row, the roundings have the variance Σ_k u²σ²k ≈ u²σ²n²/2; in L
#: sums of n/L beside each other, L u²σ²(n/L)²/2. The ratio of their roots is √L.
FARTHER = LANES**0.5
#: Odds against which two largest errors may differ by chance more than :func:`chance` says.
ODDS = 1e-6
#: Rounding of a result that is lucky enough to have next to none: half a unit in the last place.
LEAST = 2.0**-24

Run = Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]


class Distance(NamedTuple):
    """How far an output is from another, as shares of the largest value of the other."""

    largest: float
    typical: float  # root mean square


def call(module: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    return module(image)


def in_double(module: torch.nn.Module, image: torch.Tensor, run: Run = call) -> torch.Tensor:
    """What ``run(module, image)`` is if every weight and every sum is in double precision."""
    with torch.inference_mode():
        truth = run(copy.deepcopy(module).double(), image.double())
    assert truth.dtype == torch.float64
    return truth


def distance(found: object, truth: object) -> Distance:
    """Infinite where a value is not finite."""
    found, truth = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    assert found.shape == truth.shape, (found.shape, truth.shape)
    error = np.abs(found - truth) / np.abs(truth).max()
    if not np.isfinite(error).all():
        return Distance(np.inf, np.inf)
    return Distance(float(error.max()), float(np.sqrt(np.square(error).mean())))


def chance(errors: np.ndarray) -> float:
    """How much larger the largest of such errors may be than the largest of others like them.

    The largest of N independent normal errors lies, but for :data:`ODDS`, between the quantiles q
    with P(|z| > q) = ODDS / N and P(|z| ≤ q) = ODDS^(1/N); the result is their ratio: 2.0 for
    N = 10⁴, 3.8 for 100. Errors are larger in some places than in others, so fewer compete for the
    largest than there are. How many, their fourth moment tells: N = 3 (Σ e²)² / Σ e⁴, which is the
    number of errors where all are normal and alike.
    """
    # as shares of the largest, so that no power of them is lost
    squares = np.square(np.asarray(errors, np.float64) / (np.abs(errors).max() or 1.0))
    fourth = float(np.square(squares).sum())
    number = max(1.0, 3 * float(squares.sum()) ** 2 / fourth) if fourth else squares.size
    normal = NormalDist()
    highest = -normal.inv_cdf(ODDS / number / 2)
    lowest = normal.inv_cdf((1 + ODDS ** (1 / number)) / 2)
    return highest / lowest


def assert_rounded_alike(
    found: object, other: object, truth: object, farther: float = FARTHER
) -> None:
    """``found`` is no more than the factor farther from ``truth`` than ``other`` is.

    In root mean square by the factor alone, the largest error by :func:`chance` besides.
    """
    ours, theirs = distance(found, truth), distance(other, truth)
    assert ours.typical <= farther * max(theirs.typical, LEAST), (ours, theirs)
    errors = np.asarray(other, np.float64) - np.asarray(truth, np.float64)
    largest = chance(errors) * farther * max(theirs.largest, LEAST)
    assert ours.largest <= largest, (ours, theirs, chance(errors))


def assert_exact(
    found: object, module: torch.nn.Module, image: torch.Tensor, tolerance: float, run: Run = call
) -> None:
    """``found`` is what the exact module computes.

    Parameters
    ----------
    found : array-like
        A float32 output of its optimised copy, of its tiles, of a run.
    module : torch.nn.Module
        The exact module.
    image : torch.Tensor
        Its float32 input.
    tolerance : float
        What is no farther than this from the exact module's float32, as a share of the largest
        value, needs no double precision to be right.
    run : callable
        How the module is to be run on the image, if not by a call.
    """
    with torch.inference_mode():
        exact = run(module, image)
    if not distance(found, exact).largest <= tolerance:
        assert_rounded_alike(found, exact, in_double(module, image, run))


def assert_original(
    found: object,
    original: object,
    module: torch.nn.Module,
    image: torch.Tensor,
    tolerance: float,
    run: Run = call,
) -> None:
    """``found`` is what the original computed: a float32 output saved on another machine.

    Parameters
    ----------
    found : array-like
        The float32 output of the exact module, of its optimised copy, of a run.
    original : array-like
        The saved output.
    module, image, run
        As for :func:`assert_exact`.
    tolerance : float
        How far the original's rounding may take it, by the reference sheets: as a share of the
        largest value. A module that computes something else is farther away, whatever the
        precision, so that this holds for the module in double precision on any machine.
    """
    if not distance(found, original).largest <= tolerance:
        truth = in_double(module, image, run)
        assert distance(original, truth).largest <= tolerance, distance(original, truth)
        assert_rounded_alike(found, original, truth)


def first(module: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    """A run that yields (bands, H, W), as a cube holds it."""
    return module(image)[0]


def one_by_one(module: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """A run of each image of a batch alone."""
    return torch.cat([module(image[None]) for image in images])


def input_of(model: Model, image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) in 0..1 → what the model's network is given, (1, 3, H, W)."""
    image = np.asarray(image, np.float32)
    normalised = model.rule.apply(image, model.rule.measure(iter([image])))
    return torch.from_numpy(normalised.transpose(2, 0, 1).copy())[None]
