"""The tools of the Spectra panel: processing, names, libraries, matching, classes, undo."""

from __future__ import annotations

import csv
import gc
import json
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDialog, QFileDialog, QTableWidget

from napari_hsr import spectra
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, FileError
from napari_hsr.io import write
from napari_hsr.progress import Progress
from napari_hsr.provenance import Provenance
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.viewer.layers import add_cube, add_map
from napari_hsr.viewer.names import given_names, rename
from napari_hsr.viewer.undo import changing, push_added, undo_of
from napari_hsr.widgets.common.control_settings import restore, settings
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.table import widen_for
from napari_hsr.widgets.spectra import classify_window
from napari_hsr.widgets.spectra.curve_table import CurveTable
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.wavelength.set_wavelengths import SetWavelengthsWidget

NM = np.arange(400.0, 701.0, 10.0)
VALUES = np.random.default_rng(3).random((31, 12, 16), dtype=np.float32) + 0.1


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    add_cube(viewer, Cube(VALUES, Wavelengths(NM), "reflectance", "scene"))
    return viewer


@pytest.fixture
def panel(viewer, qtbot):
    widget = SpectraWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(widget)
    widget.resize(420, 620)
    yield widget
    widget.release()


@pytest.fixture
def settled(qtbot, panel):
    def wait():
        panel._cursor_throttle.flush()
        panel._settle.flush(restart_timer=False)
        qtbot.waitUntil(lambda: not panel._meter.busy)

    return wait


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A library of four on wavelengths of its own, and one of many."""
    folder = tmp_path_factory.mktemp("libraries")
    nm = np.arange(350.0, 1001.0, 10.0)
    rows = [np.interp(nm, NM, VALUES[:, y, x]) for y, x in ((2, 3), (5, 5), (8, 1), (9, 9))]
    names = ("leaf", "soil", "paint", "paper")
    write(SpectralLibrary(names, nm, np.stack(rows), "reflectance"), folder / "few.csv")
    rng = np.random.default_rng(0)
    names = tuple(f"mineral {n}" for n in range(40))
    write(SpectralLibrary(names, NM, rng.random((40, 31))), folder / "many.json")
    return folder


def drawn(panel, start):
    return [s for s in panel.shown if s.drawn.name.startswith(start)]


def cells(table, at):
    return [table.item(at, place).text() for place in range(table.columnCount())]


# --- processing --------------------------------------------------------------------------------


def test_curves_are_drawn_processed_and_axis_and_files_follow(viewer, panel, settled, tmp_path):
    settled()
    panel.pin((550, 2, 3))
    panel.pin((550, 5, 5))
    viewer.cursor.position = (550.0, 7.0, 7.0)
    settled()
    assert panel.plot.labels == ("wavelength (nm)", "reflectance")
    panel.processing.choice.set_value("max")
    assert [s.drawn.y.max() for s in panel.shown] == pytest.approx([1, 1, 1])
    assert panel.plot.labels[1] == "relative (max)"
    np.testing.assert_array_equal(panel.plot.curves[1].y, panel.shown[1].curve.mean)
    text = panel.export_csv(tmp_path / "a.csv").read_text()
    assert "pin 1 (row 2, column 3) [relative (max)]" in text
    panel.processing.choice.set_value("derivative")
    expected = spectra.derivative(panel._pins[0].curve).mean
    np.testing.assert_allclose(drawn(panel, "pin 1")[0].drawn.y, expected)
    assert panel.plot.labels[1] == "reflectance / nm"
    panel.processing.window_box.setValue(8)  # even ones do not exist
    assert panel.processing.window_box.value() == 9
    panel.processing.window_box.setValue(41)
    assert "longer than the spectrum" in panel.message.text()
    assert panel.shown == []
    panel.processing.choice.set_value("none")
    assert panel.message.text() == ""
    assert panel.plot.labels[1] == "reflectance"


def test_a_pin_is_the_white_reference_of_the_others_on_its_own_cube(viewer, panel, settled):
    add_cube(viewer, Cube(VALUES * 2, Wavelengths(NM), "reflectance", "twice"))
    settled()
    panel.processing.choice.set_value("white")
    panel.pin((550, 2, 3))
    panel.pin((550, 5, 5))
    settled()
    panel.processing.other.setCurrentIndex(0)
    assert panel.processing.other.currentText().startswith("pin 1")
    for one in drawn(panel, "pin 1"):  # on both cubes
        np.testing.assert_allclose(one.drawn.y, 1)
    expected = VALUES[:, 5, 5] / VALUES[:, 2, 3].astype(float)
    np.testing.assert_allclose(drawn(panel, "pin 2")[1].drawn.y, expected)


@pytest.mark.parametrize(("kind", "words"), [("white", "relative (white)"), ("ratio", "relative")])
def test_a_reference_of_another_cube_is_named(viewer, panel, settled, tmp_path, kind, words):
    add_cube(viewer, Cube(VALUES * 2, Wavelengths(NM), "reflectance", "aside"), translate=(0, 40))
    settled()
    panel.pin((550, 2, 3))
    panel.pin((550, 5, 45))  # on the other cube alone
    settled()
    panel.processing.choice.set_value(kind)
    panel.processing.other.setCurrentIndex(1)
    assert [one.source.name for one in panel.shown] == ["scene", "aside"]
    named = f"{words}, against pin 2 · aside"
    assert [one.curve.units for one in panel.shown] == [named, words]
    assert panel.plot.labels[1] == f"{words} | {named}"
    text = panel.export_csv(tmp_path / "a.csv").read_text(encoding="utf-8")
    assert named in text.splitlines()[0]


# --- names -------------------------------------------------------------------------------------


def test_names_stay_with_points_shapes_and_labels(viewer):
    points = viewer.add_points(np.zeros((2, 2)))
    shapes = viewer.add_shapes([np.array([[0, 0], [0, 3], [3, 3], [3, 0]])])
    labels = viewer.add_labels(np.eye(4, dtype=int) * 3)
    for layer, key in ((points, 1), (shapes, 0), (labels, 3)):
        rename(layer, key, "leaf")
        assert given_names(layer) == {key: "leaf"}
    points.add((3, 3))  # napari gives it the features of the last
    assert given_names(points) == {1: "leaf"}
    rename(labels, 5, "soil")
    rename(labels, 3, "")
    assert given_names(labels) == {5: "soil"}


def test_a_window_is_as_wide_as_a_table_that_will_have_a_bar_for_its_rows(qtbot):
    window = QDialog()
    qtbot.addWidget(window)
    table = QTableWidget(40, 3)
    table.verticalHeader().hide()
    column(table, into=window)
    window.resize(120, 200)
    window.show()
    table.setRowCount(0)
    qtbot.waitUntil(lambda: not table.verticalScrollBar().isVisible())
    table.setRowCount(40)  # laid out later
    widen_for(table)
    qtbot.waitUntil(lambda: table.verticalScrollBar().isVisible())
    assert table.horizontalScrollBar().maximum() == 0


def test_the_table_is_as_wide_as_its_columns(panel, settled, monkeypatch):
    wide = SimpleNamespace(availableGeometry=lambda: QRect(0, 0, 4000, 1000))
    monkeypatch.setattr(CurveTable, "screen", lambda _: wide)
    settled()
    panel.pin((550, 2, 3))
    table = panel.open_window("Table")
    settled()
    table.table.item(0, 0).setText("a leaf with a name that takes more room than other names do")
    settled()
    table.resize(600, 320)
    table._fitted = False
    table.refresh()
    settled()
    assert table.width() > 600
    assert table.table.horizontalScrollBar().maximum() == 0
    table.resize(700, 320)
    table.refresh()
    assert table.width() == 700  # the user's own width


def test_the_table_renames_hides_highlights_and_exports(viewer, panel, settled, tmp_path):
    settled()
    panel.pin((550, 2, 3))
    viewer.add_labels(np.pad(np.full((3, 4), 2), ((0, 9), (0, 12))), name="plots")
    table = panel.open_window("Table")
    settled()
    assert [cells(table.table, at)[0] for at in (0, 1)] == ["pin 1", "plots 2"]
    region = VALUES[:, :3, :4].reshape(31, -1).astype(float)
    band = int(viewer.dims.current_step[0])
    row = cells(table.table, 1)
    assert row[2:5] == ["12", f"{region[band].mean():.4g}", f"{region[band].std():.4g}"]
    assert row[7] == f"{np.median(region[band]):.4g}"
    assert cells(table.table, 0)[11:] == ["2", "3", "3 px", "2 px"]
    assert "nm" in table.where.text()
    with table.export(tmp_path / "t.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["x"], first["y"], first["xy_unit"]) == ("3", "2", "px")

    table.table.item(0, 0).setText("leaf")
    table.table.item(1, 0).setText("soil")
    settled()
    assert [s.drawn.name for s in panel.shown] == ["leaf", "soil (n = 12)"]
    panel.pin((550, 4, 4))
    settled()
    assert len(drawn(panel, "leaf")) == 1  # the new pin is not called so

    table.table.item(1, 0).setText("leaf")
    assert "is called “leaf” already" in table.message.text()
    assert cells(table.table, 1)[0] == "pin 2"
    table.table.item(1, 0).setText("")
    assert table.message.text() == ""
    settled()

    table.table.selectRow(0)
    widths = {c.name: c.width for c in panel.plot.curves}
    assert widths["leaf"] > widths["pin 2"]
    table.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    assert drawn(panel, "leaf") == []
    found = json.loads(table.export(tmp_path / "a.json").read_text())["spectra"]
    assert [one["name"] for one in found] == ["pin 2 (row 4, column 4)", "soil"]
    assert set(found[1]["quantiles"]) == {"q05", "q25", "q50", "q75", "q95"}
    table._show_all()
    assert len(drawn(panel, "leaf")) == 1


def test_a_click_on_the_legend_highlights(viewer, panel, settled, qtbot):
    panel.show()
    settled()
    panel.pin((550, 2, 3))
    settled()
    legend = panel.plot.legend
    label = legend.item.items[1][1].sceneBoundingRect().center()  # the first is the cursor's
    QTest.mouseClick(legend.viewport(), Qt.MouseButton.LeftButton, pos=legend.mapFromScene(label))
    assert panel.plot.curves[0].width > 4
    QTest.mouseClick(legend.viewport(), Qt.MouseButton.LeftButton, pos=legend.mapFromScene(label))
    assert panel.plot.curves[0].width == 2
    QTest.mouseClick(legend.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert panel.look.marks.highlighted is None


# --- libraries ---------------------------------------------------------------------------------


def test_a_small_library_is_drawn_on_its_own_wavelengths_and_the_axis_stays(
    viewer, panel, settled, files
):
    settled()
    panel.pin((550, 2, 3))
    settled()
    before = panel.plot.limits[:2]
    panel.load_library(files / "few.csv")
    leaf = drawn(panel, "leaf")[0]
    assert (leaf.drawn.x[-1], leaf.curve.wavelengths_nm[-1]) == (700, 1000)
    assert panel.plot.limits[:2] == pytest.approx(before)
    panel.load_library(files / "many.json")
    assert drawn(panel, "mineral") == []
    assert len({c.color for c in panel.plot.curves}) == 5
    viewer.layers[0].visible = False
    settled()
    assert panel.plot.labels == ("wavelength (nm)", "reflectance")
    panel.rename(leaf.origin, "oak")
    assert len(drawn(panel, "oak")) == 1
    with pytest.raises(FileError, match="no such file"):
        panel.load_library(files / "none.csv")


def test_matching_lists_the_best_and_draws_what_is_ticked(viewer, panel, settled, files):
    settled()
    window = panel.open_window("Match")
    assert "open a library" in window.said.text()
    panel.load_library(files / "many.json")
    panel.load_library(files / "few.csv")
    assert "open a library" not in window.said.text()
    assert "pin a pixel" in window.said.text()
    panel.pin((550, 5, 5))
    settled()
    assert window.library.currentText() == "few (4)"
    assert window.found.best[0].name == "soil"
    assert cells(window.table, 0)[0] == "soil"
    assert float(cells(window.table, 0)[1]) < 0.5
    assert window.said.text() == ""  # it was measured
    window.library.setCurrentIndex(0)
    first = window.found.best[0].name
    window.table.item(0, 0).setCheckState(Qt.CheckState.Checked)
    assert len(drawn(panel, first)) == 1
    window.by.set_value("correlation")
    values = [one.correlation for one in window.found.best]
    assert values == sorted(values, reverse=True)
    assert len(values) == 20


def test_entries_of_another_quantity_than_the_cube_are_told(panel, settled, qtbot, tmp_path):
    nm = np.arange(390.0, 711.0, 10.0)
    rows = np.random.default_rng(2).random((2, nm.size))
    write(SpectralLibrary(("dye", "ink"), nm, rows, "absorbance"), tmp_path / "dyes.csv")
    settled()
    panel.pin((550, 5, 5))
    panel.load_library(tmp_path / "dyes.csv")
    settled()
    told = "The spectra of dyes are absorbance, and scene holds reflectance"
    window = panel.open_window("Match")
    assert told in window.said.text()
    assert window.said.kind == "warning"
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    window.limit.setChecked(False)
    window.run()
    qtbot.waitUntil(lambda: not window.busy)
    assert told in window.message.text()
    assert window.message.text().count(told) == 1


def test_a_reconstruction_says_what_its_three_numbers_can_tell_apart(viewer, panel, files, settled):
    layer = viewer.layers[0]
    made = Cube(VALUES, Wavelengths(NM), "reflectance", "made", Provenance(model="mstpp"))
    viewer.layers.remove(layer)
    add_cube(viewer, made)
    settled()
    panel.load_library(files / "few.csv")
    panel.pin((550, 5, 5))
    window = panel.open_window("Match")
    settled()
    window.refresh()
    assert "three values a pixel" in window.said.text()
    assert "CIE 1931" in window.said.text()


# --- classes -----------------------------------------------------------------------------------


def test_classes_are_what_pins_and_regions_are_when_it_is_run(viewer, panel, settled, qtbot):
    settled()
    for place in ((550, 0, 0), (550, 2, 3)):
        panel.pin(place)
    settled()
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    pins = panel.points.layer()
    pins.data = [[5, 5], *pins.data[1:]]
    window.run()  # before it was looked at by itself
    qtbot.waitUntil(lambda: not window.busy)
    assert viewer.layers["classes of scene"].data[5, 5] == 1
    assert window.found.angles[5, 5] == pytest.approx(0, abs=0.05)
    viewer.add_shapes([[[0, 0], [0, 9], [9, 9], [9, 0]]])
    window.run()
    assert "being measured" in window.message.text()
    settled()
    window.run()
    qtbot.waitUntil(lambda: not window.busy)
    assert window.message.kind != "error"


def test_painting_on_the_classes_leaves_what_was_found(viewer, panel, settled, qtbot, tmp_path):
    settled()
    for place in ((550, 0, 0), (550, 2, 3)):
        panel.pin(place)
    settled()
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    window.run()
    qtbot.waitUntil(lambda: not window.busy)
    before = window.export_csv(tmp_path / "before.csv").read_text()
    layer = viewer.layers["classes of scene"]
    layer.selected_label = 1
    layer.mode = "paint"
    layer.paint((2, 3), 1)
    assert "painted on" in window.message.text()
    assert window.export_csv(tmp_path / "after.csv").read_text() == before


def test_classes_are_saved_though_another_cube_is_chosen_while_it_is_asked(
    viewer, panel, settled, qtbot, tmp_path, monkeypatch
):
    settled()
    panel.pin((550, 0, 0))
    settled()
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    window.run()
    qtbot.waitUntil(lambda: not window.busy)

    def chosen(*_about):
        window._on_cube()
        return str(tmp_path / "classes.csv"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    window.csv_button.click()
    assert window.found is None
    assert "pin 1" in (tmp_path / "classes.csv").read_text()


def test_classes_can_be_found_after_the_window_was_closed_meanwhile(
    viewer, panel, settled, qtbot, monkeypatch
):
    settled()
    panel.pin((550, 0, 0))
    settled()
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)

    def waits(*_, cancel, **__):
        yield Progress(0, 1)
        cancel.wait()
        raise Cancelled

    with monkeypatch.context() as patch:
        patch.setattr(classify_window, "classify_events", waits)
        window.run_button.click()
        assert not window.run_button.isEnabled()
        window.close()
    panel.open_window("Classify")
    assert not window.cancel_button.isEnabled()
    window.run_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    assert "classes of scene" in viewer.layers


def test_classes_become_a_labels_layer_with_names_areas_and_a_legend(
    viewer, panel, settled, files, qtbot, tmp_path
):
    settled()
    panel.load_library(files / "few.csv")
    panel.pin((550, 0, 0))
    settled()
    for name in ("truth", "map"):
        viewer.add_image(np.zeros((12, 16)), name=name)
    window = panel.open_window("Classify")
    window.run()
    assert "Tick a pin" in window.message.text()
    window.classes.filter.setText("lea")
    window.classes.tick_listed(True)
    window.classes.filter.setText("pin")
    window.classes.tick_listed(True)
    assert len(window.classes.ticked()) == 2
    window.threshold.setValue(5)
    window.run()
    qtbot.waitUntil(lambda: not window.busy and window.found is not None)
    layer = viewer.layers["classes of scene"]
    assert "“map” and “truth” lie over it: hide them to see it." in window.message.text()
    assert layer.data[0, 0] == 1
    assert layer.data[2, 3] == 2
    assert (layer.data == 0).sum() == 12 * 16 - 2
    assert layer.features["name"].tolist() == ["pin 1", "leaf", "unclassified"]
    assert cells(window.table, 1)[:4] == ["leaf", "1", "0.5", "1"]
    assert window.table.horizontalHeaderItem(3).text() == "Area (pixels)"
    rows = list(csv.DictReader(window.export_csv(tmp_path / "c.csv").read_text().splitlines()))
    assert [one["pixels"] for one in rows] == ["1", "1", "190"]
    settled()
    assert len(drawn(panel, "leaf")) == 1  # the class is listed, and not drawn until it is ticked
    regions = [one for one in panel.kept if one.name == "leaf" and one.source is not None]
    panel.set_hidden(regions[0].key, False)
    assert len(drawn(panel, "leaf")) == 2
    assert window.classes.list.count() == 1 + 4  # the pin and the library, not the result
    panel.undo()
    assert "classes of scene" not in viewer.layers


# --- undo --------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["other values", "another cube", "another run"])
def test_the_legend_is_of_the_chosen_cube_as_it_is(viewer, panel, settled, qtbot, change):
    other = add_cube(viewer, Cube(VALUES * 2, Wavelengths(NM), "reflectance", "twice"))
    settled()
    panel.pin((550, 0, 0))
    settled()
    window = panel.open_window("Classify")
    window.cube.set_layer(viewer.layers["scene"])
    window.classes.tick_listed(True)
    window.run()
    qtbot.waitUntil(lambda: not window.busy)
    settled()  # the classes are regions
    viewer.layers["scene"].translate = (400, 5, 5)
    settled()
    assert window.table.rowCount() == 3  # as it was before
    if change == "other values":
        viewer.layers["scene"].data = VALUES + 0.1
    elif change == "another cube":
        window.cube.set_layer(other)
    else:
        window.classes.tick_listed(False)
        window.run()
        assert "Tick a pin" in window.message.text()
    assert window.table.rowCount() == 0
    assert window.found is None
    assert not window.csv_button.isEnabled()
    assert "classes of scene" in viewer.layers


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_classes_of_what_a_cube_no_longer_holds_are_not_shown(
    viewer, panel, settled, qtbot, change
):
    settled()
    panel.pin((550, 0, 0))
    settled()
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    window.run()
    layer = viewer.layers["scene"]
    if change == "changed":
        layer.data = VALUES[:, :5, :6]
    else:
        viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not window.busy)
    assert "classes of scene" not in viewer.layers
    assert window.message.text() == f"The cube was {change} before its classes were ready."


def test_what_is_chosen_in_the_windows_is_the_same_curve_when_another_is_removed(
    viewer, panel, settled, files
):
    corner = np.array([[0, 0], [0, 2], [2, 2], [2, 0]])
    places = [np.array(one) + corner for one in ((0, 0), (4, 4), (7, 8))]
    shapes = viewer.add_shapes(places, shape_type="polygon", name="plots")
    settled()
    panel.load_library(files / "few.csv")
    match, classify = panel.open_window("Match"), panel.open_window("Classify")
    settled()
    middle = panel.kept[1]
    match.curve.set_value(middle.key)
    classify.classes.filter.setText("plots 2")
    classify.classes.tick_listed(True)
    shapes.selected_data = {0}
    shapes.remove_selected()
    settled()
    assert match.curve.currentText() == middle.name
    assert [one.name for one in panel.kept if one.key in classify.classes.ticked()] == ["plots 2"]
    chosen = next(one for one in panel.kept if one.key == match.curve.value())
    np.testing.assert_array_equal(chosen.curve.mean, middle.curve.mean)


def test_names_that_points_had_already_stay(viewer, panel, settled):
    features = {"name": ["leaf", "leaf", "soil"]}
    points = viewer.add_points([[1, 1], [2, 2], [3, 3]], features=features)
    settled()
    assert points.features["pin"].tolist() == [1, 2, 3]
    assert points.features["name"].tolist() == features["name"]


def test_cleared_pins_come_back_with_numbers_names_and_colours(viewer, panel, settled):
    settled()
    panel.pin((550, 2, 3))
    panel.pin((550, 5, 5))
    settled()
    layer = viewer.layers["pinned spectra"]
    rename(layer, 1, "leaf")
    settled()
    before = [(s.drawn.name, s.drawn.color, s.pixel) for s in panel.shown]
    panel.clear_pins()
    assert panel.shown == []
    assert panel.undo_button.toolTip() == "Undo: clear pins"
    panel.undo()
    settled()
    assert [(s.drawn.name, s.drawn.color, s.pixel) for s in panel.shown] == before
    assert panel.message.text() == "Undone: clear pins."


def test_pins_set_after_others_were_cleared_stay_when_those_come_back(viewer, panel, settled):
    settled()
    for place in ((2, 3), (5, 5)):
        panel.pin((550, *place))
    settled()
    panel.clear_pins()
    panel.pin((550, 8, 9))
    settled()
    layer = viewer.layers["pinned spectra"]
    rename(layer, 0, "leaf")
    panel.undo()
    settled()
    shown = [(s.drawn.name, s.pixel) for s in panel.shown]
    assert shown == [("pin 1", (2, 3)), ("pin 2", (5, 5)), ("leaf", (8, 9))]
    assert len({s.drawn.color for s in panel.shown}) == 3


def test_clearing_no_pins_is_no_step(viewer, panel, settled):
    settled()
    panel.pin((550, 2, 3))
    panel.clear_pins()
    panel.clear_pins()
    panel.undo()
    panel.pin((550, 5, 5))
    settled()
    assert [(s.drawn.name, s.pixel) for s in panel.shown] == [("pin 1", (2, 3)), ("pin 2", (5, 5))]


def test_pasted_pins_are_drawn(viewer, panel, settled):
    settled()
    panel.pin((550, 2, 3))
    settled()
    layer = viewer.layers["pinned spectra"]
    layer.selected_data = {0}
    layer._copy_data()  # Ctrl+C, Ctrl+V
    layer._paste_data()
    settled()
    assert [s.drawn.name for s in panel.shown] == ["pin 1", "pin 2"]


@pytest.mark.parametrize("kind", ["pins", "shapes"])
def test_hidden_and_reference_curves_stay_the_same_when_another_is_removed(
    viewer, panel, settled, kind
):
    places = np.array([[2, 3], [5, 5], [8, 9], [3, 12]], dtype=float)
    if kind == "pins":
        for place in places:
            panel.pin((550, *place))
        layer = viewer.layers["pinned spectra"]
    else:
        corner = np.array([[0, 0], [0, 2], [2, 2], [2, 0]])
        layer = viewer.add_shapes([place + corner for place in places], shape_type="polygon")
    settled()
    hidden, other, bold = (panel.kept[at] for at in (1, 2, 3))
    panel.processing.choice.set_value("difference")
    panel.processing.other.set_value(other.origin)
    panel.set_hidden(hidden.key, True)
    panel.highlight(bold.key)
    layer.selected_data = {0}
    layer.remove_selected()
    settled()
    means = [one.curve.mean for one in panel.kept]
    np.testing.assert_array_equal(means, [one.curve.mean for one in (hidden, other, bold)])
    marks = panel.look.marks
    assert [panel.look.is_hidden(one.key) for one in panel.kept] == [True, False, False]
    assert marks.highlighted == panel.kept[2].key
    assert panel.processing.other.value() == panel.kept[1].origin
    np.testing.assert_allclose(panel.shown[0].drawn.y, 0)
    layer.selected_data = {0, 1, 2}
    layer.remove_selected()
    assert (marks.hidden, marks.highlighted) == ({}, None)


def test_the_table_tells_values_of_the_band_on_show_or_that_there_is_none(viewer, panel, settled):
    far = VALUES + 1
    near_infrared = Cube(far, Wavelengths(NM + 300), "reflectance", "near infrared")
    add_cube(viewer, near_infrared)
    settled()
    panel.pin((550, 2, 3))
    table = panel.open_window("Table")
    for nm, values in (
        (550, (VALUES[15], None)),
        (700, (VALUES[30], far[0])),
        (900, (None, far[20])),
    ):
        viewer.dims.set_point(0, nm)
        settled()
        table.refresh()
        said = ["no band here" if one is None else f"{one[2, 3]:.4g}" for one in values]
        assert [cells(table.table, at)[3] for at in (0, 1)] == said


@pytest.mark.parametrize(("shape", "scale"), [((61, 12, 16), (0.5, 1, 1)), ((4, 3, 12, 16), None)])
def test_the_table_tells_the_band_on_show_whatever_other_layers_make_of_the_axes(
    panel, viewer, settled, shape, scale
):
    viewer.layers.clear()
    add_cube(viewer, Cube(VALUES, name="bands"))
    viewer.add_image(np.zeros(shape), scale=scale, rgb=False, visible=False)
    viewer.dims.set_point(viewer.dims.ndim - 3, 7)
    settled()
    panel.pin((7, 2, 3))
    table = panel.open_window("Table")
    settled()
    assert cells(table.table, 0)[3] == f"{VALUES[7, 2, 3]:.4g}"


def test_set_wavelengths_and_added_layers_are_undone_the_last_first(viewer, panel, qtbot):
    layer = viewer.layers[0]
    placed = [np.array(getattr(layer, name)) for name in ("scale", "translate")]
    setter = SetWavelengthsWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(setter)
    setter.form.first.value, setter.form.last.value = 500.0, 800.0
    assert setter.apply()
    assert layer.scale[0] == pytest.approx(10)
    add_map(viewer, VALUES[0], "a map", like=layer)
    stack = undo_of(viewer)
    assert stack.undo() == "add a map"
    assert len(viewer.layers) == 1
    assert layer.metadata["wavelengths"][0] == 500
    assert stack.undo() == "set wavelengths"
    assert layer.metadata["wavelengths"][0] == 400
    for name, value in zip(("scale", "translate"), placed, strict=True):
        np.testing.assert_array_equal(getattr(layer, name), value)
    assert stack.undo() == "add scene"
    assert stack.undo() == ""
    assert not panel.undo_button.isEnabled()
    setter.release()


def test_a_layer_that_was_painted_on_is_not_taken_back(viewer):
    labels = viewer.add_labels(np.zeros((12, 16), int), name="classes")
    stack = undo_of(viewer)
    push_added(viewer, labels)
    add_map(viewer, VALUES[0], "a map")
    with labels.block_history():  # a stroke
        labels.paint((3, 4), 2)
    assert stack.undo() == "add a map"
    assert stack.undo() == "add scene"
    assert labels in viewer.layers


def test_what_undo_does_is_what_it_says_when_a_layer_is_gone(viewer, panel, settled):
    settled()
    panel.pin((550, 2, 3))
    panel.clear_pins()
    assert panel.undo_button.toolTip() == "Undo: clear pins"
    viewer.layers.remove("pinned spectra")
    assert panel.undo_button.toolTip() == "Undo: add scene"  # the pins cannot come back
    viewer.layers.clear()
    assert not panel.undo_button.isEnabled()
    assert panel.undo_button.toolTip() == "There is nothing to undo"


def test_what_is_gone_already_is_passed_over_and_nothing_is_kept_alive(viewer):
    class Passing:
        """Stands for a layer: napari's own live on in its caches."""

        name = "passing"

    passing = Passing()
    gone = weakref.ref(passing)
    push_added(viewer, passing)
    with changing(viewer, passing, "rename", ("name",)):
        passing.name = "passed"
    del passing
    gc.collect()
    assert gone() is None
    layer = add_map(viewer, VALUES[0], "a map")
    viewer.layers.remove(layer)
    assert undo_of(viewer).undo() == "add scene"


