"""Files that appear whole or not at all, also after a crash in the middle of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import threading
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4
from zlib import crc32

from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import check_name, translated
from napari_hsr.signs_of_life import this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: What changes when a file is written anew; None where there is none.
Identity = tuple[int, ...] | None
#: Hidden names of ours: what is to become, its machine and process, and what it is for.
_OURS = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.(tmp|old)")
_MACHINE = f"{crc32(this_machine().encode()):08x}"
_SWAP = "swap"
#: Said of what somebody keeps from being written over.
PROTECTED = "it is protected: it may be read, not written over"
_MEANWHILE = "another program wrote it meanwhile; its file stays as it is"
#: No list of two or three names is longer.
_LONGEST_SWAP = 10_000
#: What stood under names when the work began that will write them.
_EXPECTED: ContextVar[dict[Path, Identity] | None] = ContextVar("what is replaced", default=None)


def standing(paths: Iterable[Path]) -> dict[Path, Identity]:
    """What stands under names now, links resolved: for :func:`expecting`.

    What a killed process was putting in place is put there first.
    """
    targets = [Path(os.path.realpath(path)) for path in paths]
    for target in targets:
        finish(target)
    return {target: _identity(target) for target in targets}


@contextmanager
def expecting(found: Mapping[Path, Identity]) -> Iterator[None]:
    """Inside, names are written only if what stood there when the work began still does.

    Of two that compute for one name at once, the second to end would replace what the first made,
    and nobody would be told. What is written inside may be written again.

    Parameters
    ----------
    found : mapping
        By :func:`standing`.
    """
    token = _EXPECTED.set({**(_EXPECTED.get() or {}), **found})
    try:
        yield
    finally:
        _EXPECTED.reset(token)


def expected(target: Path) -> Identity:
    """What is replaced by writing to a name whose links are resolved."""
    known = _EXPECTED.get() or {}
    return known[target] if target in known else _identity(target)


def check_unchanged(target: Path, before: Identity) -> None:
    """Refuse to replace what another program wrote since the work began.

    Raises
    ------
    FileError
        Saying so.
    """
    if _identity(target) != before:
        raise FileError(target, _MEANWHILE)


def _written(targets: Iterable[Path]) -> None:
    known = _EXPECTED.get() or {}
    known.update({target: _identity(target) for target in targets if target in known})


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
    for path in paths:
        check_name(path)
    targets = [Path(os.path.realpath(path)) for path in paths]
    finish(targets[-1])
    for target, path in zip(targets, paths, strict=True):
        check_place(target, path)
    stems = {(target.parent, target.name.split(".")[0]) for target in targets}
    if len(stems) > 1 and any(path.is_symlink() for path in paths):
        where = " and ".join(map(str, targets))
        text = (
            "a header would stand beside values that are not its own; name the files where they lie"
        )
        raise FileError(
            paths[-1], f"links lead from it, or what lies beside it, to {where}: {text}"
        )
    clear_up(targets[-1].parent)
    before = [expected(target) for target in targets]
    temporaries = [beside(target, "tmp") for target in targets]
    try:
        # RuntimeError is what h5py raises where a disk is full
        with translated(paths[-1], "it cannot be written", only=(OSError, RuntimeError)):
            yield tuple(temporaries)
            for temporary, target in zip(temporaries, targets, strict=True):
                _flush(temporary)
                if target.exists():
                    shutil.copymode(target, temporary)
            for target, known in () if shared else zip(targets, before, strict=True):
                check_unchanged(target, known)
            with undisturbed():
                _put_in_place(temporaries, targets, new=not shared and not any(before))
            _written(targets)
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP take effect at the end of this context: what is begun in it is finished."""
    if threading.current_thread() is not threading.main_thread():  # signals do not come here
        yield
        return
    waiting: list[int] = []
    known = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    numbers = [n for n in known if n is not None and callable(signal.getsignal(n))]
    before = {n: signal.signal(n, lambda number, _: waiting.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in waiting:
            signal.raise_signal(caught)


def check_place(target: Path, named: Path | None = None) -> None:
    """Refuse to write over what is no regular file, or is protected.

    Raises
    ------
    FileError
        If there is a device, a pipe, a socket or a folder, or a file that may only be read.
    """
    with suppress(OSError):  # a folder that cannot be looked into is told on writing
        if target.exists() and not target.is_file():
            raise FileError(
                named or target,
                f"a file was expected in this place, but there is {kind_of(target.stat().st_mode)}",
            )
        # its folder may well let it be replaced, but somebody has protected it
        if target.exists() and not os.access(target, os.W_OK):
            raise FileError(named or target, PROTECTED)


def kind_of(mode: int) -> str:
    """What a file is that is no regular one, in words."""
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((word for test, word in kinds if test(mode)), "a device")


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def put_folder_in_place(temporary: Path, target: Path, before: Identity) -> None:
    """Give a complete folder beside it its name; one that had it goes.

    A crash in between leaves the old or the new one under the name, or a note by which
    :func:`finish` puts the new one there.

    Raises
    ------
    FileError
        If another program wrote there since ``before``.
    """
    with undisturbed():
        check_unchanged(target, before)
        if before is None:
            # of two that make one name at once, one makes it: no folder with files is replaced
            try:
                os.rename(temporary, target)
            except OSError as error:
                if target.exists():
                    raise FileError(target, _MEANWHILE) from error
                raise
        else:
            swap, aside = beside(target, _SWAP), beside(target, "old")
            with ExitStack() as undo:
                undo.callback(swap.unlink, missing_ok=True)
                _write_swap(swap, [temporary], [target])
                _move_aside(target, aside)
                undo.callback(os.replace, aside, target)
                os.replace(temporary, target)
                undo.pop_all()
            swap.unlink(missing_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
    _written([target])


def _put_in_place(temporaries: Sequence[Path], targets: Sequence[Path], new: bool = False) -> None:
    put = _put_new if new else os.replace
    if len(targets) == 1:
        put(temporaries[0], targets[0])
        return
    swap = beside(targets[-1], _SWAP)
    with ExitStack() as undo:
        undo.callback(swap.unlink, missing_ok=True)
        _write_swap(swap, temporaries, targets)
        old = []
        for target in reversed(targets):
            if not new and target.exists():
                aside = beside(target, "old")
                _move_aside(target, aside)
                undo.callback(os.replace, aside, target)
                old.append(aside)
        for temporary, target in zip(temporaries, targets, strict=True):
            put(temporary, target)
            undo.callback(target.unlink, missing_ok=True)
        undo.pop_all()  # all in place: nothing is put back
    for aside in (*old, swap):
        with suppress(OSError):  # mapped by an open cube on Windows: left behind, harmless
            aside.unlink(missing_ok=True)


def _put_new(temporary: Path, target: Path) -> None:
    """Of two that make one name at once, one makes it."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise FileError(target, _MEANWHILE) from error
    except OSError:  # a file system without hard links
        os.replace(temporary, target)


def _move_aside(target: Path, aside: Path) -> None:
    """Of two that replace one name at once, one does."""
    try:
        os.replace(target, aside)
    except FileNotFoundError as error:
        raise FileError(target, _MEANWHILE) from error


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
        The last file of those that belong together: a header; or a folder.
    """
    if os.path.exists(
        path
    ):  # complete, or not begun: what is left is cleared up by the next writer
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
        seen = swap.lstat()
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > _LONGEST_SWAP:
            return []  # a pipe or a device would never end
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


def clear_up(folder: Path) -> None:
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
