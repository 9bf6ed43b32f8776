"""Spectra of pixels and regions, and writing them to a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari_hsr.cube import Cube


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum with where it comes from.

    Attributes
    ----------
    name : str
        A short name for legends and columns.
    mean : ndarray, shape (bands,), float64
        The value of a pixel, or the mean over a region's finite values; NaN where there is none.
    std : ndarray, shape (bands,), float64, or None
        Population standard deviation over the region; None for a single pixel.
    count : int
        Number of pixels.
    wavelengths_nm : ndarray, shape (bands,), or None
        Band centres, None if they are not known.
    units : str or None
        What the values are, if known.
    cube : str
        Name of the cube.
    position : tuple of float or None
        (row, column) of the pixel, or the centre of mass of the region.
    missing : int
        Samples of all bands that are NaN or infinite; a region's mean leaves them out.
    ranges : dict of str to (ndarray, ndarray)
        What the values may be at least and at most, (bands,) each, by what says so: ``"feasible"``,
        ``"90 %"``.
    """

    name: str
    mean: np.ndarray
    std: np.ndarray | None = None
    count: int = 1
    wavelengths_nm: np.ndarray | None = None
    units: str | None = None
    cube: str = ""
    position: tuple[float, float] | None = None
    missing: int = 0
    ranges: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.mean)


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
    row, col = int(row), int(col)
    if not (0 <= row < height and 0 <= col < width):
        raise InputError(
            f"Pixel ({row}, {col}) lies outside {cube.name}, which has {height} x {width} pixels."
        )
    values = np.asarray(cube.data[:, row, col], dtype=np.float64)
    missing = int(values.size - np.isfinite(values).sum())
    return _curve(
        cube, name or f"({row}, {col})", values, position=(float(row), float(col)), missing=missing
    )


def region(cube: Cube, mask: Any, name: str = "region") -> Curve:
    """Mean and population standard deviation over a region.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; only the rectangle around the region is read, band by band.
    mask : array-like of bool, shape (height, width)
        The region.
    name : str
        For legends and columns.

    Raises
    ------
    InputError
        If the mask has another size or holds no pixel.
    """
    mask = np.asarray(mask)
    _check_size(cube, mask, "mask")
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        raise InputError("The region holds no pixel of the image.")
    box = _box(rows, columns)
    chosen = _places(rows, columns, box)
    means, stds = np.full(cube.bands, np.nan), np.full(cube.bands, np.nan)
    missing = 0
    for band, plane in enumerate(_planes(cube, box)):
        values = plane[chosen].astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            missing += int((~finite).sum())
            values = values[finite]
        if values.size:
            means[band], stds[band] = values.mean(), values.std()
    position = (float(rows.mean()), float(columns.mean()))
    return _curve(cube, name, means, stds, int(rows.size), position, missing)


def labels(cube: Cube, image: Any, names: Mapping[int, str] | None = None) -> list[Curve]:
    """:func:`region` for every label of an image at once, in one pass over the cube.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; only the rectangle around all labels is read, band by band.
    image : array-like of int, shape (height, width)
        Labels; 0 is background.
    names : mapping of int to str, optional
        Names by label; default ``label 7``.

    Returns
    -------
    list of Curve
        One for each label other than 0, in ascending order; empty if there is none.

    Raises
    ------
    InputError
        If the image has another size or holds no integers.
    """
    image = np.asarray(image)
    _check_size(cube, image, "label image")
    if image.dtype.kind not in "iub":
        raise InputError(f"A label image holds integers, not {image.dtype}.")
    rows, columns = np.nonzero(image)
    if rows.size == 0:
        return []
    found, pixels, order = _grouped(image[rows, columns])
    rows, columns = rows[order], columns[order]
    starts = np.cumsum(pixels) - pixels
    box = _box(rows, columns)
    chosen = _places(rows, columns, box)
    means, stds = np.full((2, len(found), cube.bands), np.nan)
    missing = np.zeros(len(found), dtype=np.int64)
    for band, plane in enumerate(_planes(cube, box)):
        values = plane[chosen].astype(np.float64)
        count = pixels
        finite = np.isfinite(values)
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
    names = names or {}
    return [
        _curve(
            cube,
            names.get(int(label), f"label {label}"),
            means[i],
            stds[i],
            int(pixels[i]),
            (float(centres[0][i]), float(centres[1][i])),
            int(missing[i]),
        )
        for i, label in enumerate(found)
    ]


