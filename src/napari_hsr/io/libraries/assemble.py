"""From what a file of spectra holds to a library: scale, missing values, order of wavelengths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import FileError, InputError
from napari_hsr.io import value_notices
from napari_hsr.io.wavelengths import band_widths, even_grids
from napari_hsr.io.wavelengths import resolve as wl
from napari_hsr.notices import Code, Notice
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from pathlib import Path

REFLECTANCE = "reflectance"
#: USGS marks deleted channels by -1.23e34; nothing that is measured comes near it.
_DELETED_BELOW = -1e30
#: Beyond it, or below its inverse, a value fits no cube, and its square leaves what can be computed with.
_MOST = 1e36
#: What tables have in place of a value that is not there; no spectrum has it by chance.
_NOT_MEASURED = (-999.0, -9999.0, -99999.0)
#: A reflectance above this is none: beyond the white of a panel and beyond glitter.
MOST_REFLECTANCE = 2.0
#: Below it the largest value of a table is absorbance, if anything, rather than percent.
_LEAST_PERCENT, _PERCENT = 5.0, 0.01
#: So many bands there are for each one that is a spike, at least, and so many times it exceeds its neighbours.
_FEWEST_BANDS_A_SPIKE, _JUMP = 8, 3.0


@dataclass(frozen=True)
class Choice:
    """What a user states of a file of spectra; see :func:`napari_hsr.read_library`."""

    wavelengths: Sequence[float] | str | PathLike[str] | None = None
    scale: float | None = None
    column: str | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise InputError(f"The scale is a positive number, not {self.scale!r}.")


@dataclass
class Found:
    """What a format found in a file.

    Attributes
    ----------
    names : list of str
    wavelengths : array-like, and ``unit``, as the file gives them
    values : ndarray, shape (spectra, bands)
    units : str or None
        What the values are.
    factor : float or None
        What stored values are multiplied by, where the file says so.
    said_by : str
        Where it says so, for the notice.
    no_data : float or None
    per_band, metadata, notices
        As in the library; ``fwhm`` in ``per_band`` is in the file's unit of wavelength.
    """

    names: list[str]
    wavelengths: Any
    unit: str | None
    values: np.ndarray
    units: str | None = None
    factor: float | None = None
    said_by: str = "the file"
    no_data: float | None = None
    per_band: dict[str, list[Any]] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)


def assemble(path: Path, found: Found, choice: Choice) -> SpectralLibrary:
    """The library.

    Raises
    ------
    FileError
        If the wavelengths cannot be used, or no value is finite.
    """
    values = np.array(found.values, dtype=np.float64)
    # infinity stays: it is no mark for a gap, and lights with it are refused
    huge = (values > _MOST) & np.isfinite(values)
    missing = (values < _DELETED_BELOW) | huge | np.isin(values, _NOT_MEASURED)
    if found.no_data is not None:
        missing |= values == found.no_data
    notices = list(found.notices)
    if missing.any():
        values[missing] = np.nan
        told = f"{int(missing.sum())} of the values are marked as missing: they are NaN."
        notices.append(Notice.warning(Code.NO_DATA, told))
    elif np.isnan(values).any():
        told = (
            f"{int(np.isnan(values).sum())} of the values are empty, or no numbers: they are NaN."
        )
        notices.append(Notice.warning(Code.NO_DATA, told))
    if not np.isfinite(values).any():
        raise FileError(path, "no spectrum in it has a finite value")
    largest = np.max(np.abs(values), axis=1, initial=0.0, where=np.isfinite(values))
    if ((largest > 0) & (largest < 1 / _MOST)).any():
        raise FileError(path, f"its values are too small to compute with: below {1 / _MOST:g}")
    resolved = wl.resolve(found.wavelengths, values.shape[1], found.unit)
    if resolved.wavelengths is None or resolved.wavelengths.assumed:
        raise FileError(path, _unusable(found.wavelengths, values.shape[1], found.unit))
    per_band = dict(found.per_band)
    if "fwhm" in per_band:
        centres = resolved.wavelengths.nm
        per_band["fwhm"], told_widths = band_widths.in_nm(per_band["fwhm"], centres, resolved.scale)
        notices += [told_widths] if told_widths else []
    if resolved.order is not None:
        order = list(resolved.order)
        values = values[:, order]
        per_band = {key: [listed[i] for i in order] for key, listed in per_band.items()}
    notices += even_grids.told_missing(resolved.wavelengths.nm)
    notices += _alone(resolved.wavelengths.nm)
    notices += _doubled(found.names, values)
    notices += value_notices.damaged_unit(found.units)
    factor, units, told_scale = _factor(values, found, choice)
    return SpectralLibrary(
        tuple(found.names),
        resolved.wavelengths.nm,
        values * factor,
        units,
        path.stem,
        {**found.metadata, **per_band},
        (*notices, *resolved.notices, *told_scale),
    )


def _alone(nm: np.ndarray) -> list[Notice]:
    """A warning of a table of one line, as one that was cut short."""
    if nm.size > 1:
        return []
    told = f"It holds one wavelength only, {nm[0]:g} nm: the file may be cut short."
    return [Notice.warning(Code.MAYBE_DAMAGED, told)]


def _doubled(names: Sequence[str], values: np.ndarray) -> list[Notice]:
    """A warning of spectra that are there twice, under one name and with the same values."""
    seen: set[tuple[str, bytes]] = set()
    twice = []
    for name, row in zip(names, values, strict=True):
        known = (name, row.tobytes())
        twice += [name] if known in seen else []
        seen.add(known)
    if not twice:
        return []
    others = f", as {len(twice) - 1} more are" if twice[1:] else ""
    told = f"The spectrum {one_line(twice[0], 60)} is there twice{others}, with the same values: a line may be doubled."
    return [Notice.warning(Code.MAYBE_DAMAGED, told)]


def _spikes(largest: np.ndarray) -> np.ndarray:
    """Bands that stand alone above all fractions, by the largest value of each: bad ones, which say nothing of the scale.

    They are few, and values jump there and back; percent rise and fall from band to band.
    """
    none = np.zeros(largest.size, dtype=bool)
    above = largest > MOST_REFLECTANCE
    if not 0 < _FEWEST_BANDS_A_SPIKE * above.sum() <= largest.size:
        return none
    at = np.flatnonzero(above[1:] != above[:-1])  # before a step up or down
    pair = np.stack([largest[at], largest[at + 1]])
    return above if (pair.max(axis=0) > _JUMP * np.abs(pair.min(axis=0))).all() else none


def _unusable(listed: Any, bands: int, unit: str | None) -> str:
    if listed is None:
        return f"it gives no wavelengths for the {bands} values of a spectrum"
    numbers = np.ravel(np.asarray(listed))
    if numbers.size != bands:
        return f"it lists {numbers.size} wavelengths for spectra of {bands} values"
    known = f" in {unit!r}" if unit else ""
    return f"its wavelengths{known} cannot be used: positive numbers that differ were expected"


def _factor(
    values: np.ndarray, found: Found, choice: Choice
) -> tuple[float, str | None, list[Notice]]:
    """What values are multiplied by, their units, and how that is known."""
    if choice.scale is not None:
        return choice.scale, found.units, []
    if found.factor is not None:
        told = f"Values were multiplied by {found.factor:g}, as {found.said_by} says."
        largest = float(np.max(values, initial=0.0, where=np.isfinite(values)))
        doubtful = found.factor == _PERCENT and largest <= MOST_REFLECTANCE  # fractions, perhaps
        told += " They are hardly percent: a scale of 1 keeps them." * doubtful
        tell = Notice.warning if doubtful else Notice.info
        notices = [tell(Code.SCALE_APPLIED, told)] if found.factor != 1.0 else []
        return found.factor, found.units or REFLECTANCE, notices
    of_bands = np.max(values, axis=0, initial=-np.inf, where=np.isfinite(values))
    largest, spikes = float(of_bands.max()), _spikes(of_bands)
    if found.units not in (None, REFLECTANCE) or largest <= MOST_REFLECTANCE:
        return 1.0, found.units, []
    if spikes.any():
        others = float(of_bands[~spikes].max())
        told = (
            f"Values go up to {largest:g} in {int(spikes.sum())} of {spikes.size} bands and to {others:g} in the "
            "others, which were taken for fractions: all were kept as stored; a scale can be given."
        )
        return 1.0, found.units, [Notice.warning(Code.VALUES_SCALE_GUESSED, told)]
    if largest <= 150 and (largest > _LEAST_PERCENT or found.units == REFLECTANCE):
        factor, what = _PERCENT, "percent"
    elif found.units == REFLECTANCE and largest <= 15000:
        factor, what = 1e-4, "ten-thousandths"
    else:
        told = (
            f"Values go up to {largest:g} and the file does not say what they are: they were kept "
            "as stored; a scale can be given."
        )
        return 1.0, found.units, [Notice.warning(Code.VALUES_SCALE_GUESSED, told)]
    told = (
        f"Values go up to {largest:g} and the file gives no scale: {what} of reflectance were "
        f"taken and multiplied by {factor:g}; a scale of 1 keeps them as stored."
    )
    return factor, REFLECTANCE, [Notice.warning(Code.VALUES_SCALE_GUESSED, told)]
