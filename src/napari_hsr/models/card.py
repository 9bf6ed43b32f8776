"""The card that travels with a model's weights and with everything made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from napari_hsr.cube import Wavelengths
from napari_hsr.errors import ModelError
from napari_hsr.models.figures_in_words import source_words, stress_rows
from napari_hsr.models.interval_table import IntervalTable
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from pydantic import ValidationError

#: Said wherever a user meets a model that goes from three channels to many bands.
ILL_POSED = Notice.info(
    Code.ILL_POSED,
    "Three channels do not determine a spectrum: different spectra share one colour, and the model "
    "returns the one most like its training data. Treat the result as an estimate, not a measurement.",
)
#: Said wherever a user meets a super-resolution model.
DETAIL_ESTIMATED = Notice.info(
    Code.DETAIL_ESTIMATED,
    "Coarse pixels do not determine finer ones: the detail is what the model learnt to expect, and "
    "is an estimate, not a measurement.",
)

#: What cards call the images that a model was not trained on, in their figures.
HELD_OUT = "the held-out images"
#: What a card says where nothing was stated.
NOT_STATED = "not stated"
#: ``input_encoding`` of a model that takes cubes instead of photographs.
CUBE = "cube"
#: Values of :attr:`ModelCard.task`.
RECONSTRUCTION = "reconstruction"
SUPER_RESOLUTION = "super-resolution"


#: Fields that are not written when they hold nothing; all of them are said of certain weights alone.
_OMITTED_WHEN_EMPTY = (
    *("imported", "intervals", "best_for", "sources", "sources_protocol"),
    *("stress", "stress_protocol"),
)


class WavelengthsNeededError(ModelError):
    """Weights with another number of bands than 31, and no card that names their wavelengths.

    Parameters
    ----------
    bands : int
        How many wavelengths are needed.
    """

    def __init__(self, bands: int):
        self.bands = bands
        super().__init__(f"A card with {bands} wavelengths is needed: the weights name none.")


class PrecisionError(BaseModel):
    """How far the result in a lower precision is from that in float32, as measured.

    Attributes
    ----------
    psnr_db : float or None
        PSNR with the largest magnitude of the float32 result as peak, in dB; None if the two
        are the same to the last bit.
    max_abs : float
        Largest absolute difference, in the units of the cube.
    measured_on : str
        The photograph and the device, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    psnr_db: float | None = Field(allow_inf_nan=False)
    max_abs: float = Field(ge=0, allow_inf_nan=False)
    measured_on: str

    def within(self, psnr_db: float) -> bool:
        """Whether the PSNR is at least that."""
        return self.psnr_db is None or self.psnr_db >= psnr_db

    def words(self) -> str:
        """The measurement for people, without a full stop."""
        if self.psnr_db is None:
            return f"no difference from float32, measured on {self.measured_on}"
        return (
            f"PSNR {self.psnr_db:.1f} dB against float32, largest difference {self.max_abs:.2g}, "
            f"measured on {self.measured_on}"
        )


