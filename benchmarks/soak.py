"""A long session: whether memory or the number of threads grows, and whether Qt complains.

    python benchmarks/soak.py [--runs 1000] [--openings 200] [--viewers 2] [--size 24]

In each of several viewers photographs are reconstructed again and again, layers are deleted while a run
is at work, themes are switched, and every panel is opened and closed. After a tenth of it, when caches
are full, memory is noted; from there on it may grow by 20 MB more than napari alone, which adds and clears
the same layers before, in the same process, in viewers of its own. Live objects and threads of Python are
counted too: of these none may stay. What a turn takes and the memory so far are printed every 20 turns.
The windows are shown, since vispy keeps what it has not yet drawn, and an event loop runs, since Qt
destroys nothing that was to be deleted later without one. Without a screen, run it under Xvfb.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

#: Bytes that a session may grow by, beyond what napari grows by in as many turns.
MOST_GROWTH = 20e6
#: Turns at the beginning that are not counted, at least.
WARM = 4
#: Turns between two lines of how far it is.
TURNS = 20
#: Objects of ours that may be alive after a series and were not before.
MOST_OBJECTS = 20


def memory() -> int:
    """Bytes that this process has written, without what has been freed but not given back.

    Pages of libraries are left out: they count as its own only until another process loads the same.
    """
    import ctypes

    import psutil

    gc.collect()
    if sys.platform != "linux":
        return psutil.Process().memory_full_info().uss
    with contextlib.suppress(AttributeError):  # a C library without it
        ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) * 1024


def objects() -> Counter[str]:
    """Live objects of our classes, and Qt's widgets, by their class."""
    from qtpy.QtWidgets import QWidget

    settle(0.3)  # what is to be deleted later is
    gc.collect()
    return Counter(
        f"{type(one).__module__}.{type(one).__qualname__}"
        for one in gc.get_objects()
        if isinstance(one, QWidget) or str(type(one).__module__).startswith("napari_hsr")
    )


def names_of_panels() -> list[str]:
    """What the manifest calls the panels."""
    import npe2

    manifest = npe2.PluginManifest.from_distribution("napari-hsr")
    return [widget.display_name for widget in manifest.contributions.widgets or ()]


def until(done, seconds: float = 120.0) -> None:
    """Let Qt work until something is so."""
    end = time.monotonic() + seconds
    while not done():
        settle(0.01)
        if time.monotonic() > end:
            raise SystemExit("a run has no end")


