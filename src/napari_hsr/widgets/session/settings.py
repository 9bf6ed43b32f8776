"""The panels of a session: which are open and how they are set, and the same again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_hsr.units import one_line
from napari_hsr.viewer.session_file import MOST_TEXT, PanelRecord
from napari_hsr.viewer.workspace import PLUGIN, open_panel, panel_dock
from napari_hsr.widgets.common.control_settings import restore, settings
from napari_hsr.widgets.common.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari

    from napari_hsr.viewer.fingerprints import Trace

#: Panels of a session that are docked above each other, if there is room.
ABOVE_EACH_OTHER = 2


def open_panels(viewer: napari.Viewer) -> list[PanelRecord]:
    """The panels of a viewer, in the order in which they were opened."""
    names = _names()
    return [
        PanelRecord(
            name=names[type(panel).__name__],
            settings={name: value for name, value in settings(panel).items() if _fits(value)},
            files=[str(one) for one in _files(panel)],
            front=not panel.visibleRegion().isEmpty(),
        )
        for panel in dict.fromkeys(viewer.window.dock_widgets.values())
        if type(panel).__name__ in names
    ]


def files_of_panels(viewer: napari.Viewer) -> list[Trace]:
    """The files that the panels of a viewer have opened beside its layers, as they were then."""
    return [one for panel in viewer.window.dock_widgets.values() for one in _files(panel)]


def restore_panels(
    viewer: napari.Viewer, records: list[PanelRecord], renamed: Mapping[str, str] | None = None
) -> list[str]:
    """Open panels and set their controls; what is no longer offered is told, a sentence each.

    Layers that are ``renamed``, by the names they have in the session, are meant by those.
    """
    known, told = set(_names().values()), []
    for record in records:
        if record.name not in known:
            told.append(f"There is no panel {one_line(record.name, 80)}.")
            continue
        if len(records) > ABOVE_EACH_OTHER:  # in stacks at once: the window would grow, and shrink
            panel = open_panel(viewer, record.name)
        else:
            _, panel = panel_dock(viewer, record.name)
        if isinstance(panel, Panel):
            told += panel.use_files([str(one) for one in record.files])
        told += [f"{record.name}: {one}" for one in restore(panel, record.settings, renamed)]
        if record.front:  # once it has found its place, which may be over others
            QTimer.singleShot(0, panel_dock(viewer, record.name)[0].raise_)
    return told


def _files(panel: object) -> list[Trace]:
    return panel.files_in_use() if isinstance(panel, Panel) else []


def _fits(value: Any) -> bool:
    """Whether a session takes it: of a library's thousands of entries all may be ticked."""
    return not isinstance(value, str) or len(value) <= MOST_TEXT


def _names() -> dict[str, str]:
    """What the manifest calls the panels, by the names of their classes."""
    from npe2 import PluginManager

    given = PluginManager.instance().get_manifest(PLUGIN).contributions
    classes = {c.id: (c.python_name or "").partition(":")[2] for c in given.commands or ()}
    return {classes[widget.command]: widget.display_name for widget in given.widgets or ()}
