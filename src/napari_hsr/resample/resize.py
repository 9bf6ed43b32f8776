"""Downsample and upsample arrays, tensors and cubes; cubes in parts that fit into memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.arrays import as_array
from napari_hsr.cube import Cube, finite_range
from napari_hsr.errors import InputError
from napari_hsr.resample import methods
from napari_hsr.resample.holes import fill
from napari_hsr.resample.kernels import Taps, cubic, taps
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_hsr.resample.methods import Kind

#: Size of the float32 fine pixels that are processed at a time.
PART_BYTES = 2**25


#: Pixels of a side, of which weights are still made.
_MOST_PIXELS = 2**24


@told
def imresize(values: Any, scale: float) -> Any:
    """MATLAB's ``imresize(values, scale, 'bicubic')`` of the last two axes.

    The kernel has a = -0.5 and is widened by ``1 / scale`` when that is above 1; borders are
    mirrored with the edge pixel repeated; nothing is clipped.

    Parameters
    ----------
    values : ndarray or torch.Tensor of real numbers, shape (..., height, width)
        Integers are computed in float64; floats, and tensors, in their own precision.
    scale : float
        Above 0. An image of n pixels along a side becomes one of ``ceil(scale * n)``.

    Returns
    -------
    The same kind of array; a tensor stays on its device and keeps its gradient.

    Raises
    ------
    InputError
        If the scale is not a positive number, or there are fewer than two axes.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"imresize needs a scale above 0, not {scale:g}.")
    values = _floats(values)
    if scale * max(values.shape[-2:]) > _MOST_PIXELS:
        raise InputError(f"The scale {scale:g} makes more than {_MOST_PIXELS:,} pixels of a side.")
    rows, columns = (
        taps(
            n,
            math.ceil(scale * n),
            cubic(-0.5),
            2,
            "mirror",
            scale=scale,
            stretch=max(1 / scale, 1.0),
        )
        for n in values.shape[-2:]
    )
    return columns.apply(rows.apply(values, -2), -1)


@told
def shrink(values: Any, scale: int, kind: str | Kind = "bicubic-matlab") -> Any:
    """Downsample arrays and tensors, (..., height, width).

    :func:`degrade` does the same for cubes, in parts that fit into memory.

    Raises
    ------
    InputError
        If there is no such method, or ``scale`` does not divide height and width.
    """
    values = _floats(values)
    way = Resampler(
        methods.find(kind), methods.checked_scale(scale), *divided(values.shape[-2:], scale)
    )
    return way.down(values)


@told
def enlarge(values: Any, scale: int, kind: str | Kind = "bicubic-matlab") -> Any:
    """Upsample arrays and tensors, (..., height, width).

    :func:`upsample` does the same for cubes, in parts that fit into memory.

    Raises
    ------
    InputError
        If there is no such method, or it can only degrade.
    """
    values = _floats(values)
    way = Resampler(methods.find_upsampling(kind), methods.checked_scale(scale), *values.shape[-2:])
    return way.up(values)


