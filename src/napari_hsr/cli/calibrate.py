"""Turn a raw scan into reflectance by a white and a dark reference.

References have one line or many, which are averaged; where the white is hardly brighter than the
dark the result is NaN. Without a file of a white reference, --white-patch names a white rectangle
in the scan. OUT is a file of any format that cubes are written to.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.convert import numbers
from napari_hsr.cli.files import add_output_options, checked_output, prepare_output, read_cube
from napari_hsr.cli.output import report_written
from napari_hsr.cli.reading import add_reading_options, stated

if TYPE_CHECKING:
    import argparse

HELP = "turn a raw scan into reflectance"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raw", metavar="RAW", help="the scan, in counts")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file for the cube")
    white = parser.add_mutually_exclusive_group(required=True)
    white.add_argument("--white", metavar="W", help="the white reference")
    white.add_argument(
        "--white-patch",
        metavar="T,L,B,R",
        type=numbers(4),
        help="top, left, bottom and right of a white rectangle in the scan, in pixels from 0",
    )
    parser.add_argument("--dark", metavar="D", help="the dark reference")
    parser.add_argument(
        "--white-dark",
        metavar="D",
        help="the dark reference at the white's exposure time (default: --dark)",
    )
    parser.add_argument(
        "--white-reflectance",
        metavar="R",
        default="1",
        help="the white's own reflectance: a number, or a file of spectra whose first one is it",
    )
    parser.add_argument(
        "--exposures",
        metavar=("SCAN", "WHITE"),
        nargs=2,
        type=float,
        help="exposure times of scan and white (default: as the files state, else equal)",
    )
    parser.add_argument(
        "--least-signal",
        metavar="N",
        type=float,
        help="white minus dark up to this, in counts, becomes NaN (default: 3 times the noise)",
    )
    add_output_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.calibration import calibrate
    from napari_hsr.io import WRITE_SUFFIXES, write

    out = checked_output(args, WRITE_SUFFIXES, "cubes")

    files = {"raw": args.raw, "white": args.white, "dark": args.dark, "white_dark": args.white_dark}
    given = {name: file for name, file in files.items() if file}
    replaced = prepare_output(out, map(Path, given.values()), args.overwrite)
    cubes = {name: read_cube(file, **stated(args)) for name, file in given.items()}
    before = cubes["raw"].notices
    cube = calibrate(
        **cubes,
        patch=args.white_patch,
        white_reflectance=_reflectance(args.white_reflectance),
        exposures=tuple(args.exposures) if args.exposures else None,
        least_signal=args.least_signal,
    )
    write(cube, out)
    notices = [notice for notice in cube.notices if notice not in before]
    facts = {"shape": list(cube.shape), "value_range": list(cube.value_range)}
    report_written(args, files, out, {"replaced": replaced, **facts}, notices=notices)
    return 0


def _reflectance(given: str) -> Any:
    try:
        return float(given)
    except ValueError:
        from napari_hsr.io import read_library

        return read_library(given)
