"""A cube of coarse pixels becomes one of fine pixels: a model or a baseline, then a refinement.

The same generator drives viewer, command line and tests, as :mod:`napari_hsr.inference.reconstruction` does
for photographs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.inference import devices, refinement, upscalers
from napari_hsr.inference.memory_use import PeakMemory, trim
from napari_hsr.inference.super_resolution_tiles import Made, compute, interpolate
from napari_hsr.progress import Progress
from napari_hsr.resample import (
    Agreement,
    Kind,
    Refinement,
    agreement_events,
    find,
    finesr_events,
    refine_events,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator
    from os import PathLike

    import torch

    from napari_hsr.cube import Cube
    from napari_hsr.models.model import Model

#: Steps of the progress, and which of them the second result, the whole one and FineSR begin at,
#: and the last part: back-projection, or holding the result against the coarse cube.
_STEPS = 1000
_BEGINNINGS = {
    None: (0.0, 0.0, 0.95, 0.95),
    refinement.BACK_PROJECTION: (0.0, 0.0, 0.8, 0.8),
    refinement.DUALSR: (0.0, 0.4, 0.85, 0.95),
}


@dataclass(frozen=True)
class Options:
    """How a super-resolution is done: see :func:`super_resolve`."""

    refine: bool | str = False
    half_model: Model | Kind | str | PathLike | None = None
    degradation: str = "bicubic-matlab"
    tolerance: float = 1e-3
    iterations: int = 20
    device: str = "auto"
    tile: int | str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class FinerResult:
    """What a super-resolution ends with.

    Attributes
    ----------
    cube : Cube
        (bands, scale * height, scale * width) float32 over the area of ``coarse``: see
        :func:`napari_hsr.resample.aligned`.
    coarse : Cube
        What it was made from.
    scale : int
    agreement : Agreement or Refinement
        How far the result agrees with the coarse cube under the degradation named there; its
        ``residual`` (height, width) is the quality map that needs no truth. A
        :class:`~napari_hsr.resample.Refinement` if back-projection was asked for.
    refined_by : str or None
        ``"back-projection"``, ``"dualsr"``, or None.
    seconds : float
        Wall time, without loading the model.
    peak_bytes : int
        Highest memory above that at the start, the cube itself included.
    device, precision : str
        What it ran on and in.
    tiles : int
        How many tiles the network took for the whole result; 0 for a baseline.
    notices : tuple of str
        What the user must know of this result.
    """

    cube: Cube
    coarse: Cube
    scale: int
    agreement: Agreement | Refinement
    refined_by: str | None
    seconds: float
    peak_bytes: int
    device: str
    precision: str
    tiles: int
    notices: tuple[str, ...]

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.seconds:.2f} s on {self.device} in {self.precision}, "
            f"peak memory +{self.peak_bytes / 2**20:.0f} MiB; residual on the coarse grid "
            f"{self.agreement.relative:.2%} under {self.agreement.degradation}"
        )


def super_resolve_events(
    image: Cube | np.ndarray | str | PathLike,
    model: Model | Kind | str | PathLike | None = None,
    scale: int | None = None,
    *,
    cancel: threading.Event | None = None,
    **options: Any,
) -> Iterator[Progress | FinerResult]:
    """Make the pixels of a cube finer, saying how far the work has come.

    Parameters and errors are those of :func:`super_resolve`; ``options`` become
    :class:`Options`.

    Yields
    ------
    Progress, …, and at last one FinerResult.
    """
    how = Options(**options)
    yield Progress(0, 0, "Loading the model")
    coarse = upscalers.as_cube(image)
    way, scale = upscalers.choose(model, scale)
    upscalers.check_bands(coarse, way)
    refine = refinement.find(how.refine)
    half_way = refinement.half_of(way, scale, refine, how.half_model)
    if half_way is not None:
        upscalers.check_bands(coarse, half_way)
    find(how.degradation)
    device = devices.resolve(how.device)
    start = time.perf_counter()
    shares = _BEGINNINGS[refine]
    with PeakMemory(device) as memory:
        yield from upscalers.check_values(coarse, cancel)
        half = None
        if half_way is not None:
            second = _enlarging(coarse, half_way, scale // 2, device, how, cancel)
            half = yield from _shared(second, shares[0], shares[1])
            trim()
        whole = _enlarging(coarse, way, scale, device, how, cancel)
        made = yield from _shared(whole, shares[1], shares[2])
        trim()  # what the network took is not needed while the result is refined
        cube, gain = made.cube, None
        if half is not None:
            joined = finesr_events(cube, half.cube, overwrite=True, cancel=cancel)
            refined = yield from _shared(joined, shares[2], shares[3])
            cube, gain = refined.cube, refined.gain
        last = _holding(cube, coarse, scale, refine, device, how, cancel)
        agreement = yield from _shared(last, shares[3], 1.0)
    found = [
        upscalers.finer_already(coarse),
        *coarse.notices,
        *made.notices,
        *(half.notices if half is not None else ()),
    ]
    if isinstance(agreement, Refinement):
        cube = agreement.cube
        found.append(agreement.shortfall())
    name = _title(coarse, way, scale)
    cube = cube.replace(
        name=f"{name} refined" if refine else name,
        notices=tuple(dict.fromkeys(filter(None, found))),
        _value_range=cube.value_range,
    )
    facts = {"by": way.name, "scale": scale, "refined_by": refine}
    if half is not None:
        facts |= _about_half(half_way, half, gain)
    cube.provenance.extra["super_resolution"] = facts | {
        "degradation": agreement.degradation,
        "passes": _passes(agreement, refine),
        "relative_residual": agreement.relative,
    }
    on_device = made.tiles or refine == refinement.BACK_PROJECTION
    yield FinerResult(
        cube=cube,
        coarse=coarse,
        scale=scale,
        agreement=agreement,
        refined_by=refine,
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(device) if on_device else "cpu",
        precision=made.precision,
        tiles=made.tiles,
        notices=cube.notices,
    )


def super_resolve(
    image: Cube | np.ndarray | str | PathLike,
    model: Model | Kind | str | PathLike | None = None,
    scale: int | None = None,
    *,
    refine: bool | str = False,
    half_model: Model | Kind | str | PathLike | None = None,
    degradation: str = "bicubic-matlab",
    tolerance: float = 1e-3,
    iterations: int = 20,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    progress: Callable[[Progress], Any] | None = None,
    cancel: threading.Event | None = None,
) -> Cube:
    """Make the pixels of a cube ``scale`` times as fine along each side.

    Coarse pixels do not determine finer ones: the detail is the model's estimate, not a
    measurement.

    Parameters
    ----------
    image : Cube, ndarray (bands, height, width), or path
        Five bands or more, all values finite. Where values exceed 1, a network gets them divided
        by the largest, and its result is multiplied back.
    model : Model, str, path or None
        A model for cubes, or the name of a baseline: ``"bicubic-matlab"``, ``"bicubic-opencv"``,
        ``"bicubic-torch"``, ``"box"``. By default the first model at hand for the scale.
    scale : int, optional
        2 to 16; a model's own if None.
    refine : bool or {"back-projection", "dualsr"}
        True or ``"back-projection"``: refine the result until it agrees with the cube, see
        :func:`napari_hsr.refine`. ``"dualsr"``: as its authors published DualSR, one pass of
        :func:`napari_hsr.resample.finesr` against a second result at half the scale, which is
        4 or 8 then.
    half_model : Model, str, path or None
        What makes that second result. By default a model at hand of the same network.
    degradation : str
        How the coarse cube is taken to have come from a fine one: for the back-projection, and
        for what is told of the result's agreement with the cube. DualSR's refinement takes
        MATLAB's bicubic.
    tolerance, iterations
        Of the back-projection: it ends when the residual falls to this share of the cube's
        values, after so many passes, or when a pass would not lower it.
    device, tile, precision
        As for :func:`napari_hsr.reconstruct`.
    progress : callable, optional
        Called with a :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional
        Set it from another thread to stop the work.

    Returns
    -------
    Cube
        (bands, scale * height, scale * width) float32, the bands of the input.

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
    options = Options(
        refine, half_model, degradation, tolerance, iterations, device, tile, precision
    )
    for event in super_resolve_events(image, model, scale, cancel=cancel, **vars(options)):
        if isinstance(event, FinerResult):
            return event.cube
        if progress is not None:
            progress(event)
    raise AssertionError("a run ends with a result")


