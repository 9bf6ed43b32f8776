"""Changing what a model card states, and keeping track of what in it is assumed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import Wavelengths
from napari_hsr.errors import ModelError
from napari_hsr.models.card import (
    CUBE,
    SUPER_RESOLUTION,
    ImportRecord,
    ModelCard,
    validation_problem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What a card's limits say of a field whose value is an assumption.
ASSUMPTIONS = {
    "wavelengths_nm": "Its wavelengths, 400 to 700 nm in steps of 10, are an assumption.",
    "input_encoding": "Its input encoding, linear sRGB, is an assumption.",
    "input_rule": "The statistics of its input rule are an assumption.",
}
#: Fields of a card that are the user's to state; the others follow from the weights.
EDITABLE = {
    *("title", "wavelengths_nm", "input_encoding", "units", "training_data", "protocol"),
    *("licence", "limits", "source"),
}
#: What figures of photographs are measured with.
MEASURED_WITH = ("input_encoding", "wavelengths_nm", "input_rule")


def edited(card: ModelCard, **changes: Any) -> ModelCard:
    """A card with some of what a user can state of a model stated anew.

    Raises
    ------
    ModelError
        If a change is not fit for the card, or the wavelengths are not as many as the bands.
    """
    values = stated(**changes)
    if wrong := sorted(values.keys() - EDITABLE):
        raise ModelError(f"Of a model that is stored, {', '.join(wrong)} cannot be changed.")
    count = len(values.get("wavelengths_nm", card.wavelengths_nm))
    if count != len(card.wavelengths_nm) and card.task != SUPER_RESOLUTION:
        raise ModelError(
            f"{card.name} makes {len(card.wavelengths_nm)} bands, but {count} wavelengths are "
            "stated."
        )
    if "source" in values and card.imported is not None:
        record = card.imported.model_copy(update={"file": ""})
        card = card.model_copy(update={"imported": record})
    return restated(card, values)


def restated(card: ModelCard, values: dict[str, Any]) -> ModelCard:
    """The card with what a user states, without figures that were measured with something else.

    That they are removed is told in a warning. What was an assumption before is corrected:
    nothing was measured with it.

    Raises
    ------
    ModelError
        If a change is not fit for the card.
    """
    assumed = record_of(card).assumed
    measured_with = () if card.task == SUPER_RESOLUTION else MEASURED_WITH
    other = any(
        values[key] != getattr(card, key)
        for key in measured_with
        if key in values and key not in assumed
    )
    if other and (card.figures or card.sources or card.intervals or card.stress):
        text = f"The figures of {card.name} were measured with what its card stated before: they are removed."
        warnings.warn(text, stacklevel=3)
        card = _without_figures(card)
    return with_fields(card, values)


def _without_figures(card: ModelCard) -> ModelCard:
    kept: dict[str, Any] = {"weights_sha256": card.weights_sha256, "imported": card.imported}
    kept["training"] = {
        key: value for key, value in card.training.items() if not key.startswith("figures_of_each")
    }
    return card.unmeasured().model_copy(update=kept)


def stated(
    *,
    wavelengths: Iterable[float] | None = None,
    input_encoding: str | None = None,
    **words: str | None,
) -> dict[str, Any]:
    """The fields of a card that are stated, in the card's own spelling."""
    values: dict[str, Any] = {
        key: _words_or_default(key, value) for key, value in words.items() if value is not None
    }
    if wavelengths is not None:
        values["wavelengths_nm"] = tuple(Wavelengths(np.array(tuple(wavelengths))))
    if input_encoding is not None:
        from napari_hsr.colour import normalise_encoding

        values["input_encoding"] = normalise_encoding(input_encoding)
    return values


def _words_or_default(key: str, value: str) -> Any:
    if value.strip():
        return value
    if key in ("title", "limits"):
        raise ModelError(f"The {key} of a model cannot be empty.")
    return ModelCard.model_fields[key].default


def with_fields(card: ModelCard, changes: dict[str, Any]) -> ModelCard:
    """The card with changes; what is stated now is no longer said to be assumed.

    Raises
    ------
    ModelError
        If a change is not fit for the card.
    """
    from pydantic import ValidationError

    if card.task == SUPER_RESOLUTION and changes.get("input_encoding", CUBE) != CUBE:
        raise ModelError(
            f"{card.name} takes cubes, not photographs: the input encoding "
            f"{changes['input_encoding']} cannot be stated for it."
        )
    before = record_of(card)
    record = ImportRecord(
        file=before.file,
        limits=" ".join(changes.get("limits", before.limits).split()),
        assumed=tuple(field for field in before.assumed if field not in changes),
    )
    fields = {**card.model_dump(), **changes, **_recorded(record)}
    try:
        return ModelCard.model_validate(fields)
    except ValidationError as error:
        raise ModelError(f"The model card is not valid: {validation_problem(error)}.") from error


def with_assumption(card: ModelCard, field: str) -> ModelCard:
    """The card with a field said to be assumed."""
    record = record_of(card)
    record = record.model_copy(update={"assumed": (*record.assumed, field)})
    return card.model_copy(update=_recorded(record))


def _recorded(record: ImportRecord) -> dict[str, Any]:
    """Limits and record of a card."""
    sentences = [record.limits, *(ASSUMPTIONS[field] for field in record.assumed)]
    kept = record if record.file or record.assumed else None
    return {"limits": " ".join(sentences), "imported": kept}


#: How version 0.1, whose cards have no record, stated assumptions among the limits.
_ASSUMPTIONS_OF_0_1 = dict(ASSUMPTIONS)
_SOURCE_OF_0_1 = ", SHA-256 "


def record_of(card: ModelCard) -> ImportRecord:
    """What is known of how a card came about; read off the words of a card of version 0.1."""
    if card.imported is not None:
        return card.imported
    limits, assumed = card.limits, []
    for field, sentence in _ASSUMPTIONS_OF_0_1.items():
        if sentence in limits:
            limits = limits.replace(sentence, "")
            assumed.append(field)
    file, found, _ = card.source.partition(_SOURCE_OF_0_1)
    return ImportRecord(
        file=file if found else "", limits=" ".join(limits.split()), assumed=tuple(assumed)
    )
