"""All panels that napari can open, for tests of what holds of every one."""

from __future__ import annotations

from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.files.calibrate import CalibrateWidget
from napari_hsr.widgets.files.contents import FileContentsWidget
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget
from napari_hsr.widgets.maps.panel import MapsWidget
from napari_hsr.widgets.measurements.panel import MeasurementsWidget
from napari_hsr.widgets.spectra.panel import SpectraWidget
from napari_hsr.widgets.train.panel import TrainWidget
from napari_hsr.widgets.wavelength.panel import WavelengthWidget
from napari_hsr.widgets.wavelength.set_wavelengths import SetWavelengthsWidget

PANELS = (
    ReconstructWidget,
    SuperResolveWidget,
    WavelengthWidget,
    SpectraWidget,
    MeasurementsWidget,
    CompareWidget,
    MapsWidget,
    TrainWidget,
    SetWavelengthsWidget,
    CalibrateWidget,
    FileContentsWidget,
)
