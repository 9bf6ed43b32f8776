"""Connections to napari's events that end when the widget does."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_hsr.viewer.as_read import changes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QWidget

#: Callbacks kept alive until their Qt object is gone: see :func:`when_gone`.
_WAITING: set = set()


def when_gone(thing: QObject, call: Callable[[], object]) -> Callable[[], None]:
    """Call ``call`` once when Qt destroys ``thing``, or Python's collector finds it.

    The callback is kept alive here: one that only the object refers to may be collected just
    before Qt calls it, which crashes the process. Of an object that is collected Qt says nothing.
    ``call`` must not refer to the object. What is returned takes all of that back.
    """

    def gone(*_qt: object) -> None:
        if gone in _WAITING:
            _WAITING.discard(gone)
            if threading.current_thread() is threading.main_thread():  # that of napari's events
                call()

    def forget() -> None:
        there = of()
        if gone in _WAITING and there is not None:
            with suppress(RuntimeError, TypeError):  # Qt has taken it down
                there.destroyed.disconnect(gone)
            _WAITING.discard(gone)
            collected.detach()

    _WAITING.add(gone)
    thing.destroyed.connect(gone)
    of = weakref.ref(thing)
    collected = weakref.finalize(thing, gone)
    collected.atexit = False
    return forget


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
        self._forget: Callable[[], None] | None = None

    def connect(self, emitter, method: str) -> None:
        """Call the widget's ``method`` on each event of ``emitter``."""
        callback = (self._widget, method)
        widget = self._widget()
        if self._forget is None and widget is not None:
            self._forget = when_gone(widget, self.close)
        emitter.connect(callback)
        self._made.append((emitter, callback))

    def follow(self, layer: Any, method: str) -> None:
        """Call the widget's ``method`` whenever a layer may hold other values, or lie elsewhere."""
        for name in changes_of(layer):
            self.connect(getattr(layer.events, name), method)

    def close(self) -> None:
        """Undo all connections; safe to call twice, and what is connected later is undone, too."""
        made, self._made = self._made, []
        forget, self._forget = self._forget, None
        if forget is not None:  # nothing of them is to stay where the widget does
            forget()
        for emitter, callback in made:
            emitter.disconnect(callback)
