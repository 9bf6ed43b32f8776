"""Render a cube as a photograph.

By default as the eye sees it: CIE 1931 2° observer, light D65, sRGB, 8 bit. With --camera as
the linear response of that camera, 16 bit. The encoding of the file is printed; give it to
predict as --input-encoding if it is not srgb. An existing file is replaced, which a note says
unless --overwrite is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options
from napari_hsr.cli.output import note, print_json
from napari_hsr.cli.reading import add_reading_options, stated
from napari_hsr.units import one_line

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
        type=int,
        choices=(8, 16),
        help="depth of the file (default 8 for an observer, 16 for a camera)",
    )
    add_output_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.io import PHOTOGRAPH_WRITE_SUFFIXES, write

    out = Path(args.output)
    if out.suffix.lower() not in PHOTOGRAPH_WRITE_SUFFIXES:
        args.usage_error(f"{out}: pictures are written as {', '.join(PHOTOGRAPH_WRITE_SUFFIXES)}")

    from napari_hsr.cameras import get_camera, simulate
    from napari_hsr.cli.files import prepare_output, read_cube
    from napari_hsr.photograph import SRGB

    exists = prepare_output(out, [Path(args.cube)], args.overwrite)
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
    if args.json:
        files = {"input": args.cube, "output": str(out), "replaced": exists}
        print_json({**files, "encoding": photograph.encoding, "bits": bits, "notices": notices})
    else:
        print(one_line(f"{args.cube} -> {out}"))
        print(f"encoding: {photograph.encoding}, {bits} bit")
    note(notices)
    return 0
