"""From what a checkpoint file holds to a plain state dict.

Authors save their weights among epochs and optimisers, under the name of the wrapper that
trained them, in half precision, or in an order that only their own program knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, ModelError

if TYPE_CHECKING:
    from os import PathLike

    import torch

#: Entries under which a state dict is stored, the likeliest first: of weights and their average in
#: one file, the average; of a network and its judge, the network.
WRAPPINGS = (
    *("state_dict", "model_state_dict", "model", "sd", "params_ema", "params", "net", "weights"),
    *("generator", "netG"),
)
#: What wrappers of networks put before every name.
PREFIXES = ("module.", "_orig_mod.")
#: What training programs put before the names of the one network that they hold.
SHARED_PREFIXES = ("model.", "net.", "network.")


def unwrap(state: Any) -> dict[str, torch.Tensor]:
    """The state dict in whatever a checkpoint holds.

    It is looked for under the entries in :data:`WRAPPINGS`, one in another, or in the only
    entry that holds tensors; prefixes of wrappers go, and whatever else all names begin with
    if they are those of a network without it; floating-point values become float32;
    DRCR-Net's files that hold the right values under other names get their names back.

    Parameters
    ----------
    state : object
        What ``torch.load(path, weights_only=True)`` gives, or a state dict, which stays as
        it is: tensors that need no conversion are not copied.

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    ModelError
        If there is no state dict in it, or several, or one of its tensors is not what weights
        are: sparse, quantised, complex, or a few numbers spread over a vast shape.
    """
    return _plain(_find(state))


def _plain(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Known names, float32."""
    weights = _as_known(_as_float32(_without_prefixes(weights)))
    from napari_hsr.models.architectures import drcr

    if not drcr.detect(weights):
        weights = drcr.by_position(weights) or weights
    return weights


def unwrap_file(content: Any, path: str | PathLike) -> dict[str, torch.Tensor]:
    """:func:`unwrap` for what was read from a file; a large one's weights stay there if they can.

    Raises
    ------
    FileError
        If there is no state dict in it, as for :func:`unwrap`, it holds shapes without values,
        or there is no room on the disk to widen its values.
    """
    from napari_hsr.models import memory_mapping

    try:
        weights = _find(content)
        if memory_mapping.worth_it(path):
            weights = memory_mapping.adopted(weights, path)
        weights = _plain(weights)
    except ModelError as error:
        raise FileError(path, str(error).rstrip(".")) from error
    except OSError as error:
        problem = f"its values cannot be widened to float32 ({error.strerror or error})"
        raise FileError(path, problem) from error
    empty = next((key for key, value in weights.items() if value.is_meta), None)
    if empty is not None:
        raise FileError(path, f"weights were expected, but {empty} has a shape and no values")
    return weights


def _find(state: Any) -> Mapping[str, torch.Tensor]:
    """The innermost mapping of names to tensors."""
    import torch

    passed: set[int] = set()  # a pickle may hold itself
    while True:
        if not isinstance(state, Mapping):
            raise ModelError(f"A state dict was expected, but {_described(state)} was found.")
        others = [key for key, value in state.items() if not isinstance(value, torch.Tensor)]
        if state and not others:
            wrong = [key for key in state if not isinstance(key, str)]
            if wrong:
                raise ModelError(f"Names of weights are text, but one of them is {wrong[0]!r}.")
            return state
        passed.add(id(state))
        inner = [k for k in others if id(state[k]) not in passed and _holds_tensors(state[k])]
        named = [key for key in WRAPPINGS if key in inner]
        if not named and not (len(inner) == 1 and len(others) == len(state)):
            raise ModelError(_why_none(state, others, inner))
        state = state[named[0] if named else inner[0]]


def _why_none(state: Mapping, others: list, inner: list) -> str:
    """Why a mapping is no state dict and leads to none."""
    if len(inner) > 1:
        several = ", ".join(map(str, inner))
        return f"There are several sets of weights ({several}): save one alone."
    if len(others) < len(state):
        found = _described(state[others[0]])
        return f"A tensor was expected under {others[0]!r}, but {found} was found."
    entries = ", ".join(map(str, list(state)[:5]))
    return f"Weights not recognised: there are none{entries and f', only {entries}'}."


def _holds_tensors(value: Any) -> bool:
    """Whether it is a mapping with names and tensors in it, however deep; optimisers have numbers."""
    import torch

    seen, ahead = set(), [value]
    while ahead:
        mapping = ahead.pop()
        if id(mapping) in seen or not isinstance(mapping, Mapping):
            continue
        seen.add(id(mapping))
        named = [inner for key, inner in mapping.items() if isinstance(key, str)]
        if any(isinstance(inner, torch.Tensor) for inner in named):
            return True
        ahead += named
    return False


def _described(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _without_prefixes(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    plain: dict[str, torch.Tensor] = {}
    for key, value in weights.items():
        name = key
        while name.startswith(PREFIXES):
            name = name.split(".", 1)[1]
        if name in plain:
            raise ModelError(f"Two weights are both named {name} once prefixes are taken off.")
        plain[name] = value
    for prefix in SHARED_PREFIXES:
        if plain and all(key.startswith(prefix) for key in plain):
            return _without_prefixes({k[len(prefix) :]: v for k, v in plain.items()})
    return plain


def _as_known(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without what all names begin with, if they are those of a network then."""
    from napari_hsr.models.registry import ARCHITECTURES

    shorter = weights
    while not any(architecture.detect(shorter) for architecture in ARCHITECTURES):
        first = {key.partition(".")[0] for key in shorter}
        if len(first) != 1 or not all("." in key for key in shorter):
            return weights
        shorter = {key.partition(".")[2]: value for key, value in shorter.items()}
    return shorter


#: Values that a tensor may have besides those that lie in memory, by repeating them.
_REPEATED = 2**20


def _as_float32(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    import torch

    for key, value in weights.items():
        if fault := _fault(value):
            raise ModelError(f"Weights were expected, but {key} {fault}.")
    from napari_hsr.models import memory_mapping

    # Of a file that is not in memory, no copy is made there either.
    large = {
        key: value
        for key, value in weights.items()
        if value.is_floating_point()
        and not (value.dtype == torch.float32 and value.is_contiguous())
        and value.numel()
        and memory_mapping.is_mapped(value)
    }
    widened = memory_mapping.as_float32(large) if large else {}
    return {
        key: widened[key]
        if key in widened
        else (value.detach().float() if value.is_floating_point() else value.detach())
        for key, value in weights.items()
    }


def _fault(value: torch.Tensor) -> str | None:
    """What keeps a tensor from being weights, in words that follow its name."""
    import torch

    if value.layout != torch.strided:
        return "is a sparse tensor"
    if value.is_quantized:
        return "is quantised"
    if value.is_complex():
        return "holds complex numbers"
    if not value.numel():
        return f"has no values: its shape is {tuple(value.shape)}"
    held = value.untyped_storage().nbytes() // value.element_size()
    if value.numel() > held + _REPEATED:
        return f"has {held:,} of the {value.numel():,} values of its shape"
    return None
