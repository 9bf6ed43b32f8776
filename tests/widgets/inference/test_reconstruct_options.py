"""What the Reconstruct panel offers under "Advanced", for each kind of network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel

from napari_hsr import inference
from napari_hsr.inference import devices, precision, subpixel_grid
from napari_hsr.inference import ensembles as passes
from napari_hsr.models import import_checkpoint, load_model, user_models
from napari_hsr.models.architectures import drcr, inr, mstpp
from napari_hsr.models.card import PrecisionError
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.inference import computing_options
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

NETS = {
    "mstpp": lambda: mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)),
    "drcr": lambda: drcr.DRCR(width=16, blocks=1, hidden=4),
    "inr": lambda: inr.INR(inr.Layout(3, (4, 6, 8, 8, 12), 2, inr.HIDDEN, 31)),
}


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    values = np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)
    viewer.add_image(values, rgb=True, name="wall")
    return viewer


@pytest.fixture
def panel(viewer, qtbot, tmp_path):
    for name, build in NETS.items():
        torch.manual_seed(0)
        torch.save(build().state_dict(), tmp_path / f"{name}.pth")
        import_checkpoint(tmp_path / f"{name}.pth", name)
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    return panel


def settle(panel, qtbot) -> None:
    qtbot.waitUntil(
        lambda: not panel._settle.isActive() and not panel._check.running and panel._obstacle != "",
    )


def choose(panel, qtbot, name: str):
    panel.model.set_name(name)
    settle(panel, qtbot)
    return panel.advanced


def run(panel, qtbot) -> None:
    assert panel.ready, panel.obstacle.text()
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running)
    assert panel.outcome.kind == "info", panel.outcome.text()


def texts(chooser) -> list[str]:
    return [chooser.itemText(row) for row in range(chooser.count())]


def test_there_is_a_label_for_all_that_a_run_takes():
    assert tuple(computing_options.ENSEMBLES) == tuple(passes.ENSEMBLES)
    assert tuple(computing_options.GRIDS) == subpixel_grid.GRIDS
    assert tuple(computing_options.PRECISIONS) == devices.PRECISIONS


def test_each_network_offers_what_it_has(panel, qtbot):
    for name, ensembles, grids in (
        ("rootpoly-srgb", 1, 1),
        ("mstpp", 3, 1),
        ("drcr", 4, 1),
        ("inr", 3, 3),
    ):
        options = choose(panel, qtbot, name)
        assert (options.ensemble_chooser.count(), options.grid_chooser.count()) == (
            ensembles,
            grids,
        )
        for chooser in (options.ensemble_chooser, options.grid_chooser):
            label = options._form.labelForField(chooser)
            assert chooser.isHidden() == label.isHidden() == (chooser.count() == 1)
        assert options.grid_note.isHidden()
    assert panel.findChildren(NarrowComboBox)
    assert options.parentWidget().button.text() == "▸ Advanced"  # all of it is folded away


def test_strips_of_drcr_net_and_of_no_other(panel, viewer, qtbot):
    options = choose(panel, qtbot, "drcr")
    options.ensemble_chooser.setCurrentIndex(3)
    settle(panel, qtbot)
    run(panel, qtbot)
    photo = viewer.layers["wall"].data
    expected = inference.reconstruct(
        photo, load_model("drcr"), encoding="srgb", ensemble="strips"
    ).data
    np.testing.assert_array_equal(panel.last_cube.data, expected)
    assert any("Two strips" in step for step in panel.last_cube.provenance.steps)
    assert choose(panel, qtbot, "mstpp").options()["ensemble"] == "single"
    assert panel.ready
    assert choose(panel, qtbot, "drcr").options()["ensemble"] == "strips"


def test_a_finer_grid_is_estimated_run_and_said_to_be_untrained(panel, viewer, qtbot):
    options = choose(panel, qtbot, "inr")
    options.grid_chooser.setCurrentIndex(1)
    settle(panel, qtbot)
    assert not options.grid_note.isHidden()
    assert "never trained" in options.grid_note.text()
    takes = inference.estimate((12, 17), load_model("inr"), finer=2)
    assert panel.estimate.text() == takes.words()
    run(panel, qtbot)
    cube = viewer.layers[-1]
    assert cube.data.shape == (31, 24, 34)
    np.testing.assert_allclose(cube.scale, (10, 0.5, 0.5))
    assert "never trained for that" in panel.notices.text()
    options = choose(panel, qtbot, "mstpp")
    assert (options.options()["finer"], options.grid_note.isHidden()) == (1, True)
    run(panel, qtbot)
    assert viewer.layers[-1].data.shape == (31, 12, 17)


def test_the_card_has_source_and_error_and_auto_goes_by_it(panel, qtbot, monkeypatch):
    from napari_hsr.widgets.common.models_changed import models_changed

    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: True)
    choose(panel, qtbot, "mstpp")
    assert "Source:" in panel.card.whole.text()
    assert "Error in" not in panel.card.whole.text()
    run(panel, qtbot)
    assert "Computed in float32" in panel.notices.text()
    assert panel.notices.kind == "info"  # nothing to be warned of
    error = PrecisionError(psnr_db=51.0, max_abs=0.01, measured_on="leaf")
    sha256 = load_model("mstpp").weights_sha256
    user_models.add_precision_errors("mstpp", {"bfloat16": error}, sha256)
    models_changed()
    settle(panel, qtbot)
    assert "Error in bfloat16:</b> PSNR 51.0 dB" in panel.card.whole.text()
    run(panel, qtbot)
    assert "Computed in bfloat16: PSNR 51.0 dB" in panel.notices.text()


def test_nothing_is_clipped(panel, qtbot):
    options = choose(panel, qtbot, "inr")
    options.grid_chooser.setCurrentIndex(1)
    panel.resize(300, 1400)
    panel.show()
    options.parentWidget().set_open(True)
    settle(panel, qtbot)
    qtbot.wait(100)
    labels = [label for label in options.findChildren(QLabel) if label.isVisible()]
    assert {"Ensemble", "Grid of the cube"} <= {label.text() for label in labels}
    for part in (*labels, *options.findChildren(NarrowComboBox)):
        assert part.isVisible()
        assert part.geometry().right() <= part.parentWidget().width()
        if isinstance(part, QLabel) and part.wordWrap():
            assert part.height() >= part.heightForWidth(part.width()), part.text()
