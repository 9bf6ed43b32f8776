"""A heading that folds what is under it."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_hsr.widgets.common.focus import FocusFrame
from napari_hsr.widgets.common.scroll_area import VerticalScroll


class Fold(QWidget):
    """A title that shows or hides the widget below it when it is clicked.

    superqt's QCollapsible limits the height of its content to a size hint taken when it opens,
    which clips word-wrapped labels, and draws its arrows before napari's theme is known.
    """

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None):
        super().__init__(parent)
        self._title = title
        self.content = content
        self.button = QPushButton()
        self.button.setCheckable(True)
        self.button.setFlat(True)
        self.button.setStyleSheet(
            "QPushButton { text-align: left; border: none; background: transparent; "
            "padding: 3px 0px; }"
        )
        self.button.setToolTip(f"Show or hide: {title}")
        self.button.setAccessibleName(title)
        content.setAccessibleName(title)
        FocusFrame(self.button)  # what is flat shows nothing
        self.button.toggled.connect(self._show)
        self.button.clicked.connect(self._to_top)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._show(False)

    def set_open(self, is_open: bool) -> None:
        """Unfold or fold."""
        self.button.setChecked(is_open)

    def is_open(self) -> bool:
        """True while the content is shown."""
        return self.button.isChecked()

    def _show(self, is_open: bool) -> None:
        self.button.setText(f"{'▾' if is_open else '▸'} {self._title}")
        self.content.setVisible(is_open)

    def _to_top(self, is_open: bool) -> None:
        """What the user has unfolded may lie below the edge of what scrolls."""
        around = self.parentWidget()
        while around is not None and not isinstance(around, VerticalScroll):
            around = around.parentWidget()
        if around is not None and is_open:
            around.keep_at_top(self)
