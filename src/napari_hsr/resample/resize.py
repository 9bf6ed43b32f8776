"""Cubes and arrays, down to coarse pixels and up to fine ones, in parts that fit the memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube, finite_range
from napari_hsr.errors import InputError
from napari_hsr.resample import methods
from napari_hsr.resample.kernels import Taps, cubic, taps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_hsr.resample.methods import Kind

#: Fine pixels, float32, that are worked on at a time.
PART_BYTES = 2**25


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


def shrink(values: Any, scale: int, kind: str | Kind = "bicubic-matlab") -> Any:
    """Coarse pixels from fine ones, for arrays and tensors (..., height, width).

    :func:`degrade` is the same for cubes, in parts that fit the memory.

    Raises
    ------
    InputError
        If there is no such kind, or height or width do not divide by ``scale``.
    """
    way = Way(find_down(kind), methods.checked_scale(scale), *divided(values.shape[-2:], scale))
    return way.down(_floats(values))


def enlarge(values: Any, scale: int, kind: str | Kind = "bicubic-matlab") -> Any:
    """Fine pixels from coarse ones, for arrays and tensors (..., height, width).

    :func:`upsample` is the same for cubes, in parts that fit the memory.

    Raises
    ------
    InputError
        If there is no such kind, or it is a way down only.
    """
    way = Way(find_up(kind), methods.checked_scale(scale), *values.shape[-2:])
    return way.up(_floats(values))


class Way:
    """One kind at one scale between a coarse image of a size and the fine one over it.

    Parameters
    ----------
    kind : Kind
    scale : int
    height, width : int
        Of the coarse image.
    back : Kind, optional
        What goes up; ``kind`` itself by default.
    """

    def __init__(self, kind: Kind, scale: int, height: int, width: int, back: Kind | None = None):
        self.kind, self.back, self.scale = kind, back or kind, scale
        self.height, self.width = int(height), int(width)

    def rows_down(self) -> Taps:
        """Weights from fine rows to coarse rows."""
        return methods.down(self.kind, self.height * self.scale, self.scale)

    def rows_up(self) -> Taps:
        """Weights from coarse rows to fine rows, for the way back."""
        return methods.up(self.back, self.height, self.scale)

    def down(self, fine: Any, first: int = 0, last: int | None = None, start: int = 0) -> Any:
        """Coarse rows ``first`` to ``last`` of fine rows that begin at row ``start``."""
        columns = methods.down(self.kind, self.width * self.scale, self.scale)
        return columns.apply(self.rows_down().apply(fine, -2, first, last, start), -1)

    def up(self, coarse: Any, first: int = 0, last: int | None = None, start: int = 0) -> Any:
        """Fine rows ``first`` to ``last`` of coarse rows that begin at row ``start``."""
        columns = methods.up(self.back, self.width, self.scale)
        return columns.apply(self.rows_up().apply(coarse, -2, first, last, start), -1)

    def parts(self, bands: int) -> Iterator[tuple[slice, slice]]:
        """(bands, coarse rows) of parts whose fine pixels take about :data:`PART_BYTES`."""
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


def degrade(cube: Cube, scale: int, kind: str | Kind = "bicubic-matlab") -> Cube:
    """The cube as a camera with ``scale`` times as coarse pixels would have it.

    Parameters
    ----------
    cube : Cube, shape (bands, height, width)
        Height and width divide by ``scale``; :func:`modcrop` makes them.
    scale : int
        2 to 16.
    kind : str
        ``"bicubic-matlab"``, ``"bicubic-opencv"``, ``"bicubic-torch"``, ``"box"``,
        ``"gaussian"`` (full width at half maximum: one coarse pixel) or ``"gaussian:SIGMA"``
        with σ in fine pixels. See :data:`napari_hsr.resample.KINDS`.

    Returns
    -------
    Cube
        (bands, height / scale, width / scale) float32; its provenance says how it was made.
        Coarse pixel j covers fine pixels ``j * scale`` to ``(j + 1) * scale - 1``.

    Raises
    ------
    InputError
        If the size does not divide, the scale or kind is none, or a value is not finite.
    """
    kind = find_down(kind)
    height, width = divided(cube.shape[1:], scale, cube.name)
    way = Way(kind, methods.checked_scale(scale), height, width)
    data = np.empty((cube.bands, height, width), np.float32)
    for bands, rows in way.parts(cube.bands):
        data[bands, rows] = down_part(way, cube, bands, rows)
    if "super_resolution" in cube.provenance.extra:  # what it says of finer pixels ends here
        kept = {k: v for k, v in cube.provenance.extra.items() if k != "super_resolution"}
        cube = cube.replace(provenance=replace(cube.provenance, extra=kept))
    return _made(cube, data, scale, f"Degraded to 1/{scale} by {kind.words(scale)}.", "degraded")


def upsample(cube: Cube, scale: int, kind: str | Kind = "bicubic-matlab") -> Cube:
    """The cube interpolated to ``scale`` times as many pixels: the honest baseline.

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
        :func:`napari_hsr.resample.aligned`.

    Raises
    ------
    InputError
        If the scale or kind is none, or a value is not finite.
    """
    kind = find_up(kind)
    way = Way(kind, methods.checked_scale(scale), *cube.shape[1:])
    data = empty_fine(cube.bands, way)
    for bands, rows in way.parts(cube.bands):
        fine = slice(rows.start * way.scale, rows.stop * way.scale)
        data[bands, fine] = up_part(way, read_coarse(cube, bands), fine)
    step = f"Upsampled ×{scale} by {kind.words(scale)}: no detail is added."
    return _made(cube, data, scale, step, kind.name)


def modcrop(cube: Cube, scale: int) -> Cube:
    """The cube without the last rows and columns that do not fill a coarse pixel.

    Raises
    ------
    InputError
        If it is smaller than one coarse pixel.
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


