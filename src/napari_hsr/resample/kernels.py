"""Kernels, and resampling along one axis as a sparse matrix built from a kernel and a border rule.

Pixels are areas: output pixel j of a grid ``scale`` times as fine is centred at
``(j + 0.5) / scale - 0.5`` input pixels. All kernels are sampled there, so the results of all
methods, downsampled and upsampled, share one grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

#: Beyond the border the image is mirrored with the edge pixel repeated (MATLAB), the edge pixel
#: repeats (OpenCV), or the weights inside are renormalised to sum 1 (torch, Pillow).
Border = Literal["mirror", "clamp", "renormalise"]
Kernel = Callable[[np.ndarray], np.ndarray]

#: Standard deviations beyond which a gaussian, there below 2e-8, is taken as 0.
GAUSSIAN_REACH = 6.0

#: Output pixels per matrix product; with one dense matrix the work would grow quadratically.
_BLOCK = 64
#: Up to this many output pixels one dense matrix is as fast.
_AT_ONCE = 96


def cubic(a: float) -> Kernel:
    """Keys' cubic convolution kernel (IEEE Trans. ASSP 29(6), 1981), of half width 2."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0.0))

    return kernel


def box(x: np.ndarray) -> np.ndarray:
    """1 from -1/2 up to, without, 1/2."""
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def gaussian(x: np.ndarray) -> np.ndarray:
    """The normal curve of standard deviation 1, not normalised, cut at :data:`GAUSSIAN_REACH`."""
    return np.where(np.abs(x) <= GAUSSIAN_REACH, np.exp(-0.5 * x * x), 0.0)


@dataclass(frozen=True, eq=False)
class Taps:
    """A linear map from ``length`` input pixels of one axis to ``len(self)`` output pixels.

    Attributes
    ----------
    length : int
        Input pixels.
    places : ndarray of int, shape (outputs, taps)
        Input pixel of each weight; one may occur twice, at mirrored borders.
    weights : ndarray of float64, same shape
        The weights of an output pixel sum to 1.
    """

    length: int
    places: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def reads(self, first: int, last: int) -> tuple[int, int]:
        """The input pixels, first to last (exclusive), that these output pixels depend on."""
        places = self.places[first:last][self.weights[first:last] != 0]
        return int(places.min()), int(places.max()) + 1

    def matrix(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Rows ``first`` to ``last`` of the map over the columns that :meth:`reads` names."""
        last = len(self) if last is None else last
        start, stop = self.reads(first, last)
        dense = np.zeros((last - first, stop - start))
        weights, places = self.weights[first:last], self.places[first:last] - start
        used = weights != 0
        rows = np.broadcast_to(np.arange(last - first)[:, None], used.shape)
        np.add.at(dense, (rows[used], places[used]), weights[used])
        return dense

    def apply(
        self, values: Any, axis: int, first: int = 0, last: int | None = None, start: int = 0
    ) -> Any:
        """Output pixels ``first`` to ``last`` along one of the last two axes.

        Parameters
        ----------
        values : ndarray or torch.Tensor of floats, shape (..., height, width)
            The result has the same type, dtype and device; a tensor keeps its gradient.
        axis : {-2, -1}
        first, last : int
            Output pixels wanted; all by default.
        start : int
            Index of the first input pixel in ``values``, where only a part was read.
        """
        last = len(self) if last is None else last
        step = last - first if last - first <= _AT_ONCE else _BLOCK
        shape = list(values.shape)
        shape[axis] = last - first
        made = _empty(values, shape)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            low, high = self.reads(begin, end)
            matrix = _like(values, self.matrix(begin, end))
            source, target = slice(low - start, high - start), slice(begin - first, end - first)
            if axis == -2:
                made[..., target, :] = _rows(matrix, values[..., source, :])
            else:
                made[..., target] = _columns(matrix, values[..., source])
        return made


def taps(
    length: int,
    outputs: int,
    kernel: Kernel,
    half_width: float,
    border: Border,
    *,
    scale: float | None = None,
    stretch: float = 1.0,
) -> Taps:
    """The map that samples a kernel around the centre of each output pixel.

    Parameters
    ----------
    length, outputs : int
        Pixels before and after.
    kernel : callable
        Weight at a distance in input pixels, divided by ``stretch``.
    half_width : float
        Where the kernel ends, before it is stretched.
    border : {"mirror", "clamp", "renormalise"}
    scale : float, optional
        Output pixels per input pixel; ``outputs / length`` by default.
    stretch : float
        How much the kernel is widened, against aliasing.
    """
    scale = outputs / length if scale is None else scale
    centres = (np.arange(outputs) + 0.5) / scale - 0.5
    reach = half_width * stretch
    first = np.floor(centres - reach).astype(np.int64)
    places = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    weights = kernel((centres[:, None] - places) / stretch)
    if border == "mirror":
        places = places % (2 * length)
        places = np.where(places < length, places, 2 * length - 1 - places)
    else:
        if border == "renormalise":
            weights = np.where((places >= 0) & (places < length), weights, 0.0)
        places = places.clip(0, length - 1)
    return Taps(length, places, weights / weights.sum(1, keepdims=True))


# One product for all bands: with one per band, BLAS threads wait for each other so often that a
# busy computer takes fifty times as long.


def _rows(matrix: Any, values: Any) -> Any:
    if not isinstance(values, np.ndarray) or values.ndim == 2:
        return matrix @ values
    return np.moveaxis(np.tensordot(matrix, values, axes=(1, -2)), 0, -2)


def _columns(matrix: Any, values: Any) -> Any:
    if not isinstance(values, np.ndarray) or values.ndim == 2:
        return values @ matrix.T
    return np.tensordot(values, matrix, axes=(-1, 1))


def _like(values: Any, matrix: np.ndarray) -> Any:
    """The matrix as the same type of array, without importing torch."""
    if hasattr(values, "new_tensor"):
        return values.new_tensor(matrix)
    return matrix.astype(values.dtype, copy=False)


def _empty(values: Any, shape: list[int]) -> Any:
    if hasattr(values, "new_empty"):
        return values.new_empty(shape)
    return np.empty(shape, values.dtype)
