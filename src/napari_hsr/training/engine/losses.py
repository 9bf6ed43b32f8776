"""Loss terms: weighted sums of errors between cubes.

Every term is a mean over the patches of a batch of something that each patch has by itself, so
the mean of two halves' losses is the whole batch's, whatever process holds which half. All is
computed in float32, also where the network runs in a lower precision.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from napari_hsr.training.events import Event
    from napari_hsr.training.recipe.schema import LossTerm

    Term = Callable[[Tensor, Tensor, int], Tensor]

#: SAM: a pixel whose spectrum is this share of the patch's longest has half its weight.
DARK = 0.02
#: SAM: predictions shorter than this share of the truth turn towards 90° instead of anywhere.
SHORT = 0.05


class Loss:
    """A weighted sum of terms.

    Parameters
    ----------
    terms : sequence of LossTerm
        At least one.
    total_steps : int
        Steps of the whole training, over which MRAE's floor falls; may be set anew.

    Raises
    ------
    InputError
        If there is no term.
    HSRError
        If the weights of a perceptual term are not to be had
        (:func:`napari_hsr.training.engine.perceptual_loss.vgg_weights`).
    """

    def __init__(self, terms: Sequence[LossTerm], total_steps: int) -> None:
        if not terms:
            raise InputError("A loss needs one term at least, such as l1.")
        self.total_steps = total_steps
        self._terms = [(name, term.weight, self._function(term)) for name, term in _named(terms)]

    def __call__(
        self, prediction: Tensor, target: Tensor, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch.

        Parameters
        ----------
        prediction, target : Tensor, shape (n, bands, h, w)
            In the cube's units.
        step : int
            From 0.

        Returns
        -------
        Tensor
            The weighted sum, a float32 scalar with its gradient.
        dict of str to float
            Each term without its weight, by its kind; a second of one kind is ``kind-2``.
            SAM is in radians.

        Raises
        ------
        InputError
            If the shapes differ or are not those of cubes.
        """
        if prediction.shape != target.shape or prediction.ndim != 4:
            raise InputError(
                "A loss needs two batches of one shape (n, bands, h, w), but the prediction's is "
                f"{tuple(prediction.shape)} and the truth's {tuple(target.shape)}."
            )
        with torch.autocast(prediction.device.type, enabled=False):
            prediction, target = prediction.float(), target.float()
            values = [term(prediction, target, step) for _, _, term in self._terms]
            weighted = [w * value for (_, w, _), value in zip(self._terms, values, strict=True)]
            total = sum(weighted[1:], start=weighted[0])
        # one transfer from a device, not one a term
        numbers = torch.stack([value.detach() for value in values]).tolist()
        return total, {name: n for (name, _, _), n in zip(self._terms, numbers, strict=True)}

    def _function(self, term: LossTerm) -> Term:
        if term.kind == "mrae":
            return lambda p, t, step: mrae(p, t, floor_at(term.floor, step, self.total_steps))
        if term.kind == "perceptual":
            from napari_hsr.training.engine.perceptual_loss import Perceptual, vgg_weights

            perceptual = Perceptual(vgg_weights(term.weights_file, term.weights_sha256))
            return lambda p, t, _step: perceptual(p, t)
        plain = {"l1": l1, "rmse": rmse, "sam": sam}[term.kind]
        return lambda p, t, _step: plain(p, t)


def fetch_weights(terms: Sequence[LossTerm]) -> Iterator[Event]:
    """Download what the terms need and is not here yet, with its progress.

    Raises
    ------
    HSRError
        If it cannot be downloaded.
    """
    if any(term.kind == "perceptual" and term.weights_file is None for term in terms):
        from napari_hsr.training.engine.perceptual_loss import fetch_vgg_weights

        yield from fetch_vgg_weights()


def _named(terms: Sequence[LossTerm]) -> list[tuple[str, LossTerm]]:
    seen: dict[str, int] = {}
    named = []
    for term in terms:
        seen[term.kind] = number = seen.get(term.kind, 0) + 1
        named.append((term.kind if number == 1 else f"{term.kind}-{number}", term))
    return named


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, in the cube's units.

    Parameters
    ----------
    prediction, target : Tensor, shape (n, bands, h, w)
    """
    return (prediction - target).abs().mean()


def rmse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over the patches of each one's root mean square error; no gradient where it is 0.

    Parameters
    ----------
    prediction, target : Tensor, shape (n, bands, h, w)
    """
    difference = (prediction - target).flatten(1)
    # the norm's gradient is 0 at 0, that of sqrt(mean(square)) is not a number
    norms: Tensor = torch.linalg.vector_norm(difference, dim=1)
    return norms.mean() / math.sqrt(difference.shape[1])


def mrae(prediction: Tensor, target: Tensor, floor: float) -> Tensor:
    """Mean of |p - t| / max(t, floor · brightest value of the patch).

    A patch that is black all over has no relative error and counts as 0; the mean is over all
    values nevertheless.

    Parameters
    ----------
    prediction, target : Tensor, shape (n, bands, h, w)
    floor : float
        Above 0.
    """
    brightest = target.amax(dim=(1, 2, 3), keepdim=True)
    lit = brightest > 0
    least = torch.where(lit, floor * brightest, torch.ones_like(brightest))
    # the least normal number: a floor of nearly nothing times a dim patch must not round to 0
    least = least.clamp(min=torch.finfo(torch.float32).tiny)
    return (lit * (prediction - target).abs() / torch.maximum(target, least)).mean()


def floor_at(floor: tuple[float, float], step: int, total: int) -> float:
    """MRAE's floor at a step: from the first to the second value, geometrically.

    Parameters
    ----------
    floor : tuple of float
        At step 0 and at the last step, ``total - 1``; above 0.
    step, total : int
    """
    start, end = floor
    t = min(1.0, max(0.0, step / max(1, total - 1)))
    return start * math.pow(end / start, t)


def sam(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean spectral angle in radians, dark pixels weighted out.

    The angle is 2·atan2(|u - v|, |u + v|) of the unit spectra u and v, which unlike the arc
    cosine is exact and has a finite gradient at small angles (Kahan 2006). A pixel weighs
    |t|² / (|t|² + (0.02 · longest spectrum of the patch)²), and the mean is over all pixels. A
    prediction that is shorter than a twentieth of the truth is not stretched to a unit, which
    bounds the gradient; 0 is at 90°.

    Parameters
    ----------
    prediction, target : Tensor, shape (n, bands, h, w)
    """
    p = torch.linalg.vector_norm(prediction, dim=1, keepdim=True)
    t = torch.linalg.vector_norm(target, dim=1, keepdim=True)
    tiny = torch.finfo(torch.float32).tiny
    dark = (DARK * t.amax(dim=(2, 3), keepdim=True)).clamp(min=1e-12)
    u = prediction / torch.maximum(p, SHORT * torch.maximum(t, dark))
    # a black truth has weight 0; any unit spectrum in its place keeps the gradient finite
    somewhere = torch.full_like(target, target.shape[1] ** -0.5)
    v = torch.where(t > tiny, target / t.clamp(min=tiny), somewhere)
    apart = torch.linalg.vector_norm(u - v, dim=1)
    along = torch.linalg.vector_norm(u + v, dim=1)
    relative = (t / dark).squeeze(1).square()
    weighted: Tensor = 2 * torch.atan2(apart, along) * relative / (1 + relative)
    return weighted.mean()