# --- what is out of sight ------------------------------------------------------------------------

SQUARE = np.array([[0, 0], [0, 2], [2, 2], [2, 0]], dtype=float)


def hide_cube(viewer, panel):
    viewer.layers["scene"].visible = not viewer.layers["scene"].visible


def untick_pins(viewer, panel):
    panel.pins_box.toggle()


def hide_shapes(viewer, panel):
    viewer.layers["panels"].visible = not viewer.layers["panels"].visible


@pytest.mark.parametrize(
    ("toggle", "chosen"), [(hide_cube, 1), (untick_pins, None), (hide_shapes, 2)]
)
def test_no_other_curve_is_the_reference_while_it_is_out_of_sight(
    viewer, panel, settled, toggle, chosen
):
    for place in ((2, 3), (5, 5)):
        panel.pin((550, *place))
    viewer.add_shapes([SQUARE + 8], shape_type="polygon", name="panels")
    settled()
    panel.processing.choice.set_value("white")
    reference = panel.kept[chosen or 0]
    if chosen:
        panel.processing.other.set_value(reference.origin)
    before = {one.name: one.curve.mean for one in panel.shown}
    np.testing.assert_allclose(before[reference.name], 1)
    toggle(viewer, panel)
    settled()
    assert panel.shown == []
    assert f"“{reference.name}”" in panel.message.text()
    assert "not on show" in panel.message.text()
    assert panel.processing.other.currentText() == reference.name
    toggle(viewer, panel)
    settled()
    assert "not on show" not in panel.message.text()
    assert panel.processing.other.value() == reference.origin
    for one in panel.shown:
        np.testing.assert_array_equal(one.curve.mean, before[one.name])


