"""A plot as a picture file, with all of its legend."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QBuffer, QIODevice, QRectF, Qt
from qtpy.QtGui import QColor, QFontMetrics, QImage, QPainter

from napari_hsr.io.atomic import replacing
from napari_hsr.widgets.plot_legend import draw_swatch, legend_rows

_EDGE = 8.0


def save_png(plot, path: str, scale: float = 2.0) -> None:
    """Write ``plot`` (a :class:`~napari_hsr.widgets.plot.SpectrumPlot`) as a PNG at ``path``.

    The legend is laid out anew below the axes, so that no entry is hidden in a scrolled part.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    data = _png_bytes(_picture(plot, scale))
    with replacing(Path(path).expanduser()) as temporary:
        temporary.write_bytes(data)


def _picture(plot, scale: float) -> QImage:
    view = plot.view
    width, height = float(view.width()), float(view.height())
    font = plot.text_font()
    metrics = QFontMetrics(font)
    rows = legend_rows(plot.legend.entries, metrics, width - 2 * _EDGE)
    legend_height = rows[-1][-1][1].bottom() + 2 * _EDGE if rows[-1] else 0.0
    image = QImage(
        round(width * scale), round((height + legend_height) * scale), QImage.Format.Format_RGB32
    )
    image.fill(QColor(plot.background))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    view.render(painter, QRectF(0, 0, width, height), view.rect())
    painter.setFont(font)
    for entry, box in (pair for row in rows for pair in row):
        box = box.translated(_EDGE, height + _EDGE)
        draw_swatch(painter, entry, QRectF(box.left(), box.top(), 28, box.height()))
        painter.setPen(QColor(plot.foreground))
        painter.drawText(
            box.adjusted(34, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter.value), entry[0]
        )
    painter.end()
    return image


def _png_bytes(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data())
