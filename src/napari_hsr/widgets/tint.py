"""A cube in the colour of its band: black to the colour of the wavelength."""

from __future__ import annotations


class Tint:
    """Lends a layer a colormap and gives the old one back."""

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
        colour = wavelength_to_srgb(nm)
        self._ours = Colormap([[0.0, 0.0, 0.0], list(colour)], name="wavelength")
        layer.colormap = self._ours

    def remove(self) -> None:
        """Give the layer its colormap back, unless somebody has changed it since."""
        layer, self._layer = self._layer, None
        if layer is not None and layer.colormap.name == self._ours.name:
            layer.colormap = self._before
