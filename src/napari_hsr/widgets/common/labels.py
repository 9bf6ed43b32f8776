"""Word-wrapped labels: as high as their text, or folded to its first lines."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import QCoreApplication, QEvent, QPointF, Qt
from qtpy.QtGui import QFont, QFontMetricsF, QTextLayout, QTextOption
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_hsr.widgets.common.focus import frame_focus
from napari_hsr.widgets.common.plain_text import visible

#: Pixels kept free when breaking lines: rich text has a margin of 4 at either side, and its
#: layout may round the other way.
_SLACK = 10
_MORE, _LESS = "more", "less"


class WrappedLabel(QLabel):
    """A word-wrapped label of plain text, exactly as high as it at its current width.

    It never widens its panel. Qt asks plain word-wrapped labels for their height at widths that
    they do not get in the end.
    """

    _due = 0  # the number of the timer that runs; events come before Python's part is made

    def __init__(self, text: str = "", parent: QWidget | None = None):
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def setText(self, text) -> None:  # noqa: N802 - Qt's name
        """Show another text, and fit the height; control characters are written out."""
        plain = self.textFormat() == Qt.TextFormat.PlainText
        super().setText(visible(text) if plain else text)
        self.fit()

    def resizeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Fit the height to another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_later()

    def changeEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Fit the height to another font or style sheet."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_later()

    def paintEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Show the focus."""
        super().paintEvent(event)
        frame_focus(self)

    def timerEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Fit the height, as one that is deleted is never asked to."""
        if event.timerId() != self._due:
            super().timerEvent(event)
            return
        self.killTimer(self._due)
        self._due = 0
        self.fit()

    def _fit_later(self) -> None:
        """A layout may miss a change of height while it is at work."""
        if not self._due:
            self._due = self.startTimer(0)

    def fit(self) -> None:
        """Be as high as the text is at this width."""
        self.setMinimumHeight(0)  # else a shorter text would be given the height of the last one
        self.setFixedHeight(max(0, self.heightForWidth(self.width())))


class BriefLabel(WrappedLabel):
    """A word-wrapped label of a few lines; a click on "more" shows the rest of a longer text.

    So do the space bar and the enter key; only a longer text takes the focus by Tab. A new text is
    folded again. The text is shown as plain text.

    Parameters
    ----------
    lines : int
        Lines shown while it is folded.
    """

    # Before Qt's own part is made: it asks for the text.
    _full, _open, _lines = "", False, 2

    def __init__(self, lines: int = 2, text: str = "", parent: QWidget | None = None):
        super().__init__("", parent)
        self._lines = lines
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByMouse
        )
        self.linkActivated.connect(lambda _: self.set_open(not self._open))
        self.setText(text)

    def text(self) -> str:
        """The whole text, folded or not."""
        return self._full

    def setText(self, text) -> None:  # noqa: N802 - Qt's name
        """Show another text, folded if it is long."""
        text = visible(text)
        if text != self._full:
            self._full, self._open = text, False
        self.fit()

    def shown(self) -> str:
        """The visible text: all of it, or its beginning and "more"."""
        lines, cut = self._first_lines()
        if not cut:
            return self._full
        if self._open:
            return f"{self._full} {_LESS}"
        return "\n".join(lines) + f"… {_MORE}"

    def set_open(self, is_open: bool) -> None:
        """Unfold or fold."""
        self._open = is_open
        self.fit()

    def keyPressEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Unfold or fold by keys."""
        keys = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() in keys and self.focusPolicy() == Qt.FocusPolicy.StrongFocus:
            self.set_open(not self._open)
        else:
            super().keyPressEvent(event)

    def showEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Fit again: the style may have changed while it was hidden."""
        super().showEvent(event)
        self._fit_later()

    def fit(self) -> None:
        """The same, folded to its first lines."""
        self.ensurePolished()  # else the room would be counted without the style's padding
        lines, cut = self._first_lines()
        if self._open or not cut:
            shown = escape(self._full).replace("\n", "<br>")
        else:
            shown = "<br>".join(map(escape, lines)) + "…"
        if cut:  # the theme's own colour: that of Qt's links is too dark on dark grounds
            colour = self.palette().windowText().color().name()
            word = _LESS if self._open else _MORE
            shown += f" <a href='#{word}' style='color: {colour}'>{word}</a>"
        policy = Qt.FocusPolicy
        self.setFocusPolicy(policy.StrongFocus if cut else policy.ClickFocus)
        if shown != QLabel.text(self):
            QLabel.setText(self, shown)
        super().fit()

    def _first_lines(self) -> tuple[list[str], bool]:
        """The lines shown while folded, and whether they are only a part."""
        room = self.contentsRect().width() - 2 * self.margin() - _SLACK
        if room < 40 or not self._full:  # not laid out yet
            return [self._full], False
        lines = broken(self._full, self.font(), room)
        if len(lines) <= self._lines:
            return lines, False
        kept = lines[: self._lines]
        measure = QFontMetricsF(self.font())
        last = kept[-1].rstrip()
        while last and measure.horizontalAdvance(f"{last}… {_MORE}") > room:
            shorter = last.rpartition(" ")[0].rstrip()
            last = shorter or last[:-1]
        kept[-1] = last.rstrip(" .,;:·")
        return kept, True


def lay_out_now(panel: QWidget) -> None:
    """Do at once what timers of labels and posted events would do: until then they may lie over each other.

    On a busy computer that would be seen, for as long as a library is imported.
    """
    for _ in range(2):  # a height may take the width of a scroll bar from others
        for label in panel.findChildren(WrappedLabel):
            label.fit()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)


def broken(text: str, font: QFont, room: float) -> list[str]:
    """The lines that a text breaks into at a width in pixels."""
    lines = []
    for paragraph in text.split("\n"):
        layout = QTextLayout(paragraph, font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        while (line := layout.createLine()).isValid():
            line.setLineWidth(room)
            line.setPosition(QPointF(0, 0))
            start = line.textStart()
            lines.append(_utf16_slice(paragraph, start, start + line.textLength()).rstrip())
        layout.endLayout()
    return lines


def _utf16_slice(text: str, start: int, stop: int) -> str:
    """Qt counts in UTF-16, where rare characters take two places."""
    return text.encode("utf-16-le")[2 * start : 2 * stop].decode("utf-16-le", "ignore")
