"""Augmentation of a patch before it is photographed, or together with its photograph.

Plain functions of arrays, settings and a random generator: the same generator gives the same
patch. Each draws only what its settings require. Arrays are float32; cubes are (bands, h, w),
photographs (h, w, 3).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_hsr.training.recipe.schema import AugmentationSettings

#: A photograph beside the cube, or none.
Beside = TypeVar("Beside", np.ndarray, None)

#: Cosines in the smooth curve of :func:`tint`: half a period of the last is about 75 nm in 400–700.
_WAVES = 4


def geometric(
    cube: np.ndarray, rgb: Beside, settings: AugmentationSettings, rng: np.random.Generator
) -> tuple[np.ndarray, Beside]:
    """Mirror along either side and rotate by multiples of 90°, cube and photograph alike.

    Parameters
    ----------
    cube : ndarray, shape (bands, h, w)
    rgb : ndarray, shape (h, w, 3), or None
    settings : AugmentationSettings
        ``flips``: each side with probability ½; ``rotations``: by 0, 90, 180 or 270°, and only by
        0 or 180° if the patch is not square.
    rng : Generator

    Returns
    -------
    (ndarray, ndarray or None)
        Contiguous, of the same shapes.
    """
    down = across = False
    turns = 0
    if settings.flips:
        down, across = (bool(flip) for flip in rng.integers(2, size=2))
    if settings.rotations:
        square = cube.shape[1] == cube.shape[2]
        turns = int(rng.integers(4)) if square else 2 * int(rng.integers(2))

    def turned(array: np.ndarray, axes: tuple[int, int]) -> np.ndarray:
        if down:
            array = np.flip(array, axes[0])
        if across:
            array = np.flip(array, axes[1])
        return np.ascontiguousarray(np.rot90(array, turns, axes))

    return turned(cube, (1, 2)), None if rgb is None else turned(rgb, (0, 1))


def pick_scale(scales: Sequence[float], rng: np.random.Generator) -> float:
    """Pick one of the scales that a patch is reduced by: 0.5 has half the pixels a side."""
    return float(scales[int(rng.integers(len(scales)))])


def source_side(side: int, scale: float) -> int:
    """Pixels a side that :func:`reduce` needs to make ``side`` of."""
    return math.ceil(side / scale - 1e-9)


def reduce(
    array: np.ndarray, scale: float, shape: tuple[int, int], axes: tuple[int, int] = (-2, -1)
) -> np.ndarray:
    """Reduce an array; each pixel is the average of the area that it covers.

    Light is averaged, so photographs have to be decoded to linear values first.

    Parameters
    ----------
    array : ndarray
        A cube (bands, h, w); a photograph (h, w, 3) with ``axes=(0, 1)``.
    scale : float
        0..1; a pixel of the result covers ``1 / scale`` pixels a side, from the upper left.
    shape : (int, int)
        Rows and columns of the result.
    axes : (int, int)
        Of rows and columns.

    Returns
    -------
    ndarray, float32

    Raises
    ------
    InputError
        If the array is smaller than ``source_side`` of ``shape``.
    """
    out = np.asarray(array, dtype=np.float32)
    for axis, count in zip(axes, shape, strict=True):
        here = out.shape[axis]
        needed = source_side(count, scale)
        if here < needed:
            raise InputError(
                f"A patch of {count} pixels a side at scale {scale:g} takes {needed} pixels "
                f"of the image; it has {here}."
            )
        out = np.moveaxis(out, axis, -1)
        out = out[..., :count] if scale == 1 else out[..., :needed] @ _areas(count, scale)
        out = np.moveaxis(out, -1, axis)
    return np.ascontiguousarray(out)


@lru_cache(maxsize=64)
def _areas(count: int, scale: float) -> np.ndarray:
    """Weight of each source pixel (rows) in each result pixel (columns); columns sum to 1."""
    edges = np.arange(count + 1) / scale
    pixels = np.arange(source_side(count, scale))[:, None]
    overlap = np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1])
    shares = np.maximum(overlap, 0.0)
    weights: np.ndarray = (shares / shares.sum(axis=0)).astype(np.float32)
    weights.flags.writeable = False
    return weights


def exposure(settings: AugmentationSettings, rng: np.random.Generator) -> float:
    """Draw a factor for photograph and cube, ``10^U(-e, e)``; 1 if exposure is not varied.

    Source: the exposure test and augmentation of Lin and Finlayson.
    """
    if settings.exposure == 0:
        return 1.0
    return float(10.0 ** rng.uniform(-settings.exposure, settings.exposure))


def mix(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix two cubes of one shape: ``t a + (1 - t) b`` with t ~ U(0, 1)."""
    share = np.float32(rng.uniform())
    one: np.ndarray = np.multiply(share, first, dtype=np.float32)
    other: np.ndarray = np.multiply(1 - share, second, dtype=np.float32)
    np.add(one, other, out=one)
    return one


