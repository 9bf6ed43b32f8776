"""Test how much a model's answer moves: metamers, exposure, white balance, JPEG, noise, blur.

A scene whose spectra are known is photographed in many ways, by the CIE 1931 observer under D65 or
by the camera named. For metamers the spectra change and the photograph does not: a model cannot
follow, and its error says what three channels leave open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, prepare_output, read_cube
from napari_hsr.cli.output import note, print_json, worked

if TYPE_CHECKING:
    import argparse

HELP = "test how much a model's answer moves when a photograph changes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("model", metavar="MODEL", help="name of a model, or its folder or file")
    parser.add_argument(
        "--scene", metavar="CUBE", help="a measured cube on the model's bands (default: a chart)"
    )
    parser.add_argument(
        "--camera", metavar="C", help="what takes the photographs, as table.csv:NAME"
    )
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cpu, mps, cuda, cuda:1… (default auto)"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw it to a PNG, PDF or SVG file too")
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from napari_hsr.inference.trust.stress import stress_events
    from napari_hsr.inference.trust.stress_plot import target_of, write_plot

    if args.plot:
        prepare_output(target_of(args.plot), [], args.overwrite)
    scene = read_cube(args.scene) if args.scene else None
    options = {"camera": args.camera, "device": args.device}
    report = worked(lambda cancel: stress_events(args.model, scene, **options, cancel=cancel))
    if args.plot:
        write_plot(report, args.plot)
    note(report.notices)
    if args.json:
        print_json(report.to_dict())
    else:
        print(report.table())
    return 0
