"""How far a reconstructed cube can be trusted: one pass over the finished cube, strip by strip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.colour import decode_photograph_tile
from napari_hsr.cube import finite_range
from napari_hsr.errors import InputError
from napari_hsr.inference.trust.intervals import Intervals
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import SATURATED, saturated
from napari_hsr.progress import Progress, stop_if
from napari_hsr.trust.exact_colours import AT_LEAST, AT_MOST, EQUAL, project, residual
from napari_hsr.trust.feasible import FeasibleBand, feasible_band, smoothness, tolerance
from napari_hsr.trust.linear_camera import linear_camera
from napari_hsr.trust.measured_share import measured_share

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator

    from napari_hsr.cameras import Camera
    from napari_hsr.inference.trust.intervals import Looker
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph
    from napari_hsr.trust.linear_camera import LinearCamera

#: Pixels looked at together.
STRIP_PIXELS = 2**16


@dataclass(frozen=True, eq=False, kw_only=True)
class Colours:
    """A cube against the colours of its photograph, pixel by pixel.

    Attributes
    ----------
    linear_camera : LinearCamera
        The camera that the maps are of.
    exact : bool
        Whether the cube was made to have exactly the photographed colours.
    share : ndarray, shape (height, width), float32
        The measured share of each spectrum, see :func:`napari_hsr.trust.measured_share.measured_share`.
    residual : ndarray, shape (height, width), float32
        ‖ρ − Cᵀs‖ / ‖ρ‖ of the network's own spectra, before any projection.
    not_met : int
        Pixels of an exact cube whose colour no spectrum without negative values has.
    """

    linear_camera: LinearCamera
    exact: bool
    share: np.ndarray
    residual: np.ndarray
    not_met: int

    def record(self) -> dict[str, Any]:
        """The figures for the provenance of the cube."""
        return {
            "camera": self.linear_camera.name,
            "camera_approximate": self.linear_camera.approximate,
            "exact": self.exact,
            "measured_share_mean": _mean(self.share),
            "residual_before_projection_mean": _mean(self.residual),
        }

    def steps(self) -> tuple[str, ...]:
        """What was done, for the provenance of the cube."""
        if not self.exact:
            return ()
        return (
            f"Projected onto the spectra that have the photographed colours: {self._row_space}.",
        )

    def notices(self) -> Iterator[Notice]:
        """What the user must know of it."""
        share = f"{_mean(self.share):.0%} of the spectra's energy lies where the camera measures"
        text = f"By {self._row_space}, {share}; the rest is inferred."
        if not np.isfinite(self.share).any():
            text = (
                "All spectra are black or without a value: nothing says what was measured of them."
            )
        elif self.exact:
            text = (
                f"{text} The spectra have exactly the photographed colours; the network's own "
                f"missed them by {_mean(self.residual):.1%} on average."
            )
        yield Notice.info(Code.COLOURS_EXACT if self.exact else Code.MEASURED_SHARE, text)
        yield from self.linear_camera.notices
        if self.linear_camera.approximate:
            why = (
                "The photograph was rendered to sRGB"
                if self.linear_camera.profile is None
                else "The camera's sensitivities were estimated from a chart"
            )
            yield Notice.warning(
                Code.ROW_SPACE_APPROXIMATE,
                f"{why}: what its camera measured is known only approximately.",
            )
        if self.not_met:
            share = f"{self.not_met / self.residual.size:.1%}"
            yield Notice.warning(
                Code.COLOURS_NOT_MET,
                f"{self.not_met} pixels ({share}) have a colour that no spectrum without negative "
                "values has for this camera: they have the nearest spectrum.",
            )

    @property
    def _row_space(self) -> str:
        about = "the approximate row space of " if self.linear_camera.approximate else ""
        return about + self.linear_camera.name


@dataclass(frozen=True, eq=False, kw_only=True)
class Trust:
    """How far a cube can be trusted.

    Attributes
    ----------
    colours : Colours or None
        What was measured, where the camera is known.
    intervals : Intervals or None
        How wrong it may be, where that was asked for.
    value_range : (float, float) or None
        Extremes of the cube, where it was changed.
    """

    colours: Colours | None = None
    intervals: Intervals | None = None
    value_range: tuple[float, float] | None = None

    def record(self) -> dict[str, Any]:
        """The figures for the provenance of the cube."""
        return {key: value for part in self._parts() for key, value in part.record().items()}

    def steps(self) -> tuple[str, ...]:
        """What was done to the cube, for its provenance."""
        return self.colours.steps() if self.colours else ()

    def notices(self) -> Iterator[Notice]:
        """What the user must know of it."""
        for part in self._parts():
            yield from part.notices()

    def _parts(self) -> list[Colours | Intervals]:
        return [part for part in (self.colours, self.intervals) if part is not None]


def linear_camera_of(
    photograph: Photograph, model: Model, camera: str | Camera | None, finer: int
) -> LinearCamera:
    """The camera that a photograph's cube is held against.

    Raises
    ------
    InputError
        If it is not known, or pixels of the cube are not those of the photograph.
    """
    if finer > 1:
        raise InputError(
            "A cube finer than its photograph cannot be held against its colours: leave finer at 1."
        )
    assert photograph.encoding is not None  # checked before
    return linear_camera(photograph.encoding, tuple(model.wavelengths), camera)


def trust_events(
    data: np.ndarray,
    photograph: Photograph,
    seen: LinearCamera | None,
    exact: bool,
    look: Looker | None,
    cancel: threading.Event | None = None,
) -> Generator[Progress, None, Trust]:
    """Hold a finished cube against its photograph.

    Parameters
    ----------
    data : ndarray, shape (bands, height, width)
    photograph : Photograph
    seen : LinearCamera or None
        The camera, if it is known.
    exact : bool
        Write the projected spectra in place of those of the network.
    look : Looker or None
        What finds intervals, which are those of the network's own spectra: at once where these
        are about to be written over, else when they are first asked for.
    cancel : threading.Event, optional
    """
    height, width = photograph.height, photograph.width
    if seen is None:
        return Trust(intervals=None if look is None else Intervals(look, data))
    maps = np.zeros((2, height, width), np.float32)
    looked = look.new_maps() if look and exact else None
    not_met, low, high = 0, np.inf, -np.inf
    rows = max(1, STRIP_PIXELS // width)
    message = "Projecting onto the photographed colours" if exact else "Looking at spectra"
    for start in range(0, height, rows):
        stop_if(cancel)
        yield Progress(height, height, message)
        strip = slice(start, min(start + rows, height))
        spectra = np.asarray(data[:, strip])
        shape = spectra.shape
        spectra = spectra.reshape(shape[0], -1)
        if look is not None and looked is not None:
            look.look(looked, strip, spectra)
        spectra, missed, failed = _held(spectra, photograph, seen, strip, exact)
        share = measured_share(spectra, seen)
        maps[:, strip] = np.stack([share, missed]).reshape(2, *shape[1:])
        not_met += failed
        if exact:
            data[:, strip] = spectra.reshape(shape)
            least, most = finite_range(spectra)
            low, high = min(low, least), max(high, most)
    changed = (float(low), float(high)) if low <= high else (0.0, 0.0)
    return Trust(
        colours=Colours(
            linear_camera=seen, exact=exact, share=maps[0], residual=maps[1], not_met=not_met
        ),
        intervals=None if look is None else Intervals(look, data, looked),
        value_range=changed if exact else None,
    )


def _held(
    spectra: np.ndarray, photograph: Photograph, seen: LinearCamera, strip: slice, exact: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Spectra, projected if they are to be exact; the residual before; pixels not met."""
    colours, says = colours_of(photograph, seen, strip)
    known = np.isfinite(colours).all(0) & np.isfinite(spectra).all(0)
    missed = np.full(spectra.shape[1], np.nan, np.float32)
    if not exact:
        missed[known] = residual(spectra[:, known], colours[:, known], seen, says[:, known])
        return spectra, missed, 0
    found = project(spectra[:, known], colours[:, known], seen, says[:, known])
    spectra = spectra.copy()
    spectra[:, known] = found.spectra
    missed[known] = found.residual
    return spectra, missed, int((~found.met).sum())


