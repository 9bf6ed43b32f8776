"""An adapter in closed form: ridge regression from a network's output to the user's own cubes.

With x = [the network's spectrum, the colours that it saw, 1] and targets y of each pixel, the
adapter A minimises

    Σ over images (mean over pixels ‖A x − y‖²) + γ Σ_j d_j² ‖A_j − A⁰_j‖²,   d_j² = mean x_j²

where A⁰ leaves the spectra as they are: ridge regression on features scaled to unit energy,
shrunk towards changing nothing. Only ΣxxᵀT, Σxyᵀ and Σy² of each image are kept, which add up;
γ is chosen by leaving each image out in turn, from these sums alone. The spectra are those of the
network itself, and the errors are counted in the cube's units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.training.events import Preparing, Report
from napari_hsr.training.shots import Shot, shots, varies

if TYPE_CHECKING:
    import threading

    from napari_hsr.models.descriptor import Model
    from napari_hsr.training.cache import CachedImage
    from napari_hsr.training.recipe import Recipe

#: Pulls towards the start that are tried; beyond the last one nothing is left of the images.
PULLS = tuple(10.0**power for power in np.arange(-7.0, 2.1, 0.5))
#: Photographs that are simulated in all, where cameras, lights or exposures are drawn.
PHOTOGRAPHS = 6
#: Rows of pixels that are multiplied at a time.
ROWS = 64


@dataclass(frozen=True)
class Sums:
    """What is kept of some pixels; sums add with ``+``.

    Attributes
    ----------
    gram : ndarray, shape (p, p), float64
        Σ x xᵀ.
    cross : ndarray, shape (p, bands), float64
        Σ x yᵀ.
    power : float
        Σ ‖y‖².
    weight : float
        Σ 1; divided out by :meth:`mean`.
    """

    gram: np.ndarray
    cross: np.ndarray
    power: float
    weight: float

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.gram + other.gram,
            self.cross + other.cross,
            self.power + other.power,
            self.weight + other.weight,
        )

    def mean(self) -> Sums:
        """Over its pixels, as an image that weighs as much as any other."""
        n = self.weight
        return Sums(self.gram / n, self.cross / n, self.power / n, 1.0)

    def error(self, matrix: np.ndarray) -> float:
        """Mean of ‖xᵀ M − y‖² for a matrix M (p, bands); not negative."""
        of_matrix = np.einsum("pb,pq,qb->", matrix, self.gram, matrix)
        return max(0.0, self.power - 2 * (matrix * self.cross).sum() + of_matrix) / self.weight


@dataclass(frozen=True, eq=False)
class Adapter:
    """A fitted adapter.

    Attributes
    ----------
    matrix : ndarray, shape (bands, its bands + 3), float64
        A without its constant.
    offset : ndarray, shape (bands,), float64
        The constant.
    pull : float
        γ; infinite where leaving images out says that nothing should change.
    gain_db : float
        By how many dB of PSNR images left out got better, on average.
    """

    matrix: np.ndarray
    offset: np.ndarray
    pull: float
    gain_db: float


def gather(features: np.ndarray, targets: np.ndarray) -> Sums:
    """Sums over pixels; those with a value that is not finite are left out.

    Parameters
    ----------
    features : ndarray, shape (p, n)
        Spectra, colours and the constant.
    targets : ndarray, shape (bands, n)
    """
    x, y = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    finite = np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0)
    if not finite.all():
        x, y = x[:, finite], y[:, finite]
    return Sums(x @ x.T, x @ y.T, float(np.square(y).sum()), float(x.shape[1]))


def fit(parts: Sequence[Sums], start: np.ndarray) -> Adapter:
    """The adapter of the images, each weighing the same.

    Parameters
    ----------
    parts : sequence of Sums
        Of each image; at least two, for one is left out in turn. One image may be given in
        parts.
    start : ndarray, shape (bands, p)
        A⁰.

    Returns
    -------
    Adapter
        With the pull, and with or without a constant, by which images left out come nearest to
        their cubes, in PSNR averaged over them; A⁰ itself if nothing helps them.
    """
    if len(parts) < 2:
        raise InputError("An adapter needs two images, or one in parts: one is left out in turn.")
    means = [part.mean() for part in parts]
    total = _sum(means)
    zero = start.T
    rest = [total + _times(mean, -1) for mean in means]
    before = [mean.error(zero) for mean in means]
    best = (0.0, math.inf, True)  # gain, pull, with a constant
    for constant in (False, True):
        for pull in PULLS:
            after = [
                mean.error(_solve(others, zero, pull, constant))
                for mean, others in zip(means, rest, strict=True)
            ]
            gain = float(np.mean([_decibels(b, a) for b, a in zip(before, after, strict=True)]))
            if gain > best[0]:
                best = (gain, pull, constant)
    gain, pull, constant = best
    matrix = zero if math.isinf(pull) else _solve(total, zero, pull, constant)
    return Adapter(matrix[:-1].T, matrix[-1], pull, gain)


def _solve(sums: Sums, zero: np.ndarray, pull: float, constant: bool) -> np.ndarray:
    """The matrix M (p, bands) that minimises the error and the distance from ``zero``."""
    used = slice(None) if constant else slice(0, -1)
    gram = sums.gram[used, used] / sums.weight
    left = (sums.cross - sums.gram @ zero)[used] / sums.weight
    energy = np.sqrt(np.diag(gram))
    energy = np.where(energy > 0, energy, 1.0)
    scaled = gram / np.outer(energy, energy)
    change = np.linalg.solve(scaled + pull * np.eye(len(scaled)), left / energy[:, None])
    matrix = zero.copy()
    matrix[used] += change / energy[:, None]
    return matrix


def _decibels(before: float, after: float) -> float:
    """Gain in PSNR; errors below what float64 sums can tell apart are alike."""
    least = 1e-12
    return 10 * math.log10(max(before, least) / max(after, least))


def _times(sums: Sums, factor: float) -> Sums:
    return Sums(*(factor * value for value in vars(sums).values()))


def _sum(parts: Sequence[Sums]) -> Sums:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def start_of(model: Model) -> tuple[Model, np.ndarray]:
    """What is adapted, and the adapter that leaves the model as it is.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Model
        The network behind the model's own adapter or matrix of bands, or the model itself.
    ndarray, shape (bands, its bands + channels + 1), float64
        A⁰.
    """
    from napari_hsr.models.architectures import adapted, bands
    from napari_hsr.models.architectures.wrapping import inner

    weights = model.module.state_dict()
    empty = np.zeros((model.bands, model.channels + 1))
    if model.card.architecture == adapted.ID:
        matrix = weights["adapter.weight"].cpu().numpy().astype(np.float64)
        offset = weights["adapter.bias"].cpu().numpy().astype(np.float64)
        within = inner(weights, model.card, matrix.shape[1] - model.channels, hidden=True)
        return within, np.concatenate([matrix, offset[:, None]], axis=1)
    if model.card.architecture == bands.ID:
        matrix = weights["bands.weight"].cpu().numpy().astype(np.float64)
        within = inner(weights, model.card, matrix.shape[1], hidden=True)
        return within, np.concatenate([matrix, empty], axis=1)
    return model, np.concatenate([np.eye(model.bands), empty], axis=1)


class _Raw:
    """A rule whose result is left as the network made it; it remembers the image's figures."""

    def __init__(self, rule: Any):
        self.name = rule.name
        self.measure, self.apply = rule.measure, rule.apply
        self.statistics: Any = None

    def undo(self, bands: np.ndarray, statistics: Any) -> np.ndarray:
        self.statistics = statistics
        return bands


