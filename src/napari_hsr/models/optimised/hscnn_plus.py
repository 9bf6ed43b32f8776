"""Optimised HSCNN+: features grow where they lie, each block in bands of rows that stay in the cache.

The two paths of a block are one: their wide convolutions share an input, and each pointwise one
reads the half that is its own. What is joined before a convolution is the sum of two instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsr.models.layers import Module, Part
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed

#: Values of the mixed features in a band of rows: 2 MiB in float32.
VALUES = 2**19
#: Rows of a band at least.
ROWS = 4


class _Paths(Module):
    """Two paths of a wide and a pointwise convolution: the two wide results, and the two others."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        wide = torch.cat([exact.conv_up1.weight, exact.conv_down1.weight])
        pairs = [layer.weight.flatten(1) for layer in (exact.conv_up2, exact.conv_down2)]
        pointwise = torch.block_diag(*pairs)[:, :, None, None]
        hold(self, wide=packed(wide, dtype), pointwise=packed(pointwise, dtype))

    def forward(self, x: Tensor, padding: tuple[int, int] = (1, 1)) -> tuple[Tensor, Tensor]:
        wide = convolve(x, self.wide, padding=padding, slope=0.0)
        return wide, convolve(wide, self.pointwise, slope=0.0)


class _Block(Module):
    """What a block makes of all features so far, written behind them."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.paths = _Paths(exact, dtype)
        sizes = [len(exact.conv_up1.weight), len(exact.conv_up2.weight)]
        wide, pointwise, *others = exact.conv_fution.weight.split(2 * sizes, 1)
        hold(self, of_wide=packed(torch.cat([wide, others[0]], 1), dtype))
        hold(self, of_pointwise=packed(torch.cat([pointwise, others[1]], 1), dtype))
        hold(self, matrix=exact.conv1.weight.detach().flatten(1).T.to(dtype))

    def forward(self, features: Tensor) -> None:
        """(H, W, C), in which the channels that the block reads are there, and no later ones."""
        height, width, _ = features.shape
        inputs, channels = self.matrix.shape
        new = features[..., inputs : inputs + len(self.of_wide)].permute(2, 0, 1)[None]
        rows = height
        if features.device.type == "cpu":
            rows = min(height, max(ROWS, VALUES // (width * channels)))
        # One row more on either side of the band. Two of them are there from the band before.
        mixed, done = features.new_zeros(rows + 2, width, channels), 0
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            if top > 0:
                mixed[:2] = mixed[rows:].clone()
            stop = min(bottom + 1, height)
            place = mixed[done - top + 1 : stop - top + 1].flatten(0, 1)
            known = features[done:stop, :, :inputs].flatten(0, 1)
            torch.mm(known, self.matrix, out=place).relu_()
            done = stop
            mixed[stop - top + 1 :] = 0  # below the image
            band = mixed[: bottom - top + 2].permute(2, 0, 1)[None]
            paths, beside = self.paths(band, padding=(0, 1))
            made = convolve(paths, self.of_wide)
            new[:, :, top:bottom] = convolve(beside, self.of_pointwise, onto=made, slope=0.0)


class FastHSCNNPlus(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32, image by image."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        self.first = _Paths(exact.ddfn, dtype)
        self.blocks = nn.ModuleList(_Block(block, dtype) for block in exact.ddfn.dfus_blocks)
        hold(self, out=exact.conv_out.weight.detach().flatten(1).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Spectra of every pixel."""
        if len(x) != 1:
            return torch.cat([self(image[None]) for image in x])
        height, width = x.shape[-2:]
        made = self.first(x.to(self.dtype, memory_format=CHANNELS_LAST))
        features = made[0].new_empty(height, width, self.out.shape[1])
        # of each path the wide result and then the other
        ordered = torch.stack([part[0].unflatten(0, (2, -1)) for part in made], 1).flatten(0, 2)
        features[..., : len(ordered)] = ordered.permute(1, 2, 0)
        del made, ordered
        for block in self.blocks:
            block(features)
        return (self.out @ features.flatten(0, 1).T).float().view(1, -1, height, width)


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs; in float32 it shares the widest kernels with the exact module."""
    return FastHSCNNPlus(module, getattr(torch, precision))
