"""What a viewer deletes of OpenGL's objects, it deletes among its own."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

from napari._vispy.canvas import VispyCanvas
from napari.components import ViewerModel
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QWidget
from vispy.gloo.context import GLContext

from napari_hsr.widgets.common.own_context import delete_in_own_context


class Context:
    def __init__(self, said):
        self.said = said

    def finish(self):
        self.said.append("finish")


class Native(QWidget):
    """A canvas that says when its context becomes the current one."""

    said: list

    def makeCurrent(self):  # noqa: N802 - Qt's name
        self.said.append("own")

    def doneCurrent(self):  # noqa: N802 - Qt's name
        self.said.append("none")


def viewer_of(qtbot):
    said = []
    native = Native()
    qtbot.addWidget(native)
    native.said = said
    scene = SimpleNamespace(context=Context(said), native=native)
    window = SimpleNamespace(
        _qt_viewer=SimpleNamespace(canvas=SimpleNamespace(_scene_canvas=scene))
    )
    return SimpleNamespace(window=window), scene, said


def test_a_viewer_finishes_in_its_own_context_and_leaves_none_behind(qtbot):
    viewer, scene, said = viewer_of(qtbot)
    for _ in range(2):  # a second panel changes nothing
        delete_in_own_context(viewer)
    scene.context.finish()
    assert said == ["own", "finish", "none"]


def test_after_the_canvas_is_gone_it_only_finishes(qtbot):
    viewer, scene, said = viewer_of(qtbot)
    delete_in_own_context(viewer)
    scene.native.deleteLater()
    QApplication.sendPostedEvents(scene.native, QEvent.Type.DeferredDelete)
    scene.context.finish()
    assert said == ["finish"]


def test_a_model_of_a_viewer_is_left_alone():
    delete_in_own_context(ViewerModel())


def test_napari_finishes_by_the_door_that_is_watched():
    source = inspect.getsource(VispyCanvas._clean_and_update_scenegraph)
    assert "self._scene_canvas.context.finish()" in source
    assert callable(GLContext.finish)
