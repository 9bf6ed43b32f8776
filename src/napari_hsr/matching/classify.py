"""A class for every pixel: the entry at the least spectral angle, if that is small enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.analysis.block_reading import of_the_prior
from napari_hsr.arguments import told
from napari_hsr.errors import InputError
from napari_hsr.io.bands import widths_of
from napari_hsr.io.stored_numbers import row_blocks
from napari_hsr.matching.entries import LEAST_BANDS, entries_on
from napari_hsr.progress import Progress, result_of, stop_if
from napari_hsr.spectra.ground_coordinates import ground_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.matching.entries import Entries
    from napari_hsr.notices import Notice
    from napari_hsr.spectra import Curve
    from napari_hsr.spectral_library import SpectralLibrary

#: Greatest angle in degrees of a pixel that belongs to a class: 0.1 rad, as is customary.
THRESHOLD = 5.73
#: Pixels computed at a time: few enough for the cache.
_PIXELS = 2**14
#: Share of the bands that a pixel must have.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Classification:
    """The class of each pixel.

    Attributes
    ----------
    labels : ndarray, shape (height, width), uint8 or uint16
        0 for unclassified, else the number of the class from 1.
    angles : ndarray, shape (height, width), float32
        The least spectral angle in degrees; NaN for pixels that are black or lack half their bands.
    names : tuple of str
        Of the classes.
    threshold : float or None
        In degrees.
    cube : str
        Its name.
    pixel_area : float or None
        In ``area_unit``, where the cube lies on the ground in metres.
    area_unit : str
        ``"m²"`` or ``"pixels"``.
    notices : tuple of Notice
    """

    labels: np.ndarray
    angles: np.ndarray
    names: tuple[str, ...]
    threshold: float | None
    cube: str
    pixel_area: float | None = None
    area_unit: str = "pixels"
    notices: tuple[Notice, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """A row a class, unclassified last: label, name, pixels, share, area, mean angle."""
        count = np.bincount(self.labels.ravel(), minlength=len(self.names) + 1)
        known = np.isfinite(self.angles)
        sums = np.bincount(
            self.labels[known], weights=self.angles[known], minlength=len(self.names) + 1
        )
        valued = np.bincount(self.labels[known], minlength=len(self.names) + 1)
        return [
            {
                "label": label,
                "name": self.names[label - 1] if label else "unclassified",
                "pixels": int(count[label]),
                "share": float(count[label] / self.labels.size),
                "area": float(count[label] * (self.pixel_area or 1.0)),
                "area_unit": self.area_unit,
                "mean_angle": float(sums[label] / valued[label]) if valued[label] else None,
            }
            for label in (*range(1, len(self.names) + 1), 0)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the maps."""
        return {
            "cube": self.cube,
            "threshold": self.threshold,
            "classes": self.rows(),
            "notices": [notice.text for notice in self.notices],
        }


@told
def classify(
    cube: Cube,
    entries: SpectralLibrary | Sequence[Curve] | Entries,
    *,
    threshold: float | None = THRESHOLD,
) -> Classification:
    """:func:`classify_events`, driven to its end."""
    return result_of(classify_events(cube, entries, threshold=threshold))


@told
def classify_events(
    cube: Cube,
    entries: SpectralLibrary | Sequence[Curve] | Entries,
    *,
    threshold: float | None = THRESHOLD,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Classification]:
    """Give each pixel the entry at the least spectral angle.

    Parameters
    ----------
    cube : Cube
        In memory or lazy: it is read in blocks of rows, once. Bad bands are left out.
    entries : SpectralLibrary, sequence of Curve, or Entries
        The classes, brought to the bands of the cube; bands that one of them lacks are left out.
    threshold : float or None
        Greatest angle in degrees; None gives every pixel with a spectrum a class.
    cancel : threading.Event, optional

    Yields
    ------
    Progress, and last a Classification

    Raises
    ------
    InputError
        If the threshold is no angle, an entry is black, or fewer than three bands are shared.
    """
    if threshold is not None and not 0 < threshold <= 180:
        raise InputError(f"The threshold is an angle above 0 and up to 180°, not {threshold:g}.")
    nm = None if cube.wavelengths is None else np.asarray(cube.wavelengths)
    notices = of_the_prior(cube, "a classification")
    known = entries_on(entries, nm, cube.bands, widths_of(cube))
    notices += known.differing(cube)
    if len(known) > np.iinfo(np.uint16).max:
        raise InputError(f"{len(known):,} classes are too many: choose entries of {known.name}.")
    bands = np.flatnonzero(np.isfinite(known.values).all(axis=0) & cube.good_bands)
    if bands.size < LEAST_BANDS:
        raise InputError(
            f"The chosen spectra and {cube.name} share {bands.size} bands: {LEAST_BANDS} or more "
            "are needed."
        )
    members = known.values[:, bands]
    black = ~members.any(axis=1)
    if black.any():
        raise InputError(f"{known.names[int(black.argmax())]} is zero in all bands: no class.")
    members = members / np.sqrt((members**2).sum(axis=1, keepdims=True))
    _, height, width = cube.shape
    labels = np.zeros((height, width), np.uint8 if len(known) < 256 else np.uint16)
    angles = np.full((height, width), np.nan, np.float32)
    every = bands.size == cube.bands
    stop_if(cancel)
    for rows, values in row_blocks(cube):
        pixels = (values if every else values[bands]).reshape(bands.size, -1)
        flat = slice(rows.start * width, rows.stop * width)
        into = labels.reshape(-1)[flat], angles.reshape(-1)[flat]
        for first in range(0, pixels.shape[1], _PIXELS):
            stop_if(cancel)
            part = slice(first, first + _PIXELS)
            best, angle = _nearest(pixels[:, part].astype(np.float64), members)
            if threshold is not None:
                best[angle > threshold] = 0
            into[0][part], into[1][part] = best, angle
            done = rows.start + min(first + _PIXELS, pixels.shape[1]) // width
            yield Progress(min(done, height), height, "Classifying")
    ground = ground_of(cube)
    area = abs(ground.pixel[0] * ground.pixel[1]) if ground and ground.unit == "m" else None
    yield Classification(
        labels,
        angles,
        known.names,
        threshold,
        cube.name,
        area,
        "pixels" if area is None else "m²",
        (*known.notices, *notices),
    )


def _nearest(pixels: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The class from 1 and the angle in degrees of pixels (bands, n); 0 and NaN without a spectrum."""
    with np.errstate(invalid="ignore", over="ignore"):
        whole = bool(np.isfinite(pixels.sum()))
    if whole:
        length = np.einsum("bn,bn->n", pixels, pixels)
        cosines = members @ pixels
    else:
        has = np.isfinite(pixels)
        pixels = np.where(has, pixels, 0)
        length = np.einsum("bn,bn->n", pixels, pixels)
        length[has.sum(axis=0) < max(2, _LEAST_SHARE * len(pixels))] = 0
        own = members**2 @ has
        cosines = np.divide(members @ pixels, np.sqrt(own), out=np.zeros(own.shape), where=own > 0)
    best = cosines.argmax(axis=0)
    greatest = np.take_along_axis(cosines, best[None], 0)[0]
    cosine = np.divide(greatest, np.sqrt(length), out=np.zeros(len(length)), where=length > 0)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    angle[length == 0] = np.nan
    return np.where(length > 0, best + 1, 0), angle
