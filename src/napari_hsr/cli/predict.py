"""Reconstruct spectral cubes from photographs: files, folders and patterns.

OUT is a file for one photograph, otherwise a folder; there each cube is named after its
photograph and the model, <photograph>_<model>.mat, and a number parts photographs of one
name. A folder as INPUT stands for the photographs directly in it. A photograph that fails
does not stop the others: its reason is printed and the exit status is 1. No input is ever
overwritten; another existing file is replaced, which a note says unless --overwrite is given.
Ctrl-C ends the batch and leaves nothing half-written.
"""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.files import add_output_options
from napari_hsr.cli.output import explain, note, print_json, warnings_as_notes

if TYPE_CHECKING:
    import argparse
    import threading
    from collections.abc import Iterator

    from napari_hsr.errors import FileError
    from napari_hsr.progress import Progress

HELP = "reconstruct spectral cubes from photographs"
DEFAULT_FORMAT = ".mat"


def tile_size(text: str) -> int | str:
    """A positive number of pixels, ``auto`` or ``whole``."""
    if text in ("auto", "whole"):
        return text
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


tile_size.__name__ = "tile size"  # argparse: "invalid tile size value: 'x'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="photographs, folders of them, or patterns"
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file or a folder")
    parser.add_argument(
        "--format",
        metavar="SUFFIX",
        help=f"format of the cubes in a folder, e.g. .h5 (default {DEFAULT_FORMAT}, MATLAB 7.3 "
        "in the layout of the NTIRE challenges)",
    )
    parser.add_argument("--model", metavar="M", help="name of a model, or its folder or file")
    parser.add_argument(
        "--input-encoding",
        metavar="E",
        help="what the numbers in the photographs are: srgb, linear-srgb, xyz-d65 or camera:NAME "
        "(default: as the files say)",
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cpu, mps, cuda, cuda:1… (default auto)"
    )
    parser.add_argument(
        "--tile",
        metavar="N",
        type=tile_size,
        default="auto",
        help="side of the tiles in pixels, whole, or auto (default)",
    )
    parser.add_argument(
        "--precision",
        metavar="P",
        default="auto",
        help="auto (default), float32, bfloat16 or float16; auto takes bfloat16 where the model's "
        "card has its error and the device computes in it natively (see napari-hsr models measure)",
    )
    parser.add_argument(
        "--ensemble",
        metavar="E",
        default="single",
        help="single (default), mean or median of the eight flips and transposes of the image at "
        "eight times the work, or strips: the exact network as DRCR-Net's published results were computed",
    )
    parser.add_argument(
        "--finer",
        metavar="N",
        type=int,
        choices=(2, 4),
        default=1,
        help="2 or 4: evaluate INR-HSISR on a grid so many times as fine as the photograph along "
        "each side, for which it was never trained",
    )
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cli.files import expand

    inputs, failures = expand(args.inputs)
    print_errors(failures)
    if not inputs:
        return nothing_found(args, failures)
    outputs_for = choose_outputs(args, inputs)

    from napari_hsr.models import DEFAULT, load_model

    with warnings_as_notes():
        model = load_model(args.model or DEFAULT)
    _check_options(args, model)
    batch = Batch(args, model, inputs, outputs_for(model.name))
    return batch.run(failures)


def nothing_found(args: argparse.Namespace, failures: list[FileError]) -> int:
    """The exit status where there is no input at all."""
    if args.json:
        print_json({"results": [], "failures": [_failure(error.path, error) for error in failures]})
    return 1


def print_errors(failures: list[FileError]) -> None:
    """Say which arguments stand for nothing."""
    for failure in failures:
        print(f"napari-hsr: error: {failure}", file=sys.stderr)


def _failure(source: str | Path, error: Exception) -> dict[str, str]:
    """An input that failed, for ``--json``."""
    return {"input": str(source), "error": explain(error)}


def choose_outputs(args: argparse.Namespace, inputs: list[Path], what: str = "photographs"):
    """A function from the model's name to one output path an input; wrong usage exits."""
    from napari_hsr.cli.files import is_file_name, output_names
    from napari_hsr.io import WRITE_SUFFIXES

    known = ", ".join(WRITE_SUFFIXES)
    suffix = args.format or DEFAULT_FORMAT
    suffix = suffix.lower() if suffix.startswith(".") else f".{suffix.lower()}"
    if suffix not in WRITE_SUFFIXES:
        args.usage_error(f"--format {args.format}: cubes can be written as {known}")
    out = Path(args.output)
    if is_file_name(args.output, WRITE_SUFFIXES):
        if len(inputs) > 1:
            args.usage_error(f"{out} is one file, but there are {len(inputs)} {what}")
        if args.format and suffix != out.suffix.lower():
            args.usage_error(f"{out} and --format {args.format} contradict each other")
        return lambda _model_name: [out]
    if out.exists() and not out.is_dir():
        args.usage_error(f"{out} is a file that is not a cube; name a folder or a {known} file")
    if len(inputs) == 1 and out.suffix and not out.is_dir() and not args.output.endswith("/"):
        args.usage_error(
            f"{out}: cubes can be written as {known}; end the name with / if it is a folder"
        )
    return lambda model_name: output_names(inputs, out, model_name, suffix)


def _check_options(args: argparse.Namespace, model: Any) -> None:
    """Say once, before the batch, what would be wrong with every photograph."""
    from napari_hsr.colour import normalise_encoding
    from napari_hsr.errors import InputError
    from napari_hsr.inference import devices, ensembles, subpixel_grid

    try:
        if args.input_encoding:
            args.input_encoding = normalise_encoding(args.input_encoding)
        devices.resolve(args.device)
        ensembles.find(args.ensemble)
        subpixel_grid.on_grid(model, args.finer)
    except InputError as error:
        args.usage_error(str(error))
    reason = devices.why_not_precision(model, args.precision)
    if reason:
        args.usage_error(reason)


