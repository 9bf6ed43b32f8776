"""Render a cube: true colour for a standard observer, or three bands as false colour."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour.matrix import (
    about_gaps,
    to_linear_srgb,
    why_no_true_colour,
    xyz_weights,
)
from napari_hsr.colour.observers import illuminant_name, observer_name
from napari_hsr.colour.transfer import srgb_encode
from napari_hsr.cube import release_pages
from napari_hsr.errors import InputError
from napari_hsr.quantities import PERCENT, POWER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_hsr.cube import Cube

#: Reflectances end below this, those of glints too.
_MOST_REFLECTANCE = 4.0
_BLOCK_VALUES = 2**22  # 16 MB of float32 at a time
_WHITEPERCENTILE = 99.5
#: Bytes of a memory map from which on it matters how many of its pages are held.
_LARGE_MAP = 64 * 2**20
_CIE_1931 = "CIE 1931 2 Degree Standard Observer"


def row_blocks(cube: Cube, bands: slice, rows: int | None) -> Iterator[tuple[slice, np.ndarray]]:
    """Read a cube in blocks: (rows, float32 array (bands, rows, width)), top to bottom.

    Each value is read once, memory is in the order of the file, and pages are given back.
    """
    in_order = getattr(cube.data, "block", None)
    first, last, _ = bands.indices(cube.bands)
    _, height, width = cube.shape
    step = int(rows) if rows else max(1, _BLOCK_VALUES // max(1, (last - first) * width))
    for top in range(0, height, step):
        at = slice(top, min(top + step, height))
        if in_order is not None:
            yield at, in_order(slice(first, last), at)
        elif _is_large_by_bands(cube.data):
            yield at, _band_by_band(cube.data, range(first, last), at)
        else:
            yield at, np.asarray(cube.data[first:last, at, :], dtype=np.float32)
            release_pages(cube.data)


def _is_large_by_bands(data: object) -> bool:
    """Whether it is a large memory map whose bands lie one after the other."""
    return (
        isinstance(data, np.memmap)
        and data.nbytes > _LARGE_MAP
        and abs(data.strides[0]) > abs(data.strides[1])
    )


def _band_by_band(data: np.memmap, bands: range, rows: slice) -> np.ndarray:
    """A block of a memory map with pages given back after each band.

    A system may map two megabytes where a few rows of a band are touched, and count them all.
    """
    parts = np.empty((len(bands), rows.stop - rows.start, data.shape[2]), dtype=np.float32)
    for at, band in enumerate(bands):
        parts[at] = data[band, rows]
        release_pages(data)
    return parts


def project(block: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply ``matrix`` (bands, 3) to (bands, rows, width), giving (rows, width, 3) float32.

    Bands without weight are left out: what is NaN there does no harm.
    """
    used = (matrix != 0).any(axis=1)
    if not used.all():
        block, matrix = block[used], matrix[used]
    with np.errstate(invalid="ignore", over="ignore"):  # infinite pixels become NaN
        if abs(block.strides[0]) < abs(block.strides[-1]):  # bands lie together: nothing is turned
            values: np.ndarray = np.moveaxis(block, 0, -1) @ matrix.astype(np.float32)
            return values
        flat = matrix.T.astype(np.float32) @ block.reshape(block.shape[0], -1)
    return np.moveaxis(flat.reshape(-1, *block.shape[1:]), 0, -1)


def used_bands(matrix: np.ndarray) -> slice:
    """The range of bands with nonzero weights; the others need not be read."""
    used = np.flatnonzero(np.abs(matrix).max(axis=1) > 0)
    return slice(int(used[0]), int(used[-1]) + 1)


@dataclass(frozen=True, eq=False)
class Rendering:
    """How a cube is rendered.

    Attributes
    ----------
    matrix : ndarray, shape (bands, 3)
        From the cube's values to linear sRGB, including brightness.
    note : str
        One sentence for the user: observer, illuminant, and white.
    """

    matrix: np.ndarray
    note: str


def is_radiance(cube: Cube) -> bool:
    """Whether the units say that the cube holds radiance, which includes the illumination."""
    return re.search(rf"radiance|{POWER}", (cube.units or "").lower()) is not None


def full_reflectance(cube: Cube) -> float:
    """What the perfect reflector has in the units of a cube: 100 in percent, else 1."""
    return 100.0 if re.search(PERCENT, (cube.units or "").lower()) else 1.0


def beyond_reflectance(cube: Cube) -> bool:
    """Whether values reach what no reflectance does in the units of the cube, whatever these say."""
    return cube.value_range[1] > _MOST_REFLECTANCE * full_reflectance(cube)


