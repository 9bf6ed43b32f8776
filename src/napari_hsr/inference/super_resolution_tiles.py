"""The fine cube itself: from a network tile by tile, or from a baseline part by part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr import __version__
from napari_hsr.cube import Cube, finite_range
from napari_hsr.errors import Cancelled
from napari_hsr.inference import tiling, upscalers
from napari_hsr.inference.precision import choose
from napari_hsr.inference.reconstruction import pad_to_multiple
from napari_hsr.inference.tile_queue import Work, give_back, ran_out
from napari_hsr.models.card import FINER_IS_A_GUESS
from napari_hsr.progress import Progress
from napari_hsr.resample import (
    Kind,
    find,
)
from napari_hsr.resample.resize import Way, empty_fine, read_coarse, up_part

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    import torch

    from napari_hsr.models.model import Model

#: Networks for cubes are trained on values up to this; larger ones are scaled.
FULL = 1.0


@dataclass(frozen=True)
class Made:
    """A fine cube; what it was computed in, in how many tiles, and what the user must know."""

    cube: Cube
    precision: str
    tiles: int
    notices: tuple[str, ...]


def interpolate(
    coarse: Cube, kind: Kind, scale: int, cancel: threading.Event | None
) -> Iterator[Progress | Made]:
    """Interpolate a cube to ``scale`` times as many pixels along each side, band by band."""
    way = Way(kind, scale, *coarse.shape[1:])
    data = empty_fine(coarse.bands, way)
    parts = list(way.parts(coarse.bands))
    for done, (bands, rows) in enumerate(parts):
        stop_if(cancel)
        yield Progress(done, len(parts), "Interpolating")
        fine = slice(rows.start * scale, rows.stop * scale)
        data[bands, fine] = up_part(way, read_coarse(coarse, bands), fine)
    step = f"Upsampled ×{scale} by {kind.words(scale)}: no detail is added."
    yield Made(made_cube(coarse, data, step), "float32", 0, ())


def compute(
    coarse: Cube,
    model: Model,
    device: torch.device,
    tile: int | str,
    precision: str,
    cancel: threading.Event | None,
) -> Iterator[Progress | Made]:
    """The network over tiles of the coarse cube, all bands at a time."""
    from napari_hsr.models.optimised_copy import prepared

    used, of_precision = choose(model, precision, device)
    sized = sized_for(model, coarse.bands)
    height, width = coarse.shape[1:]
    tiles = tiling.plan(height, width, sized, tile, device=device)
    module = prepared(model, used, device)
    full = max(FULL, coarse.value_range[1])
    data = empty_fine(coarse.bands, Way(find("box"), model.scale, height, width))
    if any(part.blended for part in tiles):
        data[:] = 0
    work = Work(tiles, height, width, sized, 1, "Making pixels finer")
    while work:
        part, short = work.tile, False
        stop_if(cancel)
        yield work.begin_pass()
        try:
            core = _core(part, coarse, sized, module, device, full)
        except Exception as error:
            short = ran_out(error)
            if not short:
                raise
        if short:
            give_back(device)
            work.halve()
            continue
        rows, columns = (
            slice(s.write.start * model.scale, s.write.stop * model.scale)
            for s in (part.rows, part.columns)
        )
        if part.blended:
            data[:, rows, columns] += core
        else:
            data[:, rows, columns] = core
        work.finish_tile()
    step = f"Made {model.scale} times as fine by {model.name} on {device} in {used}."
    found = [FINER_IS_A_GUESS, *upscalers.notices(coarse, model), *work.notices()]
    if full > FULL:
        found.append(
            f"Values of {coarse.name} reach {full:g}: the network, trained on 0..1, got them "
            "divided by that, and its result was multiplied back."
        )
    if of_precision:
        found.append(of_precision)
    cube = made_cube(coarse, data, step, FINER_IS_A_GUESS, model=model)
    yield Made(cube, used, len(work.finished), (*found, *model.notices))


def _core(
    part: tiling.Tile,
    coarse: Cube,
    model: Model,
    module: torch.nn.Module,
    device: torch.device,
    full: float,
) -> np.ndarray:
    """What one tile adds to the cube: (bands, h, w) float32."""
    import torch

    values = np.asarray(coarse.data[:, part.rows.read, part.columns.read], np.float32)
    if full != 1:
        values = values / np.float32(full)
    values = pad_to_multiple(values.transpose(1, 2, 0), model.size_multiple).transpose(2, 0, 1)
    batch = torch.from_numpy(np.array(values, order="C"))[None].to(device)
    with torch.inference_mode():
        made = module(batch)
    rows, columns = (
        slice(s.keep.start * model.scale, s.keep.stop * model.scale)
        for s in (part.rows, part.columns)
    )
    kept = made[0, :, rows, columns].float().cpu().numpy()
    if full != 1:
        kept = kept * np.float32(full)
    return kept * part.weights(model.scale) if part.blended else kept


def sized_for(model: Model, bands: int) -> Model:
    """The model as the planning of tiles must see it: with the bands of this cube."""
    if model.bands is not None:
        return model
    cubes = 4 * bands * (2 + model.scale**2)  # what goes in, and what comes out
    return replace(
        model, bands=bands, channels=bands, bytes_per_pixel=model.bytes_per_pixel + cubes
    )


def made_cube(coarse: Cube, data: np.ndarray, *steps: str, model: Model | None = None) -> Cube:
    """A super-resolved cube over the area of the coarse one, with its provenance continued."""
    known = coarse.provenance
    history = replace(
        known,
        input=known.input or coarse.name,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=(*known.steps, *steps),
        extra=dict(known.extra),
    )
    metadata = dict(coarse.metadata)
    if model is not None:
        metadata["super_resolution_card"] = model.card.model_dump(mode="json")
        if known.model is None:  # a cube that a model made of a photograph keeps that one's name
            history = replace(history, model=model.name, weights_sha256=model.weights_sha256)
    return coarse.over_same_area(
        data, provenance=history, metadata=metadata, _value_range=finite_range(data)
    )


def stop_if(cancel: threading.Event | None) -> None:
    """Raise :class:`~napari_hsr.errors.Cancelled` if the work is to end."""
    if cancel is not None and cancel.is_set():
        raise Cancelled
