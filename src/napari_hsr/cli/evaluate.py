"""Compare a reconstructed cube with its ground truth under a named protocol.

Both are read as any cube is. Their sizes must be equal and their wavelengths must match, unless
--resample makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note, print_json
from napari_hsr.cli.reading import add_reading_options, stated

if TYPE_CHECKING:
    import argparse

HELP = "compare a cube with its ground truth"


#: Written down for ``--help``, which must not load NumPy; a test holds it against the protocols.
PROTOCOLS = (
    "default, cave-val, mstpp, mstpp-validation, mstpp-custom, drcr, drcr-train, mxrunet, inr, "
    "dualsr, sspsr, ntire2022"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prediction", metavar="PRED", help="the reconstructed cube")
    parser.add_argument("truth", metavar="TRUTH", help="the measured cube")
    parser.add_argument(
        "--protocol",
        metavar="P",
        default="default",
        help=f"how the figures are defined (default: %(default)s), one of: {PROTOCOLS}",
    )
    parser.add_argument(
        "--scale",
        metavar="N",
        type=float,
        help="how many times as fine the pixels were made, the r of ERGAS (default: the protocol's)",
    )
    parser.add_argument(
        "--resample",
        action="store_true",
        help="resample the cube of more bands to the wavelengths of the other",
    )
    parser.add_argument(
        "--bad-bands", action="store_true", help="compare also bands that a file marks as bad (bbl)"
    )
    parser.add_argument(
        "--lower", metavar="CUBE", help="lower ends of intervals, for their coverage of the truth"
    )
    parser.add_argument(
        "--camera", metavar="C", help="table.csv:NAME or cie-1931, for errors over measured share"
    )
    parser.add_argument("--upper", metavar="CUBE", help="upper ends of intervals")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cli.files import read_cube
    from napari_hsr.metrics import evaluate, get_protocol
    from napari_hsr.metrics.protocols import at_scale

    if (args.lower is None) != (args.upper is None):
        args.usage_error("--lower and --upper go together")
    if args.scale is None:
        rules = get_protocol(args.protocol)
    else:
        rules = at_scale(args.protocol, args.scale)
    cubes = (read_cube(file, **stated(args)) for file in (args.prediction, args.truth))
    evaluation = evaluate(*cubes, protocol=rules, resample=args.resample, bad_bands=args.bad_bands)
    uncertainty = _uncertainty(args)
    if args.json:
        files = {"prediction_file": args.prediction, "truth_file": args.truth}
        print_json(files | evaluation.to_dict() | uncertainty)
        note(evaluation.notes)
        return 0
    print(evaluation.table())  # with the notes
    if found := uncertainty.get("intervals"):
        print(
            f"{found['coverage']:.1%} of the truth lies in the intervals, whose mean half-width "
            f"is {found['half_width']:.4g}"
        )
    for name, by in (("risk_coverage", "pixels kept"), ("error_by_share", "measured share")):
        if curve := uncertainty.get(name):
            ends = (f"{curve[key][at]:.3g}" for at in (0, -1) for key in ("share", "error"))
            print("{}: {} has a mean absolute error of {}, {} of {}".format(by, *ends))
    return 0


def _uncertainty(args: argparse.Namespace) -> dict[str, Any]:
    """Coverage of intervals, and errors over certainty and over the measured share."""
    if not args.lower and not args.camera:
        return {}
    from napari_hsr.cli.files import read_cube
    from napari_hsr.errors import InputError
    from napari_hsr.metrics.uncertainty import coverage, curves
    from napari_hsr.photograph import LINEAR_SRGB
    from napari_hsr.trust.sight import sight

    cubes = [read_cube(file, **stated(args)) for file in (args.prediction, args.truth)]
    ends = seen = None
    if args.lower:
        lower, upper = (read_cube(file, **stated(args)) for file in (args.lower, args.upper))
        ends = lower, upper
    if args.camera:
        if cubes[0].wavelengths is None:
            raise InputError(f"The wavelengths of {args.prediction} are not known.")
        seen = sight(LINEAR_SRGB, tuple(cubes[0].wavelengths), args.camera)
    covered = {"intervals": coverage(*ends, cubes[1])} if ends else {}
    return covered | curves(*cubes, ends, seen)
