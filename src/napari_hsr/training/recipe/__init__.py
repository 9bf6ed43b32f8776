"""A training as data: its settings, read from YAML, and what is wrong with them."""

from napari_hsr.moved_modules import names_of

__getattr__ = names_of("napari_hsr.training.recipe.schema")
