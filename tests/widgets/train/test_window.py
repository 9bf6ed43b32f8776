"""The panel in a window of napari: opened and closed, nothing of the viewer is kept."""

from __future__ import annotations

from napari_hsr.widgets.train.panel import TrainWidget


def test_it_opens_and_closes_as_other_panels_do(make_napari_viewer, qtbot, found):
    viewer = make_napari_viewer(show=True)
    panel = TrainWidget(viewer)
    dock = viewer.window.add_dock_widget(panel, name="Train")
    qtbot.wait(100)
    assert panel._guard.window is not None
    assert panel.width() >= 290
    viewer.theme = "light"
    for plot in panel.progress.plots.values():
        assert plot.background != "#262930"
    viewer.window.remove_dock_widget(dock)
    assert not panel._timer.isActive()
    assert panel._guard.window is None
    panel.close()
    panel.deleteLater()
    qtbot.wait(50)
