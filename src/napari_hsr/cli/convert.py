"""Write a cube in another format or form.

OUT's suffix is the format. On the way the cube can be cropped, reduced to some bands, resampled to
another grid of wavelengths (as bands of a stated width would measure it) and scaled; integers are
stored with the factor that the file then states. Where the pixels lie on the ground is kept.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, checked_output, prepare_output, read_cube
from napari_hsr.cli.output import report_written
from napari_hsr.cli.reading import add_reading_options, stated, whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import numpy as np

HELP = "write a cube in another format, on another grid, in part"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cube", metavar="IN", help="a cube; FILE:NAME for one array of several")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a file for the cube")
    parser.add_argument(
        "--crop",
        metavar="T,L,B,R",
        type=numbers(4),
        help="top, left, bottom, right in pixels from 0",
    )
    parser.add_argument(
        "--resample",
        metavar="GRID",
        help="other wavelengths: 400:700:10 in nm, a file that lists them, or a cube that has them",
    )
    parser.add_argument(
        "--fwhm",
        metavar="NM",
        type=float,
        help="width of the new bands (default: their spacing where it is wider than before)",
    )
    parser.add_argument("--scale", metavar="S", type=float, help="what values are multiplied by")
    parser.add_argument("--units", metavar="U", help="what the values are, such as reflectance")
    parser.add_argument(
        "--dtype",
        choices=("float32", "uint16", "int16", "uint8"),
        default="float32",
        help="what the file stores (ENVI, TIFF, HDF5, zarr; default float32)",
    )
    parser.add_argument(
        "--factor",
        metavar="F",
        type=float,
        help="what values are multiplied by to become integers, stated in the file (default: "
        "10000 for reflectance, 255 for uint8, else 1)",
    )
    parser.add_argument(
        "--interleave", choices=("bsq", "bil", "bip"), default="bsq", help="of ENVI (default bsq)"
    )
    parser.add_argument(
        "--matlab", choices=("7.3", "5"), default="7.3", help="version of a .mat file (default 7.3)"
    )
    add_output_options(parser)
    add_reading_options(parser)


def numbers(count: int) -> Callable[[str], tuple[int, ...]]:
    """A parser of so many whole numbers with commas between them."""

    def parse(text: str) -> tuple[int, ...]:
        found = tuple(whole_number(part) for part in text.split(","))
        if len(found) != count:
            raise ValueError(text)  # argparse says which option
        return found

    return parse


def run(args: argparse.Namespace) -> int:
    from napari_hsr.conversion import convert
    from napari_hsr.errors import PlaceNotKeptWarning
    from napari_hsr.io import WRITE_SUFFIXES, write
    from napari_hsr.io.tiff import map_info
    from napari_hsr.notices import Code, Notice

    out = checked_output(args, WRITE_SUFFIXES, "cubes")
    replaced = prepare_output(out, [Path(args.cube)], args.overwrite)
    cube = read_cube(args.cube, **stated(args))
    before = cube.notices
    cube = convert(
        cube,
        crop=args.crop,
        wavelengths=grid(args.resample) if args.resample else None,
        fwhm=args.fwhm,
        scale=args.scale,
        units=args.units,
    )
    storing = {key: getattr(args, key) for key in ("dtype", "factor", "interleave", "matlab")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PlaceNotKeptWarning)  # it is among the notices below
        write(cube, out, **storing)
    notices = [notice for notice in cube.notices if notice not in before]
    lost = map_info.lost(cube.metadata) if out.suffix.lower() == ".hdr" else None
    notices += [Notice.warning(Code.PLACE_UNUSABLE, lost)] if lost else []
    nm = None if cube.wavelengths is None else list(cube.wavelengths)
    facts = {"replaced": replaced, "shape": list(cube.shape), "wavelengths_nm": nm}
    report_written(args, {"input": args.cube}, out, facts, notices=notices)
    return 0


def grid(text: str) -> np.ndarray:
    """The wavelengths that an option names: ``first:last:step``, a list in a file, a cube's.

    Raises
    ------
    HSRError
        If it names none.
    """
    import numpy as np

    from napari_hsr.errors import FileError
    from napari_hsr.io import can_read, read
    from napari_hsr.io.wavelengths.wavelength_list import parse, read_text, regular

    if text.count(":") == 2:
        return regular(text)
    if can_read(text):
        found = getattr(read(text), "wavelengths", None)
        if found is None:
            raise FileError(text, "it has no wavelengths to resample to")
        return found
    return np.array(parse(read_text(text)))
