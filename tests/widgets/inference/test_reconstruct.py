"""The Reconstruct panel: explains before it runs, runs beside the viewer, loses nothing."""

from __future__ import annotations

import json
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtWidgets import QLabel

from napari_hsr import Cube, Wavelengths, inference
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.models.card import ILL_POSED
from napari_hsr.progress import Progress
from napari_hsr.viewer.layers import add_cube, set_encoding
from napari_hsr.viewer.rendering import add_false_colour
from napari_hsr.widgets.common import choosers
from napari_hsr.widgets.inference import run_panel
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

from ...patience import PATIENCE
from .panel_runs import run, settle


def job_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("napari-hsr")]


def assert_soon_no_threads():
    """Work that is no longer wanted ends by itself (importing torch takes its time)."""
    for thread in job_threads():
        thread.join(PATIENCE)
    assert not job_threads()


@pytest.fixture(autouse=True)
def _nothing_left_running():
    yield
    assert_soon_no_threads()


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    """With a model that takes no time, whichever comes first in the list."""
    panel = ReconstructWidget(PublicOnlyProxy(viewer))
    panel.model.set_name("rootpoly-srgb")
    qtbot.addWidget(panel)
    return panel


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)


@pytest.fixture
def slow(monkeypatch):
    """Reconstruction that goes on until it is cancelled or released."""
    state = SimpleNamespace(tiles=0, release=threading.Event(), real=inference.reconstruct_events)

    def events(image, model, *, cancel, **options):
        while not state.release.is_set():
            if cancel.is_set():
                raise Cancelled
            time.sleep(0.005)
            state.tiles += 1
            yield Progress(state.tiles, 5000, "Reconstructing")
        yield from state.real(image, model, cancel=cancel, **options)

    monkeypatch.setattr(inference, "reconstruct_events", events)
    return state


# --- before a run -------------------------------------------------------------------------


def test_without_a_photograph_it_says_what_is_needed(panel, qtbot):
    settle(panel, qtbot)
    assert not panel.ready
    assert "RGB image layer" in panel.obstacle.text()
    panel.run()
    assert not panel.running


def test_the_user_is_told_that_the_task_is_ill_posed(panel):
    from html import unescape

    assert ILL_POSED in unescape(panel.card.caution.text())
    assert not panel.card.caution.isHidden()
    assert "400–700 nm" in panel.card.essentials.text()
    assert "CAVE" in panel.card.essentials.text()
    assert "Limits" in panel.card.whole.text()


def test_a_picture_of_a_cube_does_not_take_the_place_of_the_photograph(viewer, panel, pixels):
    own = viewer.add_image(pixels, rgb=True, name="mine")
    nm = Wavelengths(np.arange(400.0, 701.0, 50.0))
    cube = add_cube(viewer, Cube(np.ones((7, 4, 5), np.float32), nm, units="reflectance"))
    add_false_colour(viewer, cube)
    assert panel.photograph.layer() == own


def test_eight_bit_photographs_are_taken_as_srgb_and_it_is_said(viewer, panel, pixels, qtbot):
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    assert panel.encoding.encoding() == "srgb"
    assert "Assumed for 8-bit" in panel.encoding_note.text()
    assert panel.ready
    assert not panel.obstacle.text()


def test_floats_need_an_encoding_and_the_users_word_is_kept(viewer, panel, pixels, qtbot):
    layer = viewer.add_image(pixels / np.float32(255), rgb=True)
    settle(panel, qtbot)
    assert panel.encoding.encoding() is None
    assert not panel.ready
    assert "encoding" in panel.obstacle.text()
    panel.encoding.activated.emit(panel.encoding.findText("linear sRGB (linear light, D65)"))
    settle(panel, qtbot)
    assert layer.metadata["hsr"]["encoding"] == "linear-srgb"
    assert panel.encoding.encoding() == "linear-srgb"
    assert "Assumed" not in panel.encoding_note.text()
    assert panel.ready


def test_floats_out_of_range_are_refused_with_the_values(viewer, panel, pixels, qtbot):
    viewer.add_image(pixels.astype(np.float32), rgb=True, metadata={"hsr": {"encoding": "srgb"}})
    settle(panel, qtbot)
    assert not panel.ready
    assert "249" in panel.obstacle.text()


def test_a_camera_model_refuses_a_photograph_and_the_reason_goes_when_it_does(
    viewer, panel, pixels, qtbot
):
    viewer.add_image(pixels, rgb=True)
    panel.model.set_name("rootpoly-nikon-d700")
    settle(panel, qtbot)
    assert not panel.ready
    assert "nikon-d700" in panel.obstacle.text()
    assert panel.run_button.toolTip() == panel.obstacle.text()
    panel.model.set_name("rootpoly-srgb")
    settle(panel, qtbot)
    assert panel.ready
    assert not panel.obstacle.text()


