"""Save session…, Open session…, dropped sessions and libraries, and what panels are set to."""

from __future__ import annotations

import os

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QMainWindow, QMessageBox, QWidget

from napari_hsr import io
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError
from napari_hsr.io.libraries import is_library
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.viewer import preferred_reader
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.workspace import open_panel
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.control_settings import restore, settings
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.session import commands
from napari_hsr.widgets.session.settings import open_panels
from napari_hsr.widgets.spectra import dropped_library
from napari_hsr.widgets.spectra.panel import SpectraWidget

NM = np.arange(400.0, 701.0, 10.0)


@pytest.fixture
def soils(tmp_path):
    values = np.random.default_rng(0).random((3, len(NM)))
    path = tmp_path / "soils.csv"
    io.write(SpectralLibrary(("loam", "clay", "sand"), NM, values, "reflectance", "soils"), path)
    return path


def test_layers_panels_and_libraries_come_back(
    make_napari_viewer, qtbot, tmp_path, soils, monkeypatch
):
    viewer = make_napari_viewer()
    cube = Cube(np.random.default_rng(0).random((31, 8, 8), dtype=np.float32), Wavelengths(NM))
    add_cube(viewer, cube, name="field")
    dropped_library.open_dropped(soils)  # opens Spectra with it
    (panel,) = (p for p in viewer.window.dock_widgets.values() if isinstance(p, SpectraWidget))
    assert "3 spectra" in panel.message.text()
    assert {one.name for one in panel.shown} == {"loam", "clay", "sand"}
    panel.processing.choice.set_value("max")
    panel.pin((550, 2, 3))
    path = tmp_path / "s.hsrsession"
    monkeypatch.setattr(commands, "ask_beside", lambda *_: True)

    def chosen(parent, *_rest):
        assert issubclass(type(parent), QWidget)  # Qt takes no proxy, which says that it is one
        return str(path), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    commands.save_session(PublicOnlyProxy(viewer))  # what napari's menu hands over
    qtbot.waitUntil(path.is_file)
    viewer.window.remove_dock_widget(panel.parent())
    monkeypatch.setattr(commands, "ask_to_close", lambda *_: None)
    assert commands.open_file(viewer, path) is None  # cancelled: nothing is closed
    assert "field" in viewer.layers
    monkeypatch.setattr(commands, "ask_to_close", lambda *_: True)
    assert commands.get_reader([str(path)])(str(path)) == [(None,)]
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and bool(open_panels(viewer)))
    (record,) = open_panels(viewer)
    assert record.name == "Spectra"
    assert record.files == [str(soils)]
    (again,) = (p for p in viewer.window.dock_widgets.values() if isinstance(p, SpectraWidget))
    assert again.processing.name == "max"
    qtbot.waitUntil(lambda: "pin 1" in {one.name for one in again.shown})
    for name in ("Maps", "Spectra"):
        open_panel(PublicOnlyProxy(viewer), name)
    assert {record.name for record in open_panels(viewer)} == {"Spectra", "Maps"}


def test_what_is_lacking_in_a_session_is_in_the_first_sentence(
    make_napari_viewer, monkeypatch, qtbot, tmp_path
):
    viewer, said = make_napari_viewer(), []
    for name in ("a", "b", "c"):
        viewer.add_labels(np.ones((3, 3), np.uint8), name=name)

    def full(file, _array):
        raise FileError(file.name, "it cannot be written: the disk is full")

    monkeypatch.setattr("napari_hsr.io.whole_arrays.save", full)
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    job = commands.save_to(viewer, commands.plan(viewer), tmp_path / "s.hsrsession")
    with qtbot.waitSignal(job.finished):
        pass
    assert said[0].startswith(
        "The session was saved without “a” and “b” and 1 more as s.hsrsession."
    )


def test_layers_stay_where_the_session_that_is_to_replace_them_is_none(
    make_napari_viewer, monkeypatch, qtbot, tmp_path
):
    viewer = make_napari_viewer()
    viewer.add_points([[1, 2]], name="work")
    (tmp_path / "s.hsrsession").write_text("{")
    monkeypatch.setattr(commands, "ask_to_close", lambda *_: True)
    job = commands.open_file(viewer, tmp_path / "s.hsrsession")
    with qtbot.waitSignal(job.failed):
        pass
    assert [one.name for one in viewer.layers] == ["work"]


