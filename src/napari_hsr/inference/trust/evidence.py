"""What a reconstructed cube can be held against, pixel by pixel and when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import spectra
from napari_hsr.colour import ENCODINGS
from napari_hsr.errors import InputError
from napari_hsr.inference.trust.intervals import Intervals
from napari_hsr.inference.trust.pixel import PixelTrust
from napari_hsr.inference.trust.run import band_of
from napari_hsr.models.interval_table import UNLIKE
from napari_hsr.trust.linear_camera import linear_camera
from napari_hsr.trust.measured_share import measured_share

if TYPE_CHECKING:
    from napari_hsr.cameras import Camera
    from napari_hsr.cube import Cube
    from napari_hsr.inference.results import Result
    from napari_hsr.photograph import Photograph
    from napari_hsr.spectra import Curve
    from napari_hsr.trust.feasible import FeasibleBand
    from napari_hsr.trust.linear_camera import LinearCamera


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """A cube, the photograph that it was reconstructed from, and what is known of the two.

    Attributes
    ----------
    cube : Cube
        On the pixels of the photograph.
    photograph : Photograph
    linear_camera : LinearCamera or None
        The camera, where it is known.
    intervals : Intervals or None
        Where the model is calibrated. Of spectra that were projected onto the photographed colours
        those of the network's own, if the run was asked for both.
    why_no_camera, why_no_intervals : str or None
        In one sentence.
    by_name : bool
        Only name and size say that it is this photograph: the cube does not know its pixels.
    """

    cube: Cube
    photograph: Photograph
    linear_camera: LinearCamera | None = None
    intervals: Intervals | None = None
    why_no_camera: str | None = None
    why_no_intervals: str | None = None
    by_name: bool = False

    @classmethod
    def of(cls, result: Result) -> Evidence | None:
        """What a run leaves behind; None if its cube has other pixels than its photograph."""
        photograph, cube = result.photograph, result.cube
        if photograph is None or (photograph.height, photograph.width) != cube.shape[1:]:
            return None
        trust = result.trust
        colours, intervals = (trust.colours, trust.intervals) if trust else (None, None)
        exact = bool(colours and colours.exact)
        if intervals is None and result.looker is not None and not exact:
            intervals = Intervals(result.looker, cube.data)
        why = None
        if intervals is None:
            why = (
                "the spectra were made exact, and intervals are those of the network's own: ask "
                "for both in one run"
                if result.looker
                else f"{cube.provenance.model} is not calibrated: nobody has measured its errors "
                "on images that neither trained nor chose it"
            )
        found = cls(
            cube=cube,
            photograph=photograph,
            intervals=intervals,
            why_no_intervals=why,
        )
        return (
            replace(found, linear_camera=colours.linear_camera) if colours else found.seen_by(None)
        )

    def seen_by(self, camera: str | Camera | None) -> Evidence:
        """The same with another camera; with ``why_no_camera`` where it cannot be."""
        assert self.cube.wavelengths is not None  # of a model
        try:
            encoding = self.photograph.encoding or ""
            seen = linear_camera(encoding, tuple(self.cube.wavelengths), camera)
        except InputError as error:
            return replace(self, linear_camera=None, why_no_camera=str(error))
        return replace(self, linear_camera=seen, why_no_camera=None)

    @property
    def rendered(self) -> bool:
        """Whether the approximate row space of photographs made to be looked at would do."""
        return self.photograph.encoding in ENCODINGS

    @property
    def calibrated(self) -> bool:
        """Whether there are intervals."""
        return self.intervals is not None

    def pixel(self, row: int, column: int, feasible: FeasibleBand | None = None) -> PixelTrust:
        """What is known of a pixel: its share and interval, and a band found before.

        Of a pixel without a value nothing is.

        Raises
        ------
        InputError
            If it lies outside the image.
        """
        curve = spectra.pixel(self.cube, row, column)
        if not np.isfinite(curve.mean).all():
            return PixelTrust(curve=curve)
        ranges: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        found: dict[str, Any] = {}
        if self.linear_camera is not None:
            share = float(measured_share(curve.mean, self.linear_camera))
            found["measured_share"] = share if np.isfinite(share) else None  # black
        if feasible is not None:
            ranges["feasible"] = feasible.lower, feasible.upper
            found["outside"] = feasible.outside(curve.mean)
        if self.intervals is not None:
            place = np.array([row]), np.array([column])
            half = self.intervals.half_widths(*place)[:, 0].astype(np.float64)
            ranges[self.intervals.table.name] = np.maximum(curve.mean - half, 0), curve.mean + half
            unlike = float(self.intervals.at(*place)[UNLIKE, 0])
            found |= {"half_width": float(half.mean()), "unlike": unlike}
        return PixelTrust(curve=replace(curve, ranges=ranges), **found)

    def feasible(self, row: int, column: int) -> FeasibleBand:
        """The feasible band of a pixel, which takes some 30 ms; the camera must be known."""
        assert self.linear_camera is not None
        return band_of(self.photograph, self.linear_camera, row, column)

    def region(self, mask: np.ndarray) -> tuple[str, np.ndarray] | None:
        """Name and half-widths (bands,) of the interval of a region's mean; None if not known.

        Parameters
        ----------
        mask : ndarray of bool, shape (height, width)
        """
        if self.intervals is None:
            return None
        try:
            return self.intervals.table.name, self.intervals.region(mask)
        except InputError:  # no pixel of it has an interval
            return None

    def of_mean(self, curve: Curve, mask: np.ndarray) -> Curve:
        """The mean spectrum of a region with its own interval, where that is known.

        Parameters
        ----------
        curve : Curve
        mask : ndarray of bool, shape (height, width)
        """
        found = self.region(mask)
        if found is None:
            return curve
        name, half = found
        return replace(curve, ranges={name: (np.maximum(curve.mean - half, 0), curve.mean + half)})
