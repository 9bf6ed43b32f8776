"""Take spectra of pixels and regions from a cube, process them and write them as a table.

Pixels are given by --at, regions by a label image of the size of the cube (TIFF, PNG or .npy;
0 is background). OUT is a .csv with a row a spectrum and band, a .json or a .npz file: name,
number of pixels, place, coordinates, mean, standard deviation and quantiles. --wide writes a .csv
with a column a spectrum instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, checked_output, prepare_output, read_cube
from napari_hsr.cli.output import note, print_json, print_table
from napari_hsr.cli.reading import add_reading_options, stated, whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np

    from napari_hsr.cube import Cube
    from napari_hsr.spectra import Curve

HELP = "take spectra of pixels and regions, process them, write them as a table"

_PROCESSINGS = (
    "none", "max", "area", "vector", "wavelength", "white", "smooth",
    "derivative", "second-derivative", "continuum", "difference", "ratio",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="CUBE", help="the spectral cube")
    add_place_options(parser)
    parser.add_argument(
        "--process",
        metavar="P",
        choices=_PROCESSINGS,
        default="none",
        help=f"one of {', '.join(_PROCESSINGS)}",
    )
    parser.add_argument(
        "--nm", metavar="NM", type=float, help="the wavelength of --process wavelength"
    )
    parser.add_argument(
        "--against",
        metavar="NAME",
        help="the white reference or other curve, by its name: “(12, 40)” for a pixel, “label 3”",
    )
    parser.add_argument("--window", type=whole_number, default=7, help="bands, odd (default: 7)")
    parser.add_argument(
        "--degree", type=whole_number, default=2, help="of the polynomials (default: 2)"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="a .csv, .json or .npz file")
    parser.add_argument("--wide", action="store_true", help="a .csv with a column a spectrum")
    add_reading_options(parser)
    add_output_options(parser)


def place(text: str) -> tuple[int, int]:
    """``ROW,COLUMN``."""
    row, column = map(whole_number, text.split(","))
    return row, column


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """``--at`` and ``--regions``, for the commands that take spectra from a cube."""
    parser.add_argument(
        "--at",
        metavar="ROW,COLUMN",
        type=place,
        nargs="+",
        default=[],
        help="pixels, from 0, the first the upper left one",
    )
    parser.add_argument("--regions", metavar="LABELS", help="a label image of the cube's size")


def curves_of(args: argparse.Namespace, cube: Cube, quantiles: Sequence[float] = ()) -> list[Curve]:
    """The spectra that these options ask for; an InputError if there is none."""
    from napari_hsr import spectra
    from napari_hsr.errors import InputError
    from napari_hsr.io.label_images import place_notices, read_labels

    found = [spectra.pixel(cube, row, column) for row, column in args.at]
    if args.regions:
        found += spectra.labels(cube, read_labels(args.regions), quantiles=quantiles)
        note(place_notices(args.regions, cube.metadata), about=Path(args.regions).name)
    if not found:
        raise InputError("Name pixels by --at, or a label image with regions by --regions.")
    return found


def run(args: argparse.Namespace) -> int:
    from napari_hsr import spectra
    from napari_hsr.errors import InputError
    from napari_hsr.spectra.tables import facts

    suffixes = (".csv",) if args.wide else spectra.TABLE_SUFFIXES
    out = checked_output(args, suffixes, "these tables") if args.output else None
    cube = read_cube(args.cube, **stated(args))
    curves = curves_of(args, cube, spectra.QUANTILES)
    bad = int((~cube.good_bands).sum())
    if bad:
        lies = "is" if bad == 1 else "are"
        told = f"{bad} of {cube.bands} bands {lies} marked as bad, and stand in these spectra as they are"
        counted = "." if args.process == "none" else ", counted in what is computed of them."
        note([told + counted], about=Path(args.cube).name)
    other = None
    if args.against is not None:
        other = next((curve for curve in curves if curve.name == args.against), None)
        if other is None:
            known = ", ".join(curve.name for curve in curves)
            raise InputError(f"No spectrum is called {args.against!r}; there are {known}.")
    process = spectra.Processing(args.process, args.nm, other, args.window, args.degree)
    curves = [process(curve) for curve in curves]
    replaced = False
    if out is not None:
        replaced = prepare_output(out, [Path(args.cube)], args.overwrite)
        (spectra.write_csv if args.wide else spectra.write_table)(curves, out)
    if args.json:
        files = {"input": args.cube, "output": args.output, "replaced": replaced}
        print_json({**files, "process": args.process, "spectra": [facts(one) for one in curves]})
    else:
        rows = [
            (c.name, c.count, *_span(c.mean), c.missing, c.units or "not known") for c in curves
        ]
        print_table(("spectrum", "n", "least", "mean", "greatest", "missing", "units"), rows)
    return 0


def _span(values: np.ndarray) -> tuple[str, ...]:
    import numpy as np

    known = values[np.isfinite(values)]
    if not known.size:
        return ("", "", "")
    return tuple(f"{v:.4g}" for v in (known.min(), known.mean(), known.max()))
