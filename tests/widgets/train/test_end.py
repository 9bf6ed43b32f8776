"""What becomes of the model, and of a training when napari is closed."""

from __future__ import annotations

import errno
import shutil
import threading

import pytest
from napari._qt.qt_resources import get_stylesheet
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QFileDialog, QMainWindow, QMessageBox

from napari_hsr.errors import Cancelled, FileError
from napari_hsr.models import load_model
from napari_hsr.models.bundled_models import bundled
from napari_hsr.progress import Progress, result_of
from napari_hsr.training.events import Finished
from napari_hsr.training.recipe.schema import ModelSettings, Recipe
from napari_hsr.training.runs import copies, processes
from napari_hsr.training.runs.copies import file_events, folder_events
from napari_hsr.widgets.common.close_guard import CANCEL, LEAVE, STOP, answer_of
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.train import panel as panel_module
from napari_hsr.widgets.train.close_question import ask
from napari_hsr.widgets.train.panel import TrainWidget
from napari_hsr.widgets.train.result import ResultView

BEFORE, AFTER = {"psnr_db": 30.0, "sam_deg": 9.0}, {"psnr_db": 32.0, "sam_deg": 7.0}


@pytest.fixture
def result(viewer, qtbot, tmp_path):
    """The end of a training that made a model."""
    folder = tmp_path / "mine-2026"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "log.csv").write_text("step\n")
    shutil.copyfile(bundled()["rootpoly-srgb"][1], folder / "mine.safetensors")
    view = ResultView(viewer)
    qtbot.addWidget(view)
    event = Finished(str(folder), "The last weights.", BEFORE, AFTER, 61)
    view.show_finished(event, ({"b": BEFORE, "c": BEFORE}, {"b": AFTER}))
    return view


def test_before_and_after_of_the_mean_and_of_each_image(result):
    table = result.table
    rows = [[table.item(r, c).text() for c in range(3)] for r in range(table.rowCount())]
    assert rows == [
        ["mean", "30.00 → 32.00", "9.00 → 7.00"],
        ["b", "30.00 → 32.00", "9.00 → 7.00"],
        ["c", "30.00 → –", "9.00 → –"],
    ]
    heads = [table.horizontalHeaderItem(c).text() for c in range(3)]
    assert heads == ["Held out", "PSNR (dB)", "SAM (°)"]


def test_of_thousands_of_images_some_have_a_row_and_the_rest_are_counted(result):
    """A record of somebody else may name as many as it likes."""
    images = {f"image {n}": {"psnr_db": 30.0, "sam_deg": 5.0} for n in range(1_234)}
    mean = {"psnr_db": 30.0, "sam_deg": 5.0}
    result.show_finished(Finished("", "Nothing.", mean, mean, 2), (images, images))
    table = result.table
    assert table.rowCount() == 202
    assert table.item(200, 0).text() == "image 199"
    assert table.item(201, 0).text() == "… and 1,034 more"


def test_where_nothing_was_better_there_is_no_model_to_use(result):
    result.show_finished(Finished("", "Nothing was better than the start."), ({}, {}))
    assert result.message.kind == "warning"
    assert result.use_button.isHidden() or result._buttons.isHidden()


def test_the_model_is_used_once_and_every_list_hears_of_it(result, qtbot):
    heard = []
    models_changed.connect(heard.append)
    for _ in range(2):  # the second time it is there already
        with qtbot.waitSignal(result.imported) as imported:
            result.use_button.click()
        assert imported.args == ["mine"]
        qtbot.waitUntil(lambda: result.use_button.isEnabled())
    models_changed.disconnect(heard.append)
    assert len(heard) == 2
    assert load_model("mine").name == "mine"
    assert "mine was imported" in result.outcome.text()


def test_it_is_chosen_in_reconstruct(viewer, result, qtbot):
    from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
    from napari_hsr.widgets.train.result import choose_in_panel

    panel = ReconstructWidget(viewer)
    qtbot.addWidget(panel)
    shown = []

    dock = QDockWidget()
    qtbot.addWidget(dock)
    dock.setWidget(panel)
    dock.visibilityChanged.connect(shown.append)

    class Window:  # as napari's menu docks it
        dock_widgets = {"Reconstruct (Hyperspectral reconstruction)": panel}  # noqa: RUF012

    assert choose_in_panel(viewer, "rootpoly-srgb") is None  # it has no window
    result._viewer = type("Viewer", (), {"window": Window})
    with qtbot.waitSignal(result.imported):
        result.use_button.click()
    assert panel.model.name() == "mine"
    assert shown
    assert "chosen in Reconstruct" in result.outcome.text()
    qtbot.waitUntil(lambda: not panel._check.running and not panel._settle.isActive())
    panel.setParent(None)  # each is closed by itself