def test_layers_stay_where_the_files_of_the_session_that_is_to_replace_them_are_gone(
    make_napari_viewer, monkeypatch, qtbot, tmp_path
):
    viewer = make_napari_viewer()
    file = io.write(Cube(np.ones((3, 4, 4), np.float32)), tmp_path / "scan.hdr")
    viewer.open(str(file), plugin="napari-hsr")
    job = commands.save_to(viewer, commands.plan(viewer), tmp_path / "s.hsrsession")
    with qtbot.waitSignal(job.finished):
        pass
    viewer.layers.clear()
    viewer.add_points([[1, 2]], name="work")
    for one in tmp_path.glob("scan*"):
        one.unlink()
    monkeypatch.setattr(commands, "ask_to_close", lambda *_: True)
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    job = commands.open_file(viewer, tmp_path / "s.hsrsession")
    with qtbot.waitSignal(job.finished):
        pass
    assert [one.name for one in viewer.layers] == ["work"]
    assert "nothing of it can be opened" in said[0]
    assert "no longer there" in said[0]


def test_a_layer_that_comes_while_it_is_asked_whether_to_close_the_others_stays(
    make_napari_viewer, monkeypatch, qtbot, tmp_path
):
    viewer = make_napari_viewer()
    viewer.add_points([[1, 2]], name="saved")
    job = commands.save_to(viewer, commands.plan(viewer), tmp_path / "s.hsrsession")
    with qtbot.waitSignal(job.finished):
        pass
    asked = []

    def ask(_window, count):
        asked.append(count)
        viewer.add_points([[3, 4]], name="of a run")
        return True

    monkeypatch.setattr(commands, "ask_to_close", ask)
    job = commands.open_file(viewer, tmp_path / "s.hsrsession")
    with qtbot.waitSignal(job.finished):
        pass
    assert asked == [1]
    assert [one.name for one in viewer.layers] == ["of a run", "saved"]


def test_settings_are_set_as_by_a_user_and_what_is_not_offered_is_told(qtbot):
    viewer = ViewerModel()
    for name in ("one", "two"):
        add_cube(viewer, Cube(np.zeros((31, 4, 4), np.float32), Wavelengths(NM)), name=name)
    from napari_hsr.widgets.compare.panel import CompareWidget

    first, second = CompareWidget(viewer), CompareWidget(viewer)
    for panel in (first, second):
        qtbot.addWidget(panel)
    first.form.prediction.set_layer(viewer.layers["one"])
    first.form.truth.set_layer(viewer.layers["two"])
    first.form.checks["rmse"].setChecked(False)
    first.form.window_size.setValue(9)
    kept = settings(first)
    assert restore(second, kept) == []
    assert second.form.prediction.layer() == viewer.layers["one"]
    assert not second.form.checks["rmse"].isChecked()
    assert second.form.window_size.value() == 9
    assert settings(second) == kept
    (name,) = (key for key, value in kept.items() if value == "two")
    (told,) = restore(second, {name: "three"})
    assert "three" in told
    for panel in (first, second):
        panel.release()


def test_a_choice_that_comes_later_is_made_when_it_is_there(qtbot):
    boxes = [NarrowComboBox(), NarrowComboBox()]
    panel = QWidget()
    qtbot.addWidget(panel)
    column(*boxes, into=panel)
    for box, name in zip(boxes, ("Draw", "Layer"), strict=True):
        box.setAccessibleName(name)
    boxes[0].comes_later = True  # such as the pin that others are divided by
    boxes[1].offer({1: "there"}, 1)
    (told,) = restore(panel, {"Draw": "pin 2", "Layer": "gone"})
    assert "gone" in told
    boxes[0].offer({1: "pin 1"}, 1)
    boxes[0].offer({1: "pin 1", 2: "pin 2"}, 1)
    assert boxes[0].value() == 2
    boxes[0].offer({1: "pin 1", 2: "pin 2"}, 1)  # once
    assert boxes[0].value() == 1


@pytest.mark.parametrize(
    ("text", "spectra"),
    [
        ("wavelength,leaf\n400,0.1\n410,0.2\n", True),
        ("# field\n\nWavelength (nm);leaf\n400;0,1\n410;0,2\n", True),
        ("name\t400\t450\t500\t550\t600\nleaf\t1\t2\t3\t4\t5\n", True),
        ("label,area,mean_intensity\n1,20,5.5\n2,30,6.5\n", False),  # read as spectra, if asked
        ("country,1990,1991,1992,1993,1994\nfr,1,2,3,4,5\n", False),
        ("400,0.1\n410,0.2\n420,0.3\n", False),
        ("index,axis-0,axis-1\n0,1,2\n", False),
    ],
)
def test_a_dropped_table_is_one_of_spectra_if_it_says_so(tmp_path, text, spectra):
    table = tmp_path / ("a.tsv" if "\t" in text else "a.csv")
    table.write_text(text)
    expected = dropped_library.open_dropped if spectra else preferred_reader.naparis_own
    assert dropped_library.get_reader(str(table)) is expected


