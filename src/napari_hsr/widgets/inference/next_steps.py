"""What to open after a run: the panels that look at a cube, one click away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QWidget

from napari_hsr.viewer.workspace import PLUGIN
from napari_hsr.widgets.common.layouts import row
from napari_hsr.widgets.common.panel import button

if TYPE_CHECKING:
    import napari

PANELS = {
    "Wavelength": "Move through the bands, true and false colour",
    "Spectra": "The spectrum of any pixel or region",
    "Compare": "Against ground truth",
}


class NextSteps(QWidget):
    """A line of buttons that open panels; only in a viewer with a window.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer):
        super().__init__()
        self._viewer = viewer
        self.buttons = {
            name: button(name, partial(self._open, name), f"Open {name}: {words}")
            for name, words in PANELS.items()
        }
        row(QLabel("Next:"), *self.buttons.values(), into=self)
        self.hide()

    def offer(self) -> None:
        """Show the buttons, if there is a window to open panels in."""
        self.setVisible(hasattr(self._viewer, "window"))

    def _open(self, name: str) -> None:
        self._viewer.window.add_plugin_dock_widget(PLUGIN, name)
