"""The only loop over tiles: a generator of events that every door drives."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import __version__
from napari_hsr.cube import Cube, finite_range
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference import devices, ensembles, subpixel_grid, tiling
from napari_hsr.inference.inputs import TileSource, as_photograph
from napari_hsr.inference.memory_budget import output_bytes
from napari_hsr.inference.memory_use import PeakMemory
from napari_hsr.inference.precision import choose
from napari_hsr.inference.tile_queue import Work, give_back, ran_out
from napari_hsr.models.card import ILL_POSED
from napari_hsr.models.library import DEFAULT, load_model
from napari_hsr.progress import Progress

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from os import PathLike

    import torch

    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph
    from napari_hsr.provenance import Provenance


@dataclass(frozen=True)
class Result:
    """What a run ends with.

    Attributes
    ----------
    cube : Cube
        The reconstruction, with provenance and the model's card in ``metadata["card"]``.
    seconds : float
        Wall time, without loading the model.
    peak_bytes : int
        Highest memory above that at the start: the cube included, and the copy of the network
        that a first run makes.
    device, precision : str
        What it ran on and in.
    tiles : int
        How many tiles it was computed in.
    notices : tuple of str
        What the user must know of this result.
    """

    cube: Cube
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
            f"peak memory +{self.peak_bytes / 2**20:.0f} MiB"
        )


def events(
    image: Photograph | np.ndarray | str | PathLike,
    model: Model | str | PathLike = DEFAULT,
    *,
    encoding: str | None = None,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    ensemble: str = "single",
    finer: int = 1,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | Result]:
    """Reconstruct a cube, saying how far the work has come.

    Parameters are those of :func:`reconstruct`.

    Yields
    ------
    Progress
        Once before the first tile and after each tile, or each pass of an ensemble over it.
    Result
        At the end.

    Raises
    ------
    HSRError
        If the input, the model or an option does not fit; before any work is done.
    Cancelled
        Soon after ``cancel`` is set: at most one tile, or pass over it, later.
    """
    yield Progress(0, 0, "Loading the model")
    from napari_hsr.models.optimised_copy import prepared  # brings torch

    model = subpixel_grid.on_grid(load_model(model), finer)
    ways = ensembles.find(ensemble)
    torch_device = devices.resolve(device)
    used, of_precision = choose(model, precision, torch_device, ensemble)
    photograph = as_photograph(image, model, encoding)
    source = TileSource(photograph, model)
    tiles = tiling.plan(
        photograph.height,
        photograph.width,
        model,
        tile,
        device=torch_device,
        ensemble=ensemble,
        precision=used,
    )
    ensembles.check(ensemble, photograph.height, len(tiles))

    start = time.perf_counter()
    with PeakMemory(torch_device) as memory:
        if ways.exact:
            module = model.module.to(torch_device)
        else:
            module = prepared(model, used, torch_device)
        statistics = model.rule.measure(source.strips())
        data, work = (
            _empty(photograph, model),
            Work(tiles, photograph.height, photograph.width, model, ways.passes),
        )
        low, high = np.inf, -np.inf
        while work:
            part, short = work.tile, False
            try:
                # None before each pass of the network, then what they make of the tile
                for core in _core(part, source, model, module, statistics, torch_device, ways.run):
                    if core is None:
                        _stop_if(cancel)
                        yield work.begin_pass()
            except Exception as error:
                short = ran_out(error)
                if not short:
                    raise
            if short:  # the error is gone by now, and with it what it held
                give_back(torch_device)
                if ensemble == "strips":
                    raise InputError(
                        "There is not enough memory for strips of the whole image: "
                        "choose 'single', which can be computed in tiles."
                    )
                work.halve()
                continue
            rows, columns = (
                slice(s.write.start * model.scale, s.write.stop * model.scale)
                for s in (part.rows, part.columns)
            )
            source.count(part.rows.core, part.columns.core)
            work.finish_tile()
            if part.blended:
                data[:, rows, columns] += core
                continue
            data[:, rows, columns] = core
            # The range is found on the way, so that nobody scans the cube for it again.
            least, most = finite_range(core)
            low, high = min(low, least), max(high, most)
        _stop_if(cancel)
        if any(part.blended for part in work.finished):
            low, high = finite_range(data)
        yield work.finish()
    cube = Cube(
        data,
        model.wavelengths,
        units=model.card.units,
        name=f"{photograph.name} {model.name}",
        provenance=_provenance(photograph, model, torch_device, used, ways.words, finer),
        metadata={"card": model.card.model_dump(mode="json")},
        notices=(
            *(*source.notices(), *work.notices(), *model.notices),
            *([of_precision] if of_precision else []),
        ),
        _value_range=(low, high) if low <= high else (0.0, 0.0),
    )
    yield Result(
        cube=cube,
        seconds=time.perf_counter() - start,
        peak_bytes=memory.bytes,
        device=str(torch_device),
        precision=used,
        tiles=len(work.finished),
        notices=cube.notices,
    )


def reconstruct(
    image: Photograph | np.ndarray | str | PathLike,
    model: Model | str | PathLike = DEFAULT,
    *,
    encoding: str | None = None,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    ensemble: str = "single",
    finer: int = 1,
    progress: Callable[[Progress], Any] | None = None,
    cancel: threading.Event | None = None,
) -> Cube:
    """Reconstruct a spectral cube from an RGB image.

    Three channels do not determine a spectrum: the result is the model's estimate, not a
    measurement.

    Parameters
    ----------
    image : Photograph, ndarray (height, width, 3), or path
        A photograph that was read carries its encoding. A bare array is taken in the
        model's own; uint8 and uint16 are scaled by their full range, floats are in 0..1.
    model : Model, str or path
        As for :func:`napari_hsr.load_model`.
    encoding : str, optional
        ``"srgb"``, ``"linear-srgb"``, ``"xyz-d65"`` or ``"camera:<name>"``: what the values
        of ``image`` are, where that is not known or is to be overruled.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda:0"``, ``"mps"``.
    tile : int, "auto" or "whole"
        Side of the tiles in pixels; "auto" goes by the memory that is free. Tiles of a model
        that depends on the whole image overlap and are blended, and their result differs from
        that of "whole", of which the cube tells. For a network that was trained on crops of one
        size, "auto" takes overlapping windows of that size. Where memory gives out, the tile is
        halved and the work goes on.
    precision : str
        ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``. "auto" takes bfloat16 where
        the model's card has its error, of 45 dB PSNR against float32 or better, and the device
        computes in it natively; else float32.
    ensemble : str
        ``"single"``; ``"mean"`` or ``"median"`` of the eight flips and transposes of the image,
        at eight times the work; ``"strips"``: two passes of the exact network in
        float32, as published results of DRCR-Net were computed.
    finer : int
        2 or 4: the cube has so many pixels for each of the photograph along each side. Only for
        INR-HSISR, which was never trained for that; 1 is the photograph's own grid.
    progress : callable, optional
        Called with a :class:`~napari_hsr.progress.Progress`.
    cancel : threading.Event, optional
        Set it from another thread to stop the work.

    Returns
    -------
    Cube
        (bands, height, width) float32 on the model's wavelengths.

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
    for event in events(
        image,
        model,
        encoding=encoding,
        device=device,
        tile=tile,
        precision=precision,
        ensemble=ensemble,
        finer=finer,
        cancel=cancel,
    ):
        if isinstance(event, Result):
            return event.cube
        if progress is not None:
            progress(event)
    raise AssertionError("a run ends with a result")


