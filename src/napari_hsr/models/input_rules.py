"""The networks' own whole-image rules: what becomes of a photograph before the network sees it.

Each is measured once over the whole image and then applied to every tile alike, so that a tile
is never brighter for standing alone. Values that are NaN or infinite take no part in measuring.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class MinMax:
    """The image's least value becomes 0 and its highest 1, over all channels together.

    A constant image becomes 0 everywhere.

    Attributes
    ----------
    clip : bool
        Whether the cube is cut to 0..1.
    """

    clip: bool = False
    name = "min-max: (v - min) / (max - min) over the whole image and all channels"

    def measure(self, tiles: Iterator[np.ndarray]) -> tuple[float, float]:
        """(least, highest) finite value; (0, 0) where there is none."""
        least, highest = np.inf, -np.inf
        for tile in tiles:
            found = _finite(tile)
            if found.size:
                least, highest = min(least, found.min()), max(highest, found.max())
        return (float(least), float(highest)) if least <= highest else (0.0, 0.0)

    def apply(self, tile: np.ndarray, statistics: tuple[float, float]) -> np.ndarray:
        """The tile in 0..1."""
        least, highest = (np.float32(s) for s in statistics)
        return (tile - least) / ((highest - least) or np.float32(1))

    def undo(self, bands: np.ndarray, statistics: tuple[float, float]) -> np.ndarray:
        """The bands themselves: the networks were trained on cubes as they are."""
        return bands.clip(0, 1) if self.clip else bands


@dataclass(frozen=True)
class Maximum:
    """The image's highest value becomes 1, over all channels together.

    A black image stays black.

    Attributes
    ----------
    clip : bool
        Whether the cube is cut to 0..1.
    """

    clip: bool = False
    name = "maximum: v / max over the whole image and all channels"

    def measure(self, tiles: Iterator[np.ndarray]) -> float:
        """The highest finite value; 0 where there is none."""
        highest = -np.inf
        for tile in tiles:
            found = _finite(tile)
            if found.size:
                highest = max(highest, found.max())
        return float(highest) if np.isfinite(highest) else 0.0

    def apply(self, tile: np.ndarray, statistics: float) -> np.ndarray:
        """The tile, at most 1."""
        return tile / (np.float32(statistics) or np.float32(1))

    def undo(self, bands: np.ndarray, statistics: float) -> np.ndarray:
        """The bands themselves: the networks were trained on cubes as they are."""
        return bands.clip(0, 1) if self.clip else bands


@dataclass(frozen=True)
class Mean:
    """The image's mean over all channels becomes 1, and the cube is brightened back by it.

    A black image stays black, and one whose mean is below 0 counts as such: divided by a negative
    number it would come out as its own negative.
    """

    name = "mean: v / mean over the whole image and all channels; the cube times the mean"

    def measure(self, tiles: Iterator[np.ndarray]) -> float:
        """The mean of the finite values, not below 0; 0 where there is none."""
        total, count = 0.0, 0
        for tile in tiles:
            found = _finite(tile)
            total += float(found.sum(dtype=np.float64))
            count += found.size
        return max(0.0, total / count) if count else 0.0

    def apply(self, tile: np.ndarray, statistics: float) -> np.ndarray:
        """The tile, 1 on average."""
        return tile / (np.float32(statistics) or np.float32(1))

    def undo(self, bands: np.ndarray, statistics: float) -> np.ndarray:
        """The bands in the photograph's units."""
        return bands * np.float32(statistics)


@dataclass(frozen=True)
class Statistics:
    """(v - mean) / deviation with the figures of the training set, channel by channel.

    Attributes
    ----------
    mean, deviation : tuple of float
        Of red, green and blue, for values in 0..1.
    of : str
        The training set they are of.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    of: str = "statistics"

    @property
    def name(self) -> str:
        """The rule in words that :func:`statistics_from_words` understands."""
        mean, deviation = (" ".join(map(str, v)) for v in (self.mean, self.deviation))
        return f"{self.of}: (v - mean) / deviation, mean {mean}, deviation {deviation}"

    def measure(self, tiles: Iterator[np.ndarray]) -> None:
        """Nothing to measure: the figures are the training set's, not the image's."""

    def apply(self, tile: np.ndarray, statistics: None) -> np.ndarray:
        """The tile, centred and scaled."""
        return (tile - np.float32(self.mean)) / np.float32(self.deviation)

    def undo(self, bands: np.ndarray, statistics: None) -> np.ndarray:
        """The bands themselves: the targets of training were not normalised."""
        return bands


@dataclass(frozen=True)
class Symmetric:
    """0..1 becomes -1..1 in the channel order blue, green, red; and back for the cube, cut to 0..1."""

    name = (
        "symmetric: (v - 0.5) / 0.5, channels in the order BGR; the cube is v * 0.5 + 0.5 in 0..1"
    )

    def measure(self, tiles: Iterator[np.ndarray]) -> None:
        """Nothing to measure."""

    def apply(self, tile: np.ndarray, statistics: None) -> np.ndarray:
        """The tile in -1..1, blue first."""
        return (tile[..., ::-1] - np.float32(0.5)) / np.float32(0.5)

    def undo(self, bands: np.ndarray, statistics: None) -> np.ndarray:
        """The bands in 0..1."""
        return (bands * np.float32(0.5) + np.float32(0.5)).clip(0, 1)


#: The two tracks of the NTIRE 2020 challenge, as its entrants published them.
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
        (``mean 0.18 0.18 0.15, deviation 0.12 0.12 0.12``), or ``none`` where the card does
        not say: then those of the clean track.

    Raises
    ------
    ModelError
        If the words are none of these.
    """
    text = words.strip()
    if text.lower() == "none":
        return NTIRE2020_CLEAN
    figures = re.search(rf"mean {_NUMBERS}[ ,]+deviation {_NUMBERS}", text)
    if figures:
        try:
            mean, deviation = (
                tuple(float(n) for n in re.split(r"[ ,]+", group)) for group in figures.groups()
            )
        except ValueError:
            mean, deviation = (), ()
        if deviation and min(deviation) > 0:
            for track in _TRACKS:
                if (mean, deviation) == (track.mean, track.deviation):
                    return track
            return Statistics(mean, deviation)
    else:
        for track in _TRACKS:
            if text.lower() == track.of:
                return track
    tracks = " or ".join(track.of for track in _TRACKS)
    raise ModelError(
        f"The input rule {words!r} names no statistics: {tracks} was expected, or "
        "'mean R G B, deviation R G B' with deviations above 0."
    )


def _finite(tile: np.ndarray) -> np.ndarray:
    return tile[np.isfinite(tile)]
