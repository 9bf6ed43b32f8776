"""Compare one or more reconstructed cubes with their ground truth under a named protocol.

Several predictions give one table, a row each, with arrows for what is better. All are read as any cube is. Their sizes must be equal and their wavelengths must match, unless
--resample makes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.batch import add_worker_options, check_worker_options
from napari_hsr.cli.convert import numbers
from napari_hsr.cli.output import note, print_json
from napari_hsr.cli.reading import add_reading_options, stated
from napari_hsr.units import one_line

if TYPE_CHECKING:
    import argparse

    import numpy as np

    from napari_hsr.cube import Cube
    from napari_hsr.notices import Notice

HELP = "compare a cube, or several, with their ground truth"


#: Written down for ``--help``, which must not load NumPy; a test holds it against the protocols.
PROTOCOLS = (
    "default, cave-val, mstpp, mstpp-validation, mstpp-custom, drcr, drcr-train, mxrunet, inr, "
    "dualsr, sspsr, ntire2022"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prediction", metavar="PRED", nargs="+", help="the reconstructed cube, or several"
    )
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
    parser.add_argument(
        "--lights",
        metavar="L,L",
        type=lights,
        default=(),
        help="give CIE ΔE00 under these lights, for reflectances: D65,A,FL11,3200K,lamps.csv:NAME",
    )
    parser.add_argument(
        "--region",
        metavar="T,L,B,R",
        type=numbers(4),
        help="compare inside this rectangle alone: top, left, bottom, right in pixels from 0",
    )
    add_worker_options(parser, "the figures")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_reading_options(parser)


def lights(text: str) -> tuple[str, ...]:
    """``D65,A``."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cli.files import read_cube
    from napari_hsr.metrics import evaluate, get_protocol
    from napari_hsr.metrics.protocols import at_scale
    from napari_hsr.workers import connected

    check_worker_options(args)
    if len(args.prediction) > 1 and (args.lower or args.upper or args.camera):
        args.usage_error("--lower, --upper and --camera take one prediction")
    if (args.lower is None) != (args.upper is None):
        args.usage_error("--lower and --upper go together")
    if args.scale is None:
        rules = get_protocol(args.protocol)
    else:
        rules = at_scale(args.protocol, args.scale)
    predictions = [read_cube(file, **stated(args)) for file in args.prediction]
    truth = read_cube(args.truth, **stated(args))
    options = {
        "protocol": rules,
        "resample": args.resample,
        "bad_bands": args.bad_bands,
        "mask": _rectangle(args.region, truth) if args.region else None,
        "lights": args.lights,
    }
    with connected(args.scheduler, args.workers) as client:
        options["client"] = client
        if len(args.prediction) > 1:
            return _several(args, predictions, truth, options)
        evaluation = evaluate(predictions[0], truth, **options)
    args.prediction = args.prediction[0]
    uncertainty = _uncertainty(args, options["mask"])
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


def _several(
    args: argparse.Namespace, cubes: list[Cube], truth: Cube, options: dict[str, Any]
) -> int:
    """One table of all predictions."""
    import sys

    from napari_hsr.io.file_lists import stem_of
    from napari_hsr.metrics import evaluate_several

    named = [
        c.replace(name=one_line(stem_of(Path(f))))
        for c, f in zip(cubes, args.prediction, strict=True)
    ]
    made = evaluate_several(named, truth, **options)
    if args.json:
        print_json(
            {"prediction_files": args.prediction, "truth_file": args.truth, **made.to_dict()}
        )
    else:
        print(made.table(("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")))
    told: dict[Notice, list[str]] = {}
    for name, one in zip(made.names, made.evaluations, strict=True):
        for notice in one.notes:
            told.setdefault(notice, []).append(name)
    for notice, names in told.items():  # what holds of all is said once
        note([notice], about="" if len(names) == len(made.names) else ", ".join(names))
    return 0


def _rectangle(sides: tuple[int, int, int, int], truth: Cube) -> np.ndarray:
    """A region (height, width) of True from top, left, bottom, right."""
    import numpy as np

    top, left, bottom, right = sides
    mask = np.zeros(truth.shape[1:], dtype=bool)
    mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return mask


def _uncertainty(args: argparse.Namespace, mask: np.ndarray | None) -> dict[str, Any]:
    """Coverage of intervals, and errors over certainty and over the measured share.

    Of the same bands and pixels as the figures: bad bands and what lies outside the mask have no part.
    """
    if not args.lower and not args.camera:
        return {}
    import numpy as np

    from napari_hsr.cli.files import read_cube
    from napari_hsr.errors import InputError
    from napari_hsr.metrics.uncertainty import coverage, curves
    from napari_hsr.photograph import LINEAR_SRGB
    from napari_hsr.trust.linear_camera import linear_camera

    made, truth = (read_cube(file, **stated(args)) for file in (args.prediction, args.truth))
    ends = seen = None
    if args.lower:
        lower, upper = (read_cube(file, **stated(args)) for file in (args.lower, args.upper))
        ends = lower, upper
    if args.camera:
        if made.wavelengths is None:
            raise InputError(f"The wavelengths of {args.prediction} are not known.")
        seen = linear_camera(LINEAR_SRGB, tuple(made.wavelengths), args.camera)
        note(seen.notices)
    if made.shape == truth.shape:
        good = made.good_bands & truth.good_bands | args.bad_bands
        held = np.asarray(truth.data, np.float32)
        outside = False if mask is None else ~mask
        held = np.where(~good[:, None, None] | outside, np.float32(np.nan), held)
        truth = truth.replace(data=held)
    covered = {}
    if ends:
        covered["intervals"] = found = coverage(*ends, truth)
        if made.shape == truth.shape:
            of_bands = zip(found["coverage_bands"], good, strict=True)
            found["coverage_bands"] = [value for value, use in of_bands if use]
    return covered | curves(made, truth, ends, seen)
