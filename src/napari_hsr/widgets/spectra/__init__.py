"""The Spectra panel: spectra under the cursor, of pinned points and of regions."""

from napari_hsr.moved_modules import names_of

__getattr__ = names_of("napari_hsr.widgets.spectra.panel")