@pytest.mark.parametrize("kind", ["empty", "pipe"])
def test_a_table_that_napari_cannot_read_either_is_told(tmp_path, kind):
    table = tmp_path / "a.csv"
    if kind == "empty":
        table.write_text("")
    elif hasattr(os, "mkfifo"):
        os.mkfifo(table)  # whoever opened it would wait for ever
    else:
        pytest.skip("no pipes here")
    reader = dropped_library.get_reader(str(table))
    with pytest.raises(FileError, match=r"cannot read it either|a regular file was expected"):
        reader(str(table))


def test_what_has_no_entries_yet_is_not_told(qtbot):
    box, panel = NarrowComboBox(), QWidget()
    qtbot.addWidget(panel)
    column(box, into=panel)
    box.setAccessibleName("Curve")  # of results, which come with a run
    assert restore(panel, {"Curve": "RMSE"}) == []
    box.offer({1: "PSNR"}, 1)
    assert len(restore(panel, {"Curve": "RMSE"})) == 1


def test_files_of_spectra_are_told_from_tables_of_points(soils, tmp_path):
    assert is_library(soils)
    points = tmp_path / "points.csv"
    points.write_text("index,axis-0,axis-1\n0.0,1.0,2.0\n")
    assert not is_library(points)
    assert dropped_library.get_reader(str(points)) is preferred_reader.naparis_own
    assert dropped_library.get_reader([str(soils), str(points)]) is None
    assert dropped_library.get_reader(str(soils)) is dropped_library.open_dropped
    io.write(io.read_library(soils), tmp_path / "soils.sli")
    assert is_library(tmp_path / "soils.sli")
    assert is_library(tmp_path / "soils.hdr")


def test_a_table_of_spectra_dropped_on_the_panel_is_opened(soils, tmp_path, qtbot):
    panel = SpectraWidget(ViewerModel())
    qtbot.addWidget(panel)
    other = tmp_path / "picture.png"
    other.write_bytes(b"")
    for path, accepted in ((other, False), (soils, True)):
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        action = Qt.DropAction.CopyAction
        entering = QDragEnterEvent(QPoint(1, 1), action, mime, buttons, keys)
        panel.dragEnterEvent(entering)
        assert entering.isAccepted() == accepted
    panel.dropEvent(QDropEvent(QPointF(1, 1), action, mime, buttons, keys))
    assert [one.name for one in panel.libraries.opened] == ["soils"]
    panel.release()


def test_panels_of_a_session_are_set_to_its_layers_and_not_to_others_of_their_names(qtbot):
    viewer, cube = ViewerModel(), Cube(np.ones((31, 4, 4), np.float32), Wavelengths(NM))
    for name in ("pred", "truth", "third"):
        add_cube(viewer, cube, name=name)
    viewer.add_shapes([[[0, 0], [0, 2], [2, 2], [2, 0]]], name="plots")
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel)
    form = panel.form
    form.prediction.set_layer(viewer.layers["truth"])
    form.truth.set_layer(viewer.layers["pred"])
    form.more.region.set_value(viewer.layers["plots"])
    form.more.others.tick([0])
    wanted = settings(panel)
    renamed = {name: f"{name} [1]" for name in ("pred", "truth", "third", "plots")}
    for name in ("pred", "truth", "third"):
        add_cube(viewer, cube, name=name)
    viewer.add_shapes([[[0, 0], [0, 2], [2, 2], [2, 0]]], name="plots")
    assert restore(panel, wanted, renamed) == []
    assert form.prediction.layer().name == "truth [1]"
    assert form.truth.layer().name == "pred [1]"
    assert form.more.region.value().name == "plots [1]"
    assert [one.name for one in form.more.other_layers()] == ["third [1]"]
    panel.release()


def test_all_that_is_told_of_a_session_can_be_read(qtbot, monkeypatch):
    window, said = QMainWindow(), []
    qtbot.addWidget(window)
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    told = [f"Layer {n} is <b>not</b> kept." for n in range(8)]
    commands._tell(window, "It is open.", told[:6])
    assert not window.findChildren(QMessageBox)
    commands._tell(window, "It is open.", told)
    (box,) = window.findChildren(QMessageBox)
    assert said[1].endswith("And 2 more.")
    assert box.detailedText().splitlines() == told
    box.close()
    most = commands._MOST_LISTED
    box = commands.details_box(window, "It is open.", ["x" * 600] * (most + 3))
    assert box.detailedText().splitlines()[-1] == "And 3 more."
    assert len(box.detailedText()) < 501 * (most + 1)
