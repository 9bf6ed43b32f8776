"""Make a map of a spectral index, or of band arithmetic.

WHAT is an index of the catalogue (NDVI, VARI, GLI…; extra "indices") or a formula of bands by their
wavelengths in nm, such as "(b650 - b550) / (b650 + b550)", of numbers, + - * / ** and brackets, sqrt,
log, log10, exp, abs, min and max. Without WHAT the indices that the cube can give are listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, checked_output, read_cube, write_map
from napari_hsr.cli.output import print_json, print_table, worked
from napari_hsr.cli.reading import add_reading_options, stated, take_minus

if TYPE_CHECKING:
    import argparse

    from napari_hsr.cube import Cube

HELP = "make a map of a spectral index or of band arithmetic"


def constant(text: str) -> tuple[str, float]:
    """``L=0.5``."""
    name, _, value = text.partition("=")
    return name.strip(), float(value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    take_minus(parser, r"\s*(\(|\.?\d|b\d|[a-z]\w*\s*\()")  # a formula, such as -b550
    parser.add_argument("cube", metavar="CUBE", help="a cube")
    parser.add_argument("what", metavar="WHAT", nargs="?", help="an index, or a formula")
    parser.add_argument("-o", "--output", metavar="OUT", help="a file for the map: .tif, .hdr…")
    parser.add_argument(
        "--interpolate",
        action="store_true",
        help="take wavelengths of a formula between two bands, not from the nearest one",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        type=constant,
        action="append",
        default=[],
        help="another value than the catalogue's for a constant of the index, such as L=0.5",
    )
    add_output_options(parser)
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    if (args.what is None) != (args.output is None):
        args.usage_error("WHAT and --output go together; without both, indices are listed")
    from napari_hsr.io import WRITE_SUFFIXES

    out = checked_output(args, WRITE_SUFFIXES, "maps") if args.output else None
    cube = read_cube(args.cube, **stated(args))
    if out is None:
        return _list(args, cube)
    import numpy as np

    from napari_hsr.analysis import index_events

    made = worked(
        lambda cancel: index_events(
            cube,
            args.what,
            constants=dict(args.set),
            interpolate=args.interpolate,
            cancel=cancel,
        )
    )
    finite = made.data[np.isfinite(made.data)]
    span = [float(finite.min()), float(finite.max())] if finite.size else None
    middle = float(np.median(finite)) if finite.size else None
    facts = {**made.provenance.extra["analysis"], "value_range": span, "median": middle}
    said = (
        [] if span is None else [("values", f"{span[0]:.4g} to {span[1]:.4g}, median {middle:.4g}")]
    )
    write_map(args, out, made, facts, [("formula", facts["formula"]), *said])
    return 0


def _list(args: argparse.Namespace, cube: Cube) -> int:
    from napari_hsr.analysis import offers

    every = offers(cube)
    if args.json:
        listed = [
            {
                "index": offer.index.name,
                "title": offer.index.title,
                "formula": offer.index.formula,
                "domain": offer.index.domain,
                "reference": offer.index.reference,
                "why_not": offer.why_not,
            }
            for offer in every
        ]
        print_json({"input": args.cube, "indices": listed})
        return 0
    given = [o.index for o in every if o.why_not is None]
    rows = [(one.name, one.domain, one.formula, one.title) for one in given]
    print_table(("index", "domain", "formula", "name"), rows)
    print(
        f"{len(given)} of the catalogue's {len(every)} indices; --json says what the others need."
    )
    return 0