def test_a_precision_that_the_model_does_not_have_is_refused(viewer, panel, pixels, qtbot):
    viewer.add_image(pixels, rgb=True)
    panel.advanced.precision_chooser.setCurrentIndex(3)
    settle(panel, qtbot)
    assert not panel.ready
    assert "float16" in panel.obstacle.text()


def test_integers_that_are_no_photograph_are_refused(viewer, panel, qtbot):
    viewer.add_image(np.zeros((4, 5, 3), np.int32), rgb=True)
    settle(panel, qtbot)
    assert not panel.ready
    assert "int32" in panel.obstacle.text()


def test_a_model_that_cannot_be_loaded_is_explained(viewer, panel, pixels, qtbot, monkeypatch):
    def broken(name):
        raise RuntimeError("weights are for another build of torch")

    monkeypatch.setattr("napari_hsr.models.load_model", broken)
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    assert not panel.ready
    assert "another build of torch" in panel.obstacle.text()


# --- a run --------------------------------------------------------------------------------


def test_the_result_is_a_cube_over_its_photograph(viewer, panel, pixels, qtbot):
    viewer.add_image(pixels, rgb=True, name="wall", scale=(2, 3), translate=(10, 20))
    run(panel, qtbot)
    cube = viewer.layers[-1]
    assert cube.name == "wall · rootpoly-srgb"
    expected = inference.reconstruct(pixels, "rootpoly-srgb", encoding="srgb")
    np.testing.assert_array_equal(cube.data, expected.data)
    np.testing.assert_allclose(cube.scale, (10, 2, 3))
    np.testing.assert_allclose(cube.translate, (400, 10, 20))
    assert cube.metadata["hsr"]["card"]["name"] == "rootpoly-srgb"
    assert panel.outcome.kind == "info"
    assert "Done in" in panel.outcome.text()
    assert "peak memory" in panel.outcome.text()
    assert panel.ready
    assert panel.bar.isHidden()


def test_provenance_of_the_run_is_on_offer(viewer, panel, pixels, qtbot):
    viewer.add_image(pixels, rgb=True, name="wall")
    assert panel.provenance_fold.isHidden()
    run(panel, qtbot)
    assert not panel.provenance_fold.isHidden()
    told = json.loads(panel.provenance.toPlainText())
    assert told["model"] == "rootpoly-srgb"
    assert len(told["weights_sha256"]) == 64


def test_notices_of_the_result_are_shown(viewer, panel, pixels, qtbot):
    pixels[:3, :4] = 255
    viewer.add_image(pixels, rgb=True)
    run(panel, qtbot)
    assert panel.notices.kind == "warning"
    assert "12 pixels" in panel.notices.text()
    assert "saturated" in panel.notices.text()


def test_nan_is_told_before_the_run_and_after_it(viewer, panel, pixels, qtbot):
    values = pixels / 255
    values[2, 3] = np.nan
    layer = viewer.add_image(values, rgb=True)
    set_encoding(layer, "srgb")
    settle(panel, qtbot)
    said = "1 pixel is NaN or infinite in the photograph and in the cube."
    assert panel.obstacle.text() == said
    run(panel, qtbot)
    assert said in panel.notices.text()


def test_tile_sizes_reach_the_run(viewer, panel, pixels, qtbot, monkeypatch):
    asked = {}
    real = inference.reconstruct_events

    def events(image, model, **options):
        asked.update(options)
        return real(image, model, **options)

    monkeypatch.setattr(inference, "reconstruct_events", events)
    viewer.add_image(pixels, rgb=True)
    panel.advanced.tile_chooser.setCurrentIndex(2)
    panel.advanced.tile_size.setValue(16)
    panel.advanced.precision_chooser.setCurrentIndex(1)
    run(panel, qtbot)
    assert (asked["tile"], asked["precision"], asked["device"]) == (16, "float32", "auto")
    panel.advanced.tile_chooser.setCurrentIndex(1)
    run(panel, qtbot)
    assert asked["tile"] == "whole"


def test_a_second_start_while_running_is_refused(viewer, panel, pixels, qtbot, slow):
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    panel.run()
    job = panel._job._job
    panel.run()
    assert panel._job._job is job
    assert not panel.run_button.isEnabled()
    panel.cancel()
    qtbot.waitUntil(lambda: not panel.running)


def test_cancel_adds_nothing_and_allows_another_run(viewer, panel, pixels, qtbot, slow):
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.bar.value() > 3)
    assert " of 5000" in panel.status.text()
    panel.cancel_button.click()
    assert not panel.cancel_button.isEnabled()
    assert "Cancelling" in panel.status.text()
    qtbot.waitUntil(lambda: not panel.running)
    assert len(viewer.layers) == 1
    assert "Cancelled" in panel.outcome.text()
    slow.release.set()
    run(panel, qtbot)
    assert len(viewer.layers) == 2