def settle(seconds: float) -> None:
    """Let Qt work for a while, in an event loop of its own: `processEvents` alone never deletes later."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def clear_and_draw(viewer) -> None:
    """Take all layers away, and wait until the canvas has drawn that they are gone.

    Of two viewers without our panels, napari 0.9.2 with vispy 0.17 crashes in ``glDrawArrays`` where a
    layer is added to one before that (``widgets/common/own_context.py`` says why).
    """
    drawn = []
    scene = viewer.window._qt_viewer.canvas._scene_canvas
    viewer.layers.clear()
    scene.events.draw.connect(drawn.append)
    scene.update()
    until(lambda: drawn)
    scene.events.draw.disconnect(drawn.append)


class Session:
    """Viewers that are worked in, a Reconstruct panel in each."""

    def __init__(self, count: int, size: int = 24):
        import napari

        self._size = size
        self.viewers = [napari.Viewer() for _ in range(count)]
        self.panels = []
        for viewer in self.viewers:
            _, panel = viewer.window.add_plugin_dock_widget("napari-hsr", "Reconstruct")
            panel.model.set_name("rootpoly-srgb")
            self.panels.append(panel)
        self._rng = np.random.default_rng(0)
        self._themes = itertools.cycle(("light", "dark"))

    def run(self, number: int) -> None:
        """One run of the panel; in every fifth the photograph is deleted meanwhile."""
        from napari_hsr import Photograph
        from napari_hsr.viewer.layers import add_photograph

        viewer, panel = (listed[number % len(listed)] for listed in (self.viewers, self.panels))
        pixels = self._rng.random((self._size, self._size, 3), dtype=np.float32)
        layer = add_photograph(viewer, Photograph(pixels, "linear-srgb"))
        until(lambda: panel.ready)
        panel.run_button.click()
        if number % 5 == 0:
            viewer.layers.remove(layer)
        until(lambda: not panel.running)
        viewer.layers.clear()
        if number % 10 == 0:
            viewer.theme = next(self._themes)

    def open(self, name: str, number: int) -> None:
        """A panel is opened, and closed; the first times it loads its libraries meanwhile."""
        viewer = self.viewers[number % len(self.viewers)]
        dock, _ = viewer.window.add_plugin_dock_widget("napari-hsr", name)
        settle(1.5 if number < WARM else 0.02)
        viewer.window.remove_dock_widget(dock)
        settle(0.02)

    def close(self) -> None:
        for viewer in self.viewers:
            viewer.close()


class Alone(Session):
    """The layers that runs add, and nothing else of ours."""

    def __init__(self, count: int, size: int = 24):
        import napari

        self._size = size
        self.viewers = [napari.Viewer() for _ in range(count)]
        self._rng = np.random.default_rng(0)
        self._themes = itertools.cycle(("light", "dark"))

    def run(self, number: int) -> None:
        viewer = self.viewers[number % len(self.viewers)]
        photograph = viewer.add_image(self._rng.random((self._size, self._size, 3)), rgb=True)
        settle(0.05)
        if number % 5 == 0:
            viewer.layers.remove(photograph)
        cube = self._rng.random((31, self._size, self._size), dtype=np.float32)
        viewer.add_image(cube, scale=(10, 1, 1), translate=(400, 0, 0))
        settle(0.05)
        clear_and_draw(viewer)
        if number % 10 == 0:
            viewer.theme = next(self._themes)


def grown(name: str, work, count: int, alone: float = 0.0) -> tuple[float, bool]:
    """What the process grows by in a turn, and whether it keeps more than it may; says what it keeps.

    From the first tenth to the end; ``alone`` is what it grows by in a turn without us.
    """
    first = max(WARM, count // 10)
    for number in range(first):
        work(number)
    alive, before = objects(), memory()
    began = time.monotonic()
    for number in range(first, count):
        work(number)
        if (number + 1) % TURNS == 0:
            took = (time.monotonic() - began) / (number + 1 - first)
            growth = (memory() - before) / 1e6
            print(
                f"  {name}: {number + 1} of {count}, {took:.2f} s each, {growth:+.1f} MB",
                flush=True,
            )
    growth, kept = memory() - before, objects()
    more = kept.total() - alive.total()
    allowed = MOST_GROWTH + max(alone, 0.0) * (count - first)
    fault = growth > allowed or more > MOST_OBJECTS
    threads = threading.active_count()
    print(
        f"{name}: {growth / 1e6:+.1f} MB of {allowed / 1e6:.1f}, {more:+d} objects, {threads} threads"
        f"{'  TOO MUCH' * fault}",
        flush=True,
    )
    for kind, number in (kept - alive).most_common(8):
        print(f"    {number:+d} {kind}", flush=True)
    return growth / max(count - first, 1), fault


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--openings", type=int, default=200)
    parser.add_argument("--viewers", type=int, default=2)
    parser.add_argument("--size", type=int, default=24, help="of the photographs, in pixels")
    parser.add_argument("--panels", nargs="*", help="these alone")
    args = parser.parse_args()
    from qtpy.QtCore import qInstallMessageHandler

    said: Counter[str] = Counter()
    qInstallMessageHandler(lambda kind, context, text: said.update([text]))
    faults = 0
    with warnings.catch_warnings(record=True) as caught:
        control = Alone(args.viewers, args.size)
        alone, _ = grown("napari alone", control.run, args.runs)
        control.close()
        session = Session(args.viewers, args.size)
        session.run(0)
        threads = threading.active_count()
        faults += grown("runs", session.run, args.runs, alone)[1]
        for name in args.panels if args.panels is not None else names_of_panels():
            faults += grown(
                f"opening {name}",
                lambda n, name=name: session.open(name, n),
                args.openings,
                alone,
            )[1]
        left = threading.active_count() - threads
        session.close()
    for text, count in (said + Counter(str(w.message) for w in caught)).items():
        print(f"{count} x {text}")
    print(f"{left:+d} threads, {said.total()} messages of Qt, {len(caught)} warnings")
    return int(bool(faults or left > 0 or said))


if __name__ == "__main__":
    sys.exit(main())
