"""A photograph whose camera has a profile becomes one in linear sRGB before the run; and again later."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cameras.profiles import KEY, PREFIX, read_profile
from napari_hsr.colour import normalise_encoding
from napari_hsr.errors import InputError
from napari_hsr.photograph import Photograph

if TYPE_CHECKING:
    from napari_hsr.cameras import Camera
    from napari_hsr.provenance import Provenance

#: In the provenance of a cube: the encoding of its photograph's file, the profile it was seen by, and a hash of its
#: pixels as they were stored.
ENCODING, PROFILE, PIXELS = "encoding", "camera_profile", "photograph_pixels"
#: Pixels of a photograph that are hashed, at most: of more, those of so many blocks a side, of so many pixels a side.
_HASHED, _BLOCKS, _BLOCK = 2**24, 16, 64


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
    found[PIXELS] = pixels_hash(stored)
    earlier = {k: v for k, v in photograph.provenance.extra.items() if k not in found}
    return earlier | {key: value for key, value in found.items() if value}


def pixels_hash(photograph: Photograph) -> str:
    """A hash that nearly every change of a photograph changes, quickly found, however its pixels are kept."""
    digest, (height, width) = hashlib.sha256(), (photograph.height, photograph.width)
    whole = height * width <= _HASHED
    for top, bottom in ((0, height),) if whole else _spread(height):
        for left, right in ((0, width),) if whole else _spread(width):
            block = np.asarray(photograph.data[top:bottom, left:right])
            native = block.dtype.newbyteorder("=")
            digest.update(np.ascontiguousarray(block, native).data)
    return digest.hexdigest()


def _spread(size: int) -> tuple[tuple[int, int], ...]:
    """Blocks over a side, the first and the last pixel among them."""
    starts = [max(0, size - _BLOCK) * number // (_BLOCKS - 1) for number in range(_BLOCKS)]
    return tuple((start, min(size, start + _BLOCK)) for start in starts)


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