def test_a_removed_reference_is_told_and_none_that_has_its_number_follows_it(
    viewer, panel, settled
):
    for place in ((2, 3), (5, 5)):
        panel.pin((550, *place))
    settled()
    panel.processing.choice.set_value("ratio")
    panel.processing.other.set_value(panel.kept[1].origin)
    panel.clear_pins()
    for place in ((3, 3), (6, 6)):  # pins 1 and 2 once more
        panel.pin((550, *place))
    settled()
    assert panel.shown == []
    assert "“pin 2”, which all curves are held against, was removed" in panel.message.text()
    panel.processing.other.set_value(panel.kept[0].origin)
    np.testing.assert_allclose(panel.shown[0].curve.mean, 1)
    assert panel.message.text() == ""
    viewer.layers.remove("pinned spectra")
    viewer.add_shapes([SQUARE], shape_type="polygon")
    settled()
    assert panel.shown == []
    assert "“pin 1”, which all curves are held against, was removed" in panel.message.text()


def test_a_reference_of_a_session_is_waited_for_and_no_other_is_taken(viewer, panel, settled):
    panel.pin((550, 2, 3))
    layer = viewer.add_shapes([SQUARE], shape_type="polygon", name="panels")
    settled()
    panel.processing.choice.set_value("white")
    panel.processing.other.set_value(panel.kept[1].origin)
    name, wanted = panel.kept[1].name, settings(panel)
    again = SpectraWidget(PublicOnlyProxy(viewer))
    try:
        layer.visible = False
        again._settle.flush(restart_timer=False)
        assert restore(again, wanted) == []
        again._settle.flush(restart_timer=False)
        assert len(again.kept) == 1  # the pin, which is not taken
        assert again.shown == []
        assert f"“{name}”" in again.message.text()
        assert settings(again) == wanted  # a session of now keeps it, too
    finally:
        again.release()
        again.deleteLater()


