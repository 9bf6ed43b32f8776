"""Compare a reconstructed cube with its ground truth under a named protocol.

Both are read as any cube is. Their sizes must be equal and their wavelengths must match, unless
--resample makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_reading_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cli.files import read_cube
    from napari_hsr.metrics import evaluate, get_protocol
    from napari_hsr.metrics.protocols import at_scale

    if args.scale is None:
        rules = get_protocol(args.protocol)
    else:
        rules = at_scale(args.protocol, args.scale)
    cubes = (read_cube(file, **stated(args)) for file in (args.prediction, args.truth))
    evaluation = evaluate(*cubes, protocol=rules, resample=args.resample, bad_bands=args.bad_bands)
    if args.json:
        files = {"prediction_file": args.prediction, "truth_file": args.truth}
        print_json(files | evaluation.to_dict())
        note(evaluation.notes)
    else:
        print(evaluation.table())  # with the notes
    return 0