def test_a_photograph_deleted_in_mid_run_loses_nothing(viewer, panel, pixels, qtbot, slow):
    layer = viewer.add_image(pixels, rgb=True, name="wall", scale=(2, 2))
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    viewer.layers.remove(layer)
    qtbot.wait(50)
    assert panel.running
    slow.release.set()
    qtbot.waitUntil(lambda: not panel.running)
    assert [x.name for x in viewer.layers] == ["wall · rootpoly-srgb"]
    np.testing.assert_allclose(viewer.layers[0].scale, (10, 2, 2))
    assert "Done" in panel.outcome.text()
    settle(panel, qtbot)
    assert not panel.ready


def test_a_photograph_changed_in_mid_run_is_told(viewer, panel, pixels, qtbot, slow):
    layer = viewer.add_image(pixels, rgb=True, name="wall")
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    layer.data = pixels[:5, :6] // 2
    slow.release.set()
    qtbot.waitUntil(lambda: not panel.running)
    assert viewer.layers[1].data.shape == (31, *pixels.shape[:2])
    assert panel.outcome.text() == (
        "“wall” was changed during the run: the cube is of what it held before."
    )


def test_what_is_stated_anew_in_mid_run_is_told(viewer, panel, pixels, qtbot, slow):
    layer = viewer.add_image(pixels, rgb=True, name="wall")
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    set_encoding(layer, "linear-srgb")
    slow.release.set()
    qtbot.waitUntil(lambda: not panel.running)
    assert "was changed during the run" in panel.outcome.text()


def test_a_photograph_moved_in_mid_run_has_its_cube_over_it(viewer, panel, pixels, qtbot, slow):
    layer = viewer.add_image(pixels, rgb=True, name="wall")
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    layer.scale, layer.translate, layer.rotate, layer.name = (2, 3), (40, 50), 30, "a wall"
    slow.release.set()
    qtbot.waitUntil(lambda: not panel.running)
    made = viewer.layers["a wall · rootpoly-srgb"]
    for pixel in ((0, 0), (5, 7)):
        there = made.data_to_world((0, *pixel))[-2:]
        np.testing.assert_allclose(there, layer.data_to_world(pixel), atol=1e-9)
    assert "Done" in panel.outcome.text()


def test_a_fault_during_the_run_is_one_sentence(viewer, panel, pixels, qtbot, monkeypatch):
    def events(image, model, **options):
        yield Progress(0, 1)
        raise InputError("The photograph is upside down.")

    monkeypatch.setattr(inference, "reconstruct_events", events)
    viewer.add_image(pixels, rgb=True)
    run(panel, qtbot)
    assert panel.outcome.kind == "error"
    assert panel.outcome.text() == "The photograph is upside down."
    assert panel.ready


def test_a_bug_during_the_run_is_one_sentence_with_details(
    viewer, panel, pixels, qtbot, monkeypatch, caplog
):
    def events(image, model, **options):
        yield Progress(0, 1)
        raise KeyError("gamma")

    monkeypatch.setattr(inference, "reconstruct_events", events)
    viewer.add_image(pixels, rgb=True)
    run(panel, qtbot)
    assert panel.outcome.kind == "error"
    assert "Traceback" not in panel.outcome.text() + panel.outcome.details()
    assert "KeyError" in panel.outcome.details()
    assert caplog.records[-1].exc_info


def test_a_cube_that_the_viewer_refuses_is_kept(viewer, panel, pixels, qtbot, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise RuntimeError("no room")

    monkeypatch.setattr("napari_hsr.widgets.inference.reconstruct.add_cube", refuse)
    viewer.add_image(pixels, rgb=True)
    run(panel, qtbot)
    assert panel.outcome.kind == "error"
    assert panel.last_cube.shape == (31, 12, 17)
    assert "no room" in caplog.text


def test_closing_the_panel_in_mid_run_leaves_nothing(viewer, qtbot, pixels, slow):
    panel = ReconstructWidget(viewer)
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    with qtbot.waitSignal(panel.destroyed):
        panel.deleteLater()
    assert_soon_no_threads()
    viewer.add_image(pixels, rgb=True, name="afterwards")  # reaches no deleted widget
    qtbot.wait(80)
    assert len(viewer.layers) == 2


def test_a_panel_that_was_closed_in_mid_run_runs_again(viewer, panel, qtbot, pixels, slow):
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    panel.close()
    assert_soon_no_threads()
    panel.show()
    settle(panel, qtbot)
    assert panel.ready
    assert panel.bar.isHidden()
    assert not panel.cancel_button.isEnabled()


def test_closing_the_viewer_in_mid_run_leaves_nothing(make_napari_viewer, qtbot, pixels, slow):
    viewer = make_napari_viewer()
    panel = ReconstructWidget(PublicOnlyProxy(viewer))
    viewer.window.add_dock_widget(panel, name="Reconstruct")
    viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: slow.tiles > 3)
    with qtbot.waitSignal(panel.destroyed):
        viewer.close()
    assert_soon_no_threads()


