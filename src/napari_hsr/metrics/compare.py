"""A complete comparison, figures and maps, as a generator of events that can be cancelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.conversion.wavelengths import common_grid
from napari_hsr.errors import HSRError, InputError
from napari_hsr.io.bands import without_bad_bands
from napari_hsr.metrics import maps as map_makers
from napari_hsr.metrics.maps import DEFAULT_WINDOW, ErrorMap
from napari_hsr.metrics.match import match
from napari_hsr.metrics.protocols import Protocol, SamRule, get_protocol
from napari_hsr.metrics.row_blocks import Pair
from napari_hsr.metrics.several import evaluate_several_events
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, as_part

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_hsr.cube import Cube
    from napari_hsr.metrics.evaluation import Evaluation
    from napari_hsr.metrics.several import FigureTable

#: The available maps, and what each shows.
MAPS = {
    "sam": "Spectral angle (°)",
    "rmse": "RMSE over the bands",
    "mrae": "MRAE over the bands",
    "psnr": "PSNR over the bands (dB)",
    "psnr_window": "PSNR in a window (dB)",
}

#: The figures take about as long as this many maps; for the progress bar only.
_WEIGHT_OF_FIGURES = 6
_STEPS = 100


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes
    ----------
    evaluation : Evaluation
        The figures, overall and per band, with their protocol.
    maps : dict of str to ErrorMap
        The requested maps, by their names in :data:`MAPS`, each (height, width).
    notes : tuple of Notice
        What the maps leave out, and where they differ from the figures.
    table : FigureTable or None
        All predictions, where there were others.
    """

    evaluation: Evaluation
    maps: dict[str, ErrorMap] = field(default_factory=dict)
    notes: tuple[Notice, ...] = ()
    table: FigureTable | None = None


@dataclass(frozen=True)
class Outline:
    """The shape and data type of an array whose values are not needed."""

    shape: tuple[int, ...]
    dtype: Any = np.float32


def why_not(
    prediction: Cube,
    truth: Cube,
    *,
    protocol: str | Protocol = "default",
    maps: Iterable[str] = (),
    window: int = DEFAULT_WINDOW,
    resample: bool = False,
) -> str | None:
    """Explain why these cubes cannot be compared, or None if they can; reads no data.

    Cheap enough to call at each change in a panel: it needs only shapes and wavelengths, so
    ``cube.data`` may be an :class:`Outline`.
    """
    try:
        pair = (_outline(prediction), _outline(truth))
        first, second, _, _ = match(*(common_grid(*pair) if resample else pair))
        Pair(first, second, get_protocol(protocol).crop)
        _checked(maps, window, tuple(second.shape)[1:])
    except HSRError as error:
        return str(error)
    return None


def compare_events(
    prediction: Cube,
    truth: Cube,
    *,
    protocol: str | Protocol = "default",
    maps: Iterable[str] = ("sam", "rmse"),
    window: int = DEFAULT_WINDOW,
    mask: Any = None,
    lights: Sequence[str] = (),
    resample: bool = False,
    others: Sequence[Cube] = (),
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Comparison]:
    """Compare two cubes, as events.

    Parameters
    ----------
    prediction, truth : Cube, shape (bands, height, width)
        On the same wavelength grid, or with the coarser grid contained in the finer.
    protocol : str or Protocol
        Rules of the figures: see :func:`napari_hsr.metrics.evaluate`.
    maps : iterable of str
        Names of maps in :data:`MAPS`.
    window : int
        Side of the sliding window of ``"psnr_window"``, in pixels: odd, at least 3, and no
        larger than the image.
    mask, lights, resample
        Of the figures, as for :func:`napari_hsr.metrics.evaluate`; the maps show the whole image.
    others : sequence of Cube
        More predictions, each a row of ``Comparison.table``.
    cancel : threading.Event, optional
        When set, the work stops after the current block.

    Yields
    ------
    Progress, …, and at last one Comparison.

    Raises
    ------
    InputError
        If the cubes cannot be compared, or a map or the window is not valid.
    napari_hsr.errors.Cancelled
        If ``cancel`` was set.
    """
    rules = get_protocol(protocol)
    given = prediction, truth
    if resample:
        prediction, truth = common_grid(without_bad_bands(prediction), without_bad_bands(truth))
    first, second, _, _ = match(prediction, truth)
    names = _checked(maps, window, tuple(second.shape)[1:])
    makers = _makers(first, second, truth.units or "", rules, window)
    done = _STEPS * _WEIGHT_OF_FIGURES * (1 + len(others))
    total = done + _STEPS * len(names)
    yield Progress(0, total, "Figures")
    several = evaluate_several_events(
        [given[0], *others],
        given[1],
        rules,
        mask=mask,
        lights=lights,
        resample=resample,
        cancel=cancel,
    )
    table = yield from as_part(several, 0, done, total, "Figures")
    found = table.evaluations[0]
    made: dict[str, ErrorMap] = {}
    for name in names:
        yield Progress(done, total, MAPS[name])
        painting = makers[name](cancel=cancel)
        made[name] = yield from as_part(painting, done, done + _STEPS, total, MAPS[name])
        done += _STEPS
    told = _about_maps(made, rules)
    if mask is not None and made:
        text = "The maps show the whole image; the figures are those of the region."
        told = (Notice.info(Code.MAP_DIFFERS, text), *told)
    yield Comparison(found, made, told, table if others else None)


