"""What a camera would record of a cube."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_hsr.cameras.sensitivities import Camera, get_camera
from napari_hsr.colour import convert, normalise_encoding
from napari_hsr.colour.observers import band_widths, illuminant_name, illuminant_values, sample
from napari_hsr.colour.render import project, rendering, row_blocks, used_bands
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import LINEAR_SRGB, SRGB, XYZ_D65, Photograph

if TYPE_CHECKING:
    from napari_hsr.cube import Cube

Normalise = Literal["sum", "white"] | None

NORMALISATIONS = {
    "sum": "each sensitivity curve scaled to sum 1 over the bands",
    "white": "white-balanced: a perfect reflector records 1 in each channel",
    None: "sensitivities in the units of their table",
}


def matrix(
    camera: str | Camera,
    wavelengths_nm: np.ndarray,
    illuminant: str | np.ndarray | None = None,
    normalise: Normalise = "sum",
) -> np.ndarray:
    """The matrix from spectra to a camera's linear response.

    Parameters
    ----------
    camera : str or Camera
        As :func:`get_camera` takes it.
    wavelengths_nm : array-like, shape (bands,)
        Band centres in nm, ascending. The curves are taken exactly where the grids coincide,
        linearly between, and as zero outside their measured range.
    illuminant : str, array-like of shape (bands,), or None
        The light on a reflectance cube, by name or as its relative power in each band; None
        for an equal-energy light, or for radiance.
    normalise : {"sum", "white", None}
        ``"sum"``: each curve is scaled to sum 1 over the bands; under an illuminant one common
        factor then makes the perfect reflector 1 in its brightest channel, so the picture keeps
        the colour of the light. ``"white"``: each channel of the perfect reflector is 1 under
        the illuminant. None: sensitivity times illuminant as tabulated, no scaling.

    Returns
    -------
    ndarray, shape (bands, 3), float64
        ``matrix.T @ spectrum`` is the response (R, G, B). On an irregular grid the scaled
        curves are weighted by the width of each band.

    Raises
    ------
    InputError
        If the camera sees nothing on these bands, or a name is not known.
    """
    camera = get_camera(camera)
    if normalise not in NORMALISATIONS:
        raise InputError(f"The normalisation {normalise!r} is not known; it is sum, white or None.")
    nm = np.asarray(wavelengths_nm, dtype=np.float64).ravel()
    curves = sample(nm, camera.wavelengths_nm, camera.sensitivities)
    if (curves.sum(axis=0) <= 0).any():
        raise InputError(
            f"The camera {camera.name} ({camera.wavelengths_nm[0]:g}–{camera.wavelengths_nm[-1]:g} "
            f"nm) has a channel that sees nothing of bands at {nm[0]:g}–{nm[-1]:g} nm."
        )
    light = _power(illuminant, nm)
    if normalise is None:
        return curves * light[:, None]
    widths = band_widths(nm)
    if np.ptp(widths) > 0:
        curves = curves * widths[:, None]
    if normalise == "white":
        curves = curves * light[:, None]
        return curves / _positive(curves.sum(axis=0), camera, illuminant)
    curves = curves / curves.sum(axis=0)
    if illuminant is not None:
        curves = curves * light[:, None]
        curves = curves / _positive(curves.sum(axis=0), camera, illuminant).max()
    return curves


def _power(illuminant: str | np.ndarray | None, nm: np.ndarray) -> np.ndarray:
    if illuminant is None:
        return np.ones(nm.size)
    if isinstance(illuminant, str):
        return illuminant_values(illuminant, nm)
    return np.asarray(illuminant, dtype=np.float64).reshape(nm.size)


def _positive(
    response: np.ndarray, camera: Camera, illuminant: str | np.ndarray | None
) -> np.ndarray:
    if (response <= 0).any():
        light = f"the illuminant {illuminant}" if isinstance(illuminant, str) else "this light"
        raise InputError(
            f"Under {light} a channel of the camera {camera.name} records nothing on these bands."
        )
    return response


def simulate(
    cube: Cube,
    camera: str | Camera,
    illuminant: str | None = None,
    *,
    normalise: Normalise = "sum",
    bit_depth: Literal[8, 16] | None = None,
    encoding: str | None = None,
    rows: int | None = None,
) -> Photograph:
    """The photograph that a camera would take of a cube, without noise.

    Parameters
    ----------
    cube : Cube
        With known wavelengths; lazy cubes are read row by row.
    camera : str or Camera
        As :func:`get_camera` takes it. A CIE observer (``"cie-1931"``) stands for rendering
        the scene as people see it.
    illuminant : str or None
        The light on a reflectance cube. None: equal energy for a camera, D65 for an observer.
    normalise : {"sum", "white", None}
        See :func:`matrix`; an observer is always normalised to the white of the illuminant.
    bit_depth : 8, 16 or None
        Integers, clipped to 0..1 and rounded; None for float32, not clipped for a camera.
    encoding : str, optional
        For a camera only its own, ``camera:<slug>``. For an observer ``"linear-srgb"`` (the
        default), ``"srgb"`` or ``"xyz-d65"``; colours outside sRGB are clipped to it.
    rows : int, optional
        Rows worked on at a time.

    Returns
    -------
    Photograph
        Its provenance states cube, camera, illuminant and normalisation. NaN pixels stay NaN
        in float and become 0 in integers, with a notice.

    Raises
    ------
    InputError
        If wavelengths are unknown, the camera does not fit them, or the encoding is not the
        camera's.
    """
    camera = get_camera(camera)
    if camera.observer and illuminant is None:
        illuminant = "D65"
    illuminant = illuminant and illuminant_name(illuminant)
    if cube.wavelengths is None:
        raise InputError(
            "The wavelengths of this cube are not known, so no camera can be simulated on it: "
            "set them first."
        )
    if bit_depth not in (None, 8, 16):
        raise InputError(f"The bit depth is 8 or 16 (or None for floats), not {bit_depth}.")
    encoding = _encoding(camera, encoding)
    if camera.observer:
        plan = rendering(cube, illuminant or "D65", camera.observer)
        weights, note = plan.matrix, f"Rendered: {plan.note}"
    else:
        weights = matrix(camera, np.asarray(cube.wavelengths), illuminant, normalise)
        light = f"illuminant {illuminant}" if illuminant else "no illuminant applied"
        common = illuminant is not None and normalise == "sum"
        exposure = ", then one exposure that keeps the colour of the light" if common else ""
        note = (
            f"Simulated with the camera {camera.name} ({camera.source or 'given'}), {light}, "
            f"{NORMALISATIONS[normalise]}{exposure}."
        )
    dtype = np.dtype({None: "f4", 8: "u1", 16: "u2"}[bit_depth])
    out = np.empty((*cube.shape[1:], 3), dtype=dtype)
    missing = clipped = 0
    bands = used_bands(weights)
    for at, block in row_blocks(cube, bands, rows):
        values = project(block, weights[bands])
        bad = ~np.isfinite(values).all(axis=-1)
        values[bad] = np.nan
        missing += int(bad.sum())
        if encoding in (SRGB, LINEAR_SRGB):
            clipped += _outside(values)
            values = np.clip(values, 0.0, 1.0)
        if camera.observer:
            values = convert(values, LINEAR_SRGB, encoding)
        if bit_depth:
            clipped += _outside(values)
            values = np.rint(np.clip(np.nan_to_num(values), 0.0, 1.0) * np.iinfo(dtype).max)
        out[at] = values
    provenance = cube.provenance.with_step(note)
    return Photograph(
        out,
        encoding=encoding,
        name=f"{cube.name} {camera.slug}",
        provenance=provenance,
        notices=_notices(missing, clipped, cube.shape[1] * cube.shape[2], bit_depth),
        metadata={
            "camera": camera.name,
            "illuminant": illuminant,
            "normalise": "white" if camera.observer else normalise,
        },
    )


def _outside(values: np.ndarray) -> int:
    """Pixels with a value below 0 or above 1 by more than rounding."""
    return int(((values < -1e-6) | (values > 1 + 1e-6)).any(axis=-1).sum())


def _encoding(camera: Camera, asked: str | None) -> str:
    if asked is None:
        return camera.encoding
    asked = normalise_encoding(asked)
    possible = (LINEAR_SRGB, SRGB, XYZ_D65) if camera.observer else (camera.encoding,)
    if asked not in possible:
        raise InputError(
            f"A photograph simulated with {camera.name} is in {' or '.join(possible)}, "
            f"and cannot be in {asked}."
        )
    return asked


def _notices(missing: int, clipped: int, pixels: int, bit_depth: int | None) -> tuple[Notice, ...]:
    notices = []
    if missing:
        value = "0" if bit_depth else "NaN"
        told = f"{missing} of {pixels} pixels were not finite and are {value} here."
        notices.append(Notice.warning(Code.NOT_FINITE, told))
    if clipped:
        told = f"{clipped} of {pixels} pixels lay outside 0..1 in linear light and were clipped."
        notices.append(Notice.warning(Code.PIXELS_CLIPPED, told))
    return tuple(notices)
