"""The Compare panel: a prediction against its ground truth."""

from napari_hsr.moved_modules import names_of

__getattr__ = names_of("napari_hsr.widgets.compare.panel")