def _shared(events: Iterator[Any], first: float, last: float) -> Generator[Progress, None, Any]:
    """Pass on progress as a part of the whole; the event that is none is handed back."""
    for event in events:
        if not isinstance(event, Progress):
            return event
        part = event.done / event.total if event.total else 0.0
        yield Progress(round(_STEPS * (first + (last - first) * part)), _STEPS, event.message)
    raise AssertionError("work ends with a result")


def _enlarging(
    coarse: Cube,
    way: Model | Kind,
    scale: int,
    device: torch.device,
    how: Options,
    cancel: threading.Event | None,
) -> Iterator[Progress | Made]:
    """One result: of a baseline, or of a network in tiles; named by what made it."""
    if isinstance(way, Kind):
        events = interpolate(coarse, way, scale, cancel)
    else:
        events = compute(coarse, way, device, how.tile, how.precision, cancel)
    for event in events:
        if isinstance(event, Made):
            named = event.cube.replace(name=_title(coarse, way, scale))
            event = replace(event, cube=named)
        yield event


def _holding(
    cube: Cube,
    coarse: Cube,
    scale: int,
    refine: str | None,
    device: torch.device,
    how: Options,
    cancel: threading.Event | None,
) -> Iterator[Progress | Agreement | Refinement]:
    """The result against the coarse cube: refined by it, or only told how far it agrees."""
    both = {"place": _placing(device), "cancel": cancel}
    if refine != refinement.BACK_PROJECTION:
        return agreement_events(cube, coarse, scale, how.degradation, **both)
    return refine_events(
        cube,
        coarse,
        scale,
        how.degradation,
        tolerance=how.tolerance,
        iterations=how.iterations,
        overwrite=True,
        **both,
    )


def _title(coarse: Cube, way: Model | Kind, scale: int) -> str:
    return f"{coarse.name} {way.name}" + (f" ×{scale}" if isinstance(way, Kind) else "")


def _about_half(way: Model | Kind, half: Made, gain: float) -> dict[str, Any]:
    """What the provenance keeps of the second result."""
    return {
        "half_by": way.name,
        "half_sha256": None if isinstance(way, Kind) else way.weights_sha256,
        "half_precision": half.precision,
        "gain": gain,
    }


def _passes(agreement: Agreement | Refinement, refine: str | None) -> int:
    if isinstance(agreement, Refinement):
        return agreement.passes
    return 1 if refine else 0


def _placing(device: torch.device) -> Callable[[np.ndarray], Any]:
    """From NumPy to what the back-projection computes with on the device."""
    if device.type == "cpu":
        return np.asarray

    def place(values: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.array(values, order="C")).to(device)

    return place
