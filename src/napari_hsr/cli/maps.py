"""What the commands that make maps of a cube share: reading it, working with a bar, writing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.interrupt import cancel_on_interrupt
from napari_hsr.cli.output import note, print_json, print_pairs, progress_bar
from napari_hsr.units import one_line

if TYPE_CHECKING:
    import argparse
    import threading
    from collections.abc import Callable, Iterable

    from napari_hsr.cube import Cube
    from napari_hsr.progress import Progress


def checked_output(args: argparse.Namespace) -> Path:
    """The path of ``--output``; a suffix that no cube is written with is wrong usage."""
    from napari_hsr.io import WRITE_SUFFIXES

    out = Path(args.output)
    if out.suffix.lower() not in WRITE_SUFFIXES:
        args.usage_error(f"{out}: maps are written as {', '.join(WRITE_SUFFIXES)}")
    return out


def worked(work: Callable[[threading.Event], Iterable[Any]]) -> Any:
    """The result of long work, with a progress bar; Ctrl-C cancels it."""
    from napari_hsr.progress import result_of

    with cancel_on_interrupt() as cancel, progress_bar() as bar:

        def show(event: Progress) -> None:
            bar.total = event.total
            bar.set_description_str(event.message)
            bar.update(event.done - bar.n)

        return result_of(work(cancel), show)


def write_map(
    args: argparse.Namespace,
    out: Path,
    made: Cube,
    facts: dict[str, Any],
    lines: Iterable[tuple[str, object]] = (),
) -> None:
    """Write the maps and print what was done: ``facts`` as JSON, ``lines`` for people."""
    from napari_hsr.cli.files import prepare_output
    from napari_hsr.io import write

    replaced = prepare_output(out, [Path(args.cube)], args.overwrite)
    write(made, out)
    if args.json:
        files = {"input": args.cube, "output": str(out), "replaced": replaced}
        print_json({**files, "shape": list(made.shape), **facts, "notices": list(made.notices)})
    else:
        print(one_line(f"{args.cube} -> {out}"))
        print_pairs(lines)
    note(made.notices)
