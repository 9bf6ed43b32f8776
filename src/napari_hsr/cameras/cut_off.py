"""Tables of cameras and lights that end before the bands do, as those that were cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from napari_hsr.cameras.sensitivities import Camera

#: In nm: a table may end this far inside the first and the last band.
_BEYOND = 10.5
#: A curve that ends above this part of the camera's largest value is cut off.
_SEES = 0.02
#: Names that a sentence gives.
_LISTED = 3


def cut_off(cameras: Iterable[Camera], wavelengths_nm: ArrayLike) -> tuple[Notice, ...]:
    """A notice of cameras whose tables end inside the bands where they still see, as those that were cut short.

    Parameters
    ----------
    cameras : iterable of Camera
        Of observers the whole curves are known.
    wavelengths_nm : array-like, shape (bands,)
        Of the bands in use.
    """
    bands = np.asarray(wavelengths_nm, dtype=np.float64)
    cut = []
    for camera in cameras:
        nm, seen = camera.wavelengths_nm, camera.sensitivities / camera.sensitivities.max()
        short = zip((0, -1), ends_inside(nm, bands), strict=True)
        if not camera.observer and any(inside and seen[end].max() > _SEES for end, inside in short):
            cut.append(f"{camera.name} ({nm[0]:g}–{nm[-1]:g} nm)")
    if not cut:
        return ()
    text = (
        f"Cameras whose tables end where they still see, of bands at {bands.min():g}–{bands.max():g} nm: "
        f"{in_short(cut)}. Beyond they are taken to see nothing."
    )
    return (Notice.warning(Code.CURVES_CUT_OFF, text),)


def ends_inside(nm: ArrayLike, wavelengths_nm: ArrayLike) -> tuple[bool, bool]:
    """Whether a table begins after the first of these bands, and whether it ends before the last."""
    first, last = np.min(wavelengths_nm) + _BEYOND, np.max(wavelengths_nm) - _BEYOND
    return bool(np.min(nm) > first), bool(np.max(nm) < last)


def in_short(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
