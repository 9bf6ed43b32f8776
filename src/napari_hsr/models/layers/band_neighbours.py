"""How CoarSR and its optimised copy walk through the bands of a cube."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

#: With fewer, a band does not have four others.
LEAST_BANDS = 5
#: Pixels of all bands that the optimised copy takes together, by the kind of device.
PIXELS_AT_ONCE = {"cpu": 2**13}


def neighbours(bands: int, intended: bool) -> list[tuple[int, int, int, int]]:
    """Of each band, the two that help it from the left and the two from the right, nearest last.

    Parameters
    ----------
    bands : int
        How many there are; at least :data:`LEAST_BANDS`.
    intended : bool
        The rule that was meant: the two on either side, at the ends four on one. Otherwise those
        of band 0 for every band.

    Raises
    ------
    InputError
        If there are fewer bands.
    """
    if bands < LEAST_BANDS:
        raise InputError(f"CoarSR needs {LEAST_BANDS} bands or more; this cube has {bands}.")
    first, last = (3, 1, 2, 4), bands - 1
    if not intended:
        return [first] * bands
    inner = [(i - 2, i - 1, i + 1, i + 2) for i in range(2, bands - 2)]
    before_last = (last - 4, last - 2, last, last - 3)
    return [first, (3, 0, 2, 4), *inner, before_last, (last - 3, last - 1, last - 2, last - 4)]


def enlarged(x: Tensor, scale: int) -> Tensor:
    """(N, bands, H, W) by the bicubic kernel with a = -0.5, its weights renormalised at the borders."""
    size = [scale * side for side in x.shape[-2:]]
    return functional.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