def test_export_of_the_weights_and_of_the_folder(result, tmp_path):
    result_of(file_events(result._directory, tmp_path / "copy.safetensors"))
    assert load_model(tmp_path / "copy.safetensors").bands == 31
    target = tmp_path / "elsewhere"
    target.mkdir()
    for name, to in (("notes.txt", "/etc/hostname"), ("weights", "/dev/zero")):
        (result._directory / name).symlink_to(to)  # not copied: it may lead anywhere
    made = result_of(folder_events(result._directory, target))
    assert sorted(p.name for p in made.iterdir()) == ["log.csv", "mine.safetensors"]
    with pytest.raises(FileError, match="exists already"):
        result_of(folder_events(result._directory, target))


@pytest.mark.parametrize("at", [0, 1])
def test_the_model_that_was_asked_about_is_exported_though_another_training_is_shown_meanwhile(
    result, qtbot, tmp_path, monkeypatch, at
):
    (tmp_path / "to").mkdir()

    def chosen(*_about):
        result.clear()
        return str(tmp_path / "to") if at else (str(tmp_path / "to" / "mine.safetensors"), "")

    for name in ("getSaveFileName", "getExistingDirectory"):
        monkeypatch.setattr(QFileDialog, name, chosen)
    result.export_button.menu().actions()[at].trigger()
    qtbot.waitUntil(result.export_button.isEnabled)
    assert list((tmp_path / "to").rglob("mine.safetensors"))


def test_an_export_that_ends_half_way_leaves_nothing(result, tmp_path, monkeypatch):
    target, cancel = tmp_path / "elsewhere", threading.Event()
    target.mkdir()
    events = folder_events(result._directory, target, cancel)
    next(events)
    cancel.set()
    with pytest.raises(Cancelled):
        list(events)
    assert not any(target.iterdir())

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(copies.shutil, "copystat", full)
    with pytest.raises(FileError, match="elsewhere"):
        list(folder_events(result._directory, target))
    assert not any(target.iterdir())


def test_a_folder_is_copied_into_one_of_its_own(result):
    (result._directory / "more").mkdir()
    (result._directory / "more" / "a.txt").write_text("a")
    made = result_of(folder_events(result._directory, result._directory / "more"))
    assert sorted(p.name for p in made.rglob("*.*")) == ["a.txt", "log.csv", "mine.safetensors"]


def test_the_window_goes_on_while_it_is_exported(result, qtbot, tmp_path, monkeypatch):
    threads, copy = [], copies._copy

    def slow(*args):
        threads.append(threading.current_thread())
        copy(*args)

    monkeypatch.setattr(copies, "_copy", slow)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "to"))
    (tmp_path / "to").mkdir()
    result.export_button.menu().actions()[1].trigger()
    assert not result.export_button.isEnabled()
    qtbot.waitUntil(result.export_button.isEnabled)
    assert result.outcome.text() == f"Exported to {tmp_path / 'to' / 'mine-2026'}."
    assert threading.main_thread() not in threads


# --- closing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [STOP, LEAVE, CANCEL])
def test_the_question_has_an_answer_for_each_button(qtbot, key):
    box = ask(None, "mine", may_cancel=True)
    qtbot.addWidget(box)
    QTimer.singleShot(50, next(b for b in box.buttons() if b.objectName() == key).click)
    box.exec()
    assert answer_of(box) == key
    assert "mine is still running" in box.text()


@pytest.fixture
def docked(qtbot, training, found, tmp_path, viewer):
    """A panel in a window, following a training at work."""
    training("wait")
    run = processes.start(Recipe(name="mine", model=ModelSettings(start="x")), tmp_path / "run")
    qtbot.waitUntil(lambda: run.status().step == 3)
    window = QMainWindow()
    window.setStyleSheet(get_stylesheet("dark"))
    dock = QDockWidget("Train", window)
    panel = TrainWidget(viewer)
    dock.setWidget(panel)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    window.resize(300, 800)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    assert panel.run.output == run.output
    return window, panel, dock, run


