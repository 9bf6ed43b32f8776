"""The bar of long work: how far it is, what is being done, how long it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QProgressBar

from napari_hsr.units import format_seconds

if TYPE_CHECKING:
    from napari_hsr.progress import Progress

#: Steps of a bar: shares of a step of the work are seen too.
STEPS = 1000


class ProgressBar(QProgressBar):
    """Follows :class:`~napari_hsr.progress.Progress`; without a number of steps it only moves."""

    def __init__(self, what: str = "") -> None:
        super().__init__()
        self.setAccessibleName("Progress")
        self.setToolTip(what)

    def begin(self) -> None:
        """Move before anything is known."""
        self.setRange(0, 0)
        self.setFormat("")

    def setValue(self, value: int) -> None:  # noqa: N802 - Qt's name
        """Be painted with the words about it: by itself it would be at once, and they are later."""
        self.setUpdatesEnabled(False)
        super().setValue(value)
        self.setUpdatesEnabled(True)

    def move_to(self, progress: Progress) -> None:
        """Show how far the work is."""
        self.setRange(0, STEPS if progress.total else 0)
        self.setValue(round(STEPS * progress.share))

    def follow(self, progress: Progress) -> None:
        """Show how far the work is, and its words on the bar."""
        self.move_to(progress)
        self.setFormat(progress.message + time_left(progress))


def time_left(progress: Progress) -> str:
    """``" · about 3 min left"``, nothing where it is not known or all is done."""
    left = progress.seconds_left
    return "" if left is None or progress.share == 1 else f" · about {format_seconds(left)} left"
