"""Which refinement a super-resolution ends with, and what DualSR's needs besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError
from napari_hsr.inference.upscalers import (
    baseline,
    choose,
    offered,
)
from napari_hsr.resample import (
    Agreement,
    Kind,
    Refinement,
)

if TYPE_CHECKING:
    from os import PathLike

    from napari_hsr.inference.upscalers import Upscaled
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model


#: Iterated against the coarse cube itself: for any result at any scale.
BACK_PROJECTION = "back-projection"
#: FineSR in its authors' form: once, against a second result at half the scale.
DUALSR = "dualsr"
METHODS = (BACK_PROJECTION, DUALSR)


def find(refine: bool | str | None) -> str | None:
    """The refinement of this name, or None for none; True is :data:`BACK_PROJECTION`.

    Raises
    ------
    InputError
        If there is no such refinement.
    """
    if refine is None or isinstance(refine, bool):
        return BACK_PROJECTION if refine else None
    found = str(refine).strip().lower()
    if found not in METHODS:
        raise InputError(f"There is no refinement {str(refine)!r}; there are {', '.join(METHODS)}.")
    return found


def half_scale_upscaler(
    upscaler: Model | Kind,
    scale: int,
    refine: bool | str | None,
    half: Model | Kind | str | PathLike[str] | None = None,
) -> Model | Kind | None:
    """What makes the second result that DualSR's refinement takes; None for other refinements.

    Parameters
    ----------
    upscaler : Model or Kind
        What makes the result itself.
    scale : int
        Of the result.
    refine : bool, str or None
        See :func:`find`.
    half : Model, str, path or None
        A model or interpolation for half the scale. By default the same interpolation, or an
        available model of the same network: that of the same name but for the scale, else the
        first.

    Raises
    ------
    HSRError
        If the scale has no half, there is no such model, or it has another scale.
    """
    if find(refine) != DUALSR:
        if half is not None:
            raise InputError(
                "A model of half the scale is for DualSR's refinement alone, which was not chosen."
            )
        return None
    if scale % 2 or scale < 4:
        raise InputError(
            "DualSR's refinement compares a result with one at half its scale, so it takes ×4 or "
            f"×8 and not ×{scale}: refine by back-projection instead."
        )
    if half is None:
        half = upscaler if isinstance(upscaler, Kind) else _same_network(upscaler.card, scale // 2)
    if baseline(half) is not None:
        return choose(half, scale // 2)[0]
    found, its = choose(half, None)
    if its != scale // 2:
        raise InputError(
            f"{found.name} has scale ×{its}: DualSR's refinement at ×{scale} needs a second model "
            f"for ×{scale // 2}."
        )
    return found


def _same_network(card: ModelCard, scale: int) -> str:
    """Name of an available model of the same network for another scale."""
    same = [one.name for one in offered(scale) if one.architecture == card.architecture]
    if not same:
        raise InputError(
            f"DualSR's refinement of {card.name} (×{card.scale}) needs a model of the same network "
            f"for ×{scale} too, and none is installed: import or name one, or refine by "
            "back-projection."
        )
    named = _names_at(scale, card.name, card.scale)
    return next((name for name in same if name in named), same[0])


def _names_at(other: int, name: str, scale: int) -> set[str]:
    """``coarsr-x4`` at scale 2: ``coarsr-x2``; wherever the scale stands in the name."""
    token = f"x{scale}"
    places = [i for i in range(len(name)) if name.startswith(token, i)]
    return {f"{name[:i]}x{other}{name[i + len(token) :]}" for i in places}


def about_half(upscaler: Model | Kind | None, half: Upscaled | None, gain: float) -> dict[str, Any]:
    """What the provenance records of the second result, if there is one."""
    if upscaler is None or half is None:
        return {}
    return {
        "half_by": upscaler.name,
        "half_sha256": None if isinstance(upscaler, Kind) else upscaler.weights_sha256,
        "half_precision": half.precision,
        "gain": gain,
    }


def about_agreement(agreement: Agreement | Refinement, refinement: str | None) -> dict[str, Any]:
    """What the provenance records of the comparison with the coarse cube."""
    passes = int(refinement is not None)
    if isinstance(agreement, Refinement):
        passes = agreement.passes
    return {
        "degradation": agreement.degradation,
        "passes": passes,
        "relative_residual": agreement.relative,
    }
