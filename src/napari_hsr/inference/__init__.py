"""Running models: photographs to cubes, coarse cubes to fine ones, for viewer, command line and API."""

from napari_hsr.inference.devices import Device, list_devices
from napari_hsr.inference.estimation import Estimate, estimate, estimate_super_resolution
from napari_hsr.inference.inputs import why_not
from napari_hsr.inference.precision_benchmark import Measurement, measure, measure_events
from napari_hsr.inference.reconstruction import reconstruct, reconstruct_events
from napari_hsr.inference.results import Result, SuperResolutionResult
from napari_hsr.inference.super_resolution import (
    super_resolve,
    super_resolve_events,
    why_not_super_resolve,
)

__all__ = [
    "Device",
    "Estimate",
    "Measurement",
    "Result",
    "SuperResolutionResult",
    "estimate",
    "estimate_super_resolution",
    "list_devices",
    "measure",
    "measure_events",
    "reconstruct",
    "reconstruct_events",
    "super_resolve",
    "super_resolve_events",
    "why_not",
    "why_not_super_resolve",
]
