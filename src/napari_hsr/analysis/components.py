"""Principal components and minimum noise fractions of a cube, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.analysis.block_reading import derived, no_value, of_the_prior, parts, usable_bands
from napari_hsr.arguments import told
from napari_hsr.cube import check_values
from napari_hsr.errors import InputError
from napari_hsr.io.limits import check_memory
from napari_hsr.io.text_files import csv_text, write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, abandonable, as_part, result_of, stop_if

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable, Generator, Iterator

    from napari_hsr.cube import Cube

#: The methods, and what they are called.
METHODS = {"pca": "principal components", "mnf": "minimum noise fraction"}
#: Units of the scores of MNF: its noise has a standard deviation of 1.
NOISE_UNITS = "s.d. of the noise"
#: Of the largest variance of the noise: what is below it is not told from rounding in float32.
_LEAST_NOISE = 1e-10
#: Matrices (bands, bands) of float64 that are held at once, as measured.
_MATRICES = {"pca": 9, "mnf": 17}
_SHORT = {"pca": "PC", "mnf": "MNF"}


@dataclass(frozen=True, eq=False)
class Components:
    """The components of a cube.

    Attributes
    ----------
    method : str
        ``"pca"`` or ``"mnf"``.
    cube : Cube, shape (n, height, width)
        The scores: for PCA in the units of the cube, for MNF in standard deviations of the noise.
        NaN where a band of a pixel is missing.
    eigenvalues : ndarray, shape (bands in use,), float64
        Descending. For PCA the variances of the components, for MNF (variance of signal and
        noise) / (variance of noise): about 1 where there is noise alone.
    loadings : ndarray, shape (n, bands in use), float64
        What one unit of a component adds to the spectrum.
    mean : ndarray, shape (bands in use,), float64
        ``mean + scores.T @ loadings`` with all components is the spectrum.
    bands : ndarray of int
        The bands in use, from 0: the good ones that hold values.
    wavelengths_nm : ndarray or None
        Of the bands in use.
    """

    method: str
    cube: Cube
    eigenvalues: np.ndarray
    loadings: np.ndarray
    mean: np.ndarray
    bands: np.ndarray
    wavelengths_nm: np.ndarray | None

    @property
    def share(self) -> np.ndarray:
        """Each eigenvalue's share of their sum; for PCA the share of the variance explained."""
        shares: np.ndarray = self.eigenvalues / self.eigenvalues.sum()
        return shares

    @property
    def names(self) -> list[str]:
        """``PC 1`` or ``MNF 1`` and so on, one a component of the cube."""
        return [f"{_SHORT[self.method]} {k + 1}" for k in range(len(self.loadings))]

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Those of the cube of scores."""
        return self.cube.notices

    def to_csv(self) -> str:
        """One band a row: band, wavelength, mean, loadings; then eigenvalues and their shares."""
        rows: list[list[object]] = [["band", "wavelength_nm", "mean", *self.names]]
        for at, band in enumerate(self.bands.tolist()):
            nm = "" if self.wavelengths_nm is None else f"{self.wavelengths_nm[at]:.10g}"
            rows.append([band + 1, nm, repr(float(self.mean[at])), *self.loadings[:, at].tolist()])
        n = len(self.loadings)
        rows.append(["eigenvalue", "", "", *self.eigenvalues[:n].tolist()])
        rows.append(["share", "", "", *self.share[:n].tolist()])
        return csv_text(rows)

    def write_csv(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_csv` to a file, atomically."""
        write_text(path, self.to_csv())


@told
def components(
    cube: Cube,
    method: str = "pca",
    n: int = 5,
    *,
    progress: Callable[[Progress], object] | None = None,
    cancel: threading.Event | None = None,
) -> Components:
    """Principal components, or minimum noise fractions.

    MNF (Green et al., IEEE TGRS 26(1), 1988) whitens the noise first, so that components are
    ordered by their signal-to-noise ratio and not by their variance. The noise is estimated from
    the differences of neighbours in a row: half of their covariance.

    Parameters
    ----------
    cube : Cube
        In memory or lazy: it is read twice, in rows, and never held as a whole.
    method : str
        ``"pca"`` or ``"mnf"``.
    n : int
        Number of components, at most the number of usable bands.
    progress : callable, optional
        Called with each :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional

    Returns
    -------
    Components
        The sign of a component is such that its largest loading is positive.

    Raises
    ------
    InputError
        If there is no such method or number, too few pixels have all values, the cube is flat, values
        are too large, or bands so many that it takes much memory, which is not allowed.
    napari_hsr.errors.Cancelled
    """
    return result_of(components_events(cube, method, n, cancel=cancel), progress)


@told
def components_events(
    cube: Cube, method: str = "pca", n: int = 5, *, cancel: threading.Event | None = None
) -> Iterator[Progress | Components]:
    """:func:`components` as events: progress of both passes, and last the result.

    A cancel is answered at once, also while the eigenvalue problem is solved.
    """
    return abandonable(_events(cube, method, n, cancel), cancel)


