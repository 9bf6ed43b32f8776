"""Regions are found beside labels that cannot be read, and what is measured is not waited for."""

from __future__ import annotations

import threading
import time

import dask
import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_hsr.cube import Cube
from napari_hsr.viewer import regions
from napari_hsr.viewer.layer_data import layer_cube
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.regions import Plane, Target
from napari_hsr.widgets.compare.several import mask_of
from napari_hsr.widgets.maps.unmix_form import UnmixForm
from napari_hsr.widgets.spectra.region_measurement import RegionFinder, RegionMeter


@pytest.fixture
def panel(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    return panel


def measured(panel, qtbot, viewer):
    """What the meter says of all regions of a viewer, on a cube of ones."""
    meter = RegionMeter(panel, 9)
    cube = Cube(np.ones((3, 4, 5), np.float32))
    target = Target("cube", cube, Plane(np.eye(2), np.zeros(2)))
    with qtbot.waitSignal(meter.measured) as said:
        meter.measure(RegionFinder(["#ff0000"])(viewer), [target])
    return said.args[0]


def test_labels_that_cannot_be_read_are_told_and_others_go_on(monkeypatch, qtbot, panel):
    viewer = ViewerModel()
    broken = viewer.add_labels(np.ones((4, 5), int), name="broken")
    viewer.add_labels(np.ones((4, 5), int), name="fine")
    cube = viewer.add_image(np.ones((3, 4, 5)))
    read = regions._present

    def present(image):
        if image is broken.data:
            raise OSError("the disk is gone")
        return read(image)

    monkeypatch.setattr(regions, "_present", present)
    found = measured(panel, qtbot, viewer)
    assert [one.name for one in found.curves] == ["fine 1"]
    assert found.total == 1
    assert "broken" in found.problem
    assert "the disk is gone" in found.problem
    form = UnmixForm(viewer)
    qtbot.addWidget(form)
    form.set_layer(cube)
    assert list(form._listed) == ["fine 1"]
    assert "the disk is gone" in form.message.text()
    monkeypatch.undo()
    found = measured(panel, qtbot, viewer)
    assert found.total == 2
    assert found.problem == ""


def test_labels_on_disk_are_read_up_to_a_size(monkeypatch, tmp_path, qtbot, panel):
    """They are held in memory; those that are there already may have any size."""
    monkeypatch.setattr(regions, "MOST_LAZY", 59)
    np.save(tmp_path / "a.npy", np.ones((3, 4, 5), int))
    viewer = ViewerModel()
    viewer.add_labels(np.load(tmp_path / "a.npy", mmap_mode="r"), name="mapped")
    viewer.add_labels(da.ones((3, 4, 5), dtype=int, chunks=1), name="lazy")
    viewer.add_labels(da.ones((2, 4, 5), dtype=int), name="small")
    viewer.add_labels(np.ones((3, 4, 5), int), name="held")
    cube = viewer.add_image(np.ones((3, 4, 5)))
    found = measured(panel, qtbot, viewer)
    assert [one.name for one in found.curves] == ["small 1", "held 1"]
    assert "lazy has 60 pixels that are not in memory; up to 59" in found.problem
    form = UnmixForm(viewer)
    qtbot.addWidget(form)
    form.set_layer(cube)
    qtbot.waitUntil(lambda: list(form._listed) == ["small 1", "held 1"])
    assert "up to 59" in form.message.text()


class Reading:
    """Labels that are computed: by which threads, and not before they may be."""

    def __init__(self):
        self.threads: set[threading.Thread] = set()
        self.go_on = threading.Event()
        self.labels = da.ones((4, 5), dtype=int, chunks=(4, 5)).map_blocks(self._block)

    def _block(self, block):
        if block.size > 1:  # not dask's own look at what it makes
            self.threads.add(threading.current_thread())
            self.go_on.wait(10)
        return block


def test_labels_that_are_computed_are_never_waited_for_by_the_window(qtbot, panel):
    lazy = Reading()
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((4, 5), int), name="lazy")
    layer._data = lazy.labels  # without napari's own look, which is for the canvas
    cube = add_cube(viewer, Cube(np.ones((3, 4, 5), np.float32)))
    with dask.config.set(scheduler="synchronous"):  # computed by whoever asks
        meter = RegionMeter(panel, 9)
        target = Target("cube", layer_cube(cube), Plane.of(cube))
        form = UnmixForm(viewer)
        qtbot.addWidget(form)
        form.set_layer(cube)
        meter.measure(RegionFinder(["#ff0000"])(viewer), [target])
        mask = mask_of(layer, cube, viewer)
        assert list(form._listed) == []
        lazy.go_on.set()
        qtbot.waitUntil(lambda: not meter.busy and list(form._listed) == ["lazy 1"])
        form.tick()
        form.refresh()  # what was ticked stays so
        qtbot.waitUntil(lambda: not form._reading.running)
        assert form.ticked() == []
        assert lazy.threads
        assert threading.main_thread() not in lazy.threads
        assert mask().all()


def test_closing_does_not_wait_for_what_is_being_read(monkeypatch, panel):
    begun, go_on = threading.Event(), threading.Event()

    def measure(*_args):
        begun.set()
        go_on.wait(10)
        yield from ()

    monkeypatch.setattr(regions, "measure", measure)
    meter = RegionMeter(panel, 9)
    meter.measure([object()], [object()])
    assert begun.wait(10)
    start = time.monotonic()
    meter.stop()
    assert time.monotonic() - start < 4  # as long as a job on quitting is waited for, or longer
    assert not meter.busy
    go_on.set()
