"""Reflectance of a raw scan, computed where it is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.calibration import settings
from napari_hsr.calibration.references import Reference, fitted, of_patch, saturated
from napari_hsr.cube import check_values
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import LazyArray, by_rows
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, result_of
from napari_hsr.spectral_library import SpectralLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.cube import Cube

#: White minus dark below so many times the noise of one line is no signal to divide by.
_LEAST_OVER_NOISE = 3.0
#: The same as a share of the brightest band, where single lines tell no noise.
_LEAST_SHARE = 0.005
#: No light of a scene is so many times as bright as a white.
_TOO_BRIGHT = 50.0
#: What stays untrue of reflectance.
_OF_RAW = ("data ignore value", "reflectance scale factor", "default stretch")
#: The scan, the white, the dark references, and the quotient.
_STEPS = 4


@told
def calibrate(
    raw: Cube,
    white: Cube | None = None,
    dark: Cube | None = None,
    *,
    patch: tuple[int, int, int, int] | None = None,
    white_dark: Cube | None = None,
    white_reflectance: float | np.ndarray | SpectralLibrary = 1.0,
    exposures: tuple[float, float] | None = None,
    least_signal: float | None = None,
) -> Cube:
    """Reflectance from a raw scan, a white and a dark reference.

    ``R = ρ · (raw - dark) / t_raw / ((white - white_dark) / t_white)`` for every pixel, with the
    references averaged over their lines, column by column: a line scanner's columns are pixels
    of one detector each. A white for all columns, a patch or a single column, has the dark of the columns
    it was seen in subtracted (of all, where they are not known).

    Parameters
    ----------
    raw : Cube
        The scan, in counts.
    white, dark : Cube, optional
        References of one line or many. Without a dark reference nothing is subtracted.
    patch : (int, int, int, int), optional
        In place of ``white``: top, left, bottom, right of a white rectangle in the scan.
    white_dark : Cube, optional
        The dark reference at the white's exposure time; by default ``dark``.
    white_reflectance : float, ndarray (bands,) or SpectralLibrary
        The white's own reflectance ρ, 0..1; a library's first spectrum is interpolated.
    exposures : (float, float), optional
        Exposure times of the scan and of the white, in one unit; by default what their metadata
        state under one name, else they count as equal.
    least_signal : float, optional
        White minus dark up to this, in counts, counts as none. By default a band is lost where its
        median is at most three times the noise of one line (0.5% of the brightest band where
        references are single lines), and a column in it where it is a third of that.

    Returns
    -------
    Cube
        Units "reflectance", NaN where the white has no signal; bands without any in most columns
        are marked as bad (``bbl``). A scan on disk stays there: values
        are computed as they are read.

    Raises
    ------
    InputError
        If references do not fit the scan, the white is not brighter than the dark, neither a
        white nor a patch is given, or a value is too large to compute with. Of a scan on disk as
        much is looked at as for its range.
    """
    events = calibrate_events(
        raw,
        white,
        dark,
        patch=patch,
        white_dark=white_dark,
        white_reflectance=white_reflectance,
        exposures=exposures,
        least_signal=least_signal,
    )
    return result_of(events)


@told
def calibrate_events(
    raw: Cube,
    white: Cube | None = None,
    dark: Cube | None = None,
    *,
    patch: tuple[int, int, int, int] | None = None,
    white_dark: Cube | None = None,
    white_reflectance: float | np.ndarray | SpectralLibrary = 1.0,
    exposures: tuple[float, float] | None = None,
    least_signal: float | None = None,
) -> Iterator[Progress | Cube]:
    """:func:`calibrate` as events: a progress before each step, and last the cube."""
    if (white is None) == (patch is None):
        raise InputError("Calibration needs a white reference or a white patch, one of the two.")
    yield Progress(0, _STEPS, "Looking at the scan")
    for values in raw.data if raw.in_memory else [np.array(raw.value_range)]:
        check_values(values, raw.name)
    notices: list[Notice] = [*saturated(raw.data, "scan", Code.SATURATED)]
    yield Progress(1, _STEPS, "Averaging the white")
    if white is not None:
        reference = fitted(white, raw, "white")
        notices += saturated(white.data, "white reference")
    else:
        assert patch is not None  # as checked above
        reference = of_patch(raw, patch)
        top, left, bottom, right = patch
        notices += saturated(raw.data[:, top:bottom, left:right], "white patch")
    yield Progress(2, _STEPS, "Averaging the dark")
    black = fitted(dark, raw, "dark") if dark is not None else None
    white_black = fitted(white_dark, raw, "white's dark") if white_dark is not None else black
    notices += [*reference.notices, *(black.notices if black else ())]
    if white_dark is not None and white_black is not None:
        notices += white_black.notices
    if black is None:
        told = "No dark reference was given: nothing was subtracted."
        notices.append(Notice.warning(Code.REFERENCE_FITTED, told))
    yield Progress(3, _STEPS, "Computing reflectance")
    signal = reference.mean - (_under(reference, white_black, patch) if white_black else 0)
    _check_brighter(signal, reference, white_black)
    one_dark = dark is not None and white_dark is None
    ratio, told_exposure = settings.exposure_ratio(raw, white, exposures, one_dark)
    told_exposure += settings.differences(raw, white, dark, white_dark, exposures is not None)
    notices += _of_another_scale(raw, reference, black, ratio)
    curve = _reflectance_of(white_reflectance, raw)
    notices += getattr(white_reflectance, "notices", ())  # of a library
    least = _least(signal, reference, white_black, least_signal)
    lost = _lost(signal, least, least_signal is not None)
    if black is not None:
        lost = lost | ~np.isfinite(black.mean)
    with np.errstate(divide="ignore"):
        gain = np.where(lost, np.nan, curve[:, None, None] * ratio / signal).astype(np.float32)
    notices += [*told_exposure, *_told_lost(lost, raw)]
    offset = black.mean if black else np.zeros((raw.bands, 1, 1), np.float32)
    data: Any = LazyArray(_Quotient(raw.data, offset, gain))
    if raw.in_memory:
        data = data[:]
    against = white.name if white is not None else "a patch of the scan itself"
    step = f"Reflectance against {against}{f', dark {dark.name}' if dark is not None else ''}."
    metadata = {
        k: v
        for k, v in raw.metadata.items()
        if k.lower() not in _OF_RAW and not settings.is_exposure(k)
    }
    bad = lost.mean(axis=(1, 2)) > 0.5
    if bad.any() and not bad.all():
        metadata["bbl"] = (raw.good_bands & ~bad).astype(int).tolist()
    yield raw.replace(
        data=data,
        units="reflectance",
        metadata=metadata,
        provenance=raw.provenance.with_step(step),
        notices=(*raw.notices, *notices),
    )


class _Quotient:
    """(raw - offset) · gain as an array that is computed where it is indexed."""

    dtype = np.dtype(np.float32)

    def __init__(self, raw: Any, offset: np.ndarray, gain: np.ndarray):
        self._raw, self._offset, self._gain = raw, offset, gain
        self.shape = tuple(int(n) for n in raw.shape)
        self.by_rows = by_rows(raw)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        bands, rows, columns = key
        values = np.array(self._raw[bands, rows, columns], dtype=np.float32)
        line = 0 if isinstance(rows, int) else slice(None)
        for operation, each in ((np.subtract, self._offset), (np.multiply, self._gain)):
            across = columns
            if each.shape[2] == 1:
                across = 0 if isinstance(columns, int) else slice(None)
            operation(values, each[bands, line, across], out=values, casting="same_kind")
        return values


def _under(
    white: Reference, dark: Reference, patch: tuple[int, int, int, int] | None
) -> np.ndarray:
    """The dark to be subtracted from a white: of a white for all columns, that of those it was seen in."""
    if white.mean.shape[2] == dark.mean.shape[2] or dark.mean.shape[2] == 1:
        return dark.mean
    # where the columns are not known, hot ones are probably not among them
    middle, across = (
        (np.nanmedian, slice(None)) if patch is None else (np.nanmean, slice(patch[1], patch[3]))
    )
    values = dark.mean[:, :, across]
    made = np.full((len(values), 1, 1), np.nan, np.float32)
    some = np.isfinite(values).any(axis=(1, 2))
    made[some] = middle(values[some], axis=2, keepdims=True)
    return made


def _check_brighter(signal: np.ndarray, white: Reference, dark: Reference | None) -> None:
    middle = float(np.nanmedian(np.nanmax(signal, axis=0)))  # of the brightest band of a column
    if middle > 0:
        return
    levels = [float(np.nanmedian(each.mean)) for each in (white, dark) if each is not None]
    found = f"median {levels[0]:g}" + (f" against {levels[1]:g}" if len(levels) > 1 else "")
    raise InputError(
        f"The white reference is nowhere brighter than the dark one ({found}): were they exchanged?"
    )


def _of_another_scale(
    raw: Cube, white: Reference, dark: Reference | None, ratio: float
) -> list[Notice]:
    """A warning where the scan is nowhere as bright as the dark, or far brighter than the white."""
    brightest = raw.value_range[1]
    least = float(np.nanmedian(dark.mean)) if dark else 0.0
    most = float(np.nanmax(white.mean))
    if brightest < least:
        found, than = "nowhere as bright as the dark reference", least
    elif most > 0 and brightest * ratio > _TOO_BRIGHT * most:
        found, than = "far brighter than the white reference", most
    else:
        return []
    text = (
        f"The scan is {found} (up to {brightest:g} against {than:g}): if one of them is on another scale, such "
        "as counts and shares, the reflectance is wrong."
    )
    return [Notice.warning(Code.SCALES_DIFFER, text)]


def _reflectance_of(given: float | np.ndarray | SpectralLibrary, raw: Cube) -> np.ndarray:
    """The white's reflectance in each band."""
    if isinstance(given, SpectralLibrary):
        if raw.wavelengths is None:
            raise InputError(
                "The white's reflectance curve needs the wavelengths of the scan, which are not "
                "known: set them first."
            )
        nm, grid = raw.wavelengths.nm, given.wavelengths_nm
        if nm[0] < grid[0] - 5 or nm[-1] > grid[-1] + 5:
            raise InputError(
                f"The white's reflectance curve covers {grid[0]:g}–{grid[-1]:g} nm, the scan "
                f"{nm[0]:g}–{nm[-1]:g} nm."
            )
        given = np.interp(nm, grid, given.values[0])
    curve = np.asarray(given, dtype=np.float64)
    if curve.shape not in ((), (raw.bands,)):
        raise InputError(
            f"The white's reflectance is one number or one for each of {raw.bands} bands, not "
            f"{curve.size} numbers."
        )
    if not np.isfinite(curve).all() or curve.min() <= 0 or curve.max() > 1.2:
        raise InputError(
            "The white's reflectance must lie above 0 and not above 1.2; it goes from "
            f"{curve.min():g} to {curve.max():g}."
        )
    return np.broadcast_to(curve, (raw.bands,))


