"""INR-HSISR: a network writes the weights of a small network of its own for every 4x4 pixels.

After kaviezhang/INR-HSISR (TGRS 2022): a convolutional hypernetwork turns the RGB image into one
set of weights for each cell of 4x4 pixels; with them a perceptron maps each pixel's colour and
its place in the image to a spectrum. The place goes in as sines and cosines of one quarter and
one half of a turn over the image, so the result depends on the size of the image: the
network was trained on crops of 64x64 pixels and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.arguments import told
from napari_hsr.errors import InputError, ModelError
from napari_hsr.models.architectures.base import (
    Architecture,
    Network,
    Weights,
    has,
    kernels,
    numbered,
)
from napari_hsr.models.architectures.without_weights import without_weights
from napari_hsr.models.input_rules import Symmetric
from napari_hsr.models.layers import Module, Part, pad_below_right, pad_to_least
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from napari_hsr.models.model import Model

TITLE = "INR-HSISR"

#: Side of the crops of the training.
TRAINED_SIDE = 64
#: Input pixels along each side of a cell that shares its weights: two strides of two.
CELL = 4
#: The least side: instance normalisation needs more than one cell.
LEAST = 2 * CELL
#: Width of the perceptrons where nothing else is known, and their depth.
HIDDEN, _LAYERS = 64, 5
#: Periods of the coordinates, in sides of the image.
PERIODS = (4.0, 2.0)

_BODY = "hyper.model."
_BLOCKS = 10  # the place of the first block of one width

LIMITS = (
    "Trained on crops of 64x64 pixels only, and the place of a pixel within the crop is part of "
    "its input: by default it runs in overlapping windows of that size."
)


@dataclass(frozen=True)
class Layout:
    """What distinguishes one INR-HSISR from another.

    Attributes
    ----------
    channels, bands : int
        Of the input and of the output.
    widths : tuple of int
        Behind the five first convolutions.
    blocks : int
        How many more of the last width.
    hidden : int
        Width of the perceptrons.
    """

    channels: int
    widths: tuple[int, ...]
    blocks: int
    hidden: int
    bands: int

    @property
    def perceptron(self) -> tuple[int, ...]:
        """Widths of the perceptron, the input first."""
        into = self.channels + 4 * len(PERIODS)
        return (into, *[self.hidden] * (_LAYERS - 1), self.bands)

    @property
    def parameters(self) -> int:
        """How many weights and biases a cell has."""
        return sum((into + 1) * out for into, out in pairwise(self.perceptron))


#: As it was published, for RGB and 31 bands.
PUBLISHED_LAYOUT = Layout(3, widths=(64, 64, 64, 64, 1024), blocks=5, hidden=HIDDEN, bands=31)


def _conv_norm(into: int, out: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(into, out, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.InstanceNorm2d(out, affine=True))


class Block(Module):
    """Convolution, instance norm, ReLU; nothing is added to it."""

    def __init__(self, width: int):
        super().__init__()
        self.conv_block = nn.Sequential(_conv_norm(width, width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) → the same."""
        return self.conv_block(x)


class Hypernetwork(Module):
    """(N, channels, H, W) → (N, parameters of a perceptron, H/4, W/4)."""

    def __init__(self, layout: Layout):
        super().__init__()
        steps: list[nn.Module] = []
        into = layout.channels
        for place, width in enumerate(layout.widths):
            steps += [_conv_norm(into, width, 2 if place in (1, 4) else 1), nn.ReLU()]
            into = width
        steps += [Block(into) for _ in range(layout.blocks)]
        steps.append(nn.Conv2d(into, layout.parameters, 1))
        self.model = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        """One set of parameters for each cell."""
        return self.model(x)


