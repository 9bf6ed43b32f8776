"""Keys: registered once, changeable, and of the panel that is open."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.action_manager import action_manager

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.viewer import axis, shortcuts
from napari_hsr.viewer.layers import add_cube


@pytest.fixture(autouse=True)
def unregistered():
    yield
    for name in shortcuts.ACTIONS:
        if name in action_manager._actions:
            action_manager.unbind_shortcut(name)
            del action_manager._actions[name]


@pytest.fixture
def viewer():
    model = ViewerModel()
    add_cube(model, Cube(np.zeros((5, 4, 3), np.float32), Wavelengths(np.arange(500, 751, 50)[:5])))
    return model


def press(name, viewer):
    shortcuts.ACTIONS[f"napari-hsr:{name}"].act(viewer)


def test_bands_step_and_stop_at_the_ends(viewer):
    layer = viewer.layers[0]
    axis.go_to_band(viewer, layer, 3)
    seen = []
    for name in ("next_band", "next_band", "previous_band"):
        press(name, viewer)
        seen.append(axis.current_band(viewer, layer))
    assert seen == [4, 4, 3]


def test_without_a_cube_nothing_happens():
    press("next_band", ViewerModel())


def test_napari_lists_them_with_the_keys_that_the_user_chose(monkeypatch):
    settings = get_settings().shortcuts
    monkeypatch.setattr(settings, "shortcuts", settings.shortcuts | {"napari-hsr:pin": ["Alt-Y"]})
    shortcuts.register()
    shortcuts.register()
    assert set(shortcuts.ACTIONS) <= set(action_manager._actions)
    assert [str(key) for key in action_manager._shortcuts["napari-hsr:pin"]] == ["Alt+Y"]
    assert len(action_manager._shortcuts["napari-hsr:next_band"]) == 1


class Panel:
    def __init__(self):
        self.done = 0

    def run(self):
        self.done += 1


def test_a_key_acts_on_the_panel_of_its_own_viewer(viewer, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_info", told.append)
    first, second, other = Panel(), Panel(), ViewerModel()
    shortcuts.offer(viewer, shortcuts.RUN, first.run)
    shortcuts.offer(other, shortcuts.RUN, second.run)
    press("reconstruct", viewer)
    assert (first.done, second.done) == (1, 0)
    shortcuts.withdraw(viewer, shortcuts.RUN, second.run)  # not its own
    press("reconstruct", viewer)
    assert first.done == 2
    shortcuts.withdraw(viewer, shortcuts.RUN, first.run)
    press("reconstruct", viewer)
    assert len(told) == 1
    del second
    gc.collect()
    press("reconstruct", other)  # a panel that is gone
    assert len(told) == 2
