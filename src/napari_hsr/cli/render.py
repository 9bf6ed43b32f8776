"""Render a cube as a photograph.

By default as the eye sees it: CIE 1931 2° observer, light D65, sRGB, 8 bit. With --camera as
the linear response of that camera, 16 bit. The encoding of the file is printed; give it to
predict as --input-encoding if it is not srgb. An existing file is replaced, which a note says
unless --overwrite is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, checked_output, prepare_output, read_cube
from napari_hsr.cli.output import report_written
from napari_hsr.cli.reading import add_reading_options, stated, whole_number

if TYPE_CHECKING:
    import argparse

HELP = "render a cube as a photograph"
EYE = "cie-1931"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="CUBE", help="a spectral cube")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a .png or .tif file")
    parser.add_argument(
        "--camera",
        metavar="C",
        default=EYE,
        help="a built-in camera (nikon-5100-npl, sigma-sdmerill-npl), one of a table of "
        f"sensitivities as FILE.csv:NAME, or an observer (default {EYE})",
    )
    parser.add_argument(
        "--illuminant",
        metavar="I",
        help="the light on a cube of reflectances: D65, A, FL11… "
        "(default D65 for an observer, equal energy for a camera)",
    )
    parser.add_argument(
        "--bits",
        type=whole_number,
        choices=(8, 16),
        help="depth of the file (default 8 for an observer, 16 for a camera)",
    )
    add_output_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cameras import get_camera, simulate
    from napari_hsr.io import PHOTOGRAPH_WRITE_SUFFIXES, write
    from napari_hsr.photograph import SRGB

    out = checked_output(args, PHOTOGRAPH_WRITE_SUFFIXES, "pictures")
    replaced = prepare_output(out, [Path(args.cube)], args.overwrite)
    camera = get_camera(args.camera)
    photograph = simulate(
        read_cube(args.cube, **stated(args)),
        camera,
        args.illuminant,
        bit_depth=args.bits or (8 if camera.observer else 16),
        encoding=SRGB if camera.observer else None,
    )
    write(photograph, out)
    bits = photograph.data.dtype.itemsize * 8
    notices = [*photograph.notices, photograph.provenance.steps[-1]]
    facts = {"replaced": replaced, "encoding": photograph.encoding, "bits": bits}
    report_written(args, {"input": args.cube}, out, facts, notices=notices)
    if not args.json:
        print(f"encoding: {photograph.encoding}, {bits} bit")
    return 0
