"""Batches of files for ``predict`` and ``super-resolve``: what goes in, what comes out, and the report.

A file that fails does not stop the others, and Ctrl-C leaves nothing half-written.
"""

from __future__ import annotations

import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.files import (
    add_output_options,
    expand,
    is_file_name,
    output_names,
    prepare_output,
)
from napari_hsr.cli.output import note, print_json, progress_bar, sentence
from napari_hsr.cli.reading import add_reading_options, stated
from napari_hsr.notices import Code, has
from napari_hsr.progress import result_of, stop_if

if TYPE_CHECKING:
    import argparse
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.inference import Estimate, Result
    from napari_hsr.progress import Progress

DEFAULT_FORMAT = ".mat"


def tile_size(text: str) -> int | str:
    """A positive number of pixels, ``auto`` or ``whole``."""
    if text in ("auto", "whole"):
        return text
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


tile_size.__name__ = "tile size"  # argparse: "invalid tile size value: 'x'"


def add_batch_options(
    parser: argparse.ArgumentParser, metavar: str, what: str, *, photographs: bool = False
) -> None:
    """The files, and the options on where results go and how they are computed."""
    parser.add_argument("inputs", metavar=metavar, nargs="+", help=f"{what}, folders, or patterns")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file or a folder")
    parser.add_argument(
        "--format",
        metavar="SUFFIX",
        help=f"format of the cubes in a folder, e.g. .h5 (default {DEFAULT_FORMAT}, MATLAB 7.3 "
        "in the layout of the NTIRE challenges)",
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cpu, mps, cuda, cuda:1… (default auto)"
    )
    parser.add_argument(
        "--tile",
        metavar="N",
        type=tile_size,
        default="auto",
        help="side of the tiles in input pixels, whole, or auto (default)",
    )
    parser.add_argument(
        "--precision",
        metavar="P",
        default="auto",
        help="auto (default), float32, bfloat16 or float16; auto takes bfloat16 where the model's "
        "card states its error and the device supports it natively (see napari-hsr models measure)",
    )
    add_output_options(parser)
    add_reading_options(parser, photographs=photographs)


@dataclass(frozen=True)
class Job:
    """What is done to each file.

    Attributes
    ----------
    model : Model or Kind
        What computes the results. Notices of a model are printed once.
    tag : str
        Ends the names of results in a folder.
    done : str
        What happened to the files, for the summary.
    events : callable
        The events of a run, from what a file holds and a cancel event.
    estimate : callable
        What a run takes, from what a file holds.
    facts : callable
        What ``--json`` says of a result beside its files, from what the file holds and the result;
        its ``notices`` are printed.
    beside : callable
        Further cubes of a result, by what is added to the name of its file.
    """

    model: Any
    tag: str
    done: str
    events: Callable[[Any, threading.Event], Iterator[Progress | Result]]
    estimate: Callable[[Any], Estimate]
    facts: Callable[[Any, Any], dict[str, Any]]
    beside: Callable[[Any], dict[str, Cube]] = lambda _result: {}


