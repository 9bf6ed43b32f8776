"""Gaps in a grid of wavelengths: where bands were left out, and nothing was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Bands so many times as far apart as those around have a gap between them.
_TIMES = 3.0
#: Most bands that stand for a gap.
_MOST = 1000
#: Gaps wider than this in nm hold bands of which nothing is known: a value holds for 10 nm on either side.
_WIDE_NM = 20.0


def gaps_in(nm: np.ndarray) -> np.ndarray:
    """The bands, by number, that have a gap before them: wider than three times the steps beside it."""
    steps = np.diff(nm)
    beside = np.pad(steps, 1)
    beside = np.maximum(beside[:-2], beside[2:])
    return np.flatnonzero((steps > _TIMES * beside) & (beside > 0)) + 1


def not_measured(nm: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Which wavelengths lie in a wide gap of a grid, farther from its edges than the bands beside it are apart."""
    found, steps = np.zeros(at.size, dtype=bool), np.diff(nm)
    for gap in gaps_in(nm).tolist():
        if steps[gap - 1] > _WIDE_NM:
            apart = max(steps[beside] for beside in (gap - 2, gap) if 0 <= beside < steps.size)
            found |= (at > nm[gap - 1] + apart) & (at < nm[gap] - apart)
    return found


@dataclass(frozen=True, eq=False)
class Bridged:
    """A grid with bands in its gaps too, on lines between the bands at their edges.

    What is averaged over a band beside a gap would else be one-sided, and so shifted.

    Attributes
    ----------
    nm : ndarray, shape (all,), float64
        Ascending; in gaps as far apart as the bands beside them.
    made_up : ndarray, shape (all,), bool
        Which lie in gaps.
    unknown : ndarray, shape (all,), bool
        Those in gaps so wide that nothing is known there.
    """

    nm: np.ndarray
    made_up: np.ndarray
    unknown: np.ndarray
    _own: np.ndarray

    @classmethod
    def of(cls, nm: np.ndarray) -> Bridged:
        """Of a grid; the same where it has no gaps."""
        parts, steps = list[np.ndarray](), np.diff(nm)
        for gap in gaps_in(nm).tolist():
            around = [steps[at] for at in (gap - 2, gap) if 0 <= at < steps.size]
            count = min(int(np.ceil(steps[gap - 1] / min(around))), _MOST)
            parts.append(np.linspace(nm[gap - 1], nm[gap], count + 1)[1:-1])
        between = np.concatenate(parts) if parts else np.empty(0)
        every = np.concatenate([nm, between])
        order = np.argsort(every, kind="stable")
        every, made_up = every[order], (np.arange(every.size) >= nm.size)[order]
        right = np.clip(np.searchsorted(nm, every), 1, max(nm.size - 1, 1))
        wide = steps[right - 1] > _WIDE_NM if steps.size else False
        return cls(every, made_up, made_up & wide, nm)

    def of_own(self, values: np.ndarray) -> np.ndarray:
        """Values of the own bands, shape (own,), on all of them."""
        return np.interp(self.nm, self._own, values) if self.made_up.any() else values

    def folded(self, weights: np.ndarray) -> np.ndarray:
        """Weights (n, all) as those of the own bands (n, own): a line is a share of either edge."""
        if not self.made_up.any():
            return weights
        found = weights[:, ~self.made_up]
        lines = np.flatnonzero(self.made_up)
        right = np.searchsorted(self._own, self.nm[lines])
        share = (self.nm[lines] - self._own[right - 1]) / (self._own[right] - self._own[right - 1])
        for edge in np.unique(right).tolist():
            here = right == edge
            part = weights[:, lines[here]]
            found[:, edge - 1] += part @ (1 - share[here])
            found[:, edge] += part @ share[here]
        return found
