"""Components: the method, how many, and the plots of eigenvalues and loadings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QSpinBox, QWidget

from napari_hsr.analysis.components import METHODS
from napari_hsr.viewer.pins import PALETTE
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.layouts import column, narrow_form, row
from napari_hsr.widgets.plotting.plot import PlotCurve, SpectrumPlot

if TYPE_CHECKING:
    from napari_hsr.analysis import Components

_SCREE, _LOADINGS = "scree", "loadings"


class ComponentsForm(QWidget):
    """PCA or MNF of some number; ``results`` is their scree plot and loadings, to be put elsewhere.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._shown: Components | None = None
        self.method = NarrowComboBox()
        self.method.offer({key: f"{key.upper()}: {text}" for key, text in METHODS.items()}, "pca")
        self.method.setToolTip("By variance (PCA), or by signal over noise (MNF)")
        self.number = QSpinBox()
        self.number.setRange(1, 10)
        self.number.setValue(5)
        self.number.setToolTip("How many components become maps")
        self.view = NarrowComboBox()
        self.view.offer({_SCREE: "Eigenvalues (scree plot)", _LOADINGS: "Loadings"}, _SCREE)
        self.view.setToolTip("What the plot shows of the components")
        self.plot = SpectrumPlot()
        self.results = QWidget()
        column(row(QLabel("Plot"), self.view, stretch=self.view), self.plot, into=self.results)
        rows = narrow_form()
        rows.addRow("Method", self.method)
        rows.addRow("Components", self.number)
        column(rows, into=self).addStretch(1)
        self.results.hide()
        self.method.currentIndexChanged.connect(lambda _row: self.changed.emit())
        self.number.valueChanged.connect(lambda _n: self.changed.emit())
        self.view.currentIndexChanged.connect(self._draw)

    def set_bands(self, bands: int) -> None:
        """The number of bands of the cube: there are not more components."""
        if bands:  # without a cube the number stays
            self.number.setMaximum(min(bands, 60))

    def show_components(self, made: Components | None) -> None:
        """Plot these; None for none."""
        self._shown = made
        self._draw()

    @property
    def has_results(self) -> bool:
        """Whether there are components to plot."""
        return self._shown is not None

    def _draw(self, *_ignored) -> None:
        made = self._shown
        if made is None:
            return
        n = len(made.loadings)
        if self.view.value() == _SCREE:
            first = made.eigenvalues[: max(n, 10)]
            y = np.log10(np.maximum(first, np.finfo(float).tiny))
            x = np.arange(1, first.size + 1)
            unit = f" (({made.cube.units})²)" if made.method == "pca" and made.cube.units else ""
            curves = [PlotCurve("", x, y, color=self.plot.foreground)]
            self.plot.set_labels("component", f"log₁₀ eigenvalue{unit}")
        else:
            nm = made.wavelengths_nm
            x = made.bands + 1 if nm is None else nm
            curves = [
                PlotCurve(name, x, one, color=PALETTE[k % len(PALETTE)])
                for k, (name, one) in enumerate(zip(made.names, made.loadings, strict=True))
            ]
            of = "unit of the score"
            self.plot.set_labels("band" if nm is None else "wavelength (nm)", f"loading (per {of})")
        self.plot.set_curves(curves)
        self.plot.reset_view()
