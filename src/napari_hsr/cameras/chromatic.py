"""From a camera's linear colours to linear sRGB, nearer than a matrix: a polynomial in chromaticity.

Beside R, G and B stand RG / S, GB / S, RB / S and RGB / S², with S the mean of the three. Twice the light
is twice the colour, as with a matrix and with root polynomials (Finlayson, Mackiewicz and Hurlbert, IEEE
Transactions on Image Processing 24, 2015); but these terms are smooth where a channel is dark, so that
the way back is known as well.
"""

from __future__ import annotations

import numpy as np

#: How many terms there are.
TERMS = 7
#: Newton's steps at most, and the relative change below which they end.
_STEPS, _STILL = 30, 1e-12


def terms(colours: np.ndarray) -> np.ndarray:
    """The terms (…, 7) of linear colours (…, 3); all are 1 for white."""
    seen, level = _seen(colours)
    pairs = seen * np.roll(seen, -1, axis=-1) / level
    return np.concatenate([colours, pairs, _triple(seen, level)], axis=-1)


def undo(made: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """The colours (…, 3) of which ``terms(colours) @ coefficients`` was made, by Newton's method.

    Parameters
    ----------
    made : ndarray, shape (…, 3)
    coefficients : ndarray, shape (7, 3)
        Near a matrix: those that a chart gives.
    """
    wanted = np.asarray(made, np.float64).reshape(-1, 3)
    found = wanted @ np.linalg.inv(_slopes(np.ones((1, 3)))[0] @ coefficients)
    for _ in range(_STEPS):
        away = terms(found) @ coefficients - wanted
        slopes = np.swapaxes(_slopes(found) @ coefficients, 1, 2)
        step = np.linalg.solve(slopes, away[..., None])[..., 0]
        found = found - step
        if np.abs(step).max(initial=0) <= _STILL * np.abs(found).max(initial=0):
            break
    return found.reshape(np.shape(made))


def _slopes(colours: np.ndarray) -> np.ndarray:
    """How each term grows with each channel, (colours, 3, 7)."""
    seen, level = _seen(colours)
    slopes = np.zeros((len(colours), 3, TERMS))
    slopes[:, range(3), range(3)] = 1
    for one, other in ((0, 1), (1, 2), (2, 0)):
        term = slopes[:, :, 3 + one]
        term[:] = -(seen[:, one] * seen[:, other])[:, None] / level**2 / 3  # by the level
        term[:, one] += seen[:, other] / level[:, 0]
        term[:, other] += seen[:, one] / level[:, 0]
    others = np.roll(seen, -1, axis=1) * np.roll(seen, 1, axis=1) / level**2
    slopes[:, :, 6] = others - _triple(seen, level) / level * 2 / 3
    slopes[:, :, 3:] *= (colours > 0)[..., None]
    return slopes


def _triple(seen: np.ndarray, level: np.ndarray) -> np.ndarray:
    product: np.ndarray = seen.prod(axis=-1, keepdims=True) / level**2
    return product


def _seen(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours without negative values, and S, (…, 1): of black anything, as its products are 0."""
    seen = np.maximum(colours, 0)
    level = seen.mean(axis=-1, keepdims=True)
    return seen, np.where(level > 0, level, 1)
