"""Reconstruct a spectral cube from an RGB photograph."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import __version__
from napari_hsr.arguments import told
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.inference.ensembles import check
from napari_hsr.inference.estimates.memory_use import PeakMemory
from napari_hsr.inference.estimates.network_speed import tile_seconds
from napari_hsr.inference.inputs import as_photograph
from napari_hsr.inference.photograph_job import CorrectedJob, PhotographJob
from napari_hsr.inference.reduced_resolution import (
    Correction,
    around_seconds,
    is_quick,
    notices_of,
    quick,
    reduced,
    reduction,
    tabulated,
)
from napari_hsr.inference.region import of_photograph
from napari_hsr.inference.results import Result
from napari_hsr.inference.run_plan import RunPlan, plan_run
from napari_hsr.inference.subpixel_grid import on_grid
from napari_hsr.inference.tiles.cluster import Workers
from napari_hsr.inference.tiles.finished_part import finished_part, handing_over
from napari_hsr.inference.tiles.loop import run_tiles
from napari_hsr.inference.tiles.outputs import InMemory
from napari_hsr.inference.tiles.result_place import Disk, Memory, fingerprint, zarr_path
from napari_hsr.inference.trust.apply_camera_profile import as_taken, profiled
from napari_hsr.inference.trust.intervals import calibrated, looker, sampled_notices
from napari_hsr.inference.trust.run import Trust, linear_camera_of, trust_events
from napari_hsr.models.bundled_models import DEFAULT
from napari_hsr.models.card import ILL_POSED
from napari_hsr.models.library import load_model
from napari_hsr.notices import Code, as_notices
from napari_hsr.progress import Progress, as_part, result_of
from napari_hsr.provenance import now
from napari_hsr.resample.resize import new_output
from napari_hsr.units import device_words

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator
    from os import PathLike

    from distributed import Client

    from napari_hsr.cameras import Camera
    from napari_hsr.inference.region import Region
    from napari_hsr.inference.tiles.loop import Tiled
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph
    from napari_hsr.provenance import Provenance


@told
def reconstruct_events(
    image: Photograph | np.ndarray | str | PathLike[str],
    model: Model | str | PathLike[str] = DEFAULT,
    *,
    encoding: str | None = None,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    ensemble: str = "single",
    finer: int = 1,
    cancel: threading.Event | None = None,
    exact: bool = False,
    camera: str | Camera | None = None,
    detail: str = "auto",
    intervals: bool = False,
    region: Region | None = None,
    client: Client | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> Iterator[Progress | Result]:
    """Reconstruct a cube and report progress.

    Parameters are those of :func:`reconstruct`.

    Yields
    ------
    Progress
        Before each tile, or each pass of an ensemble over it, while it is computed, and at the end.
    Result
        At the end.

    Raises
    ------
    HSRError
        If the input, the model or an option does not fit; before any work is done.
    Cancelled
        A second or so after ``cancel`` is set, however large the tiles are. Its ``part`` is a
        Result with the tiles that were finished in memory, NaN elsewhere; None if there are none.
    """
    yield Progress(0, 0, "Loading the model")
    model = on_grid(load_model(model), finer)
    image, encoding, camera = profiled(image, encoding, camera, exact)
    whole = as_photograph(image, model, encoding)
    photograph, place, limited, ground = of_photograph(whole, model, region)
    size = photograph.height, photograph.width
    factor = reduction(detail, model, *size, device, finer)
    disk = output is not None
    workers = None if client is None else Workers(client, device, cancel)
    sharing = workers.planning if workers else {}
    used = tabulated(detail, model, *size, device, finer)
    looked_up = is_quick(used)
    if looked_up and precision == "auto":
        precision = "float32"  # others would cost more than the table does
    planned = partial(plan_run, used, device=device, tile=tile, precision=precision, **sharing)
    run = planned(*(-(-n // factor) for n in size), ensemble=ensemble, on_disk=disk)
    check(ensemble, run.height, len(run.tiles))
    seen = (
        linear_camera_of(photograph, model, camera, finer) if exact or camera is not None else None
    )
    look = calibrated(photograph, model, finer) if intervals else None
    start = time.perf_counter()
    shape = run.bands, size[0] * model.scale, size[1] * model.scale
    cube = Cube(
        np.broadcast_to(np.float32(0), shape),
        model.wavelengths,
        units=model.card.units,
        name=f"{photograph.name} {model.name}",
        metadata={
            "card": model.card.model_dump(mode="json", exclude={"intervals"}),
            **(ground or {}),
        },
        place=place,
    )
    if output is None:
        kept: Memory | Disk = Memory(shape, "choose a smaller photograph, or write it to disk")
    else:
        if exact:
            raise InputError("Spectra are made exact in memory: leave out the output, or exact.")
        settings = {"encoding": photograph.encoding, "ensemble": ensemble, "finer": finer}
        on = {"device": run.device.type, "precision": run.precision, "reduced by": factor}
        on |= {"looked up": True} if looked_up else {}
        made_by = fingerprint(model, whole.data, **settings, **on, region=region and str(region))
        kept = Disk(zarr_path(output), cube, made_by, tile, overwrite)
    with PeakMemory(run.device) as memory, closing(kept):
        job = PhotographJob(photograph, model, whole)
        taken = as_taken(photograph)
        known = cube.replace(provenance=_provenance(photograph, taken, run, finer, None, factor))
        stopped = partial(finished_part, kept, known, photograph, run, start, memory)
        if factor == 1:
            run = kept.aligned(run)
            tiles = run_tiles(run, job, kept.output(run), cancel, workers)
            tiled = yield from handing_over(tiles, stopped)
        else:
            fast = _fast(photograph, run, factor, kept, cancel, workers)
            job, tiled = yield from handing_over(fast, stopped)
        unlike = [] if look else sampled_notices(kept.data, photograph, model)
        trust = None
        if seen or look:
            held = trust_events(kept.data, photograph, seen, exact, look, cancel)
            trust = yield from held if exact else handing_over(held, stopped)
        told = (*notices_of(factor, intervals, looked_up), *unlike, *(trust or Trust()).notices())
        about_precision = [run.precision_notice] if run.precision_notice else []
        clipped = (notice for notice in whole.notices if notice.code == Code.SATURATED)
        notices = (*limited, *clipped, *job.reader.notices(), *kept.notices, *tiled.notices, *told)
        cube = kept.keep(
            cube.replace(
                data=kept.data,
                provenance=_provenance(photograph, taken, run, finer, trust, factor),
                notices=(*notices, *as_notices(model.notices), *about_precision),
                _value_range=(trust and trust.value_range) or tiled.value_range,
            )
        )
        if trust and trust.intervals:
            trust.intervals.data = cube.data  # a store has another name by now
    yield Result(
        cube=cube,
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(run.device),
        precision=run.precision,
        tiles=tiled.tiles,
        notices=cube.notices,
        trust=trust,
        photograph=photograph,
        looker=looker(photograph, model) if finer == 1 else None,
    )


@told
def reconstruct(
    image: Photograph | np.ndarray | str | PathLike[str],
    model: Model | str | PathLike[str] = DEFAULT,
    *,
    encoding: str | None = None,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    ensemble: str = "single",
    finer: int = 1,
    progress: Callable[[Progress], Any] | None = None,
    cancel: threading.Event | None = None,
    exact: bool = False,
    camera: str | Camera | None = None,
    detail: str = "auto",
    intervals: bool = False,
    region: Region | None = None,
    client: Client | None = None,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
) -> Cube:
    """Reconstruct a spectral cube from an RGB image.

    Three channels do not determine a spectrum: the result is the model's estimate, not a
    measurement.

    Parameters
    ----------
    image : Photograph, ndarray (height, width, 3), or path
        A photograph that was read carries its encoding. A bare array is taken to be in the model's
        own; uint8 and uint16 are scaled by their full range, floats are in 0..1.
    model : Model, str or path
        As for :func:`napari_hsr.load_model`.
    encoding : str, optional
        ``"srgb"``, ``"linear-srgb"``, ``"xyz-d65"`` or ``"camera:<name>"``: the encoding of
        ``image``, where it is unknown or to be overridden.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda:0"``, ``"mps"``.
    tile : int, "auto" or "whole"
        Side of the tiles in pixels; "auto" depends on the free memory. For a model that depends on
        the whole image, tiles overlap and are blended, and their result differs from that of
        "whole"; a notice of the cube says so. For a network trained on crops of one size, "auto"
        takes overlapping windows of that size. Where memory runs out, the tile is halved and the
        work goes on.
    precision : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``. "auto" takes bfloat16 where
        the device supports it natively and the model's card states a PSNR of at least 45 dB
        against float32; else float32.
    ensemble : str
        ``"single"``; ``"mean"`` or ``"median"`` of the eight flips and transposes of the image,
        at eight times the work; ``"strips"``: two passes of the exact network in float32, as
        the published results of DRCR-Net were computed.
    finer : int
        2 or 4: that many pixels of the cube per pixel of the photograph along each side. Only for
        INR-HSISR, which was never trained for that; 1 is the photograph's own grid.
    progress : callable, optional
        Called with a :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional
        Set it from another thread to stop the work.
    exact : bool
        Return the spectra next to those of the network that have exactly the photographed colours
        and no negative value; see :mod:`napari_hsr.trust.exact_colours`. Takes a camera that is known: by
        the encoding of the photograph, or by ``camera``.
    camera : str or Camera, optional
        What took the photograph, as :func:`napari_hsr.cameras.get_camera` takes it:
        ``"table.csv:Nikon_D700"``; ``"cie-1931"`` for the approximate row space of photographs in
        sRGB. The mean measured share of the spectra is then in the cube's provenance.
        ``"profile:NAME"`` applies a kept camera profile first.
    detail : str
        ``"full"``: the network at every pixel. ``"fast"``: the network sees a reduced photograph,
        whose own pixels carry the result to full resolution, for networks over a per-pixel base
        such as the default; per-pixel networks are looked up in a table, to 0.01%. ``"auto"``:
        fast for photographs of more than 4 megapixels on a CPU; a notice of the cube says so.
    intervals : bool
        Find intervals that hold the truth with a probability of 90%, for models whose card is
        calibrated: ``trust.intervals`` of the :class:`Result` that
        :func:`reconstruct_events` ends with; their mean is in the cube's provenance.
    region : str or (rows, columns), optional
        Compute a rectangle alone: ``"0:100,50:200"``, two slices, or two pairs of ends. The cube's
        ``place`` says where it lies over the photograph.
    client : distributed.Client, optional
        Its workers compute the tiles of the network, each on its own ``device``; the photograph is
        read and the cube put together here. They need the same version of napari-hsr.
    output : path, optional
        A zarr store (``"x.zarr"``) that the cube is written to tile by tile, for results larger than
        memory; the cube that is returned reads it as needed. Until all is there it is called
        ``x.unfinished.zarr``. The same call goes on with it, where it was killed or cancelled; with
        another model, photograph or setting it is refused.
    overwrite : bool
        Begin anew whatever was begun there.

    Returns
    -------
    Cube
        (bands, height, width) float32 at the model's wavelengths.

    Raises
    ------
    HSRError
        If the input, the model or an option does not fit, with the reason.
    Cancelled
        If ``cancel`` was set.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_hsr import reconstruct
    >>> cube = reconstruct(np.full((4, 5, 3), 0.5), "rootpoly-srgb")
    >>> cube.shape
    (31, 4, 5)
    """
    options = locals()  # all of these, before there is another
    progress = options.pop("progress")
    return result_of(reconstruct_events(**options), progress).cube


def _fast(
    photograph: Photograph,
    run: RunPlan,
    factor: int,
    place: Memory | Disk,
    cancel: threading.Event | None,
    workers: Workers | None,
) -> Generator[Progress, None, tuple[PhotographJob, Tiled]]:
    """The network on the reduced photograph, then its base and the correction at every pixel."""
    base = run.model.base
    assert base is not None  # as detail.reduction saw to
    base = quick(base)
    to_disk = isinstance(place, Disk)
    planned = partial(plan_run, base, device=str(run.device), precision="float32", on_disk=to_disk)
    yield Progress(0, 0, "Reducing the photograph")
    small = reduced(photograph, run.model, factor, cancel)
    made = new_output(run.output_shape, "choose a smaller photograph")
    seen = run_tiles(run, PhotographJob(small, run.model), InMemory(made), cancel, workers)
    fine = place.aligned(planned(photograph.height, photograph.width))
    each = tile_seconds(fine, fine.tiles)
    around = around_seconds(photograph.height, photograph.width, run.bands, factor)
    later = None if each is None or around is None else each + around
    yield from _share(seen, 0, 60, later)
    below = new_output(run.output_shape, "choose a smaller photograph")
    few = planned(small.height, small.width)
    base_seen = run_tiles(few, PhotographJob(small, base), InMemory(below), cancel)
    yield from _share(base_seen, 60, 62, later)
    fitting = Correction.events(np.asarray(small.data), made - below, factor, cancel)
    correction = yield from as_part(fitting, 62, 65, 100)
    job = CorrectedJob(photograph, base, correction)
    whole = run_tiles(fine, job, place.output(fine), cancel)
    return job, (yield from _share(whole, 65, 100, 0.0))


def _share(
    work: Generator[Progress, None, Tiled], first: int, last: int, later: float | None
) -> Generator[Progress, None, Tiled]:
    """A part of the work, in hundredths of the whole, and the seconds of what comes after it."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            tiled: Tiled = end.value
            return tiled
        at = first + (last - first) * event.share
        left = event.seconds_left
        left = None if left is None or later is None else left + later
        yield Progress(int(at), 100, event.message, left, at % 1)


