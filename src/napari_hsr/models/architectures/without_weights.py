"""Networks that are built for their layers and shapes alone, whose weights come from a file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: What would fill a tensor in place: by name in ``torch.nn.init``, and the methods behind them.
_FILLS = {
    *(getattr(nn.init, name) for name in dir(nn.init) if name[0] != "_" and name[-1] == "_"),
    *(Tensor.fill_, Tensor.zero_, Tensor.normal_, Tensor.uniform_),
}


class _Unfilled(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled with first values."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _FILLS:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def without_weights() -> Iterator[None]:
    """Within it a network has no memory for its weights, and no time is spent on first values.

    On the device ``meta`` torch computes shapes alone, but those of random numbers it works out in
    Python, operation by operation, which takes up to half of the time of building a network.
    """
    with torch.device("meta"), _Unfilled():
        yield
