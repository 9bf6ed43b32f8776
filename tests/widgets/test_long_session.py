"""Many runs in one session leave nothing behind: no layer, no photograph, no thread."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.photograph import LINEAR_SRGB, Photograph
from napari_hsr.viewer.layers import add_photograph
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

from .inference.panel_runs import settle

ROUNDS = 6


@pytest.fixture
def viewers():
    return [ViewerModel(), ViewerModel()]


def photograph(number):
    pixels = np.random.default_rng(number).random((9, 8, 3), dtype=np.float32)
    return Photograph(pixels, LINEAR_SRGB, name=f"p{number}")


def test_runs_whose_layers_are_deleted_meanwhile(viewers, qtbot, swept):
    panels = [ReconstructWidget(viewer) for viewer in viewers]
    for panel in panels:
        qtbot.addWidget(panel)
        panel.model.set_name("rootpoly-srgb")
    kept, threads = [], None
    for number in range(ROUNDS):
        viewer, panel = viewers[number % 2], panels[number % 2]
        layer = add_photograph(viewer, photograph(number))
        kept.append(weakref.ref(layer.data))
        settle(panel, qtbot)
        assert panel.ready, panel.obstacle.text()
        panel.run_button.click()
        if number % 3 == 0:
            viewer.layers.remove(layer)
        qtbot.waitUntil(lambda panel=panel: not panel.running)
        kept.append(weakref.ref(viewer.layers[-1]))  # the cube, or what is left of it
        viewer.layers.clear()
        del layer
        threads = threads or threading.active_count()
    gc.collect()
    # the last of each panel may be remembered by its check
    assert sum(ref() is not None for ref in kept) <= 4
    assert threading.active_count() <= threads
