"""From a raw scan to reflectance: white and dark references, exposure, the white's own curve."""

from napari_hsr.calibration.reflectance import calibrate

__all__ = ["calibrate"]
