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
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: How much farther from double precision one float32 result may be than another, in root mean
#: square. Products are added up one after another, or in as many as 64 sums beside each other
#: (four registers of 16 values); rounding grows with the square root of the additions in a row.
FARTHER = 8.0
#: The largest of all errors is a matter of chance besides: so much more of it.
CHANCE = 2.0
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


def assert_rounded_alike(
    found: object, other: object, truth: object, farther: float = FARTHER
) -> None:
    """``found`` is no more than the factor farther from ``truth`` than ``other`` is."""
    ours, theirs = distance(found, truth), distance(other, truth)
    assert ours.typical <= farther * max(theirs.typical, LEAST), (ours, theirs)
    assert ours.largest <= CHANCE * farther * max(theirs.largest, LEAST), (ours, theirs)


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
