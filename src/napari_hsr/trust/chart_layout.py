"""Charts of known colours in a picture: where their patches lie between four corners, and their means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.colour.observers import colour_science, sample
from napari_hsr.errors import InputError
from napari_hsr.trust.chart import NOT_THE_CHART, ChartFit, fit_chart, fit_targets

if TYPE_CHECKING:
    from collections.abc import Callable

_CLASSIC, _SG = "ISO 17321-1", "ColorCheckerSG - After November 2014"
#: Part of the pitch of the patches that is looked at, around the middle of each.
SEEN = 0.5
#: Share of a patch that may be clipped.
_CLIPPED = 0.05
#: Other orders of the corners, and what the chart is in them.
_ORDERS = {
    "is upside down": ((2, 3, 0, 1),),
    "lies on its side": ((1, 2, 3, 0), (3, 0, 1, 2)),
    "is mirrored": ((1, 0, 3, 2), (0, 3, 2, 1), (2, 1, 0, 3)),
    "is upside down and mirrored": ((3, 2, 1, 0),),
}
#: A patch is at least so many pixels of what is looked at.
_LEAST_PIXELS = 9


@dataclass(frozen=True)
class Chart:
    """The patches of a chart, row by row from the upper left as its maker numbers them.

    Attributes
    ----------
    name : str
    rows, columns : int
    first : str
        The patch in the upper left corner, for people.
    gap : float
        Between patches, relative to a patch.
    """

    name: str
    rows: int
    columns: int
    first: str
    gap: float

    def __len__(self) -> int:
        return self.rows * self.columns


CLASSIC = Chart("ColorChecker, 24 patches", 4, 6, "dark skin", 0.15)
SG = Chart("ColorChecker SG, 140 patches", 10, 14, "white of the edge", 0.1)
CHARTS = {"24": CLASSIC, "sg": SG}
#: Row and column of the first patch of the classic chart in an SG: E2.
_CLASSIC_IN_SG = 1, 4


def quadrilaterals(corners: np.ndarray, chart: Chart, part: float = SEEN) -> np.ndarray:
    """The middles of the patches, (patches, 4, 2) as (y, x).

    Parameters
    ----------
    corners : ndarray, shape (4, 2)
        (y, x) of the outer corners of the corner patches, clockwise from the first patch.
    chart : Chart
    part : float
        Of each patch's pitch that is taken.
    """
    unit = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], float)
    to_picture = _projective(unit, np.asarray(corners, float))
    # the last patch of a row has no gap behind it
    pitches = [1 / (count - chart.gap / (1 + chart.gap)) for count in (chart.rows, chart.columns)]
    patch = np.array(pitches) / (1 + chart.gap)
    at = np.stack(list(np.mgrid[: chart.rows, : chart.columns]), axis=-1).reshape(-1, 1, 2)
    middle = at * pitches + patch / 2
    square = (unit - 0.5)[None] * pitches * part
    return to_picture(middle + square)


def patch_colours(
    linear: np.ndarray, clipped: np.ndarray, corners: np.ndarray, chart: Chart
) -> np.ndarray:
    """Mean linear colours of the patches, (patches, 3); those that are clipped are 1.

    Parameters
    ----------
    linear : ndarray, shape (height, width, 3)
        Full scale 1.
    clipped : ndarray of bool, shape (height, width)
    corners : ndarray, shape (4, 2)
        As for :func:`quadrilaterals`.
    chart : Chart

    Raises
    ------
    InputError
        If corners lie outside the picture or do not go round, or the patches are too small.
    """
    from skimage.draw import polygon

    corners = np.asarray(corners, float)
    _check(corners, linear.shape[:2])
    found = np.empty((len(chart), 3))
    for number, outline in enumerate(quadrilaterals(corners, chart)):
        inside = polygon(outline[:, 0], outline[:, 1], linear.shape[:2])
        if len(inside[0]) < _LEAST_PIXELS:
            raise InputError(
                f"The patches of the chart are smaller than {_LEAST_PIXELS} pixels: it is too small in "
                "this picture."
            )
        found[number] = np.mean(linear[inside], axis=0, dtype=np.float64)
        if clipped[inside].mean() > _CLIPPED:
            found[number] = 1.0
    return found


def fit_picture(
    linear: np.ndarray,
    clipped: np.ndarray,
    corners: np.ndarray,
    chart: Chart,
    illuminant: str = "D65",
) -> ChartFit:
    """Exposure, white balance and matrix from a chart in a picture.

    Parameters as for :func:`patch_colours`; ``illuminant`` as for :func:`napari_hsr.trust.chart.fit_chart`.

    Raises
    ------
    InputError
        As these two; a chart that is turned or mirrored is told apart from one that is none.
    """
    corners = np.asarray(corners, float)
    seen = patch_colours(linear, clipped, corners, chart)
    fit = _fitting(chart, illuminant)
    try:
        return fit(seen)
    except InputError:
        for how, turned in _ORDERS.items():
            for order in turned:
                try:
                    found = fit(patch_colours(linear, clipped, corners[list(order)], chart))
                except InputError:
                    continue
                if np.nanmean(found.delta_e) < NOT_THE_CHART / 2:
                    raise InputError(
                        f"The chart {how}: its first corner is that of the patch {chart.first}, and the "
                        "others follow clockwise."
                    ) from None
        raise


def reflectances_of(chart: Chart, wavelengths_nm: np.ndarray) -> np.ndarray | None:
    """Measured reflectances of all patches, (patches, bands); None if they are not at hand."""
    return _classic(wavelengths_nm) if chart is CLASSIC else None


def known_patches(chart: Chart, wavelengths_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the patches whose reflectances are known, and these, (patches, bands).

    An SG holds the patches of the chart with 24. As it is made today their reflectances differ from those
    by 0.03 (root mean square), which an estimate of sensitivities tells as its uncertainty.
    """
    top, left = (0, 0) if chart is CLASSIC else _CLASSIC_IN_SG
    numbers = np.arange(len(chart)).reshape(chart.rows, chart.columns)
    inside = numbers[top : top + CLASSIC.rows, left : left + CLASSIC.columns]
    return inside.ravel(), _classic(wavelengths_nm)


