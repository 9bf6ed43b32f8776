"""A film, a time-lapse or a growing folder into one zarr store, frame by frame."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import colour
from napari_hsr.arguments import told
from napari_hsr.cameras.profiles import known_by
from napari_hsr.cube import Cube
from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference.estimates.run_estimate import COMPUTED, estimate
from napari_hsr.inference.inputs import why_not
from napari_hsr.inference.reconstruction import reconstruct_events
from napari_hsr.inference.stacks.run import sample_of
from napari_hsr.inference.subpixel_grid import on_grid
from napari_hsr.inference.tiles.result_place import fingerprint, zarr_path
from napari_hsr.io.stacks import read_stack
from napari_hsr.io.stacks.files import LOOK_SECONDS, FileFrames, file_state, grown
from napari_hsr.io.zarr.frame_store import FrameStore
from napari_hsr.models.bundled_models import DEFAULT
from napari_hsr.models.library import load_model
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph_stack import PhotographStack
from napari_hsr.progress import Progress, as_part, result_of, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from os import PathLike
    from pathlib import Path

    from napari_hsr.inference.results import Result
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: Steps of the progress within a frame.
_WITHIN = 100


@dataclass(frozen=True)
class FramesStored:
    """What became of the frames of a stack.

    Attributes
    ----------
    path : Path
        The store; ``napari_hsr.read(f"{path}:12")`` is the twelfth cube.
    frames : int
        How many there are, empty ones included.
    computed : int
        How many were computed now, not by an earlier run.
    failures : dict of int to str
        Frames that were left empty, by number from 0, and why.
    notices : tuple of Notice
    seconds : float
    """

    path: Path
    frames: int
    computed: int
    failures: dict[int, str]
    notices: tuple[Notice, ...]
    seconds: float


@told
def store_frames_events(
    stack: PhotographStack | str | PathLike[str],
    model: Model | str | PathLike[str] = DEFAULT,
    *,
    output: str | PathLike[str],
    overwrite: bool = False,
    watch: float | None = None,
    encoding: str | None = None,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Iterator[Progress | FramesStored]:
    """Reconstruct all frames of a stack into one zarr store (time, band, y, x), and report progress.

    A frame that cannot be read, or has another size, is left empty; the rest goes on. The same call
    goes on with a store that was not finished, and tries its empty frames again.

    Parameters
    ----------
    stack : PhotographStack or path
        As :func:`napari_hsr.read_stack` opens it, along one axis.
    model, encoding, cancel, **options
        As for :func:`napari_hsr.reconstruct`.
    output, overwrite
        The store, as there.
    watch : float, optional
        Of a folder: wait for further frames until none has come for so many seconds.

    Yields
    ------
    Progress
        In hundredths of a frame.
    FramesStored
        At the end.

    Raises
    ------
    HSRError
        If the stack cannot be opened, the model cannot take its frames, or another run began the
        store.
    Cancelled
        If ``cancel`` was set; what is finished is kept.
    """
    start = time.perf_counter()
    path, opened = zarr_path(output), _opened(stack, encoding, watch)
    loaded = load_model(model)
    sample = sample_of(opened)
    reason = why_not(sample, loaded)
    if reason:
        raise InputError(reason)
    on = on_grid(loaded, options.get("finer", 1))
    like = _empty_frame(opened, on)
    made_by = _made_by(opened, sample, on, options)
    made = FrameStore(path, like, opened.axes[0], made_by, overwrite=overwrite)
    with closing(_Closing(made)) as held:
        store, cube, seen = held.store, like, 0
        earlier = len(store.finished)
        pace = _Pace(_expected_seconds(opened, loaded, options))
        again, said = list[int](), _Said(opened)
        quiet = time.monotonic()
        while True:
            for number in (*again, *range(seen, len(opened))):
                total = len(opened)
                steps = number * _WITHIN, (number + 1) * _WITHIN, total * _WITHIN
                doing = f"Frame {number + 1} of {total}"
                yield Progress(steps[0], steps[-1], doing, pace.left(total - number))
                name = _name_of(opened, number)
                known = store.finished.get(number)
                if known is not None and known.get("file") == name:
                    continue
                begun = time.perf_counter()
                try:
                    photograph = opened.photograph(number)
                    work = reconstruct_events(photograph, loaded, cancel=cancel, **options)
                    result = yield from as_part(work, *steps, later=pace.left(total - number - 1))
                except HSRError as error:  # of this frame, which stays empty; the rest goes on
                    opened.failures[number] = str(error)
                    store.drop(number)
                    continue
                store.put(number, result.cube, file=name)
                said.add(number, result)
                cube, quiet = result.cube, time.monotonic()
                pace.add(time.perf_counter() - begun)
            seen = len(opened)
            if watch is None or time.monotonic() - quiet > watch:
                break
            stop_if(cancel)
            assert isinstance(opened.frames, FileFrames)  # as was seen to
            came, changed = opened.frames.look(), opened.frames.changed
            again = [number for number in changed if number in opened.failures]
            if came or again:
                opened, quiet = grown(opened), time.monotonic()
                store.grow(opened.axes[0])
            else:
                yield Progress(seen * _WITHIN, seen * _WITHIN, "Waiting for the next frame")
                time.sleep(min(LOOK_SECONDS, watch))
        failures = {n: why for n, why in opened.failures.items() if n not in store.finished}
        of_all = replace(cube.provenance, input=opened.provenance.input)  # not of the last alone
        whole = like.replace(provenance=of_all, _value_range=like.value_range)
        store.finish(whole, failures)
    told = (*said.notices(), *_notices(opened, earlier, failures))
    seconds = time.perf_counter() - start
    yield FramesStored(path, len(opened), pace.frames, failures, told, seconds)


def _opened(
    stack: PhotographStack | str | PathLike[str], encoding: str | None, watch: float | None
) -> PhotographStack:
    """The stack, found to be one that can be stored and, if wished for, watched."""
    opened = stack if isinstance(stack, PhotographStack) else read_stack(stack)
    if encoding is not None:
        opened = replace(opened, encoding=colour.normalise_encoding(encoding))
    if len(opened.axes) != 1:
        raise InputError(f"{opened.name} has {len(opened.axes)} axes: frames along one are stored.")
    grows = isinstance(opened.frames, FileFrames) and opened.frames.folder is not None
    if watch is not None and not grows:
        raise InputError(
            f"{opened.name} is no folder: nothing comes into it that could be awaited."
        )
    return opened


def _made_by(
    stack: PhotographStack, sample: Photograph, model: Model, options: dict[str, Any]
) -> dict[str, Any]:
    """What the run is known by: another one does not go on with its store."""
    options = {**options, "camera": known_by(options.get("camera"))}
    settings = {key: str(value) for key, value in sorted(options.items()) if key != "client"}
    known = fingerprint(model, sample.data, encoding=stack.encoding, **settings)
    axis = stack.axes[0]
    known["frames"] = {"axis": axis.name, "step": axis.step, "unit": axis.unit}
    known["input"].pop("file", None)
    return known


def _empty_frame(stack: PhotographStack, model: Model) -> Cube:
    """A cube of a frame's size and description that takes no memory."""
    shape = (model.bands or 0, stack.height * model.scale, stack.width * model.scale)
    return Cube(
        np.broadcast_to(np.float32(0), shape),
        model.wavelengths,
        units=model.card.units,
        name=f"{stack.name} {model.name}",
        provenance=stack.provenance,
        metadata={"card": model.card.model_dump(mode="json", exclude={"intervals"})},
    )