def write_csv(curves: Iterable[Curve], path: str | os.PathLike) -> Path:
    """Write curves as one table, whole or not at all.

    Parameters
    ----------
    curves : iterable of Curve
        Of one wavelength grid or of several, see :func:`to_text`.
    path : path-like
        Replaced in one step once all is written.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        If there is no curve.
    FileError
        If the file cannot be written.
    """
    from napari_hsr.io.atomic import replacing

    target = Path(path).expanduser()
    text = to_text(curves, separator=",")
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return target


def to_text(curves: Iterable[Curve], separator: str = "\t") -> str:
    """Curves as one table with a header, ready to be pasted into a spreadsheet.

    The first column is ``wavelength_nm``, the union of all grids in ascending order; a cell is
    empty where a curve has no such band or no finite value. Curves without wavelengths have
    ``band_index`` (from 0) instead. Each curve has a column ``name [units]``; a region has
    ``name std [units]`` and ``name n``, its number of pixels, beside it, and each range a curve has
    ``name feasible lower [units]`` and ``… upper [units]``. Names that occur for
    several cubes get the cube's name in front.

    Raises
    ------
    InputError
        If there is no curve.
    """
    curves = list(curves)
    if not curves:
        raise InputError("There is no spectrum to write.")
    text = io.StringIO()
    table = csv.writer(text, delimiter=separator, lineterminator="\n")
    with_nm = [c for c in curves if c.wavelengths_nm is not None]
    by_index = [c for c in curves if c.wavelengths_nm is None]
    leading = ["wavelength_nm"] * bool(with_nm) + ["band_index"] * bool(by_index)
    table.writerow(leading + _header(curves))
    columns = [_by_band(curve) for curve in curves]
    for nm in sorted({nm for c in with_nm for nm in _grid(c.wavelengths_nm)}):
        start = [f"{nm:.10g}"] + [""] * bool(by_index)
        table.writerow(start + _cells(curves, columns, (True, nm)))
    for index in range(max((len(c) for c in by_index), default=0)):
        start = [""] * bool(with_nm) + [str(index)]
        table.writerow(start + _cells(curves, columns, (False, index)))
    return text.getvalue()


def _curve(
    cube: Cube,
    name: str,
    mean: np.ndarray,
    std: np.ndarray | None = None,
    count: int = 1,
    position: tuple[float, float] | None = None,
    missing: int = 0,
) -> Curve:
    nm = None if cube.wavelengths is None else np.asarray(cube.wavelengths)
    return Curve(name, mean, std, count, nm, cube.units, cube.name, position, missing)


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
    return (rows - box[0].start) * width + (columns - box[1].start)


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


def _grid(wavelengths_nm: np.ndarray | None) -> list[float]:
    """Band centres, rounded so that one wavelength from two files is one row."""
    return [] if wavelengths_nm is None else [round(float(nm), 6) for nm in wavelengths_nm]


def _by_band(curve: Curve) -> dict[tuple[bool, float], int]:
    known = curve.wavelengths_nm is not None
    keys = _grid(curve.wavelengths_nm) if known else range(len(curve))
    return {(known, key): band for band, key in enumerate(keys)}


def _header(curves: Sequence[Curve]) -> list[str]:
    several = len({curve.cube for curve in curves}) > 1
    names = [f"{c.cube}: {c.name}" if several and c.cube else c.name for c in curves]
    seen: Counter[str] = Counter()
    taken = set(names)
    header = []
    for curve, name in zip(curves, names, strict=True):
        seen[name] += 1
        unique = name
        while seen[name] > 1 and unique in taken:
            unique = f"{name} ({seen[name]})"
            seen[name] += unique in taken
        taken.add(unique)
        unit = f" [{curve.units}]" if curve.units else ""
        header.append(f"{unique}{unit}")
        if curve.std is not None:
            header += [f"{unique} std{unit}", f"{unique} n"]
        for what in curve.ranges:
            header += [f"{unique} {what} {end}{unit}" for end in ("lower", "upper")]
    return header


def _cells(
    curves: Sequence[Curve], columns: Sequence[Mapping], key: tuple[bool, float]
) -> list[str]:
    cells = []
    for curve, bands in zip(curves, columns, strict=True):
        band = bands.get(key)
        cells.append("" if band is None else _number(curve.mean[band]))
        if curve.std is not None:
            cells.append("" if band is None else _number(curve.std[band]))
            cells.append("" if band is None else str(curve.count))
        for ends in curve.ranges.values():
            cells += ["" if band is None else _number(end[band]) for end in ends]
    return cells


def _number(value: float) -> str:
    """Nine digits, which is all that float32 holds; empty for NaN and Inf."""
    return f"{value:.9g}" if np.isfinite(value) else ""
