"""All panels for a photograph and its cube at once, in two stacks of tabs beside the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-hsr"
#: Panels above and below; those of a stack lie over each other, the first one in front.
STACKS = (("Reconstruct", "Super-resolve", "Compare", "Train"), ("Spectra", "Wavelength"))


def open_all_panels(viewer: napari.Viewer) -> None:
    """Open every panel that is not open yet; those that are stay where they are."""
    for names in STACKS:
        opened = []
        for name in names:
            dock, _panel = viewer.window.add_plugin_dock_widget(PLUGIN, name)
            opened.append(dock)
        window = opened[0].parent()
        for above in opened[1:]:
            window.tabifyDockWidget(opened[0], above)
        opened[0].raise_()
