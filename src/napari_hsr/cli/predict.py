"""Reconstruct spectral cubes from photographs: files, folders and patterns.

OUT is a file for one photograph, otherwise a folder, in which each cube is named after its
photograph and the model, <photograph>_<model>.mat; a number distinguishes photographs of the same
name. A folder as INPUT stands for the photographs directly in it. A photograph that fails does not
stop the others: its reason is printed and the exit status is 1. Into a folder, the same command
again computes only what is missing or has changed: another photograph, model or option. No input is
ever overwritten; another existing file is replaced, which a note says unless --overwrite is given.
Ctrl-C ends the batch and leaves nothing half-written.

A zarr store (OUT.zarr, or --format .zarr) is written tile by tile, in the memory of a tile, however
large the photograph is. Until it is finished it is called OUT.unfinished.zarr; the same command goes
on with it after Ctrl-C, a kill or a full disk, and --overwrite begins anew.

With --stack, INPUT is a film, a folder or a pattern whose photographs are frames of one size, and
OUT.zarr one store of them all (time, band, y, x), gone on with frame by frame. --watch waits for
further frames in the folder. OUT.zarr:12 is then the twelfth cube, for every command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cli.batch import Batch, add_batch_options
from napari_hsr.cli.output import warnings_as_notes
from napari_hsr.cli.reading import seconds, whole_number
from napari_hsr.io.detect import PHOTOGRAPH_SUFFIXES

if TYPE_CHECKING:
    import argparse

HELP = "reconstruct spectral cubes from photographs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    add_batch_options(parser, "INPUT", "photographs", photographs=True)
    parser.add_argument("--model", metavar="M", help="name of a model, or its folder or file")
    parser.add_argument(
        "--input-encoding",
        metavar="E",
        help="encoding of the photographs: srgb, linear-srgb, xyz-d65 or camera:NAME "
        "(default: as the files say)",
    )
    parser.add_argument(
        "--ensemble",
        metavar="E",
        default="single",
        help="single (default), mean or median of the eight flips and transposes of the image at "
        "eight times the work, or strips: the exact network as DRCR-Net's published results were "
        "computed",
    )
    parser.add_argument(
        "--finer",
        metavar="N",
        type=whole_number,
        choices=(2, 4),
        default=1,
        help="2 or 4: evaluate INR-HSISR on a grid so many times as fine as the photograph along "
        "each side, for which it was never trained",
    )
    parser.add_argument(
        "--detail",
        choices=("auto", "full", "fast"),
        default="auto",
        help="full: the network at every pixel; fast: on a reduced photograph, carried to all pixels "
        "by the photograph, or per-pixel networks looked up in a table; auto (default): fast above 4 megapixels on a CPU, where the model can",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="make the spectra have exactly the photographed colours, without negative values; "
        "takes a known camera",
    )
    parser.add_argument(
        "--camera",
        metavar="C",
        help="the camera of the photographs: table.csv:NAME, or cie-1931, about right for photographs "
        "in sRGB (default: as their encoding says); profile:NAME applies what a chart "
        "said of the camera",
    )
    parser.add_argument(
        "--intervals",
        action="store_true",
        help="write the ends of calibrated 90%% intervals beside each cube, <OUT>_lower and "
        "<OUT>_upper; for models whose card is calibrated",
    )

    frames = parser.add_argument_group("films and time-lapses")
    frames.add_argument(
        "--stack",
        action="store_true",
        help="reconstruct the frames of a film, a folder or a pattern into one store OUT.zarr",
    )
    frames.add_argument(
        "--watch",
        metavar="SECONDS",
        type=seconds,
        help="with --stack: wait for further frames in the folder until none has come for so long",
    )
    frames.add_argument(
        "--interval",
        metavar="SECONDS",
        type=seconds,
        help="with --stack: the time from one file or page to the next, where a film or GIF does not say "
        "(default: they are numbered)",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    if args.stack or args.watch is not None or args.interval is not None:
        from napari_hsr.cli.predict_stack import run as run_stack

        return run_stack(args)
    batch = Batch(args, PHOTOGRAPH_SUFFIXES, "photograph")
    if not batch.inputs:
        return batch.refuse()
    from napari_hsr.inference.batch.photographs import photograph_work
    from napari_hsr.inference.estimates.run_estimate import COMPUTED
    from napari_hsr.models import DEFAULT, load_model

    with warnings_as_notes():
        model = load_model(args.model or DEFAULT)
    used = _check_options(args, model)
    options = {name: getattr(args, name) for name in COMPUTED}
    options |= {"exact": args.exact, "camera": args.camera, "intervals": args.intervals}
    work = photograph_work(
        model,
        used,
        options | {"region": args.region},
        encoding=args.input_encoding,
        client=lambda: batch.client,
        **batch.about(),
    )
    return batch.run(work, model.name, "reconstructed")


def _check_options(args: argparse.Namespace, model: Any) -> Any:
    """The model on the grid asked for; what would be wrong with every photograph is wrong usage."""
    from napari_hsr.cameras import get_camera
    from napari_hsr.cameras.profiles import PREFIX, read_profile
    from napari_hsr.colour import normalise_encoding
    from napari_hsr.errors import FileError, InputError
    from napari_hsr.inference.devices import resolve
    from napari_hsr.inference.precision import choose
    from napari_hsr.inference.reduced_resolution import reduction
    from napari_hsr.inference.subpixel_grid import on_grid

    try:
        if args.input_encoding:
            args.input_encoding = normalise_encoding(args.input_encoding)
        if args.camera:
            (read_profile if args.camera.startswith(PREFIX) else get_camera)(args.camera)
        if args.finer > 1 and (args.exact or args.camera or args.intervals):
            raise InputError("--finer goes with neither --exact nor --camera nor --intervals")
        choose(model, args.precision, resolve(args.device), args.ensemble)
        reduction(args.detail, model, 1, 1, args.device, args.finer)
        return on_grid(model, args.finer)
    except (InputError, FileError) as error:
        args.usage_error(str(error))
