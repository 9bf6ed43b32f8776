"""Many photographs in the Reconstruct panel: the queue, a folder that grows, cubes as files."""

import csv
import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow

from napari_hsr import Cube, Photograph, read, reconstruct, write
from napari_hsr.inference.batch.queue import Row, State
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph_stack import stack_of_array
from napari_hsr.progress import Progress
from napari_hsr.viewer.frames import add_frames, add_stack, shown_frame
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.common.accessible import controls
from napari_hsr.widgets.common.close_guard import CANCEL, STOP
from napari_hsr.widgets.common.control_settings import restore, settings
from napari_hsr.widgets.common.help_window import HelpButton, HelpWindow
from napari_hsr.widgets.inference import queue_texts, save_cubes
from napari_hsr.widgets.inference.batch_window import LAYERS
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.save_cubes import ALL

from ...patience import PATIENCE

MODEL = "rootpoly-srgb"
VALUES = np.random.default_rng(2).integers(20, 230, (3, 6, 8, 3)).astype(np.uint8)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def panel(viewer, qtbot):
    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    panel.model.set_name(MODEL)
    yield panel
    panel.release()


def save(folder, number):
    Image.fromarray(VALUES[number]).save(folder / f"{number}.png")


def texts(window, column):
    return [window.table.item(row, column).text() for row in range(window.table.rowCount())]


def explained(window):
    return all(one.toolTip() and one.accessibleName() for one in controls(window))


