"""What a viewer deletes of OpenGL's objects, it deletes among its own."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtGui import QOpenGLContext
from qtpy.QtOpenGLWidgets import QOpenGLWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

#: Set on a context that has been seen to.
_DONE = "_hsr_deletes_its_own"


def delete_in_own_context(window: QWidget) -> None:
    """Let a viewer's window make its OpenGL context the current one before what removed layers drew by is deleted.

    When a layer is removed, napari 0.9 has vispy finish its commands at once, outside of a paint:
    they go to whichever context was used last. With two viewers that is often the other one's, which
    loses the objects of the same numbers and crashes in ``glDrawArrays``; its own objects are never
    deleted. Does nothing a second time, or where vispy is built otherwise.
    """
    for native in window.findChildren(QOpenGLWidget):
        context: Any = getattr(getattr(native, "_vispy_canvas", None), "context", None)
        if hasattr(context, "finish") and not hasattr(context, _DONE):
            setattr(context, _DONE, True)
            # weakly, so that neither outlives its window
            context.finish = partial(_finish, weakref.ref(context), weakref.ref(native))


def _finish(of: Callable[[], Any], by: Callable[[], Any]) -> None:
    context, native = of(), by()
    if context is None:
        return
    before = QOpenGLContext.currentContext()
    surface = None if before is None else before.surface()
    there = native is not None and isalive(native)
    if there:
        native.makeCurrent()
    type(context).finish(context)
    if before is not None and surface is not None:
        before.makeCurrent(surface)
    elif there:
        native.doneCurrent()
