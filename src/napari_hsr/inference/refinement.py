"""How a finer cube is refined: by back-projection, or as DualSR was published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.inference import upscalers
from napari_hsr.resample import Kind

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

#: Against the coarse cube itself, iterated: for any result at any scale.
BACK_PROJECTION = "back-projection"
#: FineSR in its authors' form: once, against a second result at half the scale.
DUALSR = "dualsr"
WAYS = (BACK_PROJECTION, DUALSR)


def find(refine: bool | str | None) -> str | None:
    """The way to refine, or None for not at all; True is :data:`BACK_PROJECTION`.

    Raises
    ------
    InputError
        If there is no such way.
    """
    if refine is None or isinstance(refine, bool):
        return BACK_PROJECTION if refine else None
    found = str(refine).strip().lower()
    if found not in WAYS:
        raise InputError(f"There is no refinement {str(refine)!r}; there are {', '.join(WAYS)}.")
    return found


def half_of(
    way: Model | Kind,
    scale: int,
    refine: bool | str | None,
    half: Model | Kind | str | PathLike | None = None,
) -> Model | Kind | None:
    """What makes the second result that DualSR's refinement takes; None for other refinements.

    Parameters
    ----------
    way : Model or Kind
        What makes the first, whole result.
    scale : int
        Of that.
    refine : bool, str or None
        See :func:`find`.
    half : Model, str, path or None
        A model or baseline for half the scale. By default the same baseline, or a model at
        hand of the same network: that of the same name but for the scale, else the first.

    Raises
    ------
    HSRError
        If the scale has no half, there is no such model, or it has another scale.
    """
    if find(refine) != DUALSR:
        if half is not None:
            raise InputError(
                "A model for half the scale is for DualSR's refinement alone, which was not chosen."
            )
        return None
    if scale % 2 or scale < 4:
        raise InputError(
            "DualSR's refinement holds a result against one at half its scale, so it takes ×4 or "
            f"×8 and not ×{scale}: refine by back-projection instead."
        )
    if half is None:
        half = way if isinstance(way, Kind) else _of_the_family(way.card, scale // 2)
    if upscalers.baseline(half) is not None:
        return upscalers.choose(half, scale // 2)[0]
    found, its = upscalers.choose(half, None)
    if its != scale // 2:
        raise InputError(
            f"{found.name} makes pixels {its} times as fine: DualSR's refinement at ×{scale} needs "
            f"a second model for ×{scale // 2}."
        )
    return found


def _of_the_family(card: ModelCard, scale: int) -> str:
    """Name of the model at hand of the same network for another scale."""
    same = [one.name for one in upscalers.offered(scale) if one.architecture == card.architecture]
    if not same:
        raise InputError(
            f"DualSR's refinement of {card.name} (×{card.scale}) needs a model of the same network "
            f"for ×{scale} too, and there is none at hand: import or name one, or refine by "
            "back-projection."
        )
    named = _named_for(card.name, card.scale, scale)
    return next((name for name in same if name in named), same[0])


def _named_for(name: str, scale: int, other: int) -> set[str]:
    """``coarsr-x4`` for another scale: ``coarsr-x2``; wherever the scale stands in the name."""
    token = f"x{scale}"
    places = [i for i in range(len(name)) if name.startswith(token, i)]
    return {f"{name[:i]}x{other}{name[i + len(token) :]}" for i in places}
