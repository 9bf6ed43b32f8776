"""Another form of a cube: other bands, another grid of wavelengths, a part of the picture."""

from napari_hsr.conversion.convert import convert
from napari_hsr.conversion.wavelengths import common_grid, to_wavelengths

__all__ = ["common_grid", "convert", "to_wavelengths"]
