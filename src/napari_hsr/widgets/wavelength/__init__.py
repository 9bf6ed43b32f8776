"""The Wavelength panel, and stating the wavelengths of a cube."""

from napari_hsr.moved_modules import names_of

__getattr__ = names_of("napari_hsr.widgets.wavelength.panel")
