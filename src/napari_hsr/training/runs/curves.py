"""The curves of a training as a picture: loss, and PSNR and SAM of the held-out images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from napari_hsr.training.runs.history import History

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 900, 230, 84, 24, 38, 34
INK, QUIET, GRID = (40, 40, 40), (110, 110, 110), (226, 226, 226)
#: Drawn at this many times the size and reduced: lines without steps.
FINE = 2


class Panel(NamedTuple):
    """One set of axes: what, its title with the unit, its colour, and whether it is logarithmic."""

    key: str
    title: str
    colour: tuple[int, int, int]
    logarithmic: bool = False


PANELS = (
    Panel("loss", "Loss (logarithmic)", (31, 119, 180), True),
    Panel("psnr_db", "Held-out images: PSNR (dB)", (44, 140, 60)),
    Panel("sam_deg", "Held-out images: spectral angle (°)", (200, 90, 20)),
)


def write_plot(history: History, path: str | Path, title: str = "") -> Path:
    """Draw what there is of the curves to a PNG file that appears whole.

    Parameters
    ----------
    history : History
    path : path-like
    title : str
        Above the first panel, before its own title.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    from PIL import Image, ImageDraw

    from napari_hsr.io.atomic import replacing

    path = Path(path)
    shown = [(p, *_fit(p, *history.curve(p.key))) for p in PANELS]
    shown = [(panel, steps, values) for panel, steps, values in shown if steps]
    size = WIDTH, TOP + max(1, len(shown)) * PANEL
    image = Image.new("RGB", (size[0] * FINE, size[1] * FINE), "white")
    draw = ImageDraw.Draw(image)
    heading = title if shown else f"{title}: no steps and no figures".lstrip(": ")
    draw.text((LEFT * FINE, 10 * FINE), heading, fill=INK, font=_font(16))
    last = max((steps[-1] for _, steps, _ in shown), default=0)
    plain = history.baseline
    for number, (panel, steps, values) in enumerate(shown):
        if plain is not None and panel.key in plain.mean:
            named = f"{panel.title}; {plain.name}: {plain.mean[panel.key]:.2f}"
            panel = panel._replace(title=named)
        _draw(draw, panel, steps, values, TOP + number * PANEL, last)
    with replacing(path) as temporary:
        image.resize(size, Image.Resampling.LANCZOS).save(temporary, format="PNG", optimize=True)
    return path


def _fit(panel: Panel, steps: list[int], values: list[float]) -> tuple[list[int], list[float]]:
    """What can be shown: a logarithm needs values above 0."""
    kept = [(s, v) for s, v in zip(steps, values, strict=True) if v > 0 or not panel.logarithmic]
    return [s for s, _ in kept], [v for _, v in kept]


def _draw(
    draw: ImageDraw,
    panel: Panel,
    steps: Sequence[int],
    values: Sequence[float],
    top: int,
    last: int,
) -> None:
    y = np.log10(values) if panel.logarithmic else np.asarray(values, dtype=float)
    low, high, marks = _axis(float(y.min()), float(y.max()), panel.logarithmic)
    inner = (LEFT, top + 26, WIDTH - RIGHT, top + PANEL - BOTTOM)

    def at(step: float, value: float) -> tuple[float, float]:
        across = inner[0] + (inner[2] - inner[0]) * step / max(1, last)
        up = inner[3] - (inner[3] - inner[1]) * (value - low) / (high - low)
        return across * FINE, up * FINE

    draw.text((LEFT * FINE, (top + 4) * FINE), panel.title, fill=INK, font=_font(13))
    for mark in marks:
        x0, y0 = at(0, mark)
        draw.line([x0, y0, inner[2] * FINE, y0], fill=GRID, width=FINE)
        label = f"{10**mark:.3g}" if panel.logarithmic else f"{mark:.6g}"
        draw.text((x0 - 8 * FINE, y0), label, fill=QUIET, font=_font(12), anchor="rm")
    for mark in sorted({round(mark) for mark in _ticks(0, max(1, last), 6)}):
        x0, _ = at(mark, low)
        draw.line([x0, inner[1] * FINE, x0, inner[3] * FINE], fill=GRID, width=FINE)
        draw.text(
            (x0, (inner[3] + 6) * FINE), f"{mark:,.0f}", fill=QUIET, font=_font(12), anchor="mt"
        )
    below = (inner[0] - 8) * FINE, (inner[3] + 6) * FINE
    draw.text(below, "step", fill=QUIET, font=_font(12), anchor="rt")
    draw.rectangle([v * FINE for v in inner], outline=QUIET, width=FINE)
    points = [at(s, v) for s, v in zip(steps, y, strict=True)]
    if len(points) > 1:
        draw.line(points, fill=panel.colour, width=2 * FINE, joint="curve")
    if len(points) < 60:
        for x0, y0 in points:
            r = 3 * FINE
            draw.ellipse([x0 - r, y0 - r, x0 + r, y0 + r], fill=panel.colour)


def _axis(low: float, high: float, logarithmic: bool) -> tuple[float, float, list[float]]:
    """Limits a little beyond the values, and the marks between them."""
    margin = 0.06 * (high - low) or (0.15 if logarithmic else 0.05 * abs(high) or 0.5)
    low, high = low - margin, high + margin
    if not logarithmic:
        return low, high, _ticks(low, high, 5)
    decades = range(math.floor(low), math.ceil(high) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
        marks = [d + math.log10(n) for d in decades for n in digits]
        marks = [m for m in marks if low <= m <= high]
        if len(marks) >= 3:
            return low, high, marks
    # so flat a curve that no round number lies in it: equal steps of the value itself
    return low, high, [math.log10(v) for v in _ticks(10**low, 10**high, 4)]


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers from ``low`` to ``high``."""
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL.ImageFont import load_default

    return load_default(size * FINE)
