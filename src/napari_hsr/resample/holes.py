"""Values that a cube lacks, NaN or infinite: filled before resampling, and holes again after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import check_values
from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator

    from napari_hsr.cube import Cube

#: Bytes of a cube that are looked at before somebody may cancel.
PART_BYTES = 2**25


@dataclass(frozen=True)
class Filled:
    """A cube whose values are all finite.

    Attributes
    ----------
    cube : Cube
        The cube itself if it lacks nothing.
    missing : ndarray of bool (bands, height, width), or None
        Where values were filled in; None if nowhere.
    """

    cube: Cube
    missing: np.ndarray | None = None

    def open_again(self, fine: np.ndarray, scale: int) -> None:
        """Put NaN where values were filled in, ``scale`` times as fine, in place."""
        for band, missing in enumerate(() if self.missing is None else self.missing):
            if missing.any():
                fine[band][missing.repeat(scale, 0).repeat(scale, 1)] = np.nan

    def open_in(self, block: np.ndarray, rows: slice, columns: slice, scale: int) -> np.ndarray:
        """A block of the fine cube, which lies there, with NaN where values were filled in."""
        if self.missing is None:
            return block
        coarse = [slice(p.start // scale, -(-p.stop // scale)) for p in (rows, columns)]
        missing = np.asarray(self.missing[:, coarse[0], coarse[1]])
        if not missing.any():
            return block
        missing = missing.repeat(scale, 1).repeat(scale, 2)
        top, left = rows.start % scale, columns.start % scale
        part = missing[:, top : top + block.shape[1], left : left + block.shape[2]]
        return np.where(part, np.float32(np.nan), block)

    def notices(self) -> tuple[Notice, ...]:
        """What the user must know of the holes."""
        return () if self.missing is None else (of_holes(int(self.missing.sum())),)


def of_holes(count: int) -> Notice:
    """The notice of so many values that stay missing."""
    values, are = ("value", "is") if count == 1 else ("values", "are")
    told = (
        f"{count} {values} of the cube {are} missing (NaN or infinite): the result is NaN there, "
        "and beside them it rests on the nearest values."
    )
    return Notice.warning(Code.NOT_FINITE, told)


def look_events(
    cube: Cube, cancel: threading.Event | None = None
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Where values are missing: (bands, rows, mask) of part after part, read from the disk once.

    Raises
    ------
    InputError
        If values are too large to compute with.
    """
    bands, height, width = cube.shape
    many = max(1, PART_BYTES // (4 * height * width))
    rows = height if many > 1 else min(height, max(1, PART_BYTES // (4 * width)))
    for band in range(0, bands, many):
        for row in range(0, height, rows):
            stop_if(cancel)
            at = slice(band, min(band + many, bands)), slice(row, min(row + rows, height))
            values = np.asarray(cube.data[at], np.float32)
            check_values(values, cube.name)
            yield *at, ~np.isfinite(values)


def fill_events(
    cube: Cube,
    cancel: threading.Event | None = None,
    new: Callable[[tuple[int, ...], Any], np.ndarray] = np.zeros,
) -> Generator[Progress, None, Filled]:
    """Fill what is missing with the nearest value of the same band.

    A band without any value becomes the nearest one that has some.

    Parameters
    ----------
    cube : Cube
    cancel : threading.Event, optional
    new : callable
        Makes an array of zeros, from shape and type: a large cube may be filled on disk.

    Yields
    ------
    Progress

    Returns
    -------
    Filled

    Raises
    ------
    InputError
        If the cube has no finite value.
    Cancelled
        If ``cancel`` was set.
    """
    missing: np.ndarray | None = None
    for bands, rows, mask in look_events(cube, cancel):
        yield Progress(0, 0, "Reading the cube")
        if mask.any():
            missing = new(cube.shape, bool) if missing is None else missing
            missing[bands, rows] = mask
    if missing is None:
        return Filled(cube)
    with_values = [band for band in range(cube.bands) if not missing[band].all()]
    if not with_values:
        raise InputError(f"{cube.name} has no values: all are NaN or infinite.")
    data = new(cube.shape, np.float32)
    for band in range(cube.bands):
        stop_if(cancel)
        yield Progress(0, 0, "Filling what is missing")
        near = min(with_values, key=lambda other: abs(other - band))
        data[band] = filled(np.asarray(cube.data[near], np.float32), missing[near])
    return Filled(cube.replace(data=data, _value_range=cube.value_range), missing)


def fill(cube: Cube) -> Filled:
    """:func:`fill_events` to its end."""
    work = fill_events(cube)
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: Filled = done.value
            return found


def filled(plane: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """A band with the nearest values where it lacks some; as it is if it lacks all."""
    from scipy.ndimage import distance_transform_edt

    if not missing.any() or missing.all():
        return plane
    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    whole: np.ndarray = plane[tuple(nearest)]
    return whole
