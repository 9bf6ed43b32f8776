"""The module that inference runs: a copy of the exact one, made for speed in one precision.

An architecture that knows how to be faster names a function ``prepare(module, precision)`` in
its :class:`~napari_hsr.models.descriptor.Model`. The copy takes and returns float32 whatever it
computes in, may share weights with the exact module, and leaves that one as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

if TYPE_CHECKING:
    from napari_hsr.models.descriptor import Model

#: The copy last made for each model: one precision at a time, to bound memory.
_MADE: WeakKeyDictionary[Model, tuple[str, torch.nn.Module]] = WeakKeyDictionary()


class InPrecision(torch.nn.Module):
    """Any module under autocast: what a network runs in that has no copy of its own."""

    def __init__(self, module: torch.nn.Module, dtype: torch.dtype):
        super().__init__()
        self.module = module
        self.dtype = dtype

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """float32 in, float32 out."""
        with torch.autocast(image.device.type, self.dtype):
            return self.module(image).float()


def prepared(model: Model, precision: str, device: torch.device | str = "cpu") -> torch.nn.Module:
    """The module to run, on ``device``.

    Parameters
    ----------
    model : Model
    precision : str
        One of ``model.precisions``.
    device : torch.device or str

    Returns
    -------
    torch.nn.Module
        Maps (N, channels, H, W) float32 to (N, bands, H, W) float32.
    """
    made = _MADE.get(model)
    if made is None or made[0] != precision:
        made = (precision, _prepare(model, precision))
        _MADE[model] = made
    return made[1].to(device)


def release(model: Model) -> None:
    """Let the copy made for a model go; the next run makes it anew."""
    _MADE.pop(model, None)


def _prepare(model: Model, precision: str) -> torch.nn.Module:
    if model.prepare is not None:
        return model.prepare(model.module, precision).eval()
    if precision == "float32":
        return model.module
    return InPrecision(model.module, getattr(torch, precision)).eval()
