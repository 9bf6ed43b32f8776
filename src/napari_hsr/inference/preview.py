"""A first picture while a slow model is at work on a photograph: a quick model over few of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from napari_hsr.inference import region as regions
from napari_hsr.inference.stacks.placeholder import PLACEHOLDER, quick_cube, quick_model, spacing
from napari_hsr.notices import Code, Notice
from napari_hsr.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.cube import Cube
    from napari_hsr.inference.stacks.frame_cubes import FrameCubes
    from napari_hsr.models.model import Model
    from napari_hsr.photograph import Photograph

#: A run that takes so many seconds is worth a preview.
LEAST_SECONDS = 3.0
#: Pixels that it is computed of, at most about.
PREVIEW_PIXELS = 2**18


@dataclass(frozen=True, kw_only=True)
class Preview(Progress):
    """A picture of what the run will make.

    Attributes
    ----------
    cube : Cube
        Of the whole photograph, or of the region alone.
    every : int
        It holds every so manieth pixel of rows and columns.
    """

    lasting: ClassVar[bool] = True
    cube: Cube
    every: int


@dataclass(frozen=True, kw_only=True)
class StackPreview(Progress):
    """The frames of a stack while the first one asked for is computed: of it, they hold a placeholder.

    Attributes
    ----------
    frames : FrameCubes
    first : tuple of int
        Its index.
    every : int
        Every so manieth of its rows and columns was computed.
    """

    lasting: ClassVar[bool] = True
    frames: FrameCubes
    first: tuple[int, ...]
    every: int


def preview_events(
    photograph: Photograph,
    model: Model,
    seconds: float,
    *,
    region: regions.Region | None = None,
    device: str = "auto",
) -> Iterator[Progress]:
    """Make a preview, if a run takes long enough and the quick model has the bands of its model.

    Parameters
    ----------
    photograph : Photograph
    model : Model
        The chosen one.
    seconds : float
        What the run is estimated to take.
    region, device
        Of the run.

    Yields
    ------
    Progress
        Before it.
    Preview
        Last, if one is made.
    """
    if seconds < LEAST_SECONDS or model.name == PLACEHOLDER:
        return
    quick = quick_model(PLACEHOLDER, photograph, model.wavelengths)
    if quick is None:
        return
    yield Progress(0, 0, "Making a preview")
    part = regions.of_photograph(photograph, model, region).photograph
    every = spacing(part, PREVIEW_PIXELS)
    cube = quick_cube(part, quick, PREVIEW_PIXELS, device)
    text = f"A preview by {quick.name}, until {model.name} is done."
    cube = cube.replace(name=photograph.name, notices=(Notice.warning(Code.PLACEHOLDER, text),))
    yield Preview(0, 0, "Starting", cube=cube, every=every)
