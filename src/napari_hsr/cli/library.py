"""Say what files of spectra hold, or write them as one spectral library.

Files are ENVI libraries (.sli), field spectrometers' (.asd, .sed, .sig), texts of ECOSTRESS and
USGS, tables with wavelengths, or folders of these; several are joined if they have the same
wavelengths. OUT is a .csv, .sli (with its .hdr) or .json file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.files import add_output_options, checked_output, prepare_output
from napari_hsr.cli.output import note, print_json, print_pairs

if TYPE_CHECKING:
    import argparse

HELP = "read spectral libraries and write them in another format"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file of spectra, or a folder")
    parser.add_argument("-o", "--output", metavar="OUT", help="a .csv, .sli or .json file")
    parser.add_argument(
        "--wavelengths", metavar="FILE", help="wavelengths of spectra that come without (USGS)"
    )
    parser.add_argument(
        "--scale",
        metavar="S",
        type=float,
        help="what stored values are multiplied by: 0.01 for percent, 1 to keep them "
        "(default: as the file says, else by their size)",
    )
    parser.add_argument(
        "--column", metavar="C", help="a column of a table by its heading, such as a radiance"
    )
    parser.add_argument(
        "--normalise",
        metavar="BY",
        choices=("max", "area", "vector"),
        help="divide each spectrum by its maximum, its area or its length as a vector",
    )
    add_output_options(parser)


def run(args: argparse.Namespace) -> int:
    from napari_hsr.io import LIBRARY_WRITE_SUFFIXES, read_library, write
    from napari_hsr.io.libraries import join

    out = checked_output(args, LIBRARY_WRITE_SUFFIXES, "libraries") if args.output else None
    stated = {"wavelengths": args.wavelengths, "scale": args.scale, "column": args.column}
    found = [read_library(file, **stated) for file in args.files]
    library = found[0] if len(found) == 1 else join(found, out.stem if out else "library")
    if args.normalise:
        library = library.normalised(args.normalise)
    replaced = False
    if out is not None:
        replaced = prepare_output(out, map(Path, args.files), args.overwrite)
        write(library, out)
    summary = library.summary()
    if args.json:
        files = {"input": args.files, "output": args.output, "replaced": replaced}
        print_json({**files, **summary})
    else:
        span = summary["value_range"]
        print_pairs(
            [
                ("file", ", ".join(args.files)),
                ("kind", "spectral library"),
                ("spectra", f"{len(library)}: {_listed(library.names)}"),
                ("wavelengths", library.wavelengths.describe()),
                ("values", f"{span[0]:.6g} to {span[1]:.6g}"),
                ("units", library.units or "not known"),
                ("written", args.output),
            ]
        )
    note(library.notices)
    return 0


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f" … {names[-1]}" if len(names) > 8 else "")