def _classic(wavelengths_nm: np.ndarray) -> np.ndarray:
    measured = colour_science().SDS_COLOURCHECKERS[_CLASSIC].values()
    return np.stack(
        [sample(wavelengths_nm, m.wavelengths, m.values[:, None])[:, 0] for m in measured]
    )


def _fitting(chart: Chart, illuminant: str) -> Callable[[np.ndarray], ChartFit]:
    nm = np.arange(400.0, 701.0, 10.0)
    known = reflectances_of(chart, nm)
    if known is None:
        return partial(fit_targets, target=_sg_colours())
    return lambda seen: fit_chart(seen, known, nm, illuminant)


@lru_cache(maxsize=1)
def _sg_colours() -> np.ndarray:
    """Linear sRGB of the ColorChecker SG, from its maker's colours under D50."""
    colour = colour_science()
    table = colour.CCS_COLOURCHECKERS[_SG]
    xyz = colour.xyY_to_XYZ(np.array(list(table.data.values())))
    found: np.ndarray = colour.XYZ_to_RGB(
        xyz, "sRGB", table.illuminant, chromatic_adaptation_transform="Bradford"
    )
    return found


def _check(corners: np.ndarray, size: tuple[int, int]) -> None:
    if corners.shape != (4, 2) or not np.isfinite(corners).all():
        raise InputError("A chart has four corners.")
    outside = ((corners < -0.5) | (corners > np.array(size) - 0.5)).any(axis=1)
    if outside.any():
        raise InputError(
            f"{int(outside.sum())} of the four corners of the chart lie outside the picture: all of it "
            "must be seen."
        )
    sides = np.roll(corners, -1, axis=0) - corners
    after = np.roll(sides, -1, axis=0)
    turns = sides[:, 1] * after[:, 0] - sides[:, 0] * after[:, 1]
    if not ((turns > 0).all() or (turns < 0).all()):
        raise InputError("The corners of the chart cross: they go round it, clockwise.")


def _projective(source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The projective map that takes four points to four others."""
    rows, values = [], []
    for (a, b), to in zip(source, target, strict=True):
        for axis, value in enumerate(to):
            row = np.zeros(8)
            row[3 * axis : 3 * axis + 3] = a, b, 1
            row[6:] = -value * a, -value * b
            rows.append(row)
            values.append(value)
    try:
        solved = np.append(np.linalg.solve(np.array(rows), np.array(values)), 1).reshape(3, 3)
    except np.linalg.LinAlgError as error:
        raise InputError("The corners of the chart lie on one line.") from error

    def mapped(points: np.ndarray) -> np.ndarray:
        out = points @ solved[:, :2].T + solved[:, 2]
        moved: np.ndarray = out[..., :2] / out[..., 2:]
        return moved

    return mapped