@told
def rendering(
    cube: Cube,
    illuminant: str = "D65",
    observer: str = _CIE_1931,
    white: float | np.ndarray | None = None,
) -> Rendering:
    """How :func:`render` will render a cube, as a matrix and in words; same parameters."""
    good = cube.good_bands
    nm = None if cube.wavelengths is None else cube.wavelengths.nm[good]
    reason = why_no_true_colour(nm)
    if reason or nm is None:
        raise InputError(reason or "")

    def of_all(weights: np.ndarray) -> np.ndarray:
        every = np.zeros((good.size, 3))
        every[good] = weights
        return every

    illuminant, observer = illuminant_name(illuminant), observer_name(observer)
    if is_radiance(cube):
        # Only the white of D65 on this grid is needed, to compensate for a truncated range.
        weights = of_all(xyz_weights(nm, None, observer))
        adapted = xyz_weights(nm, "D65", observer).sum(axis=0)
        adapted = adapted * (weights.sum(axis=0)[1] / adapted[1])
        seen = f"{observer}, radiance in its own light"
        measured = True
    else:
        weights = of_all(xyz_weights(nm, illuminant, observer))
        adapted = weights.sum(axis=0)
        adapted = adapted * full_reflectance(cube)
        seen = f"{observer}, reflectance under {illuminant}"
        measured = beyond_reflectance(cube)
    if gaps := about_gaps(nm):
        seen += f", {gaps}"
    if not good.all():
        seen += f", without {int((~good).sum())} bands marked as bad"
    if white is None and not measured:
        return Rendering(
            to_linear_srgb(weights, adapted), f"{seen}; the perfect reflector is white."
        )
    if white is None:
        matrix = to_linear_srgb(weights, adapted)
        level = _bright_level(cube, matrix)
        return Rendering(
            matrix / level,
            f"{seen}; the {_WHITEPERCENTILE:g}th percentile of luminance is white.",
        )
    spectrum = np.asarray(white, dtype=np.float64)
    if not np.isfinite(spectrum).all() or (spectrum < 0).any() or not spectrum.max(initial=0) > 0:
        raise InputError("The white must be finite and positive.")
    if spectrum.ndim == 0:
        level = float(spectrum) / full_reflectance(cube)
        return Rendering(
            to_linear_srgb(weights, adapted) / level,
            f"{seen}; a flat spectrum of {white:g} is white.",
        )
    if spectrum.shape != (cube.bands,):
        raise InputError(
            f"The white spectrum has shape {spectrum.shape}, but the cube has {cube.bands} bands."
        )
    return Rendering(
        to_linear_srgb(weights, spectrum @ weights), f"{seen}; the spectrum given is white."
    )


