"""Batches of files for ``predict`` and ``super-resolve``: what goes in, what comes out, and the report.

A file that fails does not stop the others, a file whose result is there is not computed again, and
Ctrl-C leaves nothing half-written.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.files import add_output_options, is_file_name, named_files, prepare_output
from napari_hsr.cli.output import note, print_json, progress_bar, sentence
from napari_hsr.cli.reading import add_reading_options, stated, whole_number
from napari_hsr.io.file_lists import expand, output_names
from napari_hsr.units import format_seconds, one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from napari_hsr.inference.batch.files import FileItem, FileWork
    from napari_hsr.inference.batch.queue import BatchProgress, BatchResult

DEFAULT_FORMAT = ".mat"
#: Files at a time, at most: each is in memory here.
MOST_FILES = 16


def positive(text: str) -> int:
    """A positive number."""
    if whole_number(text) < 1:
        raise ValueError(text)
    return whole_number(text)


positive.__name__ = "number"  # argparse: "invalid number value: 'x'"


def tile_size(text: str) -> int | str:
    """A positive number of pixels, ``auto`` or ``whole``."""
    if text in ("auto", "whole"):
        return text
    return positive(text)


tile_size.__name__ = "tile size"  # argparse: "invalid tile size value: 'x'"


def add_worker_options(parser: Any, what: str) -> None:
    """``--workers`` and ``--scheduler``, of a parser or a group of its options."""
    parser.add_argument(
        "--workers",
        metavar="N",
        type=positive,
        help=f"compute {what} in N processes of this machine, by dask.distributed",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help=f"compute {what} on the workers of a dask scheduler, such as tcp://10.0.0.5:8786",
    )


def check_worker_options(args: argparse.Namespace) -> None:
    """Both are wrong usage, which exits."""
    if args.workers and args.scheduler:
        args.usage_error("--workers and --scheduler exclude each other")


def add_batch_options(
    parser: argparse.ArgumentParser, metavar: str, what: str, *, photographs: bool = False
) -> None:
    """The files, and the options on where results go and how they are computed."""
    parser.set_defaults(tells_of_changed_inputs=True)
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
        help="auto (default), float32, bfloat16 or float16; auto takes bfloat16, or float16 on "
        "older GPUs, where the model's card states its error and the device supports it natively "
        "(see napari-hsr models measure)",
    )
    queue = parser.add_argument_group("many files")
    queue.add_argument(
        "--jobs",
        metavar="N",
        type=positive,
        help="files at a time, which share the processor's cores (default: 1, or one for each "
        "thread of the workers)",
    )
    add_worker_options(queue, "tiles")
    queue.add_argument(
        "--summary",
        metavar="FILE",
        help="write a table of all files: state, seconds, error, notices (.csv or .json)",
    )
    parser.add_argument(
        "--region",
        metavar="ROWS,COLUMNS",
        help="compute a rectangle alone, in input pixels from 0, the last ones not included: "
        "0:100,50:200",
    )
    add_output_options(parser)
    add_reading_options(parser, photographs=photographs)


class Batch:
    """Files to be computed as one queue (:mod:`napari_hsr.inference.batch.queue`).

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
        self.inputs, self._not_found = expand(args.inputs, suffixes, what)
        self._asked = len(self.inputs) + len(self._not_found)
        self._failures: list[dict[str, str]] = []
        self._results: list[dict[str, Any]] = []
        self._told: set[str] = set()  # what is true of all files, once
        #: Of the workers that compute tiles, while files are computed.
        self.client: Any = None
        for error in self._not_found:
            self._fail(error.path, error, print)
        if self.inputs:
            self._suffix = self._check_output(what)
            self._check_queue()

    def refuse(self) -> int:
        """The exit status where there is no input at all."""
        if self.args.json:
            print_json({"results": [], "failures": self._failures})
        return 1

    def about(self) -> dict[str, Any]:
        """What is done to each file whatever is computed, as fields of :class:`FileWork`."""
        overwrite = self.args.overwrite
        return {
            "reading": stated(self.args),
            "again": overwrite or self._one_file,  # a file that is named is asked for
            "overwrite": overwrite,
            "inputs": (*self.inputs, *named_files()),
        }

    def work(self, **about: Any) -> FileWork:
        """What is done to each file, in the words of :class:`FileWork`."""
        from napari_hsr.inference.batch.files import FileWork

        return FileWork(**self.about(), **about)

    def run(self, work: FileWork, tag: str, done: str) -> int:
        """Compute all files, print a line for each and a summary, or JSON; the exit status.

        ``tag`` ends the names of results in a folder, ``done`` says what happened to the files.
        """
        from napari_hsr.cli.interrupt import cancel_on_interrupt
        from napari_hsr.inference.batch.files import FileItem
        from napari_hsr.inference.batch.queue import BatchResult, Row, State, batch_events
        from napari_hsr.inference.batch.summary import write_summary
        from napari_hsr.workers import connected, threads_of

        outputs = [Path(self.args.output)]
        if not self._one_file:
            outputs = output_names(self.inputs, outputs[0], tag, self._suffix)
        pairs = zip(self.inputs, outputs, strict=True)
        items = [FileItem(source, out, work) for source, out in pairs]
        result = None
        args = self.args
        with (
            connected(args.scheduler, args.workers) as self.client,
            cancel_on_interrupt() as cancel,
            progress_bar(len(items)) as bar,
        ):
            jobs = args.jobs or (threads_of(self.client) if self.client else 1)
            for event in batch_events(items, jobs=min(jobs, MOST_FILES), cancel=cancel):
                if isinstance(event, BatchResult):
                    result = event
                else:
                    self._show(event, items[event.changed], bar)
        assert result is not None  # a batch ends with its result
        if self.args.summary:
            gone = (Row(str(one.path), State.FAILED, error=one) for one in self._not_found)
            write_summary(replace(result, rows=(*result.rows, *gone)), self.args.summary)
        self._summarise(work.model.name, done, result)
        return 130 if result.cancelled else int(bool(self._failures))

    def _show(self, event: BatchProgress, item: FileItem, bar: Any) -> None:
        from napari_hsr.inference.batch.queue import State

        row, told = event.row, event.told
        bar.set_description_str(f"{event.changed + 1}/{event.total} {item.name}")
        if told is not None:
            new = [n for n in told.notices if told.about or n not in self._told]
            with bar.external_write_mode(file=sys.stderr):
                note(new, told.about)
            self._told.update(() if told.about else new)
        elif row.error is not None:
            self._fail(item.source, row.error, bar.write)
        elif row.state in (State.FINISHED, State.UNCHANGED):
            self._results.append(row.value)
            if not self.args.json:
                bar.write(one_line(f"{item.source} -> {item.output}"), file=sys.stdout)
        bar.update(sum(row.ended or row.share for row in event.rows) - bar.n)

    def _summarise(self, model: str, done: str, result: BatchResult) -> None:
        results, failures, seconds = self._results, self._failures, result.seconds
        if self.args.json:
            summary = {"model": model, "seconds": seconds, "cancelled": result.cancelled}
            print_json({**summary, "results": results, "failures": failures})
            return
        unchanged = sum("unchanged" in facts for facts in results)
        print(
            f"{len(results) - unchanged} of {self._asked} {done} with {model} in {format_seconds(seconds)}"
            + (f", {unchanged} unchanged" if unchanged else "")
            + (f", {len(failures)} failed" if failures else "")
            + (", the rest cancelled" if result.cancelled else "")
        )

    def _fail(self, source: str | Path, error: Exception, write: Callable[..., Any]) -> None:
        from napari_hsr.errors import FileError

        if getattr(self.args, "debug", False):
            write("".join(traceback.format_exception(error)), file=sys.stderr)
        text = sentence(error)
        self._failures.append({"input": str(source), "error": text})
        # a FileError names its file
        about = "" if isinstance(error, FileError) else f"{one_line(source)}: "
        write(f"napari-hsr: error: {about}{text}", file=sys.stderr)

    def _check_queue(self) -> None:
        """Wrong usage of the options on the queue exits."""
        from napari_hsr.errors import InputError
        from napari_hsr.inference.batch.summary import summary_path

        try:
            if self.args.summary:
                summary_path(self.args.summary)
        except InputError as error:
            self.args.usage_error(f"--summary: {error}")
        if self.args.summary:
            summary = Path(self.args.summary).expanduser()
            prepare_output(summary, self.inputs, self.args.overwrite)
        check_worker_options(self.args)

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
