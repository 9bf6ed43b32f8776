"""The Train panel."""

from napari_hsr.renamed import names_of

__getattr__ = names_of("napari_hsr.widgets.train.panel")
