"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from napari_hsr.io.library_errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator


def beside(path: Path, ending: str) -> Path:
    """A fresh hidden name in the same folder, so that ``os.replace`` stays one step."""
    return path.with_name(f".{path.name[:80]}.{uuid4().hex[:8]}.{ending}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; put it in the place of ``path`` at the end.

    On any fault the temporary file goes and ``path`` stays as it was. A link is followed,
    and the mode of a file that is replaced is kept.
    """
    with replacing_both(path) as (temporary,):
        yield temporary


@contextmanager
def replacing_both(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """The same for files that belong together, the one that makes the others valid last.

    The last file (a header) is taken away before the others are put in place and set
    again at the end: a crash in between leaves no header, never a header beside the
    wrong data. A fault in between puts the old files back.
    """
    targets = [Path(os.path.realpath(path)) for path in paths]
    temporaries = [beside(target, "tmp") for target in targets]
    try:
        # RuntimeError is what h5py raises where a disk is full
        with translated(paths[-1], "it cannot be written", only=(OSError, RuntimeError)):
            yield tuple(temporaries)
            for temporary, target in zip(temporaries, targets, strict=True):
                _flush(temporary)
                if target.exists():
                    shutil.copymode(target, temporary)
            _put_in_place(temporaries, targets)
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _put_in_place(temporaries: list[Path], targets: list[Path]) -> None:
    if len(targets) == 1:
        os.replace(temporaries[0], targets[0])
        return
    with ExitStack() as undo:
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
    for aside in old:
        with suppress(OSError):  # mapped by an open cube on Windows: left behind, harmless
            aside.unlink()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
