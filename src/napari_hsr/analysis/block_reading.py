"""Read some bands of a cube part by part, and make a new cube over the same pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import release_pages
from napari_hsr.errors import InputError
from napari_hsr.io.bands import lists_of_bands
from napari_hsr.io.lazy import by_rows
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, stop_if

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from napari_hsr.cube import Cube

#: Values read at a time: from memory, and from files, whose parts may be decoded again each time.
IN_MEMORY, FROM_FILE = 2**20, 2**24


def parts(
    cube: Cube, bands: Sequence[int], cancel: threading.Event | None = None, message: str = ""
) -> Iterator[tuple[slice, np.ndarray, Progress]]:
    """Rows from top to bottom with the values of some bands, and how far that is.

    Yields
    ------
    rows : slice
    values : ndarray, shape (bands, rows, width), float32
        In the order of ``bands``.
    progress : Progress
        To be passed on once the part is done.
    """
    chosen = np.asarray(bands, dtype=np.intp)
    _, height, width = cube.shape
    most = IN_MEMORY if cube.in_memory else FROM_FILE
    step = max(1, most // max(1, chosen.size * width))
    total = -(-height // step)
    first, last = int(chosen.min()), int(chosen.max()) + 1
    together = chosen.size == last - first or by_rows(cube.data)
    for done, top in enumerate(range(0, height, step), 1):
        stop_if(cancel)
        rows = slice(top, min(top + step, height))
        if together:
            values = np.asarray(cube.data[first:last, rows], dtype=np.float32)[chosen - first]
        else:
            planes = [np.asarray(cube.data[int(b), rows], dtype=np.float32) for b in chosen]
            values = np.stack(planes)
        release_pages(cube.data)
        yield rows, values, Progress(done, total, message)


def derived(
    cube: Cube,
    data: np.ndarray,
    title: str,
    step: str,
    *,
    units: str | None,
    facts: dict[str, Any],
    notices: Sequence[Notice],
    names: Sequence[str],
) -> Cube:
    """A cube of maps over the pixels of another one.

    Parameters
    ----------
    cube : Cube
        What it was made from: its place, history and position on the ground are kept.
    data : ndarray, shape (maps, height, width)
    title : str
        What the maps are; the name is that of the cube with it.
    step : str
        The sentence of the provenance.
    units : str or None
    facts : dict
        For ``provenance.extra["analysis"]``.
    notices : sequence of Notice
    names : sequence of str
        One a map, for ``band names`` in the metadata.
    """
    of_bands = {"default bands", "card", "wavelengths"}
    of_bands |= lists_of_bands(cube.metadata, cube.bands)
    kept = {key: value for key, value in cube.metadata.items() if key not in of_bands}
    history = cube.provenance.based_on(cube.name).with_step(step)
    history = replace(history, extra={**history.extra, "analysis": facts})
    return cube.replace(
        data=np.ascontiguousarray(data, dtype=np.float32),
        wavelengths=None,
        units=units,
        name=f"{cube.name} · {title}",
        provenance=history,
        metadata={**kept, "band names": list(names)},
        notices=tuple(notices),
    )


def of_the_prior(cube: Cube, what: str) -> list[Notice]:
    """The notice that maps of a reconstructed cube mostly show what its model expects."""
    made = cube.provenance
    finer = made.extra.get("super_resolution") or {}
    if made.model is None or finer.get("by") == made.model:  # measured, perhaps made finer
        return []
    return [
        Notice.warning(
            Code.MOSTLY_PRIOR,
            f"{cube.name} was reconstructed from three values a pixel by {made.model}: {what} "
            "mostly shows what the model expects of such colours, not what was measured.",
        )
    ]


def no_value(count: int, size: int) -> list[Notice]:
    """The notice on pixels that have no value."""
    if not count:
        return []
    told = (
        f"{count:,} of {size:,} pixels have no value (NaN): a missing one, a division by zero, or a "
        "result too large to be stored."
    )
    return [Notice.info(Code.NOT_FINITE, told)]


def usable_bands(cube: Cube) -> tuple[np.ndarray, list[Notice]]:
    """The good bands that hold values, from 0, and what is said of the others.

    Whether a band holds any is looked up on about 64 x 64 pixels, and where none of them has a value, on all.

    Raises
    ------
    InputError
        If there is none.
    """
    stride = max(1, max(cube.shape[1:]) // 64)
    good = np.flatnonzero(cube.good_bands)
    sampled = [np.asarray(cube.data[int(band), ::stride, ::stride]) for band in good]
    release_pages(cube.data)
    filled = np.array([bool(np.isfinite(plane).any()) for plane in sampled])
    if (
        stride > 1 and not filled.all()
    ):  # what is known may lie between the pixels that were looked at
        for at in np.flatnonzero(~filled):
            filled[at] = _holds_any(cube, int(good[at]))
    if not filled.any():
        raise InputError(f"{cube.name} holds no finite value.")
    left = cube.bands - int(filled.sum())
    if not left:
        return good, []
    told = f"{left} of {cube.bands} bands are marked as bad or empty and are left out."
    return good[filled], [Notice.info(Code.BANDS_LEFT_OUT, told)]


def _holds_any(cube: Cube, band: int) -> bool:
    """Whether a band has a finite value anywhere."""
    return any(bool(np.isfinite(values).any()) for _, values, _ in parts(cube, [band]))
