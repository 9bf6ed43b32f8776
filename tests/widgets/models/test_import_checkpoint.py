"""Importing in the panel: read safely, recognised, completed, imported, listed; or told why not."""

from __future__ import annotations

import os
import pickle
import threading
from html import unescape
from types import SimpleNamespace

import pytest
import torch
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_hsr.models import (
    DEFAULT,
    card_of,
    import_checkpoint,
    list_models,
    load_model,
    user_models,
)
from napari_hsr.models.architectures import mxrunet
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.models.bundled_models import bundled
from napari_hsr.models.published_weights import find
from napari_hsr.widgets.models import import_checkpoint as dialogs
from napari_hsr.widgets.models.import_checkpoint import ImportDialog
from napari_hsr.widgets.models.model_section import ModelSection

from ...double_precision import assert_exact
from ...patience import PATIENCE
from ...small_zoo import MXRUNET

SMALL = {"width": 8, "depths": (1, 1, 1, 1, 1), "hidden": (10, 21, 42, 85)}


def names() -> list[str]:
    return [card.name for card in list_models()]


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    torch.save({"state_dict": Restormer(**SMALL).state_dict()}, tmp_path / "net best.pth")
    return tmp_path / "net best.pth"


@pytest.fixture
def dialog(qtbot):
    dialog = ImportDialog()
    qtbot.addWidget(dialog)
    return dialog


@pytest.fixture
def section(qtbot):
    section = ModelSection()
    qtbot.addWidget(section)
    return section


def read(dialog, qtbot, path) -> None:
    dialog.read(path)
    done(dialog, qtbot)


def done(dialog, qtbot) -> None:
    qtbot.waitUntil(lambda: not dialog.busy)


