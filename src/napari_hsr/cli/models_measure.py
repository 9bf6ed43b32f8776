"""``napari-hsr models measure``: the error of lower precisions, for the model's card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.cli.output import note, print_json, worked

if TYPE_CHECKING:
    import argparse

    from napari_hsr.inference import Measurement

HELP = "measure the error of lower precisions against float32, and write it into the model's card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a model, or a safetensors file with a card")
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        help="the photograph to measure on, or the cube for a super-resolution model (default: a sample)",
    )
    parser.add_argument(
        "--input-encoding",
        metavar="E",
        help="encoding of the photograph (default: as the file says)",
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cpu, mps, cuda, cuda:1… (default auto)"
    )


def run(args: argparse.Namespace) -> int:
    from napari_hsr.inference import measure_events
    from napari_hsr.inference.precision_benchmark import keep

    options = {"encoding": args.input_encoding, "device": args.device}
    measured = worked(
        lambda cancel: measure_events(args.name, args.image, **options, cancel=cancel)
    )
    kept = keep(measured) is not None
    if args.json:
        errors = {key: error.model_dump() for key, error in measured.errors.items()}
        facts = {"model": measured.model.name, "precision_errors": errors}
        print_json({**facts, "left_out": measured.left_out, "kept": kept})
    else:
        _print(measured, kept)
    if measured.errors and not kept:
        note(
            [
                f"{measured.model.name} is not among the imported models, whose cards can be "
                "changed: the measurement was not stored."
            ]
        )
    return 0 if measured.errors else 1


def _print(measured: Measurement, kept: bool) -> None:
    from napari_hsr.inference.precision import ENOUGH_DB

    name = measured.model.name
    for precision, error in measured.errors.items():
        print(f"{name} in {precision}: {error.words()}")
    for precision, reason in measured.left_out.items():
        print(f"{name} in {precision}: not measured, {reason}")
    if not kept:
        return
    print(f"Written into the card of {name}.")
    good = [kind for kind, error in measured.errors.items() if error.within(ENOUGH_DB)]
    if good:
        print(
            f"predict --precision auto takes {' or '.join(good)} where the device computes in it natively."
        )
    elif measured.errors:
        print(f"predict --precision auto stays in float32: less than {ENOUGH_DB:g} dB.")
