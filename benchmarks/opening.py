"""How long a panel takes to open, and how soon a photograph is a cube on the screen.

    python benchmarks/opening.py [--panels Reconstruct …] [--models mstpp-photo …]

Every line is a process of its own with napari's window on show and two cubes in it, as the first
opening costs most. A panel has opened once it was painted. CPU seconds of the thread that draws, which
do not depend on what else the computer does; and whether PyTorch was loaded by then.

Behind it, from the start of the process: napari's window, the sample photograph, the panel, the click on
Run, and the cube painted; CPU seconds of all threads, with as many threads as PyTorch takes. Without a
screen, run it under Xvfb: ``python -m napari_hsr.cli.display python benchmarks/opening.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

#: Panels of the manifest that have a control for every purpose.
PANELS = (
    *("Reconstruct", "Super-resolve", "Wavelength", "Spectra", "Measurements", "Compare", "Maps"),
    *("Train", "Set wavelengths…", "Contents of a file…", "Calibrate…"),
)
MODELS = ("instant-photo", "mstpp-photo")


def wait(done: Any, seconds: float = 120.0) -> None:
    """Let Qt work until something is so."""
    from qtpy.QtCore import QEventLoop

    loop, end = QEventLoop(), time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise SystemExit("it has no end")
        loop.processEvents()
        time.sleep(0.001)


def painted(widget: Any) -> Any:
    """A function that says whether a widget was painted since: the times of then, and if PyTorch was there.

    On a busy computer one round of the event loop paints the panel and begins what waits for that.
    """
    from qtpy.QtCore import QEvent, QObject

    class Watch(QObject):
        seen: tuple[float, float, bool] | None = None

        def eventFilter(self, _watched: Any, event: QEvent) -> bool:  # noqa: N802 - Qt's name
            if self.seen is None and event.type() == QEvent.Type.Paint:
                self.seen = time.thread_time(), time.process_time(), "torch" in sys.modules
            return False

    watch = Watch(widget)
    widget.installEventFilter(watch)
    return lambda: watch.seen


def settle(seconds: float) -> None:
    """Let Qt work for a while."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def open_panel(name: str) -> None:
    """Print what opening one panel takes."""
    import napari
    import numpy as np

    from napari_hsr.cube import Cube, Wavelengths
    from napari_hsr.viewer.layers import add_cube

    viewer = napari.Viewer()
    rng = np.random.default_rng(0)
    for number in range(2):
        data = rng.random((31, 128, 128), dtype=np.float32)
        add_cube(viewer, Cube(data, Wavelengths.default(), "reflectance", f"cube {number}"))
    settle(1.0)
    own, all_threads = time.thread_time(), time.process_time()
    _, panel = viewer.window.add_plugin_dock_widget("napari-hsr", name)
    seen = painted(panel)
    wait(seen)
    thread, process, torch = seen()
    print(
        f"{name}: {thread - own:.2f} s, all threads {process - all_threads:.2f} s, "
        f"{'with' if torch else 'without'} PyTorch",
        flush=True,
    )
    viewer.close()


def first_picture(model: str) -> None:
    """Print what the way from a process's start to the first cube takes."""
    began = time.monotonic()
    import napari

    viewer = napari.Viewer()
    settle(0.1)
    window = time.process_time()
    viewer.open_sample("napari-hsr", "photograph")
    _, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Reconstruct")
    panel.model.set_name(model)
    wait(lambda: panel.ready)
    ready, layers = time.process_time(), len(viewer.layers)
    panel.run_button.click()
    wait(lambda: len(viewer.layers) > layers)
    wait(painted(viewer.window._qt_viewer.canvas.native))
    done = time.process_time()
    shape = viewer.layers[0].data.shape[:2]
    print(
        f"{shape[0]} x {shape[1]} by {model}: window after {window:.1f} s, Run can be clicked after "
        f"{ready:.1f} s, cube painted after {done:.1f} s ({time.monotonic() - began:.1f} s by the clock)",
        flush=True,
    )
    viewer.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--panels", nargs="*", default=PANELS)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        {"panel": open_panel, "model": first_picture}[args.one[0]](args.one[1])
        return 0
    jobs = [("panel", name) for name in args.panels] + [("model", name) for name in args.models]
    codes = [subprocess.run([sys.executable, __file__, "--one", *job]).returncode for job in jobs]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
