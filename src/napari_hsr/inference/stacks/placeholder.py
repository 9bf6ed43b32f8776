"""What fills a frame until its cube is there: one pass over few pixels, without a run around it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.inference.inputs import why_not
from napari_hsr.inference.photograph_job import PhotographJob
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.one_tile import computed
from napari_hsr.models.library import load_model

if TYPE_CHECKING:
    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: The model of placeholders.
PLACEHOLDER = "instant-photo"


def quick_model(
    model: Model | str | None, photograph: Photograph, wavelengths: Wavelengths | None
) -> Model | None:
    """The model of placeholders, looked up; None if its bands are others or it takes no such photographs."""
    if model is None:
        return None
    loaded = load_model(model)
    fits = loaded.wavelengths and wavelengths and wavelengths.matches(loaded.wavelengths)
    sample = replace(photograph, data=np.asarray(photograph.data[:1, :1]))
    if not fits or why_not(sample, loaded):
        return None
    from napari_hsr.models.colour_table import looked_up  # torch, late

    return looked_up(loaded)


def spacing(photograph: Photograph, pixels: int) -> int:
    """Which pixels of rows and columns are taken: every so manieth, for about so many at most."""
    return max(1, math.ceil(math.sqrt(photograph.height * photograph.width / pixels)))


def quick_cube(photograph: Photograph, model: Model, pixels: int, device: str) -> Cube:
    """A cube of about so many pixels at most, evenly spaced over a photograph.

    Parameters
    ----------
    photograph : Photograph
    model : Model
        Of single pixels, which can take the photograph.
    pixels : int
    device : str
        As for :func:`napari_hsr.reconstruct`.
    """
    import torch

    every = spacing(photograph, pixels)
    few = replace(photograph, data=np.ascontiguousarray(photograph.data[::every, ::every]))
    run = plan_run(model, few.height, few.width, device=device, tile="whole")
    job, module = PhotographJob(few, model), run.module()
    with torch.inference_mode():
        *_, result = computed(run.tiles[0], job.read(run.tiles[0]), run, module)
    assert result is not None  # the last one is
    made = replace(photograph.provenance, model=model.name)
    return Cube(job.undo(result), model.wavelengths, units=model.card.units, provenance=made)