class Batch:
    """Files to be computed one after the other.

    Parameters
    ----------
    args : Namespace
        As :func:`add_batch_options` describes them.
    suffixes : sequence of str
        Files that are looked for in a folder.
    what : str
        What they are: ``"photograph"``.
    """

    def __init__(self, args: argparse.Namespace, suffixes: Sequence[str], what: str):
        self.args = args
        self.inputs, not_found = expand(args.inputs, suffixes, what)
        self._asked = len(self.inputs) + len(not_found)
        self._failures: list[dict[str, str]] = []
        self._results: list[dict[str, Any]] = []
        self._told: set[str] = set()  # of the model, once for all files
        for error in not_found:
            self._fail(error.path, error, print)
        if self.inputs:
            self._suffix = self._check_output(what)

    def refuse(self) -> int:
        """The exit status where there is no input at all."""
        if self.args.json:
            print_json({"results": [], "failures": self._failures})
        return 1

    def run(self, job: Job) -> int:
        """Compute all files, print a line for each and a summary, or JSON; the exit status."""
        from napari_hsr.cli.interrupt import cancel_on_interrupt
        from napari_hsr.errors import Cancelled

        out, count = Path(self.args.output), len(self.inputs)
        outputs = [out]
        if not self._one_file:
            outputs = output_names(self.inputs, out, job.tag, self._suffix)
        start, cancelled = time.perf_counter(), False
        with cancel_on_interrupt() as cancel, progress_bar(count) as bar:
            for place, (source, out) in enumerate(zip(self.inputs, outputs, strict=True)):
                bar.set_description_str(f"{place + 1}/{count} {source.name}")
                try:
                    stop_if(cancel)
                    self._results.append(self._compute(job, place, source, out, bar, cancel))
                except Cancelled:
                    cancelled = True
                    break
                except BrokenPipeError:
                    raise
                except Exception as error:
                    self._fail(source, error, bar.write)
                else:
                    if not self.args.json:
                        bar.write(f"{source} -> {out}", file=sys.stdout)
                bar.update(place + 1 - bar.n)
        self._summarise(job, time.perf_counter() - start, cancelled)
        return 130 if cancelled else int(bool(self._failures))

    def _compute(
        self, job: Job, place: int, source: Path, out: Path, bar: Any, cancel: threading.Event
    ) -> dict[str, Any]:
        """Read one file and write its result; what ``--json`` says of it."""
        from napari_hsr.io import read, write

        def tell(notices: Iterable[str], about: str = "") -> None:
            with bar.external_write_mode(file=sys.stderr):
                note(notices, about)

        exists = prepare_output(out, self.inputs, self.args.overwrite, tell)
        image = read(source, **stated(self.args))
        takes: Estimate | None = None

        def show(progress: Progress) -> None:
            nonlocal takes
            if progress.total and takes is None:  # the input was accepted
                takes = job.estimate(image)
                tell([takes.words()], source.name)
            bar.update(place + progress.share - bar.n)

        result = result_of(job.events(image, cancel), show)
        facts, of_model = job.facts(image, result), getattr(job.model, "notices", ())
        shared = [n for n in facts["notices"] if n in of_model or has([n], Code.PRECISION)]
        tell(n for n in shared if n not in self._told)
        own = [n for n in facts["notices"] if n not in shared]
        tell([*own, f"{result.summary()}."], source.name)
        self._told.update(shared)
        out.parent.mkdir(parents=True, exist_ok=True)
        write(result.cube, out)
        others = {}
        for name, cube in job.beside(result).items():
            other = out.with_name(f"{out.stem}_{name}{out.suffix}")
            prepare_output(other, self.inputs, self.args.overwrite, tell)
            others[name] = str(write(cube, other))
        made = {"input": str(source), "output": str(out), "replaced": exists}
        return {**made, "estimate": takes and asdict(takes), **others, **facts}

    def _summarise(self, job: Job, seconds: float, cancelled: bool) -> None:
        results, failures, model = self._results, self._failures, job.model.name
        if self.args.json:
            summary = {"model": model, "seconds": seconds, "cancelled": cancelled}
            print_json({**summary, "results": results, "failures": failures})
            return
        print(
            f"{len(results)} of {self._asked} {job.done} with {model} in {seconds:.1f} s"
            + (f", {len(failures)} failed" if failures else "")
            + (", the rest cancelled" if cancelled else "")
        )

    def _fail(self, source: str | Path, error: Exception, write: Callable[..., Any]) -> None:
        from napari_hsr.errors import FileError

        if getattr(self.args, "debug", False):
            write("".join(traceback.format_exception(error)), file=sys.stderr)
        text = sentence(error)
        self._failures.append({"input": str(source), "error": text})
        about = "" if isinstance(error, FileError) else f"{source}: "  # a FileError names its file
        write(f"napari-hsr: error: {about}{text}", file=sys.stderr)

    def _check_output(self, what: str) -> str:
        """The suffix of results in a folder; wrong usage exits."""
        from napari_hsr.io import WRITE_SUFFIXES

        args, out = self.args, Path(self.args.output)
        known = ", ".join(WRITE_SUFFIXES)
        suffix = (args.format or DEFAULT_FORMAT).lower()
        suffix = suffix if suffix.startswith(".") else f".{suffix}"
        self._one_file = is_file_name(args.output, WRITE_SUFFIXES)
        if suffix not in WRITE_SUFFIXES:
            args.usage_error(f"--format {args.format}: cubes can be written as {known}")
        if self._one_file and len(self.inputs) > 1:
            args.usage_error(f"{out} is one file, but there are {len(self.inputs)} {what}s")
        if self._one_file and args.format and suffix != out.suffix.lower():
            args.usage_error(f"{out} and --format {args.format} contradict each other")
        if not self._one_file and out.exists() and not out.is_dir():
            args.usage_error(f"{out} is a file that is not a cube; name a folder or a {known} file")
        folder = self._one_file or out.is_dir() or args.output.endswith("/")
        if len(self.inputs) == 1 and out.suffix and not folder:
            args.usage_error(
                f"{out}: cubes can be written as {known}; end the name with / if it is a folder"
            )
        return suffix
