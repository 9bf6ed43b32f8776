"""How well a fine cube, degraded again, agrees with its coarse one: computed block by block."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.errors import InputError
from napari_hsr.progress import Progress, stop_if
from napari_hsr.resample import methods
from napari_hsr.resample.holes import filled
from napari_hsr.resample.refinement import Agreement
from napari_hsr.resample.resize import PART_BYTES, Resampler
from napari_hsr.resample.scale_pair import check_pair

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.resample.methods import Kind

#: Sides of blocks are multiples of this, in fine pixels, as those of the chunks on disk are.
_STEP = 256


@told
def agreement_events(
    fine: Cube,
    coarse: Cube,
    scale: int | None = None,
    degradation: str | Kind = "bicubic-matlab",
    *,
    place: Callable[[np.ndarray], Any] = np.asarray,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Agreement]:
    """Measure how consistent a fine cube is with its coarse one, however large they are.

    Parameters and errors are those of :func:`~napari_hsr.resample.refine_events`. What the coarse
    cube lacks is not counted; what the fine one lacks is filled with the nearest value of its band
    within a block.

    Yields
    ------
    Progress, …, and at last one Agreement.
    """
    kind, scale = methods.find(degradation), check_pair(fine, coarse, scale)
    way = Resampler(kind, scale, *coarse.shape[1:])
    residual = np.full(coarse.shape[1:], np.nan, np.float32)
    counted, square, left = 0, 0.0, 0.0
    angles, pixels = 0.0, 0
    blocks = list(_blocks(way, coarse.bands))
    for done, (rows, columns) in enumerate(blocks):
        stop_if(cancel)
        yield Progress(done, len(blocks), "Degrading the estimate")
        goal = np.asarray(coarse.data[:, rows, columns], np.float32)
        seen = _degraded(way, fine, rows, columns, place)
        known = np.isfinite(goal) & np.isfinite(seen)
        goal = np.where(known, goal, np.float32(0))
        missed = np.where(known, goal - seen, np.float32(0))
        count = known.sum(0)
        of_goal, product, rest = (
            np.einsum("byx,byx->yx", a, b, dtype=np.float64)
            for a, b in ((goal, goal), (goal, missed), (missed, missed))
        )
        with np.errstate(invalid="ignore"):
            residual[rows, columns] = np.sqrt(np.where(count, rest / np.maximum(count, 1), np.nan))
        found = pixel_angles(of_goal, product, rest)
        angles, pixels = angles + float(found.sum()), pixels + found.size
        counted, square = counted + int(count.sum()), square + float(of_goal.sum())
        left += float(rest.sum())
    if not counted:
        raise InputError(f"{coarse.name} has no values: all are NaN or infinite.")
    rms, length = math.sqrt(left / counted), math.sqrt(square / counted)
    yield Progress(len(blocks), len(blocks), "Done")
    angle = angles / pixels if pixels else math.nan
    yield Agreement(residual, rms, angle, rms / length if length else rms, kind.name)


def pixel_angles(square: np.ndarray, product: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Angles in degrees between y and y - r, of the pixels where neither is zero.

    From the squares of y and r and their product, float64: an arc cosine would lose small angles.
    """
    along = square - product
    across = np.sqrt(np.maximum(square * rest - product**2, 0))
    kept = (square > 0) & ((along != 0) | (across > 0))
    angles: np.ndarray = np.degrees(np.arctan2(across, along)[kept])
    return angles


def _blocks(way: Resampler, bands: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of blocks of about twice :data:`PART_BYTES`, in coarse pixels."""
    fine = max(1, int(math.sqrt(2 * PART_BYTES / (4 * bands))) // _STEP) * _STEP
    side = -(-fine // way.scale)
    for top in range(0, way.height, side):
        for left in range(0, way.width, side):
            rows = slice(top, min(top + side, way.height))
            yield rows, slice(left, min(left + side, way.width))


def _degraded(way: Resampler, fine: Cube, rows: slice, columns: slice, place: Any) -> np.ndarray:
    """A block of the fine cube on the coarse grid; NaN in bands without any value there."""
    down, across = way.rows_down(), way.columns_down()
    top, bottom = down.reads(rows.start, rows.stop)
    left, right = across.reads(columns.start, columns.stop)
    values = np.asarray(fine.data[:, top:bottom, left:right], np.float32)
    empty: np.ndarray = np.zeros(len(values), bool)
    if not np.isfinite(values).all():
        missing = ~np.isfinite(values)
        empty = np.asarray(missing.all((1, 2)))
        values = np.stack([filled(v, m) for v, m in zip(values, missing, strict=True)])
        values[empty] = 0
    part = down.apply(place(values), -2, rows.start, rows.stop, top)
    made = across.apply(part, -1, columns.start, columns.stop, left)
    seen: np.ndarray = made if isinstance(made, np.ndarray) else made.detach().cpu().numpy()
    seen[empty] = np.nan
    return seen
