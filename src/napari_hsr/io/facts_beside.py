"""Facts in a text or a header beside an image that states no wavelengths itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.io import per_band_facts
from napari_hsr.io.scale_and_offset import state_numbers
from napari_hsr.io.wavelengths import text_beside
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.io.found import Found
    from napari_hsr.io.read_choice import Choice


def add(path: Path, found: Found, choice: Choice) -> None:
    """Add wavelengths beside the file, and what else the text with them states; nothing where none are.

    The list may be as long as any axis of the array, unless it is known which one holds the bands.
    """
    if found.record is not None or found.wavelengths is not None:
        return
    beside = text_beside.find(path, _counts(found, choice))
    if beside is None:
        if name := text_beside.unusable(path):
            told = (
                f"{name} beside the file is about wavelengths, but is damaged or of another number of "
                "bands: nothing of it was taken, no factor and no number of missing values either."
            )
            found.notices += (Notice.warning(Code.GAIN_NOT_APPLIED, told),)
        return
    found.wavelengths, found.unit, found.unit_has_a_place = beside.listed, beside.unit, True
    told = f"The wavelengths are those of {beside.name} beside the file."
    found.notices += (Notice.warning(Code.OTHER_FILES_READ, told),)
    lower = {key.lower(): value for key, value in beside.facts.items()}
    of_bands = per_band_facts.find({}, lower, lower.get, len(beside.listed))
    found.per_band = of_bands.values | found.per_band
    found.notices += of_bands.notices
    if found.decoding.does_nothing:
        state_numbers(found, {}, beside.facts)


def _counts(found: Found, choice: Choice) -> set[int]:
    """How many bands there may be; axes of length one do not count beside others."""
    shape = [int(n) for n in found.source.shape]
    if len(shape) == 2:
        return {shape[found.convention] if found.line else 1}
    if len(shape) == 3 and choice.order is not None:
        return {shape[2 - choice.order[0] if found.flipped else choice.order[0]]}
    if len(shape) == 3 and found.stated:
        return {shape[2 - found.convention if found.flipped else found.convention]}
    return {n for n in shape if n > 1}
