"""The base class of all networks and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from torch import nn

#: A part of a network that is taken by name or index: PyTorch types it as a tensor or a module,
#: which is neither callable nor indexable.
Part: TypeAlias = Any


class Module(nn.Module):
    """A module whose parts and tensors are typed by their use."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Part: ...
