"""Upscalers of cubes, models and interpolations: which there are, choosing one, running one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import finite_range
from napari_hsr.errors import InputError, did_you_mean
from napari_hsr.inference.estimates.speed import remember
from napari_hsr.inference.fine_cube import title, upscaled_cube
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.loop import run_tiles
from napari_hsr.inference.tiles.outputs import written
from napari_hsr.inference.tiles.result_place import Disk, Memory
from napari_hsr.models.card import DETAIL_ESTIMATED, SUPER_RESOLUTION
from napari_hsr.notices import Code, Notice, as_notices
from napari_hsr.progress import Progress, stop_if
from napari_hsr.resample import Kind, methods
from napari_hsr.resample.resize import Resampler, empty_fine, read_coarse, up_part
from napari_hsr.units import device_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from os import PathLike

    from napari_hsr.cube import Cube
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.cluster import Workers
    from napari_hsr.inference.tiles.outputs import Output
    from napari_hsr.inference.tiles.tiling import Tile
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model
    from napari_hsr.resample.holes import Filled

#: Networks for cubes are trained on values up to this; larger ones are scaled down.
FULL = 1.0


# --- choosing ----------------------------------------------------------------------------------


def baseline(name: Any) -> Kind | None:
    """The interpolation of this name, or None if it names a model."""
    if isinstance(name, Kind):
        return name
    if not isinstance(name, str):
        return None
    try:
        found = methods.find(name)
    except InputError:
        return None
    return found if found.up else None


def offered(scale: int | None = None) -> list[ModelCard]:
    """Cards of the available super-resolution models, of one scale if it is stated."""
    from napari_hsr.models import list_models

    cards = [card for card in list_models() if card.task == SUPER_RESOLUTION]
    return [card for card in cards if scale in (None, card.scale)]


def choose(
    upscaler: Model | Kind | str | PathLike[str] | None, scale: int | None
) -> tuple[Model | Kind, int]:
    """Load a model or find an interpolation, and settle the scale.

    Parameters
    ----------
    upscaler : Model, Kind, str, path or None
        A loaded model, the name or path of one, or the name of an interpolation such as
        ``"bicubic-matlab"``. None takes the first available model of the scale.
    scale : int or None
        None takes the model's.

    Returns
    -------
    upscaler : Model or Kind
    scale : int

    Raises
    ------
    HSRError
        If there is no such model, it does not take cubes, or it has another scale.
    """
    if scale is not None:
        scale = methods.checked_scale(scale)
    if upscaler is None:
        upscaler = _default(scale)
    kind = baseline(upscaler)
    if kind is not None:
        if scale is None:
            raise InputError(f"{kind.name} needs a scale, such as 2, 3, 4 or 8.")
        return kind, scale
    assert not isinstance(upscaler, Kind)
    from napari_hsr.models import load_model

    _check_name(upscaler)
    model = load_model(upscaler)
    if model.task != SUPER_RESOLUTION:
        raise InputError(
            f"{model.name} reconstructs cubes from photographs; for super-resolution choose a "
            f"model for cubes or an interpolation ({', '.join(methods.BASELINES)})."
        )
    if scale is not None and scale != model.scale:
        raise InputError(
            f"{model.name} has scale ×{model.scale}, not ×{scale}: choose another model or scale."
        )
    return model, model.scale


def _check_name(upscaler: Any) -> None:
    """Raise InputError for a name of neither model nor file, with what there is."""
    from napari_hsr.models import list_models

    if not isinstance(upscaler, str) or Path(upscaler).exists():
        return
    if upscaler in [card.name for card in list_models()]:
        return
    known = [*(card.name for card in offered()), *methods.BASELINES, "box"]
    hint = did_you_mean(upscaler, known)
    raise InputError(
        f"There is no model or file {upscaler!r}{hint}; for super-resolution there are "
        f"{', '.join(known)}."
    )


def _default(scale: int | None) -> str:
    if scale is None:
        raise InputError("State a scale, such as 2, 3, 4 or 8, or a model.")
    cards = offered(scale)
    if not cards:
        raise InputError(
            f"No model of scale ×{scale} is installed: import one, or choose an interpolation "
            f"({', '.join(methods.BASELINES)})."
        )
    return cards[0].name


def check_bands(cube: Cube, upscaler: Model | Kind) -> None:
    """Raise InputError unless the cube has the number of bands that the upscaler needs."""
    if isinstance(upscaler, Kind):
        return
    name, channels, least = upscaler.name, upscaler.channels, upscaler.least_bands
    if channels is None and cube.bands < least:
        raise InputError(f"{name} needs {least} bands or more; {cube.name} has {cube.bands}.")
    if channels not in (None, cube.bands):
        raise InputError(f"{name} takes {channels} bands; {cube.name} has {cube.bands}.")


# --- running -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upscaled:
    """An upscaled cube, what it was computed in, in how many tiles, and what the user must know."""

    cube: Cube
    precision: str
    tiles: int
    notices: tuple[Notice, ...]


def upscale_events(
    coarse: Cube,
    upscaler: Model | Kind,
    scale: int,
    *,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    cancel: threading.Event | None = None,
    workers: Workers | None = None,
    place: Memory | Disk | None = None,
    filled: Filled | None = None,
) -> Iterator[Progress | Upscaled]:
    """Upscale a cube by a network or an interpolation, and report progress.

    Parameters
    ----------
    coarse : Cube
        All values finite.
    upscaler, scale
        As :func:`choose` returns them.
    device, tile, precision
        As for :func:`napari_hsr.reconstruct`, for a network.
    cancel : threading.Event, optional
    workers : Workers, optional
        What computes the tiles of a network.
    place : Memory or Disk, optional
        Where the result goes: in memory by default.
    filled : Filled, optional
        The holes that the coarse cube had: the result is NaN there.

    Yields
    ------
    Progress, and at last one Upscaled.
    """
    kind = None
    if isinstance(upscaler, Kind):
        if place is None:
            return _interpolate(coarse, upscaler, scale, cancel)
        from napari_hsr.inference.interpolations import as_model  # which loads torch

        kind, upscaler = upscaler, as_model(upscaler, scale, coarse.bands)
    height, width = coarse.shape[1:]
    run = plan_run(
        upscaler,
        height,
        width,
        bands=coarse.bands,
        device=device,
        tile=tile,
        precision=precision,
        on_disk=isinstance(place, Disk),
        **(workers.planning if workers else {}),
    )
    place = place or Memory(run.output_shape, "choose a smaller scale or crop the cube")
    return _run_network(coarse, run, place, cancel, workers, filled, kind)


def interpolation_work(kind: Kind, scale: int) -> tuple[str, str, int]:
    """What the time of an interpolation is remembered by; the amount is values of the result."""
    return "interpolation", kind.name, scale


def _interpolate(
    coarse: Cube, kind: Kind, scale: int, cancel: threading.Event | None
) -> Iterator[Progress | Upscaled]:
    start = time.perf_counter()
    way = Resampler(kind, scale, *coarse.shape[1:])
    data = empty_fine(coarse.bands, way)
    parts = list(way.parts(coarse.bands))
    for done, (bands, rows) in enumerate(parts):
        stop_if(cancel)
        yield Progress(done, len(parts), "Interpolating")
        fine = slice(rows.start * scale, rows.stop * scale)
        data[bands, fine] = up_part(way, read_coarse(coarse, bands), fine)
    remember(interpolation_work(kind, scale), data.size, time.perf_counter() - start)
    step = _interpolated(kind, scale)
    cube = upscaled_cube(coarse, data, finite_range(data), step)
    yield Upscaled(cube.replace(name=title(coarse, kind, scale)), "float32", 0, ())


def _interpolated(kind: Kind, scale: int) -> str:
    return f"Upsampled ×{scale} by {kind.words(scale)}: no detail is added."


def _run_network(
    coarse: Cube,
    run: RunPlan,
    place: Memory | Disk,
    cancel: threading.Event | None,
    workers: Workers | None,
    filled: Filled | None,
    kind: Kind | None,
) -> Iterator[Progress | Upscaled]:
    model, run = run.model, place.aligned(run)
    job, output = _CubeJob(coarse, scaled=kind is None), place.output(run)
    if filled is not None and filled.missing is not None:
        output = _WithHoles(output, filled, model.scale)
    tiled = yield from run_tiles(run, job, output, cancel, workers)
    data, extremes, title_of = place.data, tiled.value_range, kind or model
    if kind is not None:
        cube = upscaled_cube(coarse, data, extremes, _interpolated(kind, model.scale))
        told: tuple[Notice, ...] = place.notices
    else:
        step = (
            f"Made {model.scale} times as fine by {model.name} on {device_words(run.device)} "
            f"in {run.precision}."
        )
        cube = upscaled_cube(coarse, data, extremes, step, DETAIL_ESTIMATED, model=model)
        found = [*_about_wavelengths(coarse, model), *place.notices, *tiled.notices]
        if job.full > FULL:
            text = (
                f"Values of {coarse.name} reach {job.full:g}: the network, trained on 0..1, "
                "received them divided by that, and its result was multiplied by it."
            )
            found.append(Notice.info(Code.VALUES_RESCALED, text))
        if run.precision_notice:
            found.append(run.precision_notice)
        told = as_notices((DETAIL_ESTIMATED, *found, *model.notices))
    yield Upscaled(
        cube.replace(name=title(coarse, title_of, model.scale), _value_range=extremes),
        run.precision,
        tiled.tiles,
        told,
    )


class _WithHoles:
    """An output whose values are NaN where those of the coarse cube were filled in."""

    def __init__(self, output: Output, filled: Filled, scale: int):
        self._output, self._filled, self._scale = output, filled, scale
        self.finished, self.close = output.finished, output.close

    def write(self, tile: Tile, block: np.ndarray, counted: Mapping[str, int]) -> None:
        holed = self._filled.open_in(block, *written(tile, self._scale), self._scale)
        self._output.write(tile, holed, counted)


class _CubeJob:
    """A coarse cube for the loop over tiles, all bands at a time."""

    doing = "Super-resolving"

    def __init__(self, coarse: Cube, scaled: bool = True):
        self._coarse = coarse
        self.full = max(FULL, coarse.value_range[1]) if scaled else FULL

    def read(self, tile: Tile) -> np.ndarray:
        values = np.asarray(self._coarse.data[:, tile.rows.read, tile.columns.read], np.float32)
        return values if self.full == FULL else values / np.float32(self.full)

    def undo(self, bands: np.ndarray) -> np.ndarray:
        return _times(bands, self.full)

    @property
    def undoing(self) -> Callable[[np.ndarray], np.ndarray]:
        return partial(_times, full=self.full)

    def counted(self) -> Mapping[str, int]:
        return {}  # all values are finite

    def add(self, counted: Mapping[str, int]) -> None:
        """Nothing to add."""


def _times(bands: np.ndarray, full: float) -> np.ndarray:
    return bands if full == FULL else bands * np.float32(full)


def _about_wavelengths(cube: Cube, model: Model) -> tuple[Notice, ...]:
    """A notice if the model was trained on other wavelengths, or they are not known."""
    trained = model.wavelengths
    if cube.wavelengths is None:
        text = (
            f"{cube.name} names no wavelengths; {model.name} was trained on {trained.describe()}."
        )
    elif not cube.wavelengths.matches(trained):
        text = (
            f"{cube.name} has {cube.wavelengths.describe()}; {model.name} was trained on "
            f"{trained.describe()} and computes any bands, but never saw these."
        )
    else:
        return ()
    return (Notice.warning(Code.WAVELENGTHS_NOT_TRAINED_ON, text),)
