"""CoarSR, the network of DualSR (Li, Yuan, Jia, Wang 2022): super-resolution of a cube, band by band.

Each band is refined with the help of four of its neighbours: features of the band alone and of
two groups of three bands are exchanged within and between groups (adjacent spectral fusion), mixed
with those of the band before (feature context fusion), and rearranged into output pixels that are
added to a bicubic enlargement.

Checkpoints of the authors carry two accidents, and both are kept. Batch norms stand where none
were meant, because arguments of the residual block changed places. And the authors' loop over the
bands never empties its lists of neighbours, of which the network reads the first two: so every
band is helped by bands 3, 1, 2 and 4 (``as_coded``). Weights trained by this package go by the rule
that was meant, the two bands on either side (``intended``), and say so by a tensor of their own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures.base import (
    Architecture,
    Network,
    Shapes,
    Weights,
    numbered,
    shapes_of,
)
from napari_hsr.models.architectures.coarsr_blocks import Inter, Intra
from napari_hsr.models.card import SUPER_RESOLUTION
from napari_hsr.models.input_rules import AsIs
from napari_hsr.models.layers import (
    LEAST_BANDS,
    PIXELS_AT_ONCE,
    Module,
    Part,
    WeightNormConv2d,
    enlarged,
    neighbours,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Under the squared length of a spectrum, which a correction is compared with.
LEAST = 1e-12
#: Coarse pixels at both edges of a patch where the tail is not one convolution.
EDGE = 2


TITLE = "CoarSR"

#: Says in a state dict that neighbours go by the rule that was meant; published weights lack it.
INTENDED = "neighbours_intended"
#: How much of a correction across a pixel's spectrum is kept; weights without it keep all.
ACROSS = "across"
#: What the rules are called in cards.
RULES = {
    True: "each band with the two on either side of it",
    False: "each band with bands 3, 1, 2 and 4 of the cube, counted from 0, as the authors' loop has it",
}


def steps_of(scale: int) -> list[int]:
    """By how much the pixels become finer in each step: threes at once, powers of two by halves.

    Raises
    ------
    ModelError
        If the network cannot be built for that.
    """
    if scale == 3:
        return [3]
    if scale < 2 or scale & (scale - 1):
        raise ModelError(f"{TITLE} makes pixels 3 or a power of two times as fine, not {scale}.")
    return [2] * (scale.bit_length() - 1)


def _upsampler(width: int, scale: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for step in steps_of(scale):
        layers += [WeightNormConv2d(width, width * step**2, 3), nn.PixelShuffle(step)]
    return nn.Sequential(*layers)


class CoarSR(Module):
    """(N, bands, H, W) → (N, bands, scale · H, scale · W), any size, any number of bands from 5.

    The straightforward way, band after band, by which the faster copy is measured.

    Parameters
    ----------
    scale : int
        2, 4, 8… or 3.
    width : int
        Channels of the features (published: 64).
    blocks : int
        Residual blocks in each body (published: 2).
    intended : bool
        Which bands help a band; see :func:`neighbours`. The authors' network (False) also has
        batch norms that take the statistics of a batch in training; here (True) they are fixed,
        and the network begins with adding nothing to the bicubic cube.
    across : float, optional
        What is kept, 0..1, of the part of a correction that turns a pixel's spectrum; the other
        part makes it brighter or darker. None is 1, as published. See :func:`along_spectrum`.

    Attributes
    ----------
    at_once : int
        Bands that go through the convolutions together; in training all do. More than one changes nothing but speed and memory; batch norms in training take
        their statistics over all of them.
    """

    def __init__(
        self,
        scale: int = 4,
        width: int = 64,
        blocks: int = 2,
        intended: bool = False,
        across: float | None = None,
    ):
        super().__init__()
        self.turns = across is not None
        if across is not None:
            self.register_buffer(ACROSS, torch.tensor(float(across)))
        self.scale, self.at_once = scale, 1
        self.gamma_rnn = nn.Parameter(torch.ones(2))
        self.intended = intended
        if intended:
            self.register_buffer(INTENDED, torch.ones((), dtype=torch.int64))
        self.head_group_one = WeightNormConv2d(1, width, 3)
        self.head_group_two = WeightNormConv2d(3, width, 3)
        self.head_group_three = WeightNormConv2d(3, width, 3)
        self.GFM_intra_one = Intra(width, blocks, intended)
        self.GFM_intra_two = Intra(width, blocks, intended)
        self.GFM_inter_one = Inter(width)
        self.GFM_inter_two = Inter(width)
        self.tail = nn.Sequential(_upsampler(width, scale), WeightNormConv2d(width, 1, 3))
        self.rnn_reduceD = nn.Sequential(WeightNormConv2d(2 * width, width, 1))
        self.conv = nn.Sequential(WeightNormConv2d(width, width, 3))
        self.last_reduceD = nn.Sequential(WeightNormConv2d(3 * width, width, 1))
        if intended:
            last: Part = self.tail[1]
            nn.init.zeros_(last.weight_g)

    def features(self, band: Tensor, helpers: Tensor) -> tuple[Tensor, Tensor]:
        """What is known of a band without the bands before it.

        Parameters
        ----------
        band : torch.Tensor
            (N, 1, H, W).
        helpers : torch.Tensor
            (N, 4, H, W) in the order of :func:`neighbours`.

        Returns
        -------
        features, head : torch.Tensor
            (N, width, H, W) each.
        """
        far_left, near_left, near_right, far_right = helpers.split(1, 1)
        heads = [
            self.head_group_one(band),
            self.head_group_two(torch.cat([near_left, band, near_right], 1)),
            self.head_group_three(torch.cat([far_left, band, far_right], 1)),
        ]
        x = heads
        for intra, inter in (
            (self.GFM_intra_one, self.GFM_inter_one),
            (self.GFM_intra_two, self.GFM_inter_two),
        ):
            joined = inter(intra(x))
            x = [part + head for part, head in zip(joined.unbind(2), heads, strict=True)]
        return self.conv(self.last_reduceD(torch.cat(x, 1))) + heads[0], heads[0]

    def mix(self, features: Tensor, before: Tensor) -> Tensor:
        """Features of a band with the mixed ones of the band before."""
        return self.rnn_reduceD(
            torch.cat([self.gamma_rnn[0] * features, self.gamma_rnn[1] * before], 1)
        )

    def band_by_band(self, x: Tensor) -> Iterator[Tensor]:
        """The bands of the super-resolved cube, (N, 1, scale · H, scale · W) one after another.

        A band's gradient ends where the band before begins, and weights that are changed between
        two bands hold for the next: so the authors train.

        Parameters
        ----------
        x : torch.Tensor
            (N, bands, H, W).

        Raises
        ------
        InputError
            If there are fewer than 5 bands.
        """
        finer, before = enlarged(x, self.scale), None
        for i, helpers in enumerate(neighbours(x.shape[1], self.intended)):
            features, head = self.features(x[:, i : i + 1], x[:, helpers])
            mixed = features if before is None else self.mix(features, before)
            yield self.tail(mixed + head) + finer[:, i : i + 1]
            before = mixed.detach()

    def forward(self, x: Tensor) -> Tensor:
        """The super-resolved cube.

        Raises
        ------
        InputError
            If there are fewer than 5 bands.
        """
        images, bands = x.shape[:2]
        helpers = neighbours(bands, self.intended)
        mixed, made = None, []
        at_once = bands if self.training else self.at_once
        for start in range(0, bands, at_once):
            chunk = range(start, min(start + at_once, bands))
            band = x[:, chunk.start : chunk.stop].flatten(0, 1)[:, None]
            helping = torch.stack([x[:, helpers[i]] for i in chunk], 1).flatten(0, 1)
            features, head = self.features(band, helping)
            states = []
            for one in features.unflatten(0, (images, len(chunk))).unbind(1):
                mixed = one if mixed is None else self.mix(one, mixed)
                states.append(mixed)
            features = torch.stack(states, 1).flatten(0, 1) + head
            finer = self._trained_tail(features, images) if self.training else self.tail(features)
            made.append(finer[:, 0].unflatten(0, (images, len(chunk))))
        bicubic = enlarged(x, self.scale)
        correction = torch.cat(made, 1)
        if self.turns:
            along = along_spectrum(correction, bicubic)
            correction = self.across * correction + (1 - self.across) * along * bicubic
        return correction + bicubic

    def _trained_tail(self, x: Tensor, images: int) -> Tensor:
        """The tail in training: as it is for the first image, as one convolution for the others.

        That is less than half of the work at ×4 and a third at ×8. It is the same but for the
        outermost coarse pixels, where each step of the tail pads what it reads with zeros; these
        have no gradient and are learnt from the first image.

        Parameters
        ----------
        x : torch.Tensor
            (images · bands, width, H, W).
        images : int
        """
        first = len(x) // images
        if not self.intended or images == 1 or min(x.shape[-2:]) < EDGE + 1:
            return self.tail(x)
        folded = _as_one_convolution(self.tail, self.scale, x[first:])
        edged = folded.detach().clone()
        inner = (..., slice(self.scale, -self.scale), slice(self.scale, -self.scale))
        edged[inner] = folded[inner]
        exact = self.tail(x[:first])
        return torch.cat([exact, edged.to(exact.dtype)])


def along_spectrum(correction: Tensor, spectra: Tensor) -> Tensor:
    """By what factor of its spectrum a correction makes a pixel brighter: (N, 1, H, W)."""
    both = (correction * spectra).sum(1, keepdim=True)
    return both / spectra.square().sum(1, keepdim=True).clamp_min(LEAST)


def _as_one_convolution(tail: nn.Module, scale: int, x: Tensor) -> Tensor:
    """What a tail makes of features inside a large image; it is linear and reaches two pixels.

    Its kernel is found by its answers to single pixels of each channel, and keeps their gradients.
    """
    width = x.shape[1]
    dtype = next(tail.parameters()).dtype  # not of the features, which may be half precision
    single = torch.zeros(width + 1, width, 5, 5, device=x.device, dtype=dtype)
    single[range(width), range(width), 2, 2] = 1
    with torch.autocast(x.device.type, enabled=False):
        answers = tail(single)[:, 0].unflatten(2, (5, scale)).unflatten(1, (5, scale))
    bias = answers[-1, 2, :, 2].flatten()
    kernel = (answers[:-1] - answers[-1]).permute(2, 4, 0, 1, 3).flip(3, 4).flatten(0, 1)
    last = torch.channels_last
    made = functional.conv2d(
        x.contiguous(memory_format=last), kernel.contiguous(memory_format=last), bias, padding=2
    )
    return functional.pixel_shuffle(made, scale)


def context(blocks: int) -> int:
    """Radius of the receptive field, in coarse pixels.

    3 × 3 convolutions: one of the head; in each of two fusions two a block on either side and two
    in the unit; one before the mix; and two pixels for the tail, whatever the scale.
    """
    return 1 + 2 * (4 * blocks + 2) + 1 + 2


def _read(weights: Weights) -> Network:
    width = weights["head_group_one.weight_v"].shape[0]
    blocks = len(numbered(weights, "GFM_intra_one.left_one_body.body.0."))
    scale = _scale(weights, width)
    intended = INTENDED in weights
    across = 1.0 if ACROSS in weights else None
    build = partial(CoarSR, scale, width, blocks, intended, across)
    # Five times the three features of one band: heads, the last fusion's input, and three in it;
    # the mixed features of the band before; and half as much again that the allocator keeps.
    bytes_per_pixel = 4 * width * (5 * 3 + 1) * 3 // 2
    return Network(
        build=build,
        title=f"{TITLE} ×{scale}",
        weights=_with_counters(weights, shapes_of(build)),
        channels=None,
        bands=None,
        least_bands=LEAST_BANDS,
        scale=scale,
        context=context(blocks),
        bytes_per_pixel=bytes_per_pixel,
        bytes_fixed=bytes_per_pixel * PIXELS_AT_ONCE["cpu"],
        rule=Neighbours(intended),
    )


def _scale(weights: Weights, width: int) -> int:
    """3 where the tail's one step makes nine channels of each, else a power of two."""
    steps = len(numbered(weights, "tail.0."))
    nine = weights["tail.0.0.weight_v"].shape[0] == 9 * width
    return 3 if nine and steps == 1 else 2**steps


def _with_counters(weights: Weights, shapes: Shapes) -> Weights:
    """With the batch norms' counters, which checkpoints of older torch lack; nothing reads them."""
    counters = [key for key in shapes if key.endswith(".num_batches_tracked")]
    if any(key in weights for key in counters):
        return weights
    return {**weights, **{key: torch.zeros((), dtype=torch.int64) for key in counters}}


class Neighbours(AsIs):
    """No normalisation; which bands help a band, in words for the card."""

    def __init__(self, intended: bool):
        self.name = RULES[intended]


ARCHITECTURE = Architecture(
    id="coarsr",
    title=TITLE,
    keys={
        "gamma_rnn": 1,
        "head_group_one.weight_v": 4,
        "GFM_intra_one.gamma": 2,
        "GFM_inter_one.threeunit.spectral.weight_v": 5,
        "tail.0.0.weight_v": 4,
        "rnn_reduceD.0.weight_v": 4,
    },
    read=_read,
    published=tuple(partial(CoarSR, scale=scale) for scale in (4, 2, 3, 8)),
    task=SUPER_RESOLUTION,
)
