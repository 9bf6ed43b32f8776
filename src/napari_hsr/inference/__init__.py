"""Running a model over an image: one loop, driven by viewer, command line and tests alike."""

from napari_hsr.inference.devices import Device, list_devices
from napari_hsr.inference.estimation import Estimate, estimate
from napari_hsr.inference.inputs import why_not
from napari_hsr.inference.precision_benchmark import Measurement, measure, measure_events
from napari_hsr.inference.reconstruction import Result, events, reconstruct
from napari_hsr.inference.super_resolution import (
    FinerResult,
    super_resolve,
    super_resolve_events,
)

__all__ = [
    "Device",
    "Estimate",
    "FinerResult",
    "Measurement",
    "Result",
    "estimate",
    "events",
    "list_devices",
    "measure",
    "measure_events",
    "reconstruct",
    "super_resolve",
    "super_resolve_events",
    "why_not",
]
