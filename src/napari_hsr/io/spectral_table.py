"""Tables of named spectra: measured reflectances and lights, from ``.npz`` and ``.csv`` files."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

#: Reflectances up to here are fractions; above, they are percent.
_FRACTION = 3.0
#: A spectrum must cover this share of the wavelengths that it is asked for.
_COVERED = 0.8


@dataclass(frozen=True, eq=False)
class SpectralTable:
    """Spectra on common wavelengths.

    Attributes
    ----------
    names : tuple of str
        One a spectrum; not always unique.
    wavelengths_nm : ndarray, shape (bands,), float64
        Ascending.
    spectra : ndarray, shape (spectra, bands), float64
        Finite; gaps are closed linearly, what is missing at an end repeats the nearest value.
    path : Path
        The file, for messages.
    """

    names: tuple[str, ...]
    wavelengths_nm: np.ndarray
    spectra: np.ndarray
    path: Path

    def as_reflectance(self) -> SpectralTable:
        """Fractions 0..1: percent is divided by 100, small negative values become 0.

        Raises
        ------
        FileError
            If values are clearly below 0 or above 100 %.
        """
        most = float(np.percentile(self.spectra.max(axis=1), 95))
        values = self.spectra / 100 if most > _FRACTION else self.spectra
        low, high = float(values.min()), float(values.max())
        if low < -0.1 or high > _FRACTION:
            raise FileError(
                self.path,
                f"reflectances of 0 to 1, or 0 to 100 %, were expected, not {self.spectra.min():.3g} "
                f"to {self.spectra.max():.3g}",
            )
        return replace(self, spectra=values.clip(0, None))

    def on(self, wavelengths_nm: ArrayLike) -> SpectralTable:
        """The spectra on other wavelengths: means over the bands' width, linear between.

        Raises
        ------
        FileError
            If they cover too little of them.
        """
        nm = np.asarray(wavelengths_nm, dtype=np.float64)
        own = self.wavelengths_nm
        if np.array_equal(nm, own):
            return self
        inside = ((nm >= own[0] - 5) & (nm <= own[-1] + 5)).mean()
        if inside < _COVERED:
            raise FileError(
                self.path,
                f"spectra from {nm[0]:g} to {nm[-1]:g} nm were expected, not from {own[0]:g} to "
                f"{own[-1]:g} nm",
            )
        spectra, step = self.spectra, float(np.median(np.diff(nm))) if len(nm) > 1 else 0.0
        if step > 0 and len(own) > 1 and np.diff(own).min() < 0.75 * step:
            # triangles as wide as the bands, so that finer detail is averaged, not sampled
            weights = np.maximum(0, 1 - np.abs(nm[:, None] - own) / step)
            weights *= np.gradient(own)
            total = weights.sum(axis=1, keepdims=True)
            near = np.abs(nm[:, None] - own).argmin(axis=1)
            weights = np.where(total > 0, weights / np.where(total > 0, total, 1), 0)
            weights[total[:, 0] == 0, near[total[:, 0] == 0]] = 1
            made = spectra @ weights.T
        else:
            made = np.stack([np.interp(nm, own, row) for row in spectra])
        return replace(self, wavelengths_nm=nm, spectra=made)


def read_spectral_table(path: Path) -> SpectralTable:
    """Read a table of spectra.

    Parameters
    ----------
    path : Path
        ``.npz`` with ``wavelengths`` (bands,) in nm, ``spectra`` (n, bands) and perhaps ``names``;
        or ``.csv`` whose first column is the wavelength in nm and whose others are one spectrum
        each, named in the first line.

    Raises
    ------
    FileError
        If it cannot be read, or holds no spectra.
    """
    try:
        names, nm, spectra = _from_npz(path) if path.suffix.lower() == ".npz" else _from_csv(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            path, f"a table of wavelengths and spectra was expected ({error})"
        ) from error
    if spectra.ndim != 2 or nm.ndim != 1 or spectra.shape[1] != len(nm) or not spectra.size:
        raise FileError(
            path,
            f"(spectra, bands) values for {len(nm) if nm.ndim else 0} wavelengths were expected, "
            f"not {spectra.shape}",
        )
    order = np.argsort(nm, kind="stable")
    nm, spectra = nm[order], spectra[:, order]
    if not np.isfinite(nm).all() or nm[0] < 100 or nm[-1] > 100_000 or (np.diff(nm) <= 0).any():
        raise FileError(path, "different wavelengths in nm were expected, each once")
    known = np.isfinite(spectra)
    if (known.sum(axis=1) < max(2, len(nm) // 2)).any():
        raise FileError(path, "a spectrum lacks more than half of its values")
    for row, ok in zip(spectra, known, strict=True):
        if not ok.all():
            row[:] = np.interp(nm, nm[ok], row[ok])
    if len(names) != len(spectra):
        names = tuple(f"spectrum {n}" for n in range(1, len(spectra) + 1))
    return SpectralTable(names, nm, spectra, path)


def _from_npz(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as table:
        names = tuple(str(n) for n in table["names"]) if "names" in table.files else ()
        return names, table["wavelengths"].astype(float), table["spectra"].astype(float)


def _from_csv(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    delimiter = max(",;\t", key=(lines[0] if lines else "").count)
    rows = list(csv.reader(lines, delimiter=delimiter))
    heading = rows[0] if rows and math.isnan(_number(rows[0][0])) else None
    body = rows[1:] if heading else rows
    values = np.array([[_number(cell) for cell in row] for row in body], dtype=float)
    names = tuple(cell.strip() for cell in heading[1:]) if heading else ()
    return names, values[:, 0], np.ascontiguousarray(values[:, 1:].T)


def _number(cell: str) -> float:
    """A number, with either decimal mark; NaN for anything else."""
    try:
        return float(cell.strip().replace(",", "."))
    except ValueError:
        return math.nan