def affine(rule: Any, statistics: Any) -> tuple[float, float]:
    """Gain and offset by which a rule turns a network's output into the cube's units.

    Some rules also cut to 0..1: two values within show what they do besides.
    """
    probes = np.array([[[0.25]], [[0.5]]], dtype=np.float32)
    low, high = (float(v) for v in np.ravel(rule.undo(probes, statistics)))
    gain = (high - low) / 0.25
    return gain, low - 0.25 * gain


def of_shot(
    shot: Shot, network: Model, recipe: Recipe, stop: threading.Event | None = None
) -> list[Sums]:
    """Sums over the four quarters of a photograph, their errors in the cube's units.

    Parameters
    ----------
    shot : Shot
    network : Model
        What is adapted, of :func:`start_of`.
    recipe : Recipe
        Its device.
    stop : threading.Event, optional
    """
    from napari_hsr.inference import reconstruct
    from napari_hsr.inference.source import TileSource

    rule = _Raw(network.rule)
    device, exact = recipe.engine.device, network.precisions[0]
    raw = reconstruct(
        shot.photograph, replace(network, rule=rule), device=device, precision=exact, cancel=stop
    ).data
    gain, offset = affine(network.rule, rule.statistics)
    source = TileSource(shot.photograph, network)

    def block(rows: slice, columns: slice) -> Sums:
        seen = network.rule.apply(source.read(rows, columns), rule.statistics)
        spectra = raw[:, rows, columns].reshape(len(raw), -1)
        colours = seen.reshape(-1, seen.shape[-1]).T
        constant = np.ones((1, spectra.shape[1]))
        truth = np.asarray(shot.truth.data[:, rows, columns], dtype=np.float64)
        return gather(
            gain * np.concatenate([spectra, colours, constant]),
            truth.reshape(len(truth), -1) - offset,
        )

    return [
        _sum([block(slice(at, min(at + ROWS, rows.stop)), columns)
              for at in range(rows.start, rows.stop, ROWS)])
        for rows in _halves(shot.truth.shape[1])
        for columns in _halves(shot.truth.shape[2])
    ]  # fmt: skip


