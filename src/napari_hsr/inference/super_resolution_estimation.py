"""What making the pixels of a cube finer will take, before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from napari_hsr.inference import devices, estimation, refinement
from napari_hsr.inference.estimation import Estimate, size_text
from napari_hsr.inference.super_resolution_tiles import sized_for
from napari_hsr.resample import Kind
from napari_hsr.resample.resize import PART_BYTES

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: Cubes of the coarse size that are held at once: the cube itself, its residual and their
#: difference; with passes of back-projection also their sum, the change of a pass and the state
#: before it. A map of doubles for the figures counts as one more.
_HELD = {False: 4, True: 7}
#: Parts of the fine cube that are held at once on its way down.
_PARTS = 3
#: What a network leaves behind besides its copy when it has done: its libraries' code and buffers.
_LEFT = 25e6


@dataclass(frozen=True)
class FinerEstimate:
    """Size of the result, and memory beyond the coarse cube and the loaded model.

    Attributes
    ----------
    shape : (int, int, int)
        (bands, height, width) of the result.
    bytes_output : int
        The result, in the computer's memory.
    bytes_working : int
        What is needed on the way, at most, on the device that computes.
    tiles : int
        How many tiles a network takes; 0 for an interpolation.
    """

    shape: tuple[int, int, int]
    bytes_output: int
    bytes_working: int
    tiles: int

    def words(self) -> str:
        """One line for people."""
        bands, height, width = self.shape
        how = {0: "", 1: ", from the whole cube at once"}.get(
            self.tiles, f", in {self.tiles} tiles"
        )
        return (
            f"The result of {height} × {width} pixels in {bands} bands takes "
            f"{size_text(self.bytes_output)} of memory, and computing it about "
            f"{size_text(self.bytes_working)} more{how}."
        )


def estimate(
    coarse_shape: tuple[int, int, int],
    way: Model | Kind,
    scale: int,
    *,
    refine: bool | str = False,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
) -> FinerEstimate:
    """What a run would take; no pixel is read and nothing is computed.

    Parameters
    ----------
    coarse_shape : (int, int, int)
        (bands, height, width) of the cube.
    way : Model or Kind
        As :func:`napari_hsr.inference.upscalers.choose` gives it.
    scale, refine, device, tile, precision
        As for :func:`napari_hsr.super_resolve`.

    Raises
    ------
    InputError
        If an option does not fit.
    """
    bands, height, width = coarse_shape
    devices.resolve(device)
    shape = bands, height * scale, width * scale
    network: Estimate | None = None
    if not isinstance(way, Kind):
        network = estimation.estimate(
            (height, width), sized_for(way, bands), tile, precision, device=device
        )
    refined_by = refinement.find(refine)
    passes = refined_by == refinement.BACK_PROJECTION
    part = min(4 * prod(shape), max(PART_BYTES, 4 * shape[2]))
    agreeing = _HELD[passes] * 4 * prod(coarse_shape) + _PARTS * part
    computing, left = 0, 0
    if network:
        computing, left = network.bytes_working, network.bytes_copy + int(_LEFT)
    if refined_by == refinement.DUALSR:  # the result at half the scale stays; FineSR is in doubles
        half = prod(shape)
        computing = half + max(computing, left + 2 * _PARTS * part + 6 * prod(shape[1:]))
    return FinerEstimate(
        shape=shape,
        bytes_output=4 * prod(shape),
        bytes_working=max(left + agreeing, computing),
        tiles=network.tiles if network else 0,
    )
