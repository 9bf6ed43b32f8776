"""A cube corrected by spectra measured at some of its places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.progress import Progress, result_of, stop_if
from napari_hsr.trust.anchors import AnchorFit, fit_anchors

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.spectral_library import SpectralLibrary

#: Row and column, or a mask (height, width).
Place = tuple[int, int] | np.ndarray
#: Pixels corrected together.
_STRIP = 2**16


def anchored(
    cube: Cube,
    library: SpectralLibrary,
    places: Mapping[str, Place] | Sequence[tuple[str, Place]],
    radius: int = 1,
) -> tuple[AnchorFit, Cube]:
    """Fit the correction, and apply it if it helps.

    Parameters
    ----------
    cube : Cube
        With wavelengths, on the scale of the measured spectra.
    library : SpectralLibrary
        On any grid that covers the cube's.
    places : mapping of str to place, or sequence of (str, place)
        Where each spectrum was measured, by its name in the library: row and column, or a mask of
        bool (height, width).
    radius : int
        The mean over a square of so many pixels to each side of a row and column counts.

    Returns
    -------
    AnchorFit
        With the figures.
    Cube
        Corrected, its provenance says how; the same cube if the correction does not help.

    Raises
    ------
    InputError
        If a name or place is wrong, or :func:`~napari_hsr.trust.anchors.fit_anchors` refuses.
    """
    return result_of(anchored_events(cube, library, places, radius))


def anchored_events(
    cube: Cube,
    library: SpectralLibrary,
    places: Mapping[str, Place] | Sequence[tuple[str, Place]],
    radius: int = 1,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | tuple[AnchorFit, Cube]]:
    """:func:`anchored` as events: progress, and the result last."""
    if cube.wavelengths is None:
        raise InputError(f"The wavelengths of {cube.name} are not known: state them first.")
    if radius < 0:
        raise InputError(f"A radius is 0 or more pixels, not {radius}.")
    pairs = list(places.items()) if isinstance(places, Mapping) else list(places)
    _, height, width = cube.shape
    yield Progress(0, height, "Fitting the correction")
    on_grid = library.on(np.asarray(cube.wavelengths))
    found, measured = [], []
    for name, place in pairs:
        if name not in library.names:
            known = ", ".join(library.names[:5])
            raise InputError(f"No measured spectrum is called {name!r}; there are {known}.")
        found.append(_at(cube, name, place, radius))
        measured.append(on_grid[name])
    if not pairs:
        raise InputError("No measured spectrum has a place.")
    names = [name for name, _ in pairs]
    fit = fit_anchors(np.stack(found, axis=1), np.stack(measured, axis=1), names=names)
    if not fit.helps:
        yield fit, cube
        return
    data = np.empty(cube.shape, np.float32)
    rows_each = max(1, _STRIP // width)
    for start in range(0, height, rows_each):
        stop_if(cancel)
        yield Progress(start, height, "Correcting the cube")
        strip = slice(start, start + rows_each)
        data[:, strip] = fit.apply(np.asarray(cube.data[:, strip]))
    step = f"Corrected by spectra measured at {len(pairs)} places: {', '.join(names)}."
    anchors = {
        "places": {
            name if names.count(name) == 1 else f"{name} ({number})": _said(place)
            for number, (name, place) in enumerate(pairs, start=1)
        },
        "difference_before": float(fit.before.mean()),
        "difference_after_left_out": float(fit.after.mean()),
    }
    extra = {**cube.provenance.extra, "anchors": anchors}
    provenance = replace(cube.provenance, extra=extra).with_step(step)
    yield fit, cube.replace(data=data, name=f"{cube.name} anchored", provenance=provenance)


def _at(cube: Cube, name: str, place: Place, radius: int) -> np.ndarray:
    """The mean spectrum at a place, (bands,)."""
    _, height, width = cube.shape
    if isinstance(place, np.ndarray):
        if place.shape != (height, width) or not place.any():
            raise InputError(f"The anchor {name} covers no pixel of {cube.name}.")
        inside: np.ndarray = np.asarray(cube.data[(slice(None), *np.nonzero(place))], np.float64)
        return _mean(inside, name, cube)
    if not all(float(at).is_integer() for at in place):
        raise InputError(f"The anchor {name} is at {place}: row and column are whole numbers.")
    row, column = map(int, place)
    if not (0 <= row < height and 0 <= column < width):
        raise InputError(
            f"The anchor {name} at ({row}, {column}) lies outside {cube.name}, which has "
            f"{height} x {width} pixels."
        )
    rows, columns = (slice(max(0, at - radius), at + radius + 1) for at in (row, column))
    around = np.asarray(cube.data[:, rows, columns], np.float64)
    return _mean(around.reshape(len(around), -1), name, cube)


def _mean(values: np.ndarray, name: str, cube: Cube) -> np.ndarray:
    """Of what is finite of (bands, pixels)."""
    if not np.isfinite(values).any(axis=1).all():
        raise InputError(f"The anchor {name} lies where {cube.name} has no values.")
    mean: np.ndarray = np.nanmean(values, axis=1)
    return mean


def _said(place: Place) -> list[float]:
    """Row and column of a place, of the centre of a region."""
    if isinstance(place, np.ndarray):
        return [round(float(at.mean()), 1) for at in np.nonzero(place)]
    return list(place)
