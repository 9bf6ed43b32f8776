"""A long text takes a few lines until it is asked for; nothing of it is lost."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QFontMetricsF
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_hsr.widgets.common.labels import BriefLabel, WrappedLabel, broken
from napari_hsr.widgets.common.messages import Message

LONG = "Coarse pixels do not determine finer ones: the detail is what the model learnt. " * 4


@pytest.fixture
def column(qtbot):
    """A widget of 280 pixels, and who puts another into it."""
    outer = QWidget()
    layout = QVBoxLayout(outer)
    layout.addStretch()
    qtbot.addWidget(outer)
    outer.resize(280, 400)

    def put(widget):
        layout.insertWidget(0, widget)
        outer.show()
        qtbot.waitUntil(lambda: widget.width() > 100)
        qtbot.wait(20)
        return widget

    put.outer = outer
    return put


def lines_high(label) -> float:
    return label.height() / QFontMetricsF(label.font()).lineSpacing()


def test_a_long_text_takes_its_lines_and_unfolds(column, qtbot):
    label = column(BriefLabel(2, LONG))
    qtbot.waitUntil(lambda: label.shown() != label.text())
    assert lines_high(label) < 3
    assert label.text() == LONG
    assert label.shown().endswith("… more")
    assert label.shown().removesuffix("… more").replace("\n", " ") in LONG
    label.linkActivated.emit("#more")
    qtbot.waitUntil(lambda: lines_high(label) > 4)
    assert LONG.strip() in QLabel.text(label)
    label.linkActivated.emit("#less")
    qtbot.waitUntil(lambda: lines_high(label) < 3)


def test_keys_unfold_what_is_cut(column, qtbot):
    label = column(BriefLabel(2, LONG))
    qtbot.waitUntil(lambda: label.shown() != label.text())
    assert label.focusPolicy() == Qt.FocusPolicy.StrongFocus
    qtbot.keyClick(label, Qt.Key.Key_Space)
    assert lines_high(label) > 4
    qtbot.keyClick(label, Qt.Key.Key_Return)
    assert lines_high(label) < 3
    label.setText("Short.")
    assert label.focusPolicy() == Qt.FocusPolicy.ClickFocus


def test_what_has_the_keyboard_has_a_frame(column, qtbot, monkeypatch):
    label = column(BriefLabel(2, LONG))
    qtbot.waitUntil(lambda: label.shown() != label.text())
    monkeypatch.setattr(label, "hasFocus", lambda: False)
    before = label.grab().toImage()
    monkeypatch.setattr(label, "hasFocus", lambda: True)  # whichever window is the active one
    framed = label.grab().toImage()
    assert framed != before
    colour = label.palette().windowText().color()
    assert framed.pixelColor(label.width() // 2, 0) == colour


def test_a_short_text_is_whole(column, qtbot):
    label = column(BriefLabel(2, "All 1 < 2 & well."))
    assert label.shown() == label.text()
    assert label.shown() == "All 1 < 2 & well."
    assert QLabel.text(label) == "All 1 &lt; 2 &amp; well."


def test_another_text_is_folded_again(column, qtbot):
    label = column(BriefLabel(1, LONG))
    label.set_open(True)
    assert lines_high(label) > 4
    label.setText(LONG + "And more.")
    assert lines_high(label) < 2


def test_a_wider_label_shows_more_of_it(column, qtbot):
    label = column(BriefLabel(2, LONG))
    qtbot.waitUntil(lambda: label.shown() != label.text())
    narrow = len(label.shown())
    column.outer.resize(600, 400)
    qtbot.waitUntil(lambda: len(label.shown()) > 1.5 * narrow)
    assert lines_high(label) < 3


def test_paragraphs_and_words_without_spaces_break(qtbot):
    font = QLabel().font()
    assert broken("one\ntwo", font, 500) == ["one", "two"]
    pieces = broken("🙂x" * 60, font, 100)
    assert len(pieces) > 2
    assert "".join(pieces) == "🙂x" * 60


@pytest.mark.parametrize("width", range(230, 330, 7))
def test_a_brief_message_is_no_higher_than_its_lines(column, qtbot, width):
    message = Message(lines=2)
    column(message)
    message.show_warning(LONG)
    column.outer.resize(width, 400)
    qtbot.waitUntil(lambda: abs(message.width() - width) < 40)
    label = message.findChild(BriefLabel)
    qtbot.waitUntil(lambda: label.shown() != label.text() and lines_high(label) < 3.3)
    assert message.text() == LONG


def test_a_label_is_fitted_later_by_itself_and_no_longer_once_it_is_deleted(column, qtbot):
    label = column(WrappedLabel(LONG))
    fitted = []
    label.fit = lambda: fitted.append(label.width())
    column.outer.resize(200, 400)
    qtbot.waitUntil(lambda: bool(fitted))
    assert not label.findChildren(QTimer)  # whose signal would call what is gone
