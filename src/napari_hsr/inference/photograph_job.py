"""A photograph for the loop over tiles: read, put under the model's rule, and what is undone after."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.inference.inputs import PhotographReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from napari_hsr.inference.reduced_resolution import Correction
    from napari_hsr.inference.tiles.tiling import Tile
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph


class PhotographJob:
    """A photograph for the loop over tiles, under the model's whole-image rule."""

    doing = "Reconstructing"

    def __init__(self, photograph: Photograph, model: Model, whole: Photograph | None = None):
        self.reader = PhotographReader(photograph, model)
        self._rule = model.rule
        self._statistics = self._rule.measure(PhotographReader(whole or photograph, model).strips())
        self._core: np.ndarray

    def read(self, tile: Tile) -> np.ndarray:
        """The network's input for a tile, (3, height, width)."""
        stored, rgb = self.reader.read_stored(tile.rows.read, tile.columns.read)
        core = (
            slice(s.core.start - s.read.start, s.core.stop - s.read.start)
            for s in (tile.rows, tile.columns)
        )
        self._core = stored[tuple(core)]
        return self._rule.apply(rgb, self._statistics).transpose(2, 0, 1)

    def undo(self, bands: np.ndarray) -> np.ndarray:
        """The network's output, (bands, height, width), in the units of the cube."""
        return self._rule.undo(bands, self._statistics)

    @property
    def undoing(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The same for another process."""
        return partial(self._rule.undo, statistics=self._statistics)

    def counted(self) -> Mapping[str, int]:
        """What was noticed in the core of the tile that was read last."""
        return self.reader.counted(self._core)

    def add(self, counted: Mapping[str, int]) -> None:
        """Count what was noticed in a tile."""
        self.reader.add(counted)


class CorrectedJob(PhotographJob):
    """A photograph for a per-pixel base, whose spectra are corrected before they are written."""

    doing = "Carrying the result to full resolution"

    def __init__(self, photograph: Photograph, base: Model, correction: Correction):
        super().__init__(photograph, base)
        self._correction = correction
        self._added: torch.Tensor

    def read(self, tile: Tile) -> np.ndarray:
        """As above; the correction of the tile is kept."""
        colours = super().read(tile)
        self._added = self._correction.at(tile, colours)
        return colours

    def undo(self, bands: np.ndarray) -> np.ndarray:
        """The corrected spectra, none below 0."""
        made: np.ndarray = np.maximum(bands + self._added.numpy(), 0)
        return made

    @property
    def undoing(self) -> None:
        """The correction is here alone."""
        return None
