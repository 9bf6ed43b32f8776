"""A plot as a picture for print: on white, axes of a good size, and all of the legend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QBuffer, QIODevice, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QFontMetrics, QImage, QPainter

from napari_hsr.io.atomic import replacing
from napari_hsr.widgets.plotting.legend import draw_swatch, legend_rows

if TYPE_CHECKING:
    from napari_hsr.widgets.plotting.curves import PlotCurve

#: Width of the picture and least height of its axes, before the scale; the panel's own size
#: does not matter.
WIDTH, AXES_HEIGHT = 800, 480
#: A long legend makes the axes higher too, so that they keep the larger part.
AXES_SHARE = 0.6
_EDGE = 10.0
_SWATCH, _GAP = 28, 6
#: Width of the lines; pens do not follow the scale of a picture by themselves.
_LINE = 1.5
_PAPER, _INK, _GRID = QColor("#ffffff"), QColor("#000000"), QColor("#8a8a8a")
#: Curves lighter than this (HSL) are darkened to it: yellow and white would be lost on paper.
_LIGHTEST = 0.62


def save_png(plot, path: str, scale: float = 2.0) -> None:
    """Write ``plot`` (a :class:`~napari_hsr.widgets.plotting.plot.SpectrumPlot`) as a PNG at ``path``.

    Curves, axis limits and marker are those on the screen. Ground and text are those of paper,
    and the legend is laid out below the axes with every entry; names that are wider than the
    picture are shortened in the middle.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    data = _png_bytes(_picture(plot, scale))
    with replacing(Path(path).expanduser()) as temporary:
        temporary.write_bytes(data)


def _picture(plot, scale: float) -> QImage:
    line = _LINE * scale
    sheet = _on_paper(plot, line)
    metrics = QFontMetrics(sheet.text_font())
    rows = legend_rows(sheet.legend.entries, metrics, WIDTH - 2 * _EDGE)
    legend_height = rows[-1][-1][1].bottom() + _EDGE if rows[-1] else 0.0
    axes_height = max(AXES_HEIGHT, round(legend_height * AXES_SHARE / (1 - AXES_SHARE)))
    image = QImage(
        round(WIDTH * scale),
        round((axes_height + legend_height) * scale),
        QImage.Format.Format_RGB32,
    )
    image.setDevicePixelRatio(scale)
    image.fill(_PAPER)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    view = sheet.view
    sheet.resize(WIDTH, axes_height)
    sheet.grab()  # what is not on a screen is laid out only when it is drawn
    view.render(painter, QRectF(0, 0, WIDTH, axes_height), QRect(0, 0, view.width(), view.height()))
    painter.setFont(sheet.text_font())
    for entry, box in (pair for row in rows for pair in row):
        box = box.translated(_EDGE, axes_height)
        draw_swatch(painter, entry, QRectF(box.left(), box.top(), _SWATCH, box.height()), line)
        painter.setPen(_INK)
        place = box.adjusted(_SWATCH + _GAP, 0, 0, 0)
        text = metrics.elidedText(entry[0], Qt.TextElideMode.ElideMiddle, int(place.width()))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter.value), text)
    painter.end()
    sheet.deleteLater()
    return image


def _on_paper(plot, line: float):
    """A second plot that shows the same in the colours of paper; never on a screen."""
    sheet = type(plot)()
    sheet.set_colors(_PAPER, _INK, _GRID)
    sheet.set_labels(*plot.labels)
    sheet.set_curves([_printable(curve, plot.foreground, line) for curve in plot.curves])
    sheet.set_limits(plot.limits)
    for part in (sheet.legend, sheet.reset_button):
        part.hide()  # the axes have all of the sheet
    sheet.set_marker(plot.marker_value(), plot.marker_unit)
    return sheet


def _printable(curve: PlotCurve, text_color: str, line: float) -> PlotCurve:
    """The curve in a colour that is seen on white: the colour of text becomes black."""
    color = QColor(curve.color)
    hue, saturation, lightness, _ = color.getHslF()
    if color == QColor(text_color):
        color = _INK
    elif lightness > _LIGHTEST:
        color = QColor.fromHslF(max(hue, 0.0), saturation, _LIGHTEST)
    # Drawn once and scaled: a picture that is kept would be one of the screen's resolution.
    return replace(curve, color=color.name(), width=line, live=True)


def _png_bytes(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data())
