"""Spectra of pixels and regions of a cube."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.arrays import as_mask
from napari_hsr.errors import InputError
from napari_hsr.spectra.curve import Curve
from napari_hsr.spectra.ground_coordinates import ground_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike

    from napari_hsr.cube import Cube
    from napari_hsr.spectra.ground_coordinates import Ground

#: As many labels of one image are measured; more are an image of values, and would fill the memory.
MOST_LABELS = 100_000


@told
def pixel(cube: Cube, row: int, col: int, name: str | None = None) -> Curve:
    """The spectrum of one pixel; values as they are, NaN and Inf included.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; only this pixel is read.
    row, col : int
        From 0, top left.
    name : str, optional
        Default ``(row, col)``.

    Raises
    ------
    InputError
        If the pixel lies outside the image.
    """
    _, height, width = cube.shape
    row, col = index(row), index(col)  # 1.7 is no pixel
    if not (0 <= row < height and 0 <= col < width):
        raise InputError(
            f"Pixel ({row}, {col}) lies outside {cube.name}, which has {height} x {width} pixels."
        )
    values = np.asarray(cube.data[:, row, col], dtype=np.float64)
    missing = int(values.size - np.isfinite(values).sum())
    place = float(row), float(col)
    named = name or f"({row}, {col})"
    return _curve(cube, ground_of(cube), named, values, position=place, missing=missing)


@told
def region(
    cube: Cube, mask: ArrayLike, name: str = "region", *, quantiles: Sequence[float] = ()
) -> Curve:
    """Mean and population standard deviation over a region.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; only the rectangle around the region is read, band by band.
    mask : array-like of bool, shape (height, width)
        The region.
    name : str
        For legends and columns.
    quantiles : sequence of float
        Shares in 0..1 whose quantiles are found too: 0.5 is the median.

    Raises
    ------
    InputError
        If the mask has another size or holds no pixel, or a share is none.
    """
    shares = _shares(quantiles)
    mask = as_mask(mask)
    _check_size(cube, mask, "mask")
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        raise InputError("The region holds no pixel of the image.")
    box = _box(rows, columns)
    chosen = _places(rows, columns, box)
    means, stds = np.full(cube.bands, np.nan), np.full(cube.bands, np.nan)
    ranks = np.full((len(shares), cube.bands), np.nan)
    missing = 0
    for band, plane in enumerate(_planes(cube, box)):
        values = plane[chosen].astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            missing += int((~finite).sum())
            values = values[finite]
        if values.size:
            means[band], stds[band] = values.mean(), values.std()
            if shares:
                ranks[:, band] = np.quantile(values, shares)
    position = (float(rows.mean()), float(columns.mean()))
    found = dict(zip(shares, ranks, strict=True))
    ground = ground_of(cube)
    return _curve(cube, ground, name, means, stds, int(rows.size), position, missing, found)


@told
def labels(
    cube: Cube,
    image: ArrayLike,
    names: Mapping[int, str] | None = None,
    *,
    quantiles: Sequence[float] = (),
) -> list[Curve]:
    """:func:`region` for every label of an image at once, in one pass over the cube.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; only the rectangle around all labels is read, band by band.
    image : array-like of int, shape (height, width)
        Labels; 0 is background.
    names : mapping of int to str, optional
        Names by label; default ``label 7``.
    quantiles : sequence of float
        As for :func:`region`.

    Returns
    -------
    list of Curve
        One for each label other than 0, in ascending order; empty if there is none.

    Raises
    ------
    InputError
        If the image has another size, holds no integers, or more labels than :data:`MOST_LABELS`.
    """
    shares = _shares(quantiles)
    if isinstance(image, np.ma.MaskedArray):  # what is hidden is background
        image = image.filled(0)
    image = np.asarray(image)
    _check_size(cube, image, "label image")
    if image.dtype.kind not in "iub":
        raise InputError(f"A label image holds integers, not {image.dtype}.")
    rows, columns = np.nonzero(image)
    if rows.size == 0:
        return []
    found, pixels, order = _grouped(image[rows, columns])
    if len(found) > MOST_LABELS:
        raise InputError(
            f"The label image holds {len(found):,} labels, and at most {MOST_LABELS:,} are measured at once: is it "
            "an image of values?"
        )
    rows, columns = rows[order], columns[order]
    starts = np.cumsum(pixels) - pixels
    box = _box(rows, columns)
    chosen = _places(rows, columns, box)
    means, stds = np.full((2, len(found), cube.bands), np.nan)
    missing = np.zeros(len(found), dtype=np.int64)
    ranks = np.full((len(shares), len(found), cube.bands), np.nan)
    for band, plane in enumerate(_planes(cube, box)):
        values = plane[chosen].astype(np.float64)
        count = pixels
        finite = np.isfinite(values)
        if shares:
            ranks[:, :, band] = _quantiles(np.where(finite, values, np.nan), starts, pixels, shares)
        if not finite.all():
            values[~finite] = 0
            count = np.add.reduceat(finite, starts, dtype=np.int64)
            missing += pixels - count
        some = count > 0
        mean = np.add.reduceat(values, starts) / np.maximum(count, 1)
        values -= np.repeat(mean, pixels)
        values *= values
        if count is not pixels:
            values[~finite] = 0
        means[some, band] = mean[some]
        stds[some, band] = np.sqrt(np.add.reduceat(values, starts)[some] / count[some])
    centres = [np.add.reduceat(axis, starts) / pixels for axis in (rows, columns)]
    names, ground = names or {}, ground_of(cube)
    return [
        _curve(
            cube,
            ground,
            names.get(int(label), f"label {label}"),
            means[i],
            stds[i],
            int(pixels[i]),
            (float(centres[0][i]), float(centres[1][i])),
            int(missing[i]),
            dict(zip(shares, ranks[:, i], strict=True)),
        )
        for i, label in enumerate(found)
    ]


def _quantiles(
    values: np.ndarray, starts: np.ndarray, pixels: np.ndarray, shares: Sequence[float]
) -> np.ndarray:
    """Quantiles of groups that lie one after the other, (shares, groups), as :func:`numpy.nanquantile`.

    One sort for all groups: a call for each takes longer than its pixels.
    """
    group = np.repeat(np.arange(len(starts)), pixels)
    ordered = values[np.lexsort((values, group))]  # NaN last
    known = np.add.reduceat(~np.isnan(values), starts, dtype=np.int64)
    at = np.array(shares)[:, None] * np.maximum(known - 1, 0)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = ordered[starts + below], ordered[starts + above]
    return np.where(known, low + (high - low) * (at - below), np.nan)


def _curve(
    cube: Cube,
    ground: Ground | None,
    name: str,
    mean: np.ndarray,
    std: np.ndarray | None = None,
    count: int = 1,
    position: tuple[float, float] | None = None,
    missing: int = 0,
    quantiles: dict[float, np.ndarray] | None = None,
) -> Curve:
    nm = None if cube.wavelengths is None else np.asarray(cube.wavelengths)
    return Curve(
        name=name,
        mean=mean,
        std=std,
        count=count,
        wavelengths_nm=nm,
        units=cube.units,
        cube=cube.name,
        position=position,
        missing=missing,
        quantiles=quantiles or {},
        coordinates=ground.at(*position) if ground and position else None,
        length_unit=ground.unit if ground and position else None,
    )


def _shares(quantiles: Sequence[float]) -> list[float]:
    shares = [float(share) for share in quantiles]
    if not all(0 <= share <= 1 for share in shares):
        raise InputError(f"Quantiles are shares in 0..1, not {', '.join(map(str, quantiles))}.")
    return shares


def _check_size(cube: Cube, image: np.ndarray, what: str) -> None:
    if image.shape != cube.shape[1:]:
        height, width = cube.shape[1:]
        raise InputError(
            f"The {what} has shape {image.shape}, but {cube.name} has {height} x {width} pixels."
        )


def _box(rows: np.ndarray, columns: np.ndarray) -> tuple[slice, slice]:
    return (
        slice(int(rows.min()), int(rows.max()) + 1),
        slice(int(columns.min()), int(columns.max()) + 1),
    )


def _places(rows: np.ndarray, columns: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """Flat indices of the pixels inside the box."""
    width = box[1].stop - box[1].start
    places: np.ndarray = (rows - box[0].start) * width + (columns - box[1].start)
    return places


def _planes(cube: Cube, box: tuple[slice, slice]) -> Iterator[np.ndarray]:
    for band in range(cube.bands):
        yield np.asarray(cube.data[band, box[0], box[1]]).ravel()


def _grouped(found: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The labels, ascending; the pixels of each; and the order that puts equal ones together."""
    low, high = int(found.min()), int(found.max())
    if high - low < 2**16:
        found = (found.astype(np.int64) - low).astype(
            np.uint16
        )  # sorted by radix: several times faster
        order = np.argsort(found, kind="stable")
        pixels = np.bincount(found)
        present = np.flatnonzero(pixels)
        return present + low, pixels[present], order
    present, pixels = np.unique(found, return_counts=True)
    return present, pixels, np.argsort(found, kind="stable")
