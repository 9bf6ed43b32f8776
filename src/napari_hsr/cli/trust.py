"""Say how far the spectra of some pixels and regions of a photograph can be trusted.

For each pixel: the measured share of its energy and the feasible band, where the camera is known
(--camera, or by the encoding); the 90 % interval and whether it is unlike the training, for models
whose card is calibrated. The mean of a region (--regions, a label image: TIFF, PNG or .npy; 0 is
background) has an interval of its own. OUT is a CSV file with the spectra and the ends of all ranges.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note, print_json, progress_bar
from napari_hsr.cli.spectra import add_place_options

if TYPE_CHECKING:
    import argparse

    from napari_hsr.spectra import Curve

HELP = "say how far the spectra of some pixels and regions can be trusted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("photograph", metavar="PHOTO", help="the photograph")
    add_place_options(parser)
    parser.add_argument("--model", metavar="M", help="name of a model, or its folder or file")
    parser.add_argument(
        "--input-encoding", metavar="E", help="encoding of the photograph (default: as it says)"
    )
    parser.add_argument(
        "--camera",
        metavar="C",
        help="table.csv:NAME, or cie-1931, about right for photographs in sRGB",
    )
    parser.add_argument(
        "--exact", action="store_true", help="with exactly the photographed colours"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="a CSV file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import numpy as np

    from napari_hsr import spectra
    from napari_hsr.cli.files import prepare_output
    from napari_hsr.cli.interrupt import cancel_on_interrupt
    from napari_hsr.colour import ENCODINGS, normalise_encoding
    from napari_hsr.errors import InputError
    from napari_hsr.inference.inputs import as_photograph
    from napari_hsr.inference.reconstruction import reconstruct_events
    from napari_hsr.inference.trust.evidence import Evidence
    from napari_hsr.inference.trust.intervals import looker
    from napari_hsr.inference.trust.pixel import smoothness_words
    from napari_hsr.io.label_images import read_labels
    from napari_hsr.models import DEFAULT, load_model
    from napari_hsr.photograph import XYZ_D65
    from napari_hsr.progress import Progress, result_of

    if not args.at and not args.regions:
        args.usage_error("name pixels by --at, or a label image with regions by --regions")
    if args.output:
        prepare_output(Path(args.output), [], overwrite=True)

    model = load_model(args.model or DEFAULT)
    encoding = args.input_encoding and normalise_encoding(args.input_encoding)
    photograph = as_photograph(args.photograph, model, encoding)
    for row, column in args.at:
        if not (0 <= row < photograph.height and 0 <= column < photograph.width):
            raise InputError(
                f"Pixel ({row}, {column}) lies outside {photograph.name}, which has "
                f"{photograph.height} x {photograph.width} pixels."
            )
    labels = read_labels(args.regions) if args.regions else None
    if labels is not None and labels.shape != (photograph.height, photograph.width):
        raise InputError(
            f"{args.regions} has {' x '.join(map(str, labels.shape))} pixels, and {photograph.name} "
            f"{photograph.height} x {photograph.width}."
        )
    calibrated = looker(photograph, model) is not None
    camera = args.camera
    if camera is None and photograph.encoding not in ENCODINGS:
        camera = photograph.encoding  # it names its camera
    if camera is None and photograph.encoding == XYZ_D65:
        camera = "cie-1931"
    if camera is None:
        note(["The camera is not known, so what it measured is not said: name it by --camera."])
    if not calibrated:
        note([f"{model.name} is not calibrated: there is no interval."])
    if camera is None and not calibrated:
        return 1
    with cancel_on_interrupt() as cancel, progress_bar() as bar:

        def show(event: Progress) -> None:
            bar.set_description_str(event.message)

        options = {"exact": args.exact, "camera": camera, "intervals": calibrated}
        result = result_of(reconstruct_events(photograph, model, **options, cancel=cancel), show)
    assert result.trust is not None
    held = Evidence.of(result)
    assert held is not None  # without a finer grid
    found = [
        held.pixel(row, column, held.feasible(row, column) if held.linear_camera else None)
        for row, column in args.at
    ]
    means = []
    if labels is not None:
        present = np.unique(labels[labels != 0])
        for label, curve in zip(present, spectra.labels(held.cube, labels), strict=True):
            means.append(held.of_mean(curve, labels == label))
    if args.output:
        spectra.write_csv([*(one.curve for one in found), *means], args.output)
    if args.json:
        facts = {"model": model.name, "trust": result.trust.record()}
        nm = list(model.wavelengths)
        told = {"pixels": [one.to_dict() for one in found]}
        if labels is not None:
            told["regions"] = [_mean(curve) for curve in means]
        print_json({**facts, "wavelengths_nm": nm, **told})
    else:
        for one in found:
            print(one.words())
        for curve in means:
            half = _mean(curve)["interval_half_width_mean"]
            known = "no interval" if half is None else f"± {half:.3g} in the mean"
            print(f"{curve.name}, mean of {curve.count} pixels: {known}")
        if result.trust.colours is not None:
            print(smoothness_words(result.trust.colours.linear_camera.wavelengths_nm))
    note(result.notices)
    return 0


def _mean(curve: Curve) -> dict[str, Any]:
    """The mean spectrum of a region as plain values."""
    ends = {
        name: {"lower": low.tolist(), "upper": high.tolist()}
        for name, (low, high) in curve.ranges.items()
    }
    half = [float((high - curve.mean).mean()) for _, high in curve.ranges.values()]
    return {
        "name": curve.name,
        "pixels": curve.count,
        "spectrum": curve.mean.tolist(),
        "ranges": ends,
        "interval_half_width_mean": half[0] if half else None,
    }