def _least(
    signal: np.ndarray, white: Reference, dark: Reference | None, stated: float | None
) -> np.ndarray:
    """The signal of the white up to which nothing is divided, (bands, 1, 1)."""
    if stated is not None:
        if not (np.isfinite(stated) and stated >= 0):
            raise InputError(f"The least signal is a number from 0 on, not {stated!r}.")
        return np.full((len(signal), 1, 1), stated)
    parts = [each.noise for each in (white, dark) if each is not None and each.noise is not None]
    if parts:
        noise = np.sqrt(sum(part**2 for part in parts))
        return _LEAST_OVER_NOISE * np.nan_to_num(noise)[:, None, None]
    brightest = float(np.nanmax(np.nanmedian(signal, axis=(1, 2))))
    return np.full((len(signal), 1, 1), _LEAST_SHARE * brightest)


def _lost(signal: np.ndarray, least: np.ndarray, stated: bool) -> np.ndarray:
    """Where the white has no signal: bands as a whole, and single columns far below.

    Columns on either side of the limit of a band would otherwise make it a comb.
    """
    if stated:
        return ~(signal > least)
    middle = np.nanmedian(np.where(np.isfinite(signal), signal, -np.inf), axis=2, keepdims=True)
    return ~((middle > least) & (signal > least / 3))


def _told_lost(lost: np.ndarray, raw: Cube) -> list[Notice]:
    if not lost.any():
        return []
    bands = np.flatnonzero(lost.mean(axis=(1, 2)) > 0.5)
    where = ""
    if bands.size and raw.wavelengths is not None:
        nm = raw.wavelengths.nm[bands]
        where = f", above all in {bands.size} bands between {nm[0]:g} and {nm[-1]:g} nm"
    elif bands.size:
        where = f", above all in {bands.size} bands between {bands[0]} and {bands[-1]}"
    told = (
        f"In {100 * lost.mean():.3g}% of bands and columns the white is hardly brighter than the "
        f"dark{where}: they are NaN."
    )
    return [Notice.warning(Code.WHITE_TOO_DARK, told)]
