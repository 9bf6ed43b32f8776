"""The frames of a stack against ground truth: figures of each, and how they go over the frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.metrics.compare import Comparison, compare_events
from napari_hsr.metrics.evaluate import evaluate_events
from napari_hsr.metrics.several import FigureTable
from napari_hsr.photograph_stack import StackAxis
from napari_hsr.progress import Progress, as_part

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator

    from napari_hsr.metrics.several import Column

#: A cube, or one of a stack's frames, by its index.
OneOf = Cube | tuple[FrameCubes, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class FrameTable(FigureTable):
    """One row a frame.

    Attributes
    ----------
    axis : StackAxis
        That the frames follow each other on; of several axes, the number of the frame.
    numbers : tuple of int
        The frames of the rows.
    failures : dict of int to str
        Frames that could not be computed or compared, and why.
    """

    axis: StackAxis
    numbers: tuple[int, ...]
    failures: dict[int, str] = field(default_factory=dict)

    @property
    def positions(self) -> np.ndarray:
        """Where the frames lie on the axis, in its unit or counted from 1."""
        return np.array([self.axis.counted(number) for number in self.numbers], dtype=float)

    def over_frames(self, column: Column) -> np.ndarray:
        """One figure of each frame."""
        return np.array([self.value(row, column) for row in range(len(self.numbers))], dtype=float)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: of the frames too, where they lie, and which failed, counted from 1."""
        return super().to_dict() | {
            "axis": {"name": self.axis.name, "unit": self.axis.unit},
            "positions": self.positions.tolist(),
            "failures": {str(number + 1): why for number, why in self.failures.items()},
        }


def frame_figures_events(
    frames: FrameCubes,
    truth: Cube | FrameCubes,
    protocol: str = "default",
    *,
    masks: Callable[[tuple[int, ...]], Any] | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Iterator[Progress | FrameTable]:
    """Compare every frame of a stack with its truth, as events; the last is a FrameTable.

    Parameters
    ----------
    frames : FrameCubes
    truth : Cube or FrameCubes
        One for all, or of each frame.
    protocol : str
    masks : callable, optional
        The mask of each frame, by its index, where they are not all compared inside one.
    cancel : threading.Event, optional
    **options
        ``mask``, ``lights`` and ``resample`` of :func:`napari_hsr.metrics.evaluate`.

    Raises
    ------
    InputError
        If the stacks have other frames, or no frame can be compared.
    """
    if isinstance(truth, FrameCubes) and truth.stack.lead != frames.stack.lead:
        raise InputError(
            f"{frames.stack.name} has {len(frames)} frames and {truth.stack.name} {len(truth)}: "
            "stacks are compared frame by frame."
        )
    found, numbers = [], []
    failures: dict[int, str] = {}
    total = 2 * len(frames)
    for number, at in enumerate(frames.stack.indices()):
        done, text = 2 * number, f"Frame {number + 1} of {len(frames)}"
        try:
            cube = yield from as_part(frames.cube_events(at, cancel), done, done + 1, total, text)
            known = truth
            if isinstance(known, FrameCubes):
                known = yield from as_part(known.cube_events(at, cancel), done, done, total, text)
            named = cube.replace(name=f"frame {number + 1}", _value_range=cube.value_range)
            own = options | ({} if masks is None else {"mask": masks(at)})
            work = evaluate_events(named, known, protocol, cancel=cancel, **own)
            found.append((yield from as_part(work, done + 1, done + 2, total, text)))
            numbers.append(number)
        except HSRError as error:  # of this frame; the rest goes on
            failures[number] = str(error)
    if not found:
        raise InputError(f"No frame can be compared: {next(iter(failures.values()))}")
    axes = frames.stack.axes
    axis = axes[0] if len(axes) == 1 else StackAxis("frame", len(frames))
    yield FrameTable(tuple(found), axis=axis, numbers=tuple(numbers), failures=failures)


def compare_frames_events(
    prediction: OneOf,
    truth: OneOf,
    *,
    every: bool = False,
    masks: Callable[[tuple[int, ...]], Any] | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Iterator[Progress | Comparison]:
    """As :func:`napari_hsr.metrics.compare.compare_events`, where either may be a frame of a stack.

    A frame is that of the chosen model, computed if it must be: never a placeholder.

    Parameters
    ----------
    prediction, truth : Cube, or (FrameCubes, index)
    every : bool
        Compare all frames of the prediction, too: ``table`` is a :class:`FrameTable` then.
    masks : callable, optional
        For these, the mask of each by its index, where that is not ``mask``.
    cancel : threading.Event, optional
    **options
        Of ``compare_events``.
    """
    first = yield from _cube_of(prediction, cancel)
    second = yield from _cube_of(truth, cancel)
    table = None
    if every and not isinstance(prediction, Cube):
        kept = {k: options[k] for k in ("protocol", "mask", "lights", "resample") if k in options}
        known = truth if isinstance(truth, Cube) else truth[0]
        work = frame_figures_events(prediction[0], known, masks=masks, cancel=cancel, **kept)
        for event in work:
            if isinstance(event, Progress):
                yield event
            else:
                table = event
    for told in compare_events(first, second, cancel=cancel, **options):
        yield told if isinstance(told, Progress) or table is None else replace(told, table=table)


def _cube_of(one: OneOf, cancel: threading.Event | None) -> Generator[Progress, None, Cube]:
    if isinstance(one, Cube):
        return one
    frames, index = one
    text = f"Frame {frames.stack.number(index) + 1}"
    return (yield from as_part(frames.cube_events(index, cancel), 0, 0, 0, text))
