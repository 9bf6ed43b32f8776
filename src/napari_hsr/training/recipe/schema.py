"""A recipe: all settings that determine the result of a training, checked before it starts.

The same settings are a YAML file, the ``--set`` options of the command line, and the settings of
the Train panel; a copy is kept in every checkpoint and beside every model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_hsr.cameras.settings import CaptureSettings

RGB_TO_CUBE: Literal["rgb-to-cube"] = "rgb-to-cube"
SUPER_RESOLUTION: Literal["super-resolution"] = "super-resolution"

#: Whole numbers up to here are the same for every library: beyond it none is meant.
_MOST = 2**53
Positive = Annotated[int, Field(ge=1, le=_MOST)]
Share = Annotated[float, Field(ge=0, le=1)]
#: Standard deviations: in coarse pixels, and as a fraction of the highest value.
Blur = Annotated[float, Field(ge=0.1, le=5)]
Noise = Annotated[float, Field(ge=0, le=0.5)]
Decay = Annotated[float, Field(ge=0, lt=1)]
#: Longer than a century, no training is meant.
Minutes = Annotated[float, Field(gt=0, le=60 * 24 * 365 * 100)]
#: MRAE divides by it: 0 would give NaN where the reference is 0.
Floor = Annotated[float, Field(ge=1e-6, le=1)]
#: In float32, products of those up to here and of a square are numbers; no training means more.
_GREATEST = 1e9
Amount = Annotated[float, Field(ge=0, le=_GREATEST)]
Above = Annotated[float, Field(gt=0, le=_GREATEST)]


class Settings(BaseModel):
    """A group of settings; a name that it does not have is an error.

    The string below a field is its description, which the Train panel shows as help
    (:func:`napari_hsr.training.recipe.descriptions.descriptions`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelSettings(Settings):
    """What is trained: an existing model (``start``) or a new network (``architecture``)."""

    start: str | None = None
    """As :func:`napari_hsr.models.load_model` takes it. It is never overwritten."""
    architecture: str | None = None
    """Id in the registry."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the architecture's network."""
    head: Literal["none", "base", "colour-exact", "over-base"] = "none"
    """``base``: the network predicts a correction to the most likely spectra of the photograph's
    colours. ``colour-exact``: the correction also leaves the photographed colours unchanged; for
    noise-free photographs of one known linear camera. ``over-base``: a gate decides in each pixel
    between the network and the model ``base``."""
    base: str = "instant-photo"
    """The per-pixel model behind ``head: over-base``."""
    begin: str | None = None
    """A model whose network has the same shapes: ``architecture`` is initialised with its weights
    instead of random ones, behind a new head."""
    begin_with: Literal["all", "same-parts"] = "all"
    """``same-parts``: parts of the network that have other shapes than in ``begin``, such as the
    upsampling of one for another scale, keep their random weights."""
    initialisation: Literal["default", "identity"] = "default"
    """How random weights are initialised: as the network's class does, or so that every layer is
    the identity, for deep networks without skip connections."""

    @model_validator(mode="after")
    def _one_of_two(self) -> ModelSettings:
        if (self.start is None) == (self.architecture is None):
            raise ValueError("give either start (a model at hand) or architecture (from nothing)")
        new = (self.settings, self.head != "none", self.begin, self.initialisation != "default")
        if self.start is not None and any(new):
            raise ValueError(
                "settings, head, begin and initialisation are for a new network; leave them out"
            )
        if self.begin is None and self.begin_with != "all":
            raise ValueError("begin_with says what is taken of begin; give begin too")
        if self.begin is not None and self.initialisation != "default":
            raise ValueError("begin gives the weights; leave initialisation out")
        return self


class PairSettings(Settings):
    """The files of one image; ``rgb`` is left out if the photograph is simulated."""

    cube: Path
    rgb: Path | None = None


class DataSettings(Settings):
    """Where the images are, and which of them are held out."""

    folder: Path | None = None
    """Of the training images."""
    layout: Literal["auto", "pairs", "cubes", "ntire", "cave"] = "auto"
    """``pairs``: RGB and cube files with the same stem, in one folder or in ``rgb_folder`` and
    ``cube_folder`` below it. ``cubes``: cubes only. ``ntire``: ``Train_RGB`` and
    ``Train_spectral``, with split lists. ``cave``: one folder per scene."""
    rgb_folder: str | None = None
    """Name of the folder of photographs."""
    cube_folder: str | None = None
    """Name of the folder of cubes."""
    pairs: tuple[PairSettings, ...] = ()
    """Instead of a folder."""
    validation_folder: Path | None = None
    """Held-out images, in the same layout; otherwise ``split_file`` or ``hold_out``."""
    split_file: Path | None = None
    """Text with one line per image: ``train NAME`` or ``held-out NAME``."""
    hold_out: Above = 0.2
    """Fraction (below 1) or number of held-out images, drawn with the seed; at least 1."""
    simulate: bool | None = None
    """Whether photographs are simulated even if there are some; None: only if there are none."""
    input_encoding: str | None = None
    """Encoding of photographs whose files do not state it."""
    wavelengths_nm: tuple[float, ...] | None = None
    """The grid that cubes are resampled to; None: their own, which must then be the same."""
    bad_bands: bool = False
    """Whether bands that files mark as bad (``bbl``) are trained on too."""
    cache: Path | None = None
    """Where decoded images are kept; None: the user's cache folder."""


class AugmentationSettings(Settings):
    """Augmentation of a patch before it is photographed, or together with its photograph."""

    flips: bool = True
    """Mirrored along either side."""
    rotations: bool = True
    """Rotated by multiples of 90°."""
    scales: Annotated[tuple[Annotated[float, Field(ge=0.01, le=1)], ...], Field(min_length=1)] = (
        1.0,
    )
    """Scales of a patch, chosen with equal probability; below 1 it is reduced by averaging."""
    exposure: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Photograph and cube times 10^U(-exposure, exposure)."""
    metamers: Share = 0.0
    """Fraction of patches whose metameric black is scaled by U(1 - metamer_range, 1 + …); only if
    RGB is simulated without noise before it."""
    metamer_range: Annotated[float, Field(ge=0, le=2)] = 0.5
    """How far from 1 the metameric black is scaled."""
    tint: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Standard deviation of the smooth curve that cubes are multiplied by before they are
    photographed, which imitates other lights and pigments. Only if RGB is simulated."""
    mix: Share = 0.0
    """Fraction of patches that are a convex mixture of two; only if RGB is simulated."""


class CoarseSettings(Settings):
    """How coarse cubes are made from fine ones, for training super-resolution."""

    scale: Annotated[int, Field(ge=2, le=16)]
    """Fine pixels along the side of a coarse pixel."""
    degradations: Annotated[tuple[str, ...], Field(min_length=1)] = ("bicubic-matlab",)
    """Names as :func:`napari_hsr.resample.find` takes them: ``bicubic-matlab``,
    ``gaussian:1.6``, ``box``…. One is drawn for each patch, one that is named twice twice as
    often; held-out cubes use the first."""
    blur: tuple[Blur, Blur] | None = None
    """Least and largest σ of the degradation ``gaussian``, in coarse pixels; drawn for each patch,
    uniformly in its logarithm. None: the full width at half maximum is one coarse pixel."""
    noise: tuple[Noise, Noise] = (0.0, 0.0)
    """Least and largest standard deviation of the noise of a coarse patch, as a fraction of the
    cube's highest value; drawn for each patch. Held-out cubes get none."""
    noisy: Share = 0.5
    """Fraction of the patches that get noise."""
    bands: Positive | None = None
    """Adjacent bands in a patch, drawn anew for each; None: all. Fewer bands take less time, and
    a step then covers more places."""

    @model_validator(mode="after")
    def _ranges(self) -> CoarseSettings:
        for name, pair in (("blur", self.blur), ("noise", self.noise)):
            if pair is not None and pair[0] > pair[1]:
                raise ValueError(
                    f"coarse.{name} runs from the least to the largest, not from "
                    f"{pair[0]:g} to {pair[1]:g}"
                )
        if self.blur is not None and "gaussian" not in self.degradations:
            raise ValueError(
                "coarse.blur is of the degradation gaussian, which coarse.degradations does not name"
            )
        return self


class MaterialsSettings(Settings):
    """Scenes painted with measured spectra, among the patches of the training images."""

    tables: Annotated[tuple[Path, ...], Field(min_length=1)]
    """Reflectances, ``.csv`` or ``.npz``; a table is one kind of things, and counts as the others."""
    most: Positive = 2000
    """Spectra that are taken of a table, at random."""
    scale: Above | None = None
    """What the tables' values are multiplied by, such as 0.01 for percent; None: as each file says."""
    share: Share = 0.5
    """Fraction of the patches that are painted."""
    repainted: Share = 0.4
    """Fraction of these that are patches of training images painted over; the others are scenes
    of their own."""


class LossTerm(Settings):
    """One term of the loss."""

    kind: Literal["l1", "rmse", "mrae", "sam", "perceptual"]
    """``l1``, ``rmse``, ``mrae``, ``sam`` or ``perceptual``."""
    weight: Above = 1.0
    """Factor of the term in the sum."""
    floor: tuple[Floor, Floor] = (1e-2, 1e-3)
    """MRAE's least denominator at the start and at the end of the training, as a fraction of the
    brightest value of a patch; interpolated geometrically."""
    weights_file: Path | None = None
    """Of the perceptual loss; None: the public file, downloaded once."""
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8,64}$")] | None = None
    """First digits of the SHA-256 of ``weights_file``; None: that of the public file."""


