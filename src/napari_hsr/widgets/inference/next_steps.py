"""What to open after a run: the panels that look at a cube, one click away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt

from napari_hsr.viewer.workspace import open_panel
from napari_hsr.widgets.common.labels import WrappedLabel

if TYPE_CHECKING:
    import napari

PANELS = ("Wavelength", "Spectra", "Compare")


class NextSteps(WrappedLabel):
    """A line of links that open panels; only in a viewer with a window.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
    """

    def __init__(self, viewer: napari.viewer.Viewer):
        super().__init__()
        self._viewer = viewer
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.setToolTip("Open a panel that looks at the cube")
        self.linkActivated.connect(self._open)
        self.hide()

    def offer(self) -> None:
        """Show the links, if there is a window to open panels in."""
        self.ensurePolished()
        colour = self.palette().windowText().color().name()  # Qt's own is too dark on dark grounds
        style = f"style='color: {colour}'"
        links = (f'<a href="{name}" {style}>{name}</a>' for name in PANELS)
        self.setText("Next: " + " · ".join(links))
        self.setVisible(hasattr(self._viewer, "window"))

    def _open(self, name: str) -> None:
        open_panel(self._viewer, name)
