"""How much memory a run may take, by which tiles are chosen.

The cube, the working memory and the copy of the network that a first run makes stay within
:data:`SHARE` of the free memory. Within that, the same image is cut into the same tiles on every
computer with enough memory:

* A network that depends on the whole image gets all of it while that takes no more than
  :data:`WHOLE`.
* Tiles are chosen so that the process stays within :data:`LIMIT`, where the cube leaves room.
* Only tiles of a network with a large receptive field may take more, where smaller ones would
  cost several times the work.

On a GPU, which does not hold the cube, all three are that share of the GPU's free memory. An
explicit tile size, or "whole", is taken as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from napari_hsr.inference.estimates.memory_use import available

if TYPE_CHECKING:
    import torch

    from napari_hsr.inference.ensembles import Ensemble
    from napari_hsr.models.model import Model

#: The most working memory for a whole image, in bytes.
WHOLE = 8e9
#: The most for the whole process when it computes in tiles.
LIMIT = 4e9
#: What Python, its libraries and the weights take of it.
PROCESS = 0.6e9
#: Share of the free memory that a run may take.
SHARE = 0.5
#: What tiles may take of the free memory even if the cube alone exceeds the limit.
LEAST = 0.4e9

#: Bytes per pixel of a tile besides those of the network: the photograph in float32, decoded and
#: normalised, with their intermediate results.
_INPUT = 4 * 3 * 4


class Budget(NamedTuple):
    """Working memory, in bytes.

    Attributes
    ----------
    ordinary : int
        For automatic tiles.
    most : int
        For tiles that would waste most of the work if they were smaller.
    whole : int
        For the whole image, where a network depends on it.
    """

    ordinary: int
    most: int
    whole: int


def free(device: torch.device | None = None) -> int:
    """Bytes that can be allocated on the device now; None is the CPU."""
    if device is not None and device.type == "cuda":
        import torch

        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return available()


def budget(model: Model, cube: int, device: torch.device, precision: str) -> Budget:
    """What the tiles of an image may take on the device, beside a cube of so many bytes.

    The copy of the network that the run makes is subtracted first. It counts towards the process
    even if it is there already, so that the first run and later ones have the same tiles.
    """
    from napari_hsr.models.optimised_copy import bytes_to_come, copy_size

    share = max(0.0, SHARE * free(device) - bytes_to_come(model, precision, device))
    if device.type == "cuda":
        return Budget(int(share), int(share), int(share))
    ordinary = min(share - cube, LIMIT - PROCESS - copy_size(model, precision).own - cube)
    least = min(LEAST, share)
    most = max(share - cube, least)
    return Budget(int(max(ordinary, least)), int(most), int(min(most, WHOLE)))


def bytes_per_pixel(model: Model, bands: int) -> int:
    """Working bytes of the network for each input pixel, its input and output included."""
    if model.bands is not None:
        return model.bytes_per_pixel
    return model.bytes_per_pixel + 4 * bands * (2 + model.scale**2)  # what goes in, and comes out


def per_pixel(model: Model, bands: int, ensemble: Ensemble) -> int:
    """Working bytes for each input pixel of a tile: the network's, and all that the run adds."""
    cubes = 1 + ensemble.held  # one more on its way into the whole cube
    network = bytes_per_pixel(model, bands)
    if ensemble.exact:
        network = max(network, model.bytes_per_pixel_exact)
    return network + _INPUT + 4 * bands * model.scale**2 * cubes
