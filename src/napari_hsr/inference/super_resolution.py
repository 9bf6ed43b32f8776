"""Super-resolve a spectral cube: upscale it, refine the result, and check it against the input."""

from __future__ import annotations

import time
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.cube import finite_range
from napari_hsr.errors import HSRError, InputError
from napari_hsr.inference.devices import resolve
from napari_hsr.inference.estimates.memory_use import PeakMemory, trim
from napari_hsr.inference.estimates.speed import expected_seconds, keep, remember
from napari_hsr.inference.fine_cube import fine_part, memory_for, title
from napari_hsr.inference.fine_on_disk import super_resolve_to_disk
from napari_hsr.inference.inputs import as_cube
from napari_hsr.inference.refinement_choice import (
    BACK_PROJECTION,
    DUALSR,
    about_agreement,
    about_half,
    find,
    half_scale_upscaler,
)
from napari_hsr.inference.region import of_cube
from napari_hsr.inference.results import SuperResolutionResult
from napari_hsr.inference.spectral_noise import filtered, not_on_disk, wants_filter
from napari_hsr.inference.tiles.cluster import Workers
from napari_hsr.inference.tiles.finished_part import handing_over
from napari_hsr.inference.tiles.result_place import zarr_path
from napari_hsr.inference.upscalers import (
    check_bands,
    choose,
    upscale_events,
)
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress, as_part, result_of
from napari_hsr.resample import (
    Agreement,
    Kind,
    Refinement,
    agreement_events,
    finesr_events,
    refine_events,
)
from napari_hsr.resample import find as find_degradation
from napari_hsr.resample.holes import fill_events

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator
    from os import PathLike

    import torch
    from distributed import Client

    from napari_hsr.cube import Cube
    from napari_hsr.inference.region import Region
    from napari_hsr.models.model import Model

    Checking = Generator[Progress, None, Agreement | Refinement]

#: Steps of the progress, and at which of them the result itself, the joining with the result at
#: half the scale, and the refinement or comparison begin.
_STEPS = 1000
_BEGINNINGS: dict[str | None, tuple[int, int, int]] = {
    None: (0, 950, 950),
    BACK_PROJECTION: (0, 800, 800),
    DUALSR: (400, 850, 950),
}


