"""A message in a panel: information, a warning or an error."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.widgets.common.labels import BriefLabel, WrappedLabel

#: Letters of a message that are shown: a text of a file or a card may be of any length.
_LONGEST = 3_000
#: Pixels above and below the lines of a message together.
_PADDING = 8
#: RGB of the edge and, faintly, of the background; the text keeps the theme's colour.
_TINTS = {"info": (80, 140, 230), "warning": (227, 182, 23), "error": (225, 60, 60)}


class Message(QWidget):
    """A word-wrapped message on a tinted background; takes no space while it is empty.

    The text can be selected. Technical details unfold on demand.

    Parameters
    ----------
    lines : int, optional
        Lines shown of a longer text, the rest at a click on "more"; None shows all.
    """

    def __init__(self, parent: QWidget | None = None, *, lines: int | None = None):
        super().__init__(parent)
        self._said = ("", "", "")
        self._text = WrappedLabel() if lines is None else BriefLabel(lines)
        self._more = QToolButton()
        self._more.setText("Details")
        self._more.setToolTip("Show or hide what exactly happened")
        self._more.setCheckable(True)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._details = WrappedLabel()
        self._more.toggled.connect(self._details.setVisible)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self._text, self._more, self._details):
            layout.addWidget(part)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.clear()

    @property
    def kind(self) -> str:
        """``"info"``, ``"warning"``, ``"error"``, or empty."""
        return self._said[0]

    def text(self) -> str:
        """The message."""
        return self._said[1]

    def details(self) -> str:
        """The details below the message."""
        return self._said[2]

    def clear(self) -> None:
        """Show nothing."""
        self._say("", "", "")

    def show_info(self, text: str, details: str | None = None) -> None:
        """Show what was done or is assumed."""
        self._say("info", text, details)

    def show_warning(self, text: str, details: str | None = None) -> None:
        """Show what prevents an action, or a limitation of a result."""
        self._say("warning", text, details)

    def show_error(self, text: str, details: str | None = None) -> None:
        """Show what failed."""
        self._say("error", text, details)

    def show_exception(self, error: BaseException, doing: str = "This") -> None:
        """Show an exception: an :class:`HSRError` by its message.

        Anything else is a bug: one sentence, with the exception under "Details". The traceback
        is in the log.
        """
        if isinstance(error, HSRError):
            self.show_error(str(error))
            return
        self.show_error(
            f"{doing} failed in an unexpected way; the log holds the full report.",
            f"{type(error).__name__}: {error}",
        )

    def _say(self, kind: str, text: str, details: str | None) -> None:
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        self._said = (kind, text, details or "")
        if kind:
            red, green, blue = _TINTS[kind]
            self._text.setStyleSheet(
                f"QLabel {{ border: none; border-left: 3px solid rgb({red}, {green}, {blue}); "
                f"background-color: rgba({red}, {green}, {blue}, 40); padding: 4px 4px 4px 6px; }}"
            )
        self._text.setText(breakable(text))
        self._details.setText(breakable(details or ""))
        self._more.setChecked(False)
        self._more.setVisible(bool(details))
        self._details.setVisible(False)
        self.setVisible(bool(text))


def with_room(message: Message, lines: int) -> QWidget:
    """A message in the room of its lines, also while it is empty: it moves nothing around it."""
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(message)
    layout.addStretch()
    holder.ensurePolished()
    holder.setMinimumHeight(lines * holder.fontMetrics().lineSpacing() + _PADDING)
    return holder


def breakable(text: str) -> str:
    """``text`` with break opportunities inside very long words, such as file paths."""
    return re.sub(r"\S{30,}", lambda word: re.sub(r"(?<=[/\\_.])", "\u200b", word[0]), text)
