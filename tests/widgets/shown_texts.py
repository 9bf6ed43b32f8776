"""Every text that a window shows or would show, and what is wrong with it."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QTextDocument
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QGraphicsTextItem,
    QGraphicsView,
    QGroupBox,
    QLabel,
    QLineEdit,
    QListView,
    QProgressBar,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A name that would load a picture, be bold, erase a terminal's line, be turned around and is no text.
HOSTILE = "<img src='file:///etc/passwd'><b>HOSTILE</b>\r\x1b[2J\u202e\udcff\u2028"
#: Letters of a text that somebody may still read.
READABLE = 12_000
#: Break opportunities, which are harmless.
_SOFT = "\u200b\u200d\u00ad"


_TEXTS = {
    QAbstractButton: lambda one: [("text", one.text())],
    QProgressBar: lambda one: [("text", one.text())],
    QGroupBox: lambda one: [("title", one.title())],
    QLineEdit: lambda one: [("placeholder", one.placeholderText())],
    QComboBox: lambda one: [
        ("placeholder", one.placeholderText()),
        *(("entry", one.itemText(row)) for row in range(one.count())),
    ],
}


def texts(window: QWidget) -> Iterator[tuple[str, str, bool]]:
    """Where, what, and whether Qt may take it for markup, of a window and all that is in it."""
    for one in (window, *window.findChildren(QWidget)):
        kind = type(one).__name__
        yield f"{kind} tool tip", one.toolTip(), True
        yield f"{kind} status tip", one.statusTip(), False
        yield f"{kind} window title", one.windowTitle(), False
        for what in (t for t in _TEXTS if isinstance(one, t)):
            for name, text in _TEXTS[what](one):
                yield f"{kind} {name}", text, False
        if isinstance(one, QLabel):
            yield f"{kind} text", QLabel.text(one), one.textFormat() != Qt.TextFormat.PlainText
        if isinstance(one, QComboBox):
            for row in range(one.count()):
                yield f"{kind} entry's tip", _data(one.itemData(row, _TIP)), True
        if isinstance(one, QAbstractItemView) and one.model() is not None:
            yield from _cells(one)
        if isinstance(one, QGraphicsView) and (scene := one.scene()) is not None:
            for item in scene.items():
                yield f"{kind} {type(item).__name__} tip", item.toolTip(), True
                if isinstance(item, QGraphicsTextItem):
                    yield f"{kind} graphics", item.toHtml(), True
    for action in window.findChildren(QAction):
        yield "action", action.text(), False
        yield "action's tip", action.toolTip(), True


def _cells(view: QAbstractItemView) -> Iterator[tuple[str, str, bool]]:
    model, kind = view.model(), type(view).__name__
    for row in range(model.rowCount()):
        for column in range(_columns(view)):
            index = model.index(row, column)
            yield f"{kind} cell", _data(model.data(index)), False
            yield f"{kind} cell's tip", _data(model.data(index, _TIP)), True
    ways = Qt.Orientation
    for way, count in ((ways.Horizontal, _columns(view)), (ways.Vertical, model.rowCount())):
        for at in range(0 if isinstance(view, QListView) else count):
            yield f"{kind} head", _data(model.headerData(at, way)), False
            yield f"{kind} head's tip", _data(model.headerData(at, way, _TIP)), True


_TIP = Qt.ItemDataRole.ToolTipRole


def _data(value: object) -> str:
    return value if isinstance(value, str) else ""


def faults(window: QWidget) -> list[str]:
    """What of a window's texts is markup of others, cannot be seen, or is too long to be read."""
    found = []
    for where, text, may_be_rich in texts(window):
        if may_be_rich and Qt.mightBeRichText(text):
            document = QTextDocument()
            document.setHtml(text)
            text = document.toPlainText()
        if "HOSTILE" in text and "<b>HOSTILE" not in text.replace("\u200b", ""):
            found.append(f"{where} is markup: {text[:80]!r}")
        odd = {c for c in text if _hidden(c)}
        if odd:
            found.append(f"{where} holds {odd}: {text[:80]!r}")
        if len(text) > READABLE:
            found.append(f"{where} has {len(text)} letters")
    return found


def _hidden(char: str) -> bool:
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return char not in f"\n\t{_SOFT}" and unicodedata.category(char) in kinds


def holds(window: QWidget, words: str = "HOSTILE") -> bool:
    """Whether the words are among what a window shows."""
    return any(words in text for _, text, _ in texts(window))


def _columns(view: QAbstractItemView) -> int:
    return 1 if isinstance(view, QListView) else view.model().columnCount()  # private in lists
