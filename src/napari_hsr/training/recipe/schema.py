"""A training as data: everything that decides its result, validated before it starts.

The same settings are a YAML file, the ``--set`` options of the command line, and the folded
half of the Train panel; a copy lies in every checkpoint and beside every model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_hsr.cameras.settings import CaptureSettings

RGB_TO_CUBE = "rgb-to-cube"
SUPER_RESOLUTION = "super-resolution"

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
#: MRAE divides by it: 0 would give NaN where the truth is 0.
Floor = Annotated[float, Field(ge=1e-6, le=1)]


class Settings(BaseModel):
    """Settings know their names: another one is an error, not silently nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(Settings):
    """What is trained: ``start`` from a model at hand, or ``architecture`` from nothing.

    Attributes
    ----------
    start : str or None
        As :func:`napari_hsr.models.load_model` takes it. It is never overwritten.
    architecture : str or None
        Id in the registry; with ``settings``, the arguments of its network.
    head : {"none", "base", "colour-exact"}
        ``base``: the network predicts what is to be added to the likeliest spectra of the
        photograph's colours. ``colour-exact``: also, what it adds leaves the colours as they
        were photographed; for photographs without noise, of one known linear camera.
    begin : str or None
        A model whose network has the same shapes: ``architecture`` begins with its weights
        instead of random ones, behind a head of its own.
    initialisation : {"default", "identity"}
        How random weights are drawn: as the network's class draws them, or so that every layer
        passes on what it is given, for deep networks without short cuts.
    """

    start: str | None = None
    architecture: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    head: Literal["none", "base", "colour-exact"] = "none"
    begin: str | None = None
    initialisation: Literal["default", "identity"] = "default"

    @model_validator(mode="after")
    def _one_of_two(self) -> ModelSettings:
        if (self.start is None) == (self.architecture is None):
            raise ValueError("give either start (a model at hand) or architecture (from nothing)")
        new = (self.settings, self.head != "none", self.begin, self.initialisation != "default")
        if self.start is not None and any(new):
            raise ValueError(
                "settings, head, begin and initialisation are for a new network; leave them out"
            )
        if self.begin is not None and self.initialisation != "default":
            raise ValueError("begin gives the weights; leave initialisation out")
        return self


class PairSettings(Settings):
    """One image by its files; ``rgb`` is left out where the photograph is simulated."""

    cube: Path
    rgb: Path | None = None


class DataSettings(Settings):
    """Where the images are, and which of them are held out.

    Attributes
    ----------
    folder : Path or None
        Of the training images.
    layout : {"auto", "pairs", "cubes", "ntire", "cave"}
        ``pairs``: RGB and cube files of one stem, in one folder or in ``rgb_folder`` and
        ``cube_folder`` below it. ``cubes``: cubes alone. ``ntire``: ``Train_RGB`` and
        ``Train_spectral``, with split lists. ``cave``: one folder a scene.
    pairs : tuple of PairSettings
        Instead of a folder.
    validation_folder : Path or None
        Images that are held out, in the same layout; else ``split_file`` or ``hold_out``.
    split_file : Path or None
        Text; each line ``train NAME`` or ``held-out NAME``.
    hold_out : float or int
        Share (below 1) or number of images that are held out, drawn with the seed; at least 1.
    simulate : bool or None
        Whether RGB is simulated although there are photographs; None: only where there are none.
    input_encoding : str or None
        What the numbers of the photographs are, where their files do not say.
    wavelengths_nm : tuple of float or None
        The grid that cubes are resampled to; None: their own, which then must be one.
    cache : Path or None
        Where decoded images are kept; None: the user's cache folder.
    """

    folder: Path | None = None
    layout: Literal["auto", "pairs", "cubes", "ntire", "cave"] = "auto"
    rgb_folder: str | None = None
    cube_folder: str | None = None
    pairs: tuple[PairSettings, ...] = ()
    validation_folder: Path | None = None
    split_file: Path | None = None
    hold_out: Annotated[float, Field(gt=0)] = 0.2
    simulate: bool | None = None
    input_encoding: str | None = None
    wavelengths_nm: tuple[float, ...] | None = None
    cache: Path | None = None


class AugmentationSettings(Settings):
    """What becomes of a patch before it is photographed, or together with its photograph.

    Attributes
    ----------
    flips, rotations : bool
        Mirrored along either side; turned by quarters.
    scales : tuple of float
        Sizes that a patch is taken at, drawn alike; below 1 it is reduced by averaging.
    exposure : float
        Photograph and cube times 10^U(-exposure, exposure).
    metamers : float
        Share of patches whose metameric black is scaled by U(1 - metamer_range, 1 + …); only
        where RGB is simulated without noise before it.
    tint : float
        Standard deviation of the smooth curve that cubes are multiplied by before they are
        photographed: other lights and pigments. Only where RGB is simulated.
    mix : float
        Share of patches that are a convex mixture of two; only where RGB is simulated.
    """

    flips: bool = True
    rotations: bool = True
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    exposure: Annotated[float, Field(ge=0, le=2)] = 0.0
    metamers: Share = 0.0
    metamer_range: Annotated[float, Field(ge=0, le=2)] = 0.5
    tint: Annotated[float, Field(ge=0, le=1)] = 0.0
    mix: Share = 0.0


class CoarseSettings(Settings):
    """How fine cubes become the coarse ones that a network makes finer.

    Attributes
    ----------
    scale : int
        Fine pixels along the side of a coarse one.
    degradations : tuple of str
        Names as :func:`napari_hsr.resample.find` takes them: ``bicubic-matlab``,
        ``gaussian:1.6``, ``box``…. One is drawn for each patch; held-out cubes take the first.
    bands : int or None
        Neighbouring bands that a patch is taken of, drawn anew for each; None: all. Fewer take
        less time, and spectra of more places come into a step.
    """

    scale: Annotated[int, Field(ge=2, le=16)]
    degradations: Annotated[tuple[str, ...], Field(min_length=1)] = ("bicubic-matlab",)
    bands: Positive | None = None


