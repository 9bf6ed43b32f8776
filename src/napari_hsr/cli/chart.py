"""Exposure, white balance and colour matrix of a photograph, from a chart in it.

COLOURS is a CSV table with the columns name, R, G and B: the linear mean of each patch, full scale 1.
CHART holds the reflectances of the patches under the same names, in any file of spectra that
`napari-hsr library` reads.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.output import note, print_json

if TYPE_CHECKING:
    import argparse

HELP = "exposure, white balance and colour matrix from a chart's patches"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("colours", metavar="COLOURS", help="linear colours of the patches, CSV")
    parser.add_argument("chart", metavar="CHART", help="reflectances of the patches")
    parser.add_argument(
        "--illuminant", metavar="L", default="D65", help="light on the chart (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import numpy as np

    from napari_hsr.errors import FileError
    from napari_hsr.io import read_library
    from napari_hsr.trust.chart import fit_chart

    library = read_library(args.chart)
    colours = _read_colours(Path(args.colours))
    if missing := [name for name in colours if name not in library.names]:
        raise FileError(args.chart, f"it has no reflectance of the patch {missing[0]!r}")
    known = np.stack([library[name] for name in colours])
    seen = np.array(list(colours.values()))
    fit = fit_chart(seen, known, library.wavelengths_nm, args.illuminant)
    note(library.notices)
    after, before = (float(np.nanmean(e)) for e in (fit.delta_e, fit.delta_e_before))
    if args.json:
        each = {
            name: None if np.isnan(e) else float(e)
            for name, e in zip(colours, fit.delta_e, strict=True)
        }
        figures = {"exposure": fit.exposure, "balance": fit.balance.tolist()}
        errors = {"delta_e_before": before, "delta_e": after, "patches": each}
        print_json({**figures, "matrix": fit.matrix.tolist(), **errors})
        return 0
    print(f"exposure × {fit.exposure:.4g}, gains {' '.join(f'{g:.4f}' for g in fit.balance)}")
    for row in fit.matrix.T:  # as it multiplies columns, in the usual way of writing
        print("  ".join(f"{value:9.5f}" for value in row))
    left_out = int(np.isnan(fit.delta_e).sum())
    print(
        f"ΔE00 {after:.2f} in the mean, {np.nanmax(fit.delta_e):.2f} at most, {before:.2f} by "
        f"exposure and balance alone; {left_out} patches clipped or black and left out"
    )
    return 0


def _read_colours(path: Path) -> dict[str, list[float]]:
    """The colours by the names of the patches."""
    from napari_hsr.errors import FileError
    from napari_hsr.io.limits import content

    try:
        rows = list(csv.DictReader(content(path).decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, f"it cannot be read as a table ({error})") from error
    try:
        return {row["name"]: [float(row[channel]) for channel in "RGB"] for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(
            path,
            "a table of patches has the columns name, R, G and B, with numbers in the last three",
        ) from error
