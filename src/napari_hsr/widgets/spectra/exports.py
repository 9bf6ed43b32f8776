"""Asking where to write, writing, and saying what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.errors import HSRError, InputError
from napari_hsr.viewer.computed_cubes import check_computed
from napari_hsr.widgets.common.save_dialog import ask_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from qtpy.QtWidgets import QWidget

    from napari_hsr.widgets.common.messages import Message
    from napari_hsr.widgets.spectra.sources import Shown


class Notes:
    """Sentences by what they are about, in one message; it changes only when one of them does."""

    def __init__(self, message: Message):
        self._message = message
        self._said: dict[str, str] = {}

    def set(self, topic: str, sentence: str) -> None:
        """Say this of a topic, or nothing any more."""
        if self.of(topic) == sentence:
            return
        self._said[topic] = sentence
        said = " ".join(note for note in self._said.values() if note)
        if said:
            self._message.show_warning(said)
        else:
            self._message.clear()

    def of(self, topic: str) -> str:
        """What is said of a topic."""
        return self._said.get(topic, "")


def need_curves(curves: Sequence[object], measured: bool = True) -> None:
    """Refuse to write nothing, and what is of a region as it was.

    Raises
    ------
    InputError
        If there is no curve, or not all are measured as they are now.
    """
    if not measured:
        raise InputError("The regions are being measured: export them once they are.")
    if not curves:
        raise InputError("There is no spectrum to export: pin one by Shift-click.")


def need_computed(curves: Sequence[Shown], measured: bool) -> None:
    """As :func:`need_curves`, and refuse what stands in for spectra that are still computed.

    Raises
    ------
    InputError
        If there is no curve, not all are measured, or one is of a frame that is not computed yet.
    """
    need_curves(curves, measured)
    for one in curves:
        if one.source is not None:
            check_computed(one.source.cube)


def ask_and_write(
    parent: QWidget,
    message: Message,
    title: str,
    name: str,
    kinds: str,
    write: Callable[[Path], Path],
) -> None:
    """Ask for a file of one kind and write it."""
    path = ask_path(parent, title, name, kinds)
    if path is not None:
        try_to(message, lambda: f"Wrote {write(path)}.")


def ask_table(parent: QWidget, message: Message, write: Callable[[Path], Path]) -> None:
    """Ask for the file of a table of spectra, of one of three kinds, and write it."""
    kinds = "One row a band (*.csv);;JSON (*.json);;NumPy arrays (*.npz)"
    ask_and_write(parent, message, "Export table", "spectra.csv", kinds, write)


def try_to(message: Message, work: Callable[[], str]) -> None:
    """Do it, and show what it says or why it failed."""
    try:
        said = work()
    except HSRError as error:
        message.show_exception(error)
    else:
        message.show_info(said)
