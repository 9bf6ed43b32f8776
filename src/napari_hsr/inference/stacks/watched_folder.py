"""A folder that grows: its photographs as a stack whose newest frame is reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, HSRError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.io.stacks import files
from napari_hsr.models.library import load_model
from napari_hsr.progress import Progress, as_part, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from os import PathLike

    from napari_hsr.cube import Cube
    from napari_hsr.models.model import Model
    from napari_hsr.photograph_stack import PhotographStack


@dataclass(frozen=True, kw_only=True)
class Grown(Progress):
    """There are more frames; ``done`` is how many.

    Attributes
    ----------
    stack : PhotographStack
        All frames there are.
    frames : FrameCubes
        Their cubes: the same object each time.
    first : Cube
        That of the frame which was the newest when a first one could be reconstructed.
    """

    stack: PhotographStack
    frames: FrameCubes
    first: Cube


def watched_events(
    folder: str | PathLike[str],
    model: Model | str | PathLike[str],
    *,
    cancel: threading.Event,
    seconds: float = files.LOOK_SECONDS,
    **options: Any,
) -> Iterator[Progress | Grown]:
    """Look at a folder until ``cancel`` is set; it may be empty at first.

    Parameters
    ----------
    folder : path-like
    model, **options
        As for :func:`napari_hsr.reconstruct`.
    cancel : threading.Event
        Ends it.
    seconds : float
        Between two looks. A file is taken once it is the same in two of them.

    Yields
    ------
    Progress
        What is waited for.
    Grown
        When the newest frame of the beginning is reconstructed, and whenever frames are added.

    Raises
    ------
    HSRError
        If there is no such folder, the first photographs cannot be read, or not be reconstructed.
    Cancelled
        In the end.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise FileError(place, "a folder to watch was expected")
    yield Progress(0, 0, "Loading the model")
    loaded = load_model(model)
    waiting = files.FileFrames([], place)
    while not waiting.look():
        yield Progress(0, 0, f"Waiting for a photograph in {place.name}")
        cancel.wait(seconds)
        stop_if(cancel)
    stack = files.read(sorted(waiting.paths, key=files.natural), folder=place)
    frames, first = FrameCubes(stack, loaded, **options), None
    coming = files.watch_events(stack.frames, cancel, seconds)  # type: ignore[arg-type]
    while True:
        if first is None:
            try:
                newest = frames.cube_events(len(stack) - 1, cancel)
                first = yield from as_part(newest, 0, 0, 0, "The newest frame")
            except HSRError as error:  # the next one may be better
                stack.failures[len(stack) - 1] = str(error)
        if first is not None:
            text = f"{len(stack)} frames in {place.name}"
            yield Grown(len(stack), 0, text, stack=stack, frames=frames, first=first)
        yield next(coming)
        stack = files.grown(stack)
        frames.grow(stack)
