"""From what a file says about its bands to band centres in nm, and what to tell the user."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_hsr.cube import LONGEST_NM, SHORTEST_NM, Wavelengths
from napari_hsr.io import limits
from napari_hsr.io.number_parsing import number
from napari_hsr.io.wavelengths import even_grids
from napari_hsr.io.wavelengths import wavelength_units as units
from napari_hsr.io.wavelengths.in_texts import are_band_numbers as are_band_numbers
from napari_hsr.io.wavelengths.in_texts import from_band_names as from_band_names
from napari_hsr.io.wavelengths.in_texts import from_ends, from_steps
from napari_hsr.io.wavelengths.in_texts import from_texts as from_texts
from napari_hsr.io.wavelengths.in_texts import named_in_part as named_in_part
from napari_hsr.io.wavelengths.wavelength_units import is_unit as is_unit
from napari_hsr.io.wavelengths.wavelength_units import nanometres as nanometres
from napari_hsr.notices import Code, Notice

#: Names under which wavelengths are found in MATLAB, HDF5 and NumPy files, best first.
KEYS = (
    "wavelength_3d", "wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm", "wavelengths_um",
    "wavelength_um", "wavelen", "wavelens", "lambda", "lambdas", "lam", "wl", "wls", "wlen",
    "waves", "wave", "wvl", "dimensionscalec", "wvls", "center_wavelength", "center_wavelengths",
    "centre_wavelength", "centre_wavelengths", "central_wavelength", "central_wavelengths",
    "band_wavelength", "band_wavelengths", "wavelength_list", "wavelengths_list", "cwl", "cwls",
    "lambda_nm", "lambda_um", "wl_nm", "wl_um", "wvl_nm", "wvl_um", "spectral_axis", "nm",
    "wavenumber", "wavenumbers", "band_centers", "band_centres", "centers", "centres", "bands",
)  # fmt: skip

_LONGEST_NM = 1e7
#: In nm: no camera sees shorter waves, and beyond 30 µm none has bands. Numbers between mean neither.
_SHORTEST_SEEN = 100.0
_LONGEST_SEEN = 30_000.0
#: From fewer bands nothing follows for one of them, and so many times is one far from all others.
_FEWEST, _FAR = 4, 3.0
#: Bands of one wavelength are put so far apart, in nm: less than any instrument resolves.
APART_NM = 1e-3

SET_THEM = "use “Set wavelengths…” to state them"


@dataclass(frozen=True)
class Resolved:
    """Wavelengths fit for a cube.

    ``order`` asks for the bands of the file in this order; ``scale`` is the factor that
    widths in the file's unit (fwhm) need to become nm, one a band in the order of the file where
    the unit is not one of length; None if that cannot be said.
    """

    wavelengths: Wavelengths | None
    order: tuple[int, ...] | None = None
    scale: float | np.ndarray | None = None
    notices: tuple[Notice, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


def resolve(
    values: Any,
    bands: int,
    unit: str | None = None,
    unit_is_custom: bool = False,
    looked_in: str = "the file",
) -> Resolved:
    """Turn the list of a file (or None) into wavelengths for ``bands`` bands.

    Never guesses silently: a missing unit, reversed bands, a list that cannot be used and
    the assumption of 400–700 nm in steps of 10 nm for 31 bands each give a notice. A list
    that cannot be used is kept as ``metadata["wavelengths_in_file"]``. ``unit_is_custom``
    is for formats that have no place for a unit: nm is then taken without a word, as long
    as the values are of that size.
    """
    if values is None:
        return missing(bands, looked_in)
    raw = as_list(values)
    listed = [number(value) if isinstance(value, str) else value for value in raw]
    if None in listed:
        parsed = from_texts(raw) or from_ends(raw) or from_steps(raw, bands)
        if parsed is None:
            return _unusable(raw, "are not numbers")
        if units.differ(unit, parsed[1]):
            return _unusable(raw, f"are given in {parsed[1]!r} and in {unit!r}")
        listed, unit = parsed[0].tolist(), unit if units.is_known(unit) else parsed[1] or unit
    numbers = np.array(listed, dtype=np.float64)
    if numbers.size != bands:
        plural = "s" if numbers.size != 1 else ""
        return _unusable(raw, f"do not fit: {numbers.size} value{plural} for {bands} bands")
    if not np.isfinite(numbers).all() or (numbers <= 0).any():
        return _unusable(raw, "are not all finite and positive")
    if not SHORTEST_NM / 1e9 <= numbers.min() <= numbers.max() <= LONGEST_NM * 1e9:
        return _unusable(raw, "are those of no light")
    if are_band_numbers(numbers) and _believed(units.key_of(unit), numbers) in units.UNSAID:
        return _unusable(raw, "only number the bands")
    nm, scale, notices = to_nm(numbers, unit)
    if unit_is_custom and np.all(scale == 1.0) and units.key_of(unit) in units.UNSAID:
        notices = ()
    if nm is None and _believed(units.key_of(unit), numbers) in units.UNSAID:
        size = f"{numbers.min():g}–{numbers.max():g}"
        return _unusable(raw, f"have no unit, and none was taken from their size ({size})")
    if nm is None:
        return _unusable(raw, f"are given as {unit!r}, which is no unit of wavelength")
    if not SHORTEST_NM <= nm.min() <= nm.max() <= LONGEST_NM:
        return _unusable(raw, "are those of no light")
    return _in_order(raw, nm, scale, notices + even_grids.told_off(numbers))


def as_list(values: Any) -> list[Any]:
    """What stands in the place of wavelengths as one list of numbers and texts.

    What is neither (a list in a list, a number beyond all limits) becomes a text, which is
    no number then.
    """
    if isinstance(values, np.ndarray):
        values = values.ravel().tolist()
    elif not isinstance(values, (list, tuple)):
        values = list(values) if isinstance(values, range) else [values]
    return [_plain_value(value) for value in values]


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, (bool, int)) and abs(value) < 2**53:
        return value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    return "a number too large" if isinstance(value, int) else f"a {type(value).__name__}"


def _in_order(
    raw: list[Any],
    nm: np.ndarray,
    scale: float | np.ndarray | None,
    notices: tuple[Notice, ...],
) -> Resolved:
    """Bands by ascending wavelength, whatever their order in the file; equal ones stay apart."""
    steps = np.diff(nm)
    notices += _far_from_others(nm)
    if (steps > 0).all():
        return Resolved(Wavelengths(nm), scale=scale, notices=notices)
    order = np.argsort(nm, kind="stable")
    lost = _out_of_place(nm, order)
    if (steps < 0).all():
        told = "The wavelengths in the file descend: the bands were put in ascending order."
    elif lost is not None:
        told = (
            f"The wavelength of band {lost + 1} in the file, {nm[lost]:g} nm, is out of order, as no other is: the bands "
            f"were sorted by wavelength, but it may be damaged; {SET_THEM}."
        )
        notices = (*notices, Notice.warning(Code.MAYBE_DAMAGED, told))
        told = "The bands were sorted by wavelength, with all that belongs to them."
    else:
        told = (
            "The wavelengths in the file are not in order, as where detectors overlap: the bands "
            "were sorted by wavelength, with all that belongs to them."
        )
    nm, equal = apart(nm[order])
    if 2 * equal > nm.size:
        return _unusable(raw, "are the same for most bands")
    if not np.array_equal(order, np.arange(nm.size)):
        notices = (*notices, Notice.info(Code.WAVELENGTHS_REORDERED, told))
    if equal:
        told = (
            f"{equal} band{'s have' if equal > 1 else ' has'} the wavelength of another one: kept "
            f"apart by {APART_NM:g} nm."
        )
        notices = (*notices, Notice.warning(Code.WAVELENGTHS_REPEATED, told))
    return Resolved(Wavelengths(nm), tuple(int(i) for i in order), scale, notices)


def _far_from_others(nm: np.ndarray) -> tuple[Notice, ...]:
    """A warning of wavelengths that no camera sees beside others that are: ``4.0`` that was 400."""
    seen = (nm >= _SHORTEST_SEEN) & (nm <= _LONGEST_SEEN)
    if nm.size < _FEWEST or 2 * seen.sum() <= nm.size:
        return ()
    far = (nm < nm[seen].min() / _FAR) | (nm > nm[seen].max() * _FAR)
    which = np.flatnonzero(far & ~seen)
    if not which.size:
        return ()
    told = (
        f"The wavelength of band {which[0] + 1} in the file, {nm[which[0]]:g} nm, is far from the others, and none that a "
        f"camera sees: it may be damaged; {SET_THEM}."
    )
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def _out_of_place(nm: np.ndarray, order: np.ndarray) -> int | None:
    """The only band without which all would ascend, or descend, if it was moved by more than a place."""
    if nm.size < _FEWEST:
        return None
    up = 1 if 2 * (np.diff(nm) > 0).sum() >= nm.size - 1 else -1
    at = int(np.argmax(up * np.diff(nm) <= 0))
    for lost in (at, at + 1):
        place = int(np.flatnonzero(order[::up] == lost)[0])
        if (up * np.diff(np.delete(nm, lost)) > 0).all() and abs(place - lost) > 1:
            return lost
    return None


def apart(nm: np.ndarray) -> tuple[np.ndarray, int]:
    """Ascending wavelengths with equal ones moved apart, and how many were moved."""
    moved, count = nm.copy(), 0
    for i in range(1, nm.size):
        if moved[i] <= moved[i - 1]:
            moved[i] = moved[i - 1] + APART_NM
            count += 1
    return moved, count


def missing(bands: int, looked_in: str = "the file") -> Resolved:
    """No wavelengths in the file: 400–700/10 nm for 31 bands, marked as assumed, else none."""
    if bands == 31:
        return Resolved(
            Wavelengths.default(),
            notices=(
                Notice.warning(
                    Code.WAVELENGTHS_ASSUMED,
                    f"No wavelengths were found in {looked_in}: 400–700 nm in steps of 10 nm is an "
                    f"assumption made for its 31 bands; {SET_THEM}.",
                ),
            ),
        )
    return Resolved(None, notices=(none_given(looked_in),))


def none_given(looked_in: str = "the file") -> Notice:
    """The notice of a file without wavelengths."""
    return Notice.warning(
        Code.WAVELENGTHS_MISSING,
        f"No wavelengths were found in {looked_in}: bands go by index; {SET_THEM}.",
    )


def _unusable(raw: list[Any], fault: str) -> Resolved:
    notice = Notice.warning(
        Code.WAVELENGTHS_UNUSABLE,
        f"The wavelengths in the file {fault}: bands go by index and the list is kept in the "
        f"metadata; {SET_THEM}.",
    )
    return Resolved(None, notices=(notice,), metadata={"wavelengths_in_file": raw})


def to_nm(
    values: np.ndarray, unit: str | None
) -> tuple[np.ndarray | None, float | np.ndarray | None, tuple[Notice, ...]]:
    """Values in ``unit`` as nm, the factor for widths in it, and notices; None if that cannot be said.

    Without a unit, or with one that no such instrument measures in, the magnitude decides: what falls from
    above 3000 to less than a third is cm⁻¹, up to 0.0001 is m, up to 30 µm, from 3000 on Ångström,
    else nm, unless all are below 100.
    """
    unit = unit if isinstance(unit, str) else " ".join(map(str, unit or ()))
    key = _believed(units.key_of(unit), values)
    if key in units.INVERSE:
        # rounded: a conversion must not dress 550 nm up as 549.9999999999999
        return np.round(units.INVERSE[key] / values, 6), units.INVERSE[key] / values**2, ()
    if key in units.TO_NM:
        return _scaled(values, units.TO_NM[key]), units.TO_NM[key], ()
    if key not in units.UNSAID:
        return None, None, ()
    falls = values.size > 1 and bool((np.diff(values) < 0).all())
    if falls and values.max() > 3000 > 3 * values.min():  # as infrared spectrometers list them
        told = (
            f"The file gives no unit for its wavelengths, which fall from {values.max():g} to "
            f"{values.min():g}: wavenumbers in cm⁻¹ were taken."
        )
        key = "cm-1"
        guessed = Notice.warning(Code.WAVELENGTH_UNIT_GUESSED, told)
        return np.round(units.INVERSE[key] / values, 6), units.INVERSE[key] / values**2, (guessed,)
    if values.max() <= 1e-4:
        factor, name = 1e9, "m"
    elif values.max() <= 30:
        factor, name = 1e3, "µm"
    elif values.min() >= 3000:
        factor, name = 0.1, "Ångström"
    elif values.max() < _SHORTEST_SEEN:
        return None, None, ()
    else:
        factor, name = 1.0, "nm"
    said = f"says {unit!r} of" if units.key_of(unit) not in units.UNSAID else "gives no unit for"
    told = Notice.warning(
        Code.WAVELENGTH_UNIT_GUESSED,
        f"The file {said} its wavelengths ({values.min():g}–{values.max():g}): "
        f"{name} was taken from their size.",
    )
    return _scaled(values, factor), factor, (told,)


def _believed(unit: str, values: np.ndarray) -> str:
    """The unit, or none where it cannot be: 0.4 to 2.5 nm, 400 to 2500 µm, or metres."""
    factor = units.TO_NM.get(unit)
    if (factor == 1.0 and values.max() <= 30) or (factor == 1e3 and values.min() >= 200):
        return ""
    if factor is not None and factor * values.min() > _LONGEST_NM:
        return ""
    return unit


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    return values if factor == 1.0 else np.round(values * factor, 6)


def unit_in_name(name: str) -> str | None:
    """``nm`` or ``um`` where the name of a variable ends in it."""
    found = re.search(r"(?:^|_)(nm|um)$|(wavenumber)s?$", name.lower())
    return (found[1] or found[2]) if found else None


def key_of(name: str) -> tuple[str | None, str | None]:
    """Which of :data:`KEYS` a name is, and its unit: ``wavelength``, ``nm`` of ``Wavelength (nm)``; None for none."""
    name = name[: limits.LONGEST_NAME]
    bracket = re.search(r"[\s_]*[(\[]([^()\[\]]+)[)\]]\s*$", name)
    unit = bracket[1].strip() if bracket and is_unit(bracket[1].strip()) else None
    plain = name[: bracket.start()] if bracket and unit else name
    plain = re.sub(r"[\s-]+", "_", plain.strip().lower())
    if plain in KEYS:
        return plain, unit
    stem, _, ends = plain.rpartition("_")
    return (stem, ends) if ends in ("nm", "um") and stem in KEYS else (None, None)
