"""Make the pixels of spectral cubes finer: files, folders and patterns.

Each cube gets SCALE times as many pixels along each side, over the same area and in the same
bands, by a model or by a named bicubic baseline. With --refine a back-projection makes it agree
with the cube it came from; --dualsr is the refinement that DualSR's authors published, against a
second result at half the scale. The residual on the coarse grid is printed: it needs no truth.

OUT is a file for one cube, otherwise a folder; there each result is named after its cube and the
model, <cube>_<model>.mat. A folder as CUBE stands for the cubes directly in it. A cube that fails
does not stop the others: its reason is printed and the exit status is 1. No input is ever
overwritten; another existing file is replaced, which a note says unless --overwrite is given.
Ctrl-C ends the batch and leaves nothing half-written.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.files import add_output_options
from napari_hsr.cli.output import note
from napari_hsr.cli.predict import (
    DEFAULT_FORMAT,
    Batch,
    advance,
    choose_outputs,
    nothing_found,
    print_errors,
    tile_size,
)

if TYPE_CHECKING:
    import argparse
    import threading
    from pathlib import Path

HELP = "make the pixels of spectral cubes finer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs", metavar="CUBE", nargs="+", help="spectral cubes, folders of them, or patterns"
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file or a folder")
    parser.add_argument(
        "--scale", metavar="N", type=int, help="2, 3, 4 or 8 times as fine (default: the model's)"
    )
    parser.add_argument(
        "--model",
        metavar="M",
        help="name of a model for cubes, its folder or file, or a baseline: bicubic-matlab, "
        "bicubic-opencv, bicubic-torch, box (default: the first model at hand for the scale)",
    )
    refining = parser.add_mutually_exclusive_group()
    refining.add_argument(
        "--refine",
        action="store_const",
        const="back-projection",
        help="refine the result by back-projection",
    )
    refining.add_argument(
        "--dualsr",
        dest="refine",
        action="store_const",
        const="dualsr",
        help="refine it as published for DualSR, at scale 4 or 8: FineSR, once, against the result "
        "of a second model for half the scale",
    )
    parser.add_argument(
        "--half-model",
        metavar="M",
        help="that second model (default: one at hand of the same network)",
    )
    parser.add_argument(
        "--degradation",
        metavar="D",
        default="bicubic-matlab",
        help="how the cubes are taken to have come from finer ones, for the residual and --refine: "
        "bicubic-matlab (default), bicubic-opencv, bicubic-torch, box, gaussian (full width at "
        "half maximum: one coarse pixel) or gaussian:SIGMA in fine pixels",
    )
    parser.add_argument(
        "--format",
        metavar="SUFFIX",
        help=f"format of the cubes in a folder, e.g. .h5 (default {DEFAULT_FORMAT})",
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cpu, mps, cuda, cuda:1… (default auto)"
    )
    parser.add_argument(
        "--tile",
        metavar="N",
        type=tile_size,
        default="auto",
        help="side of the tiles in coarse pixels, whole, or auto (default)",
    )
    parser.add_argument(
        "--precision",
        metavar="P",
        default="auto",
        help="auto (default), float32, bfloat16 or float16",
    )
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cli.files import CUBE_SUFFIXES, expand

    inputs, failures = expand(args.inputs, CUBE_SUFFIXES, "cube")
    print_errors(failures)
    if not inputs:
        return nothing_found(args, failures)
    outputs_for = choose_outputs(args, inputs, "cubes")
    model, args.scale, args.half_model = _choose(args)
    batch = Finer(args, model, inputs, outputs_for(f"{model.name}_x{args.scale}"))
    return batch.run(failures)


def _choose(args: argparse.Namespace) -> tuple[Any, int, Any]:
    """What makes the results and the scale; what is wrong for every cube is wrong usage."""
    from napari_hsr.errors import InputError
    from napari_hsr.inference import devices, upscalers
    from napari_hsr.inference import refinement as refining
    from napari_hsr.resample import Kind, find

    try:
        find(args.degradation)
        devices.resolve(args.device)
        model, scale = upscalers.choose(args.model, args.scale)
        half = refining.half_scale_upscaler(model, scale, args.refine, args.half_model)
    except InputError as error:
        args.usage_error(str(error))
    for one in (model, half):
        if one is None or isinstance(one, Kind):
            continue
        reason = devices.why_not_precision(one, args.precision)
        if reason:
            args.usage_error(reason)
    return model, scale, half


class Finer(Batch):
    """Cubes whose pixels are made finer, one after the other."""

    done_word = "made finer"

    def make(
        self, source: Path, out: Path, bar: Any, place: int, cancel: threading.Event
    ) -> dict[str, Any]:
        """Read one cube and write the finer one; what ``--json`` says of it beside its files."""
        from napari_hsr.inference import SuperResolutionResult, super_resolve_events
        from napari_hsr.io import read, write

        options = {
            key: getattr(self.args, key)
            for key in ("refine", "half_model", "degradation", "device", "tile", "precision")
        }
        for event in super_resolve_events(
            read(source), self.model, self.args.scale, **options, cancel=cancel
        ):
            if isinstance(event, SuperResolutionResult):
                break
            advance(bar, place + event.done / max(event.total, 1))
        with bar.external_write_mode(file=sys.stderr):
            note([*event.notices, f"{event.summary()}."], about=source.name)
        out.parent.mkdir(parents=True, exist_ok=True)
        write(event.cube, out)
        return {
            "scale": event.scale,
            "relative_residual": event.agreement.relative,
            "degradation": event.agreement.degradation,
            "notices": list(event.notices),
        }