def spectral(
    cube: np.ndarray,
    settings: AugmentationSettings,
    rng: np.random.Generator,
    camera_matrix: np.ndarray | None = None,
) -> np.ndarray:
    """Change the spectra before they are photographed: other lights, pigments and metamers.

    Parameters
    ----------
    cube : ndarray, shape (bands, h, w)
    settings : AugmentationSettings
        ``tint`` for every patch; ``metamers`` is the fraction of patches whose metameric black is
        scaled by ``U(1 - metamer_range, 1 + metamer_range)``.
    rng : Generator
    camera_matrix : ndarray, shape (bands, 3), or None
        From spectra to the camera's response (any of its steps: they span the same); without
        it there are no metamers.

    Returns
    -------
    ndarray, shape (bands, h, w), float32
    """
    if settings.tint > 0:
        cube = cube * tint(cube.shape[0], settings.tint, rng)[:, None, None]
    if settings.metamers > 0 and camera_matrix is not None and rng.random() < settings.metamers:
        reach = settings.metamer_range
        cube = metamer(cube, camera_matrix, float(rng.uniform(1 - reach, 1 + reach)))
    return np.asarray(cube, dtype=np.float32)


def tint(bands: int, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a smooth positive curve over the bands with mean 1: another light or pigment.

    ``exp Σₖ aₖ cos(π k t)``, k = 1..4, t from 0 at the first band to 1 at the last, with
    ``aₖ ~ N(0, σ/k)``, so that slow changes dominate; σ is chosen so that the logarithm has the
    standard deviation ``deviation`` over bands and draws.

    Returns
    -------
    ndarray, shape (bands,), float32
    """
    waves = np.arange(1, _WAVES + 1)
    size = deviation * np.sqrt(2.0 / np.sum(1.0 / waves**2.0)) / waves
    across = (np.arange(bands) + 0.5) / bands
    curve = np.exp(np.cos(np.pi * across[:, None] * waves) @ (size * rng.standard_normal(_WAVES)))
    scaled: np.ndarray = (curve / curve.mean()).astype(np.float32)
    return scaled


def metamer(cube: np.ndarray, camera_matrix: np.ndarray, strength: float) -> np.ndarray:
    """Replace spectra by others that give the same camera response.

    ``P s + α (I − P) s`` with the projector P onto what the camera sees, ``C (CᵀC)⁻¹ Cᵀ``.
    If a band would become negative, α is taken as near to ``strength`` as the pixel allows, so
    that the result remains non-negative and metameric; pixels that already have a negative band
    are not changed. Source: Fu et al., IEEE TCI 2025.

    Parameters
    ----------
    cube : ndarray, shape (bands, h, w)
    camera_matrix : ndarray, shape (bands, 3)
    strength : float
        α: 1 for the same spectra, 0 for only the part that the camera sees.

    Returns
    -------
    ndarray, shape (bands, h, w), float32
    """
    spectra = np.asarray(cube, dtype=np.float64).reshape(cube.shape[0], -1)
    basis, _ = np.linalg.qr(np.asarray(camera_matrix, dtype=np.float64))
    seen = basis @ (basis.T @ spectra)
    black = spectra - seen
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = np.where(black != 0, -seen / black, np.inf)  # the α at which a band becomes 0
    most = np.where(black < 0, zero, np.inf).min(axis=0)
    least = np.where(black > 0, zero, -np.inf).max(axis=0)
    # With s ≥ 0, α = 1 lies between them, but for rounding.
    alpha = np.clip(strength, np.minimum(least, 1.0), np.maximum(most, 1.0))
    alpha[(spectra < 0).any(axis=0)] = 1.0
    made = seen + alpha * black
    made = np.where(spectra < 0, made, np.maximum(made, 0.0))
    result: np.ndarray = made.reshape(cube.shape).astype(np.float32)
    return result
