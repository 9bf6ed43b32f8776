"""One photograph a file: folders and lists of them, also folders that grow."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, GreyImageError, HSRError, InputError
from napari_hsr.io import detect
from napari_hsr.io.library_errors import translated
from napari_hsr.io.tiff import geotiff
from napari_hsr.io.tiff import page_chain as tiff_chain
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.photograph_stack import PhotographStack, StackAxis
from napari_hsr.progress import Progress, stop_if
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: How often a folder that grows is looked at, in seconds.
LOOK_SECONDS = 0.5
#: Broken files at the beginning after which nothing more is tried.
MOST_BROKEN = 3


class FileFrames:
    """Files as the frames of a stack; those that come into their folder can be added.

    Parameters
    ----------
    paths : sequence of Path
    folder : Path, optional
        Where further ones may come.
    full_scale : float, optional
        As for :func:`napari_hsr.read`.

    Attributes
    ----------
    changed : list of int
        Frames whose files :meth:`look` found to be others than were read: half of one may have been
        there then.
    """

    def __init__(
        self, paths: Sequence[Path], folder: Path | None = None, full_scale: float | None = None
    ):
        self.paths, self.folder = list(paths), folder
        self._full_scale = full_scale
        self._encoding: list[str | None] = []
        self._unsettled: dict[Path, tuple[int, int]] = {}
        self._seen: dict[Path, tuple[int, int]] = {}
        self.changed: list[int] = []

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, number: int) -> Photograph:
        """One file, which must be in the encoding of the first that was read."""
        from napari_hsr.io import read

        path = self.paths[number]
        if self.folder and (state := _state(path)):
            self._seen[path] = state
        found = read(path, full_scale=self._full_scale)
        if not isinstance(found, Photograph):
            raise FileError(path, "a photograph was expected as a frame, but this is a cube")
        if not self._encoding:
            self._encoding.append(found.encoding)
        if found.encoding != self._encoding[0]:
            raise FileError(
                path,
                f"its encoding is {found.encoding or 'not known'}, and that of the first frame "
                f"{self._encoding[0] or 'not known'}",
            )
        return found

    def look(self) -> int:
        """Add what has come into the folder since, and say how many that are.

        A file is taken once it has the same size and time in two looks: it is being written
        until then.
        """
        known = {path: number for number, path in enumerate(self.paths)}
        new, settled, self.changed = {}, [], []
        for path in listed(self.folder) if self.folder else []:
            state = _state(path)
            if state is None or (path in known and self._seen.get(path, state) == state):
                continue
            new[path] = state
            if not state[0] or self._unsettled.get(path) != state:
                continue
            if path in known:
                self._seen[path] = state
                self.changed.append(known[path])
            else:
                settled.append(path)
        self._unsettled = new
        self.paths += settled
        return len(settled)


def file_state(stack: PhotographStack, number: int) -> tuple[int, int] | None:
    """Size and time of the file that a frame lies in; None if it lies in none, or that is gone."""
    frames = stack.frames
    path = frames.paths[number] if isinstance(frames, FileFrames) else getattr(frames, "path", None)
    return None if path is None else _state(path)


class FilesRead:
    """Which files frames were read from, to tell those that were written anew since."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[int, int] | None] = {}

    def note(self, stack: PhotographStack, number: int) -> None:
        """A frame is going to be read."""
        self._read[number] = file_state(stack, number)

    def take(self, number: int, of: FilesRead) -> None:
        """A frame was read by another."""
        self._read[number] = of._read.get(number)

    def changed(self, stack: PhotographStack, number: int) -> bool:
        """Whether a frame was read from what its file holds no more; of one that is gone the last is known."""
        then = self._read.get(number)
        return then is not None and file_state(stack, number) not in (then, None)

    def __iter__(self) -> Iterator[int]:
        """The frames that were read."""
        return iter([*self._read])


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of a file; None if it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def read(
    paths: Sequence[Path],
    axis: str = "frame",
    step: float = 1.0,
    unit: str = "pixel",
    *,
    folder: Path | None = None,
    full_scale: float | None = None,
) -> PhotographStack:
    """Files as a stack; their sizes are compared as far as their heads tell them.

    A file of another size than most of them is left empty, and stands in ``failures``.

    Raises
    ------
    FileError
        If there is none, the first cannot be read, or no more than half are of one size.
    InputError
        If ``step`` is 0 or not finite.
    """
    check_step(step)
    if not paths:
        where = folder or "the list of frames"
        suffixes = ", ".join(detect.PHOTOGRAPH_SUFFIXES)
        raise FileError(where, f"it holds no photograph ({suffixes})")
    frames = FileFrames(paths, folder, full_scale)
    failures = _of_other_sizes(paths)
    first = _first(frames, failures)
    height, width = first.data.shape[:2]
    name = folder.name if folder else paths[0].parent.name or paths[0].stem
    metadata: dict[str, Any] = {**first.metadata, "first": paths[0].name}
    metadata.pop(geotiff.KEY, None)  # each may have its own
    notices = first.notices
    if failures:
        told = f"{len(failures)} of {len(paths)} frames are left empty: {next(iter(failures.values()))}"
        notices += (Notice.warning(Code.FRAME_FAILED, told),)
    return PhotographStack(
        frames,
        (StackAxis(axis, len(paths), step, 0.0, unit),),
        height,
        width,
        first.data.dtype,
        first.encoding,
        name,
        Provenance(input=str(folder.name if folder else paths[0].name)),
        notices,
        metadata,
        failures,
    )


