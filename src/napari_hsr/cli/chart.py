"""Exposure, white balance and colour matrix of a photograph, from a chart in it.

COLOURS is a photograph with the chart in it, whose four corners --corners gives; or a CSV table with the
columns name, R, G and B: the linear mean of each patch, full scale 1. CHART holds the reflectances of
the patches under the same names, in any file of spectra that `napari-hsr library` reads; for a photograph
it is 24 or sg. --save keeps the way to linear sRGB as a camera profile, which --camera profile:NAME of
`predict` applies.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.cli.output import note, print_json
from napari_hsr.cli.reading import take_minus

if TYPE_CHECKING:
    import argparse

    from napari_hsr.trust.chart import ChartFit

HELP = "exposure, white balance and colour matrix from a chart's patches"


def corner(text: str) -> tuple[float, float]:
    """``ROW,COLUMN``, with decimals if need be."""
    row, column = map(float, text.split(","))
    return row, column


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("colours", metavar="COLOURS", help="a photograph, or linear colours as CSV")
    parser.add_argument(
        "chart", metavar="CHART", nargs="?", default="24", help="reflectances; or 24 or sg"
    )
    parser.add_argument(
        "--corners",
        metavar="ROW,COLUMN",
        type=corner,
        nargs=4,
        help="outer corners of the corner patches, clockwise from dark skin (of an SG: the first)",
    )
    take_minus(parser, r"\.?\d")  # a corner above or left of the picture
    parser.add_argument("--input-encoding", metavar="E", help="encoding of the photograph")
    parser.add_argument("--save", metavar="NAME", help="keep the camera profile under this name")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a camera profile that has this name"
    )
    parser.add_argument(
        "--estimate-camera",
        metavar="TABLE",
        help="estimate the camera's sensitivities from a raw or linear photograph, into a CSV table",
    )
    parser.add_argument(
        "--illuminant", metavar="L", default="D65", help="light on the chart (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import numpy as np

    from napari_hsr.errors import FileError, InputError

    if args.corners:
        return _photographed(args)
    from napari_hsr.io import read_library
    from napari_hsr.trust.chart import fit_chart
    from napari_hsr.trust.chart_layout import CHARTS

    if args.chart in CHARTS and Path(args.colours).suffix.lower() != ".csv":
        raise InputError(
            f"Where the chart lies in {Path(args.colours).name} is not said: give its four --corners."
        )
    for option in ("save", "estimate_camera", "input_encoding"):
        if getattr(args, option) is not None:
            raise InputError(
                f"--{option.replace('_', '-')} is for a photograph whose four --corners are given."
            )

    library = read_library(args.chart)
    colours = _read_colours(Path(args.colours))
    if missing := [name for name in colours if name not in library.names]:
        raise FileError(args.chart, f"it has no reflectance of the patch {missing[0]!r}")
    known = library.chosen(list(colours)).values
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
        print_json({**figures, **_ways(fit), **errors})
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


def _photographed(args: argparse.Namespace) -> int:
    """A chart in a photograph."""
    import numpy as np

    from napari_hsr.cameras.profiles import is_kept, save
    from napari_hsr.colour import normalise_encoding
    from napari_hsr.errors import InputError
    from napari_hsr.io import read
    from napari_hsr.photograph import Photograph
    from napari_hsr.trust.chart_layout import CHARTS
    from napari_hsr.trust.measured_chart import measure_chart, table_of, words

    photograph = read(args.colours)
    if not isinstance(photograph, Photograph):
        raise InputError(f"{args.colours} is a cube; a chart is measured in a photograph.")
    if args.input_encoding:
        photograph.encoding = normalise_encoding(args.input_encoding)
    if args.chart not in CHARTS:
        raise InputError(f"The chart {args.chart!r} is not known; known are {', '.join(CHARTS)}.")
    chart, name = CHARTS[args.chart], args.save or photograph.name
    if args.save and is_kept(name) and not args.overwrite:
        raise InputError(
            f"A camera profile {name!r} is kept already: --save another name, or replace it with "
            "--overwrite."
        )
    profile, fit = measure_chart(photograph, np.array(args.corners), chart, args.illuminant, name)
    note(photograph.notices)
    if args.estimate_camera:
        from napari_hsr.cli.files import checked_output, prepare_output
        from napari_hsr.io.text_files import write_text

        table = checked_output(args, (".csv",), "tables of cameras", "estimate_camera")
        prepare_output(table, [], args.overwrite)
        write_text(table, table_of(profile))
    kept = str(save(profile)) if args.save else None
    if args.json:
        figures = {"exposure": fit.exposure, "balance": fit.balance.tolist()}
        errors = [None if np.isnan(e) else float(e) for e in fit.delta_e]
        before = float(np.nanmean(fit.delta_e_before))
        more = {"delta_e_before": before, "delta_e": profile.delta_e, "patches": errors}
        print_json({**figures, **_ways(fit), **more, "profile": kept})
    else:
        print(words(profile, fit))
    return 0


def _ways(fit: ChartFit) -> dict[str, list[list[float]]]:
    return {"matrix": fit.matrix.tolist(), "polynomial": fit.polynomial.tolist()}


def _read_colours(path: Path) -> dict[str, list[float]]:
    """The colours by the names of the patches."""
    from napari_hsr.errors import FileError
    from napari_hsr.io.limits import check_count, content

    try:
        rows = list(csv.DictReader(content(path).decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(path, f"it cannot be read as a table ({error})") from error
    try:
        found = {row["name"]: [float(row[channel]) for channel in "RGB"] for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(
            path,
            "a table of patches has the columns name, R, G and B, with numbers in the last three",
        ) from error
    if not found:
        raise FileError(path, "it holds no patches")
    check_count(path, len(rows), "patches")
    if len(found) < len(rows):
        names = [row["name"] for row in rows]
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise FileError(path, f"it names the patch {twice!r} twice")
    return found
