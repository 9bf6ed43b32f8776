"""The preview of a run is a layer while it is under way, and is gone with it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_hsr import inference
from napari_hsr.errors import Cancelled
from napari_hsr.inference import preview
from napari_hsr.progress import Progress
from napari_hsr.viewer.undo import undo_of
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

from .panel_runs import settle


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    pixels = np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)
    viewer.add_image(pixels, rgb=True, name="photo", scale=(2, 2), translate=(4, 0))
    return viewer


@pytest.fixture
def release(monkeypatch):
    """Reconstruction that goes on until this is set or it is cancelled, of which all is worth a preview."""
    release, real = threading.Event(), inference.reconstruct_events

    def events(image, model, *, cancel, **options):
        while not release.is_set():
            if cancel.is_set():
                raise Cancelled
            time.sleep(0.005)
            yield Progress(1, 5000, "Reconstructing")
        yield from real(image, model, cancel=cancel, **options)

    monkeypatch.setattr(inference, "reconstruct_events", events)
    monkeypatch.setattr(preview, "LEAST_SECONDS", 0.0)
    yield release
    release.set()


@pytest.fixture
def running(viewer, qtbot, release, monkeypatch):
    """A panel whose run has shown its preview."""
    monkeypatch.setattr(preview, "PREVIEW_PIXELS", 60)
    panel = ReconstructWidget(PublicOnlyProxy(viewer))  # as napari hands it over
    panel.model.set_name("rootpoly-srgb")
    qtbot.addWidget(panel)
    settle(panel, qtbot)
    panel.run_button.click()
    qtbot.waitUntil(lambda: any("preview by" in layer.name for layer in viewer.layers))
    yield panel
    panel.release()


def test_it_lies_over_its_photograph_and_the_result_takes_its_place(
    viewer, running, release, qtbot
):
    shown = viewer.layers[1]
    assert shown.name == "photo · rootpoly-srgb (preview by instant-photo)"
    assert "is a preview" in running.outcome.text()
    assert shown.data.shape == (31, 6, 9)  # every other pixel
    np.testing.assert_allclose(shown.scale[-2:], 4)
    np.testing.assert_allclose(shown.translate[-2:], (5, 1))  # blocks of 2 × 2 pixels
    assert undo_of(viewer).last() == ""
    release.set()
    qtbot.waitUntil(lambda: not running.running)
    assert [layer.name for layer in viewer.layers] == ["photo", "photo · rootpoly-srgb"]
    assert viewer.layers[1].data.shape == (31, 12, 17)
    assert running.outcome.text().startswith("Done")


@pytest.fixture
def cover(viewer):
    return viewer.add_image(np.zeros((200, 200)), name="cover", translate=(-50, -50))


def test_one_that_another_picture_hides_says_so(cover, running):
    assert "is a preview" in running.outcome.text()
    assert "“cover” lies over it" in running.outcome.text()


def test_a_cancelled_run_leaves_none_and_says_so(viewer, running, qtbot):
    running.cancel_button.click()
    qtbot.waitUntil(lambda: not running.running)
    assert [layer.name for layer in viewer.layers] == ["photo"]
    assert running.outcome.text() == "Cancelled; nothing was added. The preview was removed."
    assert viewer.layers.selection.active is viewer.layers[0]


def test_one_that_the_user_removed_is_not_missed(viewer, running, release, qtbot):
    viewer.layers.remove(viewer.layers[1])
    release.set()
    qtbot.waitUntil(lambda: not running.running)
    assert [layer.name for layer in viewer.layers] == ["photo", "photo · rootpoly-srgb"]


def test_closing_the_panel_takes_it_along(viewer, running):
    running.close()
    assert [layer.name for layer in viewer.layers] == ["photo"]


def test_a_short_run_has_none(viewer, qtbot, release, monkeypatch):
    monkeypatch.setattr(preview, "LEAST_SECONDS", 3.0)
    panel = ReconstructWidget(viewer)
    panel.model.set_name("rootpoly-srgb")
    qtbot.addWidget(panel)
    settle(panel, qtbot)
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.status.text().startswith("Reconstructing"))
    assert len(viewer.layers) == 1
    release.set()
    qtbot.waitUntil(lambda: not panel.running)
    panel.release()