def test_a_folder_with_two_bad_files_as_a_queue(panel, qtbot, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for number in range(3):
        save(source, number)
    for name in ("a.png", "b.png"):
        (source / name).write_bytes(b"no picture")
    window = panel.many.open_queue()
    assert not window.start_button.isEnabled()
    panel.model.set_name("instant-photo")
    qtbot.waitUntil(lambda: "instant-photo" in window.model_label.text())
    panel.model.set_name(MODEL)
    qtbot.waitUntil(lambda: MODEL in window.model_label.text())
    window.set_folder(source)
    window.start_button.click()
    assert window.pause_button.isEnabled()
    qtbot.waitUntil(lambda: not window.busy)
    assert texts(window, 0) == ["0.png", "1.png", "2.png", "a.png", "b.png"]
    assert [text.partition(",")[0] for text in texts(window, 1)] == [
        *["finished"] * 3,
        *["failed"] * 2,
    ]
    assert texts(window, 3)[3].startswith(
        "a.png: "
    )  # and no path, of which a cell shows the beginning
    assert window.table.item(3, 0).toolTip() == str(source / "a.png")
    assert "3 finished, 2 failed" in window.message.text()
    made = read(source / "cubes" / f"1_{MODEL}.mat")
    np.testing.assert_array_equal(made.data, reconstruct(Photograph(VALUES[1]), MODEL).data)
    window.save_summary(tmp_path / "s.csv")
    with (tmp_path / "s.csv").open() as file:
        assert [row["state"] for row in csv.DictReader(file)][2:4] == ["finished", "failed"]
    window.start()
    qtbot.waitUntil(lambda: not window.busy)
    assert "3 unchanged, 2 failed" in window.message.text()
    assert explained(window)


def test_a_queue_replaces_a_file_that_it_has_not_made_only_where_that_was_ticked(
    panel, qtbot, tmp_path
):
    source = tmp_path / "in"
    (source / "cubes").mkdir(parents=True)
    for number in range(2):
        save(source, number)
    mine = source / "cubes" / f"0_{MODEL}.mat"
    mine.write_bytes(b"notes")
    window = panel.many.open_queue()
    window.set_folder(source)

    def start():
        window.start_button.click()
        qtbot.waitUntil(lambda: not window.busy)
        return [text.partition(",")[0] for text in texts(window, 1)]

    assert start() == ["failed", "finished"]
    assert mine.read_bytes() == b"notes"
    assert "exists already" in texts(window, 3)[0]
    assert "“Replace files that are there”" in window.message.text()
    made = source / "cubes" / f"1_{MODEL}.mat"
    cube = read(made)
    write(cube.replace(provenance=cube.provenance.with_step("Corrected by hand.")), made)
    corrected = made.read_bytes()
    assert start() == ["failed", "failed"]
    assert made.read_bytes() == corrected
    window.replace.setChecked(True)
    assert start() == ["finished", "finished"]
    assert not window.replace.isChecked()  # an answer for one run
    assert start() == ["unchanged", "unchanged"]


def test_the_tick_that_lets_files_be_replaced_is_kept_nowhere(panel):
    window = panel.many.open_queue()
    window.replace.setChecked(True)
    assert not any("Replace" in name for name in settings(window))
    restore(panel.many.open_save(), {"Replace files that are there": True})
    assert not panel.many.open_save().replace.isChecked()


def test_a_cube_is_saved_over_another_file_only_where_that_was_ticked(
    viewer, panel, qtbot, tmp_path
):
    scan = tmp_path / "scan.mat"
    write(Cube(np.ones((3, 4, 5), np.float32), name="scan"), scan)
    before = scan.read_bytes()
    add_cube(viewer, Cube(np.zeros((3, 4, 5), np.float32), name="scan"))
    window = panel.many.open_save()
    window.set_folder(tmp_path)

    def start():
        window.save_button.click()
        qtbot.waitUntil(lambda: not window.busy)

    start()
    assert scan.read_bytes() == before
    assert f"{scan}: it exists already" in window.message.text()
    window.replace.setChecked(True)
    start()
    assert "Wrote scan.mat" in window.message.text()
    assert not read(scan).data[:].any()
    assert not window.replace.isChecked()


@pytest.mark.parametrize("closed", ["window", "panel"])
def test_what_becomes_of_cubes_that_are_saved_is_told_though_their_window_is_closed(
    viewer, panel, qtbot, tmp_path, monkeypatch, closed
):
    go_on, told, work = threading.Event(), [], save_cubes.save_events

    def waiting(*about, **how):
        yield Progress(0, 0)
        go_on.wait(PATIENCE)
        yield from work(*about, **how)

    monkeypatch.setattr(save_cubes, "save_events", waiting)
    for show in ("show_info", "show_warning"):
        monkeypatch.setattr(save_cubes, show, told.append)
    add_cube(viewer, Cube(np.zeros((3, 4, 5), np.float32), name="scan"))
    window = panel.many.open_save()
    window.set_folder(tmp_path)
    window.save_button.click()
    if closed == "window":
        window.close()
        assert window.busy
        go_on.set()
        qtbot.waitUntil(lambda: not window.busy)
        assert told == [f"Wrote scan.mat into {tmp_path}."]
        assert (tmp_path / "scan.mat").is_file()
    else:
        panel.release()
        go_on.set()
        assert not window.busy
        assert "stopped as its panel was closed" in " ".join(told)


def test_a_warning_comes_before_remarks_in_the_one_line_of_a_row():
    said = (Notice.info(Code.OTHER, "In float32."), Notice.warning(Code.OTHER, "Saturated."))
    assert queue_texts.said_of(Row("a", State.FINISHED, notices=said)) == "Saturated. In float32."


def test_what_is_computed_and_not_yet_written_is_finishing():
    under_way = Row("a.png", State.RUNNING, 0.5, "Reconstructing", 3.0)
    assert queue_texts.texts_of(under_way)[1:3] == ("Reconstructing · 50%", "3.0 s")
    assert queue_texts.texts_of(Row("a.png", State.RUNNING, 1.0, "Done", 0.0))[1:3] == (
        "finishing",
        "",
    )


def test_selected_layers_become_cubes(viewer, panel, qtbot):
    layers = [add_photograph(viewer, Photograph(v, name=f"p{n}")) for n, v in enumerate(VALUES)]
    viewer.layers.selection = set(layers[:2])
    window = panel.many.open_queue()
    window.what.set_value(LAYERS)
    window.start_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    names = [layer.name for layer in viewer.layers]
    assert names == ["p0", f"p0 · {MODEL}", "p1", f"p1 · {MODEL}", "p2"]
    expected = reconstruct(Photograph(VALUES[1]), MODEL).data
    np.testing.assert_array_equal(viewer.layers[3].data, expected)


def test_a_layer_that_changes_while_the_queue_runs_is_told(viewer, panel, qtbot):
    layers = [add_photograph(viewer, Photograph(v, name=f"p{n}")) for n, v in enumerate(VALUES)]
    viewer.layers.selection = set(layers[:2])
    window = panel.many.open_queue()
    window.what.set_value(LAYERS)
    window.start_button.click()
    layers[1].data = VALUES[2]
    qtbot.waitUntil(lambda: not window.busy)
    assert "2 finished" in window.message.text()
    assert "“p1” was changed during the run" in window.message.text()
    assert "p0" not in window.message.text()


def test_a_queue_waits_while_it_is_paused_and_can_be_cancelled(viewer, panel, qtbot):
    layers = [add_photograph(viewer, Photograph(v, name=f"p{n}")) for n, v in enumerate(VALUES)]
    viewer.layers.selection = set(layers)
    window = panel.many.open_queue()
    window.what.set_value(LAYERS)
    window.start()
    window.pause_button.click()
    assert window.pause_button.text() == "Resume"
    qtbot.waitUntil(lambda: any("Paused" in text for text in texts(window, 1)))
    assert window.progress.format().endswith(" of 3, paused")  # and no time that is left
    assert window.busy
    window.cancel_button.click()
    assert window.pause_button.text() == "Pause"
    qtbot.waitUntil(lambda: not window.busy)
    assert "cancelled" in window.message.text()
    assert any(text.startswith("cancelled") for text in texts(window, 1))


def test_a_queue_that_ended_with_its_window_does_not_look_as_if_it_ran(panel, qtbot, tmp_path):
    for number in range(3):
        save(tmp_path, number)
    window = panel.many.open_queue()
    window.set_folder(tmp_path)
    window.start()
    window.pause_button.click()
    qtbot.waitUntil(lambda: any("Paused" in text for text in texts(window, 1)))
    window.close()
    assert panel.many.open_queue() is window
    assert not window.busy
    assert {text.partition(",")[0] for text in texts(window, 1)} <= {"cancelled", "finished"}
    assert window.pause_button.text() == "Pause"
    assert "Start goes on" in window.message.text()


def test_closing_napari_during_a_queue_asks(panel, qtbot, tmp_path):
    for number in range(3):
        save(tmp_path, number)
    main, dock = QMainWindow(), QDockWidget()
    qtbot.addWidget(main)
    dock.setWidget(panel)
    main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    with qtbot.waitExposed(main):
        main.show()
    window = panel.many.open_queue()
    window.set_folder(tmp_path)
    window.start()
    window.pause_button.click()
    asked, answers = [], [CANCEL, STOP]

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:
            asked.append(box.informativeText())
            next(b for b in box.buttons() if b.objectName() == answers[len(asked) - 1]).click()

    timer = QTimer(main)
    timer.timeout.connect(answer)
    timer.start(10)
    done = []
    for closed in (False, True):
        QTimer.singleShot(0, lambda: done.append(main.close()))  # inside an event loop
        qtbot.waitUntil(lambda closed=closed: len(done) == closed + 1)
        assert done[-1] is closed
        assert window.busy  # until the panel is closed with napari
    assert len(asked) == 2
    assert "Files that are finished stay, and a second start goes on" in asked[0]
    panel.setParent(None)  # as napari takes it out of its dock
    assert not window.busy


def test_a_folder_that_grows_is_shown_until_it_is_stopped(viewer, panel, qtbot, tmp_path):
    panel.many.watch(tmp_path)
    assert panel.many.watch_button.text() == "Stop watching"
    save(tmp_path, 0)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    save(tmp_path, 1)
    cubes = viewer.layers[-1]
    qtbot.waitUntil(lambda: shown_frame(viewer, cubes) == (1,))
    newest = reconstruct(Photograph(VALUES[1]), MODEL).data
    qtbot.waitUntil(lambda: np.array_equal(cubes._slice.image.raw, newest[15]))
    assert viewer.layers[0].data.shape == (2, 1, 6, 8, 3)
    panel.many.watch_button.click()
    qtbot.waitUntil(lambda: not panel.many.watching)
    assert panel.many.watch_button.text() == "Watch folder…"
    assert len(viewer.layers) == 2


@pytest.mark.parametrize("at", [0, 1])
def test_a_folder_that_grows_does_not_write_over_what_its_layers_were_given(
    viewer, panel, qtbot, tmp_path, at
):
    panel.many.watch(tmp_path)
    save(tmp_path, 0)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2)
    layer = viewer.layers[at]
    layer.visible = False  # its frames are not asked for any more
    given = np.ones(layer.data.shape, layer.data.dtype)
    layer.data = given
    save(tmp_path, 1)
    qtbot.waitUntil(lambda: not panel.many.watching)
    assert "given other values" in panel.many.message.text()
    assert layer.data is given
    viewer.dims.set_point(0, 0)


