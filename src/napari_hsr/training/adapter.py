"""The adapter: an affine map of a model's output, fitted to a few images in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.models.input_rules import InputRule
from napari_hsr.photograph import Photograph
from napari_hsr.training.data.patches import undone
from napari_hsr.training.data.validation_images import ValidationImage, validation_images, varies
from napari_hsr.training.events import Event, Preparing
from napari_hsr.training.ridge import Sums, added, gather, solve

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterator, Sequence

    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import CachedImage
    from napari_hsr.training.recipe.schema import Recipe

#: Values of γ that an adapter is fitted with; beyond the last one nothing of the images is left.
PULLS = tuple(float(10.0**power) for power in np.arange(-7.0, 2.1, 0.5))


@dataclass(frozen=True, eq=False)
class Adapter:
    """A fitted adapter.

    Attributes
    ----------
    matrix : ndarray, shape (bands, p - 1), float64
        A without its constant.
    offset : ndarray, shape (bands,), float64
        The constant.
    pull : float
        γ; infinite where leaving images out says that nothing should change.
    gain_db : float
        Mean gain in PSNR of the images left out, in dB.
    """

    matrix: np.ndarray
    offset: np.ndarray
    pull: float
    gain_db: float


def fit(parts: Sequence[Sums], start: np.ndarray) -> Adapter:
    """The adapter of several images, each with the same weight; the last feature is constant.

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
        With the γ, and with or without a constant, by which the images left out gain most in
        PSNR: the mean of their gains less its standard deviation, for with few images the mean
        alone chooses what helps one of them much and harms the others. A⁰ itself if nothing
        helps them.
    """
    if len(parts) < 2:
        raise InputError("An adapter needs two images, or one in parts: one is left out in turn.")
    means = [part.mean() for part in parts]
    total, zero = added(means), start.T
    rest = [total + mean * -1 for mean in means]
    before = [mean.error(zero) for mean in means]
    best = (0.0, 0.0, math.inf, True)  # score, mean gain, pull, with a constant
    for constant in (False, True):
        for pull in PULLS:
            gains = [
                _decibels(b, mean.error(solve(others, pull, zero, constant)))
                for b, mean, others in zip(before, means, rest, strict=True)
            ]
            gain = float(np.mean(gains))
            score = gain - float(np.std(gains, ddof=1))
            if score > best[0]:
                best = (score, gain, pull, constant)
    _, gain, pull, constant = best
    matrix = zero if math.isinf(pull) else solve(total, pull, zero, constant)
    return Adapter(matrix[:-1].T, matrix[-1], pull, gain)


def _decibels(before: float, after: float) -> float:
    """Gain in PSNR; errors below what float64 sums can tell apart are alike."""
    least = 1e-12
    return 10 * math.log10(max(before, least) / max(after, least))


#: Photographs that are simulated in all, where cameras, lights or exposures are drawn.
PHOTOGRAPHS = 6
#: Rows of pixels that are multiplied at a time.
ROWS = 64


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
    from napari_hsr.models.architectures import affine_adapter, band_mapping
    from napari_hsr.models.architectures.wrappers import inner
    from napari_hsr.models.registry import recognise

    bands, channels = model.bands, model.channels
    if bands is None or channels is None:
        raise InputError(f"{model.name} makes no cubes of photographs, so it takes no adapter.")
    weights = model.module.state_dict()
    empty = np.zeros((bands, channels + 1))
    if model.card.architecture == affine_adapter.ARCHITECTURE.id:
        matrix = weights["adapter.weight"].cpu().numpy().astype(np.float64)
        offset = weights["adapter.bias"].cpu().numpy().astype(np.float64)
        within = inner(weights, recognise, model.card, matrix.shape[1] - channels, hidden=True)
        return within, np.concatenate([matrix, offset[:, None]], axis=1)
    if model.card.architecture == band_mapping.ARCHITECTURE.id:
        matrix = weights["bands.weight"].cpu().numpy().astype(np.float64)
        within = inner(weights, recognise, model.card, matrix.shape[1], hidden=True)
        return within, np.concatenate([matrix, empty], axis=1)
    return model, np.concatenate([np.eye(bands), empty], axis=1)


class _Raw(InputRule):
    """A rule that leaves the network's output as it is and remembers the image's statistics."""

    def __init__(self, rule: InputRule):
        self.rule, self.name = rule, rule.name
        self.statistics: Any = None

    def measure(self, tiles: Iterator[np.ndarray]) -> Any:
        return self.rule.measure(tiles)

    def apply(self, tile: np.ndarray, statistics: Any) -> np.ndarray:
        return self.rule.apply(tile, statistics)

    def undo(self, bands: np.ndarray, statistics: Any) -> np.ndarray:
        self.statistics = statistics
        return bands


def quarter_sums(
    given: ValidationImage, network: Model, recipe: Recipe, cancel: threading.Event | None = None
) -> list[Sums]:
    """Sums over the four quarters of a photograph, their errors in the cube's units.

    Parameters
    ----------
    given : ValidationImage
    network : Model
        What is adapted, of :func:`start_of`.
    recipe : Recipe
        Its device.
    cancel : threading.Event, optional
    """
    from napari_hsr.inference import reconstruct
    from napari_hsr.inference.inputs import PhotographReader

    if not isinstance(given.input, Photograph):
        raise InputError(f"{given.name} is no photograph, so no adapter can be fitted to it.")
    rule = _Raw(network.rule)
    device, exact = recipe.engine.device, network.precisions[0]
    raw = reconstruct(
        given.input, replace(network, rule=rule), device=device, precision=exact, cancel=cancel
    ).data
    gain, offset = undone(network.rule, rule.statistics)
    source = PhotographReader(given.input, network)

    def block(rows: slice, columns: slice) -> Sums:
        seen = network.rule.apply(source.read(rows, columns), rule.statistics)
        spectra = raw[:, rows, columns].reshape(len(raw), -1)
        colours = seen.reshape(-1, seen.shape[-1]).T
        constant = np.ones((1, spectra.shape[1]))
        truth = np.asarray(given.reference.data[:, rows, columns], dtype=np.float64)
        return gather(
            gain * np.concatenate([spectra, colours, constant]),
            truth.reshape(len(truth), -1) - offset,
        )

    return [
        added([block(slice(at, min(at + ROWS, rows.stop)), columns)
              for at in range(rows.start, rows.stop, ROWS)])
        for rows in _halves(given.reference.shape[1])
        for columns in _halves(given.reference.shape[2])
    ]  # fmt: skip


def _halves(length: int) -> list[slice]:
    cuts = [0, length // 2, length] if length > 1 else [0, length]
    return [slice(*pair) for pair in pairwise(cuts)]


def adapt(
    model: Model,
    images: Sequence[CachedImage],
    recipe: Recipe,
    cancel: threading.Event | None = None,
) -> Generator[Event, None, tuple[Model, Adapter]]:
    """Adapt a model to images on its own wavelengths.

    Parameters
    ----------
    model : Model
        It is not changed. Where it has an adapter or a matrix of bands, the new adapter replaces
        that one and starts from it.
    images : sequence of CachedImage
        To train on; the quarters of a single one are left out in turn.
    recipe : Recipe
    cancel : threading.Event, optional

    Yields
    ------
    Preparing

    Returns
    -------
    Model, Adapter
        The adapted model; its card has no figures.

    Raises
    ------
    InputError
        If no pixel can be used.
    Cancelled
        If ``cancel`` was set.
    """
    network, start = start_of(model)
    parts: list[list[Sums]] = []
    for number, image in enumerate(images):
        yield Preparing(number, len(images), f"Adapting to {image.name}")
        draws = 1
        if image.rgb is None and recipe.camera is not None and varies(recipe.camera):
            draws = math.ceil(PHOTOGRAPHS / len(images))
        taken = validation_images(
            image, model.wavelengths, recipe, held_out=False, photographs=draws
        )
        quarters = [quarter_sums(given, network, recipe, cancel) for given in taken]
        parts.append([added(same) for same in zip(*quarters, strict=True)])
    yield Preparing(len(images), len(images), "Fitting the adapter")
    found = parts[0] if len(parts) == 1 else [added(quarters) for quarters in parts]
    found = [sums for sums in found if sums.weight]
    if len(found) < 2:
        raise InputError("The adapter finds no finite pixels in the training images.")
    adapter = fit(found, start)
    return adapted_model(model, network, adapter), adapter


def adapted_model(model: Model, network: Model, adapter: Adapter) -> Model:
    """A network with an adapter, under the card of the model that it comes from."""
    import torch

    from napari_hsr.models.architectures import affine_adapter
    from napari_hsr.models.architectures.wrappers import around
    from napari_hsr.models.state_dict import from_state_dict

    matrix, offset = (torch.from_numpy(v.copy()).float() for v in (adapter.matrix, adapter.offset))
    weights = around(network.module.state_dict(), adapter__weight=matrix, adapter__bias=offset)
    card = model.card.unmeasured(architecture=affine_adapter.ARCHITECTURE.id)
    return from_state_dict(weights, card)
