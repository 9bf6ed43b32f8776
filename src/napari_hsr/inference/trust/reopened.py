"""What a cube that was saved and opened again can be held against: its photograph and its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference.trust.apply_camera_profile import PIXELS, pixels_hash, taken_again
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.inference.trust.intervals import Intervals, looker
from napari_hsr.models import load_model

if TYPE_CHECKING:
    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph


def evidence_again(cube: Cube, photograph: Photograph) -> Evidence:
    """Hold a cube against the photograph that it was reconstructed from, as when it was made.

    The photograph is read as it was then: in the encoding and under the camera profile that the
    provenance names. Its camera is the one that the encoding names, if any.

    Parameters
    ----------
    cube : Cube
        With the provenance that every written file carries.
    photograph : Photograph
        The whole of it; of a cube whose provenance does not name it, with the encoding of then.

    Raises
    ------
    InputError
        If it is another photograph or has no encoding, or the model with the same weights or the
        camera profile is not at hand.
    """
    made = cube.provenance
    same_size = cube.shape[1:] == (photograph.height, photograph.width)
    if not (same_size and made.comes_from(photograph.name, photograph.provenance.input)):
        raise InputError(
            f"{cube.name} ({cube.shape[1]} x {cube.shape[2]} pixels) was made from "
            f"{made.input or 'an unknown photograph'}; this is {photograph.name}, "
            f"{photograph.height} x {photograph.width}."
        )
    then = made.extra.get(PIXELS)
    if isinstance(then, str) and then != pixels_hash(photograph.measured or photograph):
        raise InputError(
            f"{photograph.name} is not the photograph that {cube.name} was made from: its pixels are "
            "others, though it has its name and its size."
        )
    photograph = taken_again(photograph, made)
    if photograph.encoding is None:
        raise InputError(f"{photograph.name} does not say its encoding: state the one it had.")
    try:
        model = load_model(made.model or "")
    except HSRError as error:
        raise InputError(
            f"{cube.name} was made by {made.model}, which is not here: {error}"
        ) from error
    if model.weights_sha256 != made.weights_sha256:
        raise InputError(
            f"{cube.name} was made by {made.model} with other weights than those here."
        )
    trust = made.extra.get("trust")
    trust = trust if isinstance(trust, dict) else {}
    exact = trust.get("exact") is True
    found = None if exact else looker(photograph, model)
    why = None
    if exact:
        why = "the spectra were made exact, and intervals are those of the network's own"
    elif found is None:
        why = f"{made.model} is not calibrated: nobody has measured its errors on other images"
    again = Evidence(
        cube=cube,
        photograph=photograph,
        intervals=None if found is None else Intervals(found, cube.data),
        why_no_intervals=why,
        by_name=not isinstance(then, str),
    )
    return again.seen_by(None)