def _core(
    part: tiling.Tile,
    source: TileSource,
    model: Model,
    module: torch.nn.Module,
    statistics: Any,
    device: torch.device,
    run: Callable[[ensembles.Net, torch.Tensor], ensembles.Passes],
) -> Iterator[np.ndarray | None]:
    """None before each pass, and at the end what one tile adds to the cube: (bands, h, w) float32."""
    import torch

    def network(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():  # left again before anybody else has a turn
            return module(images)

    yield None
    rgb = model.rule.apply(source.read(part.rows.read, part.columns.read), statistics)
    unknown = ~np.isfinite(rgb).all(-1)
    if unknown.any():  # one of them would spread over all that the network sees of the image
        rgb = np.where(unknown[..., None], np.float32(0), rgb)
    rgb = pad_to_multiple(rgb, model.size_multiple)
    batch = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    for made in run(network, batch.to(device)):
        if made is None:
            yield None
    rows, columns = (
        slice(s.keep.start * model.scale, s.keep.stop * model.scale)
        for s in (part.rows, part.columns)
    )
    kept = model.rule.undo(made[0, :, rows, columns].float().cpu().numpy(), statistics)
    if unknown.any():
        lost = unknown.repeat(model.scale, 0).repeat(model.scale, 1)[rows, columns]
        kept = np.where(lost, np.float32(np.nan), kept)
    yield kept * part.weights(model.scale) if part.blended else kept


def pad_to_multiple(rgb: np.ndarray, multiple: int) -> np.ndarray:
    """Pad below and to the right by reflection, or replication where an image is too small."""
    short = [-n % multiple for n in rgb.shape[:2]]
    if not any(short):
        return rgb
    mode = "reflect" if all(s < n for s, n in zip(short, rgb.shape, strict=False)) else "edge"
    return np.pad(rgb, ((0, short[0]), (0, short[1]), (0, 0)), mode=mode)


def _empty(photograph: Photograph, model: Model) -> np.ndarray:
    """Zeros for the whole cube; pages of it that are not written to yet take no memory."""
    shape = model.bands, photograph.height * model.scale, photograph.width * model.scale
    try:
        return np.zeros(shape, np.float32)
    except MemoryError as error:
        size = output_bytes(photograph.height, photograph.width, model) / 1e9
        raise InputError(
            f"The cube of {' × '.join(map(str, shape))} values takes {size:.1f} GB, "
            "more than there is: choose a smaller photograph."
        ) from error


def _stop_if(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled


def _provenance(
    photograph: Photograph,
    model: Model,
    device: torch.device,
    precision: str,
    ensemble: str,
    finer: int,
) -> Provenance:
    steps = list(photograph.provenance.steps)
    if photograph.encoding != model.input_encoding:
        steps.append(f"Decoded from {photograph.encoding} to {model.input_encoding}.")
    steps.append(f"Reconstructed by {model.name} on {device} in {precision}.")
    if ensemble:
        steps.append(ensemble)
    if finer > 1:
        steps.append(f"On a grid {finer} times as fine, which the network was never trained for.")
    steps.append(ILL_POSED)
    return replace(
        photograph.provenance,
        input=photograph.provenance.input or photograph.name,
        model=model.name,
        weights_sha256=model.weights_sha256,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=tuple(steps),
    )
