"""State dicts: found in whatever a checkpoint holds, and made into models.

Authors save their weights among epochs and optimisers, under the name of the wrapper that
trained them, in half precision, or in an order that only their own program knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_hsr.errors import FileError, ModelError
from napari_hsr.models.model_file import read_tensors, weights_sha256
from napari_hsr.models.registry import ARCHITECTURES, recognise
from napari_hsr.models.torch_checkpoint import is_torch, read_torch
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.models.architectures.base import Weights
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

#: Entries under which a state dict is stored, the likeliest first: of weights and their average in
#: one file, the average; of a generator and its discriminator, the generator.
WRAPPINGS = (
    *("state_dict", "model_state_dict", "model", "sd", "params_ema", "params", "net", "weights"),
    *("generator", "netG"),
)
#: What wrappers of networks put before every name.
PREFIXES = ("module.", "_orig_mod.")
#: What training programs put before the names of the one network that they hold.
SHARED_PREFIXES = ("model.", "net.", "network.")
#: Values that a tensor may have by repetition, beyond those that it holds in memory.
_REPEATED = 2**20
#: Dictionaries inside one another, characters of a name, and weights of a network.
_DEEPEST, _LONGEST_NAME, _MOST_WEIGHTS = 32, 1_000, 20_000
#: Bytes that a network may take beyond eight times its weights.
_SHARED_BYTES = 2**26


def from_state_dict(
    weights: Weights, card: ModelCard | None = None, *, share: bool = False
) -> Model:
    """Recognise weights and build their model.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        A state dict, or a checkpoint that holds one (:func:`unwrap`).
    card : ModelCard, optional
        What is known besides the weights.
    share : bool
        Whether the model may use the memory of ``weights``; otherwise they are copied.

    Raises
    ------
    ModelError
        If no architecture recognises the weights (the nearest is named, with the first tensor
        that differs), or the card names another one.
    """
    weights = unwrap(weights)
    architecture = recognise(weights)
    if card is not None and card.architecture != architecture.id:
        raise ModelError(
            f"The card of {card.name} names the architecture {card.architecture}, "
            f"but its weights are those of {architecture.id}."
        )
    return architecture.load(weights, card, share=share)


def read_weights(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The state dict of a file, on the CPU; the tensors of a large file are read when used.

    Parameters
    ----------
    path : path-like
        A safetensors file or a checkpoint of torch, told apart by content
        (:func:`napari_hsr.models.torch_checkpoint.is_torch`).

    Raises
    ------
    FileError
        If the file is damaged, holds no state dict, or cannot be read without running code
        that it names.
    """
    return unwrap_file(read_torch(path), path) if is_torch(path) else read_tensors(path)


def checked_tensors(path: str | PathLike[str], card: ModelCard | None) -> dict[str, Tensor]:
    """The tensors of a safetensors file, compared with the hash in the card if it pins one.

    Raises
    ------
    FileError
        If the file is damaged, or its weights are not those that the card was written for.
    """
    tensors = read_tensors(path)
    if card is not None and card.weights_sha256:
        found = weights_sha256(unwrap_file(tensors, path))
        if found != card.weights_sha256:
            raise FileError(
                path,
                f"its weights have the SHA-256 {found}, but its card pins {card.weights_sha256}: "
                "the file was changed or damaged",
            )
    return tensors


def unwrap(state: Any) -> dict[str, Tensor]:
    """The state dict in whatever a checkpoint holds.

    It is looked for under the entries in :data:`WRAPPINGS`, also nested, or in the only entry
    that holds tensors. Prefixes of wrappers are removed, and any common prefix without which the
    names are those of a known network. Floating-point values become float32. Weights that are
    known by their order alone (files of DRCR-Net) get their names back.

    Parameters
    ----------
    state : object
        What ``torch.load(path, weights_only=True)`` gives, or a state dict. Tensors that need no
        conversion are not copied.

    Raises
    ------
    ModelError
        If there is no state dict in it, or several, or a tensor is not what weights are: sparse,
        quantised, complex, or a few numbers spread over a vast shape.
    """
    weights = _known_names(_as_float32(_without_prefixes(_find(state))))
    if not any(architecture.detect(weights) for architecture in ARCHITECTURES):
        named = (a.by_position(weights) for a in ARCHITECTURES if a.by_position is not None)
        weights = dict(next(filter(None, named), weights))
    return weights


