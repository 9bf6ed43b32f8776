"""Regions are found beside labels that cannot be read, and what is measured is not waited for."""

from __future__ import annotations

import threading
import time

import dask.array as da
import numpy as np
from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget

from napari_hsr.viewer import regions
from napari_hsr.widgets.maps.unmix_form import UnmixForm
from napari_hsr.widgets.spectra.region_measurement import RegionFinder, RegionMeter


def test_labels_that_cannot_be_read_are_told_and_others_go_on(monkeypatch, qtbot):
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
    find = RegionFinder(["#ff0000"], 9)
    found, total = find(viewer)
    assert [one.layer_name for one in found] == ["fine"]
    assert total == 1
    assert "broken" in find.problem
    assert "the disk is gone" in find.problem
    form = UnmixForm(viewer)
    qtbot.addWidget(form)
    form.set_layer(cube)
    assert list(form._makers) == ["fine 1"]
    assert "the disk is gone" in form.message.text()
    monkeypatch.undo()
    assert find(viewer)[1] == 2
    assert find.problem == ""


def test_labels_on_disk_are_read_up_to_a_size(monkeypatch, tmp_path, qtbot):
    """The window waits for them: those in memory, of any size, take no time to read."""
    monkeypatch.setattr(regions, "MOST_LAZY", 59)
    np.save(tmp_path / "a.npy", np.ones((3, 4, 5), int))
    viewer = ViewerModel()
    viewer.add_labels(np.load(tmp_path / "a.npy", mmap_mode="r"), name="mapped")
    viewer.add_labels(da.ones((3, 4, 5), dtype=int, chunks=1), name="lazy")
    viewer.add_labels(da.ones((2, 4, 5), dtype=int), name="small")
    viewer.add_labels(np.ones((3, 4, 5), int), name="held")
    cube = viewer.add_image(np.ones((3, 4, 5)))
    find = RegionFinder(["#ff0000"], 9)
    assert [one.layer_name for one in find(viewer)[0]] == ["small", "held"]
    assert "lazy has 60 pixels that are not in memory; up to 59" in find.problem
    form = UnmixForm(viewer)
    qtbot.addWidget(form)
    form.set_layer(cube)
    assert list(form._makers) == ["small 1", "held 1"]


def test_closing_does_not_wait_for_what_is_being_read(monkeypatch, qtbot):
    begun, go_on = threading.Event(), threading.Event()

    def measure(*_args):
        begun.set()
        go_on.wait(10)
        yield from ()

    monkeypatch.setattr(regions, "measure", measure)
    panel = QWidget()
    qtbot.addWidget(panel)
    meter = RegionMeter(panel)
    meter.measure([object()], [object()])
    assert begun.wait(10)
    start = time.monotonic()
    meter.stop()
    assert time.monotonic() - start < 4  # as long as a job on quitting is waited for, or longer
    assert not meter.busy
    go_on.set()