class INR(Module):
    """(N, channels, H, W) BGR in -1..1 → (N, bands, H, W) in the same units; any H, W ≥ 1.

    The original takes multiples of 4 from 8; other sizes are grown below and to the right by
    reflection, or by repetition where they are too small, and the result is cropped.

    Parameters
    ----------
    layout : Layout
        Widths and depths.
    finer : int
        Output pixels per input pixel along each side. Above 1 the perceptrons are asked for
        places between the pixels, with colours interpolated there, which was never trained.

    Attributes
    ----------
    bytes_at_once : int
        Memory for the cells' parameters, which are made and used in bands of rows: beyond the
        blocks nothing reaches from one cell to the next, so the bands change nothing.
    """

    cell, least, periods = CELL, LEAST, PERIODS

    def __init__(self, layout: Layout, finer: int = 1):
        super().__init__()
        self.layout = layout
        self.finer = finer
        self.bytes_at_once = 64 * 2**20
        self.hyper = Hypernetwork(layout)

    def forward(self, image: Tensor) -> Tensor:
        """Spectra of every pixel of the output grid."""
        height, width = image.shape[-2:]
        image = pad_to_least(pad_below_right(image, CELL), LEAST)
        cells = self.hyper.model[:-1](image)
        places = self._places(image)
        side = CELL * self.finer
        row_bytes = 4 * cells.shape[0] * cells.shape[-1] * self.layout.parameters
        rows = max(1, self.bytes_at_once // row_bytes)
        bands = [
            self._spectra(cells[:, :, i : i + rows], places[:, :, i * side : (i + rows) * side])
            for i in range(0, cells.shape[-2], rows)
        ]
        return torch.cat(bands, dim=2)[..., : height * self.finer, : width * self.finer]

    def _places(self, image: Tensor) -> Tensor:
        """Colour and coordinates of every output pixel, (N, inputs of the perceptron, H, W).

        Coordinates are made anew for each size. Pixel j of w stands at j / w, as in training;
        between them, the square of a pixel is divided evenly.
        """
        number, _, height, width = image.shape
        turns = []
        for length in (width, height):
            fine = torch.arange(length * self.finer, device=image.device, dtype=torch.float32)
            at = ((fine + 0.5) / self.finer - 0.5) / length
            turns.append([2 * torch.pi * at / period for period in PERIODS])
        waves = []
        for x, y in zip(*turns, strict=True):
            waves += [x.cos()[None, :], x.sin()[None, :], y.cos()[:, None], y.sin()[:, None]]
        if self.finer > 1:
            image = functional.interpolate(image, scale_factor=self.finer, mode="bilinear")
        size = image.shape[-2:]
        coordinates = torch.stack([wave.expand(size) for wave in waves]).to(image.dtype)
        return torch.cat([image, coordinates.expand(number, -1, -1, -1)], dim=1)

    def _spectra(self, cells: Tensor, places: Tensor) -> Tensor:
        """A band of rows: (N, width, h, w) and (N, inputs, h·side, w·side) → (N, bands, h·side, w·side)."""
        number, width, rows, columns = cells.shape
        side = CELL * self.finer
        last: Part = self.hyper.model[-1]
        theta = functional.linear(  # the 1x1 convolution, its result in the order of the cells
            cells.permute(0, 2, 3, 1).reshape(-1, width), last.weight.flatten(1), last.bias
        )
        values = places.unflatten(3, (columns, side)).unflatten(2, (rows, side))
        values = values.permute(0, 2, 4, 3, 5, 1).reshape(len(theta), side * side, -1)
        start = 0
        for layer, (into, out) in enumerate(pairwise(self.layout.perceptron)):
            if layer > 0:
                values = functional.leaky_relu_(values, 0.1)
            bias = theta[:, None, start : start + out]
            start += out
            matrix = theta[:, start : start + into * out].unflatten(1, (into, out))
            start += into * out
            values = torch.baddbmm(bias, values, matrix)
        values = values.view(number, rows, columns, side, side, -1).permute(0, 5, 1, 3, 2, 4)
        return values.reshape(number, -1, rows * side, columns * side)


def layout_of(weights: Weights, bands: int | None = None) -> Layout:
    """The layout, read off keys and shapes.

    The shapes tell how many parameters a cell's perceptron has, not how they are shared out:
    it has five layers, and a width of 64 unless ``bands`` says otherwise.

    Raises
    ------
    ModelError
        If that many parameters do not make a perceptron of five layers.
    """
    places = numbered(weights, _BODY)
    first = [weights[f"{_BODY}{i}.0.weight"] for i in range(0, _BLOCKS, 2)]
    channels = first[0].shape[1]
    parameters = weights[f"{_BODY}{places[-1]}.weight"].shape[0]
    widths = tuple(kernel.shape[0] for kernel in first)
    blocks = places[-1] - _BLOCKS
    for hidden in (HIDDEN, *range(1, 513)):
        for count in (bands,) if bands else (31,) if hidden != HIDDEN else range(1, 1025):
            layout = Layout(channels, widths, blocks, hidden, count)
            if layout.parameters == parameters:
                return layout
    raise ModelError(
        f"The weights look like those of {TITLE}, but {parameters} parameters a cell make no "
        f"perceptron of {_LAYERS} layers" + (f" for {bands} bands." if bands else ".")
    )


def _bytes_per_pixel(layout: Layout, factor: int = 1) -> int:
    """Working memory: the widest features, and spectra; between pixels, colours and spectra."""
    widest = max(layout.widths[0], layout.widths[-1] // CELL**2)
    between = 4 * (layout.channels + layout.bands) * (factor**2 - 1)
    return 4 * (widest + layout.bands) * 7 // 5 + between


def _read(weights: Weights, bands: int | None = None) -> Network:
    layout = layout_of(weights, bands)
    return Network(
        build=lambda: INR(layout),
        limits=LIMITS,
        channels=layout.channels,
        bands=layout.bands,
        context=None,
        window=TRAINED_SIDE,
        bytes_per_pixel=_bytes_per_pixel(layout),
        bytes_fixed=4 * 9 * 2**10 * layout.widths[-1],
        rule=Symmetric(),
    )


def _has_last(weights: Weights) -> bool:
    """Whether the last layer is a convolution."""
    return has(weights, kernels(f"{_BODY}{numbered(weights, _BODY)[-1]}.weight"))


ARCHITECTURE = Architecture(
    id="inr",
    title=TITLE,
    keys=kernels(
        *(f"{_BODY}{i}.0.weight" for i in range(0, _BLOCKS, 2)),
        f"{_BODY}{_BLOCKS}.conv_block.0.0.weight",
    ),
    also=_has_last,
    read=_read,
    read_with_card=lambda weights, card: _read(weights, len(card.wavelengths_nm)),
    published=(partial(INR, PUBLISHED_LAYOUT),),
)


@told
def between_pixels(model: Model, factor: int) -> Model:
    """The same weights, evaluated on a grid ``factor`` times as fine along each side.

    Raises
    ------
    InputError
        If the model is not of this architecture, or the factor is not 1, 2 or 4.
    """
    if not isinstance(model.module, INR):
        raise InputError(f"{model.name} cannot be evaluated between its pixels: only {TITLE} can.")
    if factor not in (1, 2, 4):
        raise InputError(f"A grid is 1, 2 or 4 times as fine, not {factor}.")
    with without_weights():
        module = INR(model.module.layout, factor)
    module.hyper = model.module.hyper  # one set of weights in memory, whatever the grid
    notice = Notice.warning(
        Code.BETWEEN_PIXELS,
        f"The grid is {factor} times as fine as the photograph along each side: the network was "
        "never trained for that, and what stands between the pixels was not measured.",
    )
    return replace(
        model,
        module=module.eval(),
        scale=factor,
        bytes_per_pixel=_bytes_per_pixel(module.layout, factor),
        notices=(notice,) if factor > 1 else (),
    )
