"""A stress test as a picture: how far answers move, and how wrong they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, InputError

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.inference.trust.stress import StressReport

_SUFFIXES = (".png", ".pdf", ".svg")
_BARS = (("colour_change", "photograph", "#9a9aa5"), ("moved", "answer", "#1f77b4"))
_ALSO = (("truth_moved", "truth", "#2ca02c"), ("error", "error of the answer", "#d62728"))


def target_of(path: str | PathLike[str]) -> Path:
    """Where a plot is written, refused before anything is computed if it is no picture's name."""
    target = Path(path).expanduser()
    if target.suffix.lower() not in _SUFFIXES:
        raise FileError(target, f"a plot is written as {', '.join(_SUFFIXES)}")
    return target


def write_plot(report: StressReport, path: str | PathLike[str]) -> Path:
    """Draw a report to a PNG, PDF or SVG file that appears whole.

    Raises
    ------
    InputError
        If Matplotlib is not installed, or the file is of another kind.
    FileError
        If it cannot be written.
    """
    target = target_of(path)
    try:  # the figure alone: pyplot would choose a window system
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise InputError(
            'The plot needs Matplotlib, which is not installed: pip install "napari-hsr[train]"'
        ) from error
    from napari_hsr.io.atomic import replacing

    rows = report.rows
    names = [f"{row.test} {row.setting}".strip() for row in rows]
    figure = Figure((9.0, 1.4 + 0.34 * len(rows)), 110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{report.model} on {report.scene}, seen by {report.camera}", fontsize="medium")
    moved, angle = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    at = range(len(rows))
    series = (*_BARS, *_ALSO)
    for number, (key, label, colour) in enumerate(series):
        shifted = [y + 0.2 * (number - 1.5) for y in at]
        values = [100 * getattr(row, key) for row in rows]
        moved.barh(shifted, values, 0.2, color=colour, label=label)
    angle.barh(at, [row.sam for row in rows], 0.6, color="#d62728")
    moved.set_yticks(at, names)
    moved.invert_yaxis()
    moved.set_xlabel("change, and error (% of the root mean square)")
    moved.legend(fontsize="small")
    angle.set_xlabel("mean spectral angle to the truth (°)")
    for axes in (moved, angle):
        axes.grid(axis="x", color="#e2e2e2")
        axes.set_axisbelow(True)
    with replacing(target) as temporary:
        figure.savefig(temporary, format=target.suffix[1:].lower())
    return target
