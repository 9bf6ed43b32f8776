"""Unmix a cube into endmembers: how much of each is in every pixel.

Endmembers are spectra of a library (--endmembers, all or those that --pick names) or pixels of the
cube (--at). Abundances are not negative and sum to one. OUT holds one map an endmember; --residual
is a file for what they leave unexplained, root mean square over the bands.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import (
    add_output_options,
    checked_output,
    prepare_output,
    read_cube,
    write_map,
)
from napari_hsr.cli.output import note, worked
from napari_hsr.cli.reading import add_reading_options, stated, whole_number

if TYPE_CHECKING:
    import argparse

    from napari_hsr.cube import Cube
    from napari_hsr.spectral_library import SpectralLibrary

HELP = "unmix a cube into endmembers"


def named_place(text: str) -> tuple[str, tuple[int, int]]:
    """``NAME=ROW,COLUMN``."""
    name, _, place = text.rpartition("=")
    row, column = map(whole_number, place.split(","))
    return name or f"({row}, {column})", (row, column)


named_place.__name__ = "place"  # argparse: "invalid place value: 'x'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("cube", metavar="CUBE", help="a cube")
    parser.add_argument(
        "--endmembers", metavar="LIB", help="a spectral library: .sli, .csv, .asd, a folder…"
    )
    parser.add_argument("--pick", metavar="NAME", nargs="+", help="only these spectra of it")
    parser.add_argument(
        "--at",
        metavar="NAME=ROW,COLUMN",
        type=named_place,
        nargs="+",
        default=[],
        help="pixels of the cube, from 0, the first the upper left one",
    )
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file for the maps")
    parser.add_argument("--residual", metavar="FILE", help="a file for the map of the residual")
    parser.add_argument(
        "--any-sum", action="store_true", help="let the abundances of a pixel have any sum"
    )
    add_output_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    if not args.endmembers and not args.at:
        args.usage_error("name endmembers: --endmembers LIB, or --at NAME=ROW,COLUMN …")
    if args.pick and not args.endmembers:
        args.usage_error("--pick goes with --endmembers")
    import numpy as np

    from napari_hsr.analysis import unmix_events
    from napari_hsr.io import WRITE_SUFFIXES, write

    out = checked_output(args, WRITE_SUFFIXES, "maps")
    spectra = [args.endmembers] if args.endmembers else []
    if args.residual:
        residual = checked_output(args, WRITE_SUFFIXES, "maps", "residual")
        prepare_output(residual, [Path(args.cube), *map(Path, spectra)], args.overwrite)
    cube = read_cube(args.cube, **stated(args))
    chosen = _endmembers(args, cube)
    made = worked(
        lambda cancel: unmix_events(cube, chosen, sum_to_one=not args.any_sum, cancel=cancel)
    )
    if args.residual:
        write(made.residual, args.residual)
    shares = made.abundances.data
    some = np.isfinite(shares).any()
    means = [float(np.nanmean(plane)) if some else None for plane in shares]
    left = float(np.nanmean(made.residual.data)) if some else None
    names = made.endmembers.names
    facts = {
        **made.abundances.provenance.extra["analysis"],
        "means": dict(zip(names, means, strict=True)),
        "residual": left,
        "residual_units": cube.units,
        "residual_file": args.residual,
    }
    lines: list[tuple[str, object]] = []
    if some:
        lines = [(name, f"mean {mean:.4f}") for name, mean in zip(names, means, strict=True)]
        lines.append(("residual", f"mean {left:.4g} {cube.units or ''}".rstrip()))
    write_map(args, out, made.abundances, facts, lines, spectra)
    return 0


def _endmembers(args: argparse.Namespace, cube: Cube) -> SpectralLibrary:
    """Those of the library and of the pixels, on the bands of the cube."""
    import numpy as np

    from napari_hsr.analysis import from_pixels
    from napari_hsr.analysis.unmixing import about_scales, on_bands
    from napari_hsr.io import read_library

    names = [name for name, _ in args.at]
    if twice := next((name for name in names if names.count(name) > 1), None):
        args.usage_error(f"--at names {twice!r} twice: endmembers are told apart by their names")
    pixels = from_pixels(cube, dict(args.at)) if args.at else None
    if not args.endmembers:
        assert pixels is not None  # as run has checked
        return pixels
    library = read_library(args.endmembers)
    if args.pick:
        library = library.chosen(args.pick)
    if pixels is None:
        return library
    library = on_bands(library, cube, np.arange(cube.bands))
    seen, own = (np.nanmean(np.abs(each.values), axis=1) for each in (pixels, library))
    those = f"the spectra of {library.name}"
    note(about_scales(seen, own, "The pixels that are endmembers", those))
    return pixels.replace(
        names=(*library.names, *pixels.names),
        values=np.vstack([library.values, pixels.values]),
        notices=library.notices,
    )
