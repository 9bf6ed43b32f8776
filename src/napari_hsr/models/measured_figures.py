"""Figures of model cards side by side, with the conditions under which they may be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.models.card import HELD_OUT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hsr.models.card import ModelCard


@dataclass(frozen=True)
class Conditions:
    """What figures depend on besides the model: those under equal conditions are comparable.

    Attributes
    ----------
    where : str
        What the card calls the images that were measured.
    images : tuple of (str, str)
        Names of the images with the SHA-256 of their files; empty if the card does not say.
    captures : str
        JSON of the cameras that photographed them; empty if there was none.
    degradation : str
        JSON of what made them coarse; empty if nothing did.
    protocol : str
        Definitions of the metrics.
    seed : int or None
        Of random exposure, light and noise.
    model : str
        The model's name where the card names no images: nothing else is comparable then.
    """

    where: str
    images: tuple[tuple[str, str], ...] = ()
    captures: str = ""
    degradation: str = ""
    protocol: str = ""
    seed: int | None = None
    model: str = ""

    def describe(self) -> str:
        """For people: ``4 held-out images (…), photographed by …``."""
        if not self.images:
            return f"{self.where}, as the card says"
        names = ", ".join(name for name, _ in self.images)
        parts = [f"{len(self.images)} held-out images ({names})"]
        if self.captures:
            parts.append(_photographed(json.loads(self.captures)))
        if self.degradation:
            coarse = json.loads(self.degradation)
            parts.append(f"coarsened to 1/{coarse['scale']} by {coarse['degradations'][0]}")
        return ", ".join(parts)


def conditions(card: ModelCard, where: str = HELD_OUT) -> Conditions:
    """The conditions of the figures that a card has for ``where``."""
    facts = card.training
    if where != HELD_OUT or not facts.get("held_out"):
        return Conditions(where, model=card.name)
    captures = facts.get("held_out_cameras") or [c for c in [facts.get("camera")] if c]
    return Conditions(
        where,
        images=tuple((name, file.get("sha256", "")) for name, file in facts["held_out"].items()),
        captures=_json(captures),
        degradation=_json(_measured_by(facts.get("coarse"))),
        protocol=facts.get("held_out_protocol", card.protocol),
        seed=facts.get("seed"),
    )


def comparable_figures(
    cards: Iterable[ModelCard],
) -> list[tuple[Conditions, list[tuple[str, dict[str, float]]]]]:
    """Figures of models, those that may be compared together.

    Parameters
    ----------
    cards : iterable of ModelCard

    Returns
    -------
    list of (Conditions, list of (str, dict))
        For each set of conditions, the models' names and figures in the order of ``cards``. Of
        a card with figures for held-out images, these alone.
    """
    found: dict[Conditions, list[tuple[str, dict[str, float]]]] = {}
    for card in cards:
        for where in [HELD_OUT] if HELD_OUT in card.figures else card.figures:
            found.setdefault(conditions(card, where), []).append((card.name, card.figures[where]))
    return list(found.items())


def _measured_by(coarse: dict[str, Any] | None) -> dict[str, Any] | None:
    """What made held-out cubes coarse; what else patches went through in training is left out."""
    return coarse and {"scale": coarse["scale"], "degradations": coarse["degradations"][:1]}


def _json(settings: Any) -> str:
    return json.dumps(settings, sort_keys=True) if settings else ""


def _photographed(captures: list[dict[str, Any]]) -> str:
    """The cameras, and whether they were simulated with noise, quantisation and compression."""
    cameras = [name.rpartition(":")[2] for one in captures for name in one.get("cameras", ())]
    first = captures[0]
    flaws = [
        "noise" if first.get("photoelectrons") else "no noise",
        f"{first['bits']} bits" if first.get("bits") else "",
        "JPEG" if first.get("jpeg") else "",
    ]
    lights = len(first.get("illuminants") or ())
    light = f"{lights} illuminants, " if lights > 1 else ""
    return f"photographed by {', '.join(cameras)} ({light}{', '.join(filter(None, flaws))})"
