"""Make the first components of a cube: principal components or minimum noise fractions.

OUT holds their scores, one map a component. --loadings writes what one unit of each adds to the
spectrum, with mean, eigenvalues and shares, as a CSV file.
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
from napari_hsr.cli.output import worked
from napari_hsr.cli.reading import add_reading_options, stated, whole_number

if TYPE_CHECKING:
    import argparse

HELP = "make principal components or minimum noise fractions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("cube", metavar="CUBE", help="a cube")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file for the maps")
    parser.add_argument(
        "--method",
        choices=("pca", "mnf"),
        default="pca",
        help="by variance, or by signal over noise (default: %(default)s)",
    )
    parser.add_argument(
        "-n",
        "--number",
        metavar="N",
        type=whole_number,
        default=5,
        help="how many (default: %(default)s)",
    )
    parser.add_argument("--loadings", metavar="FILE.csv", help="write the loadings as a table")
    add_output_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from napari_hsr.analysis import components_events
    from napari_hsr.io import WRITE_SUFFIXES

    out = checked_output(args, WRITE_SUFFIXES, "maps")
    if args.loadings:
        checked_output(args, (".csv",), "loadings", "loadings")
        prepare_output(Path(args.loadings), [Path(args.cube)], args.overwrite)
    cube = read_cube(args.cube, **stated(args))
    made = worked(lambda cancel: components_events(cube, args.method, args.number, cancel=cancel))
    if args.loadings:
        made.write_csv(args.loadings)
    lines = [
        (
            name,
            f"eigenvalue {value:.4g}" + (f", {share:.2%} of the variance" * (made.method == "pca")),
        )
        for name, value, share in zip(made.names, made.eigenvalues, made.share, strict=False)
    ]
    facts = {
        **made.cube.provenance.extra["analysis"],
        "units": made.cube.units,
        "loadings": made.loadings,
        "loadings_file": args.loadings,
    }
    write_map(args, out, made.cube, facts, lines)
    return 0
