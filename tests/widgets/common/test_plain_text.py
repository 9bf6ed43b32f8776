"""Names of others never become markup, and hide nothing."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QTextDocument

from napari_hsr.widgets.common.labels import BriefLabel, WrappedLabel
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.plain_text import on_button, one_line, tip, visible

NAMES = [
    '<img src="file:///etc/passwd">',
    "<b>bold</b>",
    "a < b & c > d",
    "plain",
    "&lt;b&gt;",
]


def shown(text: str) -> str:
    """What a tool tip shows of a text: rich text where Qt takes it for such."""
    if not Qt.mightBeRichText(text):
        return text
    document = QTextDocument()
    document.setHtml(text)
    return document.toPlainText()


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_tip_shows_a_name_as_it_is(name):
    assert shown(tip(name)) == name
    assert shown(tip(f"{name}\nsecond line")) == f"{name}\nsecond line"


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\x1b[31mb\u202ec\x00") == "a\\x1b[31mb\\u202ec\\x00"
    assert visible("a\nb\u200bc é 日本 😀") == "a\nb\u200bc é 日本 😀"
    assert one_line("a\nb") == "a\\nb"
    assert on_button("R&D\n") == "R&&D\\n"


def test_what_nobody_reads_is_cut(qtbot):
    assert len(visible("x" * 10**6)) == 10_000
    assert len(one_line("x" * 10**6)) == 1_000
    label = BriefLabel(2, "x y" * 10**6)
    qtbot.addWidget(label)
    assert label.text().endswith("…")


@pytest.mark.parametrize("name", NAMES)
def test_labels_and_messages_are_plain_text(qtbot, name):
    label, brief, message = WrappedLabel(name), BriefLabel(2, name), Message()
    for widget in (label, brief, message):
        qtbot.addWidget(widget)
    assert label.textFormat() == Qt.TextFormat.PlainText
    assert label.text() == name
    brief.resize(400, 50)
    brief.show()
    inside = QTextDocument()
    inside.setHtml(super(BriefLabel, brief).text())
    assert inside.toPlainText() == name
    message.show_warning(name)
    assert message._text.textFormat() == Qt.TextFormat.PlainText
    assert message.text() == name
    label.setText("a\x07b")
    assert label.text() == "a\\x07b"
