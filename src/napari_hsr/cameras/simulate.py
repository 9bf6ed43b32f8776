"""The photograph that a camera, or a human observer, would take of a cube."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cameras.cut_off import cut_off
from napari_hsr.cameras.pipeline import Capture
from napari_hsr.cameras.response import NORMALISATIONS, Normalise, Response, matrix
from napari_hsr.cameras.sensitivities import Camera, get_camera
from napari_hsr.colour import normalise_encoding
from napari_hsr.colour.matrix import about_gaps
from napari_hsr.colour.observers import illuminant_name
from napari_hsr.colour.render import beyond_reflectance, full_reflectance, is_radiance, rendering
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import LINEAR_SRGB, SRGB, XYZ_D65, Photograph

if TYPE_CHECKING:
    from napari_hsr.cube import Cube


@told
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
    """Simulate the photograph that a camera would take of a cube, without noise.

    Parameters
    ----------
    cube : Cube
        With known wavelengths; lazy cubes are read row by row.
    camera : str or Camera
        As :func:`get_camera` takes it. A CIE observer (``"cie-1931"``) renders the scene as
        people see it.
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
        Rows processed at a time.

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
        good = cube.good_bands
        weights = np.zeros((cube.bands, 3))
        weights[good] = matrix(camera, cube.wavelengths.nm[good], illuminant, normalise)
        weights /= full_reflectance(cube)
        light = f"illuminant {illuminant}" if illuminant else "no illuminant applied"
        gaps = about_gaps(cube.wavelengths.nm[good])
        light += f", {gaps}" if gaps else ""
        common = illuminant is not None and normalise == "sum"
        exposure = ", then one exposure that keeps the colour of the light" if common else ""
        note = (
            f"Simulated with the camera {camera.name} ({camera.source or 'given'}), {light}, "
            f"{NORMALISATIONS[normalise]}{exposure}."
        )
    capture = Capture(
        camera_name=camera.name,
        light=illuminant or "",
        response=Response(weights, np.ones(3), None),
        gain=1.0,
        encoding=encoding,
        clip=encoding in (SRGB, LINEAR_SRGB),
        bits=bit_depth,
        made=(note,),
    )
    photograph = capture.photograph(
        cube,
        np.random.default_rng(0),
        name=f"{cube.name} photograph" if camera.observer else f"{cube.name} by {camera.name}",
        metadata={
            "camera": camera.name,
            "illuminant": illuminant,
            "normalise": "white" if camera.observer else normalise,
        },
        rows=rows,
    )
    cut = cut_off((camera,), cube.wavelengths.nm[cube.good_bands])
    photograph = replace(photograph, notices=(*photograph.notices, *cut))
    if camera.observer or is_radiance(cube) or not beyond_reflectance(cube):
        return photograph
    text = (
        f"The brightness of this photograph depends on the scale of the values; {cube.name} reaches "
        f"{cube.value_range[1]:.4g}, as no reflectance does{f' in {cube.units}' * bool(cube.units)}."
    )
    told = Notice.warning(Code.SCALE_MATTERS, text)
    return replace(photograph, notices=(*photograph.notices, told))


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
