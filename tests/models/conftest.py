"""The originals' outputs as fixtures; see ``parity.py``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def _load() -> ModuleType:
    name = "architecture_parity"
    if name not in sys.modules:
        path = Path(__file__).with_name("parity.py")
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def parity() -> ModuleType:
    """The helpers: spec, weights, seeded_input, golden, pipeline, relative_error, random_weights."""
    return _load()


@pytest.fixture(scope="session")
def golden(parity: ModuleType) -> Callable:
    """``golden(net, case) -> (spec, weights, input, output, tolerance)``; skips if it is not there."""
    return parity.golden


@pytest.fixture(scope="session")
def pipeline(parity: ModuleType) -> Callable:
    """``pipeline(net) -> (weights, photograph, outputs)``; skips if it is not there."""
    return parity.pipeline