class OptimiserSettings(Settings):
    """Adam or AdamW."""

    kind: Literal["adam", "adamw"] = "adamw"
    learning_rate: Above = 4e-4
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: Amount = 0.0
    clip: Amount = 1.0
    """Largest norm of the gradient; 0 for no clipping."""
    step_per: Literal["batch", "band"] = "batch"
    """Whether the weights are updated after each ``batch``, or after each ``band`` of it in turn,
    with a loss and a gradient of its own; for networks that process one band at a time. Steps are
    counted in batches either way."""


class ScheduleSettings(Settings):
    """Length of the training, and the course of the learning rate."""

    steps: Positive | None = None
    """Steps of the optimiser."""
    minutes: Minutes | None = None
    """Instead of ``steps``: the number is estimated from the first steps, then fixed."""
    kind: Literal["cosine", "constant", "polynomial", "one-cycle", "halving", "stepped"] = "cosine"
    """``polynomial``: (1 - t)^power. ``halving``: halved every ``every`` steps; ``stepped``:
    times ``factor``."""
    warmup: Annotated[int, Field(ge=0, le=_MOST)] = 50
    """Steps over which the rate rises."""
    final: Share = 1e-3
    """Fraction of the learning rate at the end (cosine, one-cycle)."""
    power: Above = 1.5
    every: Positive = 10_000
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _how_long(self) -> ScheduleSettings:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either steps or minutes")
        return self


