"""Say how far the spectra of some pixels of a photograph can be trusted.

For each pixel: the measured share of its energy and the feasible band, where the camera is known
(--camera, or by the encoding); the 90 % interval and whether it is unlike the training, for models
whose card is calibrated. OUT is a CSV file with the spectra and the ends of all ranges.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.output import note, print_json, progress_bar

if TYPE_CHECKING:
    import argparse

HELP = "say how far the spectra of some pixels can be trusted"


def place(text: str) -> tuple[int, int]:
    """``ROW,COLUMN``."""
    row, column = map(int, text.split(","))
    return row, column


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("photograph", metavar="PHOTO", help="the photograph")
    parser.add_argument(
        "--at",
        metavar="ROW,COLUMN",
        type=place,
        nargs="+",
        required=True,
        help="pixels, from 0, the first the upper left one",
    )
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
    from napari_hsr.cli.files import prepare_output
    from napari_hsr.cli.interrupt import cancel_on_interrupt
    from napari_hsr.colour import ENCODINGS, normalise_encoding
    from napari_hsr.errors import InputError
    from napari_hsr.inference.evidence import Evidence
    from napari_hsr.inference.inputs import as_photograph
    from napari_hsr.inference.intervals import looker
    from napari_hsr.inference.pixel_trust import smoothness_words
    from napari_hsr.inference.reconstruction import reconstruct_events
    from napari_hsr.models import DEFAULT, load_model
    from napari_hsr.photograph import XYZ_D65
    from napari_hsr.progress import Progress, result_of
    from napari_hsr.spectra import write_csv

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
        held.pixel(row, column, held.feasible(row, column) if held.sight else None)
        for row, column in args.at
    ]
    if args.output:
        write_csv([one.curve for one in found], args.output)
    if args.json:
        facts = {"model": model.name, "trust": result.trust.record()}
        nm = list(model.wavelengths)
        print_json({**facts, "wavelengths_nm": nm, "pixels": [one.to_dict() for one in found]})
    else:
        for one in found:
            print(one.words())
        if result.trust.colours is not None:
            print(smoothness_words(result.trust.colours.sight.wavelengths_nm))
    note(result.notices)
    return 0
