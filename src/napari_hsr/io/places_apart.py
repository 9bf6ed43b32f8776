"""Whether two images of one size state places on the ground that lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.io.tiff import geotiff
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Corners this far apart, in pixels, lie apart; other programs round them.
_APART = 0.5
#: Sides of pixels that differ by more than this share are of two sizes.
_OTHER_SIZE = 0.01


def notices(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Notice, ...]:
    """A warning where both state places that do not agree; nothing where one states none.

    Parameters
    ----------
    one, other : mapping
        The metadata of two cubes, with ``map info`` or GeoTIFF tags.
    """
    places = [geotiff.corner_and_pixel(geotiff.stated(each)) for each in (one, other)]
    if places[0] is None or places[1] is None:
        return ()
    (first, pixel, metres), (second, other_pixel, other_metres) = places[0], places[1]
    if metres != other_metres:  # metres and degrees: nothing can be said
        return ()
    unit = " m" if metres else ""
    ratios = [abs(b / a) for a, b in zip(pixel, other_pixel, strict=True)]
    if max(ratios) > 1 + _OTHER_SIZE or min(ratios) < 1 - _OTHER_SIZE:
        found = " and ".join(f"{abs(w):g} × {abs(h):g}{unit}" for w, h in (pixel, other_pixel))
        text = f"They state pixels of {found} on the ground"
    else:
        apart = [abs(b - a) for a, b in zip(first, second, strict=True)]
        if all(d <= _APART * abs(side) for d, side in zip(apart, pixel, strict=True)):
            return ()
        text = f"They state places on the ground that lie {apart[0]:g}{unit} (east) and {apart[1]:g}{unit} (north) apart"
    told = f"{text}: pixels were taken as they lie in the images, row by row."
    return (Notice.warning(Code.PLACES_DIFFER, told),)
