"""Keys for what is done often: listed in Preferences ▸ Shortcuts, where they can be changed.

Keys act on the viewer that has the focus. What a panel does (a pin, a run) is offered by the panel
while it is open; without it a key says which panel to open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakMethod

from napari_hsr.viewer import axis
from napari_hsr.viewer.workspace import next_panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

PIN, PIN_AT, RUN = "pin", "pin at", "run"


@dataclass(frozen=True)
class _Key:
    """One action: its keys unless the user chose others, what it does in words and in fact."""

    keys: str
    words: str
    act: Callable[[ViewerModel], None]


def _step(by: int) -> Callable[[ViewerModel], None]:
    def move(viewer: ViewerModel) -> None:
        """Go to the band beside the one on show of the topmost visible cube."""
        for cube in axis.visible_cubes(viewer):
            band = axis.current_band(viewer, cube)
            if band is not None:
                last = axis.layer_shape(cube)[0] - 1
                axis.go_to_band(viewer, cube, min(max(band + by, 0), last))
                return

    return move


def _of_a_panel(what: str, panel: str) -> Callable[[ViewerModel], None]:
    def act(viewer: ViewerModel) -> None:
        """Do what the panel offers."""
        offered = _offered.get(viewer, {}).get(what)
        method = offered() if offered is not None else None
        if method is None:
            from napari.utils.notifications import show_info

            show_info(f"Open the {panel} panel first.")
        else:
            method()

    return act


ACTIONS = {
    "napari-hsr:next_band": _Key("Alt-Right", "Next band of the spectral cube", _step(1)),
    "napari-hsr:previous_band": _Key("Alt-Left", "Previous band of the spectral cube", _step(-1)),
    "napari-hsr:pin": _Key(
        "Alt-P", "Pin the spectrum under the mouse", _of_a_panel(PIN, "Spectra")
    ),
    "napari-hsr:pin_at": _Key(
        "Alt-Shift-P", "Pin the spectrum at a row and column", _of_a_panel(PIN_AT, "Spectra")
    ),
    "napari-hsr:reconstruct": _Key(
        "Alt-R", "Reconstruct the chosen photograph", _of_a_panel(RUN, "Reconstruct")
    ),
    "napari-hsr:next_panel": _Key(
        "Alt-N", "Go to the next panel of hyperspectral reconstruction", next_panel
    ),
}

_offered: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def register() -> None:
    """Tell napari of the actions; once, or again without effect."""
    from napari.components import ViewerModel
    from napari.settings import get_settings
    from napari.utils.action_manager import action_manager

    chosen = get_settings().shortcuts.shortcuts
    for name, key in ACTIONS.items():
        if name in action_manager._actions:
            continue
        action_manager.register_action(name, key.act, key.words, ViewerModel)
        for keys in chosen.get(name, [key.keys]):
            action_manager.bind_shortcut(name, keys)


def offer(viewer: ViewerModel, what: str, method: Callable[[], object]) -> None:
    """A panel does :data:`PIN`, :data:`PIN_AT` or :data:`RUN` by this bound method, for as long as it lives."""
    register()
    _offered.setdefault(viewer, {})[what] = WeakMethod(method)


def withdraw(viewer: ViewerModel, what: str, method: Callable[[], object]) -> None:
    """The panel is closed; another one that offered the same meanwhile stays."""
    offered = _offered.get(viewer, {})
    if what in offered and offered[what]() == method:
        del offered[what]
