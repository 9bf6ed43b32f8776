"""Connections to napari's events that end when the widget does."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QWidget

#: What waits for the end of a living Qt object: see :func:`when_gone`.
_WAITING: set = set()


def when_gone(thing: QObject, call: Callable[[], object]) -> None:
    """Call ``call`` once when Qt announces the end of ``thing``.

    The callback is kept here until then: one that the object alone keeps alive may be cleared
    by the garbage collector just before Qt calls it, and that is a crash of the process.
    ``call`` must not hold the object itself.
    """

    def gone(*_qt: object) -> None:
        _WAITING.discard(gone)
        call()

    _WAITING.add(gone)
    thing.destroyed.connect(gone)


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
        when_gone(widget, self.close)

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
