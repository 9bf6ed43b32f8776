"""Make a photograph of a cube.

By default as the eye sees it: CIE 1931, sRGB, 8 bit. With --camera as that camera's linear
response, 16 bit, written as PNG or TIFF; the encoding to give to predict is printed.
"""

from __future__ import annotations

import argparse

HELP = "make a photograph of a cube"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="CUBE", help="a spectral cube")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a .png or .tif file")
    parser.add_argument("--camera", metavar="C", help="name of a measured camera")
    parser.add_argument(
        "--illuminant", metavar="I", help="the light on the scene (default D65 for the eye)"
    )


def run(args: argparse.Namespace) -> int:
    raise NotImplementedError
