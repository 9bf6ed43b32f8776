"""FineSR as its authors published it: back-projection between two results of one network.

The second half of DualSR (Li et al.) takes two enlargements of the same coarse image: U, by the
whole scale, and V, by half of it. U is brought down to V's size, held against V, and what is
missing goes back up. :mod:`napari_hsr.resample.back_projection` is the general step, which holds any
estimate against the coarse image itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.resample.resize import imresize

#: Between the two enlargements; it is fixed in the original.
STEP = 2
_EPS = float(np.finfo(np.float64).eps)


def finesr(fine: Any, half: Any, iterations: int = 1) -> Any:
    """The original's loop, in float64.

    Each pass computes, with D = imresize(U, 1/2) and c the mean spectral angle between D and V
    in degrees, at most 1::

        U = U + imresize(c (V - D), 2)

    ``imresize`` is MATLAB's bicubic. So the correction is applied in full wherever the images
    differ by a degree or more on average, and damped below that. It has no other rule to stop,
    and nothing is clipped.

    Parameters
    ----------
    fine : ndarray or torch.Tensor, shape (bands, height, width)
        U: the network's result at the whole scale.
    half : same kind, shape (bands, height / 2, width / 2)
        V: its result at half the scale.
    iterations : int
        The published program makes one pass. More can raise the error where U is noisy.

    Returns
    -------
    Same kind, shape of ``fine``, float64.

    Raises
    ------
    InputError
        If the shapes are not those, or a value is not finite.

    Notes
    -----
    Source: ``backprojection.m`` of DualSR. The coarse image itself does not occur in it, so the
    result agrees with V and not exactly with the coarse image.
    """
    made, goal = _double(fine), _double(half)
    wanted = (*made.shape[:-2], *(n / STEP for n in made.shape[-2:]))
    if len(made.shape) != 3 or tuple(goal.shape) != wanted:
        raise InputError(
            "FineSR takes two results of shapes (bands, height, width) and (bands, height / 2, "
            f"width / 2); these have {tuple(made.shape)} and {tuple(goal.shape)}."
        )
    for values in (made, goal):
        if not _finite(values):
            raise InputError(
                "FineSR needs finite values: a result has values that are NaN or infinite."
            )
    for _ in range(iterations):
        low = imresize(made, 1 / STEP)
        made = made + imresize(original_gain(low, goal) * (goal - low), STEP)
    return made


def original_gain(first: Any, second: Any) -> float:
    """Mean spectral angle in degrees as the original counts it, at most 1.

    It adds the machine's epsilon to the product and to both lengths: a pixel that is zero in one
    image only counts as no angle if the other's length is at most 1.
    """
    product = (first * second).sum(0)
    lengths = [(image * image).sum(0) ** 0.5 for image in (first, second)]
    cosine = (product + _EPS) / (lengths[0] + _EPS) / (lengths[1] + _EPS)
    cosine = cosine.clip(-1.0, 1.0)  # the original takes the real part of a complex angle
    angle = cosine.arccos() if hasattr(cosine, "arccos") else np.arccos(cosine)
    return min(float(angle.mean()) * 180 / np.pi, 1.0)


def _double(values: Any) -> Any:
    return values.double() if hasattr(values, "new_tensor") else np.asarray(values, np.float64)


def _finite(values: Any) -> bool:
    return bool((abs(values) < np.inf).all())
