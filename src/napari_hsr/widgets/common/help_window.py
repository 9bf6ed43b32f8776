"""The page on a panel, in a window beside it: the same text as on the site, at hand without a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QDialog, QTextBrowser, QToolButton, QVBoxLayout, QWidget

from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.focus import frame_focus

if TYPE_CHECKING:
    from qtpy.QtCore import QUrl

#: The pages, one a panel, named after it.
PAGES = Path(__file__).parent / "help"


class HelpWindow(QDialog):
    """Shows one page; links to others are followed.

    Parameters
    ----------
    page : str
        Its file's name without the suffix.
    parent : QWidget
        The panel.
    """

    def __init__(self, page: str, parent: QWidget):
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.browser = QTextBrowser()
        self.browser.setOpenLinks(False)
        self.browser.anchorClicked.connect(self._follow)
        self.browser.setToolTip("What each control does; links go to other pages")
        QVBoxLayout(self).addWidget(self.browser)
        name_controls(self)
        self.resize(560, 600)
        self.browser.ensurePolished()
        colours = self.browser.palette()  # Qt's own links are too dark on dark grounds
        colours.setColor(colours.ColorRole.Link, colours.text().color())
        self.browser.setPalette(colours)
        self.show_page(page)

    def show_page(self, page: str) -> None:
        """Show another page."""
        name = page if page == "super-resolve" else page.replace("-", " ")
        self.setWindowTitle(name.capitalize())
        self.browser.setMarkdown((PAGES / f"{page}.md").read_text(encoding="utf-8"))

    def _follow(self, link: QUrl) -> None:
        page = Path(link.path()).stem
        if (PAGES / f"{page}.md").is_file():
            self.show_page(page)


def page_of(panel: QWidget) -> str:
    """The page on a panel or window: ``SuperResolveWidget`` has ``super-resolve``."""
    name = type(panel).__name__.removesuffix("Widget").removesuffix("Window")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class HelpButton(QToolButton):
    """Opens the page on a panel, as F1 does while the panel has the focus.

    Parameters
    ----------
    panel : QWidget
        Or a window.
    page : str, optional
        By default that of the panel's name.
    """

    def __init__(self, panel: QWidget, page: str | None = None):
        super().__init__()
        self._page = page or page_of(panel)
        what = "window" if isinstance(panel, QDialog) else "panel"
        self.setText("?")
        self.setAccessibleName(f"Help on this {what}")
        self.setToolTip(f"What this {what} does, and each of its controls (F1)")
        self.clicked.connect(self._show)
        key = QShortcut(QKeySequence(QKeySequence.StandardKey.HelpContents), panel)
        key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        key.activated.connect(self.click)

    def paintEvent(self, event) -> None:  # noqa: N802 - Qt's name
        """Show the focus."""
        super().paintEvent(event)
        frame_focus(self)

    def _show(self) -> None:
        HelpWindow(self._page, self).show()
