"""Curves, the graphics items that draw them, and stable axis limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QGraphicsItem

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The line styles, in the order of their use.
STYLES = ("solid", "dash", "dot", "dashdot", "dashdotdot")

_PEN_STYLES = {
    "solid": Qt.PenStyle.SolidLine,
    "dash": Qt.PenStyle.DashLine,
    "dot": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
    "dashdotdot": Qt.PenStyle.DashDotDotLine,
}


#: Bands without a line: how opaque they are, and the style of their borders.
BANDS = {"interval": (0.34, Qt.PenStyle.SolidLine), "feasible": (0.09, Qt.PenStyle.DotLine)}
#: How opaque a band of standard deviations is.
_VEIL = 0.22
#: A curve that goes so many times through its range is jagged: noise goes ten times, spectra once or twice.
_JAGGED = 6
#: A swatch of a band is so many times as high as a line.
_SWATCH = 5


@dataclass(frozen=True, eq=False)
class PlotCurve:
    """A curve of a plot.

    Attributes
    ----------
    name : str
        For the legend; a curve without a name is not listed.
    x, y : array, shape (n,)
        Points; a value of y that is not finite leaves a gap.
    std : array, shape (n,), or None
        Half the height of the shaded band around y.
    color : str
        ``#rrggbb``.
    style : str
        One of :data:`STYLES`; or of :data:`BANDS`, for y ± std alone, without a line.
    live : bool
        True for a curve that changes with every move of the mouse. Others are cached as
        pixmaps, which makes a plot of many curves several times faster.
    width : float
        Width of the line in pixels.
    fits : bool
        Whether the axis limits include it.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    std: np.ndarray | None = None
    color: str = "#ffffff"
    style: str = "solid"
    live: bool = False
    width: float = 2.0
    fits: bool = True


def pen_of(color: str, style: str, width: float = 2.0):
    """The pen of a curve in plot, legend and export; a thick one for a band."""
    if style in BANDS:
        pen = pg.mkPen(_veil(color, BANDS[style][0] + 0.1), width=_SWATCH * width)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        return pen
    return pg.mkPen(QColor(color), width=width, style=_PEN_STYLES[style])


def _veil(color: str, opacity: float) -> QColor:
    veil = QColor(color)
    veil.setAlphaF(opacity)
    return veil


def _look(curve: PlotCurve) -> tuple[str, str, float]:
    return curve.color, curve.style, curve.width


def keep_picture(item: QGraphicsItem, keep: bool = True) -> None:
    """Cache the drawing of an item until the item or the view changes."""
    modes = QGraphicsItem.CacheMode
    item.setCacheMode(modes.DeviceCoordinateCache if keep else modes.NoCache)


class CurveItems:
    """The line, dots and band of one curve, updated in place."""

    def __init__(self, plot_item: pg.PlotItem, rank: int):
        self._curve: PlotCurve | None = None
        self.band = pg.PlotCurveItem(fillLevel="enclosed", antialias=True)
        self.line = pg.PlotCurveItem(connect="finite", antialias=True)
        self.dots = pg.ScatterPlotItem(size=7, pen=None, antialias=True)
        for item, depth in ((self.band, -1000.0), (self.line, 0.0), (self.dots, 0.0)):
            item.setZValue(depth - rank / 1000)
            item.hide()
            plot_item.addItem(item, ignoreBounds=True)

    def show(self, curve: PlotCurve) -> None:
        """Draw ``curve``; only what changed is updated."""
        old, self._curve = self._curve, curve
        if old is curve:
            return
        if old is None or _look(old) != _look(curve):
            color = QColor(curve.color)
            self.line.setPen(pen_of(*_look(curve)))
            self.dots.setBrush(pg.mkBrush(color))
            opacity, border = BANDS.get(curve.style, (_VEIL, Qt.PenStyle.SolidLine))
            veil = _veil(curve.color, opacity)
            self.band.setBrush(pg.mkBrush(veil))
            edge = _veil(curve.color, 0.6) if curve.style in BANDS else veil
            self.band.setPen(pg.mkPen(edge, width=1, style=border))
        if old is None or old.live != curve.live:
            for item in (self.band, self.line, self.dots):
                keep_picture(item, not curve.live)
        if old is None or old.y is not curve.y or old.x is not curve.x or old.std is not curve.std:
            self._set_data(curve)

    def hide(self) -> None:
        """Show nothing until the next curve."""
        if self._curve is not None:
            self._curve = None
            for item in (self.band, self.line, self.dots):
                item.hide()

    def _set_data(self, curve: PlotCurve) -> None:
        x = np.asarray(curve.x, dtype=np.float64)
        y = np.asarray(curve.y, dtype=np.float64)
        fine = np.isfinite(y)
        as_line = bool(fine.any()) and curve.style not in BANDS
        self.line.setVisible(as_line)
        if as_line:
            plain = curve.live and _jagged(y[fine])
            self.line.setData(x, np.where(fine, y, np.nan), connect="finite", antialias=not plain)
        alone = fine.copy()  # isolated points would be invisible as a line
        alone[1:] &= ~fine[:-1]
        alone[:-1] &= ~fine[1:]
        alone &= curve.style not in BANDS
        self.dots.setVisible(bool(alone.any()))
        if alone.any():
            self.dots.setData(x[alone], y[alone])
        outline = None if curve.std is None else _band_outline(x, y, np.asarray(curve.std))
        self.band.setVisible(outline is not None)
        if outline is not None:
            self.band.setData(outline[0], outline[1], connect=outline[2])


