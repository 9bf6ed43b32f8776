"""Name the entries of a library that are most like pixels or regions of a cube.

Spectral angle, spectral information divergence and correlation are printed for each; --by orders
them. Of a cube that was reconstructed from a photograph it is said which entries the three numbers
of its camera (--camera, or by its model) cannot tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.cli.files import read_cube
from napari_hsr.cli.output import note, print_json, print_table
from napari_hsr.cli.reading import add_reading_options, stated, whole_number
from napari_hsr.cli.spectra import add_place_options, curves_of

if TYPE_CHECKING:
    import argparse

HELP = "name the entries of a library that are most like pixels or regions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="CUBE", help="the spectral cube")
    add_place_options(parser)
    parser.add_argument(
        "--library", metavar="L", required=True, help="a file of spectra, or a folder of them"
    )
    parser.add_argument(
        "--by", choices=("angle", "sid", "correlation"), default="angle", help="default: angle"
    )
    parser.add_argument(
        "--most", metavar="N", type=whole_number, default=10, help="entries (default: 10)"
    )
    parser.add_argument(
        "--camera", metavar="C", help="that took the photograph: table.csv:NAME, or cie-1931"
    )
    add_reading_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from napari_hsr.io import read_library
    from napari_hsr.io.bands import widths_of
    from napari_hsr.matching import entries_on, match
    from napari_hsr.trust.physical_quantity import differing

    cube = read_cube(args.cube, **stated(args))
    curves = curves_of(args, cube)
    library = read_library(args.library)
    note(library.notices, about=library.name)
    note(differing(library.units, cube.units, library.name, cube.name))
    entries = entries_on(library, curves[0].wavelengths_nm, cube.bands, widths_of(cube))
    options = {"by": args.by, "most": args.most, "cube": cube, "camera": args.camera}
    found = [match(curve, entries, **options) for curve in curves]
    if args.json:
        print_json({"input": args.cube, "matches": [one.to_dict() for one in found]})
    else:
        head = ("spectrum", "entry", "angle (°)", "SID", "correlation")
        print_table(
            head,
            [
                (one.name, m.name, f"{m.angle:.3f}", f"{m.sid:.3g}", f"{m.correlation:.4f}")
                for one in found
                for m in one.best
            ],
        )
    if len(found) == 1:
        note(found[0].notices)
    else:  # what is said of all is said once
        shared = [n for n in found[0].notices if all(n in one.notices for one in found)]
        note(shared)
        for one in found:
            note((n for n in one.notices if n not in shared), about=one.name)
    return 0
