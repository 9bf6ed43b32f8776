"""What a model's card holds of its uncertainty: calibrated on images that neither trained nor chose it."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_hsr.models.figures_in_words import source_words
from napari_hsr.trust.difficulty import (
    CELLS,
    RARITY_CELLS,
    brightness_of,
    chromaticity_cell,
    log_difficulty,
    missed,
    rarity,
    spread,
)

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
#: A row of the table of rarity.
_Row = Annotated[str, Field(pattern=rf"^[{_LETTERS[:-2]}_-]{{{RARITY_CELLS}}}$")]
#: Relative to the brightness: of the bundled models up to 2.1. A hundred times the values is no knowledge.
_HalfWidth = Annotated[float, Field(gt=0, le=100)]
_Difficulty = Annotated[float, Field(gt=0)]
#: Exponents: of the bundled models up to 0.5.
_Slope = Annotated[float, Field(ge=0, le=10)]
#: Rows of what :meth:`IntervalTable.look` finds.
LEVEL, SCALE, SPREAD, UNLIKE = range(4)


class IntervalTable(BaseModel):
    """Half-widths of intervals, for each level of difficulty and each band.

    They are relative to the brightness of a spectrum (:func:`napari_hsr.trust.difficulty.brightness_of`).

    Attributes
    ----------
    weights_sha256 : str
        Of the weights that were calibrated.
    coverage : float
        Probability that an interval holds the truth: 0.9.
    witnesses : dict
        Models that the spread is taken from, with the hashes of their weights.
    slopes : (float, float)
        a and b of the difficulty; b is not used where the camera is known.
    dark_slope : float
        d of the difficulty.
    camera : tuple of (float, float, float)
        A row a band: what the known camera of the model's photographs sees of a spectrum. None
        where photographs may come from any camera.
    rarity : list of str
        A row of the table each, a letter a cell: 0..13.8 nats in 64 steps.
    edges : tuple of float
        Ascending difficulties between the levels.
    centres : tuple of float
        Ascending difficulties, one a level, at which its row holds; between them rows are
        interpolated linearly in the logarithm. Without any, a row holds for all of its level.
    half_widths, region_half_widths : tuple of tuple of float
        (levels, bands): of pixels, and of the means of regions, whose level is that of their pixels
        in the mean.
    unlike_above : float
        95% of the training photographs' pixels have no larger difficulty, whatever their brightness.
    largest : float
        Up to which difficulties were seen; beyond, intervals widen in proportion.
    photographs : int
        That it was calibrated on.
    calibrated_on : str
        In plain words.
    figures : dict
        By source: coverage, mean half-width, share unlike the training.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, ignored_types=(cached_property,), allow_inf_nan=False
    )

    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    coverage: float = Field(gt=0, lt=1)
    witnesses: dict[str, str]
    slopes: tuple[_Slope, _Slope]
    dark_slope: float = Field(default=0.0, ge=0)
    camera: tuple[tuple[float, float, float], ...] = ()
    rarity: tuple[_Row, ...] = Field(min_length=RARITY_CELLS, max_length=RARITY_CELLS)
    edges: tuple[_Difficulty, ...]
    centres: tuple[_Difficulty, ...] = ()
    half_widths: tuple[tuple[_HalfWidth, ...], ...]
    region_half_widths: tuple[tuple[_HalfWidth, ...], ...]
    unlike_above: float = Field(gt=0)
    largest: float = Field(gt=0)
    photographs: int = Field(ge=1)
    calibrated_on: str
    figures: dict[str, dict[str, float]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_intervals(self) -> IntervalTable:
        levels = len(self.edges) + 1
        sizes = {len(row) for table in (self.half_widths, self.region_half_widths) for row in table}
        if {len(self.half_widths), len(self.region_half_widths)} != {levels} or len(sizes) != 1:
            raise ValueError(f"half-widths are not {levels} rows of one number of bands each")
        if self.camera and {len(self.camera)} != sizes:
            raise ValueError("the camera has not one row a band")
        if len(self.centres) not in (0, levels):
            raise ValueError(f"there are {len(self.centres)} centres for {levels} levels")
        if any(low > high for low, high in pairwise((*self.edges, self.largest))):
            raise ValueError("edges do not ascend up to the largest difficulty")
        if any(low >= high for low, high in pairwise(self.centres)):
            raise ValueError("centres do not ascend")
        return self

    def __repr__(self) -> str:
        return f"<IntervalTable {self.coverage:.0%} on {self.photographs} photographs>"

    __str__ = __repr__

    def words(self) -> str:
        """The calibration for people, without a full stop."""
        covered = "; ".join(
            f"{source_words(source)} {figures['coverage']:.0%}"
            for source, figures in self.figures.items()
            if "coverage" in figures
        )
        return (
            f"{self.coverage:.0%}, calibrated on {self.photographs} photographs: "
            f"{self.calibrated_on}; covered by source: {covered}"
        )

    @property
    def name(self) -> str:
        """What the range of a curve is called: ``"90%"``."""
        return f"{self.coverage:.0%}"

    @cached_property
    def rarity_of_cells(self) -> np.ndarray:
        """Of every cell of chromaticity, in nats, (CELLS²,) float32."""
        every = rarity(np.arange(CELLS**2), decoded(self.rarity))
        return every.astype(np.float32)

    @cached_property
    def table(self) -> np.ndarray:
        """Half-widths of pixels, (levels, bands) float32."""
        return np.array(self.half_widths, np.float32)

    @cached_property
    def region_table(self) -> np.ndarray:
        """Half-widths of the means of regions, (levels, bands) float32."""
        return np.array(self.region_half_widths, np.float32)

    @cached_property
    def camera_matrix(self) -> np.ndarray | None:
        """(bands, 3) float32; None where the camera is not known."""
        return np.array(self.camera, np.float32) if self.camera else None

    def look(
        self,
        spectra: np.ndarray,
        colours: np.ndarray,
        mean: np.ndarray,
        variance: np.ndarray,
        mean_missed: np.ndarray | None = None,
    ) -> np.ndarray:
        """What is known of some pixels, (4, pixels) float32.

        Rows are the :data:`LEVEL` in the table, the :data:`SCALE` of the half-widths, the
        :data:`SPREAD`, and how :data:`UNLIKE` the training they are: their difficulty, whatever their
        brightness, over ``unlike_above``.

        Parameters
        ----------
        spectra : ndarray, shape (bands, pixels)
        colours : ndarray, shape (3, pixels)
            Linear.
        mean, variance : ndarray
            Of the witnesses; as for :func:`napari_hsr.trust.difficulty.spread`.
        mean_missed : ndarray, shape (CELLS²,), optional
            :meth:`missed_by` the mean; of a known camera.
        """
        cell, brightness = chromaticity_cell(colours)
        out = np.empty((4, len(cell)), np.float32)
        bright = brightness_of(spectra)
        out[SPREAD] = spread(spectra, cell, brightness, mean, variance, bright)
        failed = None
        if mean_missed is not None and self.camera_matrix is not None:
            witnesses = mean_missed[cell] * brightness**2
            failed = missed(spectra, colours, self.camera_matrix, witnesses, bright)
        log = log_difficulty(out[SPREAD], self.rarity_of_cells[cell], self.slopes, failed)
        out[UNLIKE] = np.exp(log) / self.unlike_above
        if self.dark_slope:
            log -= self.dark_slope * np.log(bright)
        hard = np.exp(log)
        out[LEVEL] = self.level(hard, log)
        out[SCALE] = bright * np.maximum(1, hard / self.largest)
        return out

    def level(self, difficulty: np.ndarray, log: np.ndarray | None = None) -> np.ndarray:
        """Row of the table for each difficulty, between two of them; NaN counts as the highest.

        Parameters
        ----------
        difficulty : ndarray
        log : ndarray, optional
            Its logarithm, where it is known.
        """
        hard, last = np.asarray(difficulty), len(self.half_widths) - 1
        if self.centres:
            at, nodes = np.log(hard) if log is None else log, np.log(self.centres)
            found = np.zeros(hard.shape, np.float32)
            for low, high in pairwise(nodes):  # np.interp works in double precision alone
                found += np.clip((at - low) / (high - low), 0, 1)
        else:
            found = np.searchsorted(np.array(self.edges), hard, side="right").astype(np.float32)
        return np.where(np.isnan(hard), np.float32(last), found)


def between(rows: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Rows of a table at levels that may lie between two of them.

    Parameters
    ----------
    rows : ndarray, shape (levels,) or (levels, bands)
    level : ndarray, shape (…)
        In 0..levels - 1.

    Returns
    -------
    ndarray, shape (…) or (bands, …)
    """
    level = np.asarray(level, rows.dtype)
    flat = (1,) * level.ndim
    out = np.empty((*rows.shape[1:], *level.shape), rows.dtype)
    out[...] = rows[0].reshape((*rows.shape[1:], *flat))
    for number, step in enumerate(np.diff(rows, axis=0)):  # sums are faster than looking rows up
        out += step.reshape((*step.shape, *flat)) * np.clip(level - number, 0, 1)
    return out


_STEP = 13.9 / 63


def encoded(table: np.ndarray) -> tuple[str, ...]:
    """A table of rarity as rows of letters."""
    steps = np.rint(np.clip(table / _STEP, 0, 63)).astype(int)
    return tuple("".join(_LETTERS[s] for s in row) for row in steps)


def decoded(rows: tuple[str, ...]) -> np.ndarray:
    """The inverse of :func:`encoded`, to its steps."""
    return _STEP * np.array([[_LETTERS.index(letter) for letter in row] for row in rows])
