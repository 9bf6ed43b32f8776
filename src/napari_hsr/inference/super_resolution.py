"""A cube of coarse pixels becomes one of fine pixels: a model or a baseline, then back-projection.

The same generator drives viewer, command line and tests, as :mod:`napari_hsr.inference.run` does
for photographs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.events import Progress
from napari_hsr.inference import devices, finer_pixels
from napari_hsr.inference.enlarging import compute, interpolate, stop_if
from napari_hsr.inference.memory import PeakMemory
from napari_hsr.resample import (
    Agreement,
    Kind,
    Refinement,
    agreement_events,
    find,
    refine_events,
)
from napari_hsr.resample.resize import Way, read

if TYPE_CHECKING:
    import threading

    import torch

    from napari_hsr.models.descriptor import Model

#: Steps of the progress, and how they are shared out between enlarging and back-projection.
_STEPS = 1000
_ENLARGING = {False: 0.95, True: 0.8}


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
    seconds : float
        Wall time, without loading the model.
    peak_bytes : int
        Highest memory above that at the start, the cube itself included.
    device, precision : str
        What it ran on and in.
    tiles : int
        How many tiles the network took; 0 for a baseline.
    notices : tuple of str
        What the user must know of this result.
    """

    cube: Cube
    coarse: Cube
    scale: int
    agreement: Agreement | Refinement
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
    refine: bool = False,
    degradation: str = "bicubic-matlab",
    tolerance: float = 1e-3,
    iterations: int = 20,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    cancel: threading.Event | None = None,
) -> Iterator[Progress | FinerResult]:
    """Make the pixels of a cube finer, saying how far the work has come.

    Parameters and errors are those of :func:`super_resolve`.

    Yields
    ------
    Progress, …, and at last one FinerResult.
    """
    yield Progress(0, 0, "Loading the model")
    coarse = finer_pixels.as_cube(image)
    way, scale = finer_pixels.choose(model, scale)
    finer_pixels.check_bands(coarse, way)
    find(degradation)
    torch_device = devices.resolve(device)
    start = time.perf_counter()
    with PeakMemory(torch_device) as memory:
        yield from _check_values(coarse, cancel)
        share = _ENLARGING[refine]
        enlarging = (
            interpolate(coarse, way, scale, cancel)
            if isinstance(way, Kind)
            else compute(coarse, way, torch_device, tile, precision, cancel)
        )
        made = yield from _shared(enlarging, 0.0, share)
        options = {"place": _placing(torch_device), "cancel": cancel}
        holding = (
            refine_events(
                made.cube,
                coarse,
                scale,
                degradation,
                tolerance=tolerance,
                iterations=iterations,
                overwrite=True,
                **options,
            )
            if refine
            else agreement_events(made.cube, coarse, scale, degradation, **options)
        )
        agreement = yield from _shared(holding, share, 1 - share)
    cube = agreement.cube if refine else made.cube
    name = f"{coarse.name} {way.name}" + (f" ×{scale}" if isinstance(way, Kind) else "")
    cube = cube.replace(
        name=f"{name} refined" if refine else name,
        notices=tuple(dict.fromkeys((*coarse.notices, *made.notices))),
        _value_range=cube.value_range,
    )
    cube.provenance.extra["super_resolution"] = {
        "by": way.name,
        "scale": scale,
        "degradation": agreement.degradation,
        "passes": agreement.passes if refine else 0,
        "relative_residual": agreement.relative,
    }
    yield FinerResult(
        cube=cube,
        coarse=coarse,
        scale=scale,
        agreement=agreement,
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(torch_device) if made.tiles or refine else "cpu",
        precision=made.precision,
        tiles=made.tiles,
        notices=cube.notices,
    )


def super_resolve(
    image: Cube | np.ndarray | str | PathLike,
    model: Model | Kind | str | PathLike | None = None,
    scale: int | None = None,
    *,
    refine: bool = False,
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
    refine : bool
        Refine the result by back-projection: see :func:`napari_hsr.refine`.
    degradation : str
        How the coarse cube is taken to have come from a fine one.
    tolerance, iterations
        Of the back-projection.
    device, tile, precision
        As for :func:`napari_hsr.reconstruct`.
    progress : callable, optional
        Called with a :class:`~napari_hsr.events.Progress`.
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
    for event in super_resolve_events(
        image,
        model,
        scale,
        refine=refine,
        degradation=degradation,
        tolerance=tolerance,
        iterations=iterations,
        device=device,
        tile=tile,
        precision=precision,
        cancel=cancel,
    ):
        if isinstance(event, FinerResult):
            return event.cube
        if progress is not None:
            progress(event)
    raise AssertionError("a run ends with a result")


def _check_values(coarse: Cube, cancel: threading.Event | None) -> Iterator[Progress]:
    """Refuse values that are not finite before anything is computed."""
    for bands, rows in Way(find("box"), 1, *coarse.shape[1:]).parts(coarse.bands):
        stop_if(cancel)
        yield Progress(0, 0, "Reading the cube")
        read(coarse, bands, rows)


def _shared(events: Iterator[Any], first: float, share: float) -> Generator[Progress, None, Any]:
    """Pass on progress as a part of the whole; the event that is none is handed back."""
    for event in events:
        if not isinstance(event, Progress):
            return event
        part = event.done / event.total if event.total else 0.0
        yield Progress(round(_STEPS * (first + share * part)), _STEPS, event.message)
    raise AssertionError("work ends with a result")


def _placing(device: torch.device) -> Callable[[np.ndarray], Any]:
    """From NumPy to what the back-projection computes with on the device."""
    if device.type == "cpu":
        return np.asarray

    def place(values: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.array(values, order="C")).to(device)

    return place
