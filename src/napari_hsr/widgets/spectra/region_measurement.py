"""Measuring regions in a thread: one run at a time, always the latest request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from qtpy.QtCore import QObject, Signal

from napari_hsr.viewer import regions
from napari_hsr.viewer.distinct_colors import tell_shapes_apart
from napari_hsr.widgets.common.job import Job

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from qtpy.QtWidgets import QWidget


class Measured(NamedTuple):
    """Regions that were measured.

    Attributes
    ----------
    curves : list of RegionCurve
    total : int
        Regions that there are, measured or not.
    problem : str
        Which labels could not be read, in a sentence.
    """

    curves: list[regions.RegionCurve]
    total: int = 0
    problem: str = ""


class RegionMeter(QObject):
    """Computes mean ± s.d. of regions of cubes in the background, where labels are read too.

    A new request cancels the one being measured and takes its place.

    Parameters
    ----------
    panel : QWidget
        Closing it stops the measurement.
    limit : int
        Most regions to measure.

    Signals
    -------
    measured : Measured
    failed : Exception
    """

    measured = Signal(object)
    failed = Signal(object)

    def __init__(self, panel: QWidget, limit: int):
        super().__init__(panel)
        self._panel = panel
        self._limit = limit
        self._job: Job | None = None
        self._next: tuple | None = None

    @property
    def busy(self) -> bool:
        """True while regions are being measured."""
        return self._job is not None

    def measure(
        self,
        wanted: Sequence[regions.Drawn],
        targets: Sequence[regions.Target],
        quantiles: Sequence[float] = (),
    ) -> None:
        """Measure these; ``measured`` follows, immediately if there is nothing to do."""
        if self._job is not None:
            self._next = (wanted, targets, quantiles)
            self._job.cancel()
        elif not wanted or not targets:
            self.measured.emit(Measured([]))
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
            found, total, problem = regions.read_labels(wanted, self._limit)
            curves = regions.measure(found, targets, cancel.is_set, quantiles)
            yield Measured([*curves], total, problem)

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
    """

    def __init__(self, palette: Sequence[str]):
        self._palette = palette
        self._shapes_seen: dict[Any, int] = {}

    def __call__(self, viewer: Any, avoid: Collection[str] = ()) -> list[regions.Drawn]:
        """The regions; new shapes do not get the colours in ``avoid``."""
        from napari.layers import Labels

        found: list[regions.Drawn] = []
        for layer in viewer.layers:
            if regions.is_regions(layer) and layer.nshapes:
                seen = self._shapes_seen.get(layer.unique_id, 0)
                tell_shapes_apart(layer, seen, self._palette, avoid)
                self._shapes_seen[layer.unique_id] = layer.nshapes
                found += regions.shape_regions(layer, viewer)
            elif isinstance(layer, Labels) and layer.visible:
                found.append(regions.UnreadLabels.of(layer, viewer))
        return found
