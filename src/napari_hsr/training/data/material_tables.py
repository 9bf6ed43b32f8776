"""Tables of measured reflectances to paint with: read, checked, and what was assumed is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError, InputError
from napari_hsr.io.libraries import read_library
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_hsr.spectral_library import SpectralLibrary

#: Fewer spectra than these make no variety to learn from; fewer than the second, little.
LEAST, FEW = 10, 30
#: What reflectances may be below 0, by noise, and above 1, by fluorescence and gloss.
_OFF, _BRIGHTER = 0.1, 0.5
#: Below 0 by less than this is rounding, and not told.
_ROUNDING = 1e-3
#: Largest value of a spectrum of which no part is lit.
_BLACK = 1e-4
#: Steps in nm above which details of a spectrum lie between its values.
_COARSE = 20.5
#: Names of spectra that a sentence gives.
_NAMED = 3


@dataclass(frozen=True, eq=False)
class MaterialTable:
    """Reflectances on the grid of a training.

    Attributes
    ----------
    spectra : ndarray, shape (spectra, bands), float64
        From 0 on.
    notices : tuple of Notice
        What was assumed, changed or left out.
    """

    spectra: np.ndarray
    notices: tuple[Notice, ...]


def read_table(path: Path, wavelengths_nm: np.ndarray, scale: float | None = None) -> MaterialTable:
    """Read a table of reflectances on the wavelengths of a training.

    Gaps within a spectrum are closed, values below 0 by noise count as 0. Spectra that lack most of
    their values, and black ones, are left out. All of it is told.

    Parameters
    ----------
    path : Path
        Of a spectral library.
    wavelengths_nm : ndarray, shape (bands,)
    scale : float, optional
        What its values are multiplied by; by default what the file says or their size suggests.

    Raises
    ------
    FileError
        If it cannot be read, does not reach over the wavelengths, holds other than reflectances,
        or fewer than :data:`LEAST` of them.
    """
    library = read_library(path, scale=scale)
    told = [Notice(n.code, n.severity, f"{path.name}: {n.text}") for n in library.notices]
    library = _usable(library, path, told)
    if len(library) < LEAST:
        raise FileError(
            path, f"at least {LEAST} spectra were expected to paint with, not {len(library)}"
        )
    _tell_repeats(library, path, told)
    step = float(np.diff(library.wavelengths_nm).max(initial=0))
    try:
        spectra = library.on(wavelengths_nm, close_gaps=True).values  # as is told
    except InputError as error:
        raise FileError(path, str(error)) from error
    if step > _COARSE:
        text = f"{path.name}: values lie up to {step:g} nm apart; between them lines were drawn."
        told.append(Notice.info(Code.SPECTRA_CHANGED, text))
    if len(library) < FEW:
        text = (
            f"{path.name} has {len(library)} spectra: little to learn from. With {FEW} or more of "
            "unlike objects a model holds for more than these."
        )
        told.append(Notice.warning(Code.SPECTRA_FEW, text))
    return MaterialTable(_from_zero_on(spectra, library.names, path, told), tuple(told))


def _usable(library: SpectralLibrary, path: Path, told: list[Notice]) -> SpectralLibrary:
    """Without spectra that lack more than half of their values or are black."""
    known = np.isfinite(library.values)
    gaps = known.sum(axis=1) < max(2, known.shape[1] // 2)
    black = ~gaps & (np.where(known, np.abs(library.values), 0).max(axis=1) < _BLACK)
    for which, why in ((gaps, "lack more than half of their values"), (black, "are black")):
        if which.any():
            text = f"{path.name}: {_counted(which, library.names)} {why} and were left out."
            told.append(Notice.warning(Code.SPECTRA_LEFT_OUT, text))
    kept = np.flatnonzero(~(gaps | black))
    if not len(kept):
        raise FileError(path, f"at least {LEAST} spectra were expected to paint with, not 0")
    holes = kept[~known[kept].all(axis=1)]
    if len(holes):
        which = np.isin(np.arange(len(library)), holes)
        text = (
            f"{path.name}: {_counted(which, library.names)} had gaps, which were closed by lines."
        )
        told.append(Notice.info(Code.SPECTRA_CHANGED, text))
    names = tuple(library.names[at] for at in kept)
    return library.replace(names=names, values=library.values[kept])


def _tell_repeats(library: SpectralLibrary, path: Path, told: list[Notice]) -> None:
    repeated = len(library) - len(set(library.names))
    if repeated:
        text = f"{path.name}: {repeated} of {len(library)} spectra bear a name that another has; each was taken."
        told.append(Notice.info(Code.SPECTRA_CHANGED, text))


def _from_zero_on(
    spectra: np.ndarray, names: Sequence[str], path: Path, told: list[Notice]
) -> np.ndarray:
    low, high = float(spectra.min()), float(spectra.max())
    off = np.any((spectra < -_OFF) | (spectra > 1 + _BRIGHTER), axis=1)
    if off.any():
        scaled = (
            "; materials.scale is what values are multiplied by" if high > 1 + _BRIGHTER else ""
        )
        raise FileError(
            path,
            f"reflectances from 0 to 1 were expected, not from {low:.3g} to {high:.3g}, as in "
            f"{_counted(off, names)}{scaled}",
        )
    below = np.any(spectra < -_ROUNDING, axis=1)
    if below.any():
        text = (
            f"{path.name}: {_counted(below, names)} had values below 0, down to {low:.3g}, which "
            "count as 0."
        )
        told.append(Notice.info(Code.SPECTRA_CHANGED, text))
    return spectra.clip(0, None)


def _counted(which: np.ndarray, names: Sequence[str]) -> str:
    """“3 of 60 spectra (a, b, c)”."""
    found = [name for name, one in zip(names, which, strict=True) if one]
    listed = ", ".join(found[:_NAMED]) + ("…" if len(found) > _NAMED else "")
    return f"{len(found)} of {len(names)} spectra ({listed})"
