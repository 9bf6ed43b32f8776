"""A photograph whose camera has a profile becomes one in linear sRGB before the run; and again later."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from napari_hsr.cameras.profiles import KEY, PREFIX, read_profile
from napari_hsr.colour import normalise_encoding
from napari_hsr.errors import InputError
from napari_hsr.photograph import Photograph

if TYPE_CHECKING:
    from napari_hsr.cameras import Camera
    from napari_hsr.provenance import Provenance

#: In the provenance of a cube: the encoding of its photograph's file, and the profile it was seen by.
ENCODING, PROFILE = "encoding", "camera_profile"


def profiled(
    image: Any, encoding: str | None, camera: str | Camera | None, exact: bool = False
) -> tuple[Any, str | None, str | Camera | None]:
    """Image, encoding and camera of a run: the same, or those under the profile that the camera names.

    Parameters
    ----------
    image : Photograph, ndarray or path
    encoding : str or None
        That overrides the photograph's.
    camera : str, Camera or None
        A kept profile as ``"profile:NAME"``; without estimated sensitivities, what was measured
        is not known, and the camera is None.
    exact : bool
        What was measured has to be known: the camera stays, so that it is said what is missing of it.
    """
    if not (isinstance(camera, str) and camera.startswith(PREFIX)):
        return image, encoding, camera
    profile = read_profile(camera)
    if isinstance(image, (str, PathLike)):
        from napari_hsr.io import read

        image = read(image)
    if not isinstance(image, Photograph):
        raise InputError("A camera profile takes a photograph whose encoding is known.")
    if encoding is not None:
        image = replace(image, data=image.data, encoding=normalise_encoding(encoding))
    return profile.apply(image), None, camera if profile.sensitivities or exact else None


def as_taken(photograph: Photograph) -> dict[str, Any]:
    """What the provenance of a cube holds beside its steps: of its photograph, and how a run reads that."""
    stored = photograph.measured or photograph
    found = {ENCODING: stored.encoding, PROFILE: photograph.metadata.get(KEY)}
    earlier = {k: v for k, v in photograph.provenance.extra.items() if k not in found}
    return earlier | {key: value for key, value in found.items() if value}


def taken_again(photograph: Photograph, made: Provenance) -> Photograph:
    """The photograph of a cube as the run that made it read it; as it is, where no run has said.

    Raises
    ------
    InputError
        If its camera profile is not here any more, or the file says what no run writes.
    """
    encoding, profile = (made.extra.get(key) for key in (ENCODING, PROFILE))
    if isinstance(encoding, str) and photograph.metadata.get(KEY) is None:
        photograph = replace(photograph, encoding=normalise_encoding(encoding))
    if isinstance(profile, str):
        photograph = read_profile(f"{PREFIX}{profile}").apply(photograph)
    return photograph
