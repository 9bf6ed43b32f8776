"""A loaded model, described so that callers need not know its network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from napari_hsr.models.input_rules import AsIs

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.input_rules import InputRule
    from napari_hsr.models.model_file import WeightsInUse
    from napari_hsr.notices import Notice

    #: Makes the copy of a module that inference runs, in a precision.
    Prepare = Callable[[nn.Module, str], nn.Module]


@dataclass(frozen=True)
class TileDifference:
    """How far the result from blended tiles is from that of the whole image, as measured.

    Attributes
    ----------
    mean : float
        Root-mean-square difference relative to the root mean square of the whole image's result.
    tile, image : int
        Side lengths of the tiles and of the image used for the measurement, in pixels.
    weights : str
        Which weights were used, in words.
    """

    mean: float
    tile: int = 128
    image: int = 256
    weights: str = "random weights of the published size"

    def words(self, pixels: int) -> str:
        """The measurement in words, and a warning if tiles have fewer ``pixels`` than measured."""
        figure = f"{100 * self.mean:.2g}% of its root mean square"
        measured = (
            f"measured with {self.weights} in tiles of {self.tile} × {self.tile} of "
            f"{self.image} × {self.image} pixels"
        )
        if pixels < self.tile**2:
            return f"by more, in tiles this small, than the {figure} {measured}"
        return f"by {figure}, as {measured}"


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkTraits:
    """What inference must know of a network to run it.

    Attributes
    ----------
    channels : int or None
        Input channels; None for a cube with any number of bands.
    bands : int or None
        Output bands; None if they are those of the input.
    least_bands : int
        Minimum number of bands where their number is free.
    scale : int
        Output pixels per input pixel along each side.
    size_multiple : int
        Height and width given to the module must be multiples of this.
    context : int or None
        Radius of the receptive field in pixels: 0 for a pixel-wise model, None if an output pixel
        depends on the whole image. Tiles then overlap and are blended, and the result differs.
    tile_difference : TileDifference or None
        By how much it differs in tiles, where ``context`` is None and it was measured.
    window : int or None
        Side of the training crops, where the result depends on it: the network then runs in
        overlapping windows of that size unless asked for the whole image.
    precisions : tuple of str
        What the module may be computed in, the exact one first.
    bytes_per_pixel : int
        Working memory per input pixel, output included, for choosing tiles: what
        ``benchmarks/memory.py`` measures for the optimised copy in float32, or somewhat more.
        Without input and output where the number of bands is free.
    bytes_per_pixel_exact : int
        The same for the exact module, where inference runs that too.
    bytes_fixed : int
        Working memory on top of that, whatever the size of the image.
    rule : InputRule
        Whole-image normalisation of the input.
    """

    channels: int | None = 3
    bands: int | None = 31
    least_bands: int = 1
    scale: int = 1
    size_multiple: int = 1
    context: int | None = 0
    tile_difference: TileDifference | None = None
    window: int | None = None
    precisions: tuple[str, ...] = ("float32",)
    bytes_per_pixel: int = 1024
    bytes_per_pixel_exact: int = 0
    bytes_fixed: int = 0
    rule: InputRule = field(default_factory=AsIs)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Model(NetworkTraits):
    """A loaded model.

    Attributes
    ----------
    module : torch.nn.Module
        Maps the network's input (N, channels, H, W) to (N, bands, scale · H, scale · W), float32,
        in eval mode.
    card : ModelCard
        Training data, protocol, figures, licence, limits.
    weights_sha256 : str
        Hash of the weights alone, whatever file or card carries them.
    notices : tuple of Notice
        What the user must be told of every cube made with it.
    source : str
        Where it was loaded from.
    prepare : callable or None
        ``prepare(module, precision)`` makes the optimised copy that inference runs; see
        :mod:`napari_hsr.models.optimised_copy`.
    base : Model or None
        The pixel-wise model that the network corrects, if it does: large photographs are then
        computed from fewer pixels, see :mod:`napari_hsr.inference.reduced_resolution`.
    in_use : WeightsInUse or None
        The file that the weights lie in, where it is large.
    """

    module: nn.Module
    card: ModelCard
    weights_sha256: str
    notices: tuple[Notice, ...] = ()
    source: str = ""
    prepare: Prepare | None = None
    base: Model | None = None
    in_use: WeightsInUse | None = None

    def check_weights(self) -> None:
        """Ask whether the weights are those that were loaded, before they are used and after.

        Raises
        ------
        FileError
            If another program changed the file that they lie in.
        """
        if self.in_use is not None:
            self.in_use.check()

    def __repr__(self) -> str:
        size = f"×{self.scale}, any bands" if self.bands is None else f"{self.bands} bands"
        return (
            f"<Model {self.name}: {self.card.architecture}, {self.input_encoding} to {size}, "
            f"weights {self.weights_sha256[:12]}>"
        )

    @cached_property
    def card_sha256(self) -> str:
        """Hash of the card: its encoding, wavelengths and intervals determine results as weights do."""
        return hashlib.sha256(self.card.model_dump_json().encode()).hexdigest()

    @property
    def name(self) -> str:
        """Short name."""
        return self.card.name

    @property
    def title(self) -> str:
        """One line for lists."""
        return self.card.title

    @property
    def task(self) -> str:
        """Reconstruction or super-resolution, as on its card."""
        return self.card.task

    @property
    def input_encoding(self) -> str:
        """Encoding of the images that the model was trained on."""
        return self.card.input_encoding

    @property
    def wavelengths(self) -> Wavelengths:
        """Band centres of the output; of the training cubes where the bands are the input's."""
        return self.card.wavelengths
