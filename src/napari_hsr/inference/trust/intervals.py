"""Calibrated intervals of a reconstruction, and how unlike the training each pixel is."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.colour import decode_photograph_tile
from napari_hsr.errors import InputError
from napari_hsr.inference.trust.model_disagreement import witnesses_of
from napari_hsr.models.interval_table import LEVEL, SCALE, SPREAD, UNLIKE, between
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.inference.trust.model_disagreement import Witnesses
    from napari_hsr.models.interval_table import IntervalTable
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: Pixels that are looked at for the sentence after a run that was not asked for intervals.
SAMPLE_PIXELS = 2**14
#: Along each side, the blocks that they lie in where the cube is on disk; steps of their grid read together.
SAMPLE_BLOCKS = 8
GRID_STEPS = 64
#: The means of regions were calibrated from so many pixels on.
REGION_PIXELS = 16
#: Pixels read together, and looked at together: the spectra of these stay in the processor's cache.
STRIP_PIXELS = 2**16
_BLOCK = 2**14
#: By definition 5% of a training photograph are called unlike it; the sentence comes from here on.
WORTH_SAYING = 0.1


class Intervals:
    """Intervals around every value of a cube.

    Its maps are computed together when one of them is first asked for, and then kept.

    Parameters
    ----------
    looker : Looker
    data : array, shape (bands, height, width)
        The cube's values.
    maps : ndarray, shape (4, height, width), optional
        See :meth:`Looker.new_maps`: found of spectra that ``data`` no longer holds.
    """

    def __init__(self, looker: Looker, data: Any, maps: np.ndarray | None = None):
        self.data = data
        self._looker, self._maps = looker, maps

    @property
    def table(self) -> IntervalTable:
        """Of the model's card."""
        return self._looker.table

    @property
    def level(self) -> np.ndarray:
        """Row of the table for each pixel, (height, width) float32.

        It may lie between two of them: see :func:`napari_hsr.models.interval_table.between`.
        """
        return self._map(LEVEL)

    @property
    def scale(self) -> np.ndarray:
        """By which the row is multiplied, (height, width) float32."""
        return self._map(SCALE)

    @property
    def spread(self) -> np.ndarray:
        """Disagreement with the witnesses, relative to the brightness, (height, width) float32."""
        return self._map(SPREAD)

    @property
    def unlike(self) -> np.ndarray:
        """Difficulty over that of 95% of the training photographs' pixels, (height, width) float32.

        Above 1, a pixel is unlike what the model was trained on.
        """
        return self._map(UNLIKE)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The four maps at some pixels, (4, pixels), without computing them elsewhere."""
        if self._maps is not None:
            return self._maps[:, rows, columns]
        stored = np.asarray(self._looker.photograph.data[rows, columns])
        return self._looker.difficulty(stored, np.asarray(self.data[:, rows, columns]))

    @property
    def coverage(self) -> float:
        """Probability that an interval holds the truth: 0.9."""
        return self.table.coverage

    @property
    def unlike_share(self) -> float:
        """Share of the pixels that are unlike the training; of a large image, of a sample."""
        return self._figures[0]

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
        out: np.ndarray = self._mean(self.level) * self.scale
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
        return self.half_widths(np.array([row]), np.array([column]))[:, 0]

    def half_widths(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Half-widths of the bands of some pixels, (bands, pixels)."""
        found = self.at(rows, columns)
        out: np.ndarray = between(self.table.table, found[LEVEL]) * found[SCALE]
        return out

    def region(self, mask: np.ndarray) -> np.ndarray:
        """Half-widths for the mean spectrum of a region, (bands,), calibrated on regions.

        Parameters
        ----------
        mask : ndarray of bool, shape (height, width)
            Of a large region every n-th pixel is looked at; one of fewer pixels than
            :data:`REGION_PIXELS` has the half-widths of a pixel.
        """
        rows, columns = np.nonzero(mask)
        step = max(1, -(-rows.size // SAMPLE_PIXELS))
        found = self.at(rows[::step], columns[::step])
        found = found[:, np.isfinite(found[UNLIKE])]
        if not found.size:
            raise InputError("The region holds no pixel with an interval.")
        few = rows.size < REGION_PIXELS
        half = between(self.table.table if few else self.table.region_table, found[LEVEL].mean())
        out: np.ndarray = half * found[SCALE].mean()
        return out

    def record(self) -> dict[str, Any]:
        """The figures for the provenance of the cube."""
        return {
            "intervals": self.coverage,
            "interval_half_width_mean": float(f"{self._figures[1]:.4g}"),
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
        yield from unlike_notices(self.unlike_share, self._figures[2])

    @cached_property
    def _figures(self) -> tuple[float, float, bool]:
        """Share that is unlike, mean half-width, and whether they are of a sample.

        Found once, so that all that is said and written of a run agrees.
        """
        sampled = self._maps is None
        some = self._looker.sampled(self.data) if self._maps is None else self._maps
        width = self._mean(some[LEVEL]) * some[SCALE]
        finite = width[np.isfinite(width)]
        mean = float(finite.mean()) if finite.size else 0.0
        return unlike_share(some[UNLIKE]), mean, sampled and is_sampled(self._looker.size)

    def _mean(self, level: np.ndarray) -> np.ndarray:
        """Of the half-widths over the bands, at brightness 1."""
        return between(self.table.table.mean(axis=1), level)

    def _map(self, which: int) -> np.ndarray:
        """One of the maps, (height, width)."""
        if self._maps is None:
            height, width = self._looker.size
            maps, step = self._looker.new_maps(), max(1, STRIP_PIXELS // width)
            for start in range(0, height, step):
                strip = slice(start, start + step)
                spectra = np.asarray(self.data[:, strip])
                self._looker.look(maps, strip, spectra.reshape(len(spectra), -1))
            self._maps = maps  # whole, for whichever thread asks next
        found: np.ndarray = self._maps[which]
        return found


class Looker:
    """Looks at spectra and their colours, for the maps of :class:`Intervals`.

    Parameters
    ----------
    photograph : Photograph
    table : IntervalTable
    witnesses : Witnesses
    """

    def __init__(self, photograph: Photograph, table: IntervalTable, witnesses: Witnesses):
        self.photograph, self.table, self._witnesses = photograph, table, witnesses
        matrix = table.camera_matrix
        self._mean_missed = None if matrix is None else witnesses.missed(matrix)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photograph."""
        return self.photograph.height, self.photograph.width

    def new_maps(self) -> np.ndarray:
        """Room for level, scale, spread and unlikeness of every pixel, (4, height, width)."""
        return np.zeros((4, *self.size), np.float32)

    def look(self, maps: np.ndarray, rows: Any, spectra: np.ndarray) -> None:
        """At the spectra (bands, pixels) of some rows, before any projection."""
        stored = np.asarray(self.photograph.data[rows])
        maps[:, rows] = self.difficulty(stored, spectra).reshape(4, *stored.shape[:-1])

    def sampled(self, data: Any, quickly: bool = False) -> np.ndarray:
        """What the maps hold at a grid of the pixels of a cube, (4, pixels).

        Parameters
        ----------
        data : array, shape (bands, height, width)
        quickly : bool
            Of one that is read in chunks, blocks will do in place of the grid.
        """
        found = []
        blocks = quickly and not isinstance(data, np.ndarray) and is_sampled(self.size)
        for at in (_blocks if blocks else _grid)(self.size):
            stored = np.asarray(self.photograph.data[at])
            spectra = np.asarray(data[(slice(None), *at)])
            if stored.size:
                found.append(self.difficulty(stored, spectra.reshape(len(spectra), -1)))
        return np.concatenate(found, axis=1)

    def difficulty(self, stored: np.ndarray, spectra: np.ndarray) -> np.ndarray:
        """Level, scale, spread and unlikeness for stored colours (…, 3) with spectra (bands, pixels).

        Returns
        -------
        ndarray, shape (4, pixels), float32
        """
        stored = stored.reshape(-1, 3)
        out = np.empty((4, len(stored)), np.float32)
        for start in range(0, len(stored), _BLOCK):
            some = slice(start, start + _BLOCK)
            out[:, some] = self._looked_at(stored[some], spectra[:, some])
        return out

    def _looked_at(self, stored: np.ndarray, spectra: np.ndarray) -> np.ndarray:
        """The same of few pixels."""
        seen = self._witnesses
        colours = decode_photograph_tile(stored, self.photograph.encoding, seen.encoding).T
        unknown = ~np.isfinite(colours).all(axis=0) if stored.dtype.kind == "f" else None
        if unknown is not None:
            colours = np.where(unknown, 0, colours)
        found = self.table.look(spectra, colours, seen.mean, seen.variance, self._mean_missed)
        if unknown is not None:
            found[SCALE:, unknown] = np.nan
            found[LEVEL, unknown] = len(self.table.half_widths) - 1
        return found


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
    if found is None or tuple(data.shape[1:]) != found.size:
        return None
    return unlike_share(found.sampled(data, quickly=True)[UNLIKE])


def is_sampled(shape: tuple[int, int]) -> bool:
    """Whether :func:`sampled_unlike` leaves out pixels of an image (height, width)."""
    return shape[0] * shape[1] > SAMPLE_PIXELS


def _grid(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Places of the pixels of a grid over the image, in the order in which chunks are read."""
    step = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / SAMPLE_PIXELS))))
    down, across = (
        [
            (start, min(start + step * GRID_STEPS, n))
            for start in range(step // 2, n, step * GRID_STEPS)
        ]
        for n in shape
    )
    for top, bottom in down:
        for left, right in across:
            yield slice(top, bottom, step), slice(left, right, step)


def _blocks(shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Places of as many pixels in blocks, of which chunks hold several."""
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