def _makers(
    first: Any, second: Any, unit: str, rules: Protocol, window: int
) -> dict[str, Callable[..., Iterator[Progress | ErrorMap]]]:
    """The makers of all maps, with the protocol's full scale and floor, in the truth's units."""
    options: dict[str, dict[str, Any]] = {
        "rmse": {"unit": unit},
        "mrae": {"floor": rules.mrae.floor},
        "psnr": {"peak": rules.peak},
        "psnr_window": {"peak": rules.peak, "size": window},
    }
    return {
        name: partial(maker, first, second, **options.get(name, {}))
        for name, maker in map_makers.MAPS.items()
    }


def _about_maps(made: dict[str, ErrorMap], rules: Protocol) -> tuple[Notice, ...]:
    """Where maps and figures differ in what they count, and what the maps leave out."""
    if not made:
        return ()
    psnr = any(name in made for name in ("psnr", "psnr_window"))
    told = []
    if rules.crop:
        told.append(
            f"The maps show the whole image; the figures leave out {rules.crop} pixels at each side."
        )
    if rules.clip != "none" or (rules.clip_psnr != "none" and psnr):
        told.append("The maps show the values as they are; the figures clip them first.")
    if "mrae" in made and (rules.mrae.epsilon or rules.mrae.zero is not None):
        told.append("The MRAE map divides by the truth itself; the figure changes it first.")
    if "sam" in made and rules.sam != SamRule():
        told.append(
            "The SAM map leaves out black pixels alone; the figure follows the protocol's rule."
        )
    for found in made.values():
        told += [f"{label(found)} map: {text}" for text in (found.note, found.beyond) if text]
    return tuple(Notice.info(Code.MAP_DIFFERS, text) for text in told)


def label(error_map: ErrorMap) -> str:
    """``SAM (°)``: name and unit of a map, for layers and colour bars."""
    return f"{error_map.name} ({error_map.unit})" if error_map.unit else error_map.name


def _checked(maps: Iterable[str], window: int, size: tuple[int, ...]) -> tuple[str, ...]:
    """The maps asked for, each once, in the order of :data:`MAPS`.

    Raises
    ------
    InputError
        If a name is not known or the window is not valid for an image of this size.
    """
    wanted = set(maps)
    unknown = sorted(wanted - set(MAPS))
    if unknown:
        raise InputError(f"There is no map {unknown[0]!r}; there are {', '.join(MAPS)}.")
    if "psnr_window" in wanted:
        if window < 3 or window % 2 == 0:
            raise InputError(
                f"The window of the PSNR map must be an odd number of pixels from 3 on, not {window}."
            )
        if window > min(size):
            raise InputError(
                f"The window of the PSNR map ({window} pixels) is larger than the image "
                f"({size[0]} x {size[1]} pixels)."
            )
    return tuple(name for name in MAPS if name in wanted)


def _outline(cube: Cube) -> Cube:
    return cube.replace(data=Outline(tuple(cube.data.shape), cube.data.dtype))
