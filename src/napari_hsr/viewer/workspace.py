"""Panels for a photograph and its cube, in two stacks of tabs beside the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-hsr"
#: Panels above and below; those of a stack lie over each other, the first one in front.
STACKS = (
    ("Reconstruct", "Super-resolve", "Compare", "Train"),
    ("Spectra", "Wavelength", "Maps", "Measurements"),
)


def open_all_panels(viewer: napari.Viewer) -> None:
    """Open every panel that is not open yet; those that are stay where they are."""
    for names in STACKS:
        for name in names:
            open_panel(viewer, name)
        _dock(viewer, names[0]).raise_()


def open_panel(viewer: napari.viewer.Viewer, name: str) -> None:
    """Open a panel in front of the others of its stack; one that is open only comes to the front.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window.
    name : str
        One of :data:`STACKS`.
    """
    beside = [other for other in _open(viewer, name) if other != name]
    there = name in _open(viewer, name)
    dock = _dock(viewer, name)
    dock.setWindowTitle(name)  # what a tab says; the whole name is cut in it
    if beside and not there:
        dock.parent().tabifyDockWidget(_dock(viewer, beside[-1]), dock)
    dock.show()
    dock.raise_()


def next_panel(viewer: Any) -> None:
    """Give the keyboard to the first panel that is open, or the one after that which has it."""
    window = getattr(viewer, "window", None)
    docked = window.dock_widgets.values() if window is not None else ()
    panels = [one for one in docked if hasattr(one, "take_keyboard")]
    if panels:
        now = next((at for at, one in enumerate(panels) if one.has_keyboard()), -1)
        panels[(now + 1) % len(panels)].take_keyboard()


def _open(viewer: napari.viewer.Viewer, name: str) -> list[str]:
    """The panels of the stack of this one that are open."""
    stack = next(names for names in STACKS if name in names)
    return [one for one in stack if f"{one} ({PLUGIN})" in viewer.window.dock_widgets]


def _dock(viewer: napari.viewer.Viewer, name: str) -> Any:
    """The dock of a panel, which is opened if it is not."""
    return viewer.window.add_plugin_dock_widget(PLUGIN, name)[0]
