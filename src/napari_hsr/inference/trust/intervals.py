"""Calibrated intervals of a reconstruction, and how unlike the training each pixel is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.colour import decode_photograph_tile
from napari_hsr.errors import InputError
from napari_hsr.inference.trust.model_disagreement import witnesses_of
from napari_hsr.models.interval_table import between
from napari_hsr.notices import Code, Notice
from napari_hsr.trust.difficulty import chromaticity_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.model_disagreement import Witnesses
    from napari_hsr.models.interval_table import IntervalTable
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: Pixels that are looked at for the sentence after a run that was not asked for intervals.
SAMPLE_PIXELS = 2**14
#: Along each side, the blocks that they lie in where the cube is on disk.
SAMPLE_BLOCKS = 8
#: By definition 5 % of a training photograph are called unlike it; the sentence comes from here on.
WORTH_SAYING = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class Intervals:
    """Intervals around every value of a cube.

    Attributes
    ----------
    table : IntervalTable
        Of the model's card.
    level : ndarray, shape (height, width), float32
        Row of the table for each pixel, between two of them: see
        :func:`napari_hsr.models.interval_table.between`.
    scale : ndarray, shape (height, width), float32
        By which the row is multiplied.
    spread : ndarray, shape (height, width), float32
        Disagreement with the witnesses, relative to the brightness.
    unlike : ndarray, shape (height, width), float32
        Difficulty over that which 95 % of the training photographs' pixels do not exceed: above 1,
        a pixel is unlike what the model was trained on.
    """

    table: IntervalTable
    level: np.ndarray
    scale: np.ndarray
    spread: np.ndarray
    unlike: np.ndarray

    @property
    def coverage(self) -> float:
        """Probability that an interval holds the truth: 0.9."""
        return self.table.coverage

    @property
    def unlike_share(self) -> float:
        """Share of the pixels that are unlike the training."""
        return unlike_share(self.unlike)

    def half_width(self, bands: Any = slice(None), rows: Any = slice(None)) -> np.ndarray:
        """Half-widths of some bands and rows, (bands, rows, width) float32, in units of the cube."""
        out: np.ndarray = between(self.table.table[:, bands], self.level[rows]) * self.scale[rows]
        return out

    def mean_half_width(self, relative_to: np.ndarray | None = None) -> np.ndarray:
        """Mean half-width over the bands, (height, width): a map.

        Parameters
        ----------
        relative_to : array, shape (bands, height, width), optional
            The cube: the map is then relative to the mean of each spectrum.
        """
        mean = self.table.table.mean(axis=1)
        out: np.ndarray = between(mean, self.level) * self.scale
        if relative_to is None:
            return out
        mean = np.asarray(relative_to).mean(axis=0)
        relative: np.ndarray = np.full_like(out, np.nan)
        np.divide(out, mean, out=relative, where=mean > 0)
        return relative

    def bounds(self, cube: Cube) -> tuple[Cube, Cube]:
        """Lower and upper ends as cubes; the lower ones are not negative."""
        sides = []
        for side, name in ((-1, "lower"), (1, "upper")):
            data = np.empty(cube.shape, np.float32)
            for band in range(cube.bands):
                data[band] = np.asarray(cube.data[band]) + side * self.half_width(band)
            if side < 0:
                np.maximum(data, 0, out=data)
            step = f"The {name} end of {self.coverage:.0%} intervals around it."
            provenance = cube.provenance.with_step(step)
            sides.append(cube.replace(data=data, name=f"{cube.name} {name}", provenance=provenance))
        return sides[0], sides[1]

    def pixel(self, row: int, column: int) -> np.ndarray:
        """Half-widths of the bands of one pixel, (bands,)."""
        at = row, column
        out: np.ndarray = between(self.table.table, self.level[at]) * self.scale[at]
        return out

    def region(self, mask: np.ndarray) -> np.ndarray:
        """Half-widths for the mean spectrum of a region, (bands,), calibrated on regions.

        Parameters
        ----------
        mask : ndarray of bool, shape (height, width)
        """
        known = mask & np.isfinite(self.unlike)
        if not known.any():
            raise InputError("The region holds no pixel with an interval.")
        hard = self.unlike[known].mean() * self.table.unlike_above
        half = between(self.table.region_table, self.table.level(hard))
        out: np.ndarray = half * self.scale[known].mean()
        return out

    def record(self) -> dict[str, Any]:
        """The figures for the provenance of the cube."""
        finite = self.scale[np.isfinite(self.scale)]
        width = self.mean_half_width()
        return {
            "intervals": self.coverage,
            "interval_half_width_mean": float(f"{np.nanmean(width) if finite.size else 0:.4g}"),
            "intervals_calibrated_on": self.table.calibrated_on,
            "unlike_training": round(self.unlike_share, 4),
        }

    def notices(self) -> Iterator[Notice]:
        """What the user must know of them."""
        yield Notice.info(
            Code.INTERVALS,
            f"Intervals hold the truth in {self.coverage:.0%} of all pixels of photographs like "
            f"those they were calibrated on: {self.table.calibrated_on}.",
        )
        yield from unlike_notices(self.unlike_share)


class Looker:
    """Looks at spectra and their colours, and fills the maps of :class:`Intervals`.

    Parameters
    ----------
    photograph : Photograph
    table : IntervalTable
    witnesses : Witnesses
    """

    def __init__(self, photograph: Photograph, table: IntervalTable, witnesses: Witnesses):
        self.photograph, self.table, self._witnesses = photograph, table, witnesses
        self._level: np.ndarray
        self._maps: np.ndarray | None = None  # made when the first rows are looked at

    def look(self, rows: Any, spectra: np.ndarray) -> None:
        """At the spectra (bands, pixels) of some rows, before any projection."""
        if self._maps is None:
            size = self.photograph.height, self.photograph.width
            self._level = np.zeros(size, np.float32)
            self._maps = np.zeros((3, *size), np.float32)
        stored = np.asarray(self.photograph.data[rows])
        spread, hard, scale = self.difficulty(stored, spectra)
        shape = stored.shape[:-1]
        self._level[rows] = self.table.level(hard).reshape(shape)
        maps = np.stack([scale, spread, hard / self.table.unlike_above])
        self._maps[:, rows] = maps.reshape(3, *shape)

    def difficulty(
        self, stored: np.ndarray, spectra: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spread, difficulty and scale of stored colours (…, 3) with spectra (bands, pixels)."""
        seen = self._witnesses
        colours = decode_photograph_tile(
            stored.reshape(-1, 3), self.photograph.encoding, seen.encoding
        ).T
        unknown = ~np.isfinite(colours).all(axis=0)
        cell, brightness = chromaticity_cell(np.where(unknown, 0, colours))
        spread, hard, scale = (
            np.where(unknown, np.nan, one)
            for one in self.table.look(spectra, cell, brightness, seen.mean, seen.variance)
        )
        return spread, hard, scale

    def intervals(self) -> Intervals:
        """When all rows have been looked at."""
        assert self._maps is not None  # a photograph has a row
        scale, spread, unlike = self._maps
        return Intervals(
            table=self.table, level=self._level, scale=scale, spread=spread, unlike=unlike
        )


