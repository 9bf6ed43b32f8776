"""From an RGB photograph to a spectral cube you can explore.

``import napari_hsr`` costs nothing: each name below is imported on first use, so that
neither torch nor napari nor Qt is loaded before it is needed, nor is ``typing``.
"""

# ruff: noqa: F401 - the last lines tell type checkers what __getattr__ hands out
from __future__ import annotations

from importlib import import_module

from napari_hsr import moved_modules

TYPE_CHECKING = False

__version__ = "0.2.0.dev0"

_HOME = {
    "Cube": "cube",
    "Wavelengths": "cube",
    "Photograph": "photograph",
    "PhotographStack": "photograph_stack",
    "HSRError": "errors",
    "Cancelled": "errors",
    "read": "io",
    "read_library": "io",
    "read_stack": "io.stacks",
    "write": "io",
    "load_model": "models",
    "list_models": "models",
    "reconstruct": "inference",
    "reconstruct_stack": "inference",
    "super_resolve": "inference",
    "evaluate": "metrics",
    "calibrate": "calibration",
    "convert": "conversion",
    "refine": "resample",
}

__all__ = ["__version__", *_HOME]

moved_modules.install()


def __getattr__(name: str):
    if name in _HOME:
        value = getattr(import_module(f"napari_hsr.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'napari_hsr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from napari_hsr.calibration import calibrate
    from napari_hsr.conversion import convert
    from napari_hsr.cube import Cube, Wavelengths
    from napari_hsr.errors import Cancelled, HSRError
    from napari_hsr.inference import reconstruct, reconstruct_stack, super_resolve
    from napari_hsr.io import read, read_library, write
    from napari_hsr.io.stacks import read_stack
    from napari_hsr.metrics.evaluate import evaluate
    from napari_hsr.models import list_models, load_model
    from napari_hsr.photograph import Photograph
    from napari_hsr.photograph_stack import PhotographStack
    from napari_hsr.resample import refine
