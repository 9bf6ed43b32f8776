"""A finer grid of pixels than the photograph's, where a network can be asked between its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: Pixels of the cube for each pixel of the photograph, along each side.
GRIDS = (1, 2, 4)

#: The finer model last made of each, so that a batch prepares it once.
_MADE: WeakKeyDictionary[Model, tuple[int, Model]] = WeakKeyDictionary()


def offered(model: Model) -> tuple[int, ...]:
    """The grids that a model can be evaluated on, its own first."""
    from napari_hsr.models.architectures.inr import INR

    return GRIDS if isinstance(model.module, INR) else GRIDS[:1]


def check(finer: int) -> None:
    """Whether there is such a grid.

    Raises
    ------
    InputError
        If not.
    """
    if finer not in GRIDS:
        known = ", ".join(map(str, GRIDS[:-1]))
        raise InputError(f"A grid is {known} or {GRIDS[-1]} times as fine, not {finer}.")


def on_grid(model: Model, finer: int) -> Model:
    """The model evaluated on a grid ``finer`` times as fine along each side.

    Parameters
    ----------
    model : Model
    finer : int
        One of :data:`GRIDS`; 1 gives the model itself.

    Returns
    -------
    Model
        It shares its weights with ``model``, and its notices say that it was never trained for
        this. While ``model`` lives, the same one is handed back each time.

    Raises
    ------
    InputError
        If there is no such grid, or the network cannot be evaluated between its pixels.
    """
    check(finer)
    if finer == 1:
        _MADE.pop(model, None)
        return model
    made = _MADE.get(model)
    if made is None or made[0] != finer:
        from napari_hsr.models import finer as evaluated
        from napari_hsr.models.optimised_copy import release

        made = _MADE[model] = finer, evaluated(model, finer)
        release(model)  # one prepared copy at a time
    return made[1]
