"""Library entries, pins and regions on the bands of a cube."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cube import Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.notices import Notice
from napari_hsr.spectral_library import SpectralLibrary, numbered
from napari_hsr.trust.physical_quantity import differing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.spectra import Curve

#: Fewest bands by which spectra are compared.
LEAST_BANDS = 3
#: How far beyond its ends a library still holds, in nm; see :meth:`SpectralLibrary.on`.
_BEYOND = 10.0
_SAME_NM = 0.05


@told
@dataclass(frozen=True, eq=False)
class Entries:
    """Named spectra on the bands of a cube.

    Attributes
    ----------
    names : tuple of str
    values : ndarray, shape (entries, bands), float64
        NaN where an entry has no value.
    wavelengths_nm : ndarray, shape (bands,), or None
        Those of the cube.
    name : str
        Of the library.
    notices : tuple of Notice
        What was assumed of the cube's bands.
    units : tuple of (str, str or None)
        Whose spectra these are, and the unit of their values where it is known.
    """

    names: tuple[str, ...]
    values: np.ndarray
    wavelengths_nm: np.ndarray | None
    name: str = "library"
    notices: tuple[Notice, ...] = ()
    units: tuple[tuple[str, str | None], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def chosen(self, which: Iterable[int]) -> Entries:
        """Some of them, by number from 0."""
        at = list(which)
        return Entries(
            tuple(self.names[i] for i in at),
            self.values[at],
            self.wavelengths_nm,
            self.name,
            self.notices,
            self.units,
        )

    def differing(self, cube: Cube) -> list[Notice]:
        """Warnings where these spectra are of another quantity than the cube, as far as both say so."""
        found = [differing(units, cube.units, whose, cube.name) for whose, units in self.units]
        return list({notice.text: notice for told in found for notice in told}.values())


@told
def entries_on(
    source: SpectralLibrary | Sequence[Curve] | Entries,
    wavelengths_nm: np.ndarray | None,
    bands: int,
    widths_nm: np.ndarray | None = None,
) -> Entries:
    """A library or curves on the bands of a cube; bands that they do not reach have no value.

    Parameters
    ----------
    source : SpectralLibrary, sequence of Curve, or Entries
        Entries already on these bands are returned as they are.
    wavelengths_nm : ndarray, shape (bands,), or None
        Of the cube.
    bands : int
        Of the cube; a source without wavelengths must have as many.
    widths_nm : ndarray, shape (bands,), optional
        Full widths at half maximum of the cube's bands, where it states them.

    Raises
    ------
    InputError
        If there is no spectrum, or fewer than three bands are shared.
    """
    nm = None if wavelengths_nm is None else Wavelengths(wavelengths_nm).nm
    if isinstance(source, Entries):
        if source.values.shape[1] != bands or not _same(source.wavelengths_nm, nm):
            raise InputError(f"The spectra of {source.name} are on other bands than the cube.")
        return source
    if isinstance(source, SpectralLibrary):
        values, notices = _values(source, nm, bands, widths_nm)
        own = ((source.name, source.units),)
        return Entries(numbered(source.names), values, nm, source.name, notices, own)
    curves = list(source)
    if not curves:
        raise InputError("There is no spectrum to compare with.")
    rows, told = [], dict[str, Notice]()
    for curve in curves:
        row, said = _of_curve(curve, nm, bands, widths_nm)
        rows.append(row)
        told |= {notice.text: notice for notice in said}
    names = numbered(curve.name for curve in curves)
    whose = tuple(dict.fromkeys((curve.cube or curve.name, curve.units) for curve in curves))
    return Entries(names, np.stack(rows), nm, "spectra", tuple(told.values()), whose)


def _of_curve(
    curve: Curve, nm: np.ndarray | None, bands: int, widths: np.ndarray | None
) -> tuple[np.ndarray, tuple[Notice, ...]]:
    if _same(curve.wavelengths_nm, nm) and len(curve) == bands:
        return np.asarray(curve.mean, dtype=np.float64), ()
    if curve.wavelengths_nm is None:
        raise InputError(f"{curve.name} has {len(curve)} bands without wavelengths, not {bands}.")
    values = np.asarray(curve.mean)[None]
    alone = SpectralLibrary((curve.name,), curve.wavelengths_nm, values)
    rows, told = _values(alone, nm, bands, widths)
    return rows[0], told


def _values(
    library: SpectralLibrary, nm: np.ndarray | None, bands: int, widths: np.ndarray | None
) -> tuple[np.ndarray, tuple[Notice, ...]]:
    own = library.wavelengths_nm
    if nm is None:
        if own.size != bands:
            raise InputError(
                f"The cube has no wavelengths and {bands} bands, the spectra of {library.name} "
                f"have {own.size}: set the wavelengths of the cube first."
            )
        return np.asarray(library.values), ()
    if _same(own, nm):
        return np.asarray(library.values), ()
    reached = (nm >= own[0] - _BEYOND) & (nm <= own[-1] + _BEYOND)
    if reached.sum() < LEAST_BANDS:
        raise InputError(
            f"The spectra of {library.name} reach from {own[0]:g} to {own[-1]:g} nm and the cube "
            f"from {nm[0]:g} to {nm[-1]:g} nm: fewer than {LEAST_BANDS} bands are shared."
        )
    out = np.full((len(library), nm.size), np.nan)
    wanted = nm[reached]
    of_wanted = None if widths is None else np.asarray(widths, dtype=np.float64)[reached]
    margin = max(_BEYOND, 2 * float(np.diff(wanted).max()))
    margin = margin if of_wanted is None else max(margin, 2 * float(of_wanted.max()))
    near = (own >= wanted[0] - margin) & (own <= wanted[-1] + margin)
    values = library.values[:, near]
    known = np.isfinite(values)
    usable = known.sum(axis=1) >= max(2, LEAST_BANDS, known.shape[1] // 2)
    if not usable.any():
        raise InputError(f"No spectrum of {library.name} has enough values to compare with.")
    names = tuple(name for name, use in zip(library.names, usable, strict=True) if use)
    kept = library.replace(
        names=names,
        wavelengths_nm=own[near],
        values=values[usable],
        metadata=_own_widths(library, near),
        notices=(),
    )
    made = kept.on(wanted, of_wanted)
    out[np.ix_(usable, reached)] = made.values
    return out, made.notices


def _own_widths(library: SpectralLibrary, near: np.ndarray) -> dict[str, list[float]]:
    listed = library.metadata.get("fwhm")
    if not isinstance(listed, list) or len(listed) != near.size:
        return {}
    return {"fwhm": [listed[at] for at in np.flatnonzero(near)]}


def _same(one: np.ndarray | None, two: np.ndarray | None) -> bool:
    if one is None or two is None:
        return one is two
    return Wavelengths(np.asarray(one)).matches(Wavelengths(np.asarray(two)), _SAME_NM)
