"""What a viewer slices: all frames of a stack as one array, and a small cube seen as a larger one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_hsr.errors import HSRError
from napari_hsr.photograph_stack import OnDemand, gather, split_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.cube import Cube
    from napari_hsr.photograph_stack import PhotographStack

#: How long an array waits for a frame that is not there yet, in seconds.
PATIENCE = 0.05


class State(StrEnum):
    """What is there of a frame."""

    NOTHING = "nothing"
    PLACEHOLDER = "placeholder"
    DONE = "done"
    FAILED = "failed"


class Looked(Protocol):
    """The frames behind an array: :class:`~napari_hsr.inference.stacks.frame_cubes.FrameCubes`."""

    stack: PhotographStack
    on_ask: Callable[[], object] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """(…, bands, height, width)."""

    def look(self, index: tuple[int, ...] | int, patience: float = 0.0) -> Any:
        """What is there of a frame, which is to be computed next."""

    def at_hand(self, index: tuple[int, ...] | int) -> Any:
        """What is there of a frame."""

    def cube(self, index: tuple[int, ...] | int) -> Cube:
        """The cube of a frame, computed here."""


class Enlarged:
    """A small cube seen as a larger one, each value repeated; nothing is copied."""

    dtype, ndim = np.dtype(np.float32), 3

    def __init__(self, few: np.ndarray, size: tuple[int, ...]):
        self._few, self.shape = few, (few.shape[0], *size)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :, :], dtype=dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = list(key) if isinstance(key, tuple) else [key]
        parts += [slice(None)] * (3 - len(parts))
        bands, rows, columns = parts
        down, right = (
            np.arange(size)[part] * have // size
            for part, size, have in zip(
                (rows, columns), self.shape[1:], self._few.shape[1:], strict=True
            )
        )
        taken: np.ndarray = self._few[bands]
        if np.ndim(rows) == np.ndim(columns) == 1:
            taken = taken[..., down, right]  # pairs of places, as in NumPy
        else:
            taken = taken[..., down, :][..., right]
        return taken


class CubesArray(OnDemand):
    """All frames as one array (…, bands, height, width) float32.

    One frame is what a viewer asks for: where threads compute in the background, it gets what is
    there within :data:`PATIENCE`, else it is computed here. Slices of frames are what is there of
    each, or all computed, in the same way. A frame that failed is NaN.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, frames: Looked):
        self.frames = frames

    @property
    def shape(self) -> tuple[int, ...]:
        """(…, bands, height, width)."""
        return self.frames.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        chosen, inside = split_index(key, self.shape, len(self.frames.stack.axes))
        one = all(isinstance(part, int) or len(part) == 1 for part in chosen)
        return gather(chosen, lambda index: np.asarray(self._frame(index, one)[inside]))

    def _frame(self, index: tuple[int, ...], one: bool) -> Any:
        frames = self.frames
        if frames.on_ask is not None:
            return frames.look(index, PATIENCE) if one else frames.at_hand(index)
        if one:
            frames.look(index)
        try:
            return frames.cube(index).data
        except HSRError as error:  # told in the failures of the stack; the rest goes on
            frames.stack.failures[frames.stack.number(index)] = str(error)
            return frames.at_hand(index)
