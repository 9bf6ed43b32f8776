"""A colormap from black to the colour of the wavelength on show."""

from __future__ import annotations

_BLACK, _WHITE = (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0, 1.0)


class Tint:
    """Gives a layer such a colormap, and restores the old one.

    napari keeps every colormap that a layer ever had in its list of choices. The layer
    therefore gets a single one, whose end colour is changed in place.
    """

    def __init__(self):
        self._layer = None
        self._before = None
        self._ours = None

    def apply(self, layer, nm: float) -> None:
        """Show ``layer`` in the colour of ``nm`` (in nm)."""
        from napari.utils import Colormap

        from napari_hsr.colour import wavelength_to_srgb

        if layer is not self._layer:
            self.remove()
            self._layer, self._before = layer, layer.colormap
            layer.colormap = Colormap([_BLACK, _WHITE], name="wavelength")
            self._ours = layer.colormap
        elif layer.colormap.name != self._ours.name:
            return  # the user chose another one meanwhile
        self._ours.colors = [_BLACK, (*wavelength_to_srgb(nm), 1.0)]
        layer.events.colormap()

    def remove(self) -> None:
        """Restore the layer's colormap, unless it was changed since."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        # As registered, so that the next tint finds it under the same name.
        self._ours.colors = [_BLACK, _WHITE]
        if layer.colormap.name == self._ours.name:
            layer.colormap = self._before