def test_match_stays_with_a_curve_that_is_hidden_for_a_while(viewer, panel, settled, files):
    panel.load_library(files / "few.csv")
    for place in ((2, 3), (5, 5)):
        panel.pin((550, *place))
    settled()
    window = panel.open_window("Match")
    window.curve.set_value(panel.kept[0].key)
    viewer.add_shapes([SQUARE], shape_type="polygon")
    assert window.found.best[0].name == "leaf"
    panel.pins_box.setChecked(False)
    settled()
    assert window.found is None
    assert "“pin 1” is not on show" in window.said.text()
    panel.pins_box.setChecked(True)
    settled()
    assert window.found.best[0].name == "leaf"
    panel.clear_pins()
    settled()
    assert "“pin 1” was removed" in window.said.text()


def test_a_class_that_is_hidden_for_a_while_stays_ticked_and_is_told(viewer, panel, settled):
    for place in ((2, 3), (5, 5)):
        panel.pin((550, *place))
    settled()
    window = panel.open_window("Classify")
    window.classes.tick_listed(True)
    ticked = window.classes.ticked()
    panel.pins_box.setChecked(False)
    settled()
    window.run()
    assert "not on show: “pin 1” and “pin 2”" in window.message.text()
    panel.pins_box.setChecked(True)
    settled()
    assert window.classes.ticked() == ticked
    panel.clear_pins()
    panel.pin((550, 6, 6))  # pin 1 once more
    settled()
    assert window.classes.ticked() == []