def _provenance(
    photograph: Photograph,
    taken: dict[str, Any],
    run: RunPlan,
    finer: int,
    trust: Trust | None,
    factor: int,
) -> Provenance:
    model = run.model
    steps = list(photograph.provenance.steps)
    if photograph.encoding != model.input_encoding:
        steps.append(f"Decoded from {photograph.encoding} to {model.input_encoding}.")
    where = device_words(run.device)
    steps.append(f"Reconstructed by {model.name} on {where} in {run.precision}.")
    if factor > 1:
        steps.append(
            f"The network saw the photograph reduced by {factor}; guided by the photograph, its "
            "correction of the per-pixel base was carried to full resolution."
        )
    if is_quick(model):
        steps.append("Looked up in a table of the network over chromaticity, 512 nodes a side.")
    if run.ensemble.words:
        steps.append(run.ensemble.words)
    if finer > 1:
        steps.append(f"On a grid {finer} times as fine, which the network was never trained for.")
    steps.extend(trust.steps() if trust else ())
    steps.append(ILL_POSED)
    return replace(
        photograph.provenance,
        extra=taken | ({"trust": trust.record()} if trust else {}),
        input=photograph.provenance.input or photograph.name,
        model=model.name,
        weights_sha256=model.weights_sha256,
        version=__version__,
        created=now(),
        steps=tuple(steps),
    )