def _bright_level(cube: Cube, matrix: np.ndarray) -> float:
    """A high percentile of luminance over about 256 x 256 pixels of the cube."""
    luminance = matrix @ np.array([0.2126, 0.7152, 0.0722])
    stride = max(1, max(cube.shape[1:]) // 256)
    bands = used_bands(matrix)
    sampled = np.asarray(cube.data[bands, ::stride, ::stride], dtype=np.float32)
    values = project(sampled, luminance[bands, None])
    values = values[np.isfinite(values)]
    level = float(np.percentile(values, _WHITEPERCENTILE)) if values.size else 0.0
    return level if level > 0 else 1.0


@told
def render(
    cube: Cube,
    illuminant: str = "D65",
    observer: str = _CIE_1931,
    encoded: bool = True,
    white: float | np.ndarray | None = None,
    rows: int | None = None,
    clip: bool = True,
) -> np.ndarray:
    """Render a cube as people see it, without bands that are marked as bad.

    Reflectance is lit by the illuminant, ``X = k Σ S E x̄ Δλ`` with ``k = 1 / Σ E ȳ Δλ``, adapted
    to D65 (Bradford) and converted to sRGB: see :func:`rendering_matrix`. Radiance (units with
    "radiance" or watts) includes the illumination: E is dropped, and ``white`` or the 99.5th
    percentile of luminance sets the brightness, as it does for values above 4, which cannot be
    reflectances. :func:`rendering` states which of these applies.

    Parameters
    ----------
    cube : Cube
        With wavelengths that cover the visible range; lazy cubes are read row by row.
    illuminant, observer : str
        Names in colour-science, or short ones (``"D65"``, ``"cie-1964"``).
    encoded : bool
        True for sRGB, False for linear sRGB.
    white : float or ndarray (bands,), optional
        What is shown as white: a flat spectrum of this value, or a spectrum, whose colour is
        then neutralised too.
    rows : int, optional
        Rows processed at a time; by default as many as fit into about 16 MB.
    clip : bool
        Clip linear values to 0..1; otherwise colours outside sRGB keep negative values.

    Returns
    -------
    ndarray, shape (height, width, 3), float32
        0..1 if clipped. Pixels with NaN or infinite values are black in an encoded picture
        and NaN in a linear one.

    Raises
    ------
    InputError
        If wavelengths are unknown or do not cover the visible range, or a name is unknown.
    """
    plan = rendering(cube, illuminant, observer, white)
    bands = used_bands(plan.matrix)
    out = np.empty((*cube.shape[1:], 3), dtype=np.float32)
    for at, block in row_blocks(cube, bands, rows):
        linear = project(block, plan.matrix[bands])
        missing = ~np.isfinite(linear).all(axis=-1)
        linear[missing] = 0.0
        if clip:
            np.clip(linear, 0.0, 1.0, out=linear)
        picture = srgb_encode(linear) if encoded else linear
        if not encoded:
            picture[missing] = np.nan
        out[at] = picture
    return out


@told
def false_colour(
    cube: Cube,
    nm: Sequence[float],
    percentiles: tuple[float, float] = (1.0, 99.0),
    rows: int | None = None,
) -> np.ndarray:
    """Show three bands of a cube as red, green and blue.

    Each channel is the good band nearest to the given wavelength, stretched separately: its low
    percentile becomes 0 and its high percentile 1 (estimated on about 512 x 512 pixels), linearly
    and without the sRGB curve, so colours cannot be compared between pictures.

    Parameters
    ----------
    cube : Cube
        With known wavelengths.
    nm : (float, float, float)
        Wavelengths in nm shown as red, green and blue.
    percentiles : (float, float)
        Low and high percentile of the stretch; (0, 100) for the whole range.
    rows : int, optional
        Rows processed at a time.

    Returns
    -------
    ndarray, shape (height, width, 3), float32
        In 0..1; pixels with NaN are black, a constant band is black.

    Raises
    ------
    InputError
        If wavelengths are unknown, no band lies near a given one (25 nm or half the band
        spacing), or the percentiles are not 0 ≤ low < high ≤ 100.
    """
    if cube.wavelengths is None:
        raise InputError(
            "The wavelengths of this cube are not known, so wavelengths cannot be chosen for "
            "false colour: set them first."
        )
    if len(nm) != 3:
        raise InputError(f"False colour takes three wavelengths in nm, not {len(nm)}.")
    return bands_as_rgb(cube, [_band_near(cube, float(wanted)) for wanted in nm], percentiles, rows)


@told
def bands_as_rgb(
    cube: Cube,
    bands: Sequence[int],
    percentiles: tuple[float, float] = (1.0, 99.0),
    rows: int | None = None,
) -> np.ndarray:
    """Three bands of a cube, by their indices from 0, as :func:`false_colour` shows them.

    Raises
    ------
    InputError
        If there are not three, the cube has no such band, or the percentiles are no such.
    """
    low, high = (float(p) for p in percentiles)
    if not 0 <= low < high <= 100:
        raise InputError(f"Percentiles must be 0 ≤ low < high ≤ 100, not {low:g} and {high:g}.")
    if len(bands) != 3 or not all(0 <= band < cube.bands for band in bands):
        wanted = ", ".join(str(band + 1) for band in bands)
        raise InputError(
            f"False colour takes three of the bands 1 to {cube.bands} of {cube.name}, not {wanted}."
        )
    out = np.empty((*cube.shape[1:], 3), dtype=np.float32)
    for channel, band in enumerate(bands):
        stride = max(1, max(cube.shape[1:]) // 512)
        plane = np.asarray(cube.data[band, ::stride, ::stride], dtype=np.float32)
        plane = plane[np.isfinite(plane)]
        bottom, top = np.percentile(plane, (low, high)) if plane.size else (0.0, 1.0)
        scale = np.float32(1.0 / (top - bottom) if top > bottom else 0.0)
        for at, block in row_blocks(cube, slice(band, band + 1), rows):
            with np.errstate(invalid="ignore"):  # infinity times zero
                stretched = (block[0] - np.float32(bottom)) * scale
            out[at, :, channel] = np.clip(stretched, 0.0, 1.0)
    out[np.isnan(out).any(axis=-1)] = 0.0
    return out


def _band_near(cube: Cube, wanted: float) -> int:
    grid = cube.wavelengths
    assert grid is not None  # checked before bands are chosen by wavelength
    nm = np.asarray(grid)
    band = cube.nearest_band(wanted)
    spacing = np.diff(nm).max(initial=0.0) / 2
    if not abs(nm[band] - wanted) <= max(25.0, spacing):
        raise InputError(f"No band lies near {wanted:g} nm: this cube has {grid.describe()}.")
    return band
