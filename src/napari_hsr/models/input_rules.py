"""Whole-image normalisation of the input, as each network was trained with.

A rule is measured once over the whole image and applied to every tile alike, so that a tile's
brightness does not depend on its surroundings. NaN and infinite values are not measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]


class InputRule:
    """How a network's input is normalised; this base class changes nothing.

    Attributes
    ----------
    name : str
        The rule in words, for model cards.
    """

    name: str = "none"

    def measure(self, tiles: Iterator[Array]) -> Any:
        """Statistics of the whole image from its tiles, each (h, w, 3) float32.

        A rule without statistics does not read the tiles.
        """
        return None

    def apply(self, tile: Array, statistics: Any) -> Array:
        """The tile as the network expects it, (h, w, 3) float32."""
        return tile

    def undo(self, bands: Array, statistics: Any) -> Array:
        """The network's output (bands, h, w) in the units of the cube."""
        return bands


class AsIs(InputRule):
    """No normalisation."""


@dataclass(frozen=True)
class _Clipping(InputRule):
    """A rule whose networks were trained on cubes as they are.

    Attributes
    ----------
    clip : bool
        Whether the cube is clipped to 0..1.
    """

    clip: bool = False

    def undo(self, bands: Array, statistics: Any) -> Array:
        """The bands, clipped if so configured."""
        return bands.clip(0, 1) if self.clip else bands


@dataclass(frozen=True)
class MinMax(_Clipping):
    """Minimum to 0 and maximum to 1, over all channels together; a constant image becomes 0."""

    name = "min-max: (v - min) / (max - min) over the whole image and all channels"

    def measure(self, tiles: Iterator[Array]) -> tuple[float, float]:
        """(minimum, maximum) of the finite values; (0, 0) if there is none."""
        least, highest = np.inf, -np.inf
        for tile in tiles:
            found = _finite(tile)
            if found.size:
                least, highest = min(least, found.min()), max(highest, found.max())
        return (float(least), float(highest)) if least <= highest else (0.0, 0.0)

    def apply(self, tile: Array, statistics: tuple[float, float]) -> Array:
        """The tile in 0..1."""
        least, highest = (np.float32(s) for s in statistics)
        return (tile - least) / ((highest - least) or np.float32(1))


@dataclass(frozen=True)
class Maximum(_Clipping):
    """Maximum to 1, over all channels together; a black image stays black."""

    name = "maximum: v / max over the whole image and all channels"

    def measure(self, tiles: Iterator[Array]) -> float:
        """The largest finite value; 0 if there is none."""
        highest = -np.inf
        for tile in tiles:
            found = _finite(tile)
            if found.size:
                highest = max(highest, found.max())
        return float(highest) if np.isfinite(highest) else 0.0

    def apply(self, tile: Array, statistics: float) -> Array:
        """The tile, at most 1."""
        return tile / (np.float32(statistics) or np.float32(1))


@dataclass(frozen=True)
class Mean(InputRule):
    """Mean over all channels to 1, and the cube scaled back by it.

    A black image stays black. A negative mean counts as 0: dividing by it would invert the image.
    """

    name = "mean: v / mean over the whole image and all channels; the cube times the mean"

    def measure(self, tiles: Iterator[Array]) -> float:
        """The mean of the finite values, at least 0; 0 if there is none."""
        total, count = 0.0, 0
        for tile in tiles:
            found = _finite(tile)
            total += float(found.sum(dtype=np.float64))
            count += found.size
        return max(0.0, total / count) if count else 0.0

    def apply(self, tile: Array, statistics: float) -> Array:
        """The tile, 1 on average."""
        return tile / (np.float32(statistics) or np.float32(1))

    def undo(self, bands: Array, statistics: float) -> Array:
        """The bands in the photograph's units."""
        return bands * np.float32(statistics)


@dataclass(frozen=True)
class Statistics(InputRule):
    """(v - mean) / deviation with statistics of the training set, channel by channel.

    Attributes
    ----------
    mean, deviation : tuple of float
        Of red, green and blue, for values in 0..1.
    of : str
        The training set.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    of: str = "statistics"
    name: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        mean, deviation = (" ".join(map(str, v)) for v in (self.mean, self.deviation))
        words = f"{self.of}: (v - mean) / deviation, mean {mean}, deviation {deviation}"
        object.__setattr__(self, "name", words)  # what statistics_from_words understands

    def apply(self, tile: Array, statistics: None) -> Array:
        """The tile, centred and scaled."""
        mean, deviation = (np.asarray(v, np.float32) for v in (self.mean, self.deviation))
        return (tile - mean) / deviation


@dataclass(frozen=True)
class Symmetric(InputRule):
    """0..1 to -1..1 in the channel order blue, green, red; the cube is mapped back and clipped."""

    name = (
        "symmetric: (v - 0.5) / 0.5, channels in the order BGR; the cube is v * 0.5 + 0.5 in 0..1"
    )

    def apply(self, tile: Array, statistics: None) -> Array:
        """The tile in -1..1, blue first."""
        return (tile[..., ::-1] - np.float32(0.5)) / np.float32(0.5)

    def undo(self, bands: Array, statistics: None) -> Array:
        """The bands in 0..1."""
        return (bands * np.float32(0.5) + np.float32(0.5)).clip(0, 1)


#: Of the two tracks of the NTIRE 2020 challenge, as published by its entrants.
NTIRE2020_CLEAN = Statistics(
    (0.1801, 0.1821, 0.1468), (0.1220, 0.1245, 0.1171), of="ntire2020-clean"
)
NTIRE2020_REAL_WORLD = Statistics(
    (0.1859, 0.1794, 0.1533), (0.1244, 0.1235, 0.1181), of="ntire2020-real-world"
)

_TRACKS = (NTIRE2020_CLEAN, NTIRE2020_REAL_WORLD)
_NUMBERS = r"((?:[-+.\deE]+[ ,]+){2}[-+.\deE]+)"


def statistics_from_words(words: str) -> Statistics:
    """The statistics that a card names.

    Parameters
    ----------
    words : str
        A track's short name (``ntire2020-clean``, ``ntire2020-real-world``), figures
        (``mean 0.18 0.18 0.15, deviation 0.12 0.12 0.12``), or ``none`` if the card does not say:
        those of the clean track are then assumed.

    Raises
    ------
    ModelError
        If the words are none of these.
    """
    text = words.strip()
    if text.lower() == "none":
        return NTIRE2020_CLEAN
    figures = re.search(rf"mean {_NUMBERS}[ ,]+deviation {_NUMBERS}", text)
    if figures is None:
        found = [track for track in _TRACKS if text.lower() == track.of]
    else:
        found = [s for s in [_stated(*figures.groups())] if s is not None]
    if found:
        return found[0]
    tracks = " or ".join(track.of for track in _TRACKS)
    raise ModelError(
        f"The input rule {words!r} names no statistics: {tracks} was expected, or "
        "'mean R G B, deviation R G B' with deviations above 0."
    )


def _stated(*groups: str) -> Statistics | None:
    """Statistics from the figures of mean and deviation; None if they are not usable."""
    try:
        mean, deviation = (tuple(map(float, re.split(r"[ ,]+", group))) for group in groups)
    except ValueError:
        return None
    if min(deviation) <= 0:
        return None
    known = (t for t in _TRACKS if (mean, deviation) == (t.mean, t.deviation))
    return next(known, Statistics(mean, deviation))


def _finite(tile: Array) -> Array:
    return tile[np.isfinite(tile)]
