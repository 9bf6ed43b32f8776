"""The Maps panel: an index, components or abundances of a cube, as layers directly above it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from napari_hsr.analysis.components import components_events
from napari_hsr.analysis.indices import index_events
from napari_hsr.errors import HSRError
from napari_hsr.viewer.analysis_maps import show_analysis
from napari_hsr.viewer.computed_cubes import why_not_computed
from napari_hsr.viewer.covering import covered
from napari_hsr.viewer.layer_data import (
    is_cube,
    is_frames,
    layer_cube,
    layer_wavelengths,
)
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.common.close_guard import GOES_ON, computing_question, saving_question
from napari_hsr.widgets.common.connections import Connections
from napari_hsr.widgets.common.job_slot import JobSlot
from napari_hsr.widgets.common.layouts import column, row
from napari_hsr.widgets.common.messages import Message
from napari_hsr.widgets.common.panel import Panel, button
from napari_hsr.widgets.common.plain_text import one_line
from napari_hsr.widgets.common.progress_bar import ProgressBar
from napari_hsr.widgets.common.qt_typing import present
from napari_hsr.widgets.common.save_dialog import ask_path
from napari_hsr.widgets.common.scroll_area import VerticalScroll
from napari_hsr.widgets.maps.components_form import ComponentsForm
from napari_hsr.widgets.maps.index_form import IndexForm
from napari_hsr.widgets.maps.unmix_form import UnmixForm

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    import napari.viewer
    from napari.utils.events import Event

    from napari_hsr.analysis import Components, Unmixing
    from napari_hsr.cube import Cube, Wavelengths
    from napari_hsr.viewer.fingerprints import Trace

INDEX, COMPONENTS, UNMIX = range(3)


class MapsWidget(Panel):
    """Makes maps of a cube in a thread, by the functions of :mod:`napari_hsr.analysis`.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer, parent: QWidget | None = None):
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any = None  # of the map that is being made
        self._known: Wavelengths | None = None  # of its cube
        self._called = ""
        self._made: list[Cube] = []
        self._job, self._saving = JobSlot(self), JobSlot(self)
        self._following = Connections(self)  # the chosen cube
        # pins, shapes and labels that are measured in the thread
        self._held: dict[Any, Callable[[Event], bool]] = {}
        self._drawing = Connections(self)
        self.chooser = LayerChooser(viewer, is_cube, self, empty="no cube open")
        self.index = IndexForm()
        self.components = ComponentsForm()
        self.unmix = UnmixForm(viewer)
        self.tabs = QTabWidget()
        self.tabs.setToolTip("What the maps show")
        self.tabs.setAccessibleName("What the maps show")
        for form, name in (
            (self.index, "Index"),
            (self.components, "Components"),
            (self.unmix, "Unmixing"),
        ):
            self.tabs.addTab(form, name)
            present(form.layout()).setContentsMargins(6, 6, 6, 6)
        self.reason = Message(lines=3)
        self.run_button = button("Make maps", self.run, "Add the maps as layers above the cube")
        self.cancel_button = button("Cancel", self._job.cancel, "Stop making the maps")
        self.progress = ProgressBar("How far the maps are")
        self.message = Message()
        self.save_button = button("Save maps…", self._ask_save, "Write the last maps as a file")
        self._arrange()

        self.chooser.changed.connect(self._on_cube)
        self.tabs.currentChanged.connect(self._on_tab)
        for form in (self.index, self.components, self.unmix):
            form.changed.connect(self._check)
        self._take(self.chooser.layer())
        self.attach()

    def _arrange(self) -> None:
        self._chooser_row = QWidget()
        row(QLabel("Cube"), self.chooser, stretch=self.chooser, into=self._chooser_row)
        content = QWidget()
        layout = column(
            self._chooser_row,
            self.tabs,
            self.message,
            self.save_button,
            self.components.results,
            into=content,
        )
        layout.setContentsMargins(9, 9, 9, 9)
        layout.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self._scroll = VerticalScroll(content, least=110)
        outer.addWidget(self._scroll, 1)
        # in sight wherever one has scrolled to; the last row stays where it is
        buttons = row(self.run_button, self.cancel_button, self.help_button())
        below = column(self.reason, self.progress, buttons)
        below.setContentsMargins(9, 4, 9, 9)
        outer.addLayout(below)
        self._fit_tabs()
        self.setMinimumWidth(280)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._show_running(False)

    # --- before the run ------------------------------------------------------------------

    def _take(self, layer: Any) -> None:
        """Another cube was chosen, or the chosen one was changed."""
        self._outline = None
        if layer is not None:
            try:
                self._outline = layer_cube(layer)
            except HSRError as error:
                self.message.show_exception(error)
        self.index.set_cube(self._outline)
        self.components.set_bands(0 if self._outline is None else self._outline.bands)
        self.components.show_components(None)
        self.unmix.set_layer(layer)
        self._check()

    def _on_cube(self, layer: Any) -> None:
        if not self._job.cancelling:
            self.message.clear()  # it is of another cube
        self._follow(layer)
        self._take(layer)

    def _follow(self, layer: Any) -> None:
        self._following.close()
        for name in ("data", "metadata") if layer is not None else ():
            self._following.connect(getattr(layer.events, name), "_on_changed")

    def _on_changed(self, _event: Event) -> None:
        """Other maps may be made of the cube now."""
        self._take(self.chooser.layer())

    def _on_data(self, event: Event) -> None:
        """The maps that are being made are of what their cube held, whichever is chosen now."""
        layer = event.source
        others = event.type == "metadata" and layer_wavelengths(layer) != self._known
        if others or (event.type == "data" and not is_frames(layer)):
            self._stop(f"“{layer.name}” was changed while its maps were made.")

    def _on_tab(self, _at: int = 0) -> None:
        self.message.clear()  # it is of other maps
        self._fit_tabs()
        self._scroll.keep_at_top(self._chooser_row)
        self._check()

    def _fit_tabs(self) -> None:
        """Make the tabs as high as the one in front, not as the highest."""
        policies = QSizePolicy.Policy
        for at in range(self.tabs.count()):
            shown = at == self.tabs.currentIndex()
            height = policies.Preferred if shown else policies.Ignored
            present(self.tabs.widget(at)).setSizePolicy(policies.Preferred, height)
        self.tabs.updateGeometry()

    def why_not(self) -> str | None:
        """Why no map can be made, in one sentence; None if it can."""
        if self._outline is None:
            return "Open a cube, or reconstruct one."
        if waiting := why_not_computed(self._outline):
            return waiting
        if self.tabs.currentIndex() == INDEX:
            return self.index.why_not()
        return self.unmix.why_not() if self.tabs.currentIndex() == UNMIX else None

    def _check(self, *_ignored) -> None:
        reason = self.why_not()
        # An empty line is not a fault to be told in yellow.
        empty = self.tabs.currentIndex() == INDEX and not self.index.text()
        if reason is None:
            self.reason.clear()
        elif empty and self._outline is not None:
            self.reason.show_info("Choose an index, or write its name or a formula.")
        else:
            self.reason.show_warning(reason)
        self.run_button.setEnabled(reason is None and not self._job.running)
        plotted = self.components.has_results and self.tabs.currentIndex() == COMPONENTS
        self.components.results.setVisible(plotted)

    def _on_layers(self, event=None) -> None:
        if event.type not in ("inserted", "removed"):
            return
        if not is_cube(event.value):
            self.unmix.refresh()
        if self._layer not in self._viewer.layers:
            self._stop("the cube was removed while its maps were made.")

    def _hold(self, taken: dict[Any, Callable[[Event], bool]]) -> None:
        """Hear of what is measured in the thread."""
        self._held = taken
        self._drawing.close()
        for layer in taken:
            self._drawing.follow(layer, "_on_drawn")

    def _on_drawn(self, event: Event) -> None:
        if self._job.running and not self._held[event.source](event):
            self._stop(f"“{event.source.name}” was changed while the maps were made.")

    def _stop(self, why: str) -> None:
        if self._job.running and not self._job.cancelling:
            self._job.cancel()
            self.message.show_warning(f"Stopped: {why}")

    # --- the run -------------------------------------------------------------------------

    def run(self) -> None:
        """Make the maps of the tab in a thread."""
        if self._job.running:
            return
        if self.tabs.currentIndex() == UNMIX and not self.unmix.renew():
            return
        if self.why_not() is not None:
            return
        self._layer = self.chooser.layer()
        cube = layer_cube(self._layer)
        self._known = cube.wavelengths
        self._called = cube.name  # a frame's, while the slider may move on
        tab = self.tabs.currentIndex()
        if tab == INDEX:
            text, between = self.index.text(), self.index.interpolate.isChecked()

            def work(cancel):
                return index_events(cube, text, interpolate=between, cancel=cancel)

            finished: Callable[[Any], None] = self._show_index
        elif tab == COMPONENTS:
            method, number = self.components.method.value(), self.components.number.value()

            def work(cancel):
                return components_events(cube, method, number, cancel=cancel)

            finished = self._show_components
        else:
            work, finished = self.unmix.work(cube), self._show_unmixing
        self.message.clear()
        self._hold(self.unmix.taken() if tab == UNMIX else {})
        for name in ("data", "metadata"):
            self._drawing.connect(getattr(self._layer.events, name), "_on_data")
        self._job.start(
            work,
            f"Maps of {cube.name}",
            asks=computing_question,
            progressed=self.progress.follow,
            finished=finished,
            failed=lambda error: self.message.show_exception(error, "Making the maps"),
            cancelled=self._on_cancelled,
            ended=self._on_ended,
        )
        self._show_running(True)

    def _on_cancelled(self) -> None:
        if not self.message.text():  # else it says why
            self.message.show_info("Cancelled: nothing was changed.")

    def _on_ended(self) -> None:
        self._hold({})
        self._show_running(False)
        self._check()

    def _show_running(self, running: bool) -> None:
        self.tabs.setEnabled(not running)
        self.chooser.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        self.progress.begin()
        self.save_button.setVisible(bool(self._made) and not running)
        self.run_button.setEnabled(not running)

    def _show_index(self, made: Cube) -> None:
        self._show([made], f"index {made.name}")

    def _show_components(self, made: Components) -> None:
        self.components.show_components(made)
        self._show([made.cube], made.method, colormap="gray")

    def _show_unmixing(self, made: Unmixing) -> None:
        whole = (0.0, 1.0) if self.unmix.sum_box.isChecked() else None
        self._show([made.abundances, made.residual], "unmixing", limits=whole)

    def _show(self, made: list[Cube], kind: str, **options: Any) -> None:
        if self._layer not in self._viewer.layers:
            self.message.show_warning("The cube was removed before its maps were ready.")
            return
        self._made = made
        self._scroll.keep_at_top(self.message)  # what is said of the run, and its plots, are below
        shown = show_analysis(self._viewer, made, self._layer, kind, called=self._called, **options)
        hidden = f" {len(shown) - 1} more are hidden in the list of layers." if shown[1:] else ""
        over = covered(self._viewer, shown[0])
        told = [f"Added “{shown[0].name}”.{hidden} {over}".strip(), *made[0].notices]
        doubtful = any(notice.severity == "warning" for notice in made[0].notices)
        (self.message.show_warning if doubtful else self.message.show_info)("\n".join(told))

    # --- saving --------------------------------------------------------------------------

    def _ask_save(self) -> None:
        name = self._made[0].name.replace("/", "-").replace("*", "-")
        kinds, beside = "TIFF (*.tif)", lambda path: self._paths(path)[1:]
        path = ask_path(self, "Save the maps", f"{name}.tif", kinds, beside)
        if path is None:
            return
        made, paths = self._made, self._paths(path)
        title = f"Saving {one_line(path.name)}"
        self.message.show_info(f"{title}…")
        self._saving.start(  # they may be large
            lambda _cancel: iter([_written(made, paths)]),
            title,
            asks=saving_question,
            finished=lambda to: self.message.show_info(f"Saved {', '.join(map(str, to))}."),
            failed=lambda error: self.message.show_exception(error, "Saving the maps"),
            ended=lambda: self.save_button.setEnabled(True),
        )
        self.save_button.setEnabled(False)

    def save(self, path: str | PathLike[str]) -> list[Any]:
        """Write the last maps; of unmixing the residual goes into a second file beside it.

        Raises
        ------
        FileError
            If a file cannot be written.
        """
        return _written(self._made, self._paths(Path(path)))

    def _paths(self, path: Path) -> list[Path]:
        """Where each of the last maps goes."""
        return [path, path.with_stem(f"{path.stem}_residual")][: len(self._made)]

    # --- coming and going ----------------------------------------------------------------

    def files_in_use(self) -> list[Trace]:
        """The libraries of endmembers."""
        return list(self.unmix.files)

    def use_files(self, paths: list[str]) -> list[str]:
        """Open libraries of endmembers; a sentence for each that could not be."""
        return [said for path in paths if (said := self.unmix.add_library(path))]

    def _attach(self) -> None:
        self.chooser.attach()
        self._connections = Connections(self)
        self._connections.connect(self._viewer.layers.events, "_on_layers")
        self._follow(self.chooser.layer())
        self.save_button.setEnabled(True)  # where it was closed while maps were saved
        self.components.plot.follow_theme(self._viewer)

    def _release(self) -> None:
        self.chooser.release()
        self._connections.close()
        self._following.close()
        self._job.leave()
        self._saving.leave(GOES_ON)
        self._hold({})
        self.index.release()
        self.unmix.release()
        self.components.plot.release()


def _written(made: list[Cube], paths: list[Path]) -> list[Path]:
    from napari_hsr.io import write

    return [write(cube, to) for cube, to in zip(made, paths, strict=True)]
