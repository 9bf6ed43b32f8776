"""A line plot for spectra and per-band metrics, with a legend outside the axes.

Curves are kept in a pool and updated in place, because creating and removing graphics items
at every move of the mouse is what makes such plots slow. The axis limits have some hysteresis,
so that the axes do not jump under the mouse.
"""

from __future__ import annotations

from html import escape
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.plain_text import one_line, visible
from napari_hsr.widgets.plotting.curves import (
    CurveItems,
    PlotCurve,
    extent,
    keep_picture,
    nice_limits,
)
from napari_hsr.widgets.plotting.export import save_png
from napari_hsr.widgets.plotting.legend import Entry, PlotLegend

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PlotCurve", "SpectrumPlot"]

#: Of the axes with their labels, in pixels, whatever else is docked.
LEAST_HEIGHT = 200
#: Letters of an axis' name: units may be of any length.
_LABEL = 80
#: What stands before a number of the marker, where units stand behind it.
COUNTED = ("band", "frame")


class _Axis(pg.AxisItem):
    """An axis that also labels its ends, for which it needs room beyond them."""

    #: Whether ticks are whole numbers only, as for steps and bands.
    whole = False

    def tickSpacing(self, minVal, maxVal, size):  # noqa: N802, N803 - pyqtgraph's names
        levels = super().tickSpacing(minVal, maxVal, size)
        if not self.whole:
            return levels
        return [(spacing, at) for spacing, at in levels if spacing >= 1] or [(1, 0)]

    def boundingRect(self):  # noqa: N802 - pyqtgraph's name
        return super().boundingRect().adjusted(-20, -10, 20, 10)


class _View(pg.GraphicsLayoutWidget):
    """A plot with the size hint of a side panel; by keys there is nothing to do in it."""

    def __init__(self):
        super().__init__()
        self.viewport().setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(380, 280)


