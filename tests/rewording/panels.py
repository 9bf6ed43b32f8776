"""What the panels do when they are driven: what can be used, what is told, which layers come."""

from __future__ import annotations

import json
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).resolve().parent.parent / "contract" / "samples"
#: Seconds without work after which a panel has made up its mind, and the most that it may take.
QUIET, PATIENCE = 0.1, 300.0


def settle(panel) -> None:
    """Wait until no work goes on, and what the panel put off is done."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    began = last = time.monotonic()
    rounds = 0  # on a busy machine a moment may pass in which nothing was carried out
    while time.monotonic() - last < QUIET or rounds < 10:
        QApplication.processEvents()
        time.sleep(0.005)
        rounds += 1
        working = any(one.name.startswith("napari-hsr") for one in threading.enumerate())
        if working or any(timer.isActive() for timer in panel.findChildren(QTimer)):
            last, rounds = time.monotonic(), 0
        assert time.monotonic() - began < PATIENCE


def seen(panel, viewer) -> dict:
    """The state of a panel and of the viewer, without any text."""
    from qtpy.QtWidgets import QAbstractButton, QComboBox, QProgressBar

    from napari_hsr.widgets.common.accessible import controls
    from napari_hsr.widgets.common.messages import Message

    settle(panel)
    parts = []
    for control in controls(panel):
        facts = [type(control).__name__, control.isEnabled(), control.isHidden()]
        if isinstance(control, QAbstractButton):
            facts.append(control.isChecked())
        if isinstance(control, QComboBox):
            facts += [control.count(), control.currentIndex()]
        parts.append(facts)
    layers = [
        [
            type(layer).__name__,
            list(getattr(layer.data, "shape", ())),
            layer.visible,
            sorted(layer.metadata),
        ]
        for layer in viewer.layers
    ]
    said = [message.kind for message in panel.findChildren(Message)]
    bars = [bar.isHidden() for bar in panel.findChildren(QProgressBar)]
    return {"controls": parts, "messages": said, "bars": bars, "layers": layers}


def scene() -> object:
    """A viewer with a photograph, a truth, a prediction, and a cube without wavelengths."""
    from napari.components import ViewerModel

    from napari_hsr.cube import Cube, Wavelengths
    from napari_hsr.photograph import Photograph
    from napari_hsr.viewer.layers import add_cube, add_photograph

    rng = np.random.default_rng(0)
    viewer = ViewerModel()
    pixels = rng.integers(1, 250, (12, 16, 3), dtype=np.uint8)
    add_photograph(viewer, Photograph(pixels, "srgb", name="photo"))
    truth = 0.1 + 0.8 * rng.random((31, 12, 16), dtype=np.float32)
    nm = Wavelengths(np.arange(400.0, 701.0, 10.0))
    add_cube(viewer, Cube(truth, None, name="bare"))
    add_cube(viewer, Cube(truth, nm, "reflectance", name="truth"))
    add_cube(viewer, Cube(0.98 * truth, nm, "reflectance", name="guess"))
    return viewer


def reconstruct(panel, viewer) -> Iterator[object]:
    panel.model.set_name("rootpoly-srgb")
    yield None
    panel.run()
    yield None
    panel.encoding.show_encoding(None)
    viewer.layers.remove("photo")
    yield None


def super_resolve(panel, viewer) -> Iterator[object]:
    panel.model.set_name("bicubic-matlab")
    yield None
    panel.run()
    yield None


def compare(panel, viewer) -> Iterator[object]:
    panel.form.prediction.set_layer(viewer.layers["guess"])
    panel.form.truth.set_layer(viewer.layers["truth"])
    yield None
    panel.run()
    settle(panel)
    values = panel.comparison.evaluation.values
    yield {name: round(value, 6) for name, value in values.items()}
    panel.form.prediction.set_layer(viewer.layers["truth"])  # twice the same
    yield None
    panel.form.prediction.set_layer(viewer.layers["bare"])
    yield None


def maps(panel, viewer) -> Iterator[object]:
    for formula in ("b650 +", "ndvi", "b651 - b550"):
        panel.index.what.setText(formula)
        yield None
    panel.run()
    yield None
    panel.tabs.setCurrentIndex(1)
    panel.run()
    yield None


def spectra(panel, viewer) -> Iterator[object]:
    panel.pin((3.0, 4.0))
    viewer.add_shapes([[[1, 1], [1, 5], [5, 5], [5, 1]]], shape_type="polygon")
    settle(panel)
    yield len(panel.kept)
    viewer.layers["guess"].visible = viewer.layers["truth"].visible = False
    yield len(panel.kept)


def train(panel, viewer) -> Iterator[object]:
    panel.setup.model.set_name("rootpoly-srgb")
    yield bool(panel.setup.obstacle())
    panel.setup.data.set_folder(SAMPLES / "pairs")
    settle(panel)
    found = panel.setup.findings
    yield [len(found.train), len(found.held_out), [bool(row.problem) for row in found.rows]]
    panel.setup.name.setText("no name at all")
    panel.setup.name.textEdited.emit("no name at all")
    yield bool(panel.setup.obstacle())


def only_shown(panel, viewer) -> Iterator[object]:
    """Shown, and shown once its layer is gone; the next of these finds the layer there again."""
    guess = viewer.layers.pop("guess")
    yield None
    viewer.layers.append(guess)


def panels() -> dict:
    """The panels, and how each is driven."""
    from napari_hsr.widgets.compare.panel import CompareWidget
    from napari_hsr.widgets.files.calibrate import CalibrateWidget
    from napari_hsr.widgets.files.contents import FileContentsWidget
    from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
    from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget
    from napari_hsr.widgets.maps.panel import MapsWidget
    from napari_hsr.widgets.measurements.panel import MeasurementsWidget
    from napari_hsr.widgets.spectra.panel import SpectraWidget
    from napari_hsr.widgets.train.panel import TrainWidget
    from napari_hsr.widgets.wavelength.panel import WavelengthWidget
    from napari_hsr.widgets.wavelength.set_wavelengths import SetWavelengthsWidget

    return {
        ReconstructWidget: reconstruct,
        SuperResolveWidget: super_resolve,
        CompareWidget: compare,
        MapsWidget: maps,
        SpectraWidget: spectra,
        TrainWidget: train,
        WavelengthWidget: only_shown,
        MeasurementsWidget: only_shown,
        SetWavelengthsWidget: only_shown,
        CalibrateWidget: only_shown,
        FileContentsWidget: only_shown,
    }


def main() -> None:
    """Print all of it."""
    from qtpy.QtWidgets import QApplication

    from napari_hsr.widgets.common import choosers

    choosers.DRAWN_MS = 0  # nobody waits for the panels to be drawn
    application = QApplication.instance() or QApplication(sys.argv[:1])
    found: dict = {}
    untouched = scene()
    for kind, drive in panels().items():
        viewer = untouched if drive is only_shown else scene()
        panel = kind(viewer)
        found[kind.__name__] = seen(panel, viewer)
        for step, extra in enumerate(drive(panel, viewer), 1):
            found[f"{kind.__name__} {step}"] = {**seen(panel, viewer), "extra": extra}
        panel.deleteLater()
        application.processEvents()
    print(json.dumps(found, sort_keys=True))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
