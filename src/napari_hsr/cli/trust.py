"""Say how far the spectra of some pixels and regions of a photograph can be trusted.

For each pixel: the measured share of its energy and the feasible band, where the camera is known
(--camera, or by the encoding); the 90% interval and whether it is unlike the training, for models
whose card is calibrated. The mean of a region (--regions, a label image: TIFF, PNG or .npy; 0 is
background) has an interval of its own. OUT is a CSV file with the spectra and the ends of all ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cli.files import add_output_options, checked_output, prepare_output
from napari_hsr.cli.output import note, print_json, worked
from napari_hsr.cli.spectra import add_place_options

if TYPE_CHECKING:
    import argparse

    import numpy as np

    from napari_hsr.inference.results import Result
    from napari_hsr.inference.trust.evidence import Evidence
    from napari_hsr.inference.trust.pixel import PixelTrust
    from napari_hsr.inference.trust.run import Trust
    from napari_hsr.photograph import Photograph
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
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from napari_hsr import spectra
    from napari_hsr.colour import normalise_encoding
    from napari_hsr.inference.inputs import as_photograph
    from napari_hsr.inference.reconstruction import reconstruct_events
    from napari_hsr.inference.trust.evidence import Evidence
    from napari_hsr.inference.trust.intervals import looker
    from napari_hsr.models import DEFAULT, load_model

    if not args.at and not args.regions:
        args.usage_error("name pixels by --at, or a label image with regions by --regions")
    if args.output:
        prepare_output(checked_output(args, (".csv",), "these tables"), [], args.overwrite)

    model = load_model(args.model or DEFAULT)
    encoding = args.input_encoding and normalise_encoding(args.input_encoding)
    photograph = as_photograph(args.photograph, model, encoding)
    _check_pixels(args.at, photograph)
    labels = _labels(args.regions, photograph) if args.regions else None
    calibrated = looker(photograph, model) is not None
    camera = _camera_of(photograph) if args.camera is None else args.camera
    if camera is None:
        note(["The camera is not known, so what it measured is not said: name it by --camera."])
    if not calibrated:
        note([f"{model.name} is not calibrated: there is no interval."])
    if camera is None and not calibrated:
        return 1
    options = {"exact": args.exact, "camera": camera, "intervals": calibrated}
    result: Result = worked(
        lambda cancel: reconstruct_events(photograph, model, **options, cancel=cancel)
    )
    assert result.trust is not None
    held = Evidence.of(result)
    assert held is not None  # without a finer grid
    pixels = [
        held.pixel(row, column, held.feasible(row, column) if held.linear_camera else None)
        for row, column in args.at
    ]
    means = None if labels is None else _means(held, labels)
    if args.output:
        spectra.write_csv([*(one.curve for one in pixels), *(means or [])], args.output)
    if args.json:
        told: dict[str, Any] = {"model": model.name, "trust": result.trust.record()}
        told["wavelengths_nm"] = list(model.wavelengths)
        told["pixels"] = [one.to_dict() for one in pixels]
        if means is not None:
            told["regions"] = [_mean(curve) for curve in means]
        print_json(told)
    else:
        _print_words(pixels, means or [], result.trust)
    note(result.notices)
    return 0


def _check_pixels(places: list[tuple[int, int]], photograph: Photograph) -> None:
    from napari_hsr.errors import InputError

    for row, column in places:
        if not (0 <= row < photograph.height and 0 <= column < photograph.width):
            raise InputError(
                f"Pixel ({row}, {column}) lies outside {photograph.name}, which has "
                f"{photograph.height} x {photograph.width} pixels."
            )


def _labels(path: str, photograph: Photograph) -> np.ndarray:
    """The regions of a photograph, of its size."""
    from napari_hsr.errors import InputError
    from napari_hsr.io.label_images import read_labels

    labels = read_labels(path)
    if labels.shape != (photograph.height, photograph.width):
        raise InputError(
            f"{path} has {' x '.join(map(str, labels.shape))} pixels, and {photograph.name} "
            f"{photograph.height} x {photograph.width}."
        )
    return labels


def _camera_of(photograph: Photograph) -> str | None:
    """The camera that the photograph's encoding names; for CIE XYZ its observer."""
    from napari_hsr.colour import ENCODINGS
    from napari_hsr.photograph import XYZ_D65

    if photograph.encoding == XYZ_D65:
        return "cie-1931"
    return None if photograph.encoding in ENCODINGS else photograph.encoding


def _means(held: Evidence, labels: np.ndarray) -> list[Curve]:
    """The mean spectra of the regions, with intervals of their own."""
    import numpy as np

    from napari_hsr import spectra

    present = np.unique(labels[labels != 0])
    curves = spectra.labels(held.cube, labels)
    return [
        held.of_mean(curve, labels == label) for label, curve in zip(present, curves, strict=True)
    ]


def _print_words(pixels: list[PixelTrust], means: list[Curve], trust: Trust) -> None:
    from napari_hsr.inference.trust.pixel import smoothness_words

    for one in pixels:
        print(one.words())
    for curve in means:
        half = _mean(curve)["interval_half_width_mean"]
        known = "no interval" if half is None else f"± {half:.3g} in the mean"
        print(f"{curve.name}, mean of {curve.count} pixel{'s' * (curve.count != 1)}: {known}")
    if trust.colours is not None:
        print(smoothness_words(trust.colours.linear_camera.wavelengths_nm))


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