@pytest.mark.parametrize("finer", [1, 2, 4])
def test_a_finer_cube_covers_the_same_area(viewer, panel, pixels, qtbot, monkeypatch, finer):
    values = np.ones((31, 12 * finer, 17 * finer), np.float32)
    result = inference.Result(
        cube=Cube(values, range(400, 710, 10)), seconds=1, peak_bytes=0, device="cpu",
        precision="float32", tiles=1, notices=(),
    )  # fmt: skip
    monkeypatch.setattr(inference, "reconstruct_events", lambda *_, **__: iter([result]))
    photo = viewer.add_image(pixels, rgb=True, scale=(2.0, 3.0), translate=(5.0, 7.0))
    settle(panel, qtbot)
    options = panel._options()
    monkeypatch.setattr(panel, "_options", lambda: options | {"finer": finer})
    run(panel, qtbot)
    cube = viewer.layers[1]
    for corner in (0, 1):
        of_photo = [corner * n - 0.5 for n in pixels.shape[:2]]
        of_cube = [corner * n - 0.5 for n in values.shape[1:]]
        np.testing.assert_allclose(
            cube.data_to_world((0, *of_cube))[-2:], photo.data_to_world(of_photo), atol=1e-12
        )


# --- appearance ---------------------------------------------------------------------------


def test_nothing_is_clipped_in_a_narrow_panel(viewer, panel, pixels, qtbot, monkeypatch):
    pixels[0] = 255
    viewer.add_image(pixels, rgb=True, name="a photograph with a very long name " * 3)
    panel.resize(300, 900)
    panel.show()
    run(panel, qtbot)
    panel.card.fold.set_open(True)
    panel.provenance_fold.set_open(True)
    qtbot.wait(100)
    assert panel.width() == 300
    labels = [label for label in panel.findChildren(QLabel) if label.isVisible()]
    assert len(labels) > 5
    for label in labels:
        parent = label.parentWidget()
        assert label.geometry().right() <= parent.width(), label.text()
        assert label.geometry().bottom() <= parent.height(), label.text()
        if label.wordWrap():
            assert label.height() >= label.heightForWidth(label.width()), label.text()
    for chooser in panel.findChildren(choosers.NarrowComboBox):
        if chooser.isVisible():
            assert chooser.geometry().right() < chooser.parentWidget().width()


def test_opening_the_panel_does_not_wait_for_torch(viewer, qtbot, monkeypatch):
    asked, opened, in_time = [], threading.Event(), []

    def listing():
        asked.append(threading.current_thread())
        in_time.append(opened.wait(PATIENCE))
        return [inference.Device("auto", "automatic: cpu"), inference.Device("cpu", "CPU")]

    monkeypatch.setattr(inference, "list_devices", listing)
    panel = ReconstructWidget(viewer)
    opened.set()
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: panel.device.count() == 2)
    assert asked[0] is not threading.main_thread()
    assert in_time == [True]  # it was still being listed when the panel was there


def test_an_outcome_is_gone_when_something_else_is_chosen(viewer, panel, pixels, qtbot):
    layer = viewer.add_image(pixels, rgb=True)
    settle(panel, qtbot)
    panel.outcome.show_info("Done in 1 s.")
    panel.notices.show_warning("Mind this.")
    panel._ran = panel._chosen()
    panel._on_changed()  # nothing is different
    assert panel.outcome.text()
    other = viewer.add_image(pixels, rgb=True)
    panel.photograph.set_layer(other)
    assert not panel.outcome.text()
    assert not panel.notices.text()
    panel.outcome.show_info("Done in 1 s.")
    panel._ran = panel._chosen()
    other.data = other.data[::-1]
    assert not panel.outcome.text()
    assert layer in viewer.layers


def test_it_says_at_once_that_loading_takes_a_while(viewer, qtbot, monkeypatch):
    """Before anything is loaded: what it says is drawn first."""
    loaded = dict(sys.modules)
    loaded.pop("torch", None)
    monkeypatch.setattr(run_panel, "sys", SimpleNamespace(modules=loaded))
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    assert "takes some seconds" in panel.obstacle.text()
    assert not panel.device._search.running
