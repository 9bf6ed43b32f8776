"""From what a checkpoint file holds to a plain state dict.

Authors save their weights among epochs and optimisers, under the name of the wrapper that
trained them, in half precision, or in an order that only their own program knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import ModelError

if TYPE_CHECKING:
    import torch

#: Entries under which a state dict is stored, the likeliest first.
WRAPPINGS = ("state_dict", "model_state_dict", "model", "sd", "params", "net", "weights")
#: What wrappers of networks put before every name.
PREFIXES = ("module.", "_orig_mod.")
#: What training programs put before the names of the one network that they hold.
SHARED_PREFIXES = ("model.", "net.", "network.")


def unwrap(state: Any) -> dict[str, torch.Tensor]:
    """The state dict in whatever a checkpoint holds.

    It is looked for under the entries in :data:`WRAPPINGS`, one in another, or in the only
    entry that holds tensors; prefixes of wrappers go; floating-point values become float32;
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
        If there is no state dict in it, or several.
    """
    weights = _as_float32(_without_prefixes(_find(state)))
    from napari_hsr.models.architectures import drcr

    if not drcr.detect(weights):
        weights = drcr.by_position(weights) or weights
    return weights


def _find(state: Any) -> Mapping[str, torch.Tensor]:
    """The innermost mapping of names to tensors."""
    import torch

    if not isinstance(state, Mapping):
        raise ModelError(f"A state dict was expected, but {_described(state)} was found.")
    others = [key for key, value in state.items() if not isinstance(value, torch.Tensor)]
    if state and not others:
        wrong = [key for key in state if not isinstance(key, str)]
        if wrong:
            raise ModelError(f"Names of weights are text, but one of them is {wrong[0]!r}.")
        return state
    inner = [key for key in others if _holds_tensors(state[key])]
    named = [key for key in WRAPPINGS if key in inner]
    if named:
        return _find(state[named[0]])
    if len(inner) == 1 and len(others) == len(state):
        return _find(state[inner[0]])
    if len(inner) > 1:
        several = ", ".join(map(str, inner))
        raise ModelError(f"There are several sets of weights ({several}): save one alone.")
    if len(others) < len(state):
        found = _described(state[others[0]])
        raise ModelError(f"A tensor was expected under {others[0]!r}, but {found} was found.")
    entries = ", ".join(map(str, list(state)[:5]))
    raise ModelError(f"Weights not recognised: there are none{entries and f', only {entries}'}.")


def _holds_tensors(value: Any) -> bool:
    """Whether it is a mapping with names and tensors in it, however deep; optimisers have numbers."""
    import torch

    return isinstance(value, Mapping) and any(
        isinstance(key, str) and (isinstance(inner, torch.Tensor) or _holds_tensors(inner))
        for key, inner in value.items()
    )


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


def _as_float32(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key: value.detach().float() if value.is_floating_point() else value.detach()
        for key, value in weights.items()
    }
