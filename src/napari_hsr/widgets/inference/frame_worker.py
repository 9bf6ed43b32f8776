"""The threads that compute the frames of a layer, and the layer that follows them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_hsr.inference.stacks.frame_arrays import State
from napari_hsr.viewer.frames import frame_changed, shown_frame
from napari_hsr.viewer.layer_data import unwrapped
from napari_hsr.widgets.common.job import Job

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_hsr.inference.stacks.frame_cubes import FrameCubes

#: How often it is looked for a frame that has come, in ms: a hand that scrubs waits for each.
POLL_MS = 8
#: Workers of layers that are in a viewer: nothing else holds them.
_AT_WORK: set[FrameWorker] = set()


class FrameWorker(QObject):
    """Computes what is looked at of a layer's frames, until the layer is removed.

    A thread for placeholders and one for the chosen model start when the slider comes to a frame
    that is not there, and end when nothing is wanted.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    layer : Image
        Its data is :attr:`FrameCubes.data`.
    """

    _asked = Signal()

    def __init__(self, viewer: ViewerModel, layer: Image):
        super().__init__()
        self._viewer, self._layer = viewer, layer
        self._frames: FrameCubes = layer.data.frames
        self._jobs: dict[State, Job] = {}
        self._on_show: tuple[tuple[int, ...], State] | None = None
        self._drawn: tuple[tuple[int, ...], State] | None = None  # what the layer was sliced with
        self._asked.connect(self._start)  # at once where the viewer asks: it waits for a moment
        self._frames.on_ask = self._asked.emit
        layer.events.set_data.connect(self._on_sliced)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.dims.events.point.connect(self._update, position="last")  # once layers are sliced
        _AT_WORK.add(self)

    @property
    def busy(self) -> bool:
        """True while frames are computed."""
        return bool(self._jobs)

    def _start(self) -> None:
        for kind in (State.PLACEHOLDER, State.DONE):
            if kind in self._jobs or not self._frames.wants(kind):
                continue
            job = self._jobs[kind] = Job(
                partial(self._frames.events, kind), parent=self, poll_ms=POLL_MS
            )
            job.progressed.connect(self._update)
            job.ended.connect(partial(self._on_ended, kind))
            job.start()

    def _on_ended(self, kind: State) -> None:
        self._jobs.pop(kind).deleteLater()
        self._update()
        if self._frames.on_ask is not None:
            self._start()  # asked for while it was ending

    def _update(self, _progress: object = None) -> None:
        there = self._layer in self._viewer.layers and self._still_held()
        if there and not self._layer.visible:  # napari draws nothing of it, and looks at no frame
            self._go_on()
        shown = self._frames.shown
        now = shown, self._frames.state(shown)
        if now != self._on_show and there:
            self._on_show = now
            frame_changed(self._layer, drawn=self._drawn == now)

    def _still_held(self) -> bool:
        """Whether the layer holds the frames; what it was given in their place is the user's."""
        now = getattr(unwrapped(self._layer).data, "frames", None)
        held = now is unwrapped(self._frames)  # napari hands out stand-ins of both
        if not held:
            for job in self._jobs.values():
                job.cancel()
        return held

    def _go_on(self) -> None:
        """Go to the frame of the sliders; it is computed once the layer is shown, or a run takes it."""
        asks, self._frames.on_ask = self._frames.on_ask, None
        try:
            self._frames.look(shown_frame(self._viewer, self._layer))
        finally:
            self._frames.on_ask = asks

    def _on_sliced(self, _event: object = None) -> None:
        self._drawn = self._frames.given

    def _on_removed(self, event) -> None:
        if event.value != self._layer:
            return
        self._frames.on_ask = None
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.dims.events.point.disconnect(self._update)
        self._layer.events.set_data.disconnect(self._on_sliced)
        for job in self._jobs.values():
            job.cancel()
        _AT_WORK.discard(self)
