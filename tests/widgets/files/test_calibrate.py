"""Calibrate…: the panel gives what the function gives, and says why where it cannot."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTextEdit, QWidget

from napari_hsr.calibration import calibrate
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io.lazy import LazyArray
from napari_hsr.viewer import layers
from napari_hsr.viewer.layer_data import OVERLAY, layer_cube
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.files.calibrate import CalibrateWidget

from ...patience import PATIENCE

NM = (500.0, 550.0, 600.0)
RANDOM = np.random.default_rng(1)
RAW = RANDOM.uniform(200, 3000, (3, 12, 10)).astype(np.float32)
WHITE = RANDOM.uniform(3500, 4000, (3, 5, 10)).astype(np.float32)
DARK = RANDOM.uniform(90, 110, (3, 4, 10)).astype(np.float32)


@pytest.fixture
def viewer():
    model = ViewerModel()
    for name, data in (("raw", RAW), ("white", WHITE), ("dark", DARK)):
        layers.add_cube(model, Cube(data, Wavelengths(NM), name=name))
    return model


@pytest.fixture
def panel(viewer, qtbot):
    widget = CalibrateWidget(viewer)
    qtbot.addWidget(widget)
    widget.scan.set_layer(viewer.layers["raw"])
    widget.white.set_layer(viewer.layers["white"])
    return widget


@pytest.fixture
def ran(qtbot):
    """``ran(panel)`` lets it calibrate, and returns the layer that was added, if any."""

    def run(panel):
        before = set(panel._viewer.layers)
        panel.run()
        qtbot.waitUntil(lambda: not panel.cancel_button.isEnabled())
        return next((layer for layer in panel._viewer.layers if layer not in before), None)

    return run


def cube(data):
    return Cube(data, Wavelengths(NM))


def test_white_dark_and_exposures(ran, panel, viewer):
    panel.has_dark.setChecked(True)
    panel.dark.set_layer(viewer.layers["dark"])
    panel.reflectance.setValue(0.9)
    for box, time in zip(panel.exposures, (10, 20), strict=True):
        box.setValue(time)
    found = layer_cube(ran(panel))
    right = calibrate(cube(RAW), cube(WHITE), cube(DARK), white_reflectance=0.9, exposures=(10, 20))
    np.testing.assert_allclose(found.data[:], right.data[:], rtol=1e-6)
    assert found.units == "reflectance"
    assert viewer.layers.index(viewer.layers["raw"]) + 1 == viewer.layers.index(
        viewer.layers["raw reflectance"]
    )


def test_the_reflectance_lies_where_the_scan_lies(ran, panel, viewer):
    scan = viewer.layers["raw"]
    scan.units, scan.scale, scan.rotate = ("pixel", "um", "um"), (1, 2.0, 3.0), (0, 0, 30)
    made = ran(panel)
    assert [str(unit) for unit in made.units[-2:]] == ["micrometer", "micrometer"]
    for corner in ((0, 0, 0), (2, 11, 9)):
        places = (layer.data_to_world(corner)[-2:] for layer in (made, scan))
        np.testing.assert_allclose(*places)


def test_a_rectangle_drawn_over_the_white(ran, panel, viewer):
    shapes = viewer.add_shapes([[[1.6, 1.8], [1.6, 7.1], [5.2, 7.1], [5.2, 1.8]]], name="here")
    panel.white.set_layer(shapes)
    found = layer_cube(ran(panel))
    right = calibrate(cube(RAW), patch=(2, 2, 5, 7))
    np.testing.assert_allclose(found.data[:], right.data[:], rtol=1e-6)


def test_the_layout_of_a_chart_is_no_white(panel, viewer):
    square = [[1, 1], [1, 7], [5, 7], [5, 1]]
    layout = viewer.add_shapes([square], name="chart layout", metadata={OVERLAY: True})
    drawn = viewer.add_shapes([square], name="here")
    assert layout not in panel.white.layers()
    assert drawn in panel.white.layers()


@pytest.mark.parametrize(
    ("corners", "part"),
    [([], "no rectangle"), ([[[50, 50], [50, 60], [60, 60], [60, 50]]], "does not lie over")],
)
def test_no_rectangle_over_the_scan(ran, panel, viewer, corners, part):
    shapes = viewer.add_shapes(corners or None, name="here")
    panel.white.set_layer(shapes)
    assert ran(panel) is None
    assert part in panel.message.text()


def test_references_that_were_exchanged_are_refused(ran, panel, viewer):
    panel.has_dark.setChecked(True)
    panel.dark.set_layer(viewer.layers["white"])
    panel.white.set_layer(viewer.layers["dark"])
    count = len(viewer.layers)
    assert ran(panel) is None
    assert panel.message.kind == "error"
    assert len(viewer.layers) == count


def test_one_exposure_time_alone_is_refused(ran, panel):
    panel.exposures[0].setValue(3)
    assert ran(panel) is None
    assert "both exposure times" in panel.message.text()


def test_the_reflectance_of_the_white_from_a_file(ran, panel, tmp_path):
    (tmp_path / "white.csv").write_text(
        "wavelength,spectralon\n" + "".join(f"{nm},0.8\n" for nm in range(490, 621, 5))
    )
    panel.read_curve(str(tmp_path / "white.csv"))
    right = calibrate(cube(RAW), cube(WHITE), white_reflectance=0.8)
    np.testing.assert_allclose(layer_cube(ran(panel)).data[:], right.data[:], rtol=1e-5)


def test_a_number_is_taken_again_after_a_file(ran, panel, tmp_path):
    path = tmp_path / "white.csv"
    path.write_text("wavelength,tile\n" + "".join(f"{nm},0.5\n" for nm in range(400, 701, 50)))
    assert panel.number_button.isHidden()
    panel.reflectance.setValue(0.8)
    panel.read_curve(str(path))
    assert panel.curve_button.text() == "tile"
    ran(panel)
    assert panel.message.text()
    panel.number_button.click()
    assert panel.message.text() == ""  # what was said is of another white
    assert panel.files_in_use() == []
    assert panel.number_button.isHidden()
    found = layer_cube(ran(panel))
    right = calibrate(cube(RAW), cube(WHITE), white_reflectance=0.8)
    np.testing.assert_allclose(found.data[:], right.data[:], rtol=1e-6)


def test_a_scan_on_disk_is_read_in_the_thread_which_can_be_cancelled(viewer, qtbot, ran):
    """The window waits for nothing, and a panel that is closed meanwhile works again."""
    threads, begun, go_on = set(), threading.Event(), threading.Event()

    class Slow:
        shape, dtype, ndim = RAW.shape, RAW.dtype, 3

        def __getitem__(self, key):
            threads.add(threading.current_thread())
            if held:
                begun.set()
                assert go_on.wait(PATIENCE)
            return RAW[key]

    held = False
    lazy = layers.add_cube(viewer, Cube(LazyArray(Slow()), Wavelengths(NM), name="lazy"))
    panel = CalibrateWidget(viewer)
    qtbot.addWidget(panel)
    panel.scan.set_layer(lazy)
    panel.white.set_layer(viewer.layers["white"])
    count, held = len(viewer.layers), True
    threads.clear()
    panel.run()
    assert begun.wait(PATIENCE)
    assert threading.main_thread() not in threads
    assert not panel.run_button.isEnabled()
    panel.cancel_button.click()
    go_on.set()
    qtbot.waitUntil(lambda: panel.run_button.isEnabled())
    assert "Cancelled" in panel.message.text()
    begun.clear()
    go_on.clear()
    panel.show()
    panel.run()
    assert begun.wait(PATIENCE)
    panel.close()
    go_on.set()
    panel.show()
    assert panel.run_button.isEnabled()
    assert len(viewer.layers) == count
    held = False
    right = calibrate(cube(RAW), cube(WHITE))
    np.testing.assert_allclose(layer_cube(ran(panel)).data[:], right.data[:], rtol=1e-6)


def test_a_scan_that_is_removed_meanwhile_is_told(panel, viewer, qtbot):
    panel.run()
    viewer.layers.remove("raw")
    count = len(viewer.layers)
    qtbot.waitUntil(lambda: "removed" in panel.message.text())
    assert len(viewer.layers) == count


@pytest.mark.parametrize("name", ["raw", "white", "dark"])
def test_what_is_changed_meanwhile_is_told(panel, viewer, qtbot, name):
    panel.has_dark.setChecked(True)
    panel.dark.set_layer(viewer.layers["dark"])
    panel.run()
    viewer.layers[name].data = viewer.layers[name].data * 2
    qtbot.waitUntil(lambda: not panel.cancel_button.isEnabled())
    assert panel.message.text() == f"“{name}” was changed before the reflectance was ready."
    assert len(viewer.layers) == 3


@pytest.mark.parametrize("name", ["white", "dark"])
def test_a_reference_that_is_removed_meanwhile_is_told(panel, viewer, qtbot, name):
    panel.has_dark.setChecked(True)
    panel.dark.set_layer(viewer.layers["dark"])
    panel.run()
    viewer.layers.remove(name)
    qtbot.waitUntil(lambda: not panel.cancel_button.isEnabled())
    assert panel.message.text() == f"“{name}” was removed before the reflectance was ready."
    assert len(viewer.layers) == 2


@pytest.mark.parametrize("how", ["moved", "taken away", "removed"])
def test_a_rectangle_that_is_changed_meanwhile_is_told(panel, viewer, qtbot, how):
    corners = np.array([[1.6, 1.8], [1.6, 7.1], [5.2, 7.1], [5.2, 1.8]])
    shapes = viewer.add_shapes([corners], name="here")
    panel.white.set_layer(shapes)
    panel.run()
    if how == "removed":
        viewer.layers.remove(shapes)
    else:
        shapes.data = [corners + 3] if how == "moved" else []
    qtbot.waitUntil(lambda: not panel.cancel_button.isEnabled())
    was = "removed" if how == "removed" else "changed"
    assert panel.message.text() == f"“here” was {was} before the reflectance was ready."
    assert "raw reflectance" not in viewer.layers


def test_wavelengths_that_are_stated_meanwhile_are_told(panel, viewer, qtbot):
    panel.run()
    layers.set_wavelengths(viewer.layers["raw"], [500, 510, 520])
    qtbot.waitUntil(lambda: not panel.cancel_button.isEnabled())
    assert "“raw” was changed" in panel.message.text()


def test_without_a_scan(ran, qtbot):
    widget = CalibrateWidget(ViewerModel())
    qtbot.addWidget(widget)
    assert not widget.run_button.isEnabled()
    assert ran(widget) is None


def test_the_form_gets_its_room_back_after_a_message(viewer, qtbot):
    """In a dock, which follows the sizes that its widget allows, below another one."""
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(QWidget())
    panel = CalibrateWidget(viewer)
    for widget in (QTextEdit(), panel):
        dock = QDockWidget()
        dock.setWidget(widget)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    window.resize(900, 900)
    window.show()
    qtbot.waitExposed(window)
    form = panel.findChild(VerticalScroll)
    bar = form.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() == 0)  # all of its rows are seen
    for text in ("A long one. " * 20, "Short.", "A long one. " * 20, "Short again."):
        panel.message.show_error(text)
        qtbot.wait(30)
        assert bar.maximum() == 0
    window.resize(900, 300)
    qtbot.waitUntil(lambda: bar.maximum() > 0)  # it scrolls; what is below it stays
    assert form.height() >= form.minimumHeight()
    lower = panel.run_button.mapTo(window, panel.run_button.rect().bottomLeft()).y()
    assert lower <= window.height()


def test_layers_with_the_names_of_references_are_taken_as_these(viewer, qtbot, ran):
    widget = CalibrateWidget(viewer)  # the last layer, the dark one, is active
    qtbot.addWidget(widget)
    widget.has_dark.setChecked(True)
    chosen = [chooser.layer().name for chooser in (widget.scan, widget.white, widget.dark)]
    assert chosen == ["raw", "white", "dark"]
    assert ran(widget).name == "raw reflectance"
    assert "“dark” and “white” lie over it" in widget.message.text()
    assert [chooser.layer().name for chooser in (widget.scan, widget.dark)] == ["raw", "dark"]


@pytest.mark.parametrize("same", ["raw", "white"])
def test_the_scan_or_the_white_as_dark_reference_is_refused(panel, viewer, same):
    panel.has_dark.setChecked(True)
    panel.dark.set_layer(viewer.layers[same])
    assert not panel.run_button.isEnabled()
    assert "neither the scan nor the white" in panel.message.text()
    panel.has_dark.setChecked(False)
    assert panel.run_button.isEnabled()


@pytest.mark.parametrize(
    ("kind", "corners"),
    [
        ("ellipse", [[2, 2], [2, 6], [7, 6], [7, 2]]),
        ("polygon", [[2, 2], [2, 6], [7, 2]]),
        ("rectangle", [[2, 4], [5, 7], [8, 4], [5, 1]]),
        ("path", [[2, 2], [7, 6], [7, 2], [3, 3]]),
    ],
)
def test_what_is_no_upright_rectangle_is_no_white(ran, panel, viewer, kind, corners):
    drawn = viewer.add_shapes([np.array(corners, float)], shape_type=kind, name="drawn")
    panel.white.set_layer(drawn)
    assert ran(panel) is None
    assert "“drawn” is no rectangle" in panel.message.text()
    drawn.data = [np.array([[2, 6], [2, 2], [7, 2], [7, 6]], float)]
    drawn.shape_type = ["rectangle"]
    assert ran(panel) is not None


def test_a_doubtful_reflectance_is_told_as_a_warning(ran, panel, viewer):
    viewer.layers["white"].data = np.full((3, 5, 10), 4095, np.float32)
    ran(panel)
    assert panel.message.kind == "warning"
    assert "overexposed" in panel.message.text()
