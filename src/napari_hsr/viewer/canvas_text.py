"""What the canvas says about the wavelength: ``λ = 550 nm``, or ``band 7``.

The text overlay of the viewer is used, so that cubes with irregular or unknown
wavelengths are named truthfully too. The text is switched on once a viewer, with its
first cube; the user may hide or restyle it from then on. A text that somebody else
put there is left alone.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari_hsr.viewer import axis

if TYPE_CHECKING:
    from napari.components import ViewerModel

#: The text last written, for each viewer that has been switched on.
_SHOWN: weakref.WeakKeyDictionary[ViewerModel, list[str]] = weakref.WeakKeyDictionary()
#: Events after which the text may be another one.
_TELLING = {"point", "ndim", "inserted", "removed", "reordered", "visible", "scale", "metadata"}


def wavelength_text(viewer: ViewerModel) -> str:
    """The text for the canvas: the band of the topmost cube that shows one, else empty."""
    for cube in axis.visible_cubes(viewer):
        band = axis.current_band(viewer, cube) if cube.visible else None
        if band is not None:
            nm = axis.current_nm(viewer, cube)
            return f"band {band + 1}" if nm is None else f"λ = {nm:.5g} nm"
    return ""


def show_wavelength(viewer: ViewerModel) -> None:
    """Keep the wavelength written on the canvas, from now on as long as the viewer lives."""
    overlay = viewer.canvas.overlays.text
    if overlay.text or viewer in _SHOWN:
        return
    shown = _SHOWN.setdefault(getattr(viewer, "__wrapped__", viewer), [""])
    hidden = [True]  # by us, for want of a text; what the user hides stays hidden
    # The callback must not keep the viewer alive.
    alive = weakref.ref(getattr(viewer, "__wrapped__", viewer))

    def update(event: Any = None) -> None:
        viewer = alive()
        if viewer is None or getattr(event, "type", "point") not in _TELLING:
            return
        overlay = viewer.canvas.overlays.text
        text = wavelength_text(viewer)
        if overlay.text != shown[0]:
            return  # somebody else's words now
        if not text:
            # Hidden rather than emptied: drawing a visible overlay that has no text left
            # crashes some OpenGL drivers.
            hidden[0] = hidden[0] or overlay.visible
            overlay.visible = False
            return
        if text != shown[0]:
            overlay.text = shown[0] = text
        if hidden[0]:
            overlay.visible, hidden[0] = True, False

    for emitter in (viewer.dims.events.point, viewer.dims.events.ndim, viewer.layers.events):
        emitter.connect(update)
    update()
