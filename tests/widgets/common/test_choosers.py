"""The choosers follow the viewer's layers and the installed models."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.widgets.common import choosers
from napari_hsr.widgets.common.choosers import (
    DeviceChooser,
    DrawnTimer,
    EncodingChooser,
    LayerChooser,
    NarrowComboBox,
)
from napari_hsr.widgets.common.panel import Docked


def is_rgb(layer) -> bool:
    return bool(getattr(layer, "rgb", False))


def photograph(viewer, name: str):
    return viewer.add_image(np.zeros((4, 5, 3), np.uint8), rgb=True, name=name)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def chooser(viewer, qtbot):
    chooser = LayerChooser(viewer, is_rgb)
    qtbot.addWidget(chooser)
    return chooser


def test_empty_says_so(chooser):
    assert chooser.layer() is None
    assert chooser.placeholderText() == "no photograph open"
    assert not chooser.isEnabled()


def test_offers_only_what_it_accepts(viewer, chooser):
    viewer.add_image(np.zeros((3, 4, 5)), name="grey stack")
    assert chooser.layer() is None
    a = photograph(viewer, "a")
    assert chooser.layer() == a
    assert chooser.layers() == [a]


def test_follows_the_newest_until_touched(viewer, chooser, qtbot):
    a = photograph(viewer, "a")
    with qtbot.waitSignal(chooser.changed, check_params_cb=lambda layer: layer.name == "b"):
        b = photograph(viewer, "b")
    assert chooser.layer() == b
    chooser.activated.emit(0)  # the user picks "a"
    assert chooser.layer() == a
    photograph(viewer, "c")
    assert chooser.layer() == a
    assert chooser.currentText() == "a"


def test_follows_the_active_layer_until_touched(viewer, chooser):
    a = photograph(viewer, "a")
    photograph(viewer, "b")
    viewer.layers.selection.active = a
    assert chooser.layer() == a
    viewer.layers.selection.active = None
    assert chooser.layer() == a


def test_layers_that_are_meant_for_something_else_are_taken_by_choice_alone(viewer, qtbot):
    chooser = LayerChooser(viewer, is_rgb, rather=lambda layer: layer.name != "made here")
    qtbot.addWidget(chooser)
    taken = photograph(viewer, "taken")
    made = photograph(viewer, "made here")  # napari makes it the active layer
    assert chooser.layer() == taken
    chooser.activated.emit(chooser.layers().index(made))
    assert chooser.layer() == made
    viewer.layers.remove(taken)
    assert chooser.layer() == made


def test_renaming_and_reordering_keep_the_choice(viewer, chooser):
    a, b = photograph(viewer, "a"), photograph(viewer, "b")
    chooser.set_layer(a)
    a.name = "renamed"
    assert chooser.currentText() == "renamed"
    viewer.layers.reverse()
    assert chooser.layers() == [b, a]
    assert chooser.layer() == a
    assert chooser.currentText() == "renamed"


def test_removal_falls_back_and_forgets_the_choice(viewer, chooser):
    a, b = photograph(viewer, "a"), photograph(viewer, "b")
    chooser.set_layer(a)
    viewer.layers.remove(a)
    assert chooser.layer() == b
    viewer.layers.clear()
    assert chooser.layer() is None
    assert chooser.currentIndex() == -1
    c = photograph(viewer, "c")
    assert chooser.layer() == c


def test_two_layers_of_the_same_name_are_told_apart(viewer, chooser):
    a, b = photograph(viewer, "same"), photograph(viewer, "same")
    chooser.activated.emit(0)
    assert chooser.layer() == a
    chooser.activated.emit(1)
    assert chooser.layer() == b


def test_a_layer_not_on_offer_is_refused(viewer, chooser):
    grey = viewer.add_image(np.zeros((3, 4, 5)))
    with pytest.raises(ValueError, match="not in list"):
        chooser.set_layer(grey)


def test_works_through_naparis_proxy(qtbot):
    from napari.utils._proxies import PublicOnlyProxy

    viewer = ViewerModel()
    chooser = LayerChooser(PublicOnlyProxy(viewer), is_rgb)
    qtbot.addWidget(chooser)
    a = photograph(viewer, "a")
    photograph(viewer, "b")
    chooser.set_layer(PublicOnlyProxy(viewer).layers["a"])
    assert chooser.layer() == a


def test_a_deleted_chooser_hears_nothing(viewer, qtbot):
    chooser = LayerChooser(viewer, is_rgb)
    chooser.deleteLater()
    with qtbot.waitSignal(chooser.destroyed):
        pass
    photograph(viewer, "a")  # would raise "wrapped C/C++ object has been deleted"
    assert chooser.layer() is None


def test_devices_arrive_later_and_auto_is_there_at_once(qtbot, monkeypatch):
    devices = [
        SimpleNamespace(id="auto", label="auto (NVIDIA H100)"),
        SimpleNamespace(id="cuda:0", label="NVIDIA H100"),
        SimpleNamespace(id="cpu", label="cpu"),
    ]
    monkeypatch.setattr(choosers, "_find_devices", lambda cancel: iter([devices]))
    chooser = DeviceChooser()
    qtbot.addWidget(chooser)
    assert chooser.device() == "auto"
    qtbot.waitUntil(lambda: chooser.count() == 3)
    assert chooser.device() == "auto"
    chooser.setCurrentIndex(1)
    assert chooser.device() == "cuda:0"


def test_a_failing_device_search_leaves_auto(qtbot, monkeypatch):
    def broken(cancel):
        raise OSError("libcuda is broken")
        yield

    monkeypatch.setattr(choosers, "_find_devices", broken)
    chooser = DeviceChooser()
    qtbot.addWidget(chooser)
    qtbot.waitUntil(lambda: "libcuda is broken" in chooser.toolTip())
    assert chooser.device() == "auto"


def test_encodings_include_the_cameras_of_installed_models(qtbot):
    chooser = EncodingChooser()
    qtbot.addWidget(chooser)
    assert chooser.encoding() is None
    said = []
    chooser.chosen.connect(said.append)
    for encoding in ("srgb", "camera:nikon-d700", "camera:another", None):
        chooser.show_encoding(encoding)
        assert chooser.encoding() == encoding
    assert said == []
    chooser.activated.emit(1)
    assert said == ["linear-srgb"]


def test_long_texts_do_not_widen_a_panel(qtbot):
    box = NarrowComboBox()
    qtbot.addWidget(box)
    box.set_choices(["x" * 500], 0)
    assert box.minimumSizeHint().width() < 250
    box.resize(120, 30)
    box.grab()  # paints with an ellipsis, without a complaint
    assert box.itemData(0, 3) == "x" * 500


def test_what_takes_long_waits_until_its_panel_was_painted(qtbot, monkeypatch):
    monkeypatch.setattr(choosers, "DRAWN_MS", 5)
    panel, heard = Docked(), []
    qtbot.addWidget(panel)
    timer = DrawnTimer(panel)
    timer.elapsed.connect(lambda: heard.append(panel.painted))
    panel.show()
    panel.painted = False
    timer.begin(0)
    timer.timeout.emit()  # the computer is busy: time is up, and nothing has been drawn
    assert not heard
    panel.update()
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == [True]
    hidden = Docked()
    qtbot.addWidget(hidden)
    timer = DrawnTimer(hidden)
    with qtbot.waitSignal(timer.elapsed):  # what is not on show waits for nothing
        timer.begin(0)


def test_the_list_of_a_narrow_chooser_has_room_for_its_entries(qtbot):
    chooser = NarrowComboBox()
    qtbot.addWidget(chooser)
    chooser.offer({1: "a regression for photographs of unknown cameras", 2: "b"}, 1)
    chooser.resize(90, 24)
    chooser.show()
    chooser.showPopup()
    text = chooser.view().fontMetrics().horizontalAdvance(chooser.itemText(0))
    assert chooser.view().viewport().width() > text
    chooser.hidePopup()


def test_a_layer_that_becomes_another_kind_by_its_data_comes_and_goes(viewer, qtbot):
    cubes = LayerChooser(viewer, lambda layer: layer.ndim == 3)
    qtbot.addWidget(cubes)
    layer = viewer.add_image(np.zeros((3, 4, 5)), rgb=False)
    assert cubes.layer() == layer
    layer.data = np.zeros((4, 5))
    assert cubes.layer() is None
    layer.data = np.zeros((3, 4, 5))
    assert cubes.layer() == layer
