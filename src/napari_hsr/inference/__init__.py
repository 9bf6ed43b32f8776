"""Running models: photographs to cubes, coarse cubes to fine ones, for viewer, command line and API."""

from typing import Any
from warnings import warn

from napari_hsr.inference.devices import Device, list_devices
from napari_hsr.inference.estimation import Estimate, estimate, estimate_super_resolution
from napari_hsr.inference.frames_on_disk import FramesStored, store_frames, store_frames_events
from napari_hsr.inference.inputs import why_not
from napari_hsr.inference.precision_benchmark import Measurement, measure, measure_events
from napari_hsr.inference.reconstruction import reconstruct, reconstruct_events
from napari_hsr.inference.results import Result, SuperResolutionResult
from napari_hsr.inference.stacks import reconstruct_stack
from napari_hsr.inference.super_resolution import (
    super_resolve,
    super_resolve_events,
    why_not_super_resolve,
)

__all__ = [
    "Device",
    "Estimate",
    "FramesStored",
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
    "reconstruct_stack",
    "store_frames",
    "store_frames_events",
    "super_resolve",
    "super_resolve_events",
    "why_not",
    "why_not_super_resolve",
]

#: Names of 0.1 that are others now.
_RENAMED: dict[str, Any] = {"events": reconstruct_events, "FinerResult": SuperResolutionResult}


def __getattr__(name: str) -> Any:
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = _RENAMED[name]
    new = found.__name__
    text = f"inference.{name} is {new} now; the old name will be gone in napari-hsr 0.3."
    warn(text, DeprecationWarning, stacklevel=2)
    return found
