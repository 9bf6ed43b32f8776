"""What fills a frame until its cube is there: one pass over few pixels, without a run around it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import Cube
from napari_hsr.inference.photograph_job import PhotographJob
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.one_tile import computed

if TYPE_CHECKING:
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph


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

    every = max(1, math.ceil(math.sqrt(photograph.height * photograph.width / pixels)))
    few = replace(photograph, data=np.ascontiguousarray(photograph.data[::every, ::every]))
    run = plan_run(model, few.height, few.width, device=device, tile="whole")
    job, module = PhotographJob(few, model), run.module()
    with torch.inference_mode():
        *_, result = computed(run.tiles[0], job.read(run.tiles[0]), run, module)
    assert result is not None  # the last one is
    return Cube(job.undo(result), model.wavelengths, units=model.card.units)
