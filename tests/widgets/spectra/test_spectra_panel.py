"""The Spectra panel, on a viewer model and in a real window."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.viewer import pins, shortcuts
from napari_hsr.viewer.canvas_text import wavelength_text
from napari_hsr.viewer.layers import add_cube, set_wavelengths
from napari_hsr.viewer.names import rename
from napari_hsr.widgets.spectra import panel as spectra
from napari_hsr.widgets.spectra.panel import SpectraWidget

NM = np.arange(400.0, 701.0, 10.0)


def values(bands=31, height=20, width=30, seed=0):
    return np.random.default_rng(seed).random((bands, height, width), dtype=np.float32)


def make_cube(name="prediction", seed=0, nm=NM, shape=(20, 30), units="reflectance"):
    wavelengths = None if nm is None else Wavelengths(nm)
    bands = 31 if nm is None else len(nm)
    return Cube(values(bands, *shape, seed), wavelengths, units, name)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    widget = SpectraWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(widget)
    widget.resize(420, 560)
    yield widget
    widget.release()


@pytest.fixture
def settled(qtbot, panel):
    """Waits until nothing is put off and nothing is being measured any more."""

    def wait():
        panel._cursor_throttle.flush()
        panel._settle.flush(restart_timer=False)
        qtbot.waitUntil(lambda: not panel._meter.busy)

    return wait


def point_at(viewer, y, x, nm=550.0):
    viewer.cursor.position = (nm, float(y), float(x))


def names(panel):
    return [shown.drawn.name for shown in panel.shown]


def curves(panel, start):
    return [s for s in panel.shown if s.drawn.name.startswith(start)]


# --- the cursor ------------------------------------------------------------------------------


def test_empty_panel_says_what_to_do(viewer, panel):
    assert "Open a cube" in panel.plot._placeholder.text()
    assert "Shift-click" in panel.plot._placeholder.text()
    assert not panel.csv_button.isEnabled()
    add_cube(viewer, make_cube())
    panel._settle.flush()
    assert panel.plot._placeholder.text().startswith("Move the mouse over the cube")
    viewer.layers[0].visible = False
    panel._settle.flush()
    assert "visible" in panel.plot._placeholder.text()


def test_cursor_shows_the_pixel_of_every_visible_cube(viewer, panel, settled):
    one = add_cube(viewer, make_cube("prediction", 1))
    two = add_cube(viewer, make_cube("truth", 2))
    settled()
    point_at(viewer, 12.3, 7.6)
    settled()
    assert names(panel) == ["cursor · prediction", "cursor · truth"]
    for shown, layer in zip(panel.shown, (one, two), strict=True):
        np.testing.assert_array_equal(shown.curve.mean, layer.data[:, 12, 8])
        np.testing.assert_array_equal(shown.drawn.x, NM)
    assert len({s.drawn.color for s in panel.shown}) == 1
    assert len({s.drawn.style for s in panel.shown}) == 2
    two.visible = False
    settled()
    assert names(panel) == ["cursor"]


def test_cursor_curve_goes_outside_and_pins_stay(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 3, 4))
    point_at(viewer, 5, 5)
    settled()
    assert names(panel) == ["cursor", "pin 1"]
    point_at(viewer, 50, 5)
    settled()
    assert names(panel) == ["pin 1"]
    assert panel.readout.text() == ""


def test_cubes_of_other_grid_and_resolution_share_the_plot(viewer, panel, settled):
    add_cube(viewer, make_cube("fine", shape=(40, 60)))
    nm = np.arange(420.0, 691.0, 5.0)
    coarse = add_cube(
        viewer, make_cube("coarse", 3, nm, (10, 15)), scale=(4, 4), translate=(1.5, 1.5)
    )
    settled()
    viewer.dims.set_point(0, 550)
    point_at(viewer, 21, 34)
    settled()
    fine, other = panel.shown
    assert fine.pixel == (21, 34)
    assert other.pixel == (5, 8)
    np.testing.assert_array_equal(other.curve.mean, coarse.data[:, 5, 8])
    np.testing.assert_array_equal(other.drawn.x, nm)
    assert "row 21, column 34" in panel.readout.text()
    assert "row 5, column 8" in panel.readout.text()


def test_readout_gives_values_with_unit_and_place(viewer, panel, settled):
    one = add_cube(viewer, make_cube("prediction", 1))
    two = add_cube(viewer, make_cube("truth", 2))
    settled()
    viewer.dims.set_point(0, 550)
    point_at(viewer, 12, 8)
    settled()
    a, b = one.data[15, 12, 8], two.data[15, 12, 8]
    assert panel.readout.text().split("\n") == [
        "λ = 550 nm, reflectance, row 12, column 8",
        f"{a:.4g} (prediction)",
        f"{b:.4g} (truth)",
    ]
    viewer.dims.set_point(0, 600)
    assert panel.readout.text().startswith("λ = 600 nm, reflectance, row")
    assert f"{one.data[20, 12, 8]:.4g} (prediction)" in panel.readout.text()
    panel.copy_button.click()
    table = QApplication.clipboard().text().splitlines()
    assert table[0].startswith("wavelength_nm")
    assert len(table) == 32


def test_nan_is_no_value(viewer, panel, settled):
    cube = make_cube()
    cube.data[15, 2, 2] = np.nan
    add_cube(viewer, cube)
    settled()
    viewer.dims.set_point(0, 550)
    point_at(viewer, 2, 2)
    settled()
    assert "no value" in panel.readout.text()
    assert np.isnan(panel.shown[0].drawn.y[15])


def test_cube_without_wavelengths_goes_by_band(viewer, panel, settled):
    layer = add_cube(viewer, make_cube(nm=None, units=None))
    settled()
    viewer.dims.set_point(0, 7)
    point_at(viewer, 3, 3, nm=7)
    settled()
    np.testing.assert_array_equal(panel.shown[0].drawn.x, np.arange(1, 32))
    assert panel.plot._labels == ("band", "value")
    assert panel.plot.marker_value() == 8
    assert panel.readout.text().startswith("band 8, row 3, column 3\n")
    assert wavelength_text(viewer) == "band 8"  # the same on the canvas
    panel.plot.marker_moved.emit(12.4)
    assert viewer.dims.point[0] == 11
    assert panel.plot.marker_value() == 12
    set_wavelengths(layer, NM)
    settled()
    assert panel.plot._labels == ("wavelength (nm)", "value")


def test_cube_without_wavelengths_beside_one_with_them_is_named(viewer, panel, settled):
    add_cube(viewer, make_cube("known"))
    add_cube(viewer, make_cube("unknown", nm=None))
    settled()
    point_at(viewer, 3, 3)
    settled()
    assert [s.source.name for s in panel.shown] == ["known"]
    assert "unknown" in panel.message.text()


def test_units_name_the_axis(viewer, panel, settled):
    add_cube(viewer, make_cube("a"))
    settled()
    assert panel.plot._labels[1] == "reflectance"
    add_cube(viewer, make_cube("b", units="W m-2 sr-1 nm-1"))
    settled()
    point_at(viewer, 3, 3)
    settled()
    assert panel.plot._labels[1] == "value (units differ)"
    assert names(panel)[1].endswith("[W m-2 sr-1 nm-1]")
    viewer.layers.pop(0)
    settled()
    assert panel.plot._labels[1] == "value (W m-2 sr-1 nm-1)"


def test_new_data_in_a_layer_is_seen(viewer, panel, settled):
    layer = add_cube(viewer, make_cube())
    settled()
    point_at(viewer, 3, 3)
    settled()
    layer.data = values(seed=9)
    settled()
    np.testing.assert_array_equal(panel.shown[0].curve.mean, layer.data[:, 3, 3])


def test_cube_is_looked_up_once_for_many_moves(viewer, panel, settled, monkeypatch):
    from napari_hsr.widgets.spectra import sources

    add_cube(viewer, make_cube())
    settled()
    point_at(viewer, 1, 1)
    settled()
    calls = []
    monkeypatch.setattr(sources, "layer_cube", lambda layer: calls.append(layer))
    for x in range(2, 12):
        point_at(viewer, 1, x)
        panel._cursor_throttle.flush()
    assert calls == []
    assert panel.shown[0].pixel == (1, 11)


def test_a_fault_of_a_lazy_array_becomes_a_sentence(viewer, panel, settled, monkeypatch):
    add_cube(viewer, make_cube())
    settled()

    def broken(cube, row, col):
        raise OSError("the disk is gone")

    monkeypatch.setattr(spectra.spectra, "pixel", broken)
    point_at(viewer, 3, 3)
    settled()
    assert "the disk is gone" in panel.message.text()
    monkeypatch.undo()
    point_at(viewer, 4, 4)
    settled()
    assert panel.message.text() == ""
    assert names(panel) == ["cursor"]


def test_deleting_layers_leaves_nothing_behind(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 2, 2))
    viewer.add_shapes([box(2, 2, 8, 8)])
    point_at(viewer, 3, 3)
    settled()
    assert len(panel.shown) == 3
    layers = [weakref.ref(viewer.layers[name]) for name in ("prediction", pins.NAME)]
    viewer.layers.clear()
    settled()
    assert panel.shown == []
    assert "Open a cube" in panel.plot._placeholder.text()
    gc.collect()
    assert [ref() for ref in layers] == [None, None]


# --- pins ------------------------------------------------------------------------------------


def test_pin_makes_one_layer_with_the_colours_of_the_curves(viewer, panel, settled):
    cube = add_cube(viewer, make_cube())
    settled()
    for place in ((550, 3, 4), (550, 10, 20), (550, 15, 25)):
        panel.pin(place)
    settled()
    layer = viewer.layers[pins.NAME]
    assert layer.data.shape == (3, 2)
    assert viewer.layers.selection.active == cube
    drawn = [s.drawn.color for s in curves(panel, "pin")]
    assert drawn == [pins.hex_color(c) for c in layer.face_color]
    assert len(set(drawn)) == 3
    np.testing.assert_array_equal(panel.shown[1].curve.mean, cube.data[:, 10, 20])


def test_moved_recoloured_and_removed_points_are_followed(viewer, panel, settled):
    cube = add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 3, 4))
    panel.pin((550, 10, 20))
    settled()
    layer = viewer.layers[pins.NAME]
    layer.data = np.array([[3, 4], [11, 21.0]])
    layer.face_color = np.array([[1, 0, 0, 1], [0, 0, 1, 1.0]])
    settled()
    assert [s.pixel for s in panel.shown] == [(3, 4), (11, 21)]
    assert [s.drawn.color for s in panel.shown] == ["#ff0000", "#0000ff"]
    layer.selected_data = {0}
    layer.remove_selected()
    settled()
    assert names(panel) == ["pin 2"]
    np.testing.assert_array_equal(panel.shown[0].curve.mean, cube.data[:, 11, 21])


def test_points_added_with_naparis_tools_get_a_number_and_a_colour(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 3, 4))
    settled()
    layer = viewer.layers[pins.NAME]
    layer.add([[10, 20], [11, 21]])
    settled()
    assert names(panel) == ["pin 1", "pin 2", "pin 3"]
    assert len({s.drawn.color for s in panel.shown}) == 3


def test_clear_takes_the_points_and_leaves_the_layer(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 3, 4))
    panel.pin((550, 4, 4))
    rename(viewer.layers[pins.NAME], 2, "leaf")
    settled()
    panel.clear_button.click()
    settled()
    assert panel.shown == []
    assert pins.NAME in viewer.layers
    assert not panel.clear_button.isEnabled()
    panel.pin((550, 5, 6))
    settled()
    assert names(panel) == ["pin 1"]  # neither the number nor the name of one removed


def test_three_dimensional_points_are_pins_too(viewer, panel, settled):
    cube = add_cube(viewer, make_cube())
    viewer.add_points([[550.0, 4, 5]], name=pins.NAME)
    settled()
    panel.pin((550, 8, 9))
    settled()
    assert [s.pixel for s in curves(panel, "pin")] == [(4, 5), (8, 9)]
    np.testing.assert_array_equal(panel.shown[0].curve.mean, cube.data[:, 4, 5])


def test_pins_on_a_moved_and_scaled_layer_and_cube(viewer, panel, settled):
    add_cube(viewer, make_cube(), scale=(2, 2), translate=(100, 50))
    viewer.add_points([[0, 0]], name=pins.NAME, scale=(4, 4), translate=(110, 70))
    settled()
    assert [s.pixel for s in panel.shown] == [(5, 10)]
    panel.pin((0, 104, 52))
    settled()
    assert [s.pixel for s in panel.shown] == [(5, 10), (2, 1)]


def test_pin_beside_every_cube_says_so(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 90, 90))
    assert "no visible cube" in panel.message.text()
    assert pins.NAME not in viewer.layers


def test_many_pins_are_limited_and_said(viewer, panel, settled):
    add_cube(viewer, make_cube())
    viewer.add_points(np.tile([[2.0, 3.0]], (100, 1)), name=pins.NAME)
    settled()
    assert len(panel.shown) == spectra.MAX_PINS
    assert "100" in panel.message.text()


def click(panel, place, *, shift=True, moves=(), button=1):
    """A press, moves and a release as napari hands them to its callbacks."""
    event = SimpleNamespace(
        type="mouse_press",
        button=button,
        modifiers=("Shift",) if shift else (),
        position=place,
        pos=np.array([50.0, 50.0]),
        handled=False,
    )
    call = panel._events._shift_click(panel._viewer, event)
    next(call, None)
    for step in moves:
        event.type, event.pos = "mouse_move", event.pos + step
        next(call, None)
    event.type = "mouse_release"
    next(call, None)
    return event


def test_shift_click_pins_and_other_clicks_do_not(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    click(panel, (550, 3, 4), shift=False)
    click(panel, (550, 3, 4), button=2)
    click(panel, (550, 3, 4), moves=(3, 30))
    assert pins.NAME not in viewer.layers
    event = click(panel, (550, 3, 4), moves=(1,))
    assert event.handled
    np.testing.assert_array_equal(viewer.layers[pins.NAME].data, [[3, 4]])


def test_shift_click_belongs_to_the_tool_in_hand(viewer, panel, settled):
    add_cube(viewer, make_cube())
    labels = viewer.add_labels(np.zeros((20, 30), int))
    settled()
    labels.mode = "paint"
    event = click(panel, (550, 3, 4))
    assert not event.handled
    assert pins.NAME not in viewer.layers


# --- regions ---------------------------------------------------------------------------------


def box(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], dtype=float)


def test_shapes_give_mean_and_deviation_each_in_its_colour(viewer, panel, settled):
    cube = add_cube(viewer, make_cube())
    layer = viewer.add_shapes([box(1.5, 2.5, 6.5, 9.5), box(9.5, 9.5, 14.5, 19.5)])
    settled()
    for shown, part in zip(
        panel.shown, (cube.data[:, 2:7, 3:10], cube.data[:, 10:15, 10:20]), strict=True
    ):
        np.testing.assert_allclose(shown.curve.mean, part.mean(axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(shown.curve.std, part.std(axis=(1, 2)), rtol=1e-5)
        assert shown.curve.count == part[0].size
    assert [s.drawn.color for s in panel.shown] == [pins.hex_color(c) for c in layer.edge_color]
    assert len({s.drawn.color for s in panel.shown}) == 2
    layer.edge_color = "red"
    settled()
    assert {s.drawn.color for s in panel.shown} == {"#ff0000"}


def test_all_kinds_of_shapes(viewer, panel, settled):
    add_cube(viewer, make_cube())
    layer = viewer.add_shapes()
    layer.add_ellipses(box(2.5, 2.5, 12.5, 12.5))
    layer.add_polygons(np.array([[1.5, 15.5], [1.5, 25.5], [11.5, 15.5]]))
    layer.add_lines(np.array([[15.0, 2.0], [15.0, 11.0]]))
    layer.add_paths(np.array([[17.0, 2.0], [17.0, 6.0], [19.0, 6.0]]))
    settled()
    counts = [s.curve.count for s in panel.shown]
    assert counts[0] == pytest.approx(np.pi * 25, abs=6)
    assert counts[1] == pytest.approx(50, abs=6)
    assert counts[2:] == [10, 7]


@pytest.mark.parametrize("ndim", [2, 3])
def test_labels_of_two_and_three_dimensions(viewer, panel, settled, ndim):
    cube = add_cube(viewer, make_cube())
    image = np.zeros((20, 30), int)
    image[2:7, 3:10] = 3
    image[10:15, 10:20] = 7
    options = {}
    if ndim == 3:  # painted on two planes, as napari does it on the plane in view
        stack = np.zeros((31, 20, 30), int)
        stack[4][image == 3] = 3
        stack[20][image == 7] = 7
        image, options = stack, {"scale": (10, 1, 1), "translate": (400, 0, 0)}
    layer = viewer.add_labels(image, name="leaf", **options)
    settled()
    assert [n.split(" (")[0] for n in names(panel)] == ["leaf 3", "leaf 7"]
    np.testing.assert_allclose(
        panel.shown[1].curve.mean, cube.data[:, 10:15, 10:20].mean(axis=(1, 2)), rtol=1e-5
    )
    expected = [pins.hex_color(layer.get_color(n)) for n in (3, 7)]
    assert [s.drawn.color for s in panel.shown] == expected


def test_painting_and_undo_are_followed(viewer, panel, settled, qtbot):
    add_cube(viewer, make_cube())
    layer = viewer.add_labels(np.zeros((20, 30), int))
    settled()
    assert panel.shown == []
    layer.brush_size = 4
    layer.paint((5, 5), 1)
    qtbot.waitUntil(lambda: len(panel.shown) == 1)
    layer.undo()
    qtbot.waitUntil(lambda: panel.shown == [])


def test_regions_cross_resolutions_through_the_world(viewer, panel, settled):
    fine = make_cube("fine", shape=(40, 60))
    add_cube(viewer, fine)
    coarse = Cube(
        fine.data.reshape(31, 10, 4, 15, 4).mean(axis=(2, 4)), fine.wavelengths, None, "coarse"
    )
    add_cube(viewer, coarse, scale=(4, 4), translate=(1.5, 1.5))
    # The same rectangle three times: a shape in the world, labels as the fine and the coarse cube.
    viewer.add_shapes([box(7.5, 11.5, 23.5, 31.5)], name="shape")
    image = np.zeros((40, 60), int)
    image[8:24, 12:32] = 1
    viewer.add_labels(image, name="fine labels")
    viewer.add_labels(image[::4, ::4], name="coarse labels", scale=(4, 4), translate=(1.5, 1.5))
    settled()
    counts = {n: s.curve.count for n, s in zip(names(panel), panel.shown, strict=True)}
    assert sorted(counts.values()) == [20, 20, 20, 320, 320, 320]
    expected = fine.data[:, 8:24, 12:32].mean(axis=(1, 2))
    for shown in panel.shown:
        np.testing.assert_allclose(shown.curve.mean, expected, rtol=1e-4)


def test_rotated_labels_and_cube(viewer, panel, settled):
    cube = add_cube(viewer, make_cube())
    image = np.zeros((30, 20), int)
    image[3:10, 2:7] = 1  # a quarter turn: world (y, x) = (column, 29 - row)
    viewer.add_labels(image, affine=np.array([[0, 1, 0], [-1, 0, 29], [0, 0, 1.0]]))
    settled()
    np.testing.assert_allclose(
        panel.shown[0].curve.mean, cube.data[:, 2:7, 20:27].mean(axis=(1, 2)), rtol=1e-5
    )


def test_region_outside_is_a_sentence(viewer, panel, settled):
    add_cube(viewer, make_cube())
    viewer.add_shapes([box(100, 100, 110, 110), box(15.5, 25.5, 40, 50)], name="far")
    settled()
    assert "far 1 covers no pixel of prediction." in panel.message.text()
    assert [s.curve.count for s in panel.shown] == [4 * 4]  # the part inside counts
    viewer.layers["far"].visible = False
    settled()
    assert panel.message.text() == ""
    assert panel.shown == []


def test_many_labels_are_limited_and_said(viewer, panel, settled):
    add_cube(viewer, make_cube())
    viewer.add_labels(np.arange(600).reshape(20, 30) // 3)
    settled()
    assert len(panel.shown) == spectra.MAX_REGIONS
    assert "199 regions" in panel.message.text()


def test_boxes_switch_the_kinds_on_and_off(viewer, panel, settled):
    add_cube(viewer, make_cube())
    viewer.add_shapes([box(2, 2, 8, 8)], name="Shapes")
    settled()
    panel.pin((550, 3, 4))
    point_at(viewer, 5, 5)
    settled()
    assert [n.split()[0] for n in names(panel)] == ["cursor", "pin", "Shapes"]
    for switch, left in (
        (panel.cursor_box, ["pin", "Shapes"]),
        (panel.pins_box, ["Shapes"]),
        (panel.regions_box, []),
    ):
        switch.setChecked(False)
        settled()
        assert [n.split()[0] for n in names(panel)] == left
    assert "Tick" in panel.plot._placeholder.text()


# --- marker, export, life ---------------------------------------------------------------------


def test_marker_and_slider_move_each_other(viewer, panel, settled):
    add_cube(viewer, make_cube())
    settled()
    viewer.dims.set_point(0, 620)
    assert panel.plot.marker_value() == 620
    panel.plot.marker_moved.emit(486.0)
    assert viewer.dims.point[0] == 490
    assert panel.plot.marker_value() == 490


def test_export_csv_holds_what_the_plot_shows(viewer, panel, settled, tmp_path):
    cube = add_cube(viewer, make_cube())
    viewer.add_shapes([box(1.5, 2.5, 6.5, 9.5)], name="leaf")
    settled()
    panel.pin((550, 3, 4))
    settled()
    path = panel.export_csv(tmp_path / "spectra.csv")
    lines = path.read_text().splitlines()
    assert lines[0] == (
        'wavelength_nm,"pin 1 (row 3, column 4) [reflectance]",'
        "leaf 1 [reflectance],leaf 1 std [reflectance],leaf 1 n"
    )
    row = lines[16].split(",")
    part = cube.data[15, 2:7, 3:10].astype(float)
    assert [float(v) for v in row] == pytest.approx(
        [550, cube.data[15, 3, 4], part.mean(), part.std(), 35]
    )


def test_export_through_the_dialogs(viewer, panel, settled, tmp_path, monkeypatch):
    add_cube(viewer, make_cube())
    settled()
    with pytest.raises(InputError, match="no spectrum"):
        panel.export_csv(tmp_path / "none.csv")
    panel.pin((550, 3, 4))
    settled()
    for button, name in ((panel.csv_button, "a.csv"), (panel.png_button, "a.png")):
        typed = str(tmp_path / "a")
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, typed=typed: (typed, ""))
        button.click()
        assert (tmp_path / name).stat().st_size > 0
        assert name in panel.message.text()
    before = (tmp_path / "a.csv").read_bytes()
    panel.pin((550, 4, 4))
    settled()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "a"), ""))
    monkeypatch.setattr(QMessageBox, "exec", lambda _box: QMessageBox.StandardButton.No)
    panel.csv_button.click()  # a.csv was not named in the dialog, which has not asked
    assert (tmp_path / "a.csv").read_bytes() == before
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "x/a.csv"), ""))
    panel.csv_button.click()
    assert panel.message.kind == "error"
    with pytest.raises(FileError):
        panel.export_png(tmp_path / "x" / "a.png")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: ("", ""))
    panel.csv_button.click()  # cancelled: nothing happens


def listeners(viewer):
    emitters = [viewer.cursor.events.position, viewer.dims.events.point, viewer.events.theme]
    emitters += [viewer.layers.events.inserted, viewer.layers.events.removed]
    emitters += [getattr(layer.events, n) for layer in viewer.layers for n in ("data", "visible")]
    return [len(e.callbacks) for e in emitters] + [
        len(viewer.mouse_drag_callbacks),
        len(viewer.mouse_move_callbacks),
    ]


def test_closing_takes_every_callback_out(viewer, qtbot):
    add_cube(viewer, make_cube())
    viewer.add_shapes([box(2, 2, 8, 8)])
    before = listeners(viewer)
    panel = SpectraWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(panel)
    assert listeners(viewer) != before
    panel.pin((550, 3, 4))
    pinned = viewer.layers[pins.NAME]
    panel.close()
    assert pins.NAME in viewer.layers
    viewer.layers.remove(pinned)
    assert listeners(viewer) == before
    panel.attach()  # opened again
    assert listeners(viewer) != before
    panel.release()
    assert listeners(viewer) == before


def test_a_deleted_panel_is_not_called(viewer, qtbot):
    add_cube(viewer, make_cube())
    before = listeners(viewer)
    panel = SpectraWidget(PublicOnlyProxy(viewer))
    panel.deleteLater()
    qtbot.wait(10)
    assert listeners(viewer) == before
    point_at(viewer, 3, 3)
    viewer.dims.set_point(0, 500)


def test_in_a_real_window_with_a_real_mouse(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    add_cube(viewer, make_cube(shape=(60, 80)))
    panel = SpectraWidget(viewer)
    dock = viewer.window.add_dock_widget(panel, name="Spectra", area="right")
    canvas = viewer.__wrapped__.window._qt_viewer.canvas.native
    qtbot.wait(50)
    centre = QPoint(canvas.width() // 2, canvas.height() // 2)
    qtbot.mouseMove(canvas, centre)
    qtbot.waitUntil(lambda: names(panel) == ["cursor"])
    row, column = panel.shown[0].pixel
    assert abs(row - 30) <= 2
    assert abs(column - 40) <= 2
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, shift, centre)
    qtbot.waitUntil(lambda: len(curves(panel, "pin")) == 1)
    assert curves(panel, "pin")[0].pixel == (row, column)
    viewer.theme = "light"
    assert panel.shown[0].drawn.color == panel.plot.foreground
    viewer.window.remove_dock_widget(dock)
    assert not panel._attached
    assert pins.NAME in viewer.layers
    panel.deleteLater()


# --- the pins of others ------------------------------------------------------------------------


def test_any_points_layer_can_hold_the_pins(viewer, panel, settled):
    add_cube(viewer, make_cube())
    own = viewer.add_points([[3, 4], [10, 20.0]], name="leaves", face_color=["red", "red"])
    settled()
    assert [s.pixel for s in curves(panel, "pin")] == [(3, 4), (10, 20)]
    assert panel.shown[0].drawn.color == "#ff0000"  # the user's own, where they differ
    assert len({s.drawn.color for s in panel.shown}) == 2
    assert list(own.text.values) == ["1", "2"]
    panel.pin((550, 5, 6))
    assert len(own.data) == 3
    assert pins.NAME not in viewer.layers
    other = viewer.add_points([[7, 7.0]], name="roots")
    settled()
    assert [s.pixel for s in panel.shown] == [(7, 7)]  # the active one
    assert not panel._points_row.isHidden()
    panel.points.set_layer(own)
    settled()
    assert len(curves(panel, "pin")) == 3
    viewer.layers.remove(own)
    settled()
    assert panel.points.layer() == other


def test_pins_that_were_saved_come_back_alive(viewer, panel, settled, tmp_path):
    add_cube(viewer, make_cube())
    settled()
    panel.pin((550, 3, 4))
    panel.pin((550, 10, 20))
    settled()
    layer = viewer.layers[pins.NAME]
    layer.save(str(tmp_path / "mine.csv"), plugin="napari")
    viewer.layers.remove(layer)
    settled()
    assert panel.shown == []
    viewer.open(tmp_path / "mine.csv", plugin="napari")
    settled()
    assert names(panel) == ["pin 1", "pin 2"]
    assert [s.pixel for s in panel.shown] == [(3, 4), (10, 20)]
    assert len({s.drawn.color for s in panel.shown}) == 2
    panel.pin((550, 5, 6))
    settled()
    assert names(panel) == ["pin 1", "pin 2", "pin 3"]


def test_pins_and_regions_differ_in_colour(viewer, panel, settled):
    """As many of both as the palette has, whichever came first."""
    add_cube(viewer, make_cube())
    settled()
    for number in range(8):
        panel.pin((550, number, number))
    settled()
    viewer.add_shapes([box(n, n, n + 5, n + 5) for n in range(8)])
    settled()
    for number in range(4):
        panel.pin((550, number + 9, number))
    settled()
    assert len(panel.shown) == 20
    assert len({s.drawn.color for s in panel.shown}) == 20


def test_pins_in_micrometres_lie_where_they_were_set(viewer, panel, settled):
    """napari's world is in nanometres beside the band axis; the layer of pins takes the cube's unit."""
    add_cube(viewer, make_cube(), scale=(0.5, 0.5), units=("um", "um"))
    settled()
    panel.pin((550, 1600, 2100))
    layer = viewer.layers[pins.NAME]
    viewer.add_shapes([box(-0.5, -0.5, 4.5, 4.5)], scale=(0.5, 0.5), units=("um", "um"))
    settled()
    assert viewer.layers.extent.units is not None
    np.testing.assert_allclose(layer.data, [[1.6, 2.1]])
    assert panel.shown[0].pixel == (3, 4)
    assert curves(panel, "Shapes")[0].curve.count == 25
    point_at(viewer, 1600, 2600)
    settled()
    assert panel.shown[0].pixel == (3, 5)


def test_the_cursor_goes_into_no_file_unasked(viewer, panel, settled, tmp_path):
    add_cube(viewer, make_cube())
    settled()
    point_at(viewer, 5, 5)
    settled()
    assert names(panel) == ["cursor"]
    assert not panel.csv_button.isEnabled()
    with pytest.raises(InputError, match="pin one"):
        panel.export_csv(tmp_path / "a.csv")
    panel.pin((550, 3, 4))
    settled()
    head = panel.export_csv(tmp_path / "a.csv").read_text().splitlines()[0]
    assert "cursor" not in head
    assert "pin 1" in head


def test_a_key_pins_what_is_under_the_mouse(viewer, panel):
    add_cube(viewer, make_cube())
    point_at(viewer, 2, 3)
    for count in (1, 2):
        shortcuts.ACTIONS["napari-hsr:pin"].act(viewer)
        assert len(panel.points.layer().data) == count


def test_row_and_column_pin_without_a_mouse(viewer, panel, settled, qtbot):
    window = panel.open_window("Pin at")
    assert not window.pin_button.isEnabled()
    layer = add_cube(viewer, make_cube())
    settled()
    assert window.pin_button.isEnabled()
    layer.translate, layer.scale = (0, 100, 0), (1, 2, 0.5)
    layer.corner_pixels = np.array([[0, 4, 10], [0, 13, 19]])  # as a canvas sets them
    window.close()
    shortcuts.ACTIONS["napari-hsr:pin_at"].act(viewer)
    assert (window.row.value(), window.column.value()) == (9, 15)
    assert (window.row.maximum(), window.column.maximum()) == (19, 29)
    for key in "17":
        qtbot.keyClick(window.row, key)
    qtbot.keyClick(window.row, Qt.Key.Key_Return)
    settled()
    (shown,) = curves(panel, "pin 1")
    assert shown.pixel == (17, 15)
    assert window.row.value() == 17  # it stays for the next one
