"""White and dark references: averaged over their lines, fitted to the width of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import check_values
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice, has

if TYPE_CHECKING:
    from napari_hsr.cube import Cube

#: Values read at a time: 64 MiB.
_BLOCK_VALUES = 2**24
#: A white of which this share is exactly its maximum has probably reached the sensor's limit.
_SATURATED = 0.005
#: Largest numbers of 8, 10, 12, 14 and 16 bits.
_LIMITS = {255.0, 1023.0, 4095.0, 16383.0, 65535.0}


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference as a scan needs it.

    Attributes
    ----------
    mean : ndarray, shape (bands, 1, width), float32
        ``width`` is that of the scan, or 1 for one spectrum everywhere.
    noise : ndarray, shape (bands,), or None
        Standard deviation of one line, the median over columns; None for a single line.
    lines : int
        How many were averaged.
    notices : tuple of Notice
    """

    mean: np.ndarray
    noise: np.ndarray | None
    lines: int
    notices: tuple[Notice, ...]


def fitted(reference: Cube, scan: Cube, kind: str) -> Reference:
    """Average the lines of a reference for a scan.

    Parameters
    ----------
    reference : Cube
        One line or many, of the scan's bands; as wide as the scan, a whole number of times as
        wide (neighbouring columns are then averaged, as by binning), or one pixel wide.
    scan : Cube
    kind : str
        "white" or "dark", for what is said.

    Raises
    ------
    InputError
        If bands, wavelengths or widths do not fit, no value is finite, or one is too large to
        compute with.
    """
    notices = _check_bands(reference, scan, kind)
    width, wanted = reference.shape[2], scan.shape[2]
    if width not in (1, wanted) and width % wanted:
        raise InputError(
            f"The {kind} reference {reference.name} is {width} pixels wide and the scan "
            f"{scan.name} {wanted}: the same width, a whole number of times as wide or a single "
            "column was expected."
        )
    mean, deviation = _statistics(reference)
    if not np.isfinite(mean).any():
        raise InputError(f"The {kind} reference {reference.name} has no finite value.")
    if width != wanted and width > 1:
        mean = mean.reshape(mean.shape[0], wanted, width // wanted).mean(axis=2)
        told = (
            f"The {kind} reference is {width // wanted} times as wide as the scan: neighbouring "
            "columns were averaged."
        )
        notices.append(Notice.warning(Code.REFERENCE_FITTED, told))
    elif width != wanted:
        told = f"The {kind} reference has one column: it was taken for all {wanted}."
        notices.append(Notice.warning(Code.REFERENCE_FITTED, told))
    lines = reference.shape[1]
    noise = None
    if lines > 1:
        noise = np.nanmedian(deviation, axis=1)
        notices.append(_told_noise(kind, lines, mean, noise))
    return Reference(mean[:, None, :].astype(np.float32), noise, lines, tuple(notices))


def of_patch(scan: Cube, rectangle: tuple[int, int, int, int]) -> Reference:
    """The mean spectrum of a rectangle of a scan as its white.

    Parameters
    ----------
    scan : Cube
    rectangle : (int, int, int, int)
        Top, left, bottom, right in pixels from 0, the last two not included.

    Raises
    ------
    InputError
        If the rectangle is empty or leaves the image, or a value is too large to compute with.
    """
    top, left, bottom, right = rectangle
    height, width = scan.shape[1:]
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise InputError(
            f"The white patch {top},{left},{bottom},{right} (top, left, bottom, right) does not "
            f"lie inside {scan.name}, which has {height} x {width} pixels."
        )
    means, deviations = np.full((2, scan.bands), np.nan)
    for band in range(scan.bands):
        values = np.asarray(scan.data[band, top:bottom, left:right], dtype=np.float64)
        check_values(values, scan.name)
        values = values[np.isfinite(values)]
        if values.size:
            means[band], deviations[band] = values.mean(), values.std()
    if not np.isfinite(means).any():
        raise InputError(f"The white patch of {scan.name} has no finite value.")
    pixels = (bottom - top) * (right - left)
    notices = (_told_noise("white patch", pixels, means, deviations, "pixels"),)
    noise = deviations if pixels > 1 else None
    return Reference(means[:, None, None].astype(np.float32), noise, pixels, notices)


def saturated(data: Any, kind: str, code: Code = Code.WHITE_SATURATED) -> tuple[Notice, ...]:
    """A notice if many values of a white or a scan (bands, height, width) are exactly its maximum."""
    step = max(1, data.shape[1] // 16)
    values = np.asarray(data[:, ::step, :], dtype=np.float32)
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    share = float((values == top).mean())
    if np.nanmin(values) == top:  # made so, as by 1.0 everywhere, or the limit of a camera's bits
        if top not in _LIMITS:
            return ()
    elif share <= _SATURATED or values.size < 200:
        return ()
    how = "large" if code is Code.WHITE_SATURATED else "small"
    told = (
        f"{100 * share:.3g}% of the {kind} are exactly its maximum, {top:g}: it was "
        f"probably overexposed, and reflectance is then too {how} there."
    )
    return (Notice.warning(code, told),)


def _check_bands(reference: Cube, scan: Cube, kind: str) -> list[Notice]:
    if reference.bands != scan.bands:
        raise InputError(
            f"The {kind} reference {reference.name} has {reference.bands} bands, the scan "
            f"{scan.name} {scan.bands}."
        )
    here, there = reference.wavelengths, scan.wavelengths
    if here is None or there is None:
        if (here is None) == (there is None):
            return []
        which = f"{kind} reference" if here is None else "scan"
        if has((scan if here is None else reference).notices, Code.WAVELENGTHS_REORDERED):
            other = "scan" if here is None else f"{kind} reference"
            raise InputError(
                f"The {which} gives no wavelengths, and the bands of the {other} were sorted by theirs when "
                f"it was read: which are which cannot be told; state the wavelengths of the {which} first."
            )
        told = f"The {which} gives no wavelengths: bands were taken one by one in their order."
        return [Notice.warning(Code.BANDS_BY_INDEX, told)]
    if not here.matches(there):
        raise InputError(
            f"The wavelengths of the {kind} reference {reference.name} ({here.describe()}) are not "
            f"those of the scan {scan.name} ({there.describe()})."
        )
    return []


def _statistics(cube: Cube) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the lines, (bands, width) float64, NaN left out."""
    bands, height, width = cube.shape
    means, deviations = np.full((2, bands, width), np.nan)
    step = max(1, _BLOCK_VALUES // (height * width))
    for first in range(0, bands, step):
        at = slice(first, min(first + step, bands))
        values = np.asarray(cube.data[at], dtype=np.float64)
        check_values(values, cube.name)
        finite = np.isfinite(values)
        count = finite.sum(axis=1)
        some = count > 0
        values[~finite] = 0
        mean = values.sum(axis=1) / np.maximum(count, 1)
        squares = np.where(finite, values - mean[:, None], 0) ** 2
        means[at][some] = mean[some]
        deviations[at][some] = np.sqrt(squares.sum(axis=1) / np.maximum(count - 1, 1))[some]
    return means, deviations


def _told_noise(
    kind: str, count: int, mean: np.ndarray, noise: np.ndarray, of: str = "lines"
) -> Notice:
    level, one = float(np.nanmedian(mean)), float(np.nanmedian(noise))
    told = (
        f"{count} {of} of the {kind} were averaged: median {level:.4g}, noise of one {one:.3g}, of "
        f"their mean {one / np.sqrt(count):.2g}."
    )
    return Notice.info(Code.REFERENCE_NOISE, told)
