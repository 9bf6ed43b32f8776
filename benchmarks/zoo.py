"""The networks of the zoo in their published sizes, with the weights of the parity tests.

The weights are random and the same everywhere: they stand in for trained ones where only time,
memory or the spread of information over the image is measured.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from napari_hsr.models.model import Model

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"


def names() -> list[str]:
    """The networks for photographs, by the names of their specs."""
    found = sorted(p.stem.removeprefix("spec_") for p in (GOLDEN / "specs").glob("spec_*.json"))
    return [name for name in found if not name.startswith(("coarsr", "vgg"))]


def load(name: str) -> Model:
    """The model of a network, recognised from its weights as any checkpoint is."""
    from napari_hsr.models import from_state_dict

    found = importlib.util.spec_from_file_location("fill", GOLDEN / "fill.py")
    fill = importlib.util.module_from_spec(found)
    found.loader.exec_module(fill)
    spec = json.loads((GOLDEN / "specs" / f"spec_{name}.json").read_text())
    constants = _published(name).state_dict() if "keep" in spec["fill"].values() else None
    return from_state_dict(fill.filled_state_dict(spec, constants))


def _published(name: str) -> torch.nn.Module:
    """The network as its authors build it."""
    from napari_hsr.models.registry import ARCHITECTURES

    return next(a for a in ARCHITECTURES if a.id == name).published[0]()
