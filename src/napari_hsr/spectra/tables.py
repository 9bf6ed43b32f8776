"""Curves as tables: a row a band and a column a curve, or one long table with all that is known."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cube import jsonable
from napari_hsr.errors import FileError, InputError
from napari_hsr.io.atomic import replacing
from napari_hsr.io.text_files import csv_text, name_cell, write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_hsr.spectra.curve import Curve

#: Quantiles of a region, as panels and commands list them.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Suffixes of :func:`write_table`.
TABLE_SUFFIXES = (".csv", ".json", ".npz")


@told
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


@told
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
    if len(separator) != 1:
        raise InputError(f"Cells are separated by one character, not by {len(separator):,}.")
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


# --- one long table -----------------------------------------------------------------------


@told
def write_table(curves: Sequence[Curve], path: str | os.PathLike[str]) -> Path:
    """Write curves with number of pixels, mean, s.d., quantiles and place, whole or not at all.

    Parameters
    ----------
    curves : sequence of Curve
        Of one wavelength grid or of several.
    path : path-like
        ``.csv``: one row a curve and band, with ``name, cube, n, row, column, x, y, xy_unit, band,
        wavelength_nm, units, mean, sd``, a column a quantile, such as ``q05``, and two a range, such
        as ``90% lower`` and ``90% upper``; ``.json``: one
        object a curve; ``.npz``: arrays ``name``, ``cube``, ``units``, ``n``, ``row``, ``column``,
        ``x``, ``y``, ``xy_unit``, ``wavelengths_nm``, ``mean``, ``sd``, ``q05``, ``90% lower``… with a row a curve
        and NaN where a curve has no such value; curves are as long as the longest.

    Raises
    ------
    InputError
        If there is no curve.
    FileError
        If the suffix is none of these, or the file cannot be written.
    """
    target, curves = Path(os.path.expanduser(path)), list(curves)
    if not curves:
        raise InputError("There is no spectrum to write.")
    suffix = target.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise FileError(target, f"tables of spectra are written as {', '.join(TABLE_SUFFIXES)}")
    if suffix != ".npz":
        return write_text(target, _csv(curves) if suffix == ".csv" else _json(curves))
    with replacing(target) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **_arrays(curves))
    return target


def facts(curve: Curve) -> dict[str, Any]:
    """A curve as plain values for JSON."""
    row, column = curve.position or (None, None)
    x, y = curve.coordinates or (None, None)
    found = {
        "name": curve.name,
        "cube": curve.cube,
        "units": curve.units,
        "n": curve.count,
        "row": row,
        "column": column,
        "x": x,
        "y": y,
        "xy_unit": curve.length_unit,
        "missing": curve.missing,
        "wavelengths_nm": _plain(curve.wavelengths_nm),
        "mean": _plain(curve.mean),
        "sd": _plain(curve.std),
        "quantiles": {_short(share): _plain(of) for share, of in sorted(curve.quantiles.items())},
        "ranges": {
            name: {"lower": _plain(low), "upper": _plain(high)}
            for name, (low, high) in curve.ranges.items()
        },
    }
    plain: dict[str, Any] = jsonable(found)
    return plain


def _plain(values: np.ndarray | None) -> list[float | None] | None:
    if values is None:
        return None
    return [float(v) if np.isfinite(v) else None for v in values]


def _short(share: float) -> str:
    return f"q{'0' if share < 0.1 else ''}{100 * share:.4g}"


def _shares(curves: Sequence[Curve]) -> list[float]:
    return sorted({share for curve in curves for share in curve.quantiles})


def _ranges(curves: Sequence[Curve]) -> list[str]:
    return list(dict.fromkeys(what for curve in curves for what in curve.ranges))


def _csv(curves: Sequence[Curve]) -> str:
    shares = _shares(curves)
    place = ["row", "column", "x", "y", "xy_unit"]
    head = ["name", "cube", "n", *place, "band", "wavelength_nm", "units", "mean", "sd"]
    ends = [f"{what} {end}" for what in _ranges(curves) for end in ("lower", "upper")]
    rows: list[list[object]] = [[*head, *map(_short, shares), *map(name_cell, ends)]]
    for curve in curves:
        where = [*(curve.position or ("", "")), *(curve.coordinates or ("", ""))]
        named = name_cell(curve.name), name_cell(curve.cube)
        start = [*named, curve.count, *map(_place, where), name_cell(curve.length_unit or "")]
        columns = [curve.mean, curve.std, *(curve.quantiles.get(share) for share in shares)]
        for what in _ranges(curves):
            columns += curve.ranges.get(what, (None, None))
        for band in range(len(curve)):
            nm = None if curve.wavelengths_nm is None else curve.wavelengths_nm[band]
            cells = [_number(None if values is None else values[band]) for values in columns]
            rows.append([*start, band, _place(nm), curve.units or "", *cells])
    return csv_text(rows)


def _json(curves: Sequence[Curve]) -> str:
    return json.dumps({"spectra": [facts(curve) for curve in curves]}, indent=1, allow_nan=False)


def _arrays(curves: Sequence[Curve]) -> dict[str, Any]:
    bands = max(len(curve) for curve in curves)

    def rows(values: Sequence[Any]) -> np.ndarray:
        out = np.full((len(curves), bands), np.nan)
        for at, own in enumerate(values):
            if own is not None:
                out[at, : len(own)] = own
        return out

    found = {
        "name": np.array([curve.name for curve in curves]),
        "cube": np.array([curve.cube for curve in curves]),
        "units": np.array([curve.units or "" for curve in curves]),
        "xy_unit": np.array([curve.length_unit or "" for curve in curves]),
        "n": np.array([curve.count for curve in curves]),
        "wavelengths_nm": rows([curve.wavelengths_nm for curve in curves]),
        "mean": rows([curve.mean for curve in curves]),
        "sd": rows([curve.std for curve in curves]),
    }
    for name, pairs in (("row column", "position"), ("x y", "coordinates")):
        values = [getattr(curve, pairs) or (np.nan, np.nan) for curve in curves]
        for at, key in enumerate(name.split()):
            found[key] = np.array([pair[at] for pair in values], dtype=np.float64)
    for what in _ranges(curves):
        for at, end in enumerate(("lower", "upper")):
            ends = [curve.ranges[what][at] if what in curve.ranges else None for curve in curves]
            found[f"{what} {end}"] = rows(ends)
    for share in _shares(curves):
        found[_short(share)] = rows([curve.quantiles.get(share) for curve in curves])
    return found


def _place(value: float | str | None) -> str:
    return "" if value in ("", None) else f"{value:.10g}"


def _number(value: float | None) -> str:
    """Nine digits, which is all that float32 holds; empty for NaN and Inf."""
    return f"{value:.9g}" if value is not None and np.isfinite(value) else ""