def check_step(step: float) -> None:
    """Frames must lie apart.

    Raises
    ------
    InputError
        If ``step`` is 0 or not finite.
    """
    if not (math.isfinite(step) and step):
        raise InputError(f"Frames lie a number other than 0 apart, not {step}.")


def _of_other_sizes(paths: Sequence[Path]) -> dict[int, str]:
    """Files whose heads state another size than most of them, by number, and in words.

    Raises
    ------
    FileError
        If no more than half have one size: that is no stack.
    """
    stated = [size_of(path) for path in paths]
    # EXIF may say that a picture is turned: reading it tells
    upright = [tuple(sorted(size)) if size else None for size in stated]
    counts = Counter(size for size in upright if size)
    if len(counts) < 2:
        return {}
    (usual, count), *_ = counts.most_common(1)
    like = upright.index(usual)
    height, width = stated[like] or usual
    found = {}
    for number, (size, sides) in enumerate(zip(stated, upright, strict=True)):
        if size and sides != usual:
            why = (
                f"it has {size[0]} x {size[1]} pixels, and {paths[like].name} {height} x {width}: "
                "frames of a stack are of one size; reconstruct photographs of several sizes "
                "one by one"
            )
            if 2 * count <= counts.total():
                raise FileError(paths[number], why)
            found[number] = str(FileError(paths[number], why))
    return found


def _first(frames: FileFrames, failures: dict[int, str]) -> Photograph:
    """The first frame that can be read; why those before it cannot is added to ``failures``.

    Raises
    ------
    FileError
        If none of the first :data:`MOST_BROKEN` can be read: that is no stack of photographs.
    """
    tried = [number for number in range(len(frames)) if number not in failures]
    for broken, number in enumerate(tried, start=1):
        try:
            return frames.read(number)
        except GreyImageError:
            raise
        except FileError as error:
            failures[number] = str(error)
            if broken in (MOST_BROKEN, len(tried)):
                raise
    raise AssertionError("there is a frame")


def grown(stack: PhotographStack) -> PhotographStack:
    """The stack with all frames that :meth:`FileFrames.look` has added; failures are shared.

    Those whose files have changed since are no failures any more, but to be tried again.
    """
    from dataclasses import replace

    assert isinstance(stack.frames, FileFrames)
    for number in stack.frames.changed:
        stack.failures.pop(number, None)
    (axis,) = stack.axes
    return replace(stack, axes=(replace(axis, size=len(stack.frames)),))


def watch_events(
    frames: FileFrames, cancel: threading.Event, seconds: float = LOOK_SECONDS
) -> Iterator[Progress]:
    """Look at the folder again and again until ``cancel`` is set.

    Yields
    ------
    Progress
        Each time that frames were added, or files changed; ``done`` is how many there are.
    """
    while not cancel.wait(seconds):
        if frames.look() or frames.changed:
            yield Progress(len(frames), 0, f"{len(frames)} frames in {frames.folder}")
    stop_if(cancel)


def listed(folder: Path) -> list[Path]:
    """The photographs directly in a folder, by their suffixes, in natural order."""
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in detect.PHOTOGRAPH_SUFFIXES
            and not path.name.startswith(".")
            and path.is_file()
        ]
    except OSError as error:
        raise FileError(folder, f"the folder cannot be read ({error.strerror or error})") from error
    return sorted(found, key=natural)


def natural(path: Path) -> list[tuple[int, int, str]]:
    """A key that sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def size_of(path: Path) -> tuple[int, int] | None:
    """(height, width) that the head of a picture states; None if that is not known from there."""
    from PIL import Image

    suffix = path.suffix.lower()
    try:
        with translated(path, "its head cannot be read"), warnings.catch_warnings():
            if suffix in (".tif", ".tiff"):
                tiff_chain.check(path)
                with tiff_chain.opened(path) as file:
                    return int(file.pages.first.imagelength), int(file.pages.first.imagewidth)
            if suffix in (".png", ".jpg", ".jpeg", ".webp", ".bmp"):
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # only its head
                with Image.open(path) as image:
                    return image.height, image.width
    except HSRError:  # reading the frame says what is wrong, in its turn
        return None
    return None