def unwrap_file(content: Any, path: str | PathLike[str]) -> dict[str, Tensor]:
    """:func:`unwrap` for what was read from a file.

    Raises
    ------
    FileError
        If there is no state dict in it, as for :func:`unwrap`, or it holds shapes without values.
    """
    try:
        weights = unwrap(content)
    except ModelError as error:
        raise FileError(path, str(error).rstrip(".")) from error
    empty = next((key for key, value in weights.items() if value.is_meta), None)
    if empty is not None:
        raise FileError(path, f"weights were expected, but {empty} has a shape and no values")
    return weights


def _find(state: Any) -> Mapping[str, Tensor]:
    """The innermost mapping of names to tensors."""
    passed: set[int] = set()  # a pickle may contain itself
    for _ in range(_DEEPEST):
        if not isinstance(state, Mapping):
            raise ModelError(f"A state dict was expected, but {_described(state)} was found.")
        others = [key for key, value in state.items() if not isinstance(value, Tensor)]
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
    raise ModelError(f"A state dict was expected, but it lies more than {_DEEPEST} deep.")


def _why_none(state: Mapping[Any, Any], others: list[Any], inner: list[Any]) -> str:
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
    """Whether it is a mapping with named tensors in it, however deep; optimisers number theirs."""
    seen: set[int] = set()
    ahead = [value]
    while ahead:
        mapping = ahead.pop()
        if id(mapping) in seen or not isinstance(mapping, Mapping):
            continue
        seen.add(id(mapping))
        named = [inner for key, inner in mapping.items() if isinstance(key, str)]
        if any(isinstance(inner, Tensor) for inner in named):
            return True
        ahead += named
    return False


def _described(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _without_prefixes(weights: Weights) -> dict[str, Tensor]:
    plain: dict[str, Tensor] = {}
    for key, value in weights.items():
        name = key
        if len(key) > _LONGEST_NAME:
            raise ModelError(f"The name of a weight has {len(key):,} characters: {key[:40]}….")
        while name.startswith(PREFIXES):
            name = name.split(".", 1)[1]
        if name in plain:
            raise ModelError(f"Two weights are both named {name} without their prefixes.")
        plain[name] = value
    for prefix in SHARED_PREFIXES:
        if plain and all(key.startswith(prefix) for key in plain):
            return _without_prefixes({k[len(prefix) :]: v for k, v in plain.items()})
    return plain


def _known_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without a common prefix of all names, if they are those of a network then."""
    shorter = weights
    while not any(architecture.detect(shorter) for architecture in ARCHITECTURES):
        first = {key.partition(".")[0] for key in shorter}
        if len(first) != 1 or not all("." in key for key in shorter):
            return weights
        shorter = {key.partition(".")[2]: value for key, value in shorter.items()}
    return shorter


def _check_shared(weights: Weights) -> None:
    """Names may share values, but not so that the network takes far more than they do."""
    if len(weights) > _MOST_WEIGHTS:
        raise ModelError(f"{len(weights):,} weights are more than any network here has.")
    if any(value.is_meta for value in weights.values()):
        return  # outlines, without values to share
    held = {v.untyped_storage().data_ptr(): v.untyped_storage().nbytes() for v in weights.values()}
    needed, there = sum(4 * v.numel() for v in weights.values()), sum(held.values())
    if needed > 8 * there + _SHARED_BYTES:
        raise ModelError(
            f"The network would take {format_bytes(needed)}, out of {format_bytes(there)} of weights "
            "that its layers share: this is none that can be used."
        )


def _as_float32(weights: Weights) -> dict[str, Tensor]:
    for key, value in weights.items():
        if fault := _fault(value):
            raise ModelError(f"Weights were expected, but {key[:80]} {fault}.")
    _check_shared(weights)
    return {
        key: value.detach().float() if value.is_floating_point() else value.detach()
        for key, value in weights.items()
    }


def _fault(value: Tensor) -> str | None:
    """What keeps a tensor from being weights, in words that follow its name."""
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
