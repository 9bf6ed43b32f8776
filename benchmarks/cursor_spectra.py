"""How often a second the Spectra panel follows the mouse: 1, 2 and 3 cubes of 31 x 1024 x 1024.

    QT_QPA_PLATFORM=offscreen python benchmarks/cursor_spectra.py [--pins 5] [--seconds 3]

An update lasts from the cursor's move to the plot painted: the position is set on the
viewer model, as napari does it, and the event loop runs until the plot was painted. The panel's
own limit of one update in 16 ms is taken off, so that its speed is measured and not its patience.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.spectra.panel import SpectraWidget

SHAPE = (31, 1024, 1024)


def make_viewer(cubes: int, pins: int) -> tuple[ViewerModel, SpectraWidget]:
    """A viewer model with smooth spectra that differ in every pixel, and the panel as in a dock."""
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    band = np.linspace(0, np.pi, SHAPE[0], dtype=np.float32)[:, None]
    waves = np.cos(band * np.arange(4, dtype=np.float32))
    for number in range(cubes):
        data = np.tensordot(waves, rng.random((4, *SHAPE[1:]), dtype=np.float32), axes=1)
        add_cube(viewer, Cube(data, Wavelengths.default(), "reflectance", f"cube {number + 1}"))
    panel = SpectraWidget(viewer)
    panel.resize(420, 560)
    panel.show()
    for place in rng.uniform(0, 1023, (pins, 2)):
        panel.pin((550.0, *place))
    settle(panel)
    return viewer, panel


def settle(panel: SpectraWidget) -> None:
    """Let everything that was put off happen."""
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        QApplication.processEvents()


class Paints(QObject):
    """Counts how often the plot was painted."""

    def __init__(self, panel: SpectraWidget):
        super().__init__(panel)
        self.count = 0
        panel.plot.view.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        self.count += event.type() == QEvent.Type.Paint
        return False


def updates_per_second(viewer: ViewerModel, panel: SpectraWidget, seconds: float) -> float:
    """Moves of the mouse in a second, each one waited for until its curves were painted."""
    panel.set_cursor_interval(0)
    paints = Paints(panel)
    places = np.random.default_rng(1).uniform(0, 1023, (100_000, 2))
    start = time.perf_counter()
    moves = 0
    for y, x in places:
        before = paints.count
        viewer.cursor.position = (550.0, float(y), float(x))
        while paints.count == before:
            QApplication.processEvents()
        moves += 1
        if time.perf_counter() - start > seconds:
            break
    return moves / (time.perf_counter() - start)


def main() -> None:
    """Print one line for each number of cubes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pins", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    app = QApplication.instance() or QApplication([])
    for cubes in (1, 2, 3):
        viewer, panel = make_viewer(cubes, options.pins)
        rate = updates_per_second(viewer, panel, options.seconds)
        curves = len(panel.shown)
        print(f"{cubes} cube(s), {options.pins} pins, {curves} curves: {rate:.0f} updates/s")
        panel.close()
        panel.deleteLater()
        app.processEvents()


if __name__ == "__main__":
    main()