def colours_of(
    photograph: Photograph, seen: LinearCamera, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
    """The linear colours of some rows, (3, pixels), and what each says of the truth.

    What is at the upper end says "at least this"; integers at zero say "at most half a step".
    """
    taken, linear = _as_measured(photograph, seen)
    stored = np.asarray(taken.data[rows]).reshape(-1, 3)
    colours = linear(stored)
    says = np.full(stored.shape, EQUAL, np.uint8)
    says[_clipped(taken, seen, stored, colours)] = AT_LEAST
    if stored.dtype.kind == "u":
        top = np.iinfo(stored.dtype).max
        zero = stored == 0
        says[zero] = AT_MOST
        colours = np.where(zero, linear(np.full((1, 3), 0.5 / top, np.float32)), colours)
    return colours.T.astype(np.float64), says.T


def limits_of(
    photograph: Photograph, seen: LinearCamera, row: int, column: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the colour of a pixel may be at least and at most: rounding, noise, clipping; (3,) each.

    Half a step of integers to either side, in the file's own encoding, and then two standard
    deviations of shot noise (:func:`napari_hsr.trust.feasible.tolerance`).
    """
    taken, decoded = _as_measured(photograph, seen)
    stored = np.asarray(taken.data[row, column])

    def linear(values: np.ndarray) -> np.ndarray:
        return np.array(decoded(values[None])[0], np.float64)

    if stored.dtype.kind != "u":
        colour = linear(stored)
        high = np.where(_clipped(taken, seen, stored, colour), np.inf, colour + tolerance(colour))
        return colour - tolerance(colour), high
    top = np.iinfo(stored.dtype).max
    low, high = (linear(((stored + half) / top).astype(np.float32)) for half in (-0.5, 0.5))
    low, high = low - tolerance(low), high + tolerance(high)
    return (
        np.where(stored == 0, -np.inf, low),
        np.where(saturated(stored), np.inf, high),
    )


def _as_measured(
    photograph: Photograph, seen: LinearCamera
) -> tuple[Photograph, Callable[[np.ndarray], np.ndarray]]:
    """Whose stored values tell what the camera measured, and how they become linear colours."""
    taken, profile = photograph.measured, seen.profile
    if profile is None or taken is None or taken.data.shape != photograph.data.shape:
        return photograph, lambda stored: seen.colours(
            decode_photograph_tile(stored, photograph.encoding, seen.encoding)
        )
    gains, encoding = np.array(profile.gains), taken.encoding
    return taken, lambda stored: decode_photograph_tile(stored, encoding, profile.linear) * gains


def _clipped(
    taken: Photograph, seen: LinearCamera, stored: np.ndarray, colours: np.ndarray
) -> np.ndarray:
    """Which channels only say "at least this".

    Of a photograph that a profile was applied to, and of which no more is known, those that were
    at the camera's full scale.
    """
    if seen.profile is None or taken.encoding == seen.profile.encoding:
        return saturated(stored)
    full: np.ndarray = colours >= SATURATED * np.array(seen.profile.gains)
    return full


def band_of(photograph: Photograph, seen: LinearCamera, row: int, column: int) -> FeasibleBand:
    """The feasible band of a pixel; see :mod:`napari_hsr.trust.feasible`. Of one without a value, NaN."""
    low, high = limits_of(photograph, seen, row, column)
    if np.isnan(low).any() or np.isnan(high).any():
        nothing = np.full(len(seen.matrix), np.nan)
        return FeasibleBand(nothing, nothing.copy(), smoothness(seen.wavelengths_nm))
    return feasible_band(low, high, seen)


def _mean(values: np.ndarray) -> float:
    """Of the finite values; 0 if there is none."""
    finite = values[np.isfinite(values)]
    return round(float(finite.mean(dtype=np.float64)), 6) if finite.size else 0.0