@pytest.mark.parametrize(
    ("answer", "closed", "alive"), [(CANCEL, False, True), (LEAVE, True, True), (STOP, True, False)]
)
def test_closing_napari_asks(docked, qtbot, answer, closed, alive):
    window, panel, _, run = docked
    asked, ask = [], panel._guard.ask

    def answered(*about):
        box = ask(*about)
        asked.append(box.text())
        QTimer.singleShot(0, next(b for b in box.buttons() if b.objectName() == answer).click)
        return box

    panel._guard.ask = answered
    done = []
    QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
    qtbot.waitUntil(lambda: bool(done))
    assert asked == ["The training run is still running."]
    assert window.isVisible() is not closed
    if alive:
        qtbot.wait(200)
        assert run.alive()
    else:
        qtbot.waitUntil(lambda: run.status().status == "stopped")


def test_closing_napari_while_a_training_is_begun_asks(ready, qtbot, monkeypatch):
    window, begun = QMainWindow(), threading.Event()
    qtbot.addWidget(window)
    window.setCentralWidget(ready)

    def work(*_about):
        begun.set()
        while not _about[-1].wait(0.01):
            yield Progress(0, 1, "Writing a layer")

    monkeypatch.setattr(panel_module, "start_work", work)
    ready.start_button.click()
    qtbot.waitUntil(begun.is_set)
    asked, done = [], []

    def answer():
        box = QApplication.activeModalWidget()
        if box is not None:
            asked.append(box.text())
            next(one for one in box.buttons() if one.objectName() == CANCEL).click()

    timer = QTimer(window)
    timer.timeout.connect(answer)
    timer.start(10)
    QTimer.singleShot(0, lambda: done.append(window.close()))  # inside an event loop
    qtbot.waitUntil(lambda: bool(done))
    timer.stop()
    assert (done, asked) == ([False], ["Starting a training: this is not finished yet."])
    ready._job.cancel()
    qtbot.waitUntil(lambda: not ready._job.running)
    window.takeCentralWidget()  # each is closed by itself


def test_a_training_that_is_not_shown_any_more_is_asked_for_too(docked):
    _, panel, _, run = docked
    panel.follow(None)
    assert panel._running_run().output == run.output


def test_a_floating_panel_is_asked_for_with_the_window_it_belongs_to(docked, qtbot):
    window, panel, dock, _ = docked
    dock.setFloating(True)
    qtbot.wait(20)
    assert panel._guard.window is window


def test_a_script_that_closes_the_viewer_is_not_asked(docked):
    window, panel, _, run = docked
    panel._guard.ask = lambda *_: pytest.fail("it was asked")
    assert window.close()
    assert run.alive()


def test_closing_the_panel_asks_too(docked, qtbot):
    window, panel, dock, run = docked
    panel.setParent(None)  # as napari takes it out of its dock
    window.removeDockWidget(dock)
    qtbot.addWidget(panel)
    boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
    (box,) = [b for b in boxes if b.isVisible()]
    assert len(box.buttons()) == 2  # it is closed already: nothing to cancel
    next(b for b in box.buttons() if b.objectName() == STOP).click()
    qtbot.waitUntil(lambda: run.status().status == "stopped")
    assert not panel._timer.isActive()


def test_nothing_is_clipped_at_the_narrowest(docked, qtbot):
    _, panel, _, _ = docked
    panel.stop()
    qtbot.waitUntil(lambda: panel._ended)
    qtbot.wait(200)
    assert panel.width() <= 300
    for page in range(2):
        panel.pages.setCurrentIndex(page)
        qtbot.wait(50)
        scroll = panel.pages.currentWidget()
        assert scroll.widget().minimumSizeHint().width() <= scroll.viewport().width()
    room = scroll.viewport().width()
    label = panel.result.message._text
    assert label.height() >= label.heightForWidth(label.width())
    shown = [plot for plot in panel.progress.plots.values() if not plot.isHidden()]
    assert shown
    for plot in shown:
        assert plot.mapTo(scroll.widget(), plot.rect().topRight()).x() <= room
        assert plot.curves