class Resampler:
    """One method at one scale, between a coarse image and the fine image of the same area.

    Parameters
    ----------
    kind : Kind
    scale : int
    height, width : int
        Of the coarse image.
    back : Kind, optional
        Upsampling; ``kind`` itself by default.
    """

    def __init__(self, kind: Kind, scale: int, height: int, width: int, back: Kind | None = None):
        self.kind, self.back, self.scale = kind, back or kind, scale
        self.height, self.width = int(height), int(width)

    def rows_down(self) -> Taps:
        """Weights from fine rows to coarse rows."""
        return methods.down(self.kind, self.height * self.scale, self.scale)

    def columns_down(self) -> Taps:
        """Weights from fine columns to coarse columns."""
        return methods.down(self.kind, self.width * self.scale, self.scale)

    def rows_up(self) -> Taps:
        """Weights from coarse rows to fine rows."""
        return methods.up(self.back, self.height, self.scale)

    def down(self, fine: Any, first: int = 0, last: int | None = None, start: int = 0) -> Any:
        """Coarse rows ``first`` to ``last`` of fine rows that begin at row ``start``."""
        return self.columns_down().apply(self.rows_down().apply(fine, -2, first, last, start), -1)

    def up(self, coarse: Any, first: int = 0, last: int | None = None, start: int = 0) -> Any:
        """Fine rows ``first`` to ``last`` of coarse rows that begin at row ``start``."""
        columns = methods.up(self.back, self.width, self.scale)
        return columns.apply(self.rows_up().apply(coarse, -2, first, last, start), -1)

    def parts(self, bands: int) -> Iterator[tuple[slice, slice]]:
        """Divide into parts, (bands, coarse rows), with about :data:`PART_BYTES` of fine pixels."""
        plane = 4 * self.height * self.width * self.scale**2
        if plane <= PART_BYTES:
            step = max(1, PART_BYTES // plane)
            for band in range(0, bands, step):
                yield slice(band, min(band + step, bands)), slice(0, self.height)
            return
        rows = max(1, PART_BYTES * self.height // plane)
        for band in range(bands):
            for row in range(0, self.height, rows):
                yield slice(band, band + 1), slice(row, min(row + rows, self.height))


@told
def degrade(cube: Cube, scale: int, kind: str | Kind = "bicubic-matlab") -> Cube:
    """Degrade a cube to pixels ``scale`` times as large.

    Parameters
    ----------
    cube : Cube, shape (bands, height, width)
        ``scale`` divides height and width; :func:`modcrop` crops to such a size.
    scale : int
        2 to 16.
    kind : str
        ``"bicubic-matlab"``, ``"bicubic-opencv"``, ``"bicubic-torch"``, ``"box"``,
        ``"gaussian"`` (full width at half maximum: one coarse pixel) or ``"gaussian:SIGMA"``
        with σ in fine pixels. See :data:`napari_hsr.resample.KINDS`.

    Returns
    -------
    Cube
        (bands, height / scale, width / scale) float32; its provenance records the method.
        Coarse pixel j covers fine pixels ``j * scale`` to ``(j + 1) * scale - 1``.

    Raises
    ------
    InputError
        If the size is not divisible, scale or method are invalid, or a value is not finite.
    """
    kind = methods.find(kind)
    height, width = divided(cube.shape[1:], scale, cube.name)
    way = Resampler(kind, methods.checked_scale(scale), height, width)
    data = np.empty((cube.bands, height, width), np.float32)
    for bands, rows in way.parts(cube.bands):
        data[bands, rows] = down_part(way, cube, bands, rows)
    if "super_resolution" in cube.provenance.extra:  # no longer holds for degraded pixels
        kept = {k: v for k, v in cube.provenance.extra.items() if k != "super_resolution"}
        cube = cube.replace(provenance=replace(cube.provenance, extra=kept))
    return _made(cube, data, scale, f"Degraded to 1/{scale} by {kind.words(scale)}.", "degraded")


@told
def upsample(cube: Cube, scale: int, kind: str | Kind = "bicubic-matlab") -> Cube:
    """Interpolate a cube to ``scale`` times as many pixels per side, a baseline that adds no detail.

    Parameters
    ----------
    cube : Cube, shape (bands, height, width)
    scale : int
        2 to 16.
    kind : str
        ``"bicubic-matlab"``, ``"bicubic-opencv"``, ``"bicubic-torch"`` or ``"box"``.

    Returns
    -------
    Cube
        (bands, scale * height, scale * width) float32, over the same area: see
        :func:`napari_hsr.resample.aligned`; NaN where the cube is not finite.

    Raises
    ------
    InputError
        If scale or method are invalid.
    """
    kind = methods.find_upsampling(kind)
    way = Resampler(kind, methods.checked_scale(scale), *cube.shape[1:])
    data = empty_fine(cube.bands, way)
    filled = fill(cube)
    for bands, rows in way.parts(cube.bands):
        fine = slice(rows.start * way.scale, rows.stop * way.scale)
        data[bands, fine] = up_part(way, read_coarse(filled.cube, bands), fine)
    filled.open_again(data, way.scale)
    step = f"Upsampled ×{scale} by {kind.words(scale)}: no detail is added."
    return _made(cube, data, scale, step, kind.name)


@told
def modcrop(cube: Cube, scale: int) -> Cube:
    """Crop a cube so that ``scale`` divides its height and width.

    Raises
    ------
    InputError
        If it is smaller than ``scale`` pixels along a side.
    """
    scale = methods.checked_scale(scale)
    height, width = (n // scale * scale for n in cube.shape[1:])
    if not height or not width:
        raise InputError(
            f"{cube.name} has {_size(cube.shape[1:])} pixels, less than one of {scale} × {scale}."
        )
    if (height, width) == cube.shape[1:]:
        return cube
    step = f"Cropped to {_size((height, width))} pixels, which divide by {scale}."
    return cube.replace(
        data=cube.data[:, :height, :width], provenance=cube.provenance.with_step(step)
    )


def divided(shape: tuple[int, ...], scale: int, name: str = "The image") -> tuple[int, int]:
    """Height and width of the coarse image.

    Raises
    ------
    InputError
        If the scale does not divide them.
    """
    scale = methods.checked_scale(scale)
    if any(n % scale for n in shape) or 0 in shape:
        cropped = _size(tuple(n // scale * scale for n in shape))
        raise InputError(
            f"{name} has {_size(shape)} pixels, which do not divide by {scale}: "
            f"crop it, for instance to {cropped}."
        )
    height, width = shape
    return int(height) // scale, int(width) // scale


def down_part(
    way: Resampler,
    cube: Cube,
    bands: slice,
    rows: slice,
    place: Callable[[np.ndarray], Any] = np.asarray,
) -> Any:
    """Downsample to some coarse rows of some bands, reading only what they depend on."""
    start, stop = way.rows_down().reads(rows.start, rows.stop)
    fine = read(cube, bands, slice(start, stop))
    return way.down(place(fine), rows.start, rows.stop, start)


def up_part(way: Resampler, coarse: Any, fine: slice) -> Any:
    """Upsample to some fine rows; ``coarse`` holds whole bands."""
    start, stop = way.rows_up().reads(fine.start, fine.stop)
    return way.up(coarse[:, start:stop], fine.start, fine.stop, start)


def read_coarse(cube: Cube, bands: slice) -> np.ndarray:
    """Whole bands of a coarse cube."""
    return read(cube, bands, slice(0, cube.shape[1]))


def read(cube: Cube, bands: slice, rows: slice) -> np.ndarray:
    """Part of a cube as float32, all of it finite.

    Raises
    ------
    InputError
        If a value is NaN or infinite, which resampling would spread.
    """
    part = np.asarray(cube.data[bands, rows], np.float32)
    if not np.isfinite(part).all():
        band, row, column = np.argwhere(~np.isfinite(part))[0]
        raise InputError(
            f"{cube.name} has values that are NaN or infinite, the first in band "
            f"{bands.start + band + 1} at row {rows.start + row + 1}, column {column + 1}: "
            "resampling would spread them; fill them or crop the cube."
        )
    return part


def empty_fine(bands: int, way: Resampler) -> np.ndarray:
    """Allocate the fine cube."""
    return new_output((bands, way.height * way.scale, way.width * way.scale))


def new_output(
    shape: tuple[int, int, int], instead: str = "choose a smaller scale or crop the cube"
) -> np.ndarray:
    """Zeros for a whole cube in memory; pages not written to yet take none.

    Raises
    ------
    InputError
        If there is not enough memory; ``instead`` says what to do.
    """
    try:
        return np.zeros(shape, np.float32)
    except MemoryError as error:
        raise InputError(
            f"The cube of {' × '.join(map(str, shape))} values takes "
            f"{format_bytes(4 * math.prod(shape))}, more than there is: {instead}."
        ) from error


def _floats(values: Any) -> Any:
    if hasattr(values, "new_tensor"):
        return values if values.is_floating_point() else values.double()
    values = np.asarray(as_array(values, "an image"))
    if values.ndim < 2 or not values.size:
        raise InputError(
            f"An image has at least two axes and a pixel; this array has shape {values.shape}."
        )
    if values.dtype.kind == "f" and values.dtype.itemsize >= 4:
        return values
    if values.dtype.kind not in "fiub":
        raise InputError(f"An image holds real numbers, not {values.dtype}.")
    return values.astype(np.float32 if values.dtype.kind == "f" else np.float64)


def _made(cube: Cube, data: np.ndarray, scale: int, step: str, how: str) -> Cube:
    history = cube.provenance.based_on(cube.name).with_step(step)
    return cube.over_same_area(data, name=f"{cube.name} {how} ×{scale}", provenance=history)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(int(n)) for n in shape)


def refined(fine: Cube, data: Any, step: str) -> Cube:
    """The fine cube with refined values, and ``step`` in its provenance."""
    return fine.replace(
        data=data,
        name=f"{fine.name} refined",
        provenance=fine.provenance.based_on(fine.name).with_step(step),
        _value_range=finite_range(data),
    )
