"""Curves as one table for spreadsheets: a row a band, a column a curve."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.io.text_files import csv_text, write_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_hsr.spectra.curve import Curve


def write_csv(curves: Iterable[Curve], path: str | os.PathLike[str]) -> Path:
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
    return write_text(path, to_text(curves, separator=","))


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
    with_nm = [c for c in curves if c.wavelengths_nm is not None]
    by_index = [c for c in curves if c.wavelengths_nm is None]
    leading = ["wavelength_nm"] * bool(with_nm) + ["band_index"] * bool(by_index)
    rows = [leading + _header(curves)]
    columns = [_by_band(curve) for curve in curves]
    for nm in sorted({nm for c in with_nm for nm in _grid(c.wavelengths_nm)}):
        start = [f"{nm:.10g}"] + [""] * bool(by_index)
        rows.append(start + _cells(curves, columns, (True, nm)))
    for index in range(max((len(c) for c in by_index), default=0)):
        start = [""] * bool(with_nm) + [str(index)]
        rows.append(start + _cells(curves, columns, (False, index)))
    return csv_text(rows, separator)


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
        if curve.measured_share is not None:
            header.append(f"{unique} measured share")
    return header


def _cells(
    curves: Sequence[Curve],
    columns: Sequence[Mapping[tuple[bool, float], int]],
    key: tuple[bool, float],
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
        if curve.measured_share is not None:
            cells.append("" if band is None else f"{curve.measured_share:.4g}")
    return cells


def _number(value: float) -> str:
    """Nine digits, which is all that float32 holds; empty for NaN and Inf."""
    return f"{value:.9g}" if np.isfinite(value) else ""
