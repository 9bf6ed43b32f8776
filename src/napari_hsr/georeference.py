"""Where the pixels of a cube lie on the ground that it shares with what it was made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_hsr.arguments import told
from napari_hsr.errors import InputError

#: Sides of pixels, and distances of first pixels, beyond which a place is a fault.
_SMALLEST, _LARGEST, _FURTHEST = 1e-9, 1e9, 1e12


@told
def aligned(
    scale: int,
    pixel: tuple[float, float] = (1.0, 1.0),
    origin: tuple[float, float] = (0.0, 0.0),
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the fine image lies, so that its pixels cover those of the coarse one exactly.

    Parameters
    ----------
    scale : int
    pixel : (float, float)
        Height and width of a coarse pixel in world units.
    origin : (float, float)
        Centre of the first coarse pixel in world units.

    Returns
    -------
    pixel, origin : (float, float)
        The same of the fine image: fine pixel i is centred at ``(i + 0.5) / scale - 0.5``
        coarse pixels.
    """
    if scale < 1:
        raise InputError(f"The scale is a whole number from 1 on, not {scale}.")
    shift = 0.5 / scale - 0.5
    return (
        (pixel[0] / scale, pixel[1] / scale),
        (origin[0] + pixel[0] * shift, origin[1] + pixel[1] * shift),
    )


@dataclass(frozen=True)
class Place:
    """Size and position of the pixels, counted in pixels of the source.

    An image for which nothing is said has pixels of 1, the first of them centred at 0: so it
    lies in a viewer. What was made 4 times as fine from it has pixels of 0.25, the first
    centred at -0.375, and lies exactly over it.

    Attributes
    ----------
    pixel : (float, float)
        Height and width of a pixel, above 0.
    origin : (float, float)
        Row and column at which the first pixel is centred.

    Raises
    ------
    InputError
        If these are not two finite numbers each, or a pixel has no size.
    """

    pixel: tuple[float, float] = (1.0, 1.0)
    origin: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        pixel, origin = _two(self.pixel, "The size of a pixel"), _two(self.origin, "The place")
        if not all(_SMALLEST <= side <= _LARGEST for side in pixel):
            raise InputError(
                f"The size of a pixel is {pixel[0]:g} × {pixel[1]:g}; two numbers from "
                f"{_SMALLEST:g} to {_LARGEST:g} were expected."
            )
        if not all(abs(at) <= _FURTHEST for at in origin):
            raise InputError(
                f"The first pixel is centred at {origin[0]:g}, {origin[1]:g}; nothing beyond "
                f"{_FURTHEST:g} was expected."
            )
        object.__setattr__(self, "pixel", pixel)
        object.__setattr__(self, "origin", origin)

    def resized(self, old: Sequence[int], new: Sequence[int]) -> Place:
        """The place of ``new`` (rows, columns) of pixels over the area of ``old`` ones."""
        down, across = (before / after for before, after in zip(old, new, strict=True))
        return Place(
            (self.pixel[0] * down, self.pixel[1] * across),
            (
                self.origin[0] + self.pixel[0] * (0.5 * down - 0.5),
                self.origin[1] + self.pixel[1] * (0.5 * across - 0.5),
            ),
        )

    def describe(self) -> str:
        """For people: ``0.25 × 0.25 of its source's, the first centred at -0.375, -0.375``."""
        (height, width), (row, column) = self.pixel, self.origin
        return f"{height:g} × {width:g} of its source's, the first centred at {row:g}, {column:g}"

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values for JSON."""
        return {"pixel": list(self.pixel), "origin": list(self.origin)}

    @classmethod
    def from_dict(cls, values: Any) -> Place:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        InputError
            If it is no such mapping.
        """
        if not isinstance(values, Mapping) or not {"pixel", "origin"} <= set(values):
            raise InputError(f"A pixel and an origin were expected as place, not {_short(values)}.")
        return cls(values["pixel"], values["origin"])


