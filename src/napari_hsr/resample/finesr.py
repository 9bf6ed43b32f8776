"""FineSR as published: back-projection between two outputs of one network.

The second stage of DualSR (Li et al.) takes two super-resolved versions of the same coarse
image: U at the full scale and V at half of it. U is downsampled to V's size, compared with V,
and the upsampled difference is added. :mod:`napari_hsr.resample.back_projection` is the general
method, which compares any estimate with the coarse image itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.progress import Progress, stop_if
from napari_hsr.resample.methods import KINDS
from napari_hsr.resample.resize import (
    Resampler,
    down_part,
    empty_fine,
    read,
    refined,
    up_part,
)
from napari_hsr.resample.scale_pair import check_pair

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from napari_hsr.cube import Cube

#: Scale between the two outputs, as in the original.
STEP = 2
#: Method of resampling in the original.
KIND = "bicubic-matlab"
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class FineSR:
    """Result of :func:`finesr_events`.

    Attributes
    ----------
    cube : Cube
        (bands, height, width) float32, not clipped.
    gain : float
        c, by which the correction was multiplied: 0 to 1.
    """

    cube: Cube
    gain: float


@told
def finesr_events(
    fine: Cube, half: Cube, *, overwrite: bool = False, cancel: threading.Event | None = None
) -> Iterator[Progress | FineSR]:
    """The published iteration, in parts, as events.

    With D = imresize(U, 1/2) and c the mean spectral angle between D and V in degrees, at most 1::

        U = U + imresize(c (V - D), 2)

    ``imresize`` is MATLAB's bicubic. So the correction is applied in full where the images
    differ by a degree or more on average, and damped below. Nothing is clipped.

    Parameters
    ----------
    fine : Cube, shape (bands, height, width)
        U.
    half : Cube, shape (bands, height / 2, width / 2)
        V.
    overwrite : bool
        Write the result into the memory of ``fine``, and the difference into that of ``half``.
        If the work ends early, both may have changed.
    cancel : threading.Event, optional

    Yields
    ------
    Progress, …, and at last one FineSR.

    Raises
    ------
    InputError
        If the sizes, bands or wavelengths do not fit, or a value is not finite.
    Cancelled
        Soon after ``cancel`` is set.

    Notes
    -----
    Source: ``backprojection.m`` of DualSR. It does not use the coarse image itself, so the
    result is consistent with V and not exactly with the coarse image.
    """
    check_pair(fine, half, STEP)
    way = Resampler(KINDS[KIND], STEP, *half.shape[1:])
    parts = list(way.parts(half.bands))
    total_steps = 2 * len(parts)
    sums = np.zeros((3, *half.shape[1:]))
    missing = half.data if overwrite else np.empty(half.shape, np.float32)
    for done, (bands, rows) in enumerate(parts):
        stop_if(cancel)
        yield Progress(done, total_steps, "DualSR's refinement")
        low = down_part(way, fine, bands, rows, _double)
        goal = _double(read(half, bands, rows))
        for total, (a, b) in zip(sums, ((low, goal), (low, low), (goal, goal)), strict=True):
            total[rows] += (a * b).sum(0)
        missing[bands, rows] = goal - low
    gain = original_gain(*sums)
    data = fine.data if overwrite else empty_fine(fine.bands, way)
    for done, (bands, rows) in enumerate(parts, len(parts)):
        stop_if(cancel)
        yield Progress(done, total_steps, "DualSR's refinement")
        at = slice(rows.start * STEP, rows.stop * STEP)
        data[bands, at] = read(fine, bands, at) + gain * up_part(way, missing[bands], at)
    step = (
        f"Refined by FineSR as DualSR published it: one pass against {half.name}, the result at "
        f"half the scale, {KINDS[KIND].words(STEP)} between them, multiplied by {gain:.3g} (the "
        "mean spectral angle in degrees, at most 1)."
    )
    yield Progress(total_steps, total_steps, "Done")
    yield FineSR(refined(fine, data, step), gain)


def original_gain(product: Any, first: Any, second: Any) -> float:
    """Mean spectral angle in degrees as the original computes it, at most 1.

    It adds machine epsilon to the product and to both norms, so a pixel that is zero in only
    one image counts as no angle if the other's norm is at most 1.

    Parameters
    ----------
    product, first, second : ndarray or torch.Tensor, shape (height, width)
        Sums over the bands of the products of two images, and of the squares of each.
    """
    cosine = (product + _EPS) / (first**0.5 + _EPS) / (second**0.5 + _EPS)
    cosine = cosine.clip(-1.0, 1.0)  # the original takes the real part of a complex angle
    angle = cosine.arccos() if hasattr(cosine, "arccos") else np.arccos(cosine)
    return min(float(angle.mean()) * 180 / np.pi, 1.0)


def _double(values: Any) -> Any:
    return values.double() if hasattr(values, "new_tensor") else np.asarray(values, np.float64)