@told
def super_resolve_events(
    image: Cube | np.ndarray | str | PathLike[str],
    model: Model | Kind | str | PathLike[str] | None = None,
    scale: int | None = None,
    *,
    refine: bool | str | None = False,
    half_model: Model | Kind | str | PathLike[str] | None = None,
    degradation: str = "bicubic-matlab",
    tolerance: float = 1e-3,
    iterations: int = 20,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    cancel: threading.Event | None = None,
    region: Region | None = None,
    client: Client | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    denoise: bool | None = None,
) -> Iterator[Progress | SuperResolutionResult]:
    """Super-resolve a cube and report progress.

    Parameters and errors are those of :func:`super_resolve`.

    Yields
    ------
    Progress, and at last one SuperResolutionResult.
    """
    yield Progress(0, 0, "Loading the model")
    coarse = of_cube(as_cube(image), region)
    upscaler, scale = choose(model, scale)
    check_bands(coarse, upscaler)
    refinement = find(refine)
    half_upscaler = half_scale_upscaler(upscaler, scale, refine, half_model)
    if half_upscaler is not None:
        check_bands(coarse, half_upscaler)
    find_degradation(degradation)
    torch_device = resolve(device)
    options: dict[str, Any] = {"device": device, "tile": tile, "precision": precision}
    options["workers"] = None if client is None else Workers(client, device, cancel)
    wanted = wants_filter(upscaler, denoise)
    work = refinement_work(refinement, scale, str(torch_device))
    refining = expected_seconds(work, scale**2 * prod(coarse.shape))
    if output is not None:
        _check_on_disk(refinement, denoise)
        yield from super_resolve_to_disk(
            coarse,
            upscaler,
            scale,
            zarr_path(output),
            overwrite=overwrite,
            degradation=degradation,
            region=region,
            told=(*_already_super_resolved(coarse), *not_on_disk(wanted)),
            comparing=refining,
            cancel=cancel,
            **options | {"device": torch_device},
        )
        return
    first, second, third = _BEGINNINGS[refinement]
    start = time.perf_counter()
    with PeakMemory(torch_device) as memory:
        filled = yield from fill_events(coarse, cancel)
        given = filtered(filled.cube, wanted, cancel)
        place = memory_for(coarse, upscaler, scale)
        stopped = partial(fine_part, place, filled, upscaler, start, memory)
        half, gain = None, 0.0
        if half_upscaler is not None:
            events = upscale_events(given.cube, half_upscaler, scale // 2, cancel=cancel, **options)
            half = yield from as_part(events, 0, first, _STEPS)
            trim()
        events = upscale_events(given.cube, upscaler, scale, cancel=cancel, place=place, **options)
        making = as_part(events, first, second, _STEPS, later=refining)
        upscaled = yield from handing_over(making, stopped)
        trim()  # what the network took is not needed while the result is refined
        cube, begun = upscaled.cube, time.perf_counter()
        if half is not None:
            join = finesr_events(cube, half.cube, overwrite=True, cancel=cancel)
            joined = yield from handing_over(as_part(join, second, third, _STEPS), stopped)
            cube, gain = joined.cube, joined.gain
        limits: dict[str, Any] = {"tolerance": tolerance, "iterations": iterations}
        pair = cube, coarse, scale, degradation
        agreeing = _agreeing(refinement, pair, limits, _placing(torch_device), cancel)
        checking: Checking = as_part(agreeing, third, _STEPS, _STEPS)
        agreement = yield from handing_over(checking, stopped)
        if isinstance(agreement, Refinement):
            cube = agreement.cube
        remember(work, prod(cube.shape), time.perf_counter() - begun)
        keep()
    if filled.missing is not None:
        filled.open_again(cube.data, scale)
        cube = cube.replace(data=cube.data, _value_range=finite_range(cube.data))
    told = [*given.notices, *upscaled.notices, *filled.notices()]
    told += [] if half is None else half.notices
    told += agreement.notices() if isinstance(agreement, Refinement) else ()
    cube = cube.replace(
        name=title(coarse, upscaler, scale) + (" refined" if refinement else ""),
        notices=(*_already_super_resolved(coarse), *coarse.notices, *told),
        _value_range=cube.value_range,
    )
    cube.provenance.extra["super_resolution"] = {
        "by": upscaler.name,
        "scale": scale,
        "refined_by": refinement,
        **about_half(half_upscaler, half, gain),
        **about_agreement(agreement, refinement),
    }
    on_device = upscaled.tiles or refinement == BACK_PROJECTION
    yield SuperResolutionResult(
        cube=cube,
        coarse=coarse,
        scale=scale,
        agreement=agreement,
        refined_by=refinement,
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(torch_device) if on_device else "cpu",
        precision=upscaled.precision,
        tiles=upscaled.tiles,
        notices=cube.notices,
    )


@told
def super_resolve(
    image: Cube | np.ndarray | str | PathLike[str],
    model: Model | Kind | str | PathLike[str] | None = None,
    scale: int | None = None,
    *,
    refine: bool | str | None = False,
    half_model: Model | Kind | str | PathLike[str] | None = None,
    degradation: str = "bicubic-matlab",
    tolerance: float = 1e-3,
    iterations: int = 20,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    progress: Callable[[Progress], Any] | None = None,
    cancel: threading.Event | None = None,
    region: Region | None = None,
    client: Client | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    denoise: bool | None = None,
) -> Cube:
    """Super-resolve a spectral cube: ``scale`` times as many pixels along each side.

    A coarse image does not determine a fine one: the detail is the model's estimate, not a
    measurement.

    Parameters
    ----------
    image : Cube, ndarray (bands, height, width), or path
        Five bands or more. What is missing (NaN or infinite) is filled with the nearest value of
        its band before it is made finer, and is NaN in the result. Where values exceed 1, a network receives them
        divided by the largest, and its result is multiplied by it.
    model : Model, str, path or None
        A model for cubes, or the name of an interpolation: ``"bicubic-matlab"``,
        ``"bicubic-opencv"``, ``"bicubic-torch"``, ``"box"``. By default the first available model
        of the scale.
    scale : int, optional
        2 to 16; by default the model's.
    refine : bool or {"back-projection", "dualsr"}
        True or ``"back-projection"``: refine the result until it agrees with the cube, see
        :func:`napari_hsr.refine`. ``"dualsr"``: as the authors of DualSR published it, one pass of
        :func:`napari_hsr.resample.finesr_events` against a second result at half the scale, which must
        then be 4 or 8.
    half_model : Model, str, path or None
        What makes that second result. By default an available model of the same network.
    degradation : str
        How the coarse cube is assumed to have come from a fine one: for back-projection, and for
        the agreement of the result with the cube. DualSR's refinement assumes MATLAB's bicubic.
    denoise : bool, optional
        Whether noise that the bands do not share is left out of the cube first, see
        :func:`napari_hsr.inference.spectral_noise.without_noise`. By default before networks that
        were trained on cubes with noise, as the bundled ones were.
    tolerance, iterations
        Back-projection ends when the residual falls to this share of the cube's values, after so
        many passes, or when a pass would not lower it.
    device, tile, precision
        As for :func:`napari_hsr.reconstruct`.
    progress : callable, optional
        Called with a :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional
        Set it from another thread to stop the work.
    region : str or (rows, columns), optional
        Of the cube, in its pixels: as for :func:`napari_hsr.reconstruct`.
    client : distributed.Client, optional
        Its workers compute the tiles of a network, as for :func:`napari_hsr.reconstruct`.
    output, overwrite
        A zarr store that the result is written to tile by tile, as for
        :func:`napari_hsr.reconstruct`; what is refined is computed in memory.

    Returns
    -------
    Cube
        (bands, scale * height, scale * width) float32, with the bands of the input.

    Raises
    ------
    HSRError
        If the input, the model, the scale or an option does not fit, with the reason.
    Cancelled
        If ``cancel`` was set.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_hsr import super_resolve
    >>> super_resolve(np.full((5, 4, 6), 0.5), "bicubic-matlab", 4).shape
    (5, 16, 24)
    """
    options = locals()  # all of these, before there is another
    progress = options.pop("progress")
    return result_of(super_resolve_events(**options), progress).cube


def why_not_super_resolve(
    image: Any,
    model: Any = None,
    scale: int | None = None,
    refine: bool | str | None = None,
    half_model: Any = None,
) -> str | None:
    """None if this can be super-resolved, else the reason in one sentence; reads no pixels."""
    try:
        cube = as_cube(image)
        upscaler, scale = choose(model, scale)
        for one in (upscaler, half_scale_upscaler(upscaler, scale, refine, half_model)):
            if one is not None:
                check_bands(cube, one)
    except HSRError as error:
        return str(error)
    return None


def refinement_work(refinement: str | None, scale: int, device: str) -> tuple[str, str, int, str]:
    """What the time of a refinement is remembered by; the amount is values of the result."""
    return "refinement", refinement or "none", scale, device


def _agreeing(
    refinement: str | None,
    pair: tuple[Cube, Cube, int, str],
    limits: dict[str, Any],
    place: Callable[[np.ndarray], Any],
    cancel: threading.Event | None,
) -> Iterator[Progress | Agreement | Refinement]:
    """The result made to agree with the coarse cube, or compared with it."""
    if refinement == BACK_PROJECTION:
        return refine_events(*pair, **limits, overwrite=True, place=place, cancel=cancel)
    return agreement_events(*pair, place=place, cancel=cancel)


def _check_on_disk(refinement: str | None, denoise: bool | None) -> None:
    if refinement is not None or denoise:
        raise InputError(
            "A result is refined, and noise left out, in memory over all of it: leave out the "
            "output, or these."
        )


def _already_super_resolved(cube: Cube) -> tuple[Notice, ...]:
    """A notice if the cube is itself the result of a super-resolution."""
    made = cube.provenance.extra.get("super_resolution")
    if not isinstance(made, dict) or not made.get("scale"):
        return ()
    text = (
        f"{cube.name} was already made {made['scale']} times as fine, by "
        f"{made.get('by', 'another model')}: what is made of it now is an estimate from an "
        "estimate. If that was the target size, nothing more needs to be done."
    )
    return (Notice.warning(Code.ALREADY_SUPER_RESOLVED, text),)


def _placing(device: torch.device) -> Callable[[np.ndarray], Any]:
    """Moves arrays to where the back-projection computes."""
    if device.type == "cpu":
        return np.asarray

    def place(values: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.array(values, order="C")).to(device)

    return place
