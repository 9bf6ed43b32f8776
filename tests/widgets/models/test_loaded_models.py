"""Models stay loaded while their panel is open, the last two of them, and go with it."""

from __future__ import annotations

import gc
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from napari.components import ViewerModel

from napari_hsr import inference, models
from napari_hsr.errors import ModelError
from napari_hsr.models import import_checkpoint, user_models
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.widgets.inference.computing_options import PIXELWISE
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.models.loaded_models import LoadedModels

SMALL = {"width": 8, "depths": (1, 1, 1, 1, 1), "hidden": (10, 21, 42, 85)}


def save(path, seed: int = 0):
    torch.manual_seed(seed)
    torch.save(Restormer(**SMALL).state_dict(), path)
    return path


@pytest.fixture
def net(tmp_path):
    """A small network of the user's own, under the name net."""
    return import_checkpoint(save(tmp_path / "net.pth"), "net").name


@pytest.fixture
def loads(monkeypatch):
    """Names in the order in which they were loaded."""
    names, real = [], models.load_model

    def load(name):
        names.append(name)
        return real(name)

    monkeypatch.setattr(models, "load_model", load)
    return names


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)


def settle(panel, qtbot) -> None:
    qtbot.waitUntil(
        lambda: not panel._settle.isActive() and not panel._check.running and panel._obstacle != "",
    )


def gone(reference) -> bool:
    gc.collect()
    return reference() is None


def test_going_back_loads_nothing_again(net, loads):
    loaded = LoadedModels()
    first = loaded.load("rootpoly-srgb")
    assert loaded.load(net).name == net
    assert loaded.load("rootpoly-srgb") is first
    assert loads == ["rootpoly-srgb", net]


def test_two_are_kept_and_the_oldest_goes(net):
    loaded = LoadedModels()
    oldest = weakref.ref(loaded.load("rootpoly-srgb"))
    loaded.load("rootpoly-nikon-d700")
    loaded.load(net)
    assert gone(oldest)


def test_other_weights_or_another_card_under_the_name_are_loaded(net, loads, tmp_path):
    loaded = LoadedModels()
    first = loaded.load(net)
    user_models.edit(net, licence="CC0")
    assert loaded.load(net).card.licence == "CC0"
    other = import_checkpoint(save(tmp_path / "other.pth", 1), net, overwrite=True)
    assert loaded.load(net).weights_sha256 == other.weights_sha256 != first.weights_sha256
    assert loads == [net] * 3
    user_models.remove(net)
    with pytest.raises(ModelError, match="no model"):
        loaded.load(net)


def test_two_threads_that_ask_at_once_get_one(net, loads):
    loaded, got = LoadedModels(), []
    threads = [threading.Thread(target=lambda: got.append(loaded.load(net))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got[0] is got[1]
    assert loads == [net]


def test_nothing_is_kept_after_closing(net):
    loaded = LoadedModels()
    model = loaded.load(net)
    reference = weakref.ref(model)
    loaded.close()
    loaded.put(model)
    del model
    assert gone(reference)


@pytest.mark.parametrize("how", ["close", "undock", "delete"])
def test_memory_is_released_when_the_panel_closes(net, pixels, qtbot, how):
    viewer = ViewerModel()
    viewer.add_image(pixels, rgb=True)
    panel = ReconstructWidget(viewer)
    panel.model.set_name(net)
    settle(panel, qtbot)
    panel.run()
    qtbot.waitUntil(lambda: not panel.running)
    assert len(viewer.layers) == 2
    model = weakref.ref(panel.loaded.load(net))
    module = weakref.ref(model().module)
    assert not gone(model)
    if how == "delete":
        with qtbot.waitSignal(panel.destroyed):
            panel.deleteLater()
    elif how == "close":
        qtbot.addWidget(panel)
        panel.close()
    else:
        qtbot.addWidget(panel)
        from qtpy.QtWidgets import QWidget

        dock = QWidget()
        qtbot.addWidget(dock)
        panel.setParent(dock)
        panel.setParent(None)
    assert gone(model)
    assert gone(module)


def test_check_and_run_load_once(net, loads, pixels, qtbot):
    viewer = ViewerModel()
    viewer.add_image(pixels, rgb=True)
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    for name in (net, "rootpoly-srgb", net):
        panel.model.set_name(name)
        settle(panel, qtbot)
        panel.run()
        qtbot.waitUntil(lambda: not panel.running)
    assert len(viewer.layers) == 4
    assert sorted(loads) == [net, "rootpoly-srgb"]


def test_ensembles_are_offered_where_they_are_of_use(net, pixels, qtbot, monkeypatch):
    asked, real = [], inference.reconstruct_events

    def events(image, model, **options):
        asked.append((model.name, options["ensemble"]))
        return real(image, model, **options)

    monkeypatch.setattr(inference, "reconstruct_events", events)
    viewer = ViewerModel()
    viewer.add_image(pixels, rgb=True)
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    options = panel.advanced
    panel.model.set_name("rootpoly-srgb")
    settle(panel, qtbot)
    assert options.ensemble_chooser.isHidden()
    assert options.ensemble_note.text() == PIXELWISE
    assert not options.ensemble_note.isHidden()
    for name in (net, "rootpoly-srgb", net):
        panel.model.set_name(name)
        settle(panel, qtbot)
        assert options.ensemble_chooser.isHidden() != options.ensemble_note.isHidden()
        if name == net:
            options.ensemble_chooser.setCurrentIndex(2)
            settle(panel, qtbot)
        panel.run()
        qtbot.waitUntil(lambda: not panel.running)
    assert asked == [(net, "median"), ("rootpoly-srgb", "single"), (net, "median")]
    told = panel.last_cube.provenance.steps
    assert any("Median of the eight" in step for step in told)


def test_what_a_run_takes_is_shown_before_it(net, pixels, qtbot):
    viewer = ViewerModel()
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    settle(panel, qtbot)
    assert panel.estimate.isHidden()
    viewer.add_image(pixels, rgb=True)
    panel.model.set_name(net)
    settle(panel, qtbot)
    once = inference.estimate((12, 17), models.load_model(net))
    assert panel.estimate.text() == once.words()
    panel.advanced.ensemble_chooser.setCurrentIndex(2)
    settle(panel, qtbot)
    eight = inference.estimate((12, 17), models.load_model(net), ensemble="median")
    assert eight.bytes_working > once.bytes_working
    assert panel.estimate.text() == eight.words()


def test_memory_that_a_container_refuses_is_not_free(monkeypatch):
    from napari_hsr.inference.estimates import memory_use
    from napari_hsr.widgets.inference.panel_runs import memory_advice

    plenty = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=10**12))
    monkeypatch.setattr(memory_use, "psutil", plenty)
    monkeypatch.setattr(memory_use, "left_in_groups", lambda: 10**9)
    assert memory_advice(6 * 10**8, 0, "cpu", "smaller tiles") is None
    assert "1.0 GB are free" in memory_advice(6 * 10**8, 3 * 10**8, "cpu", "smaller tiles")


def test_too_little_memory_is_announced(pixels, qtbot, monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=30_000))
    viewer = ViewerModel()
    viewer.add_image(pixels, rgb=True)
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    settle(panel, qtbot)
    assert panel.ready
    assert panel.obstacle.kind == "info"
    assert "30 kB are free" in panel.obstacle.text()
