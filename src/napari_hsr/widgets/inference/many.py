"""What Reconstruct does with many photographs: a queue, a folder that grows, cubes as files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_hsr.inference.stacks.watched_folder import Grown, watched_events
from napari_hsr.viewer.frames import OnBandAxis, add_frames, add_stack, grow
from napari_hsr.viewer.layer_data import is_frames
from napari_hsr.widgets.common.control_settings import remember, set_as_before
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.inference.batch_window import BatchWindow
from napari_hsr.widgets.inference.frame_worker import FrameWorker
from napari_hsr.widgets.inference.queue_question import watching_question
from napari_hsr.widgets.inference.save_cubes import SaveCubesWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_hsr.progress import Progress

_OTHER_VALUES = "The folder is watched no longer: its layers were given other values meanwhile."


class ManyPhotographs(QWidget):
    """Buttons that open the windows, and that watch a folder.

    Parameters
    ----------
    panel : ReconstructWidget
        Whose model and options are taken.
    viewer : napari viewer or ViewerModel
    add : callable
        ``add(layer, model, options, result)`` adds the cube of a layer to the viewer.
    """

    def __init__(self, panel: Any, viewer: Any, add: Callable[..., object]):
        super().__init__(panel)
        self._panel, self._viewer, self._add = panel, viewer, add
        self._watching = JobSlot(panel)
        self._layers: tuple[Any, Any] | None = None  # of the stack that grows, and of its cubes
        self._windows: dict[type[QWidget], Any] = {}
        self.queue_button = button(
            "Queue…", self.open_queue, "A folder of files, or the selected layers, one by one"
        )
        self.watch_button = button(
            "Watch folder…", self._on_watch, "Show and reconstruct each photograph that comes in"
        )
        self.save_button = button(
            "Save cubes…",
            self.open_save,
            "The cube of a layer, or of all frames of a film, as files",
        )
        self.message = Message()
        column(row(self.queue_button, self.watch_button), self.save_button, self.message, into=self)

    def open_queue(self) -> BatchWindow:
        """The window of the queue."""
        return self._opened(BatchWindow, self._panel, self._viewer, self._add)

    def open_save(self) -> SaveCubesWindow:
        """The window that writes cubes."""
        return self._opened(SaveCubesWindow, self._panel, self._viewer)

    def _opened(self, kind: Any, *about: Any) -> Any:
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = kind(*about)
            set_as_before(self._viewer, window)
        window.refresh()
        window.show()
        window.raise_()
        return window

    # --- a folder that grows ---------------------------------------------------------------

    @property
    def watching(self) -> bool:
        """Whether a folder is watched."""
        return self._watching.running

    def watch(self, folder: Path) -> None:
        """Watch a folder until :meth:`stop`, or until its layer is removed."""
        self._layers = None
        model, options = self._panel.model.name(), self._panel.queue_options()
        self._watching.start(
            lambda cancel: watched_events(folder, model, cancel=cancel, **options),
            f"Watching {Path(folder).name}",
            asks=watching_question,
            progressed=partial(self._on_progress, model),
            failed=lambda error: self.message.show_exception(error, "Watching the folder"),
            ended=self._on_ended,
        )
        self.watch_button.setText("Stop watching")
        self.message.show_info(f"Watching {folder}.")

    def stop(self) -> None:
        """Watch no longer; the layers stay."""
        self._watching.cancel()

    def release(self) -> None:
        """The panel is closed."""
        self._watching.drop()
        self._on_ended()
        for window in self._windows.values():
            remember(self._viewer, window)
            window.release()

    def _on_watch(self) -> None:
        if self.watching:
            self.stop()
            return
        chosen = QFileDialog.getExistingDirectory(self, "Folder that grows")
        if chosen:
            self.watch(Path(chosen))

    def _on_progress(self, model: str, event: Progress) -> None:
        self.message.show_info(f"{event.message}.")
        if not isinstance(event, Grown):
            return
        if self._layers is None:
            source = add_stack(self._viewer, event.stack)
            name = f"{source.name} · {model}"
            layer = add_frames(self._viewer, event.frames, source, event.first, name)
            FrameWorker(self._viewer, layer)
            self._layers = source, layer
        elif not all(one in self._viewer.layers for one in self._layers):
            self.stop()
            return
        elif not (isinstance(self._layers[0].data, OnBandAxis) and is_frames(self._layers[1])):
            self.stop()  # what the user has put there is not written over
            self.message.show_warning(_OTHER_VALUES)
            return
        grow(self._viewer, *self._layers, event.stack)
        failed = event.stack.failures
        if failed:
            number = max(failed)
            self.message.show_warning(
                f"{event.message}; {len(failed)} cannot be used, the last of them is frame "
                f"{number + 1}: {failed[number]}"
            )

    def _on_ended(self) -> None:
        self.watch_button.setText("Watch folder…")
        if self.message.kind == "info":
            self.message.clear()