class ImportRecord(BaseModel):
    """How an imported card came about.

    Attributes
    ----------
    file : str
        Name of the checkpoint.
    limits : str
        The card's limits without what is said of assumptions.
    assumed : tuple of str
        Fields of the card whose values are assumptions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = ""
    limits: str = ""
    assumed: tuple[str, ...] = ()


class _Facts(BaseModel):
    model_config = ConfigDict(extra="allow")


class _File(_Facts):
    sha256: str = ""


class _Capture(_Facts):
    cameras: tuple[str, ...] = ()
    illuminants: tuple[str, ...] | None = None


class _Coarse(_Facts):
    scale: int
    degradations: list[Any] = Field(min_length=1)
    noise: tuple[float, ...] | None = None


class _TrainingFacts(_Facts):
    """What of :attr:`ModelCard.training` is read again: a card may come from anybody."""

    held_out: dict[str, _File] | None = None
    held_out_cameras: list[_Capture] | None = None
    held_out_protocol: str | None = None
    camera: _Capture | None = None
    coarse: _Coarse | None = None
    seed: int | None = None


class ModelCard(BaseModel):
    """What a user must know of a model before trusting it.

    Attributes
    ----------
    name : str
        Short, unique, fit for a command line.
    title : str
        One line for lists.
    architecture : str
        Id in the registry of architectures.
    input_encoding : str
        What the model was made for: ``linear-srgb``, ``camera:nikon-d700``…; :data:`CUBE` for
        a super-resolution model.
    input_rule : str
        Whole-image normalisation after decoding, in words; "none" for most. For super-resolution,
        which bands are processed together.
    wavelengths_nm : tuple of float
        Band centres of the output; for super-resolution, of the training cubes (any are taken).
    scale : int
        Output pixels per input pixel along each side.
    units : str or None
        What the output values are.
    training_data, protocol, licence, limits, source : str
        In plain words.
    figures : dict
        ``{"where": {"psnr_db": …}}``: measured, with the protocol above; those of
        :data:`HELD_OUT` with ``training["held_out_protocol"]``, if the card has one.
    best_for : str
        What it is the best choice for, in a few words for lists; empty if nothing was compared.
    sources : dict
        ``{"leaves": {"psnr_db": …}}``: figures by source, each of another laboratory or imager, by
        ``sources_protocol``; models with the same protocol may be compared.
    precision_errors : dict
        ``{"bfloat16": PrecisionError}``: what lower precisions cost, where it was measured.
    training : dict
        Settings that made the weights (order, ridge, seed…).
    version : str
        Of the model, if it has one.
    weights_sha256 : str
        Hash that the weights must have when they are loaded; empty if none is pinned.
    imported : ImportRecord or None
        Of a card that was written when a checkpoint was imported.
    intervals : IntervalTable or None
        Of a model whose errors were calibrated.
    stress : dict
        ``{"exposure × 2": {"moved": …, "sam_deg": …}}``: how far answers move when a photograph
        changes, by ``stress_protocol``; see :mod:`napari_hsr.inference.trust.stress`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    title: str
    architecture: str
    input_encoding: str
    input_rule: str = "none"
    wavelengths_nm: tuple[float, ...]
    scale: int = Field(default=1, ge=1)
    units: str | None = None
    training_data: str = NOT_STATED
    protocol: str = NOT_STATED
    figures: dict[str, dict[str, float]] = Field(default_factory=dict)
    best_for: str = ""
    sources: dict[str, dict[str, float]] = Field(default_factory=dict)
    sources_protocol: str = ""
    precision_errors: dict[str, PrecisionError] = Field(default_factory=dict)
    licence: str = NOT_STATED
    limits: str = NOT_STATED
    source: str = NOT_STATED
    training: dict[str, Any] = Field(default_factory=dict)
    version: str = ""
    weights_sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    imported: ImportRecord | None = None
    intervals: IntervalTable | None = None
    stress: dict[str, dict[str, float]] = Field(default_factory=dict)
    stress_protocol: str = ""

    def __repr__(self) -> str:
        return f"<ModelCard {self.name}: {self.title}; {self.architecture}, {self.input_encoding}>"

    __str__ = __repr__  # thousands of numbers otherwise: a list of models fills the screen

    @model_serializer(mode="wrap")
    def _without_empty_record(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        for name in _OMITTED_WHEN_EMPTY:
            if not fields.get(name):
                fields.pop(name, None)
        return fields

    @field_validator("wavelengths_nm")
    @classmethod
    def _ascending(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(Wavelengths(np.array(values)))

    @model_validator(mode="after")
    def _of_its_bands(self) -> ModelCard:
        table = self.intervals
        if table is not None and len(table.half_widths[0]) != len(self.wavelengths_nm):
            raise ValueError(
                f"intervals: {len(table.half_widths[0])} bands for {len(self.wavelengths_nm)} wavelengths"
            )
        return self

    @field_validator("training")
    @classmethod
    def _readable(cls, facts: dict[str, Any]) -> dict[str, Any]:
        _TrainingFacts.model_validate(facts)
        return facts

    @property
    def wavelengths(self) -> Wavelengths:
        """Band centres of the output."""
        return Wavelengths(np.array(self.wavelengths_nm))

    @property
    def task(self) -> str:
        """What the model does: :data:`RECONSTRUCTION` of a cube from a photograph, or :data:`SUPER_RESOLUTION`."""
        return SUPER_RESOLUTION if self.input_encoding == CUBE else RECONSTRUCTION

    def unmeasured(self, **changes: Any) -> ModelCard:
        """The card of other weights: what was measured of these, or is their origin, does not hold."""
        of_weights = ("figures", "precision_errors", "weights_sha256", *_OMITTED_WHEN_EMPTY)
        known = type(self).model_fields
        empty = {k: known[k].get_default(call_default_factory=True) for k in of_weights}
        return self.model_copy(update={**changes, **empty})

    def sentences(self) -> list[tuple[str, str]]:
        """(heading, text) pairs for people, in reading order."""
        if self.task == SUPER_RESOLUTION:
            rows = [
                ("Input", "a cube of coarse pixels, with any bands"),
                ("Output", f"the same bands in pixels {self.scale} × as fine along each side"),
                ("Neighbouring bands", self.input_rule),
                ("Trained on", f"{self.training_data}; {self.wavelengths.describe()}"),
            ]
        else:
            rows = [
                ("Input", f"{self.input_encoding}; whole-image rule: {self.input_rule}"),
                ("Output", f"{self.wavelengths.describe()}; {self.units or 'units not stated'}"),
                ("Trained on", self.training_data),
            ]
        if self.best_for:
            rows.insert(0, ("Best for", self.best_for))
        rows.append(("Protocol", self.protocol))
        for where, figures in self.figures.items():
            rows.append((f"Measured on {where}", figures_text(figures)))
        if protocol := self.training.get("held_out_protocol"):
            rows.append((f"Protocol of {HELD_OUT}", protocol))
        for source, figures in self.sources.items():
            rows.append((f"Measured on {source_words(source)}", figures_text(figures)))
        if self.sources_protocol:
            rows.append(("Protocol of the sources", self.sources_protocol))
        if self.intervals is not None:
            rows.append(("Intervals", self.intervals.words()))
        if self.stress:
            rows += stress_rows(self.stress, self.stress_protocol)
        for precision, error in self.precision_errors.items():
            rows.append((f"Error in {precision}", error.words()))
        return [
            *rows,
            ("Limits", self.limits),
            ("Source", self.source),
            ("Licence", self.licence),
        ]


#: How the figures of a card are written for people: name and unit.
FIGURE_LABELS = {
    "psnr_db": "PSNR (dB)",
    "psnr_band_db": "mean band PSNR (dB)",
    "sam_deg": "SAM (°)",
    "mrae": "MRAE",
    "rmse": "RMSE",
    "ssim": "SSIM",
    "worst_sam_deg": "SAM of the worst tenth (°)",
}


def figures_text(figures: dict[str, float], protocol: str = "") -> str:
    """``MRAE 0.1645, RMSE 0.0248 (the authors' table…)``."""
    values = ", ".join(f"{FIGURE_LABELS.get(k, k)} {v:.4g}" for k, v in figures.items())
    return f"{values} ({protocol})" if values and protocol else values


def validation_problem(error: ValidationError) -> str:
    """The first field that is not valid, and why."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "card"
    return f"{where}: {first['msg']}"
