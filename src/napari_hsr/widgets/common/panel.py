"""What panels are built from: a docked widget, and buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QPushButton, QWidget

from napari_hsr.viewer import shortcuts
from napari_hsr.viewer.workspace import (
    forget_names,
    know_by_both_names,
    make_room,
    shared_heights,
)
from napari_hsr.widgets.common.accessible import name_controls, parts_of
from napari_hsr.widgets.common.closed_panels import collect_soon, destroy_at_exit
from napari_hsr.widgets.common.control_settings import remember, set_as_before
from napari_hsr.widgets.common.dock_tabs import name_whole
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.labels import lay_out_now
from napari_hsr.widgets.common.own_context import delete_in_own_context
from napari_hsr.widgets.common.panel_keys import PanelKeys
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.scroll_area import scroll_by_wheel
from napari_hsr.widgets.common.view_in_sight import keep_in_sight

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.viewer.fingerprints import Trace


class Docked(QWidget):
    """A widget of a dock: it finds its place there, and the keyboard finds it.

    Subclasses have the viewer in ``_viewer`` before they are shown.
    """

    _viewer: Any = None
    painted = False  # since it was made: until then nobody has seen it
    _placed = False
    _names: tuple[str, ...] = ()  # what napari knows its dock by
    _height = 0  # of napari's window before it was docked, in pixels

    def finish(self) -> None:
        """Once all controls are there: their names, the keys, and an end before the process's."""
        parts = parts_of(self)
        name_controls(self, parts)
        scroll_by_wheel(self, parts)
        PanelKeys(self, parts, self._to_front)
        shortcuts.register()
        destroy_at_exit(self)

    def help_button(self) -> HelpButton:
        """A button that opens the page on this panel."""
        return HelpButton(self)

    def has_keyboard(self) -> bool:
        """Whether one of its controls has the focus."""
        return self.isAncestorOf(QApplication.focusWidget())

    def _to_front(self) -> None:
        """Tab goes on to panels that lie under others of their stack."""
        dock = _dock_around(self)
        if dock is not None and self.visibleRegion().isEmpty():
            dock.raise_()

    def take_keyboard(self) -> None:
        """Come to the front of its stack, with the focus on the first control."""
        dock = _dock_around(self)
        if dock is not None:
            dock.show()
            dock.raise_()
        part = present(self.nextInFocusChain())
        while self.isAncestorOf(part):
            tabbed = part.focusPolicy() & Qt.FocusPolicy.TabFocus
            if tabbed and part.isEnabled() and part.isVisibleTo(self):
                # as after Tab: else a check box does not show that it has the keyboard
                window = present(part.window())
                window.setAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
                part.setFocus(Qt.FocusReason.TabFocusReason)
                return
            part = present(part.nextInFocusChain())

    def event(self, event) -> bool:
        """Notice being put into a dock, shown there for the first time, and taken out of it."""
        kind = event.type()
        if kind == QEvent.Type.Paint:
            self.painted = True
        elif kind == QEvent.Type.ParentChange and self.parent() is None and self._names:
            forget_names(self._viewer, self._names)
            self._names, self._placed = (), False
        elif kind == QEvent.Type.ParentChange and not self._placed and self._has_window():
            self._height = self._viewer.window.geometry()[3]
            keep_in_sight(self._viewer)
        elif kind == QEvent.Type.Show and not self._placed:
            self._placed = True
            QTimer.singleShot(0, self._find_room)  # napari has docked it by then
        elif kind == QEvent.Type.Show:
            QTimer.singleShot(0, self._name_tabs)  # which may be others by now
        return super().event(event)

    def _has_window(self) -> bool:
        return hasattr(self._viewer, "window")  # a model of a viewer has none

    def _find_room(self) -> None:
        if _dock_around(self) is None or not self._has_window():
            return  # in a window of its own there is room
        delete_in_own_context(present(self.window()))
        self._names = know_by_both_names(self._viewer, self)
        make_room(self._viewer, self, self._height)
        self._name_tabs()
        keep_in_sight(self._viewer)  # what is in sight now is so before the dock becomes wider
        self._widen()
        self._share_height()
        lay_out_now(self)
        keep_in_sight(self._viewer)
        if self._height:
            QTimer.singleShot(0, self._shrink_window)  # its layout needs less by then

    def _name_tabs(self) -> None:
        dock, window = _dock_around(self), self.window()
        if dock is not None and window is not None:
            name_whole(window, dock)

    def _widen(self) -> None:
        """Give the dock the width that it and its title ask for: it was docked in smaller letters."""
        dock, window = _dock_around(self), self.window()
        title = None if dock is None else dock.titleBarWidget()
        lacking = self.sizeHint().width() - self.width()
        if title is not None and (layout := title.layout()) is not None:
            lacking = max(lacking, layout.minimumSize().width() - title.width())
        if dock is None or dock.isFloating() or not isinstance(window, QMainWindow) or lacking <= 0:
            return
        wanted = min(dock.width() + lacking, window.width() // 3)
        if wanted > dock.width():
            window.resizeDocks([dock], [wanted], Qt.Orientation.Horizontal)
            QTimer.singleShot(0, window.update)  # the handle between would be seen twice

    def _share_height(self) -> None:
        """Let no panel of the column be so low that nothing is seen of it, if there is room for all."""
        heights, window = shared_heights(self._viewer, self), self.window()
        if heights and isinstance(window, QMainWindow):
            window.resizeDocks([*heights], [*heights.values()], Qt.Orientation.Vertical)

    def _shrink_window(self) -> None:
        window = present(self.window())
        if window.height() > self._height:  # it grew while there was no room
            window.resize(window.width(), self._height)


class Panel(Docked):
    """A panel that lets go of the viewer when it is closed or taken out of its dock.

    napari does not delete a panel then, and may dock it again. Subclasses call :meth:`attach`
    once they are built, and implement ``_attach`` and ``_release``. A new one in the viewer is then
    set as the last of its kind was, unless all its settings are about a layer.
    """

    _attached: bool | None = None  # None until it is built
    _keeps_settings = True

    def attach(self) -> None:
        """Follow the viewer; does nothing if it does so already."""
        if not self._attached:
            new = self._attached is None
            if new:
                self.finish()
            self._attached = True
            self._attach()
            if new and self._keeps_settings:
                set_as_before(self._viewer, self)

    def release(self) -> None:
        """Leave the viewer without callbacks of this panel; safe to call twice."""
        if self._attached:
            self._attached = False
            if self._keeps_settings:
                remember(self._viewer, self)
            self._release()

    def files_in_use(self) -> list[Trace]:
        """Files that the panel has opened beside the layers, as they were then, for a session."""
        return []

    def use_files(self, paths: list[str]) -> list[str]:
        """Open them again; a sentence for each that could not be."""
        return []

    def _attach(self) -> None:
        """Connect to the viewer."""

    def _release(self) -> None:
        """Undo what :meth:`_attach` did."""

    def event(self, event) -> bool:
        """Notice being closed, docked and taken out of the dock."""
        kind = event.type()
        if kind == QEvent.Type.Close or (
            kind == QEvent.Type.ParentChange and self.parent() is None
        ):
            self.release()
            if kind == QEvent.Type.ParentChange:
                collect_soon()
        elif kind in (QEvent.Type.Show, QEvent.Type.ParentChange) and self._attached is False:
            self.attach()
        return super().event(event)


def _dock_around(panel: QWidget) -> QDockWidget | None:
    dock: QWidget | None = panel
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    return dock


def button(text: str, slot: Callable[[], object], tooltip: str = "") -> QPushButton:
    """A button that calls ``slot``, without an argument, when it is clicked."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.clicked.connect(lambda _checked=False: slot())
    return made


def main_window() -> QWidget | None:
    """napari's window, whose style a dialog takes; None in a script without one."""
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    return QApplication.activeWindow() or next((w for w in windows if w.isVisible()), None)
