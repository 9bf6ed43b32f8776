"""Noise that the bands of a cube do not share, left out before a network makes its pixels finer.

A network that sharpens detail sharpens noise. Neighbouring bands show almost the same scene, so what
a band has that no combination of the others predicts is taken for its noise (Bioucas-Dias and
Nascimento 2008, HySime, IEEE TGRS 46(8)). Components of the spectra, in units of that noise, are
kept by as much as they stand above it, as by Wiener's filter. A pixel that differs by more than noise
explains, such as a rare material, stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_hsr.notices import Code, Notice
from napari_hsr.progress import stop_if

if TYPE_CHECKING:
    import threading

    from napari_hsr.cube import Cube
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model
    from napari_hsr.resample import Kind

#: Times the variance of the noise that a component must have to be kept at all.
ABOVE = 3.0
#: Pixels for each band that an estimate needs; with fewer, nothing is left out.
PIXELS = 1.4
#: Pixels that the estimate is made of, at most, and those that are filtered at a time.
MOST, AT_ONCE = 200_000, 65_536
#: Standard deviations above its mean from which what is left out of a pixel is no noise.
OUTLYING = 6.0
#: Noise, as a fraction of the root mean square of all values, from which it is left out. Cubes
#: that are called clean stay below it.
LEAST = 0.012


class Filtered(NamedTuple):
    """A cube without the noise of its bands, and what the user must know."""

    cube: Cube
    notices: tuple[Notice, ...] = ()


def meant_for_noise(card: ModelCard) -> bool:
    """Whether a network was trained on coarse cubes with noise: then it is left out by default."""
    coarse = card.training.get("coarse") or {}
    return bool(max(coarse.get("noise") or (0,)))


def wants_filter(upscaler: Model | Kind, denoise: bool | None) -> bool:
    """Whether noise is left out: as asked, else for the networks that are meant for it."""
    if denoise is not None:
        return denoise
    card = getattr(upscaler, "card", None)  # interpolations have none
    return card is not None and meant_for_noise(card)


def filtered(cube: Cube, wanted: bool, cancel: threading.Event | None = None) -> Filtered:
    """:func:`without_noise`, or the cube as it is."""
    return without_noise(cube, cancel) if wanted else Filtered(cube)


def not_on_disk(wanted: bool) -> tuple[Notice, ...]:
    """What is said where noise would be left out, but the cube is never in memory as a whole."""
    if not wanted:
        return ()
    text = "Noise of the bands stays in: it is left out in memory only, and the result is on disk."
    return (Notice.info(Code.NOISE_STAYS, text),)


def without_noise(cube: Cube, cancel: threading.Event | None = None) -> Filtered:
    """A cube without the noise of its bands.

    Parameters
    ----------
    cube : Cube, shape (bands, height, width)
        All values finite.
    cancel : threading.Event, optional
        Set it from another thread to stop.

    Returns
    -------
    Filtered
        With the cube itself where there is hardly any, or too few pixels to tell it from detail.

    Raises
    ------
    Cancelled
        If ``cancel`` was set.
    """
    data = np.asarray(cube.data, np.float32)
    spectra = data.reshape(len(data), -1)
    bands, count = spectra.shape
    if bands < 2 or count < PIXELS * bands:
        return Filtered(cube)
    found = _noise(spectra[:, :: -(-count // MOST)].astype(np.float64))
    if found is None:
        return Filtered(cube)
    mean, noise, kept = found
    size = float(np.sqrt(np.mean(np.square(noise, dtype=np.float64))))
    scale = float(np.sqrt(np.mean(np.square(spectra, dtype=np.float64))))
    if size < LEAST * scale:
        return Filtered(cube)
    made = np.empty_like(spectra)
    limit = bands + OUTLYING * np.sqrt(2 * bands)
    for start in range(0, count, AT_ONCE):
        stop_if(cancel)
        part = spectra[:, start : start + AT_ONCE]
        from_mean = (part - mean) / noise
        left_out = from_mean - kept @ from_mean
        left_out[:, np.square(left_out, dtype=np.float64).sum(0) > limit] = 0
        made[:, start : start + AT_ONCE] = part - noise * left_out
    text = (
        f"The noise of the bands was estimated at {size:.2g} ({size / scale:.1%} of the root mean "
        "square of all values) and left out before pixels were made finer."
    )
    told = (Notice.info(Code.NOISE_LEFT_OUT, text),)
    return Filtered(cube.replace(data=made.reshape(data.shape)), told)


def _noise(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Mean and noise of each band (bands, 1), and what is kept of spectra in units of the noise.

    None where a band is constant or the same as a combination of others: it shows no noise.
    """
    bands, count = spectra.shape
    mean = spectra.mean(1, keepdims=True)
    from_mean = spectra - mean
    products = from_mean @ from_mean.T
    least = np.finfo(np.float32).eps ** 2 * np.trace(products) / bands
    if not least > 0:
        return None
    try:
        inverse = np.linalg.inv(products + least * np.eye(bands))
    except np.linalg.LinAlgError:
        return None
    remaining = 1 / np.diag(inverse) / (count - bands)
    if not (np.isfinite(remaining).all() and (remaining > 0).all()):
        return None
    noise = np.sqrt(remaining)[:, None]
    strength, directions = np.linalg.eigh(products / count / (noise * noise.T))
    gain = np.clip(1 - ABOVE / np.maximum(strength, 1e-12), 0, 1)
    kept = (directions * gain) @ directions.T
    return mean.astype(np.float32), noise.astype(np.float32), kept.astype(np.float32)
