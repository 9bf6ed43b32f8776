"""The curves of a training as a picture: loss, and PSNR and SAM of the held-out images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from napari_hsr.training.runs.history import History

#: Width of the picture and height of one panel, in inches; dots per inch.
WIDTH, HEIGHT, DPI = 9.0, 2.4, 100
#: Curves of fewer points than this show each of them.
MARKED = 60


class Panel(NamedTuple):
    """One set of axes: key in the history, title with unit, colour, and the kind of its axis."""

    key: str
    title: str
    colour: str
    scale: str = "linear"


PANELS = (
    Panel("loss", "Loss (logarithmic)", "#1f77b4", "log"),
    Panel("psnr_db", "Held-out images: PSNR (dB)", "#2c8c3c"),
    Panel("sam_deg", "Held-out images: spectral angle (°)", "#c85a14"),
)


def write_plot(history: History, path: str | Path, title: str = "") -> Path:
    """Draw the curves that there are to a PNG file that appears whole.

    Parameters
    ----------
    history : History
    path : path-like
    title : str
        Above the first panel.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    # the figure alone: pyplot would choose a window system
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from napari_hsr.io.atomic import replacing

    path = Path(path)
    curves = [(panel, *history.curve(panel.key)) for panel in PANELS]
    # a logarithm needs values above 0
    curves = [
        (panel, steps, values)
        for panel, steps, values in curves
        if (max(values, default=0.0) > 0 if panel.scale == "log" else values)
    ]
    figure = Figure((WIDTH, HEIGHT * max(1, len(curves))), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title if curves else f"{title}: no steps and no figures".lstrip(": "))
    last = max((steps[-1] for _, steps, _ in curves), default=0)
    for number, (panel, steps, values) in enumerate(curves):
        axes = figure.add_subplot(len(curves), 1, number + 1)
        marker = "o" if len(steps) < MARKED else ""
        axes.plot(steps, values, color=panel.colour, marker=marker, markersize=4)
        axes.set_yscale(panel.scale, **({"nonpositive": "mask"} if panel.scale == "log" else {}))
        axes.set_xlim(0, max(1, last))
        axes.set_xlabel("step")
        axes.grid(color="#e2e2e2")
        name = panel.title
        if history.baseline is not None and panel.key in history.baseline.mean:
            name += f"; {history.baseline.name}: {history.baseline.mean[panel.key]:.2f}"
        axes.set_title(name, loc="left", fontsize="medium")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    return path
