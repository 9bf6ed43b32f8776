"""The names on the tabs of docked panels, which Qt shortens to a letter or two where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTabBar

if TYPE_CHECKING:
    from qtpy.QtWidgets import QDockWidget, QWidget


def name_whole(window: QWidget, dock: QDockWidget) -> None:
    """Let the tabs that a dock lies under have their whole names, and be scrolled through."""
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    for bar in window.findChildren(QTabBar, options=direct):
        if dock.windowTitle() in map(bar.tabText, range(bar.count())):
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setUsesScrollButtons(True)
