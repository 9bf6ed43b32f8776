"""What the commands say: answers on stdout, notes and errors on stderr."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from napari_hsr.cli.interrupt import cancel_on_interrupt
from napari_hsr.errors import Hint, explain, lacks_memory, words_of
from napari_hsr.units import one_line

if TYPE_CHECKING:
    import argparse
    import threading
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from napari_hsr.progress import Progress


#: The option that helps, and its words; of commands without it nothing is said of it.
HINTS = {
    Hint.ALLOW_LARGE: ("--allow-large", "If that is meant, --allow-large allows it."),
    Hint.ALLOW_MUCH_MEMORY: ("--allow-large", "If that is meant, --allow-large allows it."),
    Hint.BEGIN_ANEW: ("--overwrite", "--overwrite does."),
    Hint.LARGER_FACTOR: ("--factor", "--factor states it."),
    Hint.NAME_IMAGES: ("--data", "--data DIR names the folder."),
    Hint.RESUME: ("--resume", "--resume goes on with it, another --output begins a new one."),
    Hint.SMALLER_TILES: ("--tile", "A smaller --tile takes less."),
    Hint.STATE_AXES: ("--axes", "--axes yxb, for example, states it."),
    Hint.STATE_ENCODING: ("--input-encoding", "--input-encoding states it."),
    Hint.STATE_NO_DATA: ("--no-data", "--no-data states them."),
}


def hints_of(options: Collection[str]) -> Callable[[Hint], str]:
    """How hints are worded where these options are understood."""

    def worded(hint: Hint) -> str:
        option, words = HINTS[hint]
        return words if option in options else ""

    return worded


def sentence(error: BaseException) -> str:
    """One sentence about any error."""
    if lacks_memory(error):
        return f"there is not enough memory for this. {words_of(Hint.SMALLER_TILES)}".rstrip()
    text = one_line(explain(error), 10_000)
    # of a long one its end says what is wrong: the name of a file comes first
    return text if len(text) <= 500 else f"{text[:300]} … {text[-197:]}"


def note(notices: Iterable[str], about: str = "", file: TextIO | None = None) -> None:
    """Print notices on standard error, each with what it is about."""
    for notice in notices:
        text = f"{about}: {notice}" if about else notice
        print(f"note: {one_line(text)}", file=file or sys.stderr)


@contextmanager
def progress_bar(total: float | None = None) -> Iterator[Any]:
    """A progress bar on standard error, on a terminal only."""
    from tqdm import tqdm

    with tqdm(
        total=total,
        disable=not sys.stderr.isatty(),
        leave=False,
        bar_format="{desc} |{bar}| {percentage:3.0f}% [{elapsed}<{remaining}]",
    ) as bar:
        yield bar


def worked(work: Callable[[threading.Event], Iterable[Any]]) -> Any:
    """The result of long work, with a progress bar; Ctrl-C cancels it."""
    from napari_hsr.progress import result_of

    with cancel_on_interrupt() as cancel, progress_bar() as bar:

        def show(event: Progress) -> None:
            bar.total = event.total
            bar.set_description_str(event.message)
            bar.update(event.done + event.within - bar.n)

        return result_of(work(cancel), show)


@contextmanager
def warnings_in_words() -> Iterator[None]:
    """Within this context a warning of a library is a note, without a line of its source."""

    def show(message: Warning | str, category: type[Warning], *_where: Any, **_file: Any) -> None:
        what = "while computing, " * issubclass(category, RuntimeWarning)
        note([f"{what}{message}."])

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Print warnings as notes, once each, when the context is left."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            note(dict.fromkeys(str(warning.message) for warning in caught))


def print_json(value: Any) -> None:
    """Print ``value`` on stdout as JSON that every parser accepts (no bare NaN or Infinity)."""
    from napari_hsr.cube import jsonable

    print(json.dumps(jsonable(value), indent=2, allow_nan=False))


def print_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print ``label  value`` lines with the values aligned; empty values are left out."""
    kept = [(label, value) for label, value in pairs if value not in (None, "", [], {})]
    width = max((len(label) for label, _ in kept), default=0)
    for label, value in kept:
        print(f"{label:<{width}}  {one_line(value)}")


def print_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table with aligned columns under its header."""
    lines = [[one_line(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def report_written(
    args: argparse.Namespace,
    files: dict[str, str | None],
    out: Path,
    facts: dict[str, Any],
    lines: Iterable[tuple[str, object]] = (),
    notices: Iterable[str] = (),
) -> None:
    """What a command says that has written ``out``: facts as JSON, or lines for people.

    ``files`` are those that it read, the first of them what the result was made from.
    """
    notices = list(notices)
    if args.json:
        print_json({**files, "output": str(out), **facts, "notices": notices})
    else:
        print(one_line(f"{next(iter(files.values()))} -> {out}"))
        print_pairs(lines)
    note(notices)
