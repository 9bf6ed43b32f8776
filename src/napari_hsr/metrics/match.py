"""Match the bands of a prediction and a truth, or explain why they cannot be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.io import places_apart
from napari_hsr.io.bands import bad_bands_left_out, take
from napari_hsr.io.lazy import LazyArray
from napari_hsr.metrics.row_blocks import checked
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Band centres that differ by at most this, in nm, are the same band.
TOLERANCE_NM = 0.5


@told
def match(
    prediction: Any, truth: Any, bad_bands: bool = False
) -> tuple[Any, Any, Wavelengths | None, tuple[Notice, ...]]:
    """Reduce two cubes to their common bands.

    Equal grids (within 0.5 nm) are compared as they are. If all band centres of the coarser grid
    occur in the finer one, the common bands are compared. If a grid is unknown, cubes with the
    same number of bands are compared by band index. Anything else is refused.

    Parameters
    ----------
    prediction, truth : Cube or array-like, shape (bands, height, width)
        Bare arrays have no wavelengths.
    bad_bands : bool
        Compare also the bands that either cube marks as bad (``bbl``).

    Returns
    -------
    prediction, truth : array-like, shape (common bands, height, width)
        The arrays, without a copy where possible; lazy where the cubes are.
    wavelengths : Wavelengths or None
        Centres of the common bands (the truth's), None if no grid is known.
    notes : tuple of Notice
        What the user must know about the comparison.

    Raises
    ------
    InputError
        If the sizes differ, the grids cannot be matched, or an array is not three-dimensional.
    """
    left_out: tuple[Notice, ...] = ()
    if not bad_bands:
        prediction, truth, left_out = _good(prediction, truth)
    first, second, wavelengths, notes = _matched(prediction, truth)
    if isinstance(prediction, Cube) and isinstance(truth, Cube):
        notes += places_apart.notices(prediction.metadata, truth.metadata)
    return first, second, wavelengths, (*left_out, *notes)


def _good(prediction: Any, truth: Any) -> tuple[Any, Any, tuple[Notice, ...]]:
    """Both without bad bands: where they have the same bands, without those of either."""
    pair = [prediction, truth]
    cubes = [each for each in pair if isinstance(each, Cube)]
    bad = [set(np.flatnonzero(~cube.good_bands).tolist()) for cube in cubes]
    if not any(bad):
        return prediction, truth, ()
    told = [
        bad_bands_left_out(len(marked), cube.name)
        for cube, marked in zip(cubes, bad, strict=True)
        if marked
    ]
    sizes = [int(each.shape[0]) for each in map(_array, pair, ("prediction", "truth"))]
    grids = [cube.wavelengths for cube in cubes if cube.wavelengths is not None]
    alike = len(grids) < 2 or grids[0].matches(grids[1], TOLERANCE_NM)
    if sizes[0] == sizes[1] and alike:
        kept = [band for band in range(sizes[0]) if not any(band in marked for marked in bad)]
        if not kept:
            raise InputError("No band is left to compare: all are marked as bad (bbl).")
        pair = [_take(each, kept) for each in pair]
    else:
        pair = [
            _take(each, np.flatnonzero(each.good_bands)) if isinstance(each, Cube) else each
            for each in pair
        ]
    return pair[0], pair[1], tuple(told)


def _take(each: Any, bands: Sequence[int] | np.ndarray) -> Any:
    if isinstance(each, Cube):
        return take(each, bands)
    return _select(_array(each, "array"), np.array(bands))


def _matched(
    prediction: Any, truth: Any
) -> tuple[Any, Any, Wavelengths | None, tuple[Notice, ...]]:
    arrays = [_array(prediction, "prediction"), _array(truth, "truth")]
    grids = [c.wavelengths if isinstance(c, Cube) else None for c in (prediction, truth)]
    sizes = [tuple(int(n) for n in array.shape) for array in arrays]
    if sizes[0][1:] != sizes[1][1:]:
        (_, h1, w1), (_, h2, w2) = sizes
        raise InputError(
            "Prediction and truth differ in size: the prediction has "
            f"{h1} x {w1} pixels (height x width), the truth {h2} x {w2}{_times(sizes)}."
        )
    known = [grid for grid in grids if grid is not None]
    if len(known) < 2:
        return _by_index(arrays, grids, sizes)
    notes = _assumptions(known)
    if known[0].matches(known[1], TOLERANCE_NM):
        return arrays[0], arrays[1], known[1], notes
    fine = 0 if len(known[0]) > len(known[1]) else 1
    chosen = _inside(known[1 - fine], known[fine])
    if chosen is None:
        raise InputError(
            "Prediction and truth are on different wavelength grids: the prediction has "
            f"{known[0].describe()}, the truth {known[1].describe()}, and neither holds all band "
            f"centres of the other within {TOLERANCE_NM:g} nm."
        )
    arrays[fine] = _select(arrays[fine], chosen)
    truth_grid = known[1]
    if fine == 1:
        truth_grid = Wavelengths(truth_grid.nm[chosen], truth_grid.assumed)
    which = ("prediction", "truth")[fine]
    told = (
        f"Compared on {len(chosen)} common bands: of the {which}'s {len(known[fine])} bands "
        f"({known[fine].describe()}) only those of the other cube are used."
    )
    notes += (Notice.info(Code.COMMON_BANDS, told),)
    return arrays[0], arrays[1], truth_grid, notes


def _by_index(
    arrays: list[Any], grids: list[Wavelengths | None], sizes: list[tuple[int, ...]]
) -> tuple[Any, Any, Wavelengths | None, tuple[Notice, ...]]:
    known = grids[1] if grids[0] is None else grids[0]
    if sizes[0][0] != sizes[1][0]:
        described = [
            f"{size[0]} band{'s' if size[0] > 1 else ''} at unknown wavelengths"
            if grid is None
            else grid.describe()
            for grid, size in zip(grids, sizes, strict=True)
        ]
        raise InputError(
            f"Prediction and truth cannot be matched: the prediction has {described[0]}, the "
            f"truth {described[1]}."
        )
    if known is None:
        told = "No wavelengths are known on either side: bands are compared by index."
    else:
        which = "prediction" if grids[0] is None else "truth"
        told = (
            f"The wavelengths of the {which} are not known: bands are compared by index, "
            f"as {known.describe()}."
        )
    return arrays[0], arrays[1], known, (Notice.warning(Code.BANDS_BY_INDEX, told),)


def _assumptions(grids: list[Wavelengths]) -> tuple[Notice, ...]:
    which = [
        name for name, grid in zip(("prediction", "truth"), grids, strict=True) if grid.assumed
    ]
    if not which:
        return ()
    whose = " and ".join(which)
    told = f"The wavelengths of the {whose} are an assumption, not stated by the file."
    return (Notice.warning(Code.WAVELENGTHS_ASSUMED, told),)


def _inside(coarse: Wavelengths, fine: Wavelengths) -> np.ndarray | None:
    """Indices of the coarse grid's centres in the fine grid, or None."""
    nearest: np.ndarray = np.abs(fine.nm[None, :] - coarse.nm[:, None]).argmin(axis=1)
    close = np.abs(fine.nm[nearest] - coarse.nm) <= TOLERANCE_NM
    if not close.all() or (np.diff(nearest) <= 0).any():
        return None
    return nearest


def _select(array: Any, bands: np.ndarray) -> Any:
    steps = np.unique(np.diff(bands))
    in_memory = isinstance(array, np.ndarray)
    if in_memory and steps.size <= 1:
        step = int(steps[0]) if steps.size else 1
        return array[bands[0] : bands[-1] + 1 : step]
    if in_memory and not (isinstance(array, np.memmap) and array.dtype == np.float32):
        return array[bands]
    return LazyArray(array, bands=bands.tolist())


def _times(sizes: list[tuple[int, ...]]) -> str:
    """Advice if the truth has a higher resolution than the prediction, else an empty string."""
    (_, h1, w1), (_, h2, w2) = sizes
    if h2 <= h1 or 0 in (h1, w1):
        return ""
    if h2 % h1 or w2 % w1 or h2 // h1 != w2 // w1:
        return ", which do not divide"
    return f": make the pixels of the prediction {h2 // h1} times as fine first"


def _array(values: Any, which: str) -> Any:
    if isinstance(values, Cube):
        return values.data
    if not (hasattr(values, "dtype") or isinstance(values, (list, tuple))):
        raise InputError(
            f"The {which} must be a cube or an array (bands, height, width), "
            f"not {type(values).__name__}."
        )
    return checked(values, which)
