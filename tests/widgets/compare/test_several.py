"""Several predictions, a region, lights and resampling in the Compare panel."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube
from napari_hsr.metrics import evaluate, evaluate_several
from napari_hsr.trust.chart_layout import CLASSIC
from napari_hsr.viewer import regions
from napari_hsr.viewer.chart_overlay import ChartOverlay
from napari_hsr.viewer.layers import add_cube
from napari_hsr.widgets.compare.panel import CompareWidget

NM = np.arange(400.0, 701.0, 20.0)


def cube(name, noise=0.0, nm=NM):
    values = np.random.default_rng(1).uniform(0.2, 0.8, (NM.size, 14, 12))
    values = values + np.random.default_rng(2).normal(0, noise or 1e-9, values.shape)
    fine = np.stack([values[np.abs(NM - at).argmin()] for at in nm])
    return Cube(fine, nm, units="reflectance", name=name)


@pytest.fixture
def panel(qtbot):
    viewer = ViewerModel()
    layers = [
        add_cube(viewer, cube(name, noise))
        for name, noise in (("truth", 0), ("rough", 0.1), ("fine", 0.01))
    ]
    widget = CompareWidget(viewer)
    qtbot.addWidget(widget)
    widget.form.truth.set_layer(layers[0])
    widget.form.prediction.set_layer(layers[1])
    for check in widget.form.checks.values():
        check.setChecked(False)
    yield widget
    widget.release()


def ran(panel, qtbot):
    assert panel.run_button.isEnabled(), panel.reason.text()
    panel.run()
    qtbot.waitUntil(lambda: not panel.running)
    assert panel.comparison is not None, panel.message.text()


def test_all_ticked_predictions_are_rows_and_the_best_is_bold(panel, qtbot, tmp_path):
    more = panel.form.more
    assert [more.others.item(k).text() for k in range(more.others.count())] == ["fine"]
    more.others.item(0).setCheckState(more.others.item(0).checkState().Checked)
    more.lights.setText("D65, A")
    ran(panel, qtbot)
    view, expected = (
        panel.results.several,
        evaluate_several(
            [cube("rough", 0.1), cube("fine", 0.01)], cube("truth"), lights=["D65", "A"]
        ),
    )
    assert [view.item(row, 0).text() for row in (0, 1)] == ["rough", "fine"]
    heads = [view.horizontalHeaderItem(k).text() for k in range(view.columnCount())]
    heads = [" ".join(head.split("\n")) for head in heads]
    assert heads[1:] == [column.head for column in expected.columns]
    psnr = heads.index("PSNR (dB) ↑")
    assert [view.item(row, psnr).font().bold() for row in (0, 1)] == [False, True]
    figure = expected.columns[psnr - 1]
    assert view.item(1, psnr).text() == expected.text(1, figure)
    view.resize(290, 200)  # the dock of a window of 1280 pixels
    view.item(0, 0).setText("a name that is long " * 5)
    view.fit()
    assert view.columnViewportPosition(2) + view.columnWidth(2) < 290
    room, mode = view.columnWidth(0) - 10, view.textElideMode()
    names = ("chart photograph · instant-photo", "chart photograph · rootpoly-srgb")
    assert len({view.fontMetrics().elidedText(name, mode, room) for name in names}) == 2
    panel.export_csv(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == expected.to_csv()
    assert "ΔE00 A" in panel.results.table.text()
    more.others.item(0).setCheckState(more.others.item(0).checkState().Unchecked)
    assert panel.comparison is None  # of something else than what is chosen now
    ran(panel, qtbot)
    assert panel.results.several.isHidden()


def test_a_layer_of_shapes_or_labels_is_the_region(panel, qtbot):
    viewer = panel._viewer
    viewer.add_shapes([np.array([[2, 3], [2, 9], [10, 9], [10, 3]])], name="box")
    labels = np.zeros((14, 12), int)
    labels[2:11, 3:10] = 5
    viewer.add_labels(labels, name="patch")
    region = panel.form.more.region
    assert len(region.offered()) == 3
    expected = evaluate(cube("rough", 0.1), cube("truth"), mask=labels)
    for layer in region.offered()[1:]:
        region.set_value(layer)
        ran(panel, qtbot)
        assert panel.comparison.evaluation.values["rmse"] == pytest.approx(expected["rmse"])
        assert "63 of 168" in panel.results.notes.text()
    viewer.layers.remove("patch")
    assert region.value() is None


def test_the_layout_of_a_chart_is_no_region(panel):
    photograph = panel._viewer.add_image(np.zeros((14, 12, 3)), rgb=True)
    ChartOverlay(panel._viewer, photograph, CLASSIC)
    assert panel.form.more.region.offered() == [None]


def test_labels_are_read_in_the_thread_that_compares(panel, monkeypatch, qtbot):
    threads, read = [], regions.UnreadLabels.read

    def noted(self, limit):
        threads.append(threading.current_thread())
        return read(self, limit)

    monkeypatch.setattr(regions.UnreadLabels, "read", noted)
    panel._viewer.add_labels(da.ones((14, 12), dtype=int), name="lazy")
    panel.form.more.region.set_value(panel._viewer.layers["lazy"])
    ran(panel, qtbot)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_a_region_that_is_too_large_to_read_is_told(panel, monkeypatch, qtbot):
    monkeypatch.setattr(regions, "MOST_LAZY", 9)
    panel._viewer.add_labels(da.ones((14, 12), dtype=int), name="lazy")
    panel.form.more.region.set_value(panel._viewer.layers["lazy"])
    panel.run()
    qtbot.waitUntil(lambda: not panel.running)
    assert panel.message.kind == "error"
    assert "lazy has 168 pixels that are not in memory" in panel.message.text()
    assert not panel.running


def test_resampling_is_offered_where_it_helps(panel, qtbot):
    other = add_cube(panel._viewer, cube("other grid", 0.05, np.arange(405.0, 700.0, 5.0)))
    panel.form.prediction.set_layer(other)
    assert "Resample unlike wavelengths" in panel.reason.text()
    assert not panel.run_button.isEnabled()
    panel.form.more.resample.setChecked(True)
    panel.form.checks["sam"].setChecked(True)
    ran(panel, qtbot)
    assert panel.comparison.maps["sam"].data.shape == (14, 12)
    expected = evaluate(other_cube(), cube("truth"), resample=True)
    assert panel.comparison.evaluation.values == expected.values


def other_cube():
    return cube("other grid", 0.05, np.arange(405.0, 700.0, 5.0))


def test_a_light_that_is_none_is_said(panel):
    panel.form.more.lights.setText("moonshine")
    assert "moonshine" in panel.reason.text()
    assert not panel.run_button.isEnabled()