def _jagged(y: np.ndarray) -> bool:
    """Whether a curve goes up and down so often that its smooth edges take Qt ten times as long."""
    return bool(np.abs(np.diff(y)).sum() > _JAGGED * np.ptp(y))


def _band_outline(x, y, std):
    """Closed outlines around y ± std, one for each run of finite values; None if there is none."""
    fine = np.isfinite(y) & np.isfinite(std)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], fine.astype(np.int8), [0]])))
    xs, ys, joins = [], [], []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        run = slice(start, stop)
        up, down = y[run] + std[run], (y[run] - std[run])[::-1]
        xs.append(np.concatenate([x[run], x[run][::-1], x[run][:1]]))
        ys.append(np.concatenate([up, down, up[:1]]))
        join = np.ones(xs[-1].size, dtype=np.int32)
        join[-1] = 0
        joins.append(join)
    if not xs:
        return None
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(joins)


def extent(curves: Sequence[PlotCurve]) -> tuple[float, float, float, float] | None:
    """(x low, x high, y low, y high) of all finite values, bands included; None if none.

    Curves with ``fits=False`` do not count. Ranges behind curves count as far as half of what the
    curves span beyond them: one that knows little must not press the curves together.
    """
    fitted = [curve for curve in curves if curve.fits]
    found = _extent([curve for curve in fitted if curve.style not in BANDS])
    ranges = _extent([curve for curve in fitted if curve.style in BANDS])
    if found is None or ranges is None:
        return found or ranges
    x0, x1, y0, y1 = found
    more = 0.5 * ((y1 - y0) or abs(y1))
    return (
        min(x0, ranges[0]),
        max(x1, ranges[1]),
        min(y0, max(ranges[2], y0 - more)),
        max(y1, min(ranges[3], y1 + more)),
    )


def _extent(curves: Sequence[PlotCurve]) -> tuple[float, float, float, float] | None:
    x0 = y0 = math.inf
    x1 = y1 = -math.inf
    for curve in curves:
        y = np.asarray(curve.y, dtype=np.float64)
        fine = np.isfinite(y)
        if not fine.any():
            continue
        x = np.asarray(curve.x)
        x0, x1 = min(x0, float(x.min())), max(x1, float(x.max()))
        y = y[fine]
        half = np.zeros(())
        if curve.std is not None:
            half = np.nan_to_num(np.asarray(curve.std, np.float64)[fine], posinf=0.0, neginf=0.0)
        y0, y1 = min(y0, float((y - half).min())), max(y1, float((y + half).max()))
    return (x0, x1, y0, y1) if x0 <= x1 else None


def nice_limits(
    wanted: tuple[float, float, float, float],
    now: tuple[float, float, float, float] | None,
    least: float = 0.0,
) -> tuple[float, float, float, float]:
    """Axis limits around ``wanted``, with a margin; ``now`` is kept while it still fits.

    The y limits are kept while the curves lie inside them and fill at least half of them, so
    that they do not change with every move of the mouse. They start at zero if the values are
    non-negative and their minimum is at most half of their maximum. They span at least
    ``least``, centred on the curves.
    """
    x0, x1, y0, y1 = wanted
    margin = 0.02 * (x1 - x0) or 0.5  # one step or band alone: no others beside it
    xs = (x0 - margin, x1 + margin)
    if y0 >= 0 and y0 <= 0.5 * y1:
        y0 = 0.0
    if y0 == y1:
        half = 0.05 * abs(y0) or 0.5
        y0, y1 = y0 - half, y1 + half
    elif y0 and y1 - y0 < least:
        y0, y1 = (y0 + y1 - least) / 2, (y0 + y1 + least) / 2
    margin = 0.06 * (y1 - y0)
    ys = (y0 - (margin if y0 else 0.0), y1 + margin)
    if (
        now is not None
        and now[2] <= y0
        and y1 <= now[3]
        and (ys[1] - ys[0]) >= 0.5 * (now[3] - now[2])
    ):
        ys = now[2:]
    return (*xs, *ys)
