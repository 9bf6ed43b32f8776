"""What a viewer deletes of OpenGL's objects, it deletes among its own."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

from napari._vispy.canvas import VispyCanvas
from qtpy import API_NAME
from qtpy.QtCore import QEvent
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication, QWidget
from vispy.app import use_app
from vispy.gloo.context import GLContext

from napari_hsr.widgets.common import own_context
from napari_hsr.widgets.common.own_context import delete_in_own_context


class Context:
    def __init__(self, said):
        self.said = said

    def finish(self):
        self.said.append("finish")


class Native(QOpenGLWidget):
    """A canvas that says when its context becomes the current one."""

    def makeCurrent(self):  # noqa: N802 - Qt's name
        self._vispy_canvas.context.said.append("own")

    def doneCurrent(self):  # noqa: N802 - Qt's name
        self._vispy_canvas.context.said.append("none")


def window_of(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    QOpenGLWidget(window)  # another plugin's
    native = Native(window)
    native._vispy_canvas = SimpleNamespace(context=Context([]))
    return window, native, native._vispy_canvas.context


def current(monkeypatch, context):
    """Let a context, or none, be the current one, whatever earlier tests have left behind."""
    monkeypatch.setattr(
        own_context, "QOpenGLContext", SimpleNamespace(currentContext=lambda: context)
    )


def test_a_viewer_finishes_in_its_own_context_and_leaves_none_behind(qtbot, monkeypatch):
    current(monkeypatch, None)
    window, _, context = window_of(qtbot)
    for _ in range(2):  # a second panel changes nothing
        delete_in_own_context(window)
    context.finish()
    assert context.said == ["own", "finish", "none"]


def test_the_context_that_was_the_current_one_is_so_again(qtbot, monkeypatch):
    window, _, context = window_of(qtbot)
    other = SimpleNamespace(surface=lambda: "other", makeCurrent=context.said.append)
    current(monkeypatch, other)
    delete_in_own_context(window)
    context.finish()
    assert context.said == ["own", "finish", "other"]


def test_after_the_canvas_is_gone_it_only_finishes(qtbot):
    window, native, context = window_of(qtbot)
    delete_in_own_context(window)
    native.deleteLater()
    QApplication.sendPostedEvents(native, QEvent.Type.DeferredDelete)
    context.finish()
    assert context.said == ["finish"]


def test_napari_finishes_by_the_door_that_is_watched():
    source = inspect.getsource(VispyCanvas._clean_and_update_scenegraph)
    assert "self._scene_canvas.context.finish()" in source
    assert callable(GLContext.finish)


def test_its_canvas_is_one_that_is_found():
    use_app(API_NAME.lower())
    from vispy.app.backends import _qt

    assert issubclass(_qt.CanvasBackendDesktop, QOpenGLWidget)
    assert "self._vispy_canvas" in inspect.getsource(_qt.CanvasBackendDesktop.paintGL)
