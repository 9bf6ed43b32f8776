"""A picture that was wholly in sight stays so when panels take room from the canvas."""

from __future__ import annotations

from typing import Any
from weakref import ref

from qtpy.QtCore import QObject, QTimer

from napari_hsr.viewer.layer_data import unwrapped

#: After the last of the events of docking, in ms: by then the canvas has its size, or nearly so on a busy
#: computer; therefore it is looked so often until none of the looks finds another size.
_SETTLED_MS, _LOOKS = 60, 3
#: Share by which a zoom may differ from that which fits.
_NEAR = 1e-3


class _Keeper(QObject):
    """Waits for the docks to settle, and then fits the view, unless the user has moved it."""

    def __init__(self, viewer: Any, window: QObject):
        super().__init__(window)
        self._viewer = ref(viewer)  # which holds the window
        self._camera: tuple | None = None  # before the canvas was changed, if it fitted
        self._size: tuple[int, ...] = ()  # of the canvas, when it was looked last
        self._left = 0  # looks
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLED_MS)
        self._timer.timeout.connect(self._fit)

    def watch(self, viewer: Any) -> None:
        """Note where the camera is, unless that was done for a dock just before; wait again."""
        if not self._timer.isActive():
            self._camera = _camera(viewer) if wholly_in_sight(viewer) else None
        self._left = _LOOKS
        self._timer.start()

    def _fit(self) -> None:
        viewer = self._viewer()
        if viewer is None or self._camera != _camera(viewer):
            return
        if not wholly_in_sight(viewer):
            viewer.reset_view()
            self._camera = _camera(viewer)
        size = tuple(viewer.canvas.size)
        self._left, self._size = self._left - 1 if size == self._size else _LOOKS, size
        if self._left > 0:
            self._timer.start()


def keep_in_sight(viewer: Any) -> None:
    """Call it before a dock takes room, and again until it has: the view is fitted at the end.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window.
    """
    viewer = unwrapped(viewer)
    window = viewer.window._qt_window
    keeper = window.findChild(_Keeper) or _Keeper(viewer, window)
    keeper.watch(viewer)


def wholly_in_sight(viewer: Any) -> bool:
    """Whether the layers are in the middle of the canvas and not larger than it, in two dimensions."""
    if not viewer.layers or viewer.dims.ndisplay != 2:
        return False
    center, zoom = before = _camera(viewer)
    viewer.reset_view()  # napari tells what fits in no other way
    fitted, most = _camera(viewer)
    if (fitted, most) != before:
        viewer.scene.camera.center, viewer.scene.camera.zoom = center, zoom
    off = max(abs(a - b) for a, b in zip(center, fitted, strict=True))
    return zoom <= most * (1 + _NEAR) and off * zoom < 2  # pixels


def _camera(viewer: Any) -> tuple[tuple[float, ...], float]:
    return tuple(viewer.scene.camera.center), viewer.scene.camera.zoom
