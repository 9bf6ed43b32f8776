"""What a run will take in memory and time, before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.errors import InputError
from napari_hsr.inference.devices import resolve
from napari_hsr.inference.estimates import speed_probe
from napari_hsr.inference.estimates.network_speed import tile_seconds
from napari_hsr.inference.estimates.speed import expected_seconds
from napari_hsr.inference.reduced_resolution import (
    around_seconds,
    is_quick,
    measure_around,
    quick,
    reduction,
    tabulated,
)
from napari_hsr.inference.refinement_choice import BACK_PROJECTION, DUALSR, find
from napari_hsr.inference.run_plan import RunPlan, plan_run
from napari_hsr.inference.subpixel_grid import on_grid
from napari_hsr.inference.super_resolution import refinement_work, super_resolve
from napari_hsr.inference.upscalers import interpolation_work
from napari_hsr.resample import Kind
from napari_hsr.resample.methods import checked_scale
from napari_hsr.resample.resize import PART_BYTES
from napari_hsr.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: Options of a reconstruction that its estimate takes, as they are by default.
COMPUTED: dict[str, Any] = {
    "device": "auto",
    "tile": "auto",
    "precision": "auto",
    "ensemble": "single",
    "finer": 1,
    "detail": "auto",
}
#: A smaller copy of the network, in bytes, is not mentioned, and no figure of a shorter time, in
#: seconds, which it does not have.
LEAST_TOLD = 10e6
LEAST_SECONDS = 1.0
#: Side of the result by which interpolations and refinements are measured, in pixels.
SMALL = 192

#: Cubes of the coarse size that a comparison with the coarse cube holds at once: the cube, its
#: residual, their difference, and a map of doubles for the figures. Back-projection also holds the
#: sum of the residuals, the change of a pass and the state before it.
_HELD = {False: 4, True: 7}
#: Parts of the fine cube that are held at once while it is degraded.
_PARTS = 3
#: Bytes that a network leaves behind besides its copy: code and buffers of its libraries.
_LEFT = 25e6


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run takes beyond its input and the loaded model.

    Attributes
    ----------
    shape : (int, int, int)
        (bands, height, width) of the cube.
    bytes_output : int
        The cube, in the computer's memory.
    bytes_working : int
        Peak of what is needed besides, on the device that computes; ``bytes_copy`` is part of it.
    bytes_copy : int
        The copy of the network that the run makes and later runs use again; 0 if it is there.
    tiles : int
        Number of tiles; 0 for an interpolation.
    seconds : float or None
        Time without loading the model and making its copy: from tiles and refinements that this
        machine has computed with the same model, device, threads, precision and tile size, else
        from small images that the network has computed on it. None without either.
    on_disk : bool
        Whether the cube is written to disk instead, and takes no memory.
    """

    shape: tuple[int, int, int]
    bytes_output: int
    bytes_working: int
    tiles: int
    bytes_copy: int = 0
    seconds: float | None = None
    on_disk: bool = False

    def words(self) -> str:
        """Memory, and the time if it is known, in one or two sentences."""
        how = {0: "", 1: ", from the whole image at once"}.get(
            self.tiles, f", in {self.tiles} tiles"
        )
        copy = ""
        if self.bytes_copy >= LEAST_TOLD:
            held = format_bytes(self.bytes_copy)
            copy = f" ({held} of it for a copy of the network that later runs share)"
        bands, height, width = self.shape
        where, more = "of memory, and computing it", " more"
        if self.on_disk:
            where, more = "on disk before compression, and computing it", " of memory"
        duration = ""
        if self.seconds is not None:
            short = self.seconds < LEAST_SECONDS
            told = "Less than a second" if short else f"About {format_seconds(self.seconds)}"
            duration = f" {told} on this device."
        return (
            f"The cube of {height} × {width} pixels in {bands} bands takes "
            f"{format_bytes(self.bytes_output)} {where} about "
            f"{format_bytes(self.bytes_working)}{more}{copy}{how}.{duration}"
        )


