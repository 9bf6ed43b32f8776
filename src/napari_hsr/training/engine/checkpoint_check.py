"""What a checkpoint holds, looked at before it is used: a run's folder may come from anywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

#: Names of the files of the best weights; no other file is read for them.
_BEST = re.compile(r"(best-\d+\.pt)?")
_MOST = 2**31


def check_content(saved: Mapping[str, Any], path: Path) -> None:
    """Check that everything in a checkpoint is of its kind.

    Raises
    ------
    FileError
        Naming the first part that is not.
    """
    for name, fits in _KINDS.items():
        if name in saved and not fits(saved[name]):
            raise FileError(path, f"it is no checkpoint of a training, or damaged ({name})")


def _is_state(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    wrong = [name for name, fits in _STATE.items() if name in value and not fits(value[name])]
    total = value.get("total", 0)
    return not wrong and (not total or value.get("step", 0) <= total)


def _whole(least: int) -> Any:
    return lambda value: type(value) is int and least <= value < _MOST


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and value >= 0


def _is_best(value: Any) -> bool:
    return isinstance(value, str) and _BEST.fullmatch(value) is not None


def _mapping(fits: Any) -> Any:
    """Whether a value maps texts to values that fit."""
    return lambda value: (
        isinstance(value, Mapping)
        and all(isinstance(key, str) and fits(one) for key, one in value.items())
    )


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


_is_texts = _mapping(lambda value: isinstance(value, str))
_is_figures = _mapping(_is_number)
_STATE = {
    "step": _whole(0),
    "total": _whole(0),
    "parts": _whole(1),
    "seconds": _is_time,
    "measured": _whole(-1),
    "strikes": _whole(0),
    "best_step": _whole(-1),
    "best_file": _is_best,
    "best_mean": _is_figures,
    "best_images": _mapping(_is_figures),
    "start_mean": _is_figures,
    "start_images": _mapping(_is_figures),
}
_KINDS = {
    "state": _is_state,
    "weights": _mapping(_is_tensor),
    "average": _mapping(_is_tensor),
    "optimiser": lambda value: value is None or isinstance(value, dict),
    "precision": lambda value: isinstance(value, dict),
    "recipe": _mapping(lambda _: True),
    "split": lambda value: _mapping(_is_texts)(value) and {"train", "held_out"} <= set(value),
    "tables": _is_texts,
    "models": _is_texts,
}
