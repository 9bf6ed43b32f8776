"""The message label: tinted, wrapped, out of the way when it has nothing to say."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_hsr.errors import FileError
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.messages import Message


def test_takes_no_room_while_empty(qtbot):
    message = Message()
    qtbot.addWidget(message)
    assert message.isHidden()
    message.show_warning("Something to know.")
    assert not message.isHidden()
    assert message.kind == "warning"
    message.clear()
    assert message.isHidden()
    assert (message.kind, message.text()) == ("", "")


def test_our_own_errors_speak_for_themselves(qtbot):
    message = Message()
    qtbot.addWidget(message)
    message.show_exception(FileError("a/b.mat", "holds no three-dimensional array"))
    assert message.kind == "error"
    assert message.text() == "a/b.mat: holds no three-dimensional array."
    assert message.details() == ""


def test_other_errors_are_one_sentence_and_details(qtbot):
    message = Message()
    qtbot.addWidget(message)
    message.show_exception(ZeroDivisionError("division by zero"), "The comparison")
    assert message.text().startswith("The comparison failed")
    assert message.details() == "ZeroDivisionError: division by zero"


def test_a_wrapped_label_is_as_high_as_its_text_at_its_width(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    label = WrappedLabel()
    QVBoxLayout(panel).addWidget(label)
    panel.resize(200, 400)
    panel.show()
    label.setText("many short words " * 20)
    qtbot.wait(30)
    tall = label.height()
    panel.resize(500, 400)
    qtbot.wait(30)
    wide = label.height()
    label.setText("few")
    qtbot.wait(30)
    assert tall > wide > label.height() > 0
    label.setText("/a/long/path" * 40)
    qtbot.wait(30)
    assert panel.width() == 500
