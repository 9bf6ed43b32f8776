"""The module that inference runs: an optimised copy of the exact one, in one precision.

Architectures with an optimised copy have a function ``prepare(module, precision)`` in their
:class:`~napari_hsr.models.model.Model`. The copy takes and returns float32 whatever it
computes in, may share weights with the exact module, and leaves that one as it is.
"""

from __future__ import annotations

import copy
import tempfile
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from napari_hsr.errors import ModelError
from napari_hsr.models.layers import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_hsr.models.model import Model, Prepare

#: The copy last made for each model: one precision at a time, to bound memory.
_MADE: WeakKeyDictionary[Model, tuple[str, nn.Module]] = WeakKeyDictionary()

#: Networks of so many bytes or more are measured by their shapes alone.
SHAPES_ALONE = 64_000_000

#: How large such copies are, by model and precision.
_SIZES: WeakKeyDictionary[Model, dict[str, CopySize]] = WeakKeyDictionary()


class CopySize(NamedTuple):
    """Bytes of a prepared copy.

    Attributes
    ----------
    own : int
        What it holds besides the weights that it shares with the exact module.
    whole : int
        With those: what it takes on another device.
    """

    own: int
    whole: int


class InPrecision(Module):
    """Any module under autocast, for networks without an optimised copy."""

    def __init__(self, module: nn.Module, dtype: torch.dtype):
        super().__init__()
        self.module = module
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        """float32 in, float32 out."""
        with torch.autocast(image.device.type, self.dtype):
            out: Tensor = self.module(image)
            return out.float()


def prepared(model: Model, precision: str, device: torch.device | str = "cpu") -> nn.Module:
    """The module to run, on ``device``.

    Parameters
    ----------
    model : Model
    precision : str
        One of ``model.precisions``.
    device : torch.device or str

    Returns
    -------
    nn.Module
        Maps (N, channels, H, W) float32 to (N, bands, H, W) float32.
    """
    made = _MADE.get(model)
    if made is None or made[0] != precision:
        made = (precision, copy_in_precision(model.module, precision, model.prepare))
        _MADE[model] = made
    return made[1].to(device)


def release(model: Model) -> None:
    """Discard the copy made for a model; the next run makes a new one."""
    _MADE.pop(model, None)


def copy_size(model: Model, precision: str) -> CopySize:
    """Size of the copy; of a large network computed from shapes alone, which takes no memory.

    A small one is made for it: that takes milliseconds, and PyTorch spends half a second on what
    it imports for tensors without values, in which all other threads stand still.

    Parameters
    ----------
    model : Model
    precision : str
        One of ``model.precisions``.
    """
    sizes = _SIZES.setdefault(model, {})
    if precision not in sizes:
        if sum(t.nbytes for t in _tensors(model.module)) < SHAPES_ALONE:
            exact = model.module
            made = copy_in_precision(exact, precision, model.prepare)
        else:
            exact = _of_shapes(model.module)
            with _NoNumbers():
                made = copy_in_precision(exact, precision, model.prepare)
        held = {StorageWeakRef(t.untyped_storage()) for t in _tensors(exact)}
        storages = [t.untyped_storage() for t in _tensors(made)]
        bytes_of = {StorageWeakRef(storage): storage.nbytes() for storage in storages}
        own = sum(count for storage, count in bytes_of.items() if storage not in held)
        sizes[precision] = CopySize(own, sum(bytes_of.values()))
    return sizes[precision]


def bytes_to_come(model: Model, precision: str, device: torch.device | None = None) -> int:
    """Memory in bytes that :func:`prepared` would add on the device; None is the CPU.

    0 for the copy that was made last.
    """
    kind = "cpu" if device is None else device.type
    made = _MADE.get(model)
    if made is not None and made[0] == precision:
        elsewhere = (t for t in _tensors(made[1]) if t.device.type != kind)
        return sum(t.numel() * t.element_size() for t in elsewhere)
    size = copy_size(model, precision)
    return size.own if kind == "cpu" else size.whole


class _NoNumbers(TorchDispatchMode):
    """Lets numbers be read from tensors without values; they do not affect any size."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's has no types

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1.0
        return func(*args, **(kwargs or {}))


def sharing_memory(module: nn.Module) -> nn.Module:
    """A copy on the same memory that may go to another device or type without the original."""
    return _with_tensors(module, lambda tensor: tensor)


def _of_shapes(module: nn.Module) -> nn.Module:
    """The module with weights that have a shape, a type and no memory."""
    return _with_tensors(module, lambda tensor: tensor.to("meta"))


def _with_tensors(module: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    memo: dict[int, Tensor] = {
        id(p): nn.Parameter(change(p.detach()), requires_grad=False) for p in module.parameters()
    }
    memo |= {id(b): change(b.detach()) for b in module.buffers()}
    return copy.deepcopy(module, memo)


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    return chain(module.parameters(), module.buffers())


def copy_in_precision(module: nn.Module, precision: str, prepare: Prepare | None) -> nn.Module:
    """The copy of a module made by ``prepare``; without that, the module itself or autocast.

    Raises
    ------
    ModelError
        If there is no folder for temporary files.
    """
    try:  # torch looks for it as it imports a part of itself, which stays broken if there is none
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise ModelError(
            "PyTorch needs a folder for temporary files, and none can be written to: the disk may be "
            "full. TMPDIR names another one."
        ) from error
    if prepare is not None:
        return prepare(module, precision).eval()
    if precision == "float32":
        return module
    return InPrecision(module, getattr(torch, precision)).eval()
