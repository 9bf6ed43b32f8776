"""What a run will take, before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.inference import devices, ensembles, memory_budget, subpixel_grid, tiling
from napari_hsr.inference.precision import choose

if TYPE_CHECKING:
    from napari_hsr.models.model import Model


#: A smaller copy of the network is not spoken of.
LEAST_TOLD = 10e6


@dataclass(frozen=True)
class Estimate:
    """Memory that a run takes beyond the photograph and the loaded model.

    Attributes
    ----------
    bytes_output : int
        The cube, in the computer's memory.
    bytes_working : int
        What is needed on the way, at most, on the device that computes; ``bytes_copy`` is part
        of it.
    bytes_copy : int
        The copy of the network that the run makes and later ones use again; 0 if it is there.
    tiles : int
        How many tiles the image is cut into.
    """

    bytes_output: int
    bytes_working: int
    tiles: int
    bytes_copy: int = 0

    def words(self) -> str:
        """One line for people."""
        how = "from the whole image at once" if self.tiles == 1 else f"in {self.tiles} tiles"
        copy = ""
        if self.bytes_copy >= LEAST_TOLD:
            held = size_text(self.bytes_copy)
            copy = f" ({held} of it for a copy of the network that later runs share)"
        return (
            f"The cube takes {size_text(self.bytes_output)} of memory, and computing it about "
            f"{size_text(self.bytes_working)} more{copy}, {how}."
        )


def estimate(
    image_shape: tuple[int, ...],
    model: Model,
    tile: int | str = "auto",
    precision: str = "auto",
    *,
    device: str = "auto",
    ensemble: str = "single",
    finer: int = 1,
) -> Estimate:
    """What a run would take; no pixel is read and nothing is computed.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width, ...) of the photograph.
    model : Model
    tile, precision, device, ensemble, finer
        As for :func:`napari_hsr.reconstruct`. Lower precisions take less for the pixels than
        what is said: that figure is float32's.

    Raises
    ------
    InputError
        If an option does not fit.
    """
    from napari_hsr.models.optimised_copy import bytes_to_come

    torch_device = devices.resolve(device)
    used = choose(model, precision, torch_device, ensemble).precision
    model = subpixel_grid.on_grid(model, finer)
    height, width = image_shape[:2]
    tiles = tiling.plan(
        height, width, model, tile, device=torch_device, ensemble=ensemble, precision=used
    )
    exact = ensembles.find(ensemble).exact
    copy = 0 if exact else bytes_to_come(model, used, torch_device)
    multiple = model.size_multiple
    largest = max(-(-h // multiple) * -(-w // multiple) for h, w in (t.shape for t in tiles))
    return Estimate(
        bytes_output=memory_budget.output_bytes(height, width, model),
        bytes_working=copy
        + model.bytes_fixed
        + largest * multiple**2 * memory_budget.per_pixel(model, ensemble),
        tiles=len(tiles),
        bytes_copy=copy,
    )


def size_text(count: int) -> str:
    """Bytes for people: ``13 MB``."""
    if count < 1000:
        return "less than 1 kB"
    if count < 0.95e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e9:.1f} GB" if count >= 0.95e9 else f"{count / 1e6:.0f} MB"
