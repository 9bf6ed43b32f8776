"""Modules of 0.1 under their old names: imports go on working, with a deprecation sentence.

Only modules that scripts had a reason to import are here; they will be gone in 0.3.

Whatever is done with the package imports this first, so that it needs little: ``importlib.abc`` and
``typing`` alone would take longer than all else that Python does before a command can tell what Ctrl-C means.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from types import ModuleType
    from typing import Any
else:
    Loader = object

_PACKAGE = __package__

#: Old names and new ones, within the package.
MOVED = {
    "events": "progress",
    "cameras.capture": "cameras.random_camera",
    "cameras.capture_settings": "cameras.settings",
    "inference.run": "inference.reconstruction",
    "io.formats": "io",
    "io.photo": "io.photographs.reader",
    "io.png": "io.photographs.png_chunks",
    "io.record": "io.embedded_record",
    "metrics.rules": "metrics.protocols",
    "models.catalogue": "models.published_weights",
    "models.checkpoint": "models.model_file",
    "models.descriptor": "models.model",
    "models.importing": "models.checkpoint_import",
    "models.listing": "models.model_list",
    "models.store": "models.user_models",
    "resample.kinds": "resample.methods",
    "training.augment": "training.data.augmentation",
    "training.fit": "training.train",
    "training.losses": "training.engine.losses",
    "training.measure": "training.validation",
    "training.process": "training.runs.processes",
    "training.recipe_file": "training.recipe.yaml_io",
    "training.scenes": "training.data.discovery",
    "widgets.job": "widgets.common.job",
    "widgets.plot": "widgets.plotting.plot",
    "widgets.reconstruct": "widgets.inference.reconstruct",
    "widgets.set_wavelengths": "widgets.wavelength.set_wavelengths",
    "widgets.super_resolve": "widgets.inference.super_resolve",
}


def _import(old: str, new: str) -> ModuleType:
    warnings.warn(
        f"{old} is {new} now; the old name will be gone in napari-hsr 0.3.",
        DeprecationWarning,
        stacklevel=2,
    )
    return import_module(new)


class _Redirect(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        old = spec.name.removeprefix(f"{_PACKAGE}.")
        return _import(spec.name, f"{_PACKAGE}.{MOVED[old]}")

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: it was executed under its new name."""


class _OldNames:
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the import system gives it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != _PACKAGE or name not in MOVED:
            return None
        return ModuleSpec(fullname, _Redirect())


def install() -> None:
    """Find old names from now on, after everything that is there."""
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())


def names_of(module: str) -> Callable[[str], Any]:
    """A ``__getattr__`` for a folder that was a module: its names are those of ``module``."""
    package = module.rpartition(".")[0]

    def found_there(name: str) -> Any:
        if not name.startswith("__"):
            found = import_module(module)
            if hasattr(found, name):
                return getattr(_import(package, module), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return found_there
