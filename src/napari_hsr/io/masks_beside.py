"""Masks that lie beside a cube in its file: which pixels they hide, or that it is not said."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.io import lazy
from napari_hsr.io.masked import Masked
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from napari_hsr.io.variable import Variable

#: Names of arrays whose zeros are pixels without data, and of those whose other numbers are.
_OF_VALID = re.compile(r"(valid|good|usable)(_?(data|mask|pixels?|values?))*|data_?mask")
_OF_HIDDEN = re.compile(
    r"(no_?data|invalid|bad|dead|missing|masked)_?(pixels?|values?|data)?(_?(mask|map))?"
)
#: Those that may be either, or have a code for each pixel.
_UNCLEAR = re.compile(
    r"(.*_)?(masks?|quality(_?(flags?|mask|map|layer))?|qa|flags?|pixel_quality)|(masks?|quality|qa)_.*"
)
#: Values that are told apart in a notice.
_FEW = 4
#: Pixels of a mask that is read beside a cube.
_MOST_PIXELS = 2**24

Masks = tuple[tuple[str, np.ndarray | None], ...]


def hides_pixels(short: str) -> bool:
    """Whether an array's name is one of a mask, or of flags of pixels."""
    return any(p.fullmatch(short) for p in (_OF_VALID, _OF_HIDDEN, _UNCLEAR))


def find(
    variables: Iterable[Variable], cube: Variable, load: Callable[[str], Any], turned: bool = False
) -> Masks:
    """Names and values of what may be masks of the pixels; None for one too large.

    Masks of two axes are rows and columns; those of three lie as the cube does, and hide single values.
    ``turned``: those of two axes lie with them in reverse.
    """
    found: list[tuple[str, np.ndarray | None]] = []
    for variable in variables:
        if variable is cube or not (variable.real and hides_pixels(variable.short)):
            continue
        if variable.shape == cube.shape and len(cube.shape) == 3:
            small = math.prod(cube.shape) <= _MOST_PIXELS
            found.append((variable.name, np.asarray(load(variable.name)) if small else None))
            continue
        if variable.long_axes != 2:
            continue
        sides = tuple(n for n in variable.shape if n > 1)
        if any(cube.shape[:i] + cube.shape[i + 1 :] == sides for i in range(len(cube.shape))):
            if sides[0] * sides[1] > _MOST_PIXELS:
                found.append((variable.name, None))
                continue
            values = np.asarray(load(variable.name)).reshape(sides)
            found.append((variable.name, values.T if turned else values))
    return tuple(found)


def apply(
    path: Path, data: Any, masks: Masks, order: tuple[int, ...], bands: tuple[int, ...] | None
) -> tuple[Any, list[Notice]]:
    """The cube (bands, rows, columns), NaN where a mask hides a pixel, and what was done.

    A mask whose name does not say which pixels it hides is applied only where one side of it
    holds no image: one and the same value throughout. ``order`` are the axes of the stored array that are
    bands, rows and columns, ``bands`` the order of its bands: masks of three axes are turned so, too.
    """
    notices = []
    for name, values in masks:
        if values is None:
            told = f"“{name}” may say which pixels count; it is too large to be applied."
            notices.append(Notice.warning(Code.NO_DATA, told))
            continue
        if values.ndim == 3:
            values = values.transpose(order)[... if bands is None else list(bands)]
        if values.shape not in (tuple(data.shape), tuple(data.shape[1:])):
            continue
        short = name.rsplit("/", 1)[-1].lower()
        hidden = values != 0
        if _OF_VALID.fullmatch(short):
            hidden = ~hidden
        elif not _OF_HIDDEN.fullmatch(short):
            sides = [
                side for side in (hidden, ~hidden) if hidden.ndim == 2 and _is_blank(data, side)
            ]
            if len(sides) != 1:
                notices += _not_applied(name, values)
                continue
            hidden = sides[0]
            if np.isnan(data[0][hidden]).all():
                continue  # as the cube has it already
        count = int(hidden.sum())
        if not count or count == hidden.size:
            notices += _not_applied(name, values) if count else []
            continue
        data = _without(path, data, hidden)
        what = "pixel" if hidden.ndim == 2 else "value"
        told = f"{count} {what}{'s' if count > 1 else ''} that “{name}” in the file hides are NaN."
        notices.append(Notice.warning(Code.NO_DATA, told))
    return data, notices


def _without(path: Path, data: Any, hidden: np.ndarray) -> Any:
    if type(data) is np.ndarray and data.flags.writeable:
        data[hidden if hidden.ndim == 3 else (slice(None), hidden)] = np.nan
        return data
    return lazy.LazyArray(Masked(data, hidden, 0), path=path)


def _is_blank(data: Any, side: np.ndarray) -> bool:
    """Whether the pixels of a cube in memory have one value throughout, NaN included."""
    if type(data) is not np.ndarray or not side.any():
        return False
    first = data[0][side][0]
    return all(
        bool(np.isnan(b[side]).all() if np.isnan(first) else (b[side] == first).all()) for b in data
    )


def _not_applied(name: str, values: np.ndarray) -> list[Notice]:
    numbers, counts = np.unique(values, return_counts=True)
    if numbers.size < 2:
        return []
    what = "pixels" if values.ndim == 2 else "values"
    each = [f"{n:g} in {c} {what}" for n, c in zip(numbers[:_FEW], counts, strict=False)]
    more = f" and {numbers.size - _FEW} other values" if numbers.size > _FEW else ""
    told = (
        f"“{name}” may say which {what} count ({', '.join(each)}{more}), but not which way: it was "
        "not applied, and none is left out."
    )
    return [Notice.warning(Code.NO_DATA, told)]
