"""Stacks of photographs through a model: for Python, the Reconstruct panel, and as files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr import colour, io
from napari_hsr.arguments import told
from napari_hsr.cube import Cube
from napari_hsr.errors import AlreadyThereError, HSRError, InputError
from napari_hsr.inference.inputs import why_not
from napari_hsr.inference.preview import LEAST_SECONDS, StackPreview
from napari_hsr.inference.reconstruction import reconstruct_events
from napari_hsr.inference.results import Result
from napari_hsr.inference.stacks.frame_arrays import State
from napari_hsr.inference.stacks.frame_cubes import PLACEHOLDER_PIXELS, FrameCubes
from napari_hsr.inference.stacks.placeholder import PLACEHOLDER, spacing
from napari_hsr.io.atomic import expecting
from napari_hsr.io.file_sets import standing_at
from napari_hsr.io.library_errors import made_folder
from napari_hsr.io.stacks import read_stack
from napari_hsr.models.bundled_models import DEFAULT
from napari_hsr.photograph_stack import PhotographStack
from napari_hsr.progress import Progress, stop_if
from napari_hsr.units import file_stem

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from os import PathLike

    from napari_hsr.inference.trust.intervals import Intervals
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: Frames that are tried in place of one that cannot be read.
NEAR = 8


@dataclass(frozen=True, kw_only=True)
class StackResult(Result):
    """The cube of the first frame asked for, and all others when they are.

    Attributes
    ----------
    frames : FrameCubes
    """

    frames: FrameCubes


@dataclass(frozen=True)
class FramesWritten:
    """What became of the frames of a stack.

    Attributes
    ----------
    files : tuple of Path
    failures : dict of int to str
        Frames that could not be written, by number from 0, and why.
    """

    files: tuple[Path, ...]
    failures: dict[int, str]


@told
def reconstruct_stack(
    stack: PhotographStack | str | PathLike[str],
    model: Model | str | PathLike[str] = DEFAULT,
    *,
    encoding: str | None = None,
    cache_bytes: int | None = None,
    **options: Any,
) -> FrameCubes:
    """The cubes of a stack of photographs, each computed when it is asked for.

    Parameters
    ----------
    stack : PhotographStack or path
        As :func:`napari_hsr.read_stack` opens it: a folder, a pattern, a film…
    model : Model, str or path
        As for :func:`napari_hsr.reconstruct`.
    encoding : str, optional
        Of all frames, where it is unknown or to be overridden.
    cache_bytes : int, optional
        Most bytes of cubes that are kept; by default a quarter of the free memory, up to 2 GiB.
    **options
        Of :func:`napari_hsr.reconstruct`.

    Returns
    -------
    FrameCubes
        ``frames[12]`` is a :class:`~napari_hsr.cube.Cube`, ``frames.data`` all of them as a lazy
        array (…, bands, height, width).

    Raises
    ------
    HSRError
        If the stack cannot be opened, or the model cannot take its frames.
    """
    opened = stack if isinstance(stack, PhotographStack) else read_stack(stack)
    if encoding is not None:
        opened = replace(opened, encoding=colour.normalise_encoding(encoding))
    frames = FrameCubes(opened, model, placeholder=None, cache_bytes=cache_bytes, **options)
    reason = why_not(sample_of(opened), frames.model)
    if reason:
        raise InputError(reason)
    return frames


def stack_events(
    stack: PhotographStack,
    model: Model,
    *,
    first: tuple[int, ...] | None = None,
    seconds: float = 0.0,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Iterator[Progress | StackResult]:
    """Compute one frame of a stack as :func:`~napari_hsr.inference.reconstruct_events` does.

    Parameters
    ----------
    stack, model, cancel, **options
        As there.
    first : tuple of int, optional
        Index of the frame; by default the first that can be read.
    seconds : float
        What a frame is estimated to take: one that takes long begins with a preview.

    Yields
    ------
    Progress
        As there.
    StackPreview
        Before, where it is worth it and the quick model has the bands of the chosen one.
    StackResult
        At the end.
    """
    yield Progress(0, 0, "Opening the stack")
    frames = FrameCubes(stack, model, **options)
    photograph = sample_of(stack) if first is None else stack.photograph(first)
    if first is None:
        first = next(i for i in stack.indices() if stack.number(i) not in stack.failures)
    if seconds >= LEAST_SECONDS and model.name != PLACEHOLDER:
        yield Progress(0, 0, "Making a preview")
        frames.look(first)
        for _ in frames.events(State.PLACEHOLDER, cancel):
            pass  # of one frame
        if frames.state(first) is State.PLACEHOLDER:
            every = spacing(photograph, PLACEHOLDER_PIXELS)
            yield StackPreview(0, 0, "Starting", frames=frames, first=first, every=every)
    for event in reconstruct_events(photograph, model, **options, cancel=cancel):
        if isinstance(event, Progress):
            yield event
        else:
            frames.keep(first, event.cube)
            frames.look(first)
            yield StackResult(**vars(event), frames=frames)


def readable(stack: PhotographStack, index: tuple[int, ...]) -> tuple[Photograph, tuple[int, ...]]:
    """A frame of a stack, or the nearest of its last axis that can be read, and where it is.

    Raises
    ------
    HSRError
        Of the frame itself, if none of the nearest :data:`NEAR` can be read either.
    """
    *before, at = index
    size = stack.lead[-1]
    near = sorted(range(size), key=lambda other: (abs(other - at), other))
    fault: HSRError | None = None
    for other in near[: NEAR + 1]:
        place = (*before, other)
        try:
            return stack.photograph(place), place
        except HSRError as error:
            fault = fault or error
    assert fault is not None  # an axis has a frame
    raise fault


def write_frames_events(
    frames: FrameCubes,
    folder: str | PathLike[str],
    suffix: str = ".mat",
    cancel: threading.Event | None = None,
    *,
    overwrite: bool = True,
) -> Iterator[Progress | FramesWritten]:
    """Write the cube of each frame as a file of its own, ``<stack>_<frame>_<model><suffix>``.

    A frame that cannot be read, reconstructed or written does not stop the others.

    Parameters
    ----------
    frames : FrameCubes
    folder : path-like
        Made if it is not there.
    suffix : str
        One of :data:`napari_hsr.io.WRITE_SUFFIXES`.
    cancel : threading.Event, optional
    overwrite : bool
        Whether files of the same names are replaced; a frame whose file is there fails otherwise.

    Yields
    ------
    Progress
        ``done`` of ``total`` frames.
    FramesWritten
        At the end.

    Raises
    ------
    InputError
        If cubes cannot be written as such files.
    Cancelled
        If ``cancel`` was set; files written so far stay.
    """
    if suffix not in io.WRITE_SUFFIXES:
        known = ", ".join(io.WRITE_SUFFIXES)
        raise InputError(f"Cubes can be written as {known}, not {suffix!r}.")
    target, total, files = made_folder(Path(os.path.expanduser(folder))), len(frames), []
    failures: dict[int, str] = {}
    for number, index in enumerate(frames.stack.indices()):
        # the name of a layer may look like a way out of the folder
        name = re.sub(r"[\s/\\\x00-\x1f]", "_", frames.name_of(number)).lstrip(".") + suffix
        try:
            _check_free(target / name, overwrite)  # before it is computed
            for event in frames.cube_events(index, cancel):
                if isinstance(event, Progress):
                    yield Progress(number, total, f"Frame {number + 1} of {total}")
                else:
                    files.append(_written(event, target / name, overwrite))
        except HSRError as error:
            failures[number] = str(error)
        yield Progress(number + 1, total, f"Frame {number + 1} of {total}")
    yield FramesWritten(tuple(files), failures)


def save_events(
    what: FrameCubes | Cube,
    folder: str | PathLike[str],
    suffix: str = ".mat",
    index: tuple[int, ...] | None = None,
    cancel: threading.Event | None = None,
    *,
    overwrite: bool = True,
) -> Iterator[Progress | FramesWritten]:
    """Write one cube as a file named after it: a cube, or that of a frame, computed if it must be.

    Parameters
    ----------
    what : Cube or FrameCubes
    folder, suffix, cancel, overwrite
        As for :func:`write_frames_events`.
    index : tuple of int, optional
        Of the frame.

    Raises
    ------
    HSRError
        If the frame cannot be computed, or the file not be written.
    Cancelled
        If ``cancel`` was set.
    """
    place = Path(os.path.expanduser(folder))
    cube = what if isinstance(what, Cube) else None
    if cube is None:
        assert isinstance(what, FrameCubes)
        assert index is not None
        name = what.name_of(what.stack.number(index))
        _check_free(place / f"{file_stem(name)}{suffix}", overwrite)
        for event in what.cube_events(index, cancel):
            if isinstance(event, Progress):
                yield event
            else:
                cube = event
    assert cube is not None  # the work ends with it
    stop_if(cancel)
    yield Progress(0, 0, f"Writing {cube.name}")
    target = made_folder(place) / f"{file_stem(cube.name)}{suffix}"
    yield FramesWritten((_written(cube, target, overwrite),), {})


def save_with_ends_events(
    cube: Cube,
    intervals: Intervals,
    folder: str | PathLike[str],
    suffix: str = ".mat",
    cancel: threading.Event | None = None,
    *,
    overwrite: bool = True,
) -> Iterator[Progress | FramesWritten]:
    """:func:`save_events` of a cube, and the ends of its intervals beside it: ``…_lower``, ``…_upper``."""
    stop_if(cancel)
    yield Progress(0, 0, f"Finding the intervals of {cube.name}")
    ends = dict(zip(("_lower", "_upper"), intervals.bounds(cube), strict=True))
    files: tuple[Path, ...] = ()
    for end in ends:  # all of them before any is written
        _check_free(Path(folder).expanduser() / _name_of_end(cube, end, suffix), overwrite)
    for event in save_events(cube, folder, suffix, cancel=cancel, overwrite=overwrite):
        if isinstance(event, Progress):
            yield event
        else:
            files = event.files
    for end, side in ends.items():
        stop_if(cancel)
        yield Progress(0, 0, f"Writing {side.name}")
        other = files[0].with_name(_name_of_end(cube, end, suffix))
        files = (*files, _written(side, other, overwrite))
    yield FramesWritten(files, {})


def _name_of_end(cube: Cube, end: str, suffix: str) -> str:
    return f"{file_stem(cube.name)}{end}{suffix}"


def _check_free(target: Path, overwrite: bool) -> None:
    """Refuse a name that a file has, unless that one may be replaced."""
    if not overwrite and target.exists():
        raise AlreadyThereError(target)


def _written(cube: Cube, target: Path, overwrite: bool) -> Path:
    """Write a cube; one that comes under its name meanwhile is replaced only where that may be."""
    before = {} if overwrite else standing_at([target])
    _check_free(target, overwrite)
    with expecting(before):
        return io.write(cube, target)


def sample_of(stack: PhotographStack) -> Photograph:
    """The first frame of a stack that can be read.

    Raises
    ------
    HSRError
        If none can be read: what is wrong with the last.
    """
    for index in stack.indices():
        try:
            return stack.photograph(index)
        except HSRError:
            if stack.number(index) == len(stack) - 1:
                raise
    raise AssertionError("a stack has a frame")
