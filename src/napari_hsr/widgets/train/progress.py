"""How a training goes: a bar, a line of figures, and curves over the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_hsr.notices import Code, Severity
from napari_hsr.training.events import (
    Baseline,
    Began,
    Event,
    Measured,
    Noticed,
    Preparing,
    Step,
)
from napari_hsr.training.runs.figures import describe_step
from napari_hsr.training.runs.history import History
from napari_hsr.units import device_words
from napari_hsr.widgets.common.accessible import name_controls
from napari_hsr.widgets.common.labels import WrappedLabel
from napari_hsr.widgets.common.layouts import column
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.progress_bar import ProgressBar

if TYPE_CHECKING:
    from napari_hsr.notices import Notice
    from napari_hsr.widgets.plotting.curves import PlotCurve
    from napari_hsr.widgets.plotting.plot import SpectrumPlot

#: Key in the history, the name of the axis with its unit, the colour.
CURVES = (
    ("loss", "training loss", "#e07b39"),
    ("psnr_db", "held-out PSNR (dB)", "#3fa7d6"),
    ("sam_deg", "held-out SAM (°)", "#59cd90"),
)
UNITS = {"psnr_db": " dB", "sam_deg": "°"}
#: Height of the y axis at least, in dB and °: a change that nobody could tell is drawn as none.
LEAST_SPAN = {"psnr_db": 0.1, "sam_deg": 0.1}


class ProgressView(QWidget):
    """Shows the events of one run; begins anew with :meth:`clear`.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Whose theme the curves follow.
    """

    def __init__(self, viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._events: list[Event] = []
        self._timed = False  # the bar shows how much of the time budget has passed
        self.history = History()
        self.began: Began | None = None
        self.bar = ProgressBar("How far the training is")
        self.status = WrappedLabel()
        self.where = WrappedLabel()
        self.notices = Message()
        self._viewer = viewer
        self._plots: dict[str, SpectrumPlot] = {}
        self._column = column(self.bar, self.status, self.where, self.notices, into=self)
        self.clear()

    @property
    def plots(self) -> dict[str, SpectrumPlot]:
        """The curves by their keys, made when the first is drawn: a panel opens without them."""
        from napari_hsr.widgets.plotting.plot import SpectrumPlot

        for key, label, _ in () if self._plots else CURVES:
            plot = self._plots[key] = SpectrumPlot()
            plot.view.setMinimumSize(200, 150)
            plot.view.setMaximumHeight(190)
            plot.set_labels("step", label)
            plot.set_whole_numbers()
            plot.set_least_span(LEAST_SPAN.get(key, 0.0))
            plot.follow_theme(self._viewer)
            plot.legend.hide()
            plot.hide()
            name_controls(plot)
            self._column.addWidget(plot)
        return self._plots

    def clear(self) -> None:
        """Show nothing: another run follows."""
        self._events, self.history, self.began = [], History(), None
        self._said: dict[str, Notice] = {}
        self.notices.clear()
        self.where.setText("")
        self.show_status("")
        self._timed = False
        self.bar.setRange(0, 0)
        for plot in self._plots.values():
            plot.set_curves([])
            plot.reset_view()
            plot.hide()

    def add(self, events: list[Event]) -> None:
        """Show what has come since."""
        if not events:
            return
        kept = [e for e in events if isinstance(e, (Began, Step, Measured, Baseline))]
        self._events += kept
        if kept:
            self.history = History.of(self._events)
            self._draw()
        for event in events:
            if isinstance(event, Noticed):
                self._said[event.notice.text] = event.notice
            elif isinstance(event, Preparing):
                self._show_preparing(event)
            elif isinstance(event, Began):
                self.began = event
                self.where.setText(where_words(event))
                self._show_step(event.step, event.total)
                self.show_status("Taking the first steps…")
            elif isinstance(event, Step):
                self._show_step(event.step, event.total)
                self.show_status(describe_step(event, loss=False))
        self._show_notices()

    def _show_notices(self) -> None:
        text = "\n".join(self._said)
        if not text:
            self.notices.clear()
        elif text != self.notices.text():
            doubtful = any(notice.severity == Severity.WARNING for notice in self._said.values())
            (self.notices.show_warning if doubtful else self.notices.show_info)(text)

    def show_status(self, text: str) -> None:
        """The line under the bar."""
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def show_running(
        self, running: bool, seconds: float = 0.0, budget: float | None = None
    ) -> None:
        """The bar is there while something is going on.

        With a time budget, in seconds, it shows how much of it has passed, reading and measuring
        included; else how many steps are done.
        """
        self.bar.setVisible(running)
        if not running:  # nothing is left of its time
            left = [text for text, one in self._said.items() if one.code == Code.STEPS_LEFT]
            for text in left:
                del self._said[text]
            self._show_notices()
        self._timed = bool(budget)
        if budget:
            self.bar.setRange(0, round(budget))
            self.bar.setValue(min(round(seconds), round(budget)))

    def figures(self, which: str) -> tuple[dict, dict[str, dict]] | None:
        """Mean and by image: ``"before"`` training, or of the ``"best"`` weights; None if none."""
        measured = self.history.measured
        found = None
        if which == "before":
            found = next((m for m in measured if m.step == 0), None)
        else:
            found = next((m for m in reversed(measured) if m.best and m.step), None)
        return None if found is None else (found.mean, found.images)

    # --- inside --------------------------------------------------------------------------

    def _show_preparing(self, event: Preparing) -> None:
        # All of it done: what comes next has not said yet how far it is.
        on_its_way = event.done < event.total
        self._show_step(event.done, event.total if on_its_way else 0)
        count = f" · {event.done} of {event.total} images" if on_its_way else ""
        self.show_status(event.message + count)

    def _show_step(self, step: int, total: int) -> None:
        if not self._timed:
            self.bar.setRange(0, total)
            self.bar.setValue(step)

    def _draw(self) -> None:
        from napari_hsr.widgets.plotting.curves import PlotCurve

        for key, _, color in CURVES:
            steps, values = self.history.curve(key)
            plot = self.plots[key]
            if not steps:
                plot.hide()
                continue
            x, y = np.asarray(steps, float), np.asarray(values, float)
            curves = [PlotCurve("", x, y, color=color)]  # the axis names it
            if key != "loss":
                ends = x[[0, -1]]
                if steps[0] == 0 and len(steps) > 1:
                    flat = np.full(2, y[0])
                    curves.append(
                        PlotCurve(
                            "before training", ends, flat, color=plot.foreground, style="dash"
                        )
                    )
                curves += self._baseline(key, ends, plot.foreground)
            plot.set_curves(curves)
            plot.legend.setVisible(len(curves) > 1)
            plot.reset_button.hide()  # three of them would take the room of a fourth plot
            plot.show()

    def _baseline(self, key: str, ends: np.ndarray, color: str) -> list[PlotCurve]:
        """What needs no training, with its figure: it may lie far from what is learnt."""
        from napari_hsr.widgets.plotting.curves import PlotCurve

        baseline = self.history.baseline
        value = None if baseline is None else baseline.mean.get(key)
        if baseline is None or value is None:
            return []
        name, flat = f"{baseline.name}: {value:.2f}{UNITS[key]}", np.full(2, value)
        return [PlotCurve(name, ends, flat, color=color, style="dot", fits=False)]


def where_words(event: Began) -> str:
    """``On the CPU, bfloat16 · 4 images to train on, 2 held out``."""
    count = len(event.train)
    images = f"{count} image{'s' if count != 1 else ''} to train on, {len(event.held_out)} held out"
    return f"On {device_words(event.device)}, {event.precision} · {images}"
