"""Linear unmixing: how much of each endmember is in a pixel, and what they leave unexplained."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.analysis.block_reading import derived, no_value, of_the_prior, parts, usable_bands
from napari_hsr.arguments import told
from napari_hsr.cube import check_values
from napari_hsr.errors import InputError
from napari_hsr.io.bands import widths_of
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, result_of, stop_if
from napari_hsr.spectral_library import SpectralLibrary, numbered
from napari_hsr.trust.physical_quantity import differing, fractions_factor, multiplied

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.cube import Cube

#: Condition of the endmembers from which abundances are told as doubtful, and refused.
_DOUBTFUL, _HOPELESS = 1e3, 1e7
#: A multiplier above this share of the largest correlation means that an endmember is missing.
_TOLERANCE = 1e-10
#: More endmembers than bits of a number that stands for a set of them.
_MOST = 60
#: A mixture is as bright as what it is made of; pixels in shade are darker. Beyond these it is told.
_BRIGHTER, _DARKER = 5.0, 20.0
#: Pixels from which a set of endmembers is solved by itself.
_SHARED = 16
#: Pixels times the square of endmembers that are solved together, before it is told how far that is.
_TOGETHER = 2**18


@dataclass(frozen=True, eq=False)
class Unmixing:
    """The result of unmixing.

    Attributes
    ----------
    abundances : Cube, shape (endmembers, height, width)
        Shares in 0..1 that sum to one, or non-negative amounts; NaN where a band is missing.
    residual : Cube, shape (1, height, width)
        Root mean square over the bands of what the endmembers leave, in the units of the cube.
    endmembers : SpectralLibrary
        The endmembers on the bands in use.
    """

    abundances: Cube
    residual: Cube
    endmembers: SpectralLibrary

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Those of the abundances."""
        return self.abundances.notices


@told
def unmix(
    cube: Cube,
    endmembers: SpectralLibrary,
    *,
    sum_to_one: bool = True,
    progress: Callable[[Progress], object] | None = None,
    cancel: threading.Event | None = None,
) -> Unmixing:
    """Non-negative abundances of endmembers by least squares, fully constrained by default.

    The constrained minimum of each pixel (FCLS: Heinz and Chang, IEEE TGRS 39(3), 2001) is found
    exactly by an active set; all pixels with the same set of endmembers are solved together.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; read once, in rows.
    endmembers : SpectralLibrary
        Two or more spectra in the units of the cube, brought to its wavelengths if they have
        others, and to its scale if one is reflectance in percent and the other as a fraction. :func:`from_pixels` takes them from the cube.
    sum_to_one : bool
        Whether the abundances of a pixel sum to one.
    progress : callable, optional
        Called with each :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional

    Raises
    ------
    InputError
        If there are too few endmembers, more than bands, they cannot be told from each other, or
        do not cover the wavelengths.
    napari_hsr.errors.Cancelled
    """
    return result_of(unmix_events(cube, endmembers, sum_to_one=sum_to_one, cancel=cancel), progress)


