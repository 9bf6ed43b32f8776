"""CPU time of a move of the mouse over three cubes of 31 x 512 x 512: napari alone, and with Spectra.

    python benchmarks/hover.py [--moves 60] [--pins 5]

Real mouse events in a window on show; the event loop runs for 50 ms after each, longer than the panel
waits. CPU milliseconds a move of all threads, the median of the moves. Without a screen, run it under
Xvfb: ``python -m napari_hsr.cli.display python benchmarks/hover.py``.
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QPoint, QTimer
from qtpy.QtTest import QTest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.viewer.layers import add_cube

SHAPE = (31, 512, 512)
#: Seconds of the event loop after a move.
WAIT = 0.05


def settle(seconds: float) -> None:
    """Let Qt work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def milliseconds(viewer: napari.Viewer, moves: int) -> float:
    """CPU time of a move, the median, over the middle of the cubes."""
    canvas = viewer.window._qt_viewer.canvas.native
    width, height = canvas.width(), canvas.height()
    rng = np.random.default_rng(1)
    found = []
    for x, y in rng.uniform(0.35, 0.65, (moves, 2)):
        start = time.process_time()
        QTest.mouseMove(canvas, QPoint(int(x * width), int(y * height)))
        settle(WAIT)
        found.append(time.process_time() - start)
    return 1e3 * float(np.median(found))


def main() -> None:
    """Print napari's own time, and that with the panel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--pins", type=int, default=5)
    args = parser.parse_args()
    viewer = napari.Viewer()
    rng = np.random.default_rng(0)
    for number in range(3):
        data = rng.random(SHAPE, dtype=np.float32)
        add_cube(viewer, Cube(data, Wavelengths.default(), "reflectance", f"cube {number + 1}"))
    settle(1.0)
    alone = milliseconds(viewer, args.moves)
    _, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Spectra")
    settle(1.0)
    bare = milliseconds(viewer, args.moves)
    for place in rng.uniform(0, 511, (args.pins, 2)):
        panel.pin((550.0, *place))
    settle(1.0)
    pinned = milliseconds(viewer, args.moves)
    print(f"napari alone {alone:.1f} ms, with Spectra {bare:.1f} ms ({bare - alone:+.1f})")
    print(
        f"with {args.pins} pins, {len(panel.shown)} curves {pinned:.1f} ms ({pinned - alone:+.1f})"
    )
    viewer.close()


if __name__ == "__main__":
    main()
