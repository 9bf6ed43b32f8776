"""What a photograph sees of a spectrum: the matrix of its camera, and natural spectra to expect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cameras import get_camera, matrix, slug
from napari_hsr.cameras.cut_off import cut_off
from napari_hsr.cameras.illuminants import Light
from napari_hsr.cameras.profiles import PREFIX, read_profile
from napari_hsr.cameras.response import reflectances, response
from napari_hsr.colour import ENCODINGS, encoding_label, rendering_matrix
from napari_hsr.colour.transfer import LINEAR_SRGB_TO_XYZ
from napari_hsr.errors import InputError
from napari_hsr.photograph import CAMERA, LINEAR_SRGB, XYZ_D65

if TYPE_CHECKING:
    from napari_hsr.cameras import Camera
    from napari_hsr.cameras.profiles import CameraProfile
    from napari_hsr.notices import Notice

#: The row space that photographs rendered to sRGB have approximately.
CIE = "cie-1931"
#: Share of its mean diagonal added to the second moment: every spectrum is possible.
_RIDGE = 1e-4


@dataclass(frozen=True, eq=False)
class LinearCamera:
    """A linear camera as the bands of a cube see it.

    Attributes
    ----------
    matrix : ndarray, shape (bands, 3), float64
        C: a spectrum s has the colour Cᵀ s.
    wavelengths_nm : tuple of float
        Band centres.
    encoding : str
        Of the colours: linear, as the photograph's or decoded from it.
    name : str
        The camera, for people.
    approximate : bool
        Whether the photograph was rendered from what the camera measured, so that its colours
        are those of the matrix only about.
    profile : CameraProfile, optional
        By which the photograph was made from what the camera measured: the matrix is that of the
        camera's own channels, exposed and balanced.
    notices : tuple of Notice
        That its table ends where it still sees.
    """

    matrix: np.ndarray
    wavelengths_nm: tuple[float, ...]
    encoding: str
    name: str
    approximate: bool = False
    profile: CameraProfile | None = None
    notices: tuple[Notice, ...] = ()

    def colours(self, photographed: np.ndarray) -> np.ndarray:
        """Of colours (…, 3) of a photograph in :attr:`encoding`, those that are linear in spectra."""
        return photographed if self.profile is None else self.profile.undone(photographed)

    @cached_property
    def second_moment(self) -> np.ndarray:
        """Q = E[s sᵀ] of natural spectra, (bands, bands), of trace 1 and positive definite.

        Of the 99 CIE 224:2017 test samples and a ColorChecker, as far as these are measured.
        """
        samples = reflectances(self.wavelengths_nm)
        moment = samples.T @ samples
        moment /= np.trace(moment)
        bands = len(moment)
        whole: np.ndarray = (moment + _RIDGE / bands * np.eye(bands)) / (1 + _RIDGE)
        return whole

    @cached_property
    def natural(self) -> np.ndarray:
        """The mean natural spectrum, (bands,)."""
        mean: np.ndarray = reflectances(self.wavelengths_nm).mean(axis=0)
        return mean

    @cached_property
    def directions(self) -> np.ndarray:
        """An orthonormal basis of what the camera sees, the span of C, (bands, 3)."""
        basis: np.ndarray = np.linalg.qr(self.matrix)[0]
        return basis


def linear_camera(
    encoding: str,
    wavelengths_nm: np.ndarray | tuple[float, ...],
    camera: str | Camera | None = None,
) -> LinearCamera:
    """The linear camera behind a photograph.

    Parameters
    ----------
    encoding : str
        Of the photograph. ``camera:<name>`` and ``xyz-d65`` name their camera.
    wavelengths_nm : array-like, shape (bands,)
        Band centres of the cube.
    camera : str or Camera, optional
        As :func:`napari_hsr.cameras.get_camera` takes it. ``"cie-1931"`` for a photograph in sRGB
        is the approximate row space of all that are rendered for people to look at. A measured
        camera with a photograph in sRGB is taken under D65, white-balanced and through its
        colour matrix, as :func:`napari_hsr.cameras.simulate` takes pictures. ``"profile:NAME"`` is
        a kept :class:`~napari_hsr.cameras.profiles.CameraProfile`, for a photograph that it was
        applied to.

    Raises
    ------
    InputError
        If no camera is named and the encoding names none, or it contradicts the encoding.
    """
    nm = np.asarray(wavelengths_nm, dtype=np.float64).ravel()
    grid = tuple(nm.tolist())
    if isinstance(camera, str) and camera.startswith(PREFIX):
        return _profiled(encoding, nm, camera)
    rendered = encoding in ENCODINGS
    if camera is None:
        if encoding == XYZ_D65:
            camera = CIE
        elif rendered:
            raise InputError(
                f"Which camera took this photograph is not known, and its encoding, {encoding}, does "
                f"not say: name the camera or a table of its sensitivities, or {CIE} for the "
                "approximate row space of every photograph in sRGB."
            )
    if not rendered:
        try:
            known = get_camera(encoding if camera is None else camera)
        except InputError as error:
            if camera is not None:
                raise
            raise InputError(
                f"The sensitivities of the {encoding_label(encoding)} are not known here: name a "
                "table of them as file.csv:name."
            ) from error
        if known.observer or (CAMERA + slug(known.name) != encoding and isinstance(camera, str)):
            raise InputError(
                f"The photograph holds the {encoding_label(encoding)}, not that of {known.name}."
            )
        told = cut_off((known,), nm)
        return LinearCamera(matrix(known, nm), grid, encoding, known.name, notices=told)
    known = get_camera(camera or CIE)
    if known.observer:
        title = f"{known.observer} under D65"
        seen = rendering_matrix(nm, "D65", known.observer)
    else:
        title = f"{known.name} under D65, through its colour matrix to linear sRGB"
        seen = response(known, Light("D65"), grid, "sum", True, True).whole
    told = cut_off((known,), nm)
    if encoding == XYZ_D65:
        seen = seen @ LINEAR_SRGB_TO_XYZ.T
        about = not known.observer
        return LinearCamera(seen, grid, XYZ_D65, title, approximate=about, notices=told)
    return LinearCamera(seen, grid, LINEAR_SRGB, title, approximate=True, notices=told)


def _profiled(encoding: str, nm: np.ndarray, camera: str) -> LinearCamera:
    """What a photograph under a profile sees, by the sensitivities estimated from its chart."""
    profile = read_profile(camera)
    seen = profile.seen(nm)
    if encoding != LINEAR_SRGB or seen is None:
        why = "has no estimated sensitivities" if seen is None else "must be applied first"
        raise InputError(
            f"The camera profile {profile.name} {why}: what was measured is not known."
        )
    name = f"{profile.name}, estimated from a chart"
    return LinearCamera(seen, tuple(nm.tolist()), LINEAR_SRGB, name, True, profile)