class Batch:
    """Photographs to reconstruct, one after the other, with one model."""

    #: What was done to them, in the summary.
    done_word = "reconstructed"

    def __init__(
        self, args: argparse.Namespace, model: Any, inputs: list[Path], outputs: list[Path]
    ):
        self.args = args
        self.model = model
        self.inputs = inputs
        self.outputs = outputs
        #: What was said of the model itself: once, whatever the photographs.
        self._said: set[str] = set()

    def run(self, not_found: list[FileError]) -> int:
        """Reconstruct all, print one line each and a summary, or JSON; the exit status."""
        from napari_hsr.cli.files import refuse_overwriting, replaced
        from napari_hsr.cli.interrupt import cancel_on_interrupt
        from napari_hsr.errors import Cancelled

        results: list[dict[str, Any]] = []
        failures = [_failure(error.path, error) for error in not_found]
        start, cancelled = time.perf_counter(), False
        with cancel_on_interrupt() as cancel, _progress_bar(len(self.inputs)) as bar:
            for place, (source, out) in enumerate(zip(self.inputs, self.outputs, strict=True)):
                bar.set_description_str(f"{place + 1}/{len(self.inputs)} {source.name}")
                try:
                    if cancel.is_set():
                        raise Cancelled
                    refuse_overwriting(out, self.inputs)
                    warning = replaced(out, self.args.overwrite)
                    exists = out.exists()
                    with bar.external_write_mode(file=sys.stderr):
                        note(warning)
                    facts = self.make(source, out, bar, place, cancel)
                except Cancelled:
                    cancelled = True
                    break
                except BrokenPipeError:
                    raise
                except Exception as error:
                    failures.append(_failure(source, error))
                    self._report(source, error, bar)
                else:
                    files = {"input": str(source), "output": str(out), "replaced": exists}
                    results.append({**files, **facts})
                    if not self.args.json:
                        bar.write(f"{source} -> {out}", file=sys.stdout)
                advance(bar, place + 1)
        seconds = time.perf_counter() - start
        if self.args.json:
            summary = {"model": self.model.name, "seconds": seconds, "cancelled": cancelled}
            print_json({**summary, "results": results, "failures": failures})
        else:
            total = len(self.inputs) + len(not_found)
            print(
                f"{len(results)} of {total} {self.done_word} with {self.model.name} "
                f"in {seconds:.1f} s"
                + (f", {len(failures)} failed" if failures else "")
                + (", the rest cancelled" if cancelled else "")
            )
        return 130 if cancelled else int(bool(failures))

    def make(
        self, source: Path, out: Path, bar: Any, place: int, cancel: threading.Event
    ) -> dict[str, Any]:
        """Read one input and write its cube; what ``--json`` says of it beside its files."""
        from napari_hsr import inference
        from napari_hsr.io import read, write
        from napari_hsr.notices import Code, without

        def show(progress: Progress) -> None:
            advance(bar, place + progress.done / max(progress.total, 1))

        image = read(source)
        encoding = self.args.input_encoding
        options = {
            key: getattr(self.args, key)
            for key in ("device", "tile", "precision", "ensemble", "finer")
        }
        if inference.why_not(image, self.model, encoding=encoding) is None:
            takes = inference.estimate(image.data.shape, self.model, **options)
            with bar.external_write_mode(file=sys.stderr):
                note([takes.words()], about=source.name)
        cube = inference.reconstruct(
            image, self.model, encoding=encoding, **options, progress=show, cancel=cancel
        )
        notices = dict.fromkeys((*image.notices, *cube.notices))
        if self.args.input_encoding:
            notices = list(without(notices, Code.ENCODING_UNKNOWN))
        with bar.external_write_mode(file=sys.stderr):
            of_model = self._of_model() & set(notices)
            note(notice for notice in notices if notice in of_model - self._said)
            note((n for n in notices if n not in of_model), about=source.name)
        self._said |= of_model
        out.parent.mkdir(parents=True, exist_ok=True)
        write(cube, out)
        return {"notices": list(notices)}

    def _of_model(self) -> set[str]:
        """What a run says of the model and its precision, the same for every photograph."""
        from napari_hsr.inference import devices, precision, subpixel_grid

        model = subpixel_grid.on_grid(self.model, self.args.finer)
        device = devices.resolve(self.args.device)
        choice = precision.choose(model, self.args.precision, device, self.args.ensemble)
        return {*model.notices, choice.notice} - {None}

    def _report(self, source: Path, error: Exception, bar: Any) -> None:
        if getattr(self.args, "debug", False):
            bar.write("".join(traceback.format_exception(error)), file=sys.stderr)
        text = explain(error)
        about = "" if source.name in text else f"{source}: "
        bar.write(f"napari-hsr: error: {about}{text}", file=sys.stderr)


@contextmanager
def _progress_bar(photographs: int) -> Iterator[Any]:
    """One bar over the batch, on a terminal only."""
    from tqdm import tqdm

    with tqdm(
        total=photographs,
        disable=not sys.stderr.isatty(),
        leave=False,
        bar_format="{desc} |{bar}| {percentage:3.0f}% [{elapsed}<{remaining}]",
    ) as bar:
        yield bar


def advance(bar: Any, to: float) -> None:
    """Set the bar, in inputs."""
    bar.update(to - bar.n)