class Dangerous:
    """Would make a folder if it were ever unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_a_pickle_that_needs_code_is_refused_with_the_reason(dialog, qtbot, tmp_path, save):
    save(
        {"state_dict": {"a": torch.zeros(1)}, "x": Dangerous(tmp_path / "proof")},
        tmp_path / "e.pth",
    )
    read(dialog, qtbot, tmp_path / "e.pth")
    assert dialog.found.kind == "error"
    assert "refused" in dialog.found.text()
    assert not (tmp_path / "proof").exists()
    assert dialog.form.isHidden()
    assert not dialog.import_button.isEnabled()
    dialog.run()
    assert not dialog.busy


def test_weights_that_nobody_knows_are_told_and_another_file_can_follow(
    dialog, qtbot, tmp_path, checkpoint
):
    torch.save({"strange.weight": torch.zeros(2, 3)}, tmp_path / "x.pth")
    read(dialog, qtbot, tmp_path / "x.pth")
    assert "not recognised" in dialog.found.text()
    read(dialog, qtbot, checkpoint)
    assert dialog.found.kind == "info"
    assert dialog.import_button.isEnabled()


def test_what_was_recognised_is_shown(dialog, qtbot, checkpoint):
    read(dialog, qtbot, checkpoint)
    count = sum(p.numel() for p in Restormer(**SMALL).parameters())
    said = dialog.found.text().replace("\u200b", "")
    assert said.startswith("Recognised: Restormer")
    assert f"{count:,} weights, 3 channels in, 31 bands out" in said
    assert "Input rule: min-max" in said
    assert dialog.form.name.text() == "net-best"
    assert not dialog.form.rule.isVisibleTo(dialog.form)
    assert names()[0] == DEFAULT
    assert len(names()) == len(bundled())  # nothing is imported yet


def test_what_is_assumed_is_said_until_it_is_stated(dialog, qtbot, checkpoint):
    read(dialog, qtbot, checkpoint)
    form, message = dialog.form, dialog.message
    assert message.kind == "info"
    assert "wavelengths 400–700 nm, every 10 nm; made for linear sRGB" in message.text()
    assert "(assumed)" in form.wavelengths.placeholderText()
    form.wavelengths.setText("400–700")
    assert message.text() == "Assumed until stated: made for linear sRGB."
    form.encoding.setCurrentIndex(1)
    assert message.text() == ""
    assert dialog.import_button.isEnabled()


def test_an_import_keeps_what_was_stated(dialog, qtbot, checkpoint):
    read(dialog, qtbot, checkpoint)
    form = dialog.form
    form.name.setText("mine")
    form.wavelengths.setText("410:710:10")
    form.encoding.setCurrentIndex(form.encoding.count() - 1)
    assert "names no camera" in dialog.message.text()
    form.camera.setText("Leica M8")
    form.units.setText("reflectance")
    form.training_data.setText("our scenes")
    form.licence.setText("CC BY 4.0")
    with qtbot.waitSignal(dialog.imported) as told:
        dialog.import_button.click()
    card = card_of("mine")
    assert told.args[0].card == card
    assert card.wavelengths_nm[0] == 410
    assert card.input_encoding == "camera:leica-m8"
    assert (card.units, card.training_data, card.licence) == (
        *("reflectance", "our scenes"),
        "CC BY 4.0",
    )
    assert "assumption" not in card.limits
    assert dialog.result() == ImportDialog.DialogCode.Accepted


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("name", "", "A name is needed"),
        ("name", "two words", "not fit for a model"),
        ("name", DEFAULT, "belongs to a bundled model"),
        ("wavelengths", "400–700 every 5", "61 wavelengths are stated, but the network makes 31"),
        ("wavelengths", "700–400", "must lie above"),
        ("wavelengths", "400, 410", "2 wavelengths are stated"),
        ("wavelengths", "green", "No number was found"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence_at_once(
    dialog, qtbot, checkpoint, field, text, says
):
    read(dialog, qtbot, checkpoint)
    getattr(dialog.form, field).setText(text)
    assert dialog.message.kind == "warning"
    assert says in dialog.message.text()
    assert dialog.message.text().count(". ") == 0
    assert not dialog.import_button.isEnabled()


def test_other_than_31_bands_need_their_wavelengths(dialog, qtbot, tmp_path):
    torch.save(Restormer(**SMALL, bands=4).state_dict(), tmp_path / "four.pth")
    read(dialog, qtbot, tmp_path / "four.pth")
    assert "makes 4 bands: state their wavelengths" in dialog.message.text()
    dialog.form.wavelengths.setText("450 550 650 750 nm")
    with qtbot.waitSignal(dialog.imported):
        dialog.run()
    assert card_of("four").wavelengths_nm == (450, 550, 650, 750)


def test_published_weights_complete_the_card(qtbot, checkpoint):
    entry = find("restormer-ntire2022")
    dialog = ImportDialog(None, checkpoint, entry)
    qtbot.addWidget(dialog)
    assert entry.page in dialog.introduction.text()
    done(dialog, qtbot)
    assert dialog.form.name.text() == entry.name
    assert "basler" in dialog.form.encoding.itemText(0)
    assert dialog.form.training_data.placeholderText() == entry.training_data
    assert dialog.message.text() == ""
    dialog.form.licence.setText("as I was told")
    with qtbot.waitSignal(dialog.imported):
        dialog.run()
    card = card_of(entry.name)
    assert card.input_encoding == entry.input_encoding
    assert card.licence == "as I was told"
    assert entry.page in card.source


def test_an_entry_of_another_network_is_not_held_against_the_file(qtbot, checkpoint):
    dialog = ImportDialog(None, checkpoint, find("mstpp-ntire2022"))
    qtbot.addWidget(dialog)
    done(dialog, qtbot)
    assert dialog.form.entry.currentIndex() == 0
    assert dialog.found.text().startswith("This is not MST++ of the MST++ toolbox")
    assert dialog.form.name.text() == "net-best"
    assert dialog.import_button.isEnabled()


def test_a_name_that_is_taken_may_be_replaced(dialog, qtbot, checkpoint):
    import_checkpoint(checkpoint, "net-best", licence="old")
    read(dialog, qtbot, checkpoint)
    form = dialog.form
    assert form.name.text() == "net-best-2"
    assert form.overwrite.isHidden()
    form.name.setText("net-best")
    assert "already" in dialog.message.text()
    assert not dialog.import_button.isEnabled()
    assert not form.overwrite.isHidden()
    form.overwrite.setChecked(True)
    form.licence.setText("new")
    with qtbot.waitSignal(dialog.imported):
        dialog.run()
    assert card_of("net-best").licence == "new"


def test_statistics_are_asked_for_where_the_network_has_them(dialog, qtbot, tmp_path):
    torch.save(mxrunet.MXRUNet(MXRUNET).state_dict(), tmp_path / "mxr.pth")
    read(dialog, qtbot, tmp_path / "mxr.pth")
    assert dialog.form.rule.isVisibleTo(dialog.form)
    assert "statistics of the NTIRE 2020 clean track" in dialog.message.text()
    dialog.form.rule.setText("mean of it all")
    assert "names no statistics" in dialog.message.text()
    dialog.form.rule.setText("ntire2020-real-world")
    assert "statistics" not in dialog.message.text()
    with qtbot.waitSignal(dialog.imported):
        dialog.run()
    assert "real-world" in card_of("mxr").input_rule


def test_a_file_with_a_card_brings_its_facts(dialog, qtbot, checkpoint, tmp_path):
    import_checkpoint(checkpoint, "first", input_encoding="srgb", licence="CC0")
    path = user_models.export("first", tmp_path / "handed-on.safetensors")
    user_models.remove("first")
    read(dialog, qtbot, path)
    assert dialog.form.name.text() == "first"
    assert dialog.form.licence.placeholderText() == "CC0"
    assert "sRGB" in dialog.form.encoding.itemText(0)
    with qtbot.waitSignal(dialog.imported):
        dialog.run()
    assert (card_of("first").licence, card_of("first").input_encoding) == ("CC0", "srgb")


def test_a_fault_while_importing_is_told_and_the_answers_stay(
    dialog, qtbot, checkpoint, monkeypatch
):
    read(dialog, qtbot, checkpoint)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    dialog.form.name.setText("mine")
    dialog.run()
    assert not dialog.cancel_button.isEnabled()
    dialog.reject()  # a model is being written
    done(dialog, qtbot)
    assert dialog.message.kind == "error"
    assert "disk is full" in dialog.message.text()
    assert dialog.form.name.text() == "mine"
    assert dialog.import_button.isEnabled()
    assert "mine" not in names()


def test_a_dialog_that_is_closed_while_it_imports_ends_with_the_import(
    dialog, qtbot, checkpoint, monkeypatch
):
    read(dialog, qtbot, checkpoint)
    dialog.form.name.setText("mine")
    closed, work = threading.Event(), dialogs._import

    def waiting(*about):
        closed.wait(PATIENCE)
        return work(*about)

    monkeypatch.setattr(dialogs, "_import", waiting)
    dialog.show()
    dialog.run()
    assert not dialog.close()  # by the x of its title, which must not leave it there for ever
    with qtbot.waitSignal(dialog.finished):
        closed.set()
    assert "mine" in names()


def test_closing_in_mid_read_leaves_nothing(qtbot, checkpoint, monkeypatch):
    state = SimpleNamespace(cancelled=False)

    def slow(path, cancel):
        state.cancelled = cancel.wait(PATIENCE)
        return iter(())

    monkeypatch.setattr(dialogs, "_examine", slow)
    dialog = ImportDialog(None, checkpoint)
    dialog.finished.connect(dialog.deleteLater)
    with qtbot.waitSignal(dialog.destroyed):
        dialog.reject()
    qtbot.waitUntil(lambda: state.cancelled)


# --- in the panel -------------------------------------------------------------------------


def drag(path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def drop(panel, data: QMimeData) -> bool:
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(panel, enter)
    if enter.isAccepted():
        event = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, buttons, keys)
        QApplication.sendEvent(panel, event)
        assert event.isAccepted()
    return enter.isAccepted()


def test_a_dropped_checkpoint_is_imported_listed_and_chosen(qtbot, checkpoint):
    from napari.components import ViewerModel

    from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

    panel = ReconstructWidget(ViewerModel())
    other = ReconstructWidget(ViewerModel())
    for widget in (panel, other):
        qtbot.addWidget(widget)
    assert drop(panel, drag(checkpoint))
    dialog = panel.models.dialog
    done(dialog, qtbot)
    with qtbot.waitSignal(dialog.imported):
        dialog.run()
    assert panel.models.dialog is None
    assert panel.model.name() == "net-best"
    assert "net-best was imported" in panel.models.message.text()
    assert other.model.name() == DEFAULT
    other.model.set_name("net-best")
    assert panel.loaded.load("net-best").name == "net-best"


def test_other_files_are_not_taken(qtbot, tmp_path, checkpoint):
    from napari.components import ViewerModel

    from napari_hsr.widgets.inference.reconstruct import ReconstructWidget

    panel = ReconstructWidget(ViewerModel())
    qtbot.addWidget(panel)
    assert not drop(panel, drag(tmp_path / "photo.png"))
    two = QMimeData()
    two.setUrls([QUrl.fromLocalFile(str(checkpoint))] * 2)
    assert not drop(panel, two)
    web = QMimeData()
    web.setUrls([QUrl("https://example.org/net.pth")])
    assert not drop(panel, web)
    assert panel.models.dialog is None


def test_a_greyed_network_leads_to_the_dialog(section, qtbot):
    entry = find("inr-cave")
    section.more.wanted.emit(entry)
    assert "publish no weights" in unescape(section.dialog.introduction.text())
    section.dialog.reject()
    assert section.dialog is None
    section.import_button.click()
    assert "read as data" in section.dialog.introduction.text()
    section.dialog.reject()


def test_own_models_are_removed_after_a_confirmation(section, qtbot, checkpoint):
    section.show()
    assert not section.remove_button.isVisible()
    section.ask_to_remove()  # on board: nothing is asked
    assert section.findChild(QMessageBox) is None
    import_checkpoint(checkpoint, "mine")
    section.chooser.refresh()
    section.chooser.set_name("mine")
    assert section.remove_button.isVisible()
    section.remove_button.click()
    box = section.findChild(QMessageBox)
    assert "mine" in box.text()
    box.button(QMessageBox.StandardButton.Cancel).click()
    assert "mine" in names()
    qtbot.waitUntil(lambda: section.findChild(QMessageBox) is None)
    section.remove_button.click()
    box = section.findChild(QMessageBox)
    next(b for b in box.findChildren(QPushButton) if b.text() == "Delete").click()
    assert "mine" not in names()
    assert section.chooser.name() == DEFAULT
    assert section.message.text() == "mine was deleted."
    assert not section.remove_button.isVisible()


def test_a_model_that_another_program_removed_is_told(section, checkpoint):
    import_checkpoint(checkpoint, "mine")
    user_models.remove("mine")
    section.remove("mine")
    assert "no imported model named 'mine'" in section.message.text()


def test_what_was_imported_runs(dialog, qtbot, checkpoint):
    read(dialog, qtbot, checkpoint)
    with qtbot.waitSignal(dialog.imported) as told:
        dialog.run()
    x = torch.rand(1, 3, 9, 7)
    assert_exact(load_model("net-best").module(x), told.args[0].module, x, 0)


def test_a_checkpoint_opened_in_the_viewer_is_offered_for_import(checkpoint, qtbot):
    """Dropped on the canvas, it goes through napari's readers: the dialog opens, no layer comes."""
    from napari_hsr.widgets.models import dropped_checkpoint

    assert dropped_checkpoint.get_reader("photo.png") is None
    assert dropped_checkpoint.get_reader([str(checkpoint), str(checkpoint)]) is None
    read = dropped_checkpoint.get_reader(str(checkpoint))
    assert read(str(checkpoint)) == [(None,)]
    (dialog,) = dropped_checkpoint._OPEN
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.checkpoint is not None)
    assert dialog.form.name.text()
    dialog.reject()
    assert not dropped_checkpoint._OPEN


def test_a_dialog_that_grows_keeps_its_buttons_on_the_screen(dialog, checkpoint, qtbot):
    dialog.show()
    screen = dialog.screen().availableGeometry()
    dialog.move(screen.left(), screen.bottom() - 100)
    assert dialog.focusWidget() is dialog.file_button
    before = dialog.height()
    dialog.read(checkpoint)
    qtbot.waitUntil(lambda: dialog.height() > before)
    qtbot.waitUntil(lambda: dialog.y() + dialog.height() <= screen.bottom())


def test_a_file_that_changed_since_it_was_looked_at_is_not_imported(dialog, qtbot, checkpoint):
    read(dialog, qtbot, checkpoint)
    wider = Restormer(**{**SMALL, "width": 12}).state_dict()
    torch.save({"state_dict": wider}, checkpoint)
    before = names()
    dialog.import_button.click()
    done(dialog, qtbot)
    assert "changed since it was looked at" in dialog.message.text()
    assert names() == before
    read(dialog, qtbot, checkpoint)
    dialog.import_button.click()
    done(dialog, qtbot)
    assert len(names()) == len(before) + 1
