"""A cube corrected by spectra measured at some of its places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.io.bands import widths_of
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, result_of, stop_if
from napari_hsr.quantities import Quantity, quantity_of
from napari_hsr.trust.anchors import AnchorFit, fit_anchors
from napari_hsr.trust.physical_quantity import factor_to, multiplied

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.spectral_library import SpectralLibrary

#: Row and column, or a mask (height, width).
Place = tuple[int, int] | np.ndarray
#: Pixels corrected together.
_STRIP = 2**16
#: From this ratio of its largest to its least gain on, what all anchors share looks like a light.
_LIGHT = 2.0
_REFLECTANCES = (Quantity.REFLECTANCE, Quantity.PERCENT)


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
        With wavelengths.
    library : SpectralLibrary
        On any grid that covers the cube's, and the same quantity, as far as the units are known;
        of percent and fractions, those of the cube are taken.
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
        Corrected, its provenance says how; the same cube if the correction does not help. A notice
        says where the spectra may not have been reflectance.

    Raises
    ------
    InputError
        If a name or place is wrong, the units are of different quantities, or :func:`~napari_hsr.trust.anchors.fit_anchors` refuses.
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
    factor = factor_to(library.units, cube.units, library.name, cube.name)
    on_grid = library.on(np.asarray(cube.wavelengths), widths_of(cube))
    found, measured = [], []
    for name, place in pairs:
        spectrum = on_grid.values[library.find(name)]
        found.append(_at(cube, name, place, radius))
        _check_whole(name, spectrum, on_grid, cube)
        measured.append(factor * spectrum)
    if not pairs:
        raise InputError("No measured spectrum has a place.")
    names = [name for name, _ in pairs]
    good = np.flatnonzero(cube.good_bands)  # the others stay as they are
    fit = fit_anchors(np.stack(found, axis=1)[good], np.stack(measured, axis=1)[good], names=names)
    if not fit.helps:
        yield fit, cube
        return
    data = np.empty(cube.shape, np.float32)
    rows_each = max(1, _STRIP // width)
    for start in range(0, height, rows_each):
        stop_if(cancel)
        yield Progress(start, height, "Correcting the cube")
        strip = slice(start, start + rows_each)
        data[:, strip] = np.asarray(cube.data[:, strip])
        data[good, strip] = fit.apply(data[good, strip])
    step = f"Corrected by spectra measured at {len(pairs)} places: {', '.join(names)}."
    if factor != 1:
        step += f" {multiplied('They', factor, library.units, cube.units)}"
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
    of_widths = on_grid.notices[len(library.notices) :]
    told = (*cube.notices, *of_widths, *_doubts(cube, library, fit))
    yield (
        fit,
        cube.replace(data=data, name=f"{cube.name} anchored", provenance=provenance, notices=told),
    )


def _check_whole(name: str, spectrum: np.ndarray, library: SpectralLibrary, cube: Cube) -> None:
    """Refuse a measured spectrum with gaps: a line over them would pass for measured."""
    lacks = library.wavelengths_nm[~np.isfinite(spectrum) & cube.good_bands]
    if lacks.size:
        raise InputError(
            f"The measured spectrum {name} lacks values between {lacks[0]:g} and {lacks[-1]:g} nm, where {cube.name} "
            "has bands: mark these as bad, or leave the spectrum out."
        )


def _doubts(cube: Cube, library: SpectralLibrary, fit: AnchorFit) -> Iterator[Notice]:
    """Whether spectra that do not say what they are may hold the light."""
    known = quantity_of(library.units)
    if known is not None or quantity_of(cube.units) not in (None, *_REFLECTANCES):
        return
    nm, gain = np.asarray(cube.wavelengths)[cube.good_bands], fit.gain
    low, high = int(gain.argmin()), int(gain.argmax())
    if gain[high] < _LIGHT * gain[low]:
        return
    yield Notice.warning(
        Code.UNITS_DIFFER,
        f"All measured spectra differ from the cube by about one curve, from × {gain[low]:.2g} at "
        f"{nm[low]:g} nm to × {gain[high]:.2g} at {nm[high]:g} nm, as of a light, and {library.name} does "
        "not say what they are: if they are radiance or counts, the corrected cube now holds the light. "
        "Divide them by those of a white reference then.",
    )


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
    if not np.isfinite(values).any(axis=1)[cube.good_bands].all():
        raise InputError(f"The anchor {name} lies where {cube.name} has no values.")
    known = np.isfinite(values)
    mean: np.ndarray = np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return mean


def _said(place: Place) -> list[float]:
    """Row and column of a place, of the centre of a region."""
    if isinstance(place, np.ndarray):
        return [round(float(at.mean()), 1) for at in np.nonzero(place)]
    return list(place)