def _halves(length: int) -> list[slice]:
    cuts = [0, length // 2, length] if length > 1 else [0, length]
    return [slice(*pair) for pair in pairwise(cuts)]


def adapt(
    model: Model,
    images: Sequence[CachedImage],
    recipe: Recipe,
    report: Report | None = None,
    stop: threading.Event | None = None,
) -> tuple[Model, Adapter]:
    """Adapt a model to images on its own wavelengths.

    Parameters
    ----------
    model : Model
        It is left as it is. Where it has an adapter or a matrix of bands, the new adapter takes
        that one's place and starts from it.
    images : sequence of CachedImage
        To train on; a single one is left out by its quarters.
    recipe : Recipe
    report, stop
        As for :func:`napari_hsr.training.measure.measure`.

    Returns
    -------
    Model, Adapter
        The adapted model; its card has no figures.

    Raises
    ------
    InputError
        If no pixel can be used.
    Cancelled
        If ``stop`` was set.
    """
    network, start = start_of(model)
    parts: list[list[Sums]] = []
    for number, image in enumerate(images):
        if report is not None:
            report(Preparing(number, len(images), f"Adapting to {image.name}"))
        draws = 1
        if image.rgb is None and recipe.camera is not None and varies(recipe.camera):
            draws = math.ceil(PHOTOGRAPHS / len(images))
        taken = shots(image, model.wavelengths, recipe, held_out=False, draws=draws)
        quarters = [of_shot(shot, network, recipe, stop) for shot in taken]
        parts.append([_sum(same) for same in zip(*quarters, strict=True)])
    if report is not None:
        report(Preparing(len(images), len(images), "Fitting the adapter"))
    found = parts[0] if len(parts) == 1 else [_sum(quarters) for quarters in parts]
    found = [sums for sums in found if sums.weight]
    if len(found) < 2:
        raise InputError("The adapter finds no finite pixels in the training images.")
    adapter = fit(found, start)
    return adapted_model(model, network, adapter), adapter


def adapted_model(model: Model, network: Model, adapter: Adapter) -> Model:
    """A network with an adapter, under the card of the model that it comes from."""
    import torch

    from napari_hsr.models.architectures import adapted
    from napari_hsr.models.architectures.wrapping import around
    from napari_hsr.models.registry import from_state_dict

    matrix, offset = (torch.from_numpy(v.copy()).float() for v in (adapter.matrix, adapter.offset))
    weights = around(network.module.state_dict(), adapter__weight=matrix, adapter__bias=offset)
    changes = {
        "architecture": adapted.ID,
        "figures": {},
        "precision_errors": {},
        "weights_sha256": "",
    }
    return from_state_dict(weights, model.card.model_copy(update=changes))