def _events(
    cube: Cube, method: str, n: int, cancel: threading.Event | None
) -> Iterator[Progress | Components]:
    if method not in METHODS:
        raise InputError(f"Components are made by {' or '.join(METHODS)}, not by {method!r}.")
    bands, told = usable_bands(cube)
    needed = 8 * bands.size**2 * _MATRICES[method]
    check_memory(needed, f"Computing {METHODS[method]} of {bands.size} bands")
    if not 1 <= n <= bands.size:
        raise InputError(
            f"{cube.name} has {bands.size} usable bands: {n} components cannot be made."
        )
    statistics = _statistics(cube, bands, method == "mnf", cancel)
    mean, covariance, noise = yield from as_part(statistics, 0, 50, 100)
    yield Progress(50, 100, f"Solving for {bands.size} bands")  # takes their number to the third
    stop_if(cancel)
    eigenvalues, weights, loadings, more = _solved(covariance, noise)
    told += more
    scores = np.empty((n, *cube.shape[1:]), np.float32)
    for rows, values, event in parts(cube, bands.tolist(), cancel, "Components"):
        flat = values.reshape(bands.size, -1).astype(np.float64) - mean[:, None]
        flat[:, ~np.isfinite(flat).all(axis=0)] = np.nan
        scores[:, rows] = (weights[:, :n].T @ flat).reshape(n, *values.shape[1:])
        yield Progress(50 + 50 * event.done // event.total, 100, event.message)
    holes = int(np.isnan(scores[0]).sum())
    told += [*no_value(holes, scores[0].size), *of_the_prior(cube, "a component")]
    title = method.upper()
    shares = eigenvalues / eigenvalues.sum()
    facts = {
        "kind": "components",
        "method": method,
        "eigenvalues": eigenvalues[:n].tolist(),
        "shares": shares[:n].tolist(),
        "bands": (bands + 1).tolist(),
    }
    yield Components(
        method,
        derived(
            cube,
            scores,
            title,
            f"The first {n} of its {bands.size} components by {METHODS[method]}.",
            units=cube.units if method == "pca" else NOISE_UNITS,
            facts=facts,
            notices=told,
            names=[f"{_SHORT[method]} {k + 1}" for k in range(n)],
        ),
        eigenvalues,
        loadings[:n],
        mean,
        bands,
        None if cube.wavelengths is None else cube.wavelengths.nm[bands],
    )


def _statistics(
    cube: Cube, bands: np.ndarray, with_noise: bool, cancel: threading.Event | None
) -> Generator[Progress | tuple[np.ndarray, np.ndarray, np.ndarray | None], None, None]:
    """Mean and covariance of whole pixels, and of the noise half that of neighbours' differences.

    Sums are taken about the mean of the first part, so that large offsets cost no digits.
    """
    shift: np.ndarray | None = None
    whole, apart = _Moments(bands.size), _Moments(bands.size)
    for _, values, event in parts(cube, bands.tolist(), cancel, "Statistics"):
        check_values(values, cube.name)
        block = values.astype(np.float64)
        usable = np.asarray(np.isfinite(block).all(axis=0))
        chosen = block[:, usable]
        if chosen.size:
            shift = chosen.mean(axis=1) if shift is None else shift
            whole.add(chosen - shift[:, None])
        if with_noise:
            pairs = usable[:, :-1] & usable[:, 1:]
            apart.add((block[:, :, :-1] - block[:, :, 1:])[:, pairs])
        yield event
    if shift is None or whole.count < 2:
        raise InputError(
            f"Fewer than two pixels of {cube.name} have a value in each of its {bands.size} bands."
        )
    covariance = whole.covariance()
    if not np.trace(covariance) > 0:
        raise InputError(f"All pixels of {cube.name} are equal: it has no components.")
    noise = None
    if with_noise:
        if apart.count < 2 or not np.trace(apart.covariance()) > 0:
            raise InputError(
                f"The noise of {cube.name} cannot be estimated: it has no neighbours in a row that "
                "differ. Take pca."
            )
        noise = apart.covariance() / 2
    yield whole.mean() + shift, covariance, noise


class _Moments:
    """First and second moments of columns."""

    def __init__(self, bands: int):
        self.count = 0
        self._sum, self._products = np.zeros(bands), np.zeros((bands, bands))

    def add(self, columns: np.ndarray) -> None:
        self.count += columns.shape[1]
        self._sum += columns.sum(axis=1)
        self._products += columns @ columns.T

    def mean(self) -> np.ndarray:
        mean: np.ndarray = self._sum / self.count
        return mean

    def covariance(self) -> np.ndarray:
        """Divided by the count less one."""
        mean = self.mean()
        about: np.ndarray = self._products - self.count * np.outer(mean, mean)
        return about / (self.count - 1)


def _solved(
    covariance: np.ndarray, noise: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Notice]]:
    """Eigenvalues descending, weights (bands, bands) by column, loadings by row, what to tell."""
    told: list[Notice] = []
    whiten = unwhiten = np.eye(len(covariance))
    if noise is not None:
        variances, directions = np.linalg.eigh(noise)
        floor = _LEAST_NOISE * variances[-1]
        low = int((variances < floor).sum())
        if low:
            text = (
                f"In {low} of {len(noise)} directions there is no noise to speak of: it was taken "
            )
            text += "as 1e-5 of the largest, and the first components follow that."
            told.append(Notice.warning(Code.NOISE_SINGULAR, text))
        deviations = np.sqrt(np.maximum(variances, floor))
        whiten, unwhiten = directions / deviations, (directions * deviations).T
    inner = whiten.T @ covariance @ whiten
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    loadings = vectors.T @ unwhiten
    largest = np.abs(loadings).argmax(axis=1)
    signs = np.sign(loadings[np.arange(len(loadings)), largest])
    return values, (whiten @ vectors) * signs, loadings * signs[:, None], told
