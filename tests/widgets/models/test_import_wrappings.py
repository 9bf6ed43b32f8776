"""From a published file to a cube in the viewer: imported in the panel, chosen, and run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_hsr.models import load_model
from napari_hsr.models.state_dict import read_weights
from napari_hsr.models.user_models import file_of
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.models.card_view import CardView

from ...small_zoo import architecture_of, save, weights_of


@pytest.fixture
def panel(qtbot):
    viewer = ViewerModel()
    values = np.random.default_rng(0).integers(5, 250, (12, 10, 3), dtype=np.uint8)
    viewer.add_image(values, name="photo", rgb=True)
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.viewer = viewer
    return panel


def drop(panel, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for kind, at in ((QDragEnterEvent, QPoint(9, 9)), (QDropEvent, QPointF(9, 9))):
        event = kind(at, Qt.DropAction.CopyAction, data, buttons, keys)
        QApplication.sendEvent(panel, event)
        assert event.isAccepted()


def choose(panel, path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    panel.models.import_button.click()
    panel.models.dialog.file_button.click()


@pytest.mark.parametrize(
    ("network", "wrapping", "dropped"),
    [
        ("drcr", "positional", True),
        ("mstpp", "state_dict, module", False),
        ("mxrunet_shallow", "float16", True),
        ("restormer", "safetensors", False),
    ],
)
def test_a_published_file_becomes_a_cube(
    panel, qtbot, tmp_path, monkeypatch, network, wrapping, dropped
):
    weights = weights_of(network)
    path = save(weights, wrapping, tmp_path)
    drop(panel, path) if dropped else choose(panel, path, monkeypatch)
    dialog = panel.models.dialog
    qtbot.waitUntil(lambda: not dialog.busy)
    assert dialog.checkpoint.architecture == architecture_of(network)
    dialog.form.name.setText("mine")
    with qtbot.waitSignal(dialog.imported):
        dialog.import_button.click()
    assert panel.model.name() == "mine"
    stored = read_weights(file_of("mine"))
    assert all(torch.equal(stored[key], value) for key, value in weights.items())
    qtbot.waitUntil(lambda: panel.ready)
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running)
    layer = panel.viewer.layers[-1]
    assert (layer.name, layer.data.shape) == ("photo · mine", (31, 12, 10))
    assert np.isfinite(layer.data).all()
    assert np.ptp(layer.data) > 0


def test_what_is_assumed_of_an_imported_model_is_in_sight(panel, qtbot, tmp_path):
    from napari_hsr.models import import_checkpoint
    from napari_hsr.models.model_list import listings

    path = save(weights_of("mxrunet_shallow"), "model", tmp_path)
    import_checkpoint(path, "mine", wavelengths=range(400, 701, 10))
    view = CardView()
    qtbot.addWidget(view)
    view.show_listing(next(listing for listing in listings() if listing.name == "mine"))
    said = view.caution.text()
    assert "input encoding, linear sRGB, is an assumption" in said
    assert "statistics of its input rule are an assumption" in said
    assert "wavelengths, 400" not in said
    view.show_listing(listings()[0])
    assert "assumption" not in view.caution.text()
    assert load_model("mine").rule.of == "ntire2020-clean"
