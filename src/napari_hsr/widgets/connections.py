"""Connections to napari's events that end when the widget does."""

from __future__ import annotations

import weakref

from qtpy.QtWidgets import QWidget


class Connections:
    """Connects methods of a widget to napari's emitters, for as long as the widget lives.

    napari keeps weak references to the *Python* object, which may outlive its Qt half; an
    event would then call into a deleted widget. All connections are therefore undone when
    Qt announces the widget's end.

    Parameters
    ----------
    widget : QWidget
        The owner of the methods; only a weak reference to it is kept.
    """

    def __init__(self, widget: QWidget):
        self._widget = weakref.ref(widget)
        self._made: list[tuple[object, tuple[weakref.ref, str]]] = []
        # A lambda, since Qt keeps it alive by itself; the bound method might be gone by then.
        widget.destroyed.connect(lambda *_: self.close())

    def connect(self, emitter, method: str) -> None:
        """Call the widget's ``method`` on each event of ``emitter``."""
        callback = (self._widget, method)
        emitter.connect(callback)
        self._made.append((emitter, callback))

    def close(self) -> None:
        """Undo all connections; safe to call twice."""
        made, self._made = self._made, []
        for emitter, callback in made:
            emitter.disconnect(callback)
