"""Spectra of a few pixels over the frames of a stack: one line of frames, computed where it must be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.analysis.indices import index
from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference.reconstruction import reconstruct_events
from napari_hsr.inference.reduced_resolution import reduction
from napari_hsr.inference.stacks.frame_arrays import State
from napari_hsr.io.stacks.files import FilesRead
from napari_hsr.models.input_rules import AsIs
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from napari_hsr.cube import Wavelengths
    from napari_hsr.inference.stacks.frame_cubes import FrameCubes
    from napari_hsr.photograph_stack import StackAxis

#: (row, column) of the cubes.
Pixel = tuple[int, int]


@dataclass(frozen=True, eq=False)
class OverTime:
    """The spectra of some pixels in some frames.

    Attributes
    ----------
    axis : StackAxis
        That the frames follow each other on.
    pixels : tuple of (row, column)
    spectra : ndarray, shape (bands, pixels, frames)
        NaN where a frame is not computed, or cannot be.
    wavelengths : Wavelengths or None
    units : str or None
        Of the values.
    failures : dict of int to str
        Frames that cannot be computed, by their place on the axis, and why.
    """

    axis: StackAxis
    pixels: tuple[Pixel, ...]
    spectra: np.ndarray
    wavelengths: Wavelengths | None = None
    units: str | None = None
    failures: dict[int, str] = field(default_factory=dict)

    @property
    def positions(self) -> np.ndarray:
        """Where the frames lie on the axis, in its unit or counted from 1, shape (frames,)."""
        return np.array(
            [self.axis.counted(number) for number in range(self.axis.size)], dtype=float
        )

    @property
    def missing(self) -> int:
        """Frames that are not computed yet."""
        known = np.isfinite(self.spectra).any(axis=(0, 1))
        return int((~known).sum()) - len(self.failures)

    def band(self, number: int) -> np.ndarray:
        """The values of one band, shape (pixels, frames)."""
        values: np.ndarray = self.spectra[number]
        return values

    def index(self, what: str) -> np.ndarray:
        """A spectral index or band arithmetic, as :func:`napari_hsr.index`; (pixels, frames).

        Raises
        ------
        InputError
            If there is no such index, or the bands do not give it.
        """
        cube = Cube(self.spectra, self.wavelengths, units=self.units, name="the pixels")
        made: np.ndarray = np.asarray(index(cube, what).data)[0]
        return made

    def write_csv(
        self, path: str | PathLike[str], values: np.ndarray, names: Sequence[str], what: str
    ) -> None:
        """Write values (pixels, frames) as a table with one row a frame, atomically.

        The heads name the unit of the axis, and of each column its pixel and ``what`` it holds.
        """
        from napari_hsr.io.text_files import csv_text, write_text

        heads = [
            f"{name} (row {y}, column {x}): {what}"
            for name, (y, x) in zip(names, self.pixels, strict=True)
        ]
        rows = [[self.axis.label, *heads]]
        for at, column in zip(self.positions, values.T, strict=True):
            rows.append([f"{at:.9g}", *(repr(float(one)) for one in column)])
        write_text(path, csv_text(rows))


class PixelsOverTime:
    """What is known of single pixels of a stack's cubes; nothing is computed twice, unless its file changes.

    Where the model sees no more than a pixel, only the pixels asked for are computed. Else whole
    frames are, which the viewer shows later without computing them again.

    Parameters
    ----------
    frames : FrameCubes
    """

    def __init__(self, frames: FrameCubes):
        self.frames = frames
        self._known: dict[tuple[int, Pixel], np.ndarray] = {}
        self._files = FilesRead()

    @property
    def single(self) -> bool:
        """Whether pixels are computed alone, which takes milliseconds a frame."""
        frames, model = self.frames, self.frames.model
        size = frames.stack.height, frames.stack.width
        options = {k: frames.options[k] for k in ("detail", "device") if k in frames.options}
        whole = reduction(options.pop("detail", "auto"), model, *size, **options) == 1
        return model.context == 0 and model.scale == 1 and isinstance(model.rule, AsIs) and whole

    def forget_changed(self) -> bool:
        """Forget what lay in frames whose files are others by now; whether that was anything."""
        self.frames.forget_changed()
        stack = self.frames.stack
        changed = {number for number in self._files if self._files.changed(stack, number)}
        gone = [key for key in self._known if key[0] in changed]
        for key in gone:
            del self._known[key]
        for number in changed:
            stack.failures.pop(number, None)
        return bool(gone)

    def line(self, along: int = 0) -> list[tuple[int, ...]]:
        """The indices of the frames along one axis, through the frame on show."""
        here = list(self.frames.shown)
        size = self.frames.stack.axes[along].size
        return [(*here[:along], number, *here[along + 1 :]) for number in range(size)]

    def at_hand(self, pixels: Sequence[Pixel], along: int = 0) -> OverTime:
        """What is there of these pixels; nothing is computed.

        Raises
        ------
        InputError
            If a pixel lies outside.
        """
        frames = self.frames
        bands, height, width = frames.shape[-3:]
        if any(not (0 <= y < height and 0 <= x < width) for y, x in pixels):
            raise InputError(f"A pixel lies outside the frames of {height} × {width} pixels.")
        spectra = np.full((bands, len(pixels), frames.stack.axes[along].size), np.nan, np.float32)
        failures = {}
        for place, at in enumerate(self.line(along)):
            number = frames.stack.number(at)
            if frames.state(at) is State.DONE:
                if any((number, pixel) not in self._known for pixel in pixels):
                    self._files.take(number, frames.files)
                self._take(number, pixels, frames.at_hand(at))
            if number in frames.stack.failures:
                failures[place] = frames.stack.failures[number]
            for row, pixel in enumerate(pixels):
                if (number, pixel) in self._known:
                    spectra[:, row, place] = self._known[number, pixel]
        axis, units = frames.stack.axes[along], frames.model.card.units
        return OverTime(axis, tuple(pixels), spectra, frames.wavelengths, units, failures)

    def events(
        self, pixels: Sequence[Pixel], along: int = 0, cancel: threading.Event | None = None
    ) -> Iterator[Progress | OverTime]:
        """Compute what is not known, frame by frame.

        Yields
        ------
        Progress
            ``done`` of ``total`` frames; :meth:`at_hand` has what is there then.
        OverTime
            At the end.

        Raises
        ------
        InputError
            If a pixel lies outside.
        Cancelled
            If ``cancel`` was set; what is known stays.
        """
        self.forget_changed()
        known = self.at_hand(pixels, along)
        line, single = self.line(along), self.single
        todo, start, computed = known.missing, time.perf_counter(), 0
        left: float | None = None
        for done, at in enumerate(line):
            stop_if(cancel)
            message = f"Frame {done + 1} of {len(line)}"
            yield Progress(done, len(line), message, left)
            number = self.frames.stack.number(at)
            wanted = [pixel for pixel in pixels if (number, pixel) not in self._known]
            if not wanted:
                continue
            alone = single and self.frames.state(at) is not State.DONE
            if alone:
                self._files.note(self.frames.stack, number)
            try:
                work = (
                    self._alone(at, wanted, cancel)
                    if alone
                    else self.frames.cube_events(at, cancel)
                )
                for event in work:
                    if not isinstance(event, Progress):
                        if not alone:
                            self._files.take(number, self.frames.files)
                        values = event if isinstance(event, np.ndarray) else event.data
                        self._take(number, wanted, values, alone=values is event)
                    elif event.total:
                        yield Progress(done, len(line), message, left, min(event.share, 0.99))
            except HSRError as error:  # of this frame, which stays empty; the rest goes on
                self.frames.stack.failures[number] = str(error)
            computed += 1
            left = (time.perf_counter() - start) / computed * max(todo - computed, 0)
        yield Progress(len(line), len(line))
        yield self.at_hand(pixels, along)

    def _alone(
        self, at: tuple[int, ...], pixels: Sequence[Pixel], cancel: threading.Event | None
    ) -> Iterator[Progress | np.ndarray]:
        """The spectra of these pixels alone, (bands, 1, pixels)."""
        photograph = self.frames.stack.photograph(at)
        stored = [np.asarray(photograph.data[y : y + 1, x : x + 1]) for y, x in pixels]
        few = replace(photograph, data=np.concatenate(stored, axis=1))
        options = self.frames.options
        for event in reconstruct_events(few, self.frames.model, **options, cancel=cancel):
            yield event if isinstance(event, Progress) else np.asarray(event.cube.data)

    def _take(self, number: int, pixels: Sequence[Pixel], values: Any, alone: bool = False) -> None:
        for place, (y, x) in enumerate(pixels):
            if (number, (y, x)) not in self._known:
                spectrum = values[:, 0, place] if alone else values[:, y, x]
                self._known[number, (y, x)] = np.array(spectrum)