def looker(photograph: Photograph, model: Model) -> Looker | None:
    """None if the model has no calibration of its own weights and of the witnesses at hand."""
    found = _calibration(model)
    return None if found is None else Looker(photograph, *found)


def offered(model: Model) -> tuple[bool, ...]:
    """What a door may offer: whether to find intervals."""
    return (False,) if _calibration(model) is None else (False, True)


def _calibration(model: Model) -> tuple[IntervalTable, Witnesses] | None:
    table = model.card.intervals
    if table is None or table.weights_sha256 != model.weights_sha256:
        return None
    witnesses = witnesses_of(model)
    if witnesses is None or witnesses.hashes != table.witnesses:
        return None
    return table, witnesses


def calibrated(photograph: Photograph, model: Model, finer: int) -> Looker:
    """As :func:`looker`, for a run that was asked for intervals.

    Raises
    ------
    InputError
        If there is no calibration to go by.
    """
    found = looker(photograph, model)
    if found is None:
        raise InputError(
            f"{model.name} has no calibrated intervals: nobody has measured its errors on images "
            "that neither trained nor chose it."
        )
    if finer > 1:
        raise InputError("Intervals are those of the photograph's own pixels: leave finer at 1.")
    return found


def sampled_unlike(data: Any, photograph: Photograph, model: Model) -> float | None:
    """Share of a photograph that is unlike the training, from a grid of its pixels; None unknown."""
    found = looker(photograph, model)
    shape = photograph.height, photograph.width
    if found is None or tuple(data.shape[1:]) != shape:
        return None
    hard = []
    for at in _sample(shape, isinstance(data, np.ndarray)):
        stored = np.asarray(photograph.data[at])
        spectra = np.asarray(data[(slice(None), *at)])
        if stored.size:
            hard.append(found.difficulty(stored, spectra.reshape(len(spectra), -1))[1])
    return unlike_share(np.concatenate(hard) / found.table.unlike_above) if hard else None


def is_sampled(shape: tuple[int, int]) -> bool:
    """Whether :func:`sampled_unlike` leaves out pixels of an image (height, width)."""
    return shape[0] * shape[1] > SAMPLE_PIXELS


def _sample(shape: tuple[int, int], in_memory: bool) -> Iterator[tuple[slice, slice]]:
    """Places of the pixels: a grid over the image, or blocks of a cube that is read in chunks."""
    if in_memory or not is_sampled(shape):
        step = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / SAMPLE_PIXELS))))
        yield slice(step // 2, None, step), slice(step // 2, None, step)
        return
    down, across = (np.arange(SAMPLE_BLOCKS) * n // SAMPLE_BLOCKS for n in shape)
    side = math.isqrt(SAMPLE_PIXELS) // SAMPLE_BLOCKS
    for top in np.unique(down).tolist():
        for left in np.unique(across).tolist():
            yield slice(top, top + side), slice(left, left + side)


def unlike_share(unlike: np.ndarray) -> float:
    """Share of the known pixels that are unlike the training."""
    known = unlike[np.isfinite(unlike)]
    return float((known > 1).mean()) if known.size else 0.0


def unlike_notices(share: float | None, sampled: bool = False) -> Iterator[Notice]:
    """One sentence on a photograph of which much is unlike the training."""
    if share is not None and share >= WORTH_SAYING:
        about = "About " if sampled else ""
        yield Notice.warning(
            Code.UNLIKE_TRAINING,
            f"{about}{share:.0%} of this photograph is unlike what the model was trained on.",
        )


def sampled_notices(data: Any, photograph: Photograph, model: Model) -> list[Notice]:
    """That sentence on a result without intervals; "about" where not every pixel was looked at."""
    share = sampled_unlike(data, photograph, model)
    return list(unlike_notices(share, is_sampled((photograph.height, photograph.width))))
