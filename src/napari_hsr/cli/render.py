"""Make a photograph of a cube.

By default as the eye sees it: CIE 1931 2° observer, sRGB, 8 bit. With --camera as the
linear response of that camera, 16 bit. The encoding, which predict must be told of a
camera's response, is printed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.output import note

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph

HELP = "make a photograph of a cube"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="CUBE", help="a spectral cube")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a .png or .tif file")
    parser.add_argument("--camera", metavar="C", help="a measured camera, e.g. nikon-d700")
    parser.add_argument(
        "--illuminant",
        metavar="I",
        help="the light on a cube of reflectances: D65, A, FL11… (default D65)",
    )
    parser.add_argument(
        "--bits", type=int, choices=(8, 16), help="depth of the file (default 8; 16 for a camera)"
    )


def run(args: argparse.Namespace) -> int:
    from napari_hsr.io import PHOTOGRAPH_WRITE_SUFFIXES, write

    out = Path(args.output)
    if out.suffix.lower() not in PHOTOGRAPH_WRITE_SUFFIXES:
        args.usage_error(f"{out}: pictures are written as {', '.join(PHOTOGRAPH_WRITE_SUFFIXES)}")

    from napari_hsr.cli.files import read_cube, refuse_overwriting

    refuse_overwriting(out, [Path(args.cube)])
    cube = read_cube(args.cube)
    photograph = (
        _seen_by_a_camera(cube, args.camera, args.illuminant)
        if args.camera
        else _seen_by_the_eye(cube, args.illuminant or "D65")
    )
    bits = args.bits or (16 if args.camera else 8)
    write(_in_integers(photograph, bits), out)
    print(f"{args.cube} -> {out}")
    print(f"encoding: {photograph.encoding}, {bits} bit")
    note(photograph.notices)
    return 0


def _seen_by_the_eye(cube: Cube, illuminant: str) -> Photograph:
    from napari_hsr.colour import render, rendering
    from napari_hsr.photograph import SRGB, Photograph

    step = f"Rendered: {rendering(cube, illuminant).note}"
    return Photograph(
        render(cube, illuminant),
        encoding=SRGB,
        name=cube.name,
        provenance=cube.provenance.with_step(step),
        notices=(step,),
    )


def _seen_by_a_camera(cube: Cube, camera: str, illuminant: str | None) -> Photograph:
    from napari_hsr.cameras import simulate

    return simulate(cube, camera, illuminant) if illuminant else simulate(cube, camera)


def _in_integers(photograph: Photograph, bits: int) -> Photograph:
    """The same photograph in 8 or 16 bit; what lies outside 0..1 is clipped, and said."""
    import numpy as np

    from napari_hsr.photograph import unit_float

    values = np.nan_to_num(unit_float(photograph.data), nan=0.0)
    clipped = int(((values < 0) | (values > 1)).any(axis=-1).sum())
    if clipped:
        note([f"{clipped} pixels lie outside 0..1 and were clipped."])
    most = 2**bits - 1
    whole = np.rint(np.clip(values, 0, 1) * most).astype(np.uint8 if bits == 8 else np.uint16)
    return replace(photograph, data=whole)