class BatchSettings(Settings):
    """``size`` patches of ``patch`` × ``patch`` pixels per step."""

    size: Positive = 8
    """Patches on all devices together."""
    patch: Annotated[int, Field(ge=8, le=_MOST)] = 64
    """Pixels a side of what the network gets."""
    accumulate: Positive = 1
    """Parts that a batch is computed in, to save memory."""


class ValidationSettings(Settings):
    """When and how the held-out images are measured."""

    every: Positive = 500
    """Steps between two validations; there is always one after the last step."""
    choose: Literal["psnr", "sam", "mrae", "last"] = "psnr"
    """The figure by which the best weights are chosen."""
    patience: Positive | None = None
    """Validations without improvement after which training stops."""
    protocol: str = "cave-val"
    """Of :mod:`napari_hsr.metrics.protocols`."""
    captures: tuple[CaptureSettings, ...] = ()
    """How held-out cubes are photographed if RGB is simulated; empty: as in training, each image
    with a seed of its own."""


class EngineSettings(Settings):
    """Device and precision of the computation."""

    device: str = "auto"
    devices: Positive = 1
    nodes: Positive = 1
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    checkpoint_every: Positive = 200
    tensorboard: bool = True


class Recipe(Settings):
    """A whole training."""

    name: str = Field("trained", pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    """Of the trained model."""
    title: str = ""
    task: Literal["rgb-to-cube", "super-resolution"] = RGB_TO_CUBE
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    strategy: Literal["auto", "adapter", "head", "full"] = "full"
    """``full``: all weights. ``head``: the first and last layers. ``adapter``: a closed-form map
    of the network's output. ``auto``: each in turn; the best on held-out images is kept."""
    model: ModelSettings
    data: DataSettings = Field(default_factory=DataSettings)
    camera: CaptureSettings | None = None
    """Photographs cubes that have no photograph; for ``rgb-to-cube``."""
    coarse: CoarseSettings | None = None
    """For ``super-resolution``."""
    materials: MaterialsSettings | None = None
    """Paints patches with measured spectra; where photographs are simulated."""
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings)
    loss: Annotated[tuple[LossTerm, ...], Field(min_length=1)] = (
        LossTerm(kind="l1"),
        LossTerm(kind="mrae"),
    )
    optimiser: OptimiserSettings = Field(default_factory=OptimiserSettings)
    schedule: ScheduleSettings = Field(default_factory=lambda: ScheduleSettings(minutes=10))
    batch: BatchSettings = Field(default_factory=BatchSettings)
    ema: Decay = 0.99
    """Decay of the exponential moving average of the weights, which is what is validated and
    kept; 0 for none."""
    anchor: Amount = 0.0
    """Pull towards the initial weights (L2-SP); for fine-tuning."""
    validation: ValidationSettings = Field(default_factory=ValidationSettings)
    engine: EngineSettings = Field(default_factory=EngineSettings)
    licence: str = "not stated"
    data_statement: str = ""

    @model_validator(mode="after")
    def _of_one_task(self) -> Recipe:
        if self.optimiser.step_per == "band":
            if not self.finer:
                raise ValueError("optimiser.step_per: band is for the task super-resolution")
            whole = [term.kind for term in self.loss if term.kind in ("sam", "perceptual")]
            if whole:
                raise ValueError(
                    f"the loss {whole[0]} takes whole spectra; set optimiser.step_per: batch"
                )
        if not self.finer:
            if self.coarse is not None:
                raise ValueError("coarse is for the task super-resolution; leave it out")
            if self.materials is not None and self.camera is None:
                raise ValueError("materials are photographed by a camera; set camera too")
            return self
        if self.materials is not None:
            raise ValueError("materials are for the task rgb-to-cube; leave them out")
        if self.coarse is None:
            raise ValueError("super-resolution needs coarse.scale: how much finer pixels become")
        if self.camera is not None or self.validation.captures:
            raise ValueError("super-resolution takes no photographs; leave camera and captures out")
        if self.strategy == "adapter":
            raise ValueError("the strategy adapter is for photographs; choose head, full or auto")
        if self.model.head != "none":
            raise ValueError("a head around the network is for photographs; leave model.head out")
        return self

    @property
    def finer(self) -> bool:
        """Whether the task is super-resolution of cubes; otherwise photographs become cubes."""
        return self.task == SUPER_RESOLUTION

    @property
    def scale(self) -> int:
        """Fine pixels along the side of a coarse pixel; 1 for photographs."""
        return self.coarse.scale if self.finer and self.coarse is not None else 1