class SpectrumPlot(QWidget):
    """Curves over wavelength or band, with a movable marker, a legend and a zoom reset.

    Wheel: zoom; drag: pan; right drag: zoom one axis; double click or "Reset view": all curves.

    Signals
    -------
    marker_moved : float
        The user dragged the marker to this value of x.
    theme_changed()
        The plot took the colours of the viewer's new theme.
    """

    marker_moved = Signal(float)
    theme_changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._curves: list[PlotCurve] = []
        self._pool: list[CurveItems] = []
        self._limits: tuple[float, float, float, float] | None = None
        self._least_span = 0.0
        self._free = True  # the limits follow the curves until the user zooms
        self._marker_unit = ""
        self._theme_of: Any = None
        self._connections = Connections(self)

        self.view = _View()
        self.view.setAccessibleName("Plot")
        self.view.setToolTip("Wheel: zoom; drag: pan; right drag: zoom one axis; double click: all")
        self.view.setMinimumSize(220, LEAST_HEIGHT)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # no key does anything there
        self.view.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.plot_item = self.view.addPlot(axisItems={s: _Axis(s) for s in ("bottom", "left")})
        self.plot_item.setMenuEnabled(False)
        self.plot_item.hideButtons()
        self.plot_item.disableAutoRange()
        self.plot_item.getViewBox().sigRangeChangedManually.connect(self._zoomed)
        for side in ("bottom", "left"):
            axis = self.plot_item.getAxis(side)
            keep_picture(axis)
            axis.enableAutoSIPrefix(False)  # "0.55 k(nm)" helps nobody
            axis.setStyle(tickTextOffset=4, hideOverlappingLabels=False)
        self.plot_item.setContentsMargins(2, 8, 18, 2)

        self.marker = pg.InfiniteLine(angle=90, movable=True)
        self.marker.label = pg.InfLineLabel(
            self.marker, text="", position=0.94, anchors=[(0, 0.5), (1, 0.5)]
        )
        self.marker.setZValue(50)
        self.marker.hide()
        self.plot_item.addItem(self.marker, ignoreBounds=True)
        self.marker.sigDragged.connect(lambda line: self._user_marker(line.value()))
        self.view.scene().sigMouseClicked.connect(self._clicked)

        self.legend = PlotLegend()
        self.reset_button = QPushButton("Reset view")
        self.reset_button.setToolTip("Show all curves again (or double click in the plot)")
        self.reset_button.clicked.connect(self.reset_view)
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.legend, 1)
        below.addWidget(self.reset_button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.view, 1)
        layout.addLayout(below)

        self._placeholder = QLabel(self.view)
        self._placeholder.setTextFormat(Qt.TextFormat.PlainText)
        self._placeholder.setWordWrap(True)
        self._placeholder.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._placeholder.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._placeholder.hide()
        self.view.installEventFilter(self)
        self.set_labels("band", "value")
        self.set_theme("dark")

    # --- what is shown -------------------------------------------------------------------

    @property
    def curves(self) -> list[PlotCurve]:
        """The curves now shown."""
        return list(self._curves)

    def set_curves(
        self, curves: Sequence[PlotCurve], entries: Sequence[Entry] | None = None
    ) -> None:
        """Show exactly these curves, updating in place what is already drawn.

        Parameters
        ----------
        curves : sequence of PlotCurve
            In the order of the legend, the first drawn on top. NaN and Inf leave gaps.
        entries : sequence of (name, colour, style), optional
            The legend; by default the curves with a name.
        """
        curves = list(curves)
        while len(self._pool) < len(curves):
            self._pool.append(CurveItems(self.plot_item, rank=len(self._pool)))
        for items, curve in zip(self._pool, curves, strict=False):
            items.show(curve)
        for items in self._pool[len(curves) :]:
            items.hide()
        self._curves = curves
        named = [(c.name, c.color, c.style) for c in curves if c.name]
        self.legend.set_entries(named if entries is None else entries)
        self._placeholder.setVisible(not curves and bool(self._placeholder.text()))
        self.reset_button.setEnabled(bool(curves))
        if self._free:
            self._fit(keep=True)

    def set_labels(self, x: str, y: str) -> None:
        """Name the axes, with their units: ``"wavelength (nm)"``, ``"reflectance"``."""
        for side, name in (("bottom", x), ("left", y)):
            axis = self.plot_item.getAxis(side)
            text = escape(one_line(name, _LABEL))  # the unit of a file, and rich text to pyqtgraph
            if axis.labelText != text or not axis.label.isVisible():
                axis.setLabel(text, **self._label_style())
        self._labels = (x, y)

    def set_placeholder(self, text: str) -> None:
        """Text shown while the plot has no curve."""
        self._placeholder.setText(visible(text))
        self._placeholder.setVisible(not self._curves and bool(text))
        self._place_placeholder()

    def set_whole_numbers(self) -> None:
        """Use whole numbers only for the ticks of the x axis."""
        self.plot_item.getAxis("bottom").whole = True

    def set_least_span(self, span: float) -> None:
        """Let the y axis span at least ``span``, in its unit."""
        self._least_span = span
        self._fit(keep=False)

    @property
    def labels(self) -> tuple[str, str]:
        """The names of the x and the y axis, with their units."""
        return self._labels

    def reset_view(self) -> None:
        """Show all curves, and let the axes follow them again."""
        self._free = True
        self._fit(keep=False)

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """(x low, x high, y low, y high) of the axes as they are now."""
        (x0, x1), (y0, y1) = self.plot_item.getViewBox().viewRange()
        return x0, x1, y0, y1

    def set_limits(self, limits: tuple[float, float, float, float]) -> None:
        """Zoom to (x low, x high, y low, y high), as the user would."""
        self._free = False
        self.plot_item.getViewBox().setRange(
            xRange=limits[:2], yRange=limits[2:], padding=0, disableAutoRange=True
        )

    # --- the marker ----------------------------------------------------------------------

    def set_marker(self, x: float | None, unit: str = "nm") -> None:
        """Move the vertical marker to ``x``, or hide it (None), without a signal."""
        self._marker_unit = unit
        self.marker.setVisible(x is not None)
        if x is not None:
            if self.marker.value() != x:
                self.marker.setValue(x)
            self._marker_text()

    def marker_value(self) -> float | None:
        """The x of the marker, None while it is hidden."""
        return float(self.marker.value()) if self.marker.isVisible() else None

    @property
    def marker_unit(self) -> str:
        """The unit of the marker's value: ``"nm"``, ``"s"``…, or one of :data:`COUNTED`."""
        return self._marker_unit

    def _user_marker(self, x: float) -> None:
        self._marker_text()
        self.marker_moved.emit(float(x))

    def _marker_text(self) -> None:
        unit, at = self._marker_unit, self.marker.value()
        value = f"{at:.4g}" if abs(at) < 1e4 else f"{at:.7g}"  # 43200 s, not 4.32e+04
        text = f"{unit} {value}" if unit in COUNTED else f"{value} {one_line(unit, _LABEL)}"
        if self.marker.label.toPlainText() != text:
            self.marker.label.setText(text, color=self._foreground)

    def _clicked(self, event) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.reset_view()

    # --- limits --------------------------------------------------------------------------

    def _zoomed(self, *_ignored) -> None:
        self._free = False

    def _fit(self, keep: bool) -> None:
        """Fit the axes to the curves; with ``keep``, only if the limits no longer suit."""
        wanted = extent(self._curves)
        if wanted is None:
            return
        limits = nice_limits(wanted, self._limits if keep else None, self._least_span)
        if limits != self._limits or not keep:
            self._limits = limits
            self.plot_item.getViewBox().setRange(
                xRange=limits[:2], yRange=limits[2:], padding=0, disableAutoRange=True
            )

    # --- looks ---------------------------------------------------------------------------

    def set_theme(self, theme: str) -> None:
        """Use the colours and font size of a napari theme (``"dark"``, ``"light"``…)."""
        from napari.utils.theme import get_theme

        colors = get_theme(theme)
        self._point_size = float(str(colors.font_size).removesuffix("pt"))
        background, foreground, grid = (
            QColor(*color.as_rgb_tuple()[:3])
            for color in (colors.background, colors.text, colors.secondary)
        )
        self.set_colors(background, foreground, grid)

    def set_colors(self, background: QColor, foreground: QColor, grid: QColor) -> None:
        """Set the colours of the background, of text, and of axes and grid."""
        self._background, self._foreground = background, foreground
        self.view.setBackground(self._background)
        font = self.text_font()
        for side in ("bottom", "left"):
            axis = self.plot_item.getAxis(side)
            axis.setPen(grid)
            axis.setTextPen(self._foreground)
            axis.setTickFont(font)
            axis.setLabel(axis.labelText, **self._label_style())
        self.plot_item.showGrid(x=True, y=True, alpha=0.25)
        self.marker.setPen(pg.mkPen(self._foreground, width=1, style=Qt.PenStyle.DashLine))
        self.marker.setHoverPen(pg.mkPen(self._foreground, width=2))
        self.marker.label.setColor(self._foreground)
        self.marker.label.fill = pg.mkBrush(self._background)  # curves go behind its text
        self.marker.label.setFont(font)
        self._placeholder.setStyleSheet(
            f"color: {self._foreground.name()}; background: {self._background.name()};"
            " padding: 12px;"
        )
        self.legend.setFont(font)
        self.legend.set_colors(self._foreground, self._background)

    def follow_theme(self, viewer) -> None:
        """Follow the theme of a napari viewer until :meth:`release`."""
        self.release()
        self._theme_of = viewer
        self._connections.connect(viewer.events.theme, "_on_theme")
        self.set_theme(viewer.theme)

    def release(self) -> None:
        """Stop following the viewer's theme."""
        self._connections.close()
        self._theme_of = None

    @property
    def foreground(self) -> str:
        """The text colour of the theme, ``#rrggbb``."""
        return self._foreground.name()

    @property
    def background(self) -> str:
        """The background colour, ``#rrggbb``."""
        return self._background.name()

    def text_font(self) -> QFont:
        """The font of ticks, labels and legend."""
        font = QFont(self.font())
        font.setPointSizeF(self._point_size)
        return font

    def _on_theme(self, event=None) -> None:
        self.set_theme(self._theme_of.theme)
        self.theme_changed.emit()

    def _label_style(self) -> dict[str, str]:
        if not hasattr(self, "_foreground"):
            return {}
        return {"color": self._foreground.name(), "font-size": f"{self._point_size:g}pt"}

    def eventFilter(self, watched, event) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Resize:
            self._place_placeholder()
        return super().eventFilter(watched, event)

    def _place_placeholder(self) -> None:
        self._placeholder.setGeometry(self.view.rect())

    # --- export --------------------------------------------------------------------------

    def export_png(self, path: str | PathLike, scale: float = 2.0) -> None:
        """Write the plot and its whole legend as a PNG for print, black on white.

        Parameters
        ----------
        path : path-like
            File to write.
        scale : float
            Resolution: the picture is 800 × ``scale`` pixels wide.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        save_png(self, fspath(path), scale)