@told
def estimate(
    image_shape: tuple[int, ...],
    model: Model,
    tile: int | str = "auto",
    precision: str = "auto",
    *,
    device: str = "auto",
    ensemble: str = "single",
    finer: int = 1,
    probe: bool = True,
    detail: str = "auto",
    on_disk: bool = False,
) -> Estimate:
    """What a reconstruction would take; no pixel is read.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width, ...) of the photograph.
    model : Model
    tile, precision, device, ensemble, finer, detail
        As for :func:`napari_hsr.reconstruct`. The memory is that of float32; lower precisions take
        less.
    probe : bool
        Whether to run the network over small images if its speed on this device is unknown,
        which takes some tenths of a second, once on a machine.
    on_disk : bool
        The cube is written to a zarr store.

    Raises
    ------
    InputError
        If an option does not fit.
    """
    if len(image_shape) < 2 or min(image_shape[:2]) < 1:
        raise InputError(f"An image has a height and a width from 1 on, not {image_shape}.")
    height, width = image_shape[:2]
    factor = reduction(detail, model, height, width, device, finer)
    used = tabulated(detail, model, height, width, device, finer)
    run = plan_run(
        on_grid(used, finer),
        -(-height // factor),
        -(-width // factor),
        device=device,
        tile=tile,
        precision="float32" if precision == "auto" and is_quick(used) else precision,
        ensemble=ensemble,
        on_disk=on_disk,
    )
    found = replace(_of_network(run, probe), on_disk=on_disk)
    if factor == 1 or model.base is None:
        return found
    whole = plan_run(
        quick(model.base),
        height,
        width,
        device=device,
        tile=tile,
        precision="float32",
        on_disk=on_disk,
    )
    above = _of_network(whole, probe)
    # the correction as affine functions of three colours, and both cubes of the network's size
    held = 6 * found.bytes_output
    around = around_seconds(height, width, run.bands, factor)
    if around is None and probe:
        measure_around(model, factor)
        around = around_seconds(height, width, run.bands, factor)
    seconds = None
    if found.seconds is not None and above.seconds is not None and around is not None:
        seconds = found.seconds + above.seconds + around
    return replace(
        above,
        on_disk=on_disk,
        bytes_working=max(found.bytes_working, above.bytes_working) + held,
        bytes_copy=found.bytes_copy,
        tiles=found.tiles + above.tiles,
        seconds=seconds,
    )


@told
def estimate_super_resolution(
    coarse_shape: tuple[int, int, int],
    upscaler: Model | Kind,
    scale: int,
    *,
    refine: bool | str | None = False,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    probe: bool = True,
    on_disk: bool = False,
) -> Estimate:
    """What a super-resolution would take; no pixel is read.

    Parameters
    ----------
    coarse_shape : (int, int, int)
        (bands, height, width) of the cube.
    upscaler : Model or Kind
        As :func:`napari_hsr.inference.upscalers.choose` returns it.
    scale, refine, device, tile, precision
        As for :func:`napari_hsr.super_resolve`.
    probe, on_disk : bool
        As for :func:`estimate`.

    Raises
    ------
    InputError
        If an option does not fit.
    """
    if min(coarse_shape) < 1:
        raise InputError(f"A cube has a band, a row and a column at least, not {coarse_shape}.")
    scale = checked_scale(scale)
    bands, height, width = coarse_shape
    torch_device = resolve(device)
    refinement = find(refine)
    shape = bands, height * scale, width * scale
    work = refinement_work(refinement, scale, str(torch_device))
    if probe and refinement != DUALSR and expected_seconds(work, 1) is None:
        _measure_refinement(scale, refine, str(torch_device))
    if isinstance(upscaler, Kind):
        if probe and expected_seconds(interpolation_work(upscaler, scale), 1) is None:
            _measure_refinement(scale, False, "cpu", upscaler)
        seconds = expected_seconds(interpolation_work(upscaler, scale), prod(shape))
        found = Estimate(
            shape=shape, bytes_output=4 * prod(shape), bytes_working=0, tiles=0, seconds=seconds
        )
        left = 0
    else:
        run = plan_run(
            upscaler,
            height,
            width,
            bands=bands,
            device=device,
            tile=tile,
            precision=precision,
            on_disk=on_disk,
        )
        found = _of_network(run, probe)
        left = found.bytes_copy + int(_LEFT)
    part = min(4 * prod(shape), max(PART_BYTES, 4 * shape[2]))
    comparing = _HELD[refinement == BACK_PROJECTION] * 4 * prod(coarse_shape) + _PARTS * part
    computing, seconds = found.bytes_working, found.seconds
    if refinement == DUALSR:  # the result at half the scale stays; FineSR computes in doubles
        half = prod(shape)
        computing = half + max(computing, left + 2 * _PARTS * part + 6 * prod(shape[1:]))
        seconds = None  # the second network's speed is unknown here
    refining = expected_seconds(work, prod(shape))
    if on_disk:  # compared with the coarse cube block by block
        comparing = _PARTS * 2 * PART_BYTES
    return replace(
        found,
        on_disk=on_disk,
        bytes_working=max(left + comparing, computing),
        seconds=None if seconds is None or refining is None else seconds + refining,
    )


def _measure_refinement(
    scale: int, refine: bool | str | None, device: str, kind: Kind | str = "bicubic-matlab"
) -> None:
    """Interpolate and refine a small cube, a ramp with a little noise; the times are remembered."""
    rows = np.linspace(0.1, 0.9, SMALL // scale, dtype=np.float32)[:, None]
    noise = np.random.default_rng(0).random((31, len(rows), len(rows)), np.float32)
    super_resolve(rows + noise / 20, kind, scale, refine=refine, device=device)


def _of_network(run: RunPlan, probe: bool) -> Estimate:
    """Memory and time of a network over the tiles of a plan."""
    multiple, copy = run.model.size_multiple, run.bytes_copy()
    largest = max(-(-h // multiple) * -(-w // multiple) for h, w in (t.shape for t in run.tiles))
    pixels = largest * multiple**2
    seconds = tile_seconds(run, run.tiles)
    if seconds is None and probe and run.model.weights_sha256:
        speed_probe.measure(run)
        seconds = tile_seconds(run, run.tiles)
    return Estimate(
        shape=run.output_shape,
        bytes_output=4 * prod(run.output_shape),
        bytes_working=copy + run.model.bytes_fixed + pixels * run.bytes_per_pixel,
        tiles=len(run.tiles),
        bytes_copy=copy,
        seconds=seconds,
    )
