"""Running a model over an image: one loop, driven by viewer, command line and tests alike."""

from napari_hsr.inference.devices import Device, list_devices
from napari_hsr.inference.estimation import Estimate, estimate
from napari_hsr.inference.precision_error import Measurement, measure, measure_events
from napari_hsr.inference.run import Result, events, reconstruct
from napari_hsr.inference.source import why_not

__all__ = [
    "Device",
    "Estimate",
    "Measurement",
    "Result",
    "estimate",
    "events",
    "list_devices",
    "measure",
    "measure_events",
    "reconstruct",
    "why_not",
]