@told
def unmix_events(
    cube: Cube,
    endmembers: SpectralLibrary,
    *,
    sum_to_one: bool = True,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Unmixing]:
    """:func:`unmix` as events: progress, and last the result."""
    bands, told = usable_bands(cube)
    used = on_bands(endmembers.replace(names=numbered(endmembers.names)), cube, bands)
    spectra = used.values
    check_values(spectra, "the endmembers")
    told += _checked(used, sum_to_one)
    count = len(spectra)
    shares = np.empty((count, *cube.shape[1:]), np.float32)
    residual, bright = np.empty((2, 1, *cube.shape[1:]), np.float32)
    together = max(1, _TOGETHER // count**2)
    began = time.monotonic()
    for rows, values, event in parts(cube, bands.tolist(), cancel, "Unmixing"):
        check_values(values, cube.name)
        flat = values.reshape(bands.size, -1).astype(np.float64)
        whole = np.asarray(np.isfinite(flat).all(axis=0))
        found = np.full((count, flat.shape[1]), np.nan)
        for first in range(0, whole.size, together):
            stop_if(cancel)
            some = first + np.flatnonzero(whole[first : first + together])
            found[:, some] = solve(spectra, flat[:, some], sum_to_one)
            within = min((first + together) / whole.size, 1.0)
            now = replace(event, done=event.done - 1, within=within)
            left = (time.monotonic() - began) * (1 / now.share - 1)
            yield replace(now, seconds_left=left)
        rest = np.sqrt(np.mean((flat - spectra.T @ found) ** 2, axis=0))
        shares[:, rows] = found.reshape(count, *values.shape[1:])
        residual[0, rows] = rest.reshape(values.shape[1:])
        bright[0, rows] = np.abs(flat).mean(axis=0).reshape(values.shape[1:])
    told += no_value(int(np.isnan(residual).sum()), residual.size)
    told = [*used.notices, *told, *_about_scale(bright, used, cube)]
    told += of_the_prior(cube, "an abundance")
    listed = ", ".join(used.names)
    rule = "non-negative, sum to one" if sum_to_one else "non-negative"
    facts: dict[str, Any] = {
        "kind": "unmixing",
        "endmembers": list(used.names),
        "sum_to_one": sum_to_one,
    }
    step = f"Unmixed into {listed} ({rule})."
    yield Unmixing(
        derived(
            cube,
            shares,
            "abundances",
            step,
            units="share" if sum_to_one else "amount of the endmember",
            facts=facts,
            notices=told,
            names=used.names,
        ),
        derived(
            cube,
            residual,
            "residual of unmixing",
            step,
            units=cube.units,
            facts=facts,
            notices=(),
            names=["residual (RMS over the bands)"],
        ),
        used,
    )


@told
def from_pixels(cube: Cube, places: dict[str, tuple[int, int]]) -> SpectralLibrary:
    """Endmembers from single pixels of a cube, by name: row and column from 0.

    Raises
    ------
    InputError
        If a pixel lies outside, or the wavelengths are not known.
    """
    from napari_hsr.spectra import pixel

    curves = {name: pixel(cube, *at, name=name).mean for name, at in places.items()}
    return from_spectra(cube, curves)


@told
def from_spectra(cube: Cube, spectra: dict[str, np.ndarray]) -> SpectralLibrary:
    """Endmembers from spectra (bands,) on the bands of a cube, by name: pins and regions.

    Raises
    ------
    InputError
        If there are none.
    """
    if not spectra:
        raise InputError("There is no spectrum to take as an endmember.")
    # Without wavelengths the bands are counted: the library is used on the same cube alone.
    counted = np.arange(1, cube.bands + 1, dtype=np.float64)
    nm = counted if cube.wavelengths is None else cube.wavelengths.nm
    values = np.array(list(spectra.values()), dtype=np.float64).reshape(len(spectra), -1)
    return SpectralLibrary(tuple(spectra), nm, values, cube.units, cube.name)


def on_bands(endmembers: SpectralLibrary, cube: Cube, bands: np.ndarray) -> SpectralLibrary:
    """The endmembers on some bands of a cube, and on its scale of reflectance, as far as both state theirs.

    A notice says what they were multiplied by, or that they are another quantity.

    Raises
    ------
    InputError
        If the endmembers do not cover them, or the cube's wavelengths are not known.
    """
    counted = np.arange(1, cube.bands + 1, dtype=np.float64)
    nm = counted if cube.wavelengths is None else cube.wavelengths.nm
    own = endmembers.wavelengths_nm
    if own.shape == nm.shape and np.allclose(own, nm, atol=0.01):
        found = endmembers.replace(wavelengths_nm=nm[bands], values=endmembers.values[:, bands])
    elif cube.wavelengths is None:
        raise InputError(
            f"The wavelengths of {cube.name} are not known: endmembers of a library need them."
        )
    else:
        widths = widths_of(cube)
        found = endmembers.on(nm[bands], None if widths is None else widths[bands])
    _check_whole(found)
    return _on_scale_of(found, cube)


def _on_scale_of(endmembers: SpectralLibrary, cube: Cube) -> SpectralLibrary:
    """Those in percent as fractions where the cube's are, and the other way; told, as other quantities are."""
    factor = fractions_factor(endmembers.units, cube.units)
    told = differing(endmembers.units, cube.units, endmembers.name, cube.name)
    if factor != 1:
        whose = f"The spectra of {endmembers.name}"
        said = multiplied(whose, factor, endmembers.units, cube.units)
        told.append(Notice.info(Code.VALUES_RESCALED, said))
        endmembers = endmembers.replace(values=factor * endmembers.values, units=cube.units)
    return endmembers.replace(notices=(*endmembers.notices, *told))


def _check_whole(endmembers: SpectralLibrary) -> None:
    missing = ~np.isfinite(endmembers.values).all(axis=1)
    if missing.any():
        name = endmembers.names[int(missing.argmax())]
        raise InputError(f"The endmember {name} lacks values in some of the bands in use.")


def _checked(used: SpectralLibrary, sum_to_one: bool) -> list[Notice]:
    """Refuse endmembers that do not determine abundances; tell those that hardly do."""
    count, bands = used.values.shape
    if count < 2:
        raise InputError("Unmixing needs two endmembers or more.")
    most = min(bands + sum_to_one, _MOST)
    if count > most:
        raise InputError(f"{bands} bands determine at most {most} endmembers, not {count}.")
    # With the sum fixed, what matters are the differences to one of them.
    matrix = used.values[1:] - used.values[0] if sum_to_one else used.values
    sizes = np.linalg.svd(matrix, compute_uv=False)
    condition = float(sizes[0] / sizes[-1]) if sizes[-1] > 0 else np.inf
    alike = _nearest(used)
    if condition > _HOPELESS:
        raise InputError(
            "These endmembers cannot be told from each other: one is a mixture of the others; the "
            f"most alike are {alike}. Leave one out."
        )
    if condition > _DOUBTFUL:
        text = f"Some endmembers are nearly mixtures of others ({alike} are the most alike): noise "
        text += f"changes the abundances up to {condition:,.0f} times as much as the spectra."
        return [Notice.warning(Code.ENDMEMBERS_ALIKE, text)]
    return []


def _about_scale(bright: np.ndarray, used: SpectralLibrary, cube: Cube) -> list[Notice]:
    """A warning where pixels are so much brighter or darker than the endmembers that one is on another scale."""
    own = np.abs(used.values).mean(axis=1)
    return about_scales(bright, own, f"The pixels of {cube.name}", "the endmembers")


def about_scales(seen: np.ndarray, own: np.ndarray, these: str, those: str) -> list[Notice]:
    """The same of the brightnesses of spectra, and of what they are called."""
    seen = seen[np.isfinite(seen)]
    if not seen.size or not np.median(seen) or not np.median(own):
        return []
    ratio = float(np.median(seen) / np.median(own))
    if 1 / _DARKER < ratio < _BRIGHTER:
        return []
    more, times = ("brighter", ratio) if ratio > 1 else ("darker", 1 / ratio)
    text = (
        f"{these} are {times:,.3g} times {more} than {those}: if one of them is on another scale, such as "
        "percent or counts, these abundances are wrong. Both are to be in one unit."
    )
    return [Notice.warning(Code.SCALES_DIFFER, text)]


def _nearest(used: SpectralLibrary) -> str:
    """The two endmembers with the smallest angle between them."""
    sizes = np.linalg.norm(used.values, axis=1, keepdims=True)
    unit = used.values / np.where(sizes > 0, sizes, 1)
    cosines = unit @ unit.T - 2 * np.eye(len(unit))
    one, other = np.unravel_index(int(cosines.argmax()), cosines.shape)
    return f"{used.names[min(one, other)]} and {used.names[max(one, other)]}"


def solve(spectra: np.ndarray, pixels: np.ndarray, sum_to_one: bool) -> np.ndarray:
    """The abundances that minimise ``|pixels - spectra.T @ a|²``, non-negative, sum one if asked.

    A primal active-set method (Lawson and Hanson, 1974; Nocedal and Wright, 2006, section 16.5)
    on all pixels at once: those with the same passive set share one factorisation, and where
    few do, those with sets of one size are solved together.

    Parameters
    ----------
    spectra : ndarray, shape (endmembers, bands), float64
        Independent; with ``sum_to_one`` their differences need to be.
    pixels : ndarray, shape (bands, n), float64

    Returns
    -------
    ndarray, shape (endmembers, n), float64
    """
    count, n = len(spectra), pixels.shape[1]
    # by a power of two, which changes no digit: squares of tiny numbers would be zero
    size = int(np.frexp(np.abs(spectra).max())[1])
    spectra, pixels = np.ldexp(spectra, -size), np.ldexp(pixels, -size)
    gram, right = spectra @ spectra.T, spectra @ pixels
    start = 1.0 / count if sum_to_one else 0.0
    shares = np.full((count, n), start)
    passive = np.full((count, n), sum_to_one)
    scale = max(float(np.abs(gram).max()), np.finfo(float).tiny)
    allowed = _TOLERANCE * np.maximum(np.abs(right).max(axis=0, initial=0.0), scale)
    open_ = np.arange(n)
    for _ in range(10 * count + 20):  # a few times their number is enough in practice
        if not open_.size:
            break
        target, level = _on_passive(gram, right[:, open_], passive[:, open_], sum_to_one)
        at = shares[:, open_]
        below = passive[:, open_] & (target < 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(below, at / (at - target), 1.0)
        step = steps.min(axis=0)
        feasible = ~below.any(axis=0)
        step[feasible] = 1.0
        moved = at + step * (target - at)
        leaving = below & (steps <= step)
        moved[leaving | ~passive[:, open_]] = 0.0
        shares[:, open_] = np.maximum(moved, 0.0)
        passive[:, open_] &= ~leaving
        # At the minimum of its set: the endmember that lowers the error most joins it, if any does.
        gain = right[:, open_] - gram @ moved - level
        gain[passive[:, open_]] = -np.inf
        best = gain.argmax(axis=0)
        joins = feasible & (gain[best, np.arange(open_.size)] > allowed[open_])
        passive[best[joins], open_[joins]] = True
        open_ = open_[~feasible | joins]
    return shares


def _on_passive(
    gram: np.ndarray, right: np.ndarray, passive: np.ndarray, sum_to_one: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The minimum over the passive sets, and the multiplier of the sum (zero without it)."""
    count, n = right.shape
    found, level = np.zeros((count, n)), np.zeros(n)
    codes = (1 << np.arange(count, dtype=np.int64)) @ passive
    _, which, members = np.unique(codes, return_inverse=True, return_counts=True)
    sizes, shared = passive.sum(axis=0), members[which] >= _SHARED
    order = np.flatnonzero(shared)[np.argsort(which[shared], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if order.size else []
    groups += [np.flatnonzero(~shared & (sizes == size)) for size in np.unique(sizes[~shared])]
    for columns in groups:
        size = int(sizes[columns[0]])
        if not size:
            continue
        # one set for all of them, or one a pixel: (sets, size)
        sets = columns[:1] if shared[columns[0]] else columns
        chosen = np.nonzero(passive[:, sets].T)[1].reshape(-1, size)
        system = np.ones((len(sets), size + sum_to_one, size + sum_to_one))
        system[:, :size, :size] = gram[chosen[:, :, None], chosen[:, None, :]]
        values = np.ones((columns.size, size + sum_to_one))
        values[:, :size] = right[chosen, columns[:, None]]
        if sum_to_one:
            system[:, size, size] = 0.0
        if len(sets) < columns.size:
            solved = np.linalg.solve(system[0], values.T).T
        else:
            solved = np.linalg.solve(system, values[:, :, None])[:, :, 0]
        found[chosen, columns[:, None]] = solved[:, :size]
        if sum_to_one:
            level[columns] = solved[:, size]
    return found, level
