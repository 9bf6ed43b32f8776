"""Cubes of the viewer as files: that of a layer, of the frame on show, or of all frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtWidgets import QDialog, QFileDialog

from napari_hsr.errors import AlreadyThereError, HSRError
from napari_hsr.inference.stacks.run import (
    FramesWritten,
    save_events,
    save_with_ends_events,
    write_frames_events,
)
from napari_hsr.io import WRITE_SUFFIXES
from napari_hsr.viewer.computed_cubes import computed_cube
from napari_hsr.viewer.layer_data import is_cube, is_frames, layer_cube
from napari_hsr.viewer.trust_maps import evidence_of
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import LayerChooser, NarrowComboBox
from napari_hsr.widgets.common.close_guard import saving_question
from napari_hsr.widgets.common.help_window import HelpButton
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import button
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.inference.replacing import MAY_REPLACE, replace_box

ONE, ALL, ENDS = "one", "all", "ends"
_STOPPED = "Saving cubes was stopped as its panel was closed: what is not written yet is missing."


class SaveCubesWindow(QDialog):
    """Choose a cube, a folder and a format; files are written in a thread.

    Closing the window hides it alone: they go on being written, and what became of them is told.

    Parameters
    ----------
    panel : QWidget
        Closing it ends the writing.
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, panel: Any, viewer: Any):
        super().__init__(panel)
        self._viewer, self._jobs = viewer, JobSlot(panel)
        self.folder: Path | None = None
        self.setWindowTitle("Save cubes")
        self.resize(460, 320)
        self.cubes = LayerChooser(viewer, is_cube, self, empty="no cube open")
        self.what = NarrowComboBox()
        self.what.setToolTip(
            "Of a film or stack, the frame on show, or each frame as a file; of a reconstruction\n"
            "whose intervals are known, their ends too: …_lower and …_upper"
        )
        self.format = NarrowComboBox()
        self.format.offer({s: s for s in WRITE_SUFFIXES if s != ".png"}, ".mat")
        self.format.setToolTip("Of the files")
        self.folder_button = button("Folder…", self._ask, "Where the files go")
        self.folder_label = BriefLabel(2)
        self.replace = replace_box()
        self.save_button = button("Save", self.save, "Frames that are not computed yet are, first")
        self.cancel_button = button("Cancel", self.cancel, "Stop; files that are written stay")
        self.progress = ProgressBar("Frames that are written")
        self.message = Message()
        form = narrow_form()
        form.addRow("Cube", self.cubes)
        form.addRow("What of it", self.what)
        form.addRow("Format", self.format)
        form.addRow(row(self.folder_button, self.folder_label, stretch=self.folder_label))
        form.addRow(self.replace)
        buttons = row(self.save_button, self.cancel_button, HelpButton(self))
        layout = column(form, buttons, self.progress, self.message, into=self)
        layout.setContentsMargins(9, 9, 9, 9)
        layout.addStretch(1)
        self.cubes.changed.connect(self.refresh)
        name_controls(self)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether files are written."""
        return self._jobs.running

    def set_folder(self, folder: Path) -> None:
        """Write files there."""
        self.folder = Path(folder)
        self.refresh()

    def files_in_use(self) -> list[str]:
        """The folder."""
        return [f"{self.folder}"] if self.folder else []

    def use_files(self, paths: list[str]) -> None:
        """Take this folder again."""
        for path in paths:
            self.set_folder(Path(path))

    def refresh(self, _layer: object = None) -> None:
        """Show what is chosen, and whether it can be saved."""
        layer = self.cubes.layer()
        offered = {ONE: "the cube"}
        if layer is not None and is_frames(layer):
            offered = {ONE: "the frame on show", ALL: f"all {len(layer.data.frames)} frames"}
        elif layer is not None and _intervals_of(layer) is not None:
            offered[ENDS] = "the cube, and the ends of its intervals beside it"
        chosen = self.what.value()
        self.what.offer(offered, chosen if chosen in offered else ONE)
        self.folder_label.setText(f"{self.folder}" if self.folder else "no folder chosen")
        self.save_button.setEnabled(layer is not None and bool(self.folder) and not self.busy)
        self.cancel_button.setEnabled(self.busy)
        self.progress.setVisible(self.busy)

    def save(self) -> None:
        """Write the files in a thread."""
        layer = self.cubes.layer()
        if self.busy or layer is None or self.folder is None:
            return
        self.message.clear()
        folder, suffix = self.folder, self.format.value()
        may = {"overwrite": self.replace.isChecked()}
        self.replace.setChecked(False)  # the next run is asked for anew
        if self.what.value() == ALL:
            frames = layer.data.frames

            def work(cancel):
                return write_frames_events(frames, folder, suffix, cancel, **may)

        elif self.what.value() == ENDS and (intervals := _intervals_of(layer)) is not None:
            made = layer_cube(layer)  # no preview has intervals

            def work(cancel):
                return save_with_ends_events(made, intervals, folder, suffix, cancel, **may)

        else:
            frames = layer.data.frames if is_frames(layer) else None
            try:  # a frame is computed first
                cube = layer_cube(layer) if frames else computed_cube(layer)
            except HSRError as error:
                self.message.show_exception(error)
                return
            at = frames and frames.shown

            def work(cancel):
                return save_events(frames or cube, folder, suffix, at, cancel, **may)

        self._jobs.start(
            work,
            f"Saving {layer.name}",
            asks=saving_question,
            progressed=self.progress.follow,
            finished=self._on_written,
            failed=self._on_failed,
            cancelled=lambda: self.message.show_info("Cancelled; files that were written stay."),
            ended=self.refresh,
        )
        self.progress.begin()
        self.refresh()

    def cancel(self) -> None:
        """Stop writing."""
        self._jobs.cancel()
        self.cancel_button.setEnabled(False)

    def release(self) -> None:
        """The panel is closed, which ends the writing."""
        if self.busy:
            self._jobs.drop()
            self.message.show_warning(_STOPPED)
            show_warning(_STOPPED)
            self.refresh()
        self.close()

    def _tell(self) -> None:
        """Say it where it is seen: the window may be closed."""
        if not self.isVisible():
            shows = {"info": show_info, "warning": show_warning, "error": show_error}
            shows[self.message.kind](one_line(self.message.text()))

    def _on_failed(self, error: Exception) -> None:
        self.message.show_exception(error, "Saving")
        if isinstance(error, AlreadyThereError):
            self.message.show_warning(f"{error} {MAY_REPLACE}")
        self._tell()

    def _on_written(self, written: FramesWritten) -> None:
        names = [path.name for path in written.files]
        said = f"Wrote {names[0]}" if len(names) == 1 else f"Wrote {len(names)} files"
        said = f"{said} into {self.folder}." if names else "No file was written."
        if written.failures:
            number, why = next(iter(written.failures.items()))
            count = len(written.failures)
            self.message.show_warning(f"{said} {count} failed: frame {number + 1}: {why}")
        else:
            self.message.show_info(said)
        self._tell()

    def _ask(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the cubes")
        if chosen:
            self.set_folder(Path(chosen))


def _intervals_of(layer: Any) -> Any:
    """The intervals of a cube; None where they are not known."""
    held = evidence_of(layer)
    return None if held is None else held.intervals
