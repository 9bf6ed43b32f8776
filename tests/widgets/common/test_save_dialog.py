"""The file to write: its suffix, and what is asked before another file goes."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_hsr.widgets.common.save_dialog import ask_path


@pytest.fixture
def ask(qtbot, monkeypatch, tmp_path):
    """``ask(typed, answer)`` gives the path, and the questions that were asked."""
    parent = QWidget()
    qtbot.addWidget(parent)

    def run(typed, answer=None):
        asked = []

        def question(box):
            assert box.textFormat() == Qt.TextFormat.PlainText
            asked.append(box.text())
            return answer

        typed = typed and str(tmp_path / typed)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (typed, ""))
        monkeypatch.setattr(QMessageBox, "exec", question)
        return ask_path(parent, "Export", "spectra.csv", "*.csv"), asked

    return run


def test_a_missing_suffix_is_added(ask, tmp_path):
    assert ask("a") == (tmp_path / "a.csv", [])
    assert ask("version 0.2") == (tmp_path / "version 0.2.csv", [])
    assert ask("a.CSV") == (tmp_path / "a.CSV", [])
    assert ask("") == (None, [])


def test_a_file_that_the_dialog_did_not_ask_about_is_asked_about(ask, tmp_path):
    (tmp_path / "a.csv").write_text("kept")
    path, asked = ask("a", QMessageBox.StandardButton.No)
    assert path is None
    assert len(asked) == 1
    assert "a.csv" in asked[0]
    assert ask("a", QMessageBox.StandardButton.Yes)[0] == tmp_path / "a.csv"
    assert ask("a.csv") == (tmp_path / "a.csv", [])  # Qt's dialog has asked
    assert (tmp_path / "a.csv").read_text() == "kept"


def test_files_that_are_written_with_it_are_asked_about(qtbot, monkeypatch, tmp_path):
    parent, asked = QWidget(), []
    qtbot.addWidget(parent)
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "a.tif"), ""))
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or next(answers))

    def ask():
        return ask_path(parent, "Save", "maps.tif", "*.tif", lambda path: [tmp_path / "b.tif"])

    assert ask() == tmp_path / "a.tif"
    (tmp_path / "a.tif").touch()  # Qt's dialog has asked about it
    (tmp_path / "b.tif").touch()
    assert ask() is None
    assert ask() == tmp_path / "a.tif"
    assert asked == ["“b.tif” already exists. Replace it?"] * 2


def test_every_suffix_of_the_filters_is_one(qtbot, monkeypatch, tmp_path):
    parent = QWidget()
    qtbot.addWidget(parent)
    kinds = "Table (*.csv);;JSON (*.json)"
    for typed, written in (("a.json", "a.json"), ("a.JSON", "a.JSON"), ("a.txt", "a.txt.csv")):
        chosen = str(tmp_path / typed)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, chosen=chosen: (chosen, ""))
        assert ask_path(parent, "Save", "summary.csv", kinds) == tmp_path / written


def test_the_suffix_added_is_that_of_the_chosen_filter(qtbot, monkeypatch, tmp_path):
    parent = QWidget()
    qtbot.addWidget(parent)
    kinds = ("Table (*.csv)", "JSON (*.json)", "Pictures (*.tif *.csv)")
    for kind, written in zip(kinds, ("a.csv", "a.json", "a.csv"), strict=True):
        chosen = str(tmp_path / "a"), kind
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, chosen=chosen: chosen)
        assert ask_path(parent, "Save", "summary.csv", ";;".join(kinds)) == tmp_path / written


def test_a_name_that_no_disk_takes_is_left_to_whoever_writes(ask, tmp_path):
    name = "y" * 300
    assert ask(name) == (tmp_path / f"{name}.csv", [])