def find_down(kind: str | Kind) -> Kind:
    """A kind that can degrade; all can."""
    return methods.find(kind)


def find_up(kind: str | Kind) -> Kind:
    """A kind that can interpolate.

    Raises
    ------
    InputError
        If there is none of this name, or it is a way down only.
    """
    found = methods.find(kind)
    if not found.up:
        known = ", ".join(name for name, k in methods.KINDS.items() if k.up)
        raise InputError(f"{found.name} is a way down only; ways up are {known}.")
    return found


def divided(shape: tuple[int, ...], scale: int, name: str = "The image") -> tuple[int, int]:
    """Height and width of the coarse image.

    Raises
    ------
    InputError
        If they do not divide by the scale.
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
    way: Way, cube: Cube, bands: slice, rows: slice, place: Callable[[np.ndarray], Any] = np.asarray
) -> Any:
    """Coarse rows of some bands, reading no more of the fine cube than they depend on."""
    start, stop = way.rows_down().reads(rows.start, rows.stop)
    fine = read(cube, bands, slice(start, stop))
    return way.down(place(fine), rows.start, rows.stop, start)


def up_part(way: Way, coarse: Any, fine: slice) -> Any:
    """Fine rows of the bands that ``coarse`` holds whole."""
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
        If a value is NaN or infinite: it would spread over its neighbours.
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


def empty_fine(bands: int, way: Way) -> np.ndarray:
    """Room for the fine cube.

    Raises
    ------
    InputError
        If there is not enough memory.
    """
    shape = bands, way.height * way.scale, way.width * way.scale
    try:
        return np.empty(shape, np.float32)
    except MemoryError as error:
        raise InputError(
            f"The cube of {' × '.join(map(str, shape))} values takes "
            f"{4 * math.prod(shape) / 1e9:.1f} GB, more than there is: choose a smaller scale "
            "or crop the cube."
        ) from error


def _floats(values: Any) -> Any:
    if hasattr(values, "new_tensor"):
        return values if values.is_floating_point() else values.double()
    values = np.asarray(values)
    if values.ndim < 2:
        raise InputError(f"An image has at least two axes; this array has {values.ndim}.")
    if values.dtype.kind == "f" and values.dtype.itemsize >= 4:
        return values
    if values.dtype.kind not in "fiub":
        raise InputError(f"An image holds real numbers, not {values.dtype}.")
    return values.astype(np.float32 if values.dtype.kind == "f" else np.float64)


def _made(cube: Cube, data: np.ndarray, scale: int, step: str, how: str) -> Cube:
    source = replace(cube.provenance, input=cube.provenance.input or cube.name)
    return cube.over_same_area(
        data, name=f"{cube.name} {how} ×{scale}", provenance=source.with_step(step)
    )


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(int(n)) for n in shape)


def refined(fine: Cube, data: Any, step: str) -> Cube:
    """A fine cube with refined values, and what was done to it."""
    history = fine.provenance.with_step(step)
    return fine.replace(
        data=data,
        name=f"{fine.name} refined",
        provenance=replace(history, input=history.input or fine.name),
        _value_range=finite_range(data),
    )
