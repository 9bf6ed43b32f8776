"""A cube in the colour of its band: black to the colour of the wavelength."""

from __future__ import annotations

_BLACK, _WHITE = (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0, 1.0)


class Tint:
    """Lends a layer a colormap and gives the old one back.

    napari keeps every colormap that a layer ever had in its list of choices. The layer
    therefore gets one, whose end colour is then changed in place.
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
        """Give the layer its colormap back, unless somebody has changed it since."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        # As it was registered, so that the next tint finds it again under the same name.
        self._ours.colors = [_BLACK, _WHITE]
        if layer.colormap.name == self._ours.name:
            layer.colormap = self._before
