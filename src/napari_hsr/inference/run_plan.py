"""How a network will be run over an image: device, precision, ensemble and tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.inference.devices import resolve
from napari_hsr.inference.ensembles import find
from napari_hsr.inference.memory_budget import Budget, budget, per_pixel
from napari_hsr.inference.precision import choose
from napari_hsr.inference.tiles.tiling import Tile, overlaps, plan, tile_size

if TYPE_CHECKING:
    import torch

    from napari_hsr.inference.ensembles import Ensemble
    from napari_hsr.models.model import Model
    from napari_hsr.notices import Notice


#: Tiles for each worker where the image is shared out, and the side from which on they are not cut.
EACH, LEAST = 4, 256


@dataclass(frozen=True)
class RunPlan:
    """What estimates are made from and the loop over tiles follows.

    Attributes
    ----------
    model : Model
    bands : int
        Of the output.
    height, width : int
        Of the input, in pixels.
    device : torch.device
    precision : str
        ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    precision_notice : Notice or None
        Why that precision, where there was a choice.
    ensemble : Ensemble
    tiles : tuple of Tile
    bytes_per_pixel : int
        Working bytes for each input pixel of a tile.
    on_disk : bool
        The cube is written to a store.
    """

    model: Model
    bands: int
    height: int
    width: int
    device: torch.device
    precision: str
    precision_notice: Notice | None
    ensemble: Ensemble
    tiles: tuple[Tile, ...]
    bytes_per_pixel: int
    on_disk: bool = False

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(bands, height, width) of the cube."""
        scale = self.model.scale
        return self.bands, self.height * scale, self.width * scale

    def module(self) -> torch.nn.Module:
        """The module to run, on the device: the copy made for speed, or the exact network."""
        from napari_hsr.models.optimised_copy import prepared

        if self.ensemble.exact:
            return self.model.module.to(self.device)
        return prepared(self.model, self.precision, self.device)

    def bytes_copy(self) -> int:
        """Bytes of the copy of the network that the run would make; 0 if it is there already."""
        from napari_hsr.models.optimised_copy import bytes_to_come

        if self.ensemble.exact:
            return 0
        return bytes_to_come(self.model, self.precision, self.device)


def plan_run(
    model: Model,
    height: int,
    width: int,
    *,
    bands: int | None = None,
    device: str = "auto",
    tile: int | str = "auto",
    precision: str = "auto",
    ensemble: str = "single",
    at_once: int = 1,
    memory: int | None = None,
    on_disk: bool = False,
) -> RunPlan:
    """Decide how to run a model over an image of this size.

    Parameters
    ----------
    model : Model
    height, width : int
        Of the input, in pixels.
    bands : int, optional
        Of the cube, for a model that takes any number.
    device, tile, precision, ensemble
        As for :func:`napari_hsr.reconstruct`.
    at_once : int
        So many tiles are computed at a time, by workers: automatic ones are smaller then, where the
        result does not depend on them.
    memory : int, optional
        Bytes that each may take.
    on_disk : bool
        The cube is not held in memory.

    Raises
    ------
    InputError
        If an option does not fit.
    """
    bands = bands if model.bands is None else model.bands
    if bands is None:
        raise ValueError(f"the number of bands must be stated for {model.name}")
    passes, on = find(ensemble), resolve(device)
    used, notice = choose(model, precision, on, ensemble)
    needs = per_pixel(model, bands, passes)
    cube = 0 if on_disk else 4 * bands * height * width * model.scale**2
    may = budget(model, cube, on, used)
    if memory is not None:
        may = Budget(*(min(part, memory) for part in may))
    sides = tile_size(tile, height, width, model, bands, needs, may)
    if tile == "auto" and at_once > 1 and not overlaps(model):
        sides = _shared_out(sides, (height, width), EACH * at_once)
    tiles = plan(height, width, model, sides)
    return RunPlan(model, bands, height, width, on, used, notice, passes, tiles, needs, on_disk)


def _shared_out(sides: tuple[int, int], size: tuple[int, int], parts: int) -> tuple[int, int]:
    """Sides halved until there are so many tiles, or they are small."""
    height, width = map(min, sides, size)
    while -(-size[0] // height) * -(-size[1] // width) < parts and max(height, width) > LEAST:
        if height > width:
            height = -(-height // 2)
        else:
            width = -(-width // 2)
    return height, width
