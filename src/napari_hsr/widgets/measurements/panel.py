"""The Measurements panel: what the user measured corrects what was reconstructed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_hsr.widgets.common.collapsible import Fold
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.panel import Panel
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.measurements.anchors import AnchorSection

if TYPE_CHECKING:
    import napari.viewer


class MeasurementsWidget(Panel):
    """Measured spectra at some places correct a cube.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self.anchors = AnchorSection(viewer, self)
        content = QWidget()
        fold = Fold("Measured spectra", self.anchors)
        fold.set_open(True)
        column(fold, into=content).addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(VerticalScroll(content, 160))
        self.setMinimumWidth(280)
        # Use the whole height of the dock; napari would add an empty stretch.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.attach()

    def _attach(self) -> None:
        self.anchors.attach()

    def _release(self) -> None:
        self.anchors.release()
