"""Connections to napari's events that end when the widget does."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QWidget

#: Callbacks kept alive until their Qt object is destroyed: see :func:`when_gone`.
_WAITING: set = set()


def when_gone(thing: QObject, call: Callable[[], object]) -> None:
    """Call ``call`` once when Qt destroys ``thing``.

    The callback is kept alive here: one that only the object refers to may be collected just
    before Qt calls it, which crashes the process. ``call`` must not refer to the object.
    """

    def gone(*_qt: object) -> None:
        _WAITING.discard(gone)
        call()

    _WAITING.add(gone)
    thing.destroyed.connect(gone)


class Connections:
    """Connects methods of a widget to napari's emitters, for as long as the widget lives.

    napari keeps weak references to the *Python* object, which may outlive its Qt half; an event
    would then call into a deleted widget. All connections are therefore closed when Qt destroys
    the widget.

    Parameters
    ----------
    widget : QWidget
        The owner of the methods; only a weak reference to it is kept.
    """

    def __init__(self, widget: QWidget):
        self._widget = weakref.ref(widget)
        self._made: list[tuple[Any, tuple[weakref.ref, str]]] = []
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
