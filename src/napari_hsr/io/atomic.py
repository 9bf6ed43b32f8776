"""Files that appear whole or not at all, also after a crash in the middle of it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import stat
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4
from zlib import crc32

from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Hidden names of ours: what is to become, its machine and process, and what it is for.
_OURS = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.(tmp|old)")
_MACHINE = f"{crc32(platform.node().encode()):08x}"
_SWAP = "swap"
_MEANWHILE = "another program wrote it meanwhile; its file stays as it is"
#: No list of two or three names is longer.
_LONGEST_SWAP = 10_000


def beside(path: Path, ending: str) -> Path:
    """A fresh hidden name in the same folder, so that ``os.replace`` stays one step.

    It tells the machine and the process, so that what a killed one left can be told apart.
    """
    owner = f"{_MACHINE}-{os.getpid()}-{uuid4().hex[:8]}"
    return path.with_name(f".{path.name[:80]}.{owner}.{ending}")


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to; put it in the place of ``path`` at the end.

    On any fault the temporary file goes and ``path`` stays as it was. A link is followed,
    the mode of a file that is replaced is kept, and what killed processes of ours left in the
    folder is removed.

    Parameters
    ----------
    path : Path
    shared : bool
        Several processes may write it, the last one counts. Otherwise a file that changed
        meanwhile is not replaced.

    Raises
    ------
    FileError
        If it cannot be written, is no regular file, or another process wrote it meanwhile.
    """
    with replacing_both(path, shared=shared) as (temporary,):
        yield temporary


