"""Measuring regions in a thread: one run at a time, always the latest request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_hsr.viewer import regions
from napari_hsr.widgets.common.job import Job

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qtpy.QtWidgets import QWidget


class RegionMeter(QObject):
    """Computes mean ± s.d. of regions of cubes in the background.

    A new request cancels the one being measured and takes its place.

    Parameters
    ----------
    panel : QWidget
        Closing it stops the measurement.

    Signals
    -------
    measured : list of RegionCurve
    failed : Exception
    """

    measured = Signal(object)
    failed = Signal(object)

    def __init__(self, panel: QWidget):
        super().__init__(panel)
        self._panel = panel
        self._job: Job | None = None
        self._next: tuple | None = None

    @property
    def busy(self) -> bool:
        """True while regions are being measured."""
        return self._job is not None

    def measure(
        self,
        wanted: Sequence[regions.Region],
        targets: Sequence[regions.Target],
        quantiles: Sequence[float] = (),
    ) -> None:
        """Measure these; ``measured`` follows, immediately if there is nothing to do."""
        if self._job is not None:
            self._next = (wanted, targets, quantiles)
            self._job.cancel()
        elif not wanted or not targets:
            self.measured.emit([])
        else:
            self._start(wanted, targets, quantiles)

    def stop(self) -> None:
        """Cancel, and hear nothing more of it."""
        self._next = None
        if self._job is not None:
            self._job.stop(seconds=0)  # one that reads from a slow disk ends by itself
            self._forget_job()

    def _start(self, wanted, targets, quantiles) -> None:
        def work(cancel):
            yield list(regions.measure(wanted, targets, cancel.is_set, quantiles))

        self._job = Job(work, parent=self._panel)
        self._job.finished.connect(self.measured)
        self._job.failed.connect(self.failed)
        self._job.ended.connect(self._on_ended)
        self._job.start()

    def _on_ended(self) -> None:
        self._forget_job()
        if self._next is not None:
            wish, self._next = self._next, None
            self.measure(*wish)

    def _forget_job(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.deleteLater()


class RegionFinder:
    """Finds the visible regions of a viewer, and gives them distinct colours.

    Parameters
    ----------
    palette : sequence of str
        Colours for shapes without one of their own.
    limit : int
        Most regions to return.
    """

    def __init__(self, palette: Sequence[str], limit: int):
        self._palette = palette
        self._limit = limit
        self._shapes_seen: dict[Any, int] = {}
        #: Which labels could not be read when it was looked last, in a sentence.
        self.problem = ""

    def __call__(
        self, viewer: Any, avoid: Collection[str] = ()
    ) -> tuple[list[regions.Region], int]:
        """The regions, and their total number; new ones do not get the colours in ``avoid``."""
        from napari.layers import Labels

        found: list[regions.Region] = []
        total, self.problem = 0, ""
        for layer in viewer.layers:
            room = max(self._limit - total, 0)
            if not layer.visible:
                continue
            if regions.is_regions(layer) and layer.nshapes:
                seen = self._shapes_seen.get(layer.unique_id, 0)
                regions.tell_shapes_apart(layer, seen, self._palette, avoid)
                self._shapes_seen[layer.unique_id] = layer.nshapes
                found += regions.shape_regions(layer, viewer)[:room]
                total += layer.nshapes
            elif isinstance(layer, Labels):
                try:
                    labels, count = regions.label_regions(layer, room, viewer)
                except Exception as error:  # a lazy array may raise anything
                    self.problem = f"The labels of {layer.name} could not be read: {error}"
                    continue
                found += [labels] if labels is not None and room else []
                total += count
        return found, total