def test_the_frame_on_show_and_all_frames_as_files(viewer, panel, qtbot, tmp_path):
    stack = stack_of_array(VALUES, name="film")
    source, cubes = add_stack(viewer, stack), FrameCubes(stack, MODEL)
    add_frames(viewer, cubes, source, cubes[0], "film · cubes")
    viewer.dims.set_point(0, 2)
    window = panel.many.open_save()
    window.set_folder(tmp_path)
    window.save_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    (path,) = tmp_path.iterdir()
    assert path.name == f"film_3_{MODEL}.mat"
    np.testing.assert_array_equal(read(path).data, cubes[2].data)
    window.what.set_value(ALL)
    window.save_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    assert len(list(tmp_path.iterdir())) == 3
    assert "Wrote 2 files" in window.message.text()
    assert "frame 3" in window.message.text()  # which is there already
    window.replace.setChecked(True)
    window.save_button.click()
    qtbot.waitUntil(lambda: not window.busy)
    assert "3 files" in window.message.text()
    assert explained(window)


@pytest.mark.parametrize("name", ["open_queue", "open_save"])
def test_the_windows_have_help(panel, name):
    window = getattr(panel.many, name)()
    (button,) = window.findChildren(HelpButton)
    button.click()
    (page,) = window.findChildren(HelpWindow)
    assert len(page.browser.toPlainText()) > 300
