"""Panels for a photograph and its cube, in two stacks of tabs beside the canvas.

A panel is the same one however it was opened: napari's menu names its dock after the plugin as people
know it, ``viewer.window.add_plugin_dock_widget`` after the package. Both are found here, and what is
opened here has the name of the menu, which therefore shows it as open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.viewer.layer_data import unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    import napari
    from npe2.manifest.contributions import WidgetContribution

PLUGIN = "napari-hsr"
#: What napari's menu calls it.
DISPLAYED = "Hyperspectral reconstruction"
#: What follows a panel's name in that of its dock, after napari's menu and after a script.
SUFFIXES = (f" ({DISPLAYED})", f" ({PLUGIN})")
#: Panels above and below; those of a stack lie over each other, the first one in front.
STACKS = (
    ("Reconstruct", "Super-resolve", "Compare", "Train"),
    ("Spectra", "Wavelength", "Maps", "Measurements"),
)
#: What a panel needs of a column in pixels to be worked with, if it asks for more.
COMFORT = 320


def open_all_panels(viewer: napari.Viewer) -> None:
    """Open every panel that is not open yet; those that are stay where they are."""
    for names in STACKS:
        for name in names:
            open_panel(viewer, name)
        panel_dock(viewer, names[0])[0].raise_()


def open_panel(viewer: napari.viewer.Viewer, name: str) -> Any:
    """Open a panel in front of the others of its stack; one that is open only comes to the front.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window.
    name : str
        What the manifest calls it.

    Returns
    -------
    widget
        The panel.
    """
    viewer = unwrapped(viewer)
    before = opened(viewer)
    beside = [other for other in _stack(name) if other in before and other != name]
    dock, panel = panel_dock(viewer, name)
    if beside and name not in before:
        _tab(_dock_of(before[beside[-1]]), dock)
    dock.setWindowTitle(name)  # what a tab says
    dock.show()
    dock.raise_()
    return panel


def opened(viewer: Any) -> dict[str, Any]:
    """The panels that are open, by the names that the manifest gives them."""
    return {
        title.removesuffix(suffix): panel
        for title, panel in unwrapped(viewer).window.dock_widgets.items()
        for suffix in SUFFIXES
        if title.endswith(suffix)
    }


def panel_dock(viewer: Any, name: str) -> tuple[Any, Any]:
    """The dock of a panel and the panel, which is opened if it is not.

    Raises
    ------
    KeyError
        If the manifest has no such panel.
    """
    viewer = unwrapped(viewer)
    panel = opened(viewer).get(name)
    if panel is not None:
        return _dock_of(panel), panel
    panel = _classes()[name].get_callable()(viewer)
    return viewer.window.add_dock_widget(panel, name=f"{name} ({DISPLAYED})"), panel


def make_room(viewer: Any, panel: Any, height: int = 0) -> None:
    """Lay a panel that was just docked over another one, if the column is too low, or there are stacks.

    One of its stack, or the last one that was opened: what does not fit would make the window higher
    than the screen.

    Parameters
    ----------
    viewer : napari.Viewer
    panel : QWidget
    height : int
        Of the window in pixels before it was docked; by several at once it may have grown since.
    """
    panels = opened(viewer)
    name = next((name for name, one in panels.items() if one is panel), "")
    if not name:
        return  # a script gave it another name, and a place
    dock = _dock_of(panel)
    window = dock.parent()
    area = window.dockWidgetArea(dock)

    def there(one: Any) -> bool:
        return window.dockWidgetArea(one) == area and not one.isFloating() and not one.isHidden()

    if not there(dock) or window.tabifiedDockWidgets(dock):
        return
    docks = {other: _dock_of(one) for other, one in panels.items() if other != name}
    under = [other for other, one in docks.items() if there(one)]
    under = [other for other in under if other in _stack(name)] or under
    stacked = any(window.tabifiedDockWidgets(docks[other]) for other in under)
    needed = _needed(window, filter(there, window.findChildren(type(dock))))
    grown = max(0, window.height() - height) if height else 0
    if stacked or (under and needed > window.centralWidget().height() - grown):
        _tab(docks[under[-1]], dock)
        dock.raise_()


def _needed(window: Any, docks: Iterable[Any]) -> int:
    """The height in pixels that a column of docks can be worked with in."""
    needed, counted = 0, set()
    for one in docks:
        if one not in counted:
            stacked = [one, *window.tabifiedDockWidgets(one)]
            counted.update(stacked)
            needed += max(min(COMFORT, part.sizeHint().height()) for part in stacked)
    return needed


def shared_heights(viewer: Any, panel: Any) -> dict[Any, int]:
    """Heights for the docks of a panel's column in which each of ours can be worked with.

    Parameters
    ----------
    viewer : napari.Viewer
    panel : QWidget
        One that was just docked: Qt gives the rest to what can grow, and leaves others little.

    Returns
    -------
    heights : dict of dock to int
        In pixels; empty where none is too low, or where there is not enough for all.
    """
    dock = _dock_of(panel)
    window = dock.parent()
    area = window.dockWidgetArea(dock)
    docks = [_dock_of(one) for one in dict.fromkeys(opened(viewer).values())]
    docks = [
        one
        for one in docks
        if window.dockWidgetArea(one) == area
        and not one.isFloating()
        and not one.visibleRegion().isEmpty()  # it may lie under others
    ]
    needs = {one: max(1, min(COMFORT, one.sizeHint().height())) for one in docks}
    spare = sum(one.height() for one in docks) - sum(needs.values())
    if spare < 0 or all(one.height() >= need for one, need in needs.items()):
        return {}
    beyond = {one: max(0, one.height() - need) for one, need in needs.items()}
    share = spare / max(1, sum(beyond.values()))
    return {one: need + int(share * beyond[one]) for one, need in needs.items()}


def know_by_both_names(viewer: Any, panel: Any) -> tuple[str, ...]:
    """Let napari find a panel by either name of its dock, and not open a second one.

    What a tab says is the short name: the plugin's would be in each of them.

    Returns
    -------
    names : tuple of str
        For :func:`forget_names`, once the panel is taken out of its dock.
    """
    docks = _docks(viewer)
    names = [name for name, one in opened(viewer).items() if one is panel]
    titles = tuple(name + suffix for name in names for suffix in SUFFIXES)
    for title in titles:
        docks.setdefault(title, _dock_of(panel))
    for name in names[:1]:
        _dock_of(panel).setWindowTitle(name)
    return titles


def forget_names(viewer: Any, titles: Iterable[str]) -> None:
    """What :func:`know_by_both_names` told napari is no longer so."""
    for title in titles:
        _docks(viewer).pop(title, None)


def _docks(viewer: Any) -> Any:
    """What napari knows docks by; ``window.dock_widgets`` is a view of it that takes nothing."""
    return unwrapped(viewer).window._wrapped_dock_widgets


def next_panel(viewer: Any) -> None:
    """Give the keyboard to the first panel that is open, or the one after that which has it."""
    window = getattr(viewer, "window", None)
    docked = window.dock_widgets.values() if window is not None else ()
    panels = [one for one in dict.fromkeys(docked) if hasattr(one, "take_keyboard")]
    if panels:
        now = next((at for at, one in enumerate(panels) if one.has_keyboard()), -1)
        panels[(now + 1) % len(panels)].take_keyboard()


def _classes() -> dict[str, WidgetContribution]:
    """By the names of the manifest, what makes each panel."""
    from npe2 import PluginManager

    given = PluginManager.instance().get_manifest(PLUGIN).contributions
    return {one.display_name: one for one in given.widgets or ()}


def _stack(name: str) -> tuple[str, ...]:
    return next((names for names in STACKS if name in names), ())


def _dock_of(panel: Any) -> Any:
    """The dock that a panel lies in, within what napari puts around it."""
    dock = panel
    while not hasattr(dock, "toggleViewAction"):
        dock = dock.parent()
    return dock


def _tab(below: Any, dock: Any) -> None:
    dock.parent().tabifyDockWidget(below, dock)
