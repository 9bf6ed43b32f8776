"""A finer grid of pixels than the photograph's, for a network that is defined between pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

#: Pixels of the cube per pixel of the photograph, along each side.
GRIDS = (1, 2, 4)

#: The finer version last made of each model, so that a batch prepares it once.
_MADE: WeakKeyDictionary[Model, tuple[int, Model]] = WeakKeyDictionary()


def offered(model: Model) -> tuple[int, ...]:
    """The grids on which a model can be evaluated, its own first."""
    from napari_hsr.models.architectures.inr import INR

    return GRIDS if isinstance(model.module, INR) else GRIDS[:1]


def check(finer: int) -> None:
    """Raise InputError if there is no such grid."""
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
        this. The same one is returned each time, as long as ``model`` lives.

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
        from napari_hsr.models.architectures.inr import between_pixels
        from napari_hsr.models.optimised_copy import release

        made = _MADE[model] = finer, between_pixels(model, finer)
        release(model)  # one prepared copy at a time
    return made[1]
