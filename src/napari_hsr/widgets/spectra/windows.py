"""The windows of the Spectra panel's tools, made when they are opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QWidget

#: The tools by name, and what they are for.
TOOLS = {
    "Table": "Pins, regions and library entries in numbers; rename, hide, export",
    "Match": "The library entries most like a pin or a region; spectra from files in the plot",
    "Over time": "The pins of a film or stack over its frames: a band, or an index",
    "Classify": "A class for every pixel: library entries, pins and regions by spectral angle",
}


PIN_AT = "Pin at"


@runtime_checkable
class ChoosesCurves(Protocol):
    """A window in which curves are chosen, by their keys."""

    def forget(self, gone: Callable[[Any], bool]) -> None:
        """Those that are gone do not come back, though others may have their keys."""


def make(name: str, panel: QWidget, viewer: Any) -> QWidget:
    """The window of one of :data:`TOOLS`, or :data:`PIN_AT`."""
    if name == PIN_AT:
        from napari_hsr.widgets.spectra.pin_at import PinAtWindow

        return PinAtWindow(panel, viewer)
    if name == "Table":
        from napari_hsr.widgets.spectra.curve_table import CurveTable

        return CurveTable(panel, viewer)
    if name == "Match":
        from napari_hsr.widgets.spectra.match_window import MatchWindow

        return MatchWindow(panel)
    if name == "Over time":
        from napari_hsr.widgets.spectra.over_time import OverTimeWindow

        return OverTimeWindow(panel, viewer)
    from napari_hsr.widgets.spectra.classify_window import ClassifyWindow

    return ClassifyWindow(panel, viewer)