def test_a_reference_is_set_anew_where_its_layer_was_closed_before_a_session_is_opened(
    viewer, panel, settled
):
    panel.pin((550, 2, 3))
    viewer.add_shapes([SQUARE], shape_type="polygon", name="panels")
    settled()
    panel.processing.choice.set_value("white")
    panel.processing.other.set_value(panel.kept[1].origin)
    name, wanted = panel.kept[1].name, settings(panel)
    viewer.layers.remove("panels")
    again = viewer.add_shapes([SQUARE], shape_type="polygon", name="panels")
    assert restore(panel, wanted) == []
    settled()
    assert panel.processing.other.value()[0] == again.unique_id
    (white,) = (one for one in panel.shown if one.name == name)
    np.testing.assert_allclose(white.curve.mean, 1)


def test_all_curves_are_shown_again_by_one_drawing(panel, settled, monkeypatch):
    """Each drawing takes all curves: one for each of them held the window up for seconds."""
    settled()
    for y in range(5):
        panel.pin((550, y, 3))
    settled()
    table = panel.open_window("Table")
    for one in panel.kept:
        panel.set_hidden(one.key, True)
    drawings, draw = [], panel._draw_kept
    monkeypatch.setattr(panel, "_draw_kept", lambda: drawings.append(draw()))
    table.show_all_button.click()
    assert not any(panel.look.is_hidden(one.key) for one in panel.kept)
    assert len(drawings) == 1
