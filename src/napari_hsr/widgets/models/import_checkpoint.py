"""The dialog that imports a published checkpoint as a model with a card."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_hsr.errors import HSRError
from napari_hsr.progress import Progress
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.messages import Message, breakable
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.models.import_answers import Answers, file_filter, suggested_name
from napari_hsr.widgets.models.import_form import ImportForm

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.models.checkpoint_import import Checkpoint
    from napari_hsr.widgets.common.job import Work

#: Width of the dialog when it opens, in pixels.
WIDTH = 420
#: How much of the screen's height it takes at most; then it scrolls.
SCREEN_SHARE = 0.85
#: Of links: to be read on dark and light grounds.
LINK = "color: rgb(80, 140, 230)"


class ImportDialog(QDialog):
    """Reads a file, shows what it is, lets its card be completed, and imports it.

    Parameters
    ----------
    parent : QWidget
    path : path-like, optional
        The file; without one, the dialog asks for it.
    entry : Entry, optional
        The published weights that the file is expected to be.

    Signals
    -------
    imported(object)
        The :class:`~napari_hsr.models.model.Model`, loaded.
    """

    imported = Signal(object)

    def __init__(self, parent: QWidget | None = None, path: str | Path | None = None, entry=None):
        super().__init__(parent)
        self.setWindowTitle("Import a checkpoint")
        self._entry = entry
        self._job = JobSlot(self)
        self._importing = False
        self._stated: dict[str, Any] | None = None
        self.checkpoint: Any = None

        self.introduction = WrappedLabel(_introduction(entry))
        self.introduction.setTextFormat(Qt.TextFormat.RichText)
        self.introduction.setOpenExternalLinks(True)
        self.file_label = WrappedLabel()
        self.file_button = QPushButton("Choose a file…")
        self.bar = QProgressBar()
        self.found = Message()
        self.form = ImportForm()
        self.message = Message()
        self.import_button = QPushButton("Import")
        self.cancel_button = QPushButton("Cancel")
        self.file_button.setToolTip("The file of weights to read")
        self.import_button.setToolTip("Keep it as a model with this card")
        self.cancel_button.setToolTip("Close without importing")
        self._arrange()
        name_controls(self)
        self.file_button.setFocus()  # not the sentence above it, which has a link
        self.file_button.clicked.connect(self._ask_for_file)
        self.form.changed.connect(self._check)
        self.import_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.reject)
        self._check()
        if path is not None:
            self.read(path)

    def read(self, path: str | Path) -> None:
        """Look into another file, in a thread."""
        path = Path(path)
        if self._importing:
            return
        self.checkpoint = None
        self.form.hide()
        self.file_label.setText(breakable(str(path)))
        self.found.clear()
        self._start(partial(_examine, path), self._on_examined, "Reading the file")
        self._check()

    def run(self) -> None:
        """Import what is shown; does nothing while something stands in the way."""
        if self._stated is None or self.busy:
            return
        self._importing = True
        work = partial(_import, self.checkpoint, self._stated)
        self._start(work, self._on_imported, "Importing the model")
        self._check()

    @property
    def busy(self) -> bool:
        """True while a file is read or imported."""
        return self._job.running

    def reject(self) -> None:
        """Close, unless a model is being written just now."""
        if not self._importing:
            super().reject()

    def event(self, event) -> bool:
        """Grow with what there is to show, as far as the screen allows."""
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and self.isVisible():
            screen = present(self.screen()).availableGeometry()
            wanted = min(self.sizeHint().height(), int(screen.height() * SCREEN_SHARE))
            if wanted > self.height():
                self.resize(self.width(), wanted)
                below = self.y() + wanted - screen.bottom()
                if below > 0:  # its buttons would not be seen
                    self.move(self.x(), max(screen.top(), self.y() - below))
        return handled

    # --- inside --------------------------------------------------------------------------

    def _start(self, work: Work, then: Callable[[Any], None], doing: str) -> None:
        def end(then: Callable[[Any], None], result: Any) -> None:
            self._importing = False
            self.bar.hide()
            self._check()
            then(result)  # what it says stays

        self.bar.show()
        self._job.start(
            work,
            finished=partial(end, then),
            failed=partial(end, lambda error: self._on_failed(doing, error)),
        )

    def _on_examined(self, checkpoint) -> None:
        self.checkpoint = checkpoint
        entry, said = self._entry, _found_text(checkpoint)
        if entry is not None and entry.architecture != checkpoint.architecture:
            self.found.show_warning(f"This is not {entry.title}. {said}")
            entry = None
        else:
            self.found.show_info(said)
        name = checkpoint.card.name if checkpoint.card else suggested_name(checkpoint.path, entry)
        self.form.show_checkpoint(checkpoint, name, entry)
        self.form.show()

    def _on_imported(self, model) -> None:
        self.imported.emit(model)
        self.accept()

    def _on_failed(self, doing: str, error: Exception) -> None:
        if self.checkpoint is None:
            self.found.show_exception(error, doing)
        else:
            self.message.show_exception(error, doing)

    def _check(self) -> None:
        """Say in one sentence what stands in the way, or what would be assumed."""
        self._stated = None
        if self.checkpoint is None:
            self.message.clear()
        else:
            answers: Answers = self.form.answers()
            try:
                self._stated = answers.stated(self.checkpoint)
            except HSRError as error:
                self.message.show_warning(str(error))
            else:
                assumed = answers.assumed(self.checkpoint)
                if assumed:
                    self.message.show_info(f"Assumed until stated: {'; '.join(assumed)}.")
                else:
                    self.message.clear()
        ready = self._stated is not None and not self.busy
        self.import_button.setEnabled(ready)
        self.form.setEnabled(not self._importing)
        self.file_button.setEnabled(not self._importing)
        self.cancel_button.setEnabled(not self._importing)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import a checkpoint", "", file_filter())
        if path:
            self.read(path)

    def _arrange(self) -> None:
        self.introduction.setVisible(bool(self.introduction.text()))
        self.introduction.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.bar.setRange(0, 0)
        self.bar.hide()
        self.form.hide()
        self.import_button.setDefault(True)
        self.file_button.setAutoDefault(False)
        content = QWidget()
        column(
            *(self.introduction, self.file_label, self.file_button, self.bar),
            *(self.found, self.form),
            into=content,
        ).addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.import_button)
        outer = QVBoxLayout(self)
        outer.addWidget(VerticalScroll(content), 1)
        outer.addWidget(self.message)
        outer.addLayout(buttons)
        self.setMinimumWidth(290)
        self.resize(WIDTH, self.sizeHint().height())


def open_import(parent: QWidget | None, path: str | Path | None = None, entry=None) -> ImportDialog:
    """Open the dialog over a panel; it deletes itself when it is closed."""
    dialog = ImportDialog(parent, path, entry)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog


def _examine(path: Path, _cancel: threading.Event) -> Iterator[Any]:
    from napari_hsr.models.checkpoint_import import examine

    yield Progress(0, 0, "Reading")
    yield examine(path)


def _import(
    checkpoint: Checkpoint, stated: dict[str, Any], _cancel: threading.Event
) -> Iterator[Any]:
    from napari_hsr.models.checkpoint_import import import_examined

    yield Progress(0, 0, "Importing")
    yield import_examined(checkpoint, **stated)


def _introduction(entry) -> str:
    if entry is None:
        return (
            "A checkpoint is read as data: nothing in it is run. The network is recognised "
            "from its weights alone."
        )
    or_train = f", or train one on your own images, by the command line: {entry.training_command} --data FOLDER"
    page = f'<a style="{LINK}" href="{escape(entry.page)}">the authors’ page</a>'
    if not entry.published:
        return (
            f"<b>{escape(entry.title)}</b>: its authors publish no weights ({page}). "
            f"Import a checkpoint that was trained elsewhere{or_train}."
        )
    return (
        f"<b>{escape(entry.title)}</b>: its weights are published at {page}, and lie "
        f'<a style="{LINK}" href="{escape(entry.link)}">there</a>. Download the file, then choose it here'
        f"{or_train}."
    )


def _found_text(checkpoint) -> str:
    from napari_hsr.models.model_list import count_text

    if checkpoint.bands is None:
        return (
            f"Recognised: {checkpoint.title}. {count_text(checkpoint.weights)}; a cube of any bands "
            f"in, {checkpoint.scale} × as many pixels per side out. Neighbouring bands: {checkpoint.input_rule}."
        )
    return (
        f"Recognised: {checkpoint.title}. {count_text(checkpoint.weights)}, "
        f"{checkpoint.channels} channels in, {checkpoint.bands} "
        f"band{'' if checkpoint.bands == 1 else 's'} out. "
        f"Input rule: {checkpoint.input_rule}."
    )
