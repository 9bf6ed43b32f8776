"""A plot as a picture for print: on white, with large axes and the whole legend."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QBuffer, QIODevice, Qt
from qtpy.QtGui import QColor, QImage

from napari_hsr.io.atomic import replacing
from napari_hsr.widgets.plotting.curves import BANDS
from napari_hsr.widgets.plotting.legend import legend_item

if TYPE_CHECKING:
    from napari_hsr.widgets.plotting.curves import PlotCurve

#: Width of the picture and least height of its axes, before scaling; the size of the panel
#: does not matter.
WIDTH, AXES_HEIGHT = 800, 480
#: Least share of the height for the axes: a long legend makes them higher too.
AXES_SHARE = 0.6
_EDGE = 10
#: Width of the lines; pens do not scale with the picture.
_LINE = 1.5
_PAPER, _INK, _GRID = QColor("#ffffff"), QColor("#000000"), QColor("#8a8a8a")
#: Curves lighter than this (HSL) are darkened to it: yellow and white would be lost on paper.
_LIGHTEST = 0.62


def save_png(plot, path: str, scale: float = 2.0) -> None:
    """Write ``plot`` (a :class:`~napari_hsr.widgets.plotting.plot.SpectrumPlot`) as a PNG.

    Curves, axis limits and marker are those on the screen. Background and text are black on
    white, and the whole legend stands below the axes; names wider than the picture lose their
    middle.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    _picture(plot, scale).save(buffer, "PNG")
    with replacing(Path(os.path.expanduser(path))) as temporary:
        temporary.write_bytes(buffer.data().data())


def _picture(plot, scale: float) -> QImage:
    from pyqtgraph.exporters import ImageExporter

    line = _LINE * scale
    sheet = _on_paper(plot, line)
    entries, layout = sheet.legend.entries, sheet.view.ci.layout
    axes, legend_height = AXES_HEIGHT, 0
    if entries:
        legend = legend_item(entries, WIDTH - 2 * _EDGE, sheet.text_font(), _INK, line)
        legend.setFlag(legend.GraphicsItemFlag.ItemIgnoresTransformations, False)
        legend_height = round(legend.layout.effectiveSizeHint(Qt.SizeHint.MinimumSize).height())
        axes = max(axes, round((legend_height + _EDGE) * AXES_SHARE / (1 - AXES_SHARE)))
        sheet.view.addItem(legend, row=1, col=0)
        layout.setContentsMargins(_EDGE, 0, _EDGE, _EDGE)
        layout.setRowFixedHeight(0, axes)
        layout.setColumnAlignment(0, Qt.AlignmentFlag.AlignLeft)
    view = sheet.view
    view.setParent(None)
    view.resize(WIDTH, axes + legend_height + (_EDGE if entries else 0))
    view.grab()  # a view that is not on a screen is laid out only when it is drawn
    exporter = ImageExporter(view.scene())
    exporter.parameters()["width"] = round(WIDTH * scale)
    exporter.parameters()["background"] = _PAPER
    image = exporter.export(toBytes=True)
    for widget in (view, sheet):
        widget.deleteLater()
    return image


def _on_paper(plot, line: float):
    """A second plot that shows the same in the colours of paper; never on a screen."""
    sheet = type(plot)()
    sheet.set_colors(_PAPER, _INK, _GRID)
    sheet.set_labels(*plot.labels)
    curves = [_printable(curve, plot.foreground, line) for curve in plot.curves]
    named = [(curve.name, curve.color, curve.style) for curve in curves if curve.name]
    bands = [(n, _INK.name(), style) for n, _, style in plot.legend.entries if style in BANDS]
    sheet.set_curves(curves, [*named, *bands])
    sheet.set_limits(plot.limits)
    sheet.set_marker(plot.marker_value(), plot.marker_unit)
    return sheet


def _printable(curve: PlotCurve, text_color: str, line: float) -> PlotCurve:
    """The curve in a colour visible on white: the colour of text becomes black."""
    color = QColor(curve.color)
    hue, saturation, lightness, _ = color.getHslF()
    if color == QColor(text_color):
        color = _INK
    elif lightness > _LIGHTEST:
        color = QColor.fromHslF(max(hue, 0.0), saturation, _LIGHTEST)
    # Live: drawn anew, since a cached picture would have the resolution of the screen.
    return replace(curve, color=color.name(), width=line, live=True)
