"""Whether stored numbers contradict the byte order that a file states for them.

Neighbouring pixels are alike. In the wrong order the small byte of an integer becomes its large one, and
neighbours differ as much as any two pixels do; floats become absurdly large and small. Where the stated
order shows this and the other one does not, it is told; nothing is swapped in silence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: Pixels of a line, and how many lines and bands at least, that are looked at.
_RUN, _LINES = 256, 24
#: Differences of neighbours over those of any two: at least this in the stated order, and in the other
#: at most this share of it. Noise has 1 in both.
_ROUGH, _SMOOTHER = 0.1, 0.6
#: The share of floats that are absurd in the wrong order (by chance 56 of 256 exponents are), and in the
#: right one at most.
_MANY, _FEW = 0.15, 0.01
_LARGE, _SMALL = 1e30, 1e-30


def is_contradicted(source: Any, samples: int) -> bool:
    """Whether the numbers make sense in the other byte order only.

    Parameters
    ----------
    source : array-like, three axes
        As stored; a part of it is read.
    samples : int
        The axis along which neighbours lie next to each other in the picture.
    """
    if source.dtype.itemsize == 1 or source.dtype.kind not in "iuf":
        return False
    part = np.asarray(source[tuple(_some(n, i == samples) for i, n in enumerate(source.shape))])
    swapped = part.view(part.dtype.newbyteorder())
    if part.dtype.kind == "f":
        return _absurd(part) > _MANY and _absurd(swapped) < _FEW
    stated, other = (_roughness(np.moveaxis(one, samples, -1)) for one in (part, swapped))
    return stated > _ROUGH and other < _SMOOTHER * stated


def _some(length: int, neighbours: bool) -> slice:
    """Neighbours in the middle, or every so many lines and bands."""
    if neighbours:
        start = max(0, (length - _RUN) // 2)
        return slice(start, start + _RUN)
    return slice(None, None, max(1, length // _LINES))


def _absurd(values: np.ndarray) -> float:
    """The share of values other than 0 whose size nothing has that is measured."""
    with np.errstate(invalid="ignore"):  # NaN of whatever kind
        size = np.abs(values[values != 0].astype(np.float64))
        odd = ~((size > _SMALL) & (size < _LARGE))
    return float(odd.mean()) if size.size > 16 else 0.0


def _roughness(values: np.ndarray) -> float:
    """The mean difference of neighbours on the last axis over that of any two of the same plane; 0 for none."""
    lines = values.astype(np.float64).reshape(-1, values.shape[-1])
    if lines.shape[-1] < 8 or lines.size < 256:
        return 0.0
    near = np.abs(np.diff(lines, axis=-1)).mean()
    far = np.abs(lines - np.roll(lines, lines.shape[-1] // 2, axis=-1)).mean()
    return float(near / far) if far else 0.0
