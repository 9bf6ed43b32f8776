"""How much memory a run may take, so that tiles are chosen by what is free.

Cube, working memory and the copy of the network that an automatic run makes stay within
:data:`SHARE` of what is free. Within that, the same image is cut into the same tiles on every
computer with memory enough:

* A network that depends on the whole image gets it while that takes no more than :data:`WHOLE`.
* Tiles are chosen so that the process stays within :data:`LIMIT`, where the cube leaves room.
* Only tiles of a network that reads far around them may take more, where smaller ones would
  cost several times the work.

On a GPU, where the cube does not lie, all three are that share of the GPU's free memory. An
explicit tile, or "whole", is taken as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_hsr.inference import ensembles, memory_use

if TYPE_CHECKING:
    import torch

    from napari_hsr.models.model import Model

#: What the working memory of a whole image should stay within.
WHOLE = 8e9
#: What the whole process should stay within when it computes in tiles.
LIMIT = 4e9
#: What of it Python, its libraries and the weights take.
PROCESS = 0.6e9
#: Share of the free memory that a run may take.
SHARE = 0.5
#: What tiles may take of the free memory even if the cube alone goes beyond the limit.
LEAST = 0.4e9

#: Bytes for each pixel of a tile besides the network's: the photograph in float32, decoded and
#: prepared, each with what it takes on the way.
_INPUT = 4 * 3 * 4


class Budget(NamedTuple):
    """Working memory, in bytes.

    Attributes
    ----------
    ordinary : int
        What automatic tiles keep to.
    most : int
        What they may take where smaller ones would waste most of the work.
    whole : int
        What the whole image may take, for a network that depends on it.
    """

    ordinary: int
    most: int
    whole: int


def free(device: torch.device | None = None) -> int:
    """Bytes that can be had on the device now, without those of other programs."""
    if device is not None and device.type == "cuda":
        import torch

        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return memory_use.available()


def output_bytes(height: int, width: int, model: Model) -> int:
    """The cube's own size."""
    return 4 * model.bands * height * width * model.scale**2


def budget(
    height: int,
    width: int,
    model: Model,
    device: torch.device | None = None,
    precision: str | None = None,
) -> Budget:
    """What the tiles of an image of that size may take on the device; None is the CPU.

    The copy of the network that the run makes comes first; None is the exact precision. It is
    part of what the process takes even if it is there already, so that the first run and those
    after it have the same tiles.
    """
    from napari_hsr.models.optimised_copy import bytes_to_come, copy_size

    precision = precision or model.precisions[0]
    share = max(0.0, SHARE * free(device) - bytes_to_come(model, precision, device))
    if device is not None and device.type == "cuda":
        return Budget(int(share), int(share), int(share))
    cube = output_bytes(height, width, model)
    ordinary = min(share - cube, LIMIT - PROCESS - copy_size(model, precision).own - cube)
    least = min(LEAST, share)
    most = max(share - cube, least)
    return Budget(int(max(ordinary, least)), int(most), int(min(most, WHOLE)))


def for_pixels(
    height: int,
    width: int,
    model: Model,
    device: torch.device | None = None,
    precision: str | None = None,
) -> Budget:
    """What of it is left for the pixels, behind what the network takes for an image of any size."""
    parts = budget(height, width, model, device, precision)
    return Budget(*(max(0, part - model.bytes_fixed) for part in parts))


def per_pixel(model: Model, ensemble: str = "single") -> int:
    """Working bytes for each input pixel of a tile, with all that a run adds to the network's."""
    ways = ensembles.find(ensemble)
    cubes = 1 + ways.held  # one more on its way into the whole cube
    network = model.bytes_per_pixel
    if ways.exact:
        network = max(network, model.bytes_per_pixel_exact)
    return network + _INPUT + 4 * model.bands * model.scale**2 * cubes