@dataclass
class _Pace:
    """How long frames take: as those that have been computed, at first as expected."""

    expected: float | None
    frames: int = 0
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """A frame has been computed and written in this time."""
        self.frames, self.seconds = self.frames + 1, self.seconds + seconds
        self.expected = self.seconds / self.frames

    def left(self, frames: int) -> float | None:
        """What so many take."""
        return None if self.expected is None else frames * self.expected


class _Said:
    """What is said of a stack as a whole, and of single frames, once of each kind."""

    def __init__(self, stack: PhotographStack):
        # of frames that are empty it is said one by one
        self._of_all = [note for note in stack.notices if note.code is not Code.FRAME_FAILED]
        self._of_frames: dict[Code, list[tuple[int, Notice]]] = {}

    def add(self, number: int, result: Result) -> None:
        """What the run on a frame warns of, where that is not said of all of them."""
        kept = {note.code: note for note in reversed(result.notices) if note.severity == "warning"}
        for code, note in kept.items():
            if code not in {one.code for one in self._of_all}:
                self._of_frames.setdefault(code, []).append((number, note))

    def notices(self) -> tuple[Notice, ...]:
        """All of it."""
        told = list(self._of_all)
        for code, found in self._of_frames.items():
            number, note = found[0]
            others = f" (and so of {len(found) - 1} others)" if found[1:] else ""
            told.append(Notice(code, note.severity, f"Frame {number + 1}{others}: {note.text}"))
        return tuple(told)


def _expected_seconds(
    stack: PhotographStack, model: Model, options: dict[str, Any]
) -> float | None:
    """What a frame takes, before any has been computed; None if that is up to workers."""
    if options.get("client") is not None:
        return None
    known = {name: options.get(name, usual) for name, usual in COMPUTED.items()}
    return estimate((stack.height, stack.width), model, **known, on_disk=True).seconds


def _notices(stack: PhotographStack, earlier: int, failures: dict[int, str]) -> tuple[Notice, ...]:
    """What earlier runs had finished, and which frames were left empty."""
    notices = []
    if earlier:
        told = f"{earlier} of {len(stack)} frames had been finished by an earlier run."
        notices.append(Notice.info(Code.RESUMED, told))
    for number, why in sorted(failures.items()):
        told = f"Frame {number + 1} of {stack.name} was left empty: {why}"
        notices.append(Notice.warning(Code.FRAME_FAILED, told))
    return tuple(notices)


@told
def store_frames(
    stack: PhotographStack | str | PathLike[str],
    model: Model | str | PathLike[str] = DEFAULT,
    *,
    output: str | PathLike[str],
    progress: Callable[[Progress], Any] | None = None,
    **options: Any,
) -> FramesStored:
    """:func:`store_frames_events` to its end; ``progress`` is called with each event."""
    return result_of(store_frames_events(stack, model, output=output, **options), progress)


@dataclass
class _Closing:
    """A store whose lock is given back in the end."""

    store: FrameStore

    def close(self) -> None:
        self.store.release()


def _name_of(stack: PhotographStack, number: int) -> str:
    """What tells a frame from another that later has its number, or its name."""
    frames = stack.frames
    state = file_state(stack, number)  # of one that is gone reading it says so
    known = f" {state[0]} {state[1]}" if state else ""
    return f"{frames.paths[number].name if isinstance(frames, FileFrames) else number}{known}"
