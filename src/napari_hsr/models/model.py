"""One description of a loaded model that answers whatever a caller must know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import torch

    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.card import ModelCard


class InputRule(Protocol):
    """A network's own whole-image normalisation, measured once and applied to every tile."""

    name: str

    def measure(self, tiles: Iterator[np.ndarray]) -> Any:
        """Statistics of the whole image from its tiles, each (h, w, 3) float32."""

    def apply(self, tile: np.ndarray, statistics: Any) -> np.ndarray:
        """The tile as the network wants it, (h, w, 3) float32."""

    def undo(self, bands: np.ndarray, statistics: Any) -> np.ndarray:
        """The network's output (bands, h, w) in the cube's units."""


@dataclass(frozen=True)
class TileDifference:
    """How far the result in blended tiles is from that of the whole image, where measured.

    Attributes
    ----------
    mean : float
        Root-mean-square difference over the root mean square of the whole image's result.
    tile, image : int
        Sides of the tiles and of the photograph that it was measured with, in pixels.
    weights : str
        Which weights it was measured with, in words.
    """

    mean: float
    tile: int = 128
    image: int = 256
    weights: str = "random weights of the published size"

    def words(self, pixels: int) -> str:
        """The measurement for people, and that it is no measure of tiles of fewer ``pixels``."""
        figure = f"{100 * self.mean:.2g} % of its root mean square"
        measured = (
            f"measured with {self.weights} in tiles of {self.tile} × {self.tile} of "
            f"{self.image} × {self.image} pixels"
        )
        if pixels < self.tile**2:
            return f"by more, in tiles this small, than the {figure} {measured}"
        return f"by {figure}, as {measured}"


class AsIs:
    """No rule: linear values go in, the cube's values come out."""

    name = "none"

    def measure(self, tiles: Iterator[np.ndarray]) -> None:
        """Nothing to measure, so the tiles are not even read."""

    def apply(self, tile: np.ndarray, statistics: None) -> np.ndarray:
        """The tile itself."""
        return tile

    def undo(self, bands: np.ndarray, statistics: None) -> np.ndarray:
        """The bands themselves."""
        return bands


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A loaded model.

    Attributes
    ----------
    module : torch.nn.Module
        Maps the raw network input (N, channels, H, W) to (N, bands, scale · H, scale · W), in
        eval mode.
    card : ModelCard
        Training data, protocol, figures, licence, limits.
    weights_sha256 : str
        Hash of the weights alone: the same whatever file or card carries them.
    channels : int or None
        Channels of the input; None if it is a cube of any number of bands.
    bands : int or None
        Bands of the output; None if they are those of the input.
    least_bands : int
        The fewest that it must have, where their number is free.
    scale : int
        Output pixels per input pixel along each side.
    size_multiple : int
        Height and width handed to the module must be multiples of this.
    context : int or None
        Pixels around an output pixel that it depends on; 0 for a pixel-wise model,
        None if it depends on the whole image: tiles then overlap and are blended, and the
        result differs.
    tile_difference : TileDifference or None
        By how much it differs in tiles, where ``context`` is None and it was measured.
    window : int or None
        Side of the crops that the network was trained on, where its result depends on it: it
        then runs in overlapping windows of that size unless asked for the whole image.
    precisions : tuple of str
        What the module may be computed in, the exact one first.
    bytes_per_pixel : int
        Working memory of the module for each input pixel, its output included, as
        ``benchmarks/memory.py`` measures it for the copy that inference runs in float32, or
        somewhat more. For choosing tiles. Where the number of bands is free, without input and
        output.
    bytes_per_pixel_exact : int
        The same of the exact module, where inference runs that too.
    bytes_fixed : int
        What it takes besides, however small the image is: large kernels as the processor wants
        them.
    rule : InputRule
        The whole-image rule.
    one_image_at_a_time : bool
        Whether images in a batch would change each other's result (MST): inference hands the
        module one image at a time, whatever the network.
    notices : tuple of str
        What the user must be told of every cube that it makes.
    source : str
        Where it was loaded from.
    prepare : callable or None
        ``prepare(module, precision)`` makes the copy that inference runs; see
        :mod:`napari_hsr.models.optimised_copy`.
    """

    module: torch.nn.Module
    card: ModelCard
    weights_sha256: str
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
    one_image_at_a_time: bool = False
    notices: tuple[str, ...] = ()
    source: str = ""
    prepare: Callable[[torch.nn.Module, str], torch.nn.Module] | None = None

    def __repr__(self) -> str:
        size = f"×{self.scale}, any bands" if self.bands is None else f"{self.bands} bands"
        return (
            f"<Model {self.name}: {self.card.architecture}, {self.input_encoding} to {size}, "
            f"weights {self.weights_sha256[:12]}>"
        )

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
        """What it does, as its card says."""
        return self.card.task

    @property
    def input_encoding(self) -> str:
        """What the model was made for."""
        return self.card.input_encoding

    @property
    def wavelengths(self) -> Wavelengths:
        """Band centres of the output, or of what it was trained on where they are the input's."""
        return self.card.wavelengths
