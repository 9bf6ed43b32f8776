"""Text on the canvas: the wavelength on show, and the units of the colour bars.

The wavelength (``λ = 550 nm``, or ``band 7`` where it is unknown) uses the viewer's own text
overlay. It is switched on once for each viewer, with its first cube; the user may hide or
restyle it from then on, and text that somebody else put there is left alone.

napari's colour bars have numbers but no label. The bars of our maps stand at the top left with
a text above them that names what they show: ``SAM (°)``. In a grid, where one text cannot stand
in several tiles, the name of each map is shown instead.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_hsr.viewer import axis
from napari_hsr.viewer.layer_data import state_of, unwrapped

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

#: Key of the text of the colour bars among the overlays of the canvas.
OVERLAY = "hsr_map_units"
#: Corner of bars and text: napari stacks what shares a corner, so they never overlap.
CORNER = "top_left"
#: A label longer than this, in characters, is broken before its unit.
LONG = 28
#: Names of maps are written so small in a grid that they fit into their tiles, but in no fewer points.
SMALLEST = 6.0

#: Letters of a cube's name on the canvas, lines of cubes that show different bands, and cubes that
#: are looked at while the slider moves, at most.
LONGEST, MOST_LINES, MOST_CUBES = 40, 4, 12

#: Events after which one of the texts may differ.
_RELEVANT = {
    *("point", "ndim", "ndisplay", "order", "inserted", "removed", "reordered", "visible"),
    *("data", "scale", "translate", "rotate", "shear", "affine", "metadata", "name", "enabled"),
}


def wavelength_text(viewer: ViewerModel) -> str:
    """The band that the visible cubes show; a line each, topmost first, where they show several.

    Empty if none shows one, and where all bands are drawn, as in 3D.
    """
    shown: dict[str, str] = {}
    cubes = axis.visible_cubes(viewer)[:MOST_CUBES] if axis.has_slider(viewer) else ()
    for cube in cubes:
        band = axis.current_band(viewer, cube) if cube.visible else None
        if band is not None:
            nm = axis.nm_of_band(cube, band)
            text = f"band {band + 1}" if nm is None else f"λ = {nm:.5g} nm"
            shown.setdefault(text, _shortened(cube.name))
    if len(shown) < 2:
        return next(iter(shown), "")
    lines = [f"{text} · {name}" for text, name in shown.items()]
    return "\n".join([*lines[:MOST_LINES], *["…"] * (len(lines) > MOST_LINES)])


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def show_wavelength(viewer: ViewerModel) -> None:
    """Keep the wavelength on the canvas up to date for as long as the viewer lives."""
    model = unwrapped(viewer)
    if not model.canvas.overlays.text.text and model not in _WAVELENGTH:
        _WAVELENGTH[model] = _WavelengthText(model)


def is_map(layer: Layer) -> bool:
    """Whether this layer is one of our maps."""
    return state_of(layer.metadata).get("kind") == "map"


def unit_text(layer: Image) -> str:
    """The label of a map's colour bar: ``SAM (°)``, or ``SAM (°) up to 99.6``."""
    state = state_of(layer.metadata)
    text, unit = state.get("title") or layer.name, state.get("unit")
    if unit and f"({unit}" not in text:
        text = f"{text} ({unit})"
    if state.get("beyond") is not None:
        text = f"{text} up to {state['beyond']:.3g}"
    return text.replace(" (", "\n(") if len(text) > LONG else text


def visible_bars(viewer: ViewerModel) -> list[Image]:
    """Visible maps with a colour bar, topmost first, as napari lists the bars."""
    maps = [layer for layer in reversed(viewer.layers) if layer.visible and is_map(layer)]
    return [layer for layer in maps if layer.colorbar.visible]


def show_bar(viewer: ViewerModel, layer: Image) -> None:
    """Show the colour bar of a map, and from now on the labels of all visible bars."""
    layer.colorbar.position = CORNER
    layer.colorbar.visible = True
    model = unwrapped(viewer)
    text = _BARS.get(model) or _BARS.setdefault(model, _BarText(model))
    layer.colorbar.events.visible.connect(text.update)
    text.update()


class _CanvasText:
    """Keeps a text of a viewer up to date; it does not keep the viewer alive."""

    def __init__(self, viewer: ViewerModel):
        self._viewer = weakref.ref(viewer)
        viewer.layers.events.connect(self.update)
        self.update()

    def update(self, event: Any = None) -> None:
        viewer = self._viewer()
        if viewer is not None and getattr(event, "type", "visible") in _RELEVANT:
            self._show(viewer)

    def _show(self, viewer: ViewerModel) -> None:
        raise NotImplementedError


class _WavelengthText(_CanvasText):
    def __init__(self, viewer: ViewerModel):
        self._ours = ""
        self._hidden = True  # by us, for want of a text; what the user hides stays hidden
        super().__init__(viewer)
        for name in ("point", "ndim", "ndisplay", "order"):
            getattr(viewer.dims.events, name).connect(self.update)

    def _show(self, viewer: ViewerModel) -> None:
        overlay = viewer.canvas.overlays.text
        if overlay.text != self._ours:
            return  # somebody else's text
        text = wavelength_text(viewer)
        if not text:
            # Hidden rather than emptied: drawing a visible overlay without text crashes some
            # OpenGL drivers.
            self._hidden = self._hidden or overlay.visible
            overlay.visible = False
            return
        if text != self._ours:
            overlay.text = self._ours = text
        if self._hidden:
            overlay.visible, self._hidden = True, False


class _BarText(_CanvasText):
    def __init__(self, viewer: ViewerModel):
        self._named: weakref.WeakSet[Layer] = weakref.WeakSet()  # by us, in a grid
        super().__init__(viewer)
        viewer.canvas.grid.events.enabled.connect(self.update)

    def _show(self, viewer: ViewerModel) -> None:
        bars, in_grid = visible_bars(viewer), viewer.canvas.grid.enabled
        self._name(bars if in_grid else [], viewer.canvas.viewbox_size(viewer.layers)[1])
        text = "" if in_grid else "\n".join(map(unit_text, bars))
        overlay = viewer.canvas.overlays.get(OVERLAY)
        if not text:
            if overlay is not None:
                overlay.visible = False
            return
        if overlay is None:
            from napari.components.overlays import TextOverlay

            overlay = TextOverlay(text=text, position=CORNER)
            viewer.canvas.overlays[OVERLAY] = overlay
        if overlay.text != text:
            overlay.text = text
        overlay.visible = True

    def _name(self, wanted: list[Image], width: float) -> None:
        """Show the names of these maps in tiles of this width, and hide the others that were shown here."""
        for layer in set(self._named) - set(wanted):
            layer.name_overlay.visible = False
            self._named.discard(layer)
        for layer in wanted:
            if not layer.name_overlay.visible:
                fitting = max(SMALLEST, width / len(layer.name))  # a letter is a point wide
                layer.name_overlay.font_size = min(fitting, layer.name_overlay.font_size)
                layer.name_overlay.visible = True
                self._named.add(layer)


#: The texts of each viewer.
_WAVELENGTH: weakref.WeakKeyDictionary[ViewerModel, _WavelengthText] = weakref.WeakKeyDictionary()
_BARS: weakref.WeakKeyDictionary[ViewerModel, _BarText] = weakref.WeakKeyDictionary()
