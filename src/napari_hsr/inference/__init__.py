"""Running models: photographs to cubes, coarse cubes to fine ones, for viewer, command line and API.

Each name below is imported on first use: a panel that needs one of these rooms opens without the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import warn

if TYPE_CHECKING:
    from napari_hsr.inference.devices import Device, list_devices
    from napari_hsr.inference.estimates.run_estimate import (
        Estimate,
        estimate,
        estimate_super_resolution,
    )
    from napari_hsr.inference.inputs import why_not
    from napari_hsr.inference.precision_benchmark import Measurement, measure, measure_events
    from napari_hsr.inference.reconstruction import reconstruct, reconstruct_events
    from napari_hsr.inference.results import Result, SuperResolutionResult
    from napari_hsr.inference.stacks.frames_on_disk import (
        FramesStored,
        store_frames,
        store_frames_events,
    )
    from napari_hsr.inference.stacks.run import reconstruct_stack
    from napari_hsr.inference.super_resolution import (
        super_resolve,
        super_resolve_events,
        why_not_super_resolve,
    )

_HOME = {
    "Device": "devices",
    "list_devices": "devices",
    "Estimate": "estimates.run_estimate",
    "estimate": "estimates.run_estimate",
    "estimate_super_resolution": "estimates.run_estimate",
    "FramesStored": "stacks.frames_on_disk",
    "store_frames": "stacks.frames_on_disk",
    "store_frames_events": "stacks.frames_on_disk",
    "why_not": "inputs",
    "Measurement": "precision_benchmark",
    "measure": "precision_benchmark",
    "measure_events": "precision_benchmark",
    "reconstruct": "reconstruction",
    "reconstruct_events": "reconstruction",
    "Result": "results",
    "SuperResolutionResult": "results",
    "reconstruct_stack": "stacks.run",
    "super_resolve": "super_resolution",
    "super_resolve_events": "super_resolution",
    "why_not_super_resolve": "super_resolution",
}

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
_RENAMED = {"events": "reconstruct_events", "FinerResult": "SuperResolutionResult"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"napari_hsr.inference.{_HOME[name]}"), name)
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new = _RENAMED[name]
    text = f"inference.{name} is {new} now; the old name will be gone in napari-hsr 0.3."
    warn(text, DeprecationWarning, stacklevel=2)
    return getattr(import_module(f"napari_hsr.inference.{_HOME[new]}"), new)


def __dir__() -> list[str]:
    return sorted(__all__)