def resized_metadata(
    metadata: Mapping[str, Any], old: Sequence[int], new: Sequence[int]
) -> dict[str, Any]:
    """Metadata that stay true of ``new`` (rows, columns) of pixels over the area of ``old`` ones.

    ``map info`` and ``pixel size`` of an ENVI header state the size of a pixel on the ground,
    x before y; one that cannot be understood is left out, for it would be wrong. The reference
    pixel of ``map info`` counts from 1, the outer corner of the first pixel.
    """
    ratios = [before / after for before, after in zip(old, new, strict=True)][::-1]  # x, y
    found = dict(metadata)
    for key, sizes, corner in (("map info", 5, 1), ("pixel size", 0, None)):
        if key not in found:
            continue
        try:
            items = list(found[key])
            changed = {sizes + k: float(items[sizes + k]) * ratios[k] for k in (0, 1)}
            if corner is not None:
                for k in (0, 1):
                    changed[corner + k] = (float(items[corner + k]) - 1) / ratios[k] + 1
        except (TypeError, ValueError, IndexError):
            del found[key]
            continue
        found[key] = [repr(changed[i]) if i in changed else item for i, item in enumerate(items)]
    tags = found.get("geotiff")
    if isinstance(tags, Mapping):
        found["geotiff"] = _resized_tags(tags, ratios)
    return found


def _resized_tags(tags: Mapping[str, Any], ratios: Sequence[float]) -> dict[str, Any]:
    """GeoTIFF's tags: a pixel is ``ratios`` (x, y) of the old ones."""
    changed = dict(tags)
    if "pixel_scale" in tags:
        scale = list(tags["pixel_scale"])
        changed["pixel_scale"] = [scale[0] * ratios[0], scale[1] * ratios[1], *scale[2:]]
    if "tiepoints" in tags:  # column, row, 0, x, y, z for each
        ties = list(tags["tiepoints"])
        changed["tiepoints"] = [
            value / ratios[i % 6] if i % 6 < 2 else value for i, value in enumerate(ties)
        ]
    if "transformation" in tags:
        matrix = list(tags["transformation"])
        changed["transformation"] = [
            value * ratios[i % 4] if i % 4 < 2 else value for i, value in enumerate(matrix)
        ]
    return changed


def cropped_metadata(metadata: Mapping[str, Any], top: int, left: int) -> dict[str, Any]:
    """Metadata that stay true once ``top`` rows and ``left`` columns were cut off.

    ``map info`` and the tags of a GeoTIFF tie a pixel to the ground: it is another one now.
    """
    found = dict(metadata)
    if "map info" in found:
        items = list(found["map info"])
        try:
            turned = [str(i).split("=")[1] for i in items if str(i).lower().startswith("rotation=")]
            if turned:  # others count from the first pixel alone: its corner moves
                angle = math.radians(float(turned[0]))
                across, down = math.cos(angle), math.sin(angle)  # of one size, as GDAL counts
                x = float(items[3]) + float(items[5]) * (left * across + top * down)
                y = float(items[4]) + float(items[6]) * (left * down - top * across)
                items[3:5] = [repr(x), repr(y)]
            else:
                items[1:3] = [repr(float(items[1]) - left), repr(float(items[2]) - top)]
            found["map info"] = items
        except (TypeError, ValueError, IndexError):
            del found["map info"]
    tags = found.get("geotiff")
    if isinstance(tags, Mapping):
        changed = dict(tags)
        if "tiepoints" in tags:
            ties = list(tags["tiepoints"])
            less = (left, top, 0, 0, 0, 0)
            changed["tiepoints"] = [value - less[i % 6] for i, value in enumerate(ties)]
        if "transformation" in tags:
            matrix = list(tags["transformation"])
            for row in range(0, len(matrix) - 3, 4):
                matrix[row + 3] += matrix[row] * left + matrix[row + 1] * top
            changed["transformation"] = matrix
        found["geotiff"] = changed
    return found


def _two(values: Any, what: str) -> tuple[float, float]:
    fits = isinstance(values, Sequence) and not isinstance(values, str) and len(values) == 2
    if not fits or not all(_is_number(value) for value in values):
        raise InputError(f"{what} is {_short(values)}; two finite numbers were expected.")
    return float(values[0]), float(values[1])


def _is_number(value: Any) -> bool:
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return real and abs(value) < math.inf and (isinstance(value, float) or abs(value) < 2**63)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
