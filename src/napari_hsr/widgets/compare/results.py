"""The results of a comparison: metrics, exclusions and curves over the bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_hsr.inference.stacks.frame_figures import FrameTable
from napari_hsr.metrics.protocols import LABELS
from napari_hsr.viewer.axis import current_nm, go_to
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.choosers import NarrowComboBox
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.compare.several import FigureTableView
from napari_hsr.widgets.compare.table import MetricTable
from napari_hsr.widgets.compare.uncertainty_curves import Drawn, drawn, over_frames

if TYPE_CHECKING:
    from qtpy.QtWidgets import QBoxLayout

    from napari_hsr.inference.trust.uncertainty_check import UncertaintyCheck
    from napari_hsr.metrics import Evaluation
    from napari_hsr.metrics.compare import Comparison
    from napari_hsr.widgets.plotting.plot import SpectrumPlot

#: The metrics drawn over the bands, in the order of the chooser.
CURVES = ("rmse", "psnr", "mrae")


class ResultView(QWidget):
    """Heading with the protocol, table of metrics, notes, curves over the bands.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        The plot follows its theme, and the marker its slider.
    """

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self.evaluation: Evaluation | None = None
        self._drawn: dict[str, Drawn] = {}
        self.heading = WrappedLabel()
        self.protocol = WrappedLabel()
        self.table = MetricTable()
        self.several = FigureTableView()
        self.notes = WrappedLabel()
        self.curve_chooser = NarrowComboBox()
        self.curve_chooser.setToolTip(
            "What is plotted: a figure in each band, or how well the errors were foretold"
        )
        self.curve_chooser.currentIndexChanged.connect(self._draw)
        self._plot: SpectrumPlot | None = None

        heading_font = self.heading.font()
        heading_font.setBold(True)
        self.heading.setFont(heading_font)
        line = QHBoxLayout()
        line.addWidget(QLabel("Curve:"))
        line.addWidget(self.curve_chooser, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.heading, self.protocol, self.several, self.table, self.notes):
            layout.addWidget(widget)
        layout.addLayout(line)
        connections = Connections(self)
        connections.connect(viewer.events.theme, "_on_theme")
        connections.connect(viewer.dims.events.point, "_on_point")

    @property
    def plot(self) -> SpectrumPlot:
        """The curves, made when the first is drawn: the panel opens without."""
        if self._plot is None:
            from napari_hsr.widgets.plotting.plot import SpectrumPlot

            self._plot = SpectrumPlot()
            self._plot.setMinimumHeight(220)
            self._plot.marker_moved.connect(self._on_marker_moved)
            name_controls(self._plot)
            cast("QBoxLayout", self.layout()).addWidget(self._plot, 1)
            self._on_theme()
        return self._plot

    def show_comparison(self, comparison: Comparison, held: UncertaintyCheck | None = None) -> None:
        """Show the results, and how well the intervals and the measured share knew of the errors."""
        evaluation = self.evaluation = comparison.evaluation
        self._drawn = {} if held is None else drawn(held, evaluation)
        failed: tuple[str, ...] = ()
        if isinstance(comparison.table, FrameTable):
            self._drawn = over_frames(comparison.table) | self._drawn
            failed = tuple(
                f"Frame {number + 1} is left out: {why}"
                for number, why in comparison.table.failures.items()
            )
        self.heading.setText(f"{evaluation.prediction} against {evaluation.truth}")
        self.protocol.setText(f"Protocol: {evaluation.protocol}")
        self.protocol.setToolTip(evaluation.protocol_text)
        colours = {f"ΔE00 {light}": value for light, value in evaluation.delta_e.items()}
        self.table.show_values(LABELS, evaluation.values | colours, evaluation.units)
        self.several.setVisible(comparison.table is not None)
        if comparison.table is not None:
            self.several.show_table(comparison.table)
        promised = held.words(evaluation.units.get("rmse")) if held is not None else ""
        sentences = (
            *([promised] if promised else []),
            *failed[:3],
            *([f"And {len(failed) - 3} more frames."] if len(failed) > 3 else []),
            *evaluation.notes,
            *evaluation.excluded_lines(),
            *comparison.notes,
        )
        self.notes.setText("\n".join(sentences))
        self.notes.setVisible(bool(sentences))
        known = {name: LABELS[name] for name in CURVES if name in evaluation.per_band}
        known |= {name: one.title for name, one in self._drawn.items()}
        chosen = self.curve_chooser.value()
        first = next(iter(known), None)
        self.curve_chooser.offer(known, chosen if chosen in known else first)
        self._draw()

    def curve(self) -> str | None:
        """The metric drawn: ``"rmse"``, ``"psnr"`` or ``"mrae"``."""
        return self.curve_chooser.value()

    def _draw(self, *_ignored) -> None:
        from napari_hsr.widgets.plotting.curves import PlotCurve

        name = self.curve()
        if name is None:
            return
        if name in self._drawn:
            one = self._drawn[name]
            self.plot.set_labels(one.x_label, one.y_label)
            self.plot.set_curves(
                [PlotCurve("", one.x, one.y, color=self.plot.foreground), *one.beside]
            )
            self.plot.reset_view()
            self.plot.set_placeholder("")
            self._on_point()
            return
        evaluation = present(self.evaluation)
        y = np.asarray(evaluation.per_band[name], dtype=float)
        nm = evaluation.wavelengths
        x = np.arange(1, y.size + 1) if nm is None else np.asarray(nm, dtype=float)
        unit = evaluation.units.get(name)
        self.plot.set_labels(
            "band" if nm is None else "wavelength (nm)",
            f"{LABELS[name]} ({unit})" if unit else LABELS[name],
        )
        self.plot.set_curves([PlotCurve("", x, y, color=self.plot.foreground)])
        self.plot.reset_view()
        self.plot.set_placeholder("" if np.isfinite(y).any() else _why_no_curve(y))
        self._on_point()

    def _on_theme(self, event=None) -> None:
        if self._plot is not None:
            self._plot.set_theme(str(self._viewer.theme))
            self._draw()

    def _on_point(self, event=None) -> None:
        if self._plot is None:
            return
        drawn = self._drawn.get(self.curve() or "")
        by_band = drawn is None or drawn.by_band
        if self.evaluation is None or self.evaluation.wavelengths is None or not by_band:
            self.plot.set_marker(None)
        else:
            self.plot.set_marker(current_nm(self._viewer))

    def _on_marker_moved(self, nm: float) -> None:
        go_to(self._viewer, nm)


def _why_no_curve(y: np.ndarray) -> str:
    if np.isposinf(y).all():
        return "Every band is equal: the PSNR is infinite."
    return "No band has a finite value."
