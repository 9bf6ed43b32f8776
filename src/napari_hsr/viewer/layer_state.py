"""Our state in a layer's metadata, which anybody can write to: what is none of ours is left out."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any

_TEXT, _FACTS, _LIST = (str, NoneType), (Mapping, NoneType), (list, tuple, NoneType)
#: What is in the state under these keys; others are looked at where they are used.
_STATE: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("kind", "name", "units", "unit", "title", "encoding"), _TEXT),
    **dict.fromkeys(("provenance", "metadata", "card"), _FACTS),
    "notices": _LIST,
    "beyond": (int, float, NoneType),
}
_PROVENANCE: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("input", "model", "weights_sha256", "version", "created"), _TEXT),
    "steps": _LIST,
    "extra": _FACTS,
}
_TEXTS = ("notices", "steps")


def usable(state: Any) -> Mapping[str, Any]:
    """A state without what cannot be in it; the same one where all can."""
    if not isinstance(state, Mapping):
        return {}
    if all(_fits(key, value) for key, value in state.items()):
        return state
    return {key: value for key, value in state.items() if _fits(key, value)}


def texts(facts: Any, *keys: str) -> bool:
    """Whether these are facts with a text under each of the keys."""
    return isinstance(facts, Mapping) and all(isinstance(facts.get(key), str) for key in keys)


def _fits(key: str, value: Any, kinds: Mapping[str, tuple[type, ...]] = _STATE) -> bool:
    found: Any = value
    if not isinstance(value, kinds.get(key, object)):
        return False
    if key in _TEXTS:
        return all(isinstance(one, str) for one in found or ())
    if key == "provenance":
        return all(_fits(name, one, _PROVENANCE) for name, one in (found or {}).items())
    return True