class LossTerm(Settings):
    """One summand of the loss.

    Attributes
    ----------
    kind : str
        ``l1``, ``rmse``, ``mrae``, ``sam`` or ``perceptual``.
    weight : float
    floor : tuple of float
        MRAE's least denominator at the start and at the end of the training, as a share of the
        brightest value of a patch; geometric between.
    weights_file : Path or None
        Of the perceptual loss; None: the public file, downloaded once.
    weights_sha256 : str or None
        What the SHA-256 of ``weights_file`` begins with; None: that of the public file.
    """

    kind: Literal["l1", "rmse", "mrae", "sam", "perceptual"]
    weight: Annotated[float, Field(gt=0)] = 1.0
    floor: tuple[Floor, Floor] = (1e-2, 1e-3)
    weights_file: Path | None = None
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{8,64}$")] | None = None


class OptimiserSettings(Settings):
    """Adam or AdamW; clipping is of the gradient's norm, 0 for none.

    ``step_per`` is what the weights take a step after: a ``batch``, or each ``band`` of it in
    turn, with a loss and a gradient of its own; for networks that go band by band. Everything
    that is counted in steps is counted in batches either way.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 4e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(ge=0)] = 1.0
    step_per: Literal["batch", "band"] = "batch"


class ScheduleSettings(Settings):
    """How long, and how the learning rate runs.

    Attributes
    ----------
    steps : int or None
        Steps of the optimiser.
    minutes : float or None
        Instead of ``steps``: as many as the first ones say will fit, fixed then and recorded.
    kind : {"cosine", "constant", "polynomial", "one-cycle", "halving", "stepped"}
        ``polynomial``: (1 - t)^power. ``halving``: halved every ``every`` steps; ``stepped``:
        times ``factor``.
    warmup : int
        Steps that the rate rises over.
    final : float
        Share of the learning rate that is left at the end (cosine, one-cycle).
    """

    steps: Positive | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None
    kind: Literal["cosine", "constant", "polynomial", "one-cycle", "halving", "stepped"] = "cosine"
    warmup: Annotated[int, Field(ge=0)] = 50
    final: Share = 1e-3
    power: Annotated[float, Field(gt=0)] = 1.5
    every: Positive = 10_000
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _how_long(self) -> ScheduleSettings:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either steps or minutes")
        return self


class BatchSettings(Settings):
    """``size`` patches of ``patch`` × ``patch`` pixels a step, in ``accumulate`` parts.

    ``size`` is over all devices together; pixels are those that the network gets.
    """

    size: Positive = 8
    patch: Annotated[int, Field(ge=8)] = 64
    accumulate: Positive = 1


class ValidationSettings(Settings):
    """When and how the held-out images are measured.

    Attributes
    ----------
    every : int
        Steps between two measurements; the last step is measured always.
    choose : {"psnr", "sam", "mrae", "last"}
        What the kept weights are the best in.
    patience : int or None
        Measurements without a better one after which training stops.
    protocol : str
        Of :mod:`napari_hsr.metrics.protocols`.
    captures : tuple of CaptureSettings
        How held-out cubes are photographed, where RGB is simulated; empty: as in training,
        each image with a seed of its own.
    """

    every: Positive = 500
    choose: Literal["psnr", "sam", "mrae", "last"] = "psnr"
    patience: Positive | None = None
    protocol: str = "cave-val"
    captures: tuple[CaptureSettings, ...] = ()


class EngineSettings(Settings):
    """Where and in which precision it is computed."""

    device: str = "auto"
    devices: Positive = 1
    nodes: Positive = 1
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    checkpoint_every: Positive = 200
    tensorboard: bool = True


class Recipe(Settings):
    """A whole training.

    Attributes
    ----------
    name : str
        Of the model that it makes.
    task : {"rgb-to-cube", "super-resolution"}
    camera : CaptureSettings or None
        That photographs cubes without a photograph; of ``rgb-to-cube``.
    coarse : CoarseSettings or None
        Of ``super-resolution``.
    strategy : {"auto", "adapter", "head", "full"}
        ``full``: all weights. ``head``: the first and last layers. ``adapter``: a closed-form
        map of the network's output. ``auto``: these in turn, the best on held-out images.
    anchor : float
        Pull towards the start's weights (L2-SP); for fine-tuning.
    ema : float
        Decay of the averaged weights, which are those measured and kept; 0 for none.
    """

    name: str = Field("trained", pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    title: str = ""
    task: Literal["rgb-to-cube", "super-resolution"] = RGB_TO_CUBE
    seed: Annotated[int, Field(ge=0)] = 0
    strategy: Literal["auto", "adapter", "head", "full"] = "full"
    model: ModelSettings
    data: DataSettings = Field(default_factory=DataSettings)
    camera: CaptureSettings | None = None
    coarse: CoarseSettings | None = None
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings)
    loss: Annotated[tuple[LossTerm, ...], Field(min_length=1)] = (
        LossTerm(kind="l1"),
        LossTerm(kind="mrae"),
    )
    optimiser: OptimiserSettings = Field(default_factory=OptimiserSettings)
    schedule: ScheduleSettings = Field(default_factory=lambda: ScheduleSettings(minutes=10))
    batch: BatchSettings = Field(default_factory=BatchSettings)
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
    anchor: Annotated[float, Field(ge=0)] = 0.0
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
            return self
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
        """Whether cubes are to become finer ones; else photographs become cubes."""
        return self.task == SUPER_RESOLUTION
