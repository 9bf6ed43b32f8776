"""A cube corrected by spectra measured at some of its places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.trust.anchors import AnchorFit, fit_anchors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.cube import Cube
    from napari_hsr.spectral_library import SpectralLibrary

#: Pixels corrected together.
_STRIP = 2**16


def anchored(
    cube: Cube,
    library: SpectralLibrary,
    places: Mapping[str, tuple[int, int]],
    radius: int = 1,
) -> tuple[AnchorFit, Cube]:
    """Fit the correction, and apply it if it helps.

    Parameters
    ----------
    cube : Cube
        With wavelengths, on the scale of the measured spectra.
    library : SpectralLibrary
        On any grid that covers the cube's.
    places : mapping of str to (int, int)
        Row and column of each spectrum, by its name in the library.
    radius : int
        The mean over a square of so many pixels to each side is what was measured.

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
    if cube.wavelengths is None:
        raise InputError(f"The wavelengths of {cube.name} are not known: state them first.")
    if radius < 0:
        raise InputError(f"A radius is 0 or more pixels, not {radius}.")
    _, height, width = cube.shape
    found = []
    for name, (row, column) in places.items():
        if name not in library.names:
            known = ", ".join(library.names[:5])
            raise InputError(f"No measured spectrum is called {name!r}; there are {known}.")
        if not (0 <= row < height and 0 <= column < width):
            raise InputError(
                f"The anchor {name} at ({row}, {column}) lies outside {cube.name}, which has "
                f"{height} x {width} pixels."
            )
        rows, columns = (slice(max(0, at - radius), at + radius + 1) for at in (row, column))
        around = np.asarray(cube.data[:, rows, columns], np.float64)
        found.append(np.nanmean(around, axis=(1, 2)))
    on_grid = library.on(np.asarray(cube.wavelengths))
    measured = np.stack([on_grid[name] for name in places], axis=1)
    fit = fit_anchors(np.stack(found, axis=1), measured)
    if not fit.helps:
        return fit, cube
    data = np.empty(cube.shape, np.float32)
    rows_each = max(1, _STRIP // width)
    for start in range(0, height, rows_each):
        strip = slice(start, start + rows_each)
        data[:, strip] = fit.apply(np.asarray(cube.data[:, strip]))
    step = f"Corrected by spectra measured at {len(places)} places: {', '.join(places)}."
    anchors = {
        "places": {name: list(at) for name, at in places.items()},
        "difference_before": float(fit.before.mean()),
        "difference_after_left_out": float(fit.after.mean()),
    }
    extra = {**cube.provenance.extra, "anchors": anchors}
    provenance = replace(cube.provenance, extra=extra).with_step(step)
    return fit, cube.replace(data=data, name=f"{cube.name} anchored", provenance=provenance)
