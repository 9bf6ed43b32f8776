"""The Measurements panel: what the user measured corrects what was reconstructed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.panel import Panel
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.measurements.anchors import AnchorSection
from napari_hsr.widgets.measurements.chart import ChartSection

if TYPE_CHECKING:
    import napari.viewer

    from napari_hsr.viewer.fingerprints import Trace


class MeasurementsWidget(Panel):
    """Measured spectra correct a cube; a chart in a photograph tells of its camera.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self.anchors = AnchorSection(viewer, self)
        content = QWidget()
        self.chart = ChartSection(viewer, self)
        folds = Fold("Measured spectra", self.anchors), Fold("Chart in the picture", self.chart)
        for fold in folds:
            fold.set_open(True)
        inside = column(*folds, into=content)
        inside.addWidget(self.help_button(), 0, Qt.AlignmentFlag.AlignRight)
        inside.setContentsMargins(6, 4, 6, 6)
        inside.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScroll(content, 160))
        self.setMinimumWidth(280)
        # Use the whole height of the dock; napari would add an empty stretch.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.attach()

    def files_in_use(self) -> list[Trace]:
        """The file of measured spectra."""
        return [self.anchors.file] if self.anchors.file else []

    def use_files(self, paths: list[str]) -> list[str]:
        """Open it again; a sentence if it cannot be."""
        return [said for path in paths[-1:] if (said := self.anchors.read(path))]

    def _attach(self) -> None:
        self.anchors.attach()
        self.chart.attach()

    def _release(self) -> None:
        self.anchors.release()
        self.chart.release()
