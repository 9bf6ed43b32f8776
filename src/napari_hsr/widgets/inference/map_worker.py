"""The thread that computes a result's maps when they are looked at: no click waits for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Qt, Signal

from napari_hsr.viewer.trust_maps import LazyMap, limits_of, show_limits
from napari_hsr.widgets.common.job import Job
from napari_hsr.widgets.common.plain_text import one_line

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator

    from napari.components import ViewerModel
    from napari.layers import Image

#: Workers of maps that are in a viewer: nothing else holds them.
_AT_WORK: set[MapWorker] = set()


class MapWorker(QObject):
    """Computes the maps of a result that are looked at, one after the other, until all are removed.

    They share most of their work, which would be done twice by two threads.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    layers : iterable of Image
        Of :func:`napari_hsr.viewer.trust_maps.add_trust_maps`.
    """

    _asked = Signal(object)

    def __init__(self, viewer: ViewerModel, layers: Iterable[Image]):
        super().__init__()
        self._viewer, self._left = viewer, list(layers)
        self._wanted: list[Image] = []
        self._job: Job | None = None
        # once the click is done: a thread that computes slows what is drawn meanwhile
        self._asked.connect(self._ask, Qt.ConnectionType.QueuedConnection)
        for layer in self._left:
            layer.data.on_ask = partial(self._asked.emit, layer)
        viewer.layers.events.removed.connect(self._on_removed)
        _AT_WORK.add(self)

    @property
    def busy(self) -> bool:
        """True while a map is computed."""
        return self._job is not None

    def _ask(self, layer: Image) -> None:
        if layer not in self._wanted:
            self._wanted.append(layer)
        if self._job is None:
            self._start(self._wanted[0])

    def _start(self, layer: Image) -> None:
        job = self._job = Job(partial(_found, layer.data), parent=self)
        job.finished.connect(partial(self._on_found, layer))
        job.failed.connect(partial(self._on_failed, layer))
        job.ended.connect(partial(self._on_ended, layer))
        job.start()

    def _on_found(self, layer: Image, limits: tuple[tuple[float, float], float | None]) -> None:
        if not isinstance(layer.data, LazyMap):
            return  # it was given other values meanwhile
        layer.data.on_ask = None
        show_limits(layer, limits)
        for one in self._viewer.layers:
            if one.data is layer.data:  # it may have been duplicated
                one.refresh()

    def _on_failed(self, layer: Image, error: Exception) -> None:
        layer.visible = False  # shown again, it is tried again
        show_error(one_line(f"{layer.name}: {error}"))

    def _on_ended(self, layer: Image) -> None:
        assert self._job is not None
        self._job.deleteLater()
        self._job = None
        self._wanted.remove(layer)
        if self._wanted:
            self._start(self._wanted[0])

    def _on_removed(self, event) -> None:
        gone, self._left = self._left, [layer for layer in self._left if layer != event.value]
        for layer in gone:
            left_out = layer in self._left or layer in self._wanted[:1]  # which is being computed
            if not left_out and isinstance(layer.data, LazyMap):
                layer.data.on_ask = None  # a duplicate computes it by itself
                self._wanted = [one for one in self._wanted if one != layer]
        if not self._left:
            self._viewer.layers.events.removed.disconnect(self._on_removed)
            _AT_WORK.discard(self)


def _found(
    asked: LazyMap, _cancel: threading.Event
) -> Iterator[tuple[tuple[float, float], float | None]]:
    yield limits_of(asked)
