"""Correct a cube by spectra measured at some of its places.

SPECTRA is any file of spectra that `napari-hsr library` reads; --at says where each was measured,
as NAME=ROW,COLUMN. The correction is fitted in closed form and shrunk to no change; what it gains is
measured by leaving each anchor out in turn. One that does not help is refused: nothing is written,
and the exit status is 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, prepare_output
from napari_hsr.cli.output import note, print_json
from napari_hsr.cli.reading import whole_number

if TYPE_CHECKING:
    import argparse

HELP = "correct a cube by spectra measured at some of its places"


def anchor(text: str) -> tuple[str, int, int]:
    """``NAME=ROW,COLUMN``."""
    name, _, at = text.rpartition("=")
    row, column = map(whole_number, at.split(","))
    if not name:
        raise ValueError(text)
    return name, row, column


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("cube", metavar="CUBE", help="the cube to correct")
    parser.add_argument("spectra", metavar="SPECTRA", help="the measured spectra")
    parser.add_argument(
        "--at",
        metavar="NAME=ROW,COLUMN",
        type=anchor,
        nargs="+",
        required=True,
        help="where the spectrum of that name was measured, from 0, the first the upper left pixel",
    )
    parser.add_argument(
        "--radius",
        metavar="N",
        type=whole_number,
        default=1,
        help="the mean over a square of so many pixels to each side counts (default: 1)",
    )
    parser.add_argument(
        "--scale",
        metavar="S",
        type=float,
        help="what the stored spectra are multiplied by: 0.01 for percent, 1 to keep them "
        "(default: as their file says, else by their size)",
    )
    parser.add_argument(
        "--column", metavar="C", help="a column of a table of spectra by its heading"
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the corrected cube")
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from napari_hsr.cli.files import read_cube
    from napari_hsr.io import read_library, write
    from napari_hsr.trust.anchored import anchored

    cube, out = read_cube(args.cube), Path(args.output)
    library = read_library(args.spectra, scale=args.scale, column=args.column)
    places = [(name, (row, column)) for name, row, column in args.at]
    note(library.notices, about=Path(args.spectra).name)
    fit, corrected = anchored(cube, library, places, args.radius)
    note(notice for notice in corrected.notices if notice not in cube.notices)
    replaced = False
    if fit.helps:
        replaced = prepare_output(out, [Path(args.cube)], args.overwrite)
        write(corrected, out)
    if args.json:
        figures = {"before": fit.before.tolist(), "after_left_out": fit.after.tolist()}
        written = {"output": str(out) if fit.helps else None, "replaced": replaced}
        print_json(
            {"anchors": [name for name, _ in places], **figures, "helps": fit.helps, **written}
        )
    else:
        print(f"{fit.words()}.")
    return 0 if fit.helps else 1
