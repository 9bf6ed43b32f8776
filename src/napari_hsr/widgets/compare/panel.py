"""The Compare panel: metrics, curves and maps of a prediction against its ground truth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_hsr.errors import HSRError
from napari_hsr.inference.stacks.frame_figures import FrameTable, compare_frames_events
from napari_hsr.viewer.as_read import Lying
from napari_hsr.viewer.comparison import grid_maps, map_layers, show_maps, with_grid_maps
from napari_hsr.viewer.layer_data import cube_layers, is_frames, layer_cube
from napari_hsr.viewer.side_by_side import GridView
from napari_hsr.viewer.super_resolved import lay_over, lies_over
from napari_hsr.viewer.trust_maps import evidence_of
from napari_hsr.widgets.common.close_guard import ask_while, computing_question, tell_end
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.job import Job
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.compare.exports import write_csv, write_json
from napari_hsr.widgets.compare.form import CompareForm
from napari_hsr.widgets.compare.inputs import Taken, one_of, refused, was_made
from napari_hsr.widgets.compare.results import ResultView
from napari_hsr.widgets.compare.uncertainty_curves import compared
from napari_hsr.widgets.spectra.exports import ask_and_write

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from pathlib import Path

    import napari.viewer

    from napari_hsr.inference.trust.uncertainty_check import UncertaintyCheck
    from napari_hsr.metrics.compare import Comparison
    from napari_hsr.progress import Progress

    _Found = tuple[Comparison, UncertaintyCheck | None]


class CompareWidget(Panel):
    """Compares two cubes of the viewer and shows the results.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._job: Job | None = None
        self._pair: tuple[Any, ...] = ()  # the layers that are being, or were last, compared
        self._asked: tuple = ()  # what else was asked for
        self._taken = Taken()  # of its layers
        self._grid_wanted = False
        self.comparison: Comparison | None = None
        self.held: UncertaintyCheck | None = None  # by what was known of the errors
        self.grid = GridView(viewer)
        self._build()

        self._connections, self._pair_connections = Connections(self), Connections(self)
        for name in ("inserted", "removed"):
            self._connections.connect(getattr(viewer.layers.events, name), "_on_layers")
        self._connections.connect(viewer.canvas.grid.events.enabled, "_on_grid_enabled")
        self._on_layers()
        self.attach()

    def _build(self) -> None:
        self.form = CompareForm(self._viewer)
        self.form.changed.connect(self._on_form)
        self.reason = Message(lines=3)
        self.lay_button = button(
            "Align ground truth with prediction",
            self._lay_over,
            "Moves and scales its layer; values are kept",
        )
        self.lay_button.hide()
        self.run_button = button("Compare", self.run, "Compute the figures and the ticked maps")
        self.cancel_button = button("Cancel", self.cancel, "Stop the comparison")
        self.progress = ProgressBar("How far the comparison is")
        self.message = Message()
        self.grid_button = button(
            "Grid view",
            self.toggle_grid,
            "Prediction | ground truth | spectral angle | error, side by side",
        )
        self.grid_button.setCheckable(True)
        self.results = ResultView(self._viewer)
        self.json_button = button(
            "Save JSON…",
            partial(self._save, "JSON", self.export_json),
            "Figures, protocol and provenance of both cubes",
        )
        self.csv_button = button(
            "Save CSV…",
            partial(self._save, "CSV", self.export_csv),
            "The figures, and one line a band",
        )

        inside = QWidget()
        layout = column(
            *(self.form, self.lay_button, self.message, self.grid_button, self.results),
        )
        layout.setStretchFactor(self.results, 1000)
        layout.addStretch(1)  # takes the height while there are no results
        QVBoxLayout(inside).addLayout(layout)
        self._scroll = VerticalScroll(inside, least=110)
        # Below, so that one can compare and save wherever one has scrolled to; the last row is the
        # one that stays where it is.
        below = column(
            *(self.reason, self.progress, row(self.json_button, self.csv_button)),
            row(self.run_button, self.cancel_button, self.help_button()),
        )
        below.setContentsMargins(9, 4, 12, 9)  # ends where the form above does
        column(self._scroll, below, into=self).setStretchFactor(self._scroll, 1)
        self.setMinimumWidth(280)
        # Use the whole height of the dock; napari would add an empty stretch.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.results.hide()
        self._show_running(False)

    @property
    def running(self) -> bool:
        """True while a comparison runs."""
        return self._job is not None and self._job.running

    # --- before the run ------------------------------------------------------------------

    def why_not(self) -> str | None:
        """Why the choice cannot be compared, in one sentence; None if it can."""
        prediction, truth = self.form.prediction.layer(), self.form.truth.layer()
        number = len(cube_layers(self._viewer))
        if number < 2:
            have = "only one cube is open" if number else "no cube is open"
            return f"A prediction and its ground truth are needed, but {have}."
        if prediction == truth:
            return f"“{truth.name}” is chosen twice: choose two different cubes."
        if reason := self.form.more.why_not():
            return reason
        pair = prediction, truth
        resample = self.form.more.resample.isChecked()
        reason = self._reason(pair, resample)
        if reason and not resample and self._reason(pair, True) is None:
            reason += (
                " Tick “Resample unlike wavelengths” under “More predictions, region, colours”."
            )
        return reason

    def _reason(self, layers: tuple[Any, Any], resample: bool) -> str | None:
        return refused(*layers, maps=self.form.maps(), resample=resample, **self.form.options())

    def _on_layers(self, event=None) -> None:
        self._suggest_pair()
        self.form.more.refresh(*self._chosen())
        if gone := [layer.name for layer in self._taken.layers if layer not in self._viewer.layers]:
            self._stop(f"“{gone[0]}” was deleted while it was being compared.")
        self._on_form()

    def _stop(self, why: str) -> None:
        """End a comparison of what is no longer there."""
        if self._job is not None and not self._job.cancelling:
            self._job.cancel()
            self.message.show_warning(f"Stopped: {why}")

    def _suggest_pair(self) -> None:
        """Choose two different cubes, or two alike in place of a pair that cannot be compared."""
        (one, other), cubes = self._chosen(), cube_layers(self._viewer)
        same = one is None or other in (one, None)
        if len(cubes) < 2 or not (same or self._reason((one, other), True)):
            return
        made = [layer for layer in cubes if was_made(layer)]
        made = made if 0 < len(made) < len(cubes) else cubes[-1:]
        pairs = [(own, rest) for own in made[::-1] for rest in cubes[::-1] if rest not in made]
        alike = [pair for pair in pairs if pair[0].data.shape == pair[1].data.shape]
        if alike or same:
            self.form.prediction.set_layer((alike or pairs)[0][0])
            self.form.truth.set_layer((alike or pairs)[0][1])

    def _on_form(self, event=None) -> None:
        """Check the choice at once, and follow the chosen layers."""
        self.form.more.refresh(*self._chosen())
        self._pair_connections.close()
        # those that are being compared too: a run may end meanwhile, and its cube be chosen
        for layer in dict.fromkeys((*self.form.layers(), *self._taken.layers)):
            self._pair_connections.follow(layer, "_show_reason")
        self._show_reason()

    def _forget_outdated(self, event=None) -> None:
        """Show no results of other cubes, of another protocol, or of values or a region that were changed."""
        changed = self._taken.outdated(event)
        restated = self.running and getattr(event, "type", None) == "metadata"
        if restated and self.form.more.asked() != self._asked:
            changed = event.source, "changed"
        # of the cubes of frames another one may be on show
        frames = changed is not None and is_frames(changed[0]) and changed[1] == "changed"
        if changed and not frames:
            self._stop(f"“{changed[0].name}” was {changed[1]} while it was being compared.")
        if self.comparison is None or (self._job is not None and not changed):
            return
        then = (*self._pair, self.comparison.evaluation.protocol, self._asked)
        now = (*self._chosen(), self.form.options()["protocol"], self.form.more.asked())
        every = frames and isinstance(self.comparison.table, FrameTable)  # they were all compared
        if now != then or (changed and not every):
            self.comparison = None
            self.results.hide()
            if self._job is None:  # else it says why the run was stopped
                self.message.clear()
                self._taken = Taken()
            for part in (self.json_button, self.csv_button):
                part.hide()

    def _show_reason(self, event=None) -> None:
        self._forget_outdated(event)
        reason = self.why_not()
        apart = reason is None and self._apart()
        self.lay_button.setVisible(apart)
        if apart:
            self.reason.show_info(
                "The two cubes are not aligned in the viewer. The metrics compare them pixel by "
                "pixel and are right, but Spectra and the grid view show different parts."
            )
        elif reason is None:
            self.reason.clear()
        else:
            self.reason.show_warning(reason)
        running = self._job is not None
        self.run_button.setEnabled(reason is None and not running)
        self.grid_button.setEnabled(self.grid.active or (reason is None and not running))

    def _apart(self) -> bool:
        return not lies_over(self.form.truth.layer(), self.form.prediction.layer())

    def _lay_over(self) -> None:
        lay_over(self.form.truth.layer(), self.form.prediction.layer())
        self._show_reason()

    # --- the run -------------------------------------------------------------------------

    def run(self) -> None:
        """Compare the chosen cubes in a thread."""
        if self._job is not None or self.why_not() is not None:
            return
        self.message.clear()
        self._pair = (self.form.prediction.layer(), self.form.truth.layer())
        self._asked = self.form.more.asked()
        region = self.form.more.region.value()
        self._taken = Taken(
            self.form.layers(), region and Lying(self._viewer, region, self._pair[0])
        )
        cubes = [one_of(layer) for layer in self._pair]
        truth = layer_cube(self._pair[1])
        evidence = evidence_of(self._pair[0])
        try:
            options = self.form.options() | self.form.more.options()
            inside = self.form.more.inside(self._pair[0])
        except HSRError as error:
            self._on_failed(error)
            return
        maps = with_grid_maps(self.form.maps()) if self._grid_wanted else self.form.maps()
        compare = partial(compare_frames_events, *cubes, maps=maps, **options)
        self._job = Job(
            lambda cancel: compared(compare, inside, evidence, truth, cancel),
            title="Compare",
            parent=self,
        )
        self._job.progressed.connect(self._on_progress)
        self._job.finished.connect(self._on_finished)
        self._job.failed.connect(self._on_failed)
        self._job.cancelled.connect(self._on_cancelled)
        self._job.ended.connect(self._on_ended)
        self._show_running(True)
        self._job.start()
        ask_while(self._job, self, "The comparison", computing_question)

    def cancel(self) -> None:
        """Ask the run to stop."""
        if self._job is not None:
            self._job.cancel()
            self.cancel_button.setEnabled(False)
            self.progress.setFormat("Cancelling…")

    def _on_progress(self, event: Progress) -> None:
        if not present(self._job).cancelling:
            self.progress.follow(event)

    def _on_finished(self, found: tuple[Comparison, UncertaintyCheck | None]) -> None:
        comparison, held = self.comparison, self.held = found
        (one, other), called = self._pair, self._taken.named
        rules = comparison.evaluation.protocol
        show_maps(self._viewer, comparison.maps, one, other, rules, called(one, other))
        self.results.show_comparison(comparison, held)
        self.results.show()
        self._scroll.keep_at_top(self.grid_button)

    def _on_failed(self, error: Exception) -> None:
        self._grid_wanted = False
        self.message.show_exception(error, "The comparison")

    def _on_cancelled(self) -> None:
        self._grid_wanted = False
        if not self.message.text():
            self.message.show_info("Cancelled: nothing was changed.")

    def _on_ended(self) -> None:
        job, self._job = self._job, None
        present(job).deleteLater()
        self._show_running(False)
        self._show_reason()
        if self.comparison is None:
            self._taken = Taken()
        if self._grid_wanted:
            self._grid_wanted = False
            self._show_grid()
        self._sync_grid_button()

    def _show_running(self, running: bool) -> None:
        for one in (self.run_button, self.form, self.grid_button):
            one.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        self.progress.begin()
        for part in (self.json_button, self.csv_button):
            part.setVisible(self.comparison is not None)

    # --- grid ----------------------------------------------------------------------------

    def toggle_grid(self) -> None:
        """Show prediction, ground truth, angle and error side by side, or restore the viewer.

        Maps that are missing, or may be of what the cubes held before, are computed first.
        """
        if self.grid.active:
            self.grid.restore()
        elif self._job is None and self.why_not() is None:
            known = self.comparison and self._pair == self._chosen()
            if known and len(grid_maps(map_layers(self._viewer, *self._pair))) == 2:
                self._show_grid()
            else:
                self._grid_wanted = True
                self.run()
        self._sync_grid_button()

    def _show_grid(self) -> None:
        pair = self._chosen()
        self.grid.show(*pair, grid_maps(map_layers(self._viewer, *pair)))
        self._sync_grid_button()

    def _chosen(self) -> tuple[Any, Any]:
        return self.form.prediction.layer(), self.form.truth.layer()

    def _on_grid_enabled(self, event=None) -> None:
        # napari's own grid button restores the viewer too.
        if self.grid.active and not self._viewer.canvas.grid.enabled:
            self.grid.restore()
        self._sync_grid_button()

    def _release(self) -> None:
        self.grid.restore()  # the way back is in this panel
        if self._job is not None:  # it was stopped, and says nothing more
            tell_end("The comparison")
            self._job.stop(seconds=0)
            self._grid_wanted = False
            self._on_ended()

    def _sync_grid_button(self) -> None:
        self.grid_button.setChecked(self.grid.active or self._grid_wanted)

    # --- export --------------------------------------------------------------------------

    def export_json(self, path: str | PathLike, of: _Found | None = None) -> None:
        """Write a comparison, the last one, as JSON; if that fails (FileError), an earlier file is intact."""
        write_json(path, *(of or self._found))

    def export_csv(self, path: str | PathLike, of: _Found | None = None) -> None:
        """The same as CSV: the metrics, one line a band, and the uncertainty's curves."""
        write_csv(path, *(of or self._found))

    @property
    def _found(self) -> _Found:
        return present(self.comparison), self.held

    def _save(self, kind: str, export: Callable[[Path, _Found], None]) -> None:
        found = self._found  # while it is asked a run may end, and its layer take this away
        suffix = f".{kind.lower()}"
        name = found[0].evaluation.prediction.replace("/", "-")

        def write(path: Path) -> Path:
            export(path, found)
            return path

        title, file = f"Save the comparison as {kind}", f"{name} comparison{suffix}"
        ask_and_write(self, self.message, title, file, f"*{suffix}", write)