@contextmanager
def replacing_both(*paths: Path, shared: bool = False) -> Iterator[tuple[Path, ...]]:
    """The same for files that belong together, the one that makes the others valid last.

    The last file (a header) is taken away before the others are put in place and set
    again at the end: a crash in between leaves no header, never a header beside the
    wrong data, and :func:`finish` completes it. A fault in between puts the old files back.
    """
    targets = [Path(os.path.realpath(path)) for path in paths]
    finish(targets[-1])
    for target, path in zip(targets, paths, strict=True):
        check_place(target, path)
    _clear_up(targets[-1].parent)
    before = [_identity(target) for target in targets]
    temporaries = [beside(target, "tmp") for target in targets]
    try:
        # RuntimeError is what h5py raises where a disk is full
        with translated(paths[-1], "it cannot be written", only=(OSError, RuntimeError)):
            yield tuple(temporaries)
            for temporary, target in zip(temporaries, targets, strict=True):
                _flush(temporary)
                if target.exists():
                    shutil.copymode(target, temporary)
            if not shared and [_identity(target) for target in targets] != before:
                raise FileError(paths[-1], _MEANWHILE)
            with undisturbed():
                _put_in_place(temporaries, targets, new=not shared and before == [None])
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect at the end of this context: what is begun in it is finished."""
    if threading.current_thread() is not threading.main_thread():  # signals do not come here
        yield
        return
    waiting: list[int] = []
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(n))]
    before = {n: signal.signal(n, lambda number, _: waiting.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in waiting:
            signal.raise_signal(caught)


def check_place(target: Path, named: Path | None = None) -> None:
    """Refuse to write over what is no regular file.

    Raises
    ------
    FileError
        If there is a device, a pipe, a socket or a folder.
    """
    with suppress(OSError):  # a folder that cannot be looked into is told on writing
        if target.exists() and not target.is_file():
            raise FileError(
                named or target,
                f"a file was expected in this place, but there is {kind_of(target.stat().st_mode)}",
            )


def kind_of(mode: int) -> str:
    """What a file is that is no regular one, in words."""
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((word for test, word in kinds if test(mode)), "a device")


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is written anew; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _put_in_place(temporaries: Sequence[Path], targets: Sequence[Path], new: bool = False) -> None:
    if len(targets) == 1:
        if new:  # of two that make one name at once, one makes it
            try:
                os.link(temporaries[0], targets[0])
                return
            except FileExistsError as error:
                raise FileError(targets[0], _MEANWHILE) from error
            except OSError:  # a file system without hard links
                pass
        os.replace(temporaries[0], targets[0])
        return
    swap = beside(targets[-1], _SWAP)
    with ExitStack() as undo:
        undo.callback(swap.unlink, missing_ok=True)
        _write_swap(swap, temporaries, targets)
        old = []
        for target in reversed(targets):
            if target.exists():
                aside = beside(target, "old")
                os.replace(target, aside)
                undo.callback(os.replace, aside, target)
                old.append(aside)
        for temporary, target in zip(temporaries, targets, strict=True):
            os.replace(temporary, target)
            undo.callback(target.unlink, missing_ok=True)
        undo.pop_all()  # all in place: nothing is put back
    for aside in (*old, swap):
        with suppress(OSError):  # mapped by an open cube on Windows: left behind, harmless
            aside.unlink(missing_ok=True)


def _write_swap(swap: Path, temporaries: Sequence[Path], targets: Sequence[Path]) -> None:
    """Note, beside complete temporary files, where they go: from here on :func:`finish` can."""
    if len({target.parent for target in targets}) == 1:
        pairs = [[t.name, target.name] for t, target in zip(temporaries, targets, strict=True)]
        swap.write_text(json.dumps(pairs), encoding="utf-8")
        _flush(swap)


def finish(path: Path) -> None:
    """Complete what a killed process had written whole and was putting in place.

    Parameters
    ----------
    path : Path
        The last file of those that belong together: a header.
    """
    if path.exists():  # complete, or not begun: what is left is cleared up by the next writer
        return
    for swap in path.parent.glob(f".{_escaped(path.name[:80])}.*.{_SWAP}"):
        if _alive(swap.name):
            continue
        pairs = _read_swap(swap)
        if not pairs or pairs[-1][1] != path.name:
            continue
        with suppress(OSError):  # a folder that may not be written to stays as it is
            for temporary, target in pairs:
                if (path.parent / temporary).exists():
                    os.replace(path.parent / temporary, path.parent / target)
            swap.unlink()


def _read_swap(swap: Path) -> list[tuple[str, str]]:
    """Temporary and final names; none if the file says anything else: it may be made up."""
    try:
        if swap.stat().st_size > _LONGEST_SWAP:
            return []
        found = json.loads(swap.read_text(encoding="utf-8"))
        pairs = [(str(temporary), str(target)) for temporary, target in found]
    except (OSError, ValueError, TypeError, RecursionError):
        return []
    owner = swap.name.split(".")[-2].rpartition("-")[0]
    stems = {target.split(".")[0] for _, target in pairs}
    fits = all(
        _OURS.fullmatch(temporary)
        and f".{owner}-" in temporary
        and temporary.startswith(f".{target[:80]}.")
        and not {"/", "\\", os.sep} & {*temporary, *target}
        for temporary, target in pairs
    )
    return pairs if fits and len(stems) == 1 else []


def _clear_up(folder: Path) -> None:
    """Remove what killed processes of this machine left unfinished in a folder."""
    with suppress(OSError):  # not ours to look into: writing then says so
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name[:1] == "."]
        swaps = [name for name in names if name.endswith(f".{_SWAP}") and not _alive(name)]
        kept = set()
        for name in swaps:
            pairs = _read_swap(folder / name)
            if pairs and not (folder / pairs[-1][1]).exists():
                kept |= {name, *(temporary for temporary, _ in pairs)}  # `finish` needs them
        for name in names:
            if name in kept or not (_OURS.fullmatch(name) or name in swaps) or _alive(name):
                continue
            path = folder / name
            with suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


def _alive(name: str) -> bool:
    """Whether the process that a hidden name of ours tells of may still be at work."""
    found = re.search(r"\.([0-9a-f]{8})-(\d{1,9})-[0-9a-f]{8}\.\w+$", name)
    if found is None or found[1] != _MACHINE:
        return True  # of another machine, or none of ours
    import psutil

    return int(found[2]) == os.getpid() or psutil.pid_exists(int(found[2]))


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
