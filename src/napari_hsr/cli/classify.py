"""Give every pixel of a cube the library entry at the least spectral angle.

OUT is a label image (.tif or .npy): 0 where no entry is within the threshold, else the number of
the class; a TIFF names the classes in its description, and lies on the ground as the cube does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, checked_output, prepare_output, read_cube
from napari_hsr.cli.output import note, print_json, print_table, worked
from napari_hsr.cli.reading import add_reading_options, stated
from napari_hsr.cli.spectra import add_place_options, curves_of

if TYPE_CHECKING:
    import argparse

    from napari_hsr.spectra import Curve
    from napari_hsr.spectral_library import SpectralLibrary

HELP = "give every pixel the library entry at the least spectral angle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="CUBE", help="the spectral cube")
    parser.add_argument("--library", metavar="L", help="a file of spectra, or a folder of them")
    parser.add_argument(
        "--entries", metavar="NAME", nargs="+", help="these of the library (default: all)"
    )
    add_place_options(parser)
    parser.add_argument(
        "--threshold",
        metavar="DEGREES",
        type=float,
        default=5.73,
        help="greatest angle of a class; beyond it a pixel is unclassified (default: 5.73)",
    )
    parser.add_argument(
        "--no-threshold", action="store_true", help="give every pixel with a spectrum a class"
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a .tif or .npy file")
    add_reading_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.errors import InputError
    from napari_hsr.io import read_library
    from napari_hsr.io.label_images import WRITE_SUFFIXES, write_labels
    from napari_hsr.matching import classify_events

    out = checked_output(args, WRITE_SUFFIXES, "label images")
    places = bool(args.at or args.regions)
    if places == bool(args.library):
        raise InputError("Name the classes: by --library, or by --at and --regions of the cube.")
    cube = read_cube(args.cube, **stated(args))
    entries: list[Curve] | SpectralLibrary
    if places:
        entries = curves_of(args, cube)
    else:
        library = read_library(args.library)
        note(library.notices, about=library.name)
        entries = library.chosen(args.entries) if args.entries else library
    inputs = [Path(name) for name in (args.cube, args.library, args.regions) if name]
    replaced = prepare_output(out, inputs, args.overwrite)
    threshold = None if args.no_threshold else args.threshold
    found = worked(
        lambda cancel: classify_events(cube, entries, threshold=threshold, cancel=cancel)
    )
    write_labels(found.labels, out, found.to_dict(), cube.metadata)
    if args.json:
        files = {"input": args.cube, "output": args.output, "replaced": replaced}
        print_json({**files, **found.to_dict()})
    else:
        print_table(
            ("label", "class", "pixels", "share", f"area ({found.area_unit})", "mean angle (°)"),
            [
                (
                    *(one["label"], one["name"], one["pixels"]),
                    *(f"{one['share']:.1%}", f"{one['area']:.6g}"),
                    "" if one["mean_angle"] is None else f"{one['mean_angle']:.2f}",
                )
                for one in found.rows()
            ],
        )
    note(found.notices)
    return 0
