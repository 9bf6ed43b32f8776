"""The list of trainings: a new one, and earlier ones."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QStyledItemDelegate, QWidget

from napari_hsr.training.runs import processes
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.plain_text import tip
from napari_hsr.widgets.common.qt_typing import present

if TYPE_CHECKING:
    from napari_hsr.training.runs.processes import Run

#: Lies in a run's folder once its end was shown.
SEEN = ".seen"
#: So many are listed.
MOST = 30
#: At the end of the folder's name, as :func:`napari_hsr.training.runs.processes.default_output` has it.
_DATE = re.compile(r"-\d{4}-\d\d-\d\d-\d{4}(?:-(\d+))?$")
_WORDS = {"died": "ended unexpectedly"}


class RunChooser(NarrowComboBox):
    """A new training, and those of before, the newest first.

    Signals
    -------
    chosen(object)
        The Run that the *user* has chosen, None for a new training.
    """

    chosen = Signal(object)
    elide = Qt.TextElideMode.ElideMiddle  # names begin alike, and end with how it went and when

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        # A list with two lines an entry; the closed box shows the first one.
        self.setStyleSheet("QComboBox { combobox-popup: 0; }")
        self.setItemDelegate(QStyledItemDelegate(self))
        present(self.view()).setTextElideMode(self.elide)
        self._runs: list[Run] = []
        self._current: Run | None = None
        self.activated.connect(self._on_activated)
        self.refresh()

    def refresh(self) -> None:
        """Look again at which there are; the current one stays."""
        found = processes.find()[:MOST]
        known = {run.output: run for run in (self._current,) if run is not None}
        self._runs = [known.get(run.output, run) for run in found]
        if self._current is not None and self._current not in self._runs:
            self._runs.insert(0, self._current)
        texts = ["a new training", *(_line(run) for run in self._runs)]
        row = 0 if self._current is None else 1 + self._runs.index(self._current)
        self.set_choices(texts, row)
        self._tell()

    def run(self) -> Run | None:
        """The current one; None for a new training."""
        return self._current

    def set_run(self, run: Run | None) -> None:
        """Make one current, without a signal."""
        self._current = run
        self.refresh()

    def waiting(self) -> Run | None:
        """The run to show first: an active one, or the newest if it was stopped or not yet seen."""
        for run in self._runs:
            if run.status().active:
                return run
        newest = self._runs[0] if self._runs else None
        if newest is None or newest.status().status == "stopped":
            return newest
        return None if os.path.exists(newest.output / SEEN) else newest

    def newest(self) -> Run | None:
        """The latest training of all."""
        return self._runs[0] if self._runs else None

    def showPopup(self) -> None:  # noqa: N802 - Qt's name
        """What was started elsewhere is there too."""
        self.refresh()
        super().showPopup()

    def _on_activated(self, row: int) -> None:
        self._current = self._runs[row - 1] if row else None
        self._tell()
        self.chosen.emit(self._current)

    def _tell(self) -> None:
        """What the narrow line has no room for."""
        run = self._current
        told = "A new training, or an earlier one to look at or to go on with"
        self.setToolTip(told if run is None else tip(f"{self.currentText()}\n{run.name}"))


def mark_seen(run: Run) -> None:
    """The end of a run was shown: it is not brought up again by itself."""
    with suppress(OSError):  # a folder that is gone or read-only: it is shown once more
        (run.output / SEEN).touch()


def _line(run: Run) -> str:
    status = run.status()
    when = time.strftime("%d %b, %H:%M", time.localtime(status.started)) if status.started else ""
    words = _WORDS.get(status.status, status.status)
    # The folder's date is told for people; what sets two of one minute apart stays.
    name = _DATE.sub(lambda found: f" ({found[1]})" if found[1] else "", run.name)
    return "\n".join(filter(None, (f"{name} · {words}", when)))
