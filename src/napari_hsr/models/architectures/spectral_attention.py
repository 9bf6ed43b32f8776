"""The U of spectral-wise attention that MST and MST++ are made of (Cai and others 2022).

Attention is between channels, not between pixels: its map is as small as the channels of a
head, whatever the size of the image, and its entries are sums over the whole image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.base import numbered
from napari_hsr.models.layers import Module, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


class MaskGuide(Module):
    """(N, C, H, W) mask features, re-weighted by what they are around each pixel."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 1)
        self.conv2 = nn.Conv2d(width, width, 1)
        self.depth_conv = nn.Conv2d(width, width, 5, padding=2, groups=width)

    def forward(self, mask: Tensor) -> Tensor:
        mask = self.conv1(mask)
        return mask + mask * torch.sigmoid(self.depth_conv(self.conv2(mask)))


class SpectralAttention(Module):
    """Each channel as a mixture of the channels that resemble it over the whole image.

    A head of d channels makes a (d, d) map: rows are keys and columns are queries, both of
    length 1 over all pixels; the softmax runs over the queries.

    Parameters
    ----------
    width : int
        Channels.
    heads : int
        Groups of channels that attend among themselves.
    guided : bool
        Whether a mask weights the values (MST).
    """

    def __init__(self, width: int, heads: int, guided: bool = False):
        super().__init__()
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.proj = nn.Linear(width, width)
        self.pos_emb = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        )
        if guided:
            self.mm = MaskGuide(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, H, W, C) → (N, H, W, C); ``mask`` is (N, C, H, W).

        The weighting by the mask of the *first* image goes for the whole batch, as the
        original does it and was trained: a batch is not what its images are one by one.
        """
        if self.training and mask is None:
            return self._from_sums(x)
        n, height, width, channels = x.shape
        value = self.to_v(x)
        weighted = value if mask is None else value * self.mm(mask)[0].permute(1, 2, 0)
        query, key, weighted = (self._by_head(t) for t in (self.to_q(x), self.to_k(x), weighted))
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        attention = (key @ query.transpose(-2, -1) * self.rescale).softmax(-1)
        mixed = (attention @ weighted).reshape(n, channels, height, width)
        position = self.pos_emb(value.permute(0, 3, 1, 2))
        return self.proj(mixed.permute(0, 2, 3, 1)) + position.permute(0, 2, 3, 1)

    def _from_sums(self, x: Tensor) -> Tensor:
        """The same for training, 1.5 times as fast: no queries and keys of every pixel are made.

        With G the sums over the image of products of two features, keys times queries is
        Wk G Wqᵀ, and the squared lengths are the diagonals of Wk G Wkᵀ and Wq G Wqᵀ; attention
        and projection are then one matrix an image. Rounding differs, so that results for
        users are made the other way.
        """
        n, height, width, channels = x.shape
        heads = self.rescale.shape[0]
        rows = x.reshape(n, -1, channels)
        with torch.autocast(x.device.type, enabled=False):
            exact = rows.to(torch.promote_types(rows.dtype, torch.float32))
            sums = exact.transpose(1, 2) @ exact
            query, key = self.to_q.weight, self.to_k.weight
            keyed = key @ sums
            lengths = [
                t.sum(-1).clamp_min(1e-24).sqrt() for t in (keyed * key, (query @ sums) * query)
            ]
            likeness = keyed @ query.T / (lengths[0][:, :, None] * lengths[1][:, None, :])
            wide = channels // heads
            blocks = [slice(i * wide, (i + 1) * wide) for i in range(heads)]
            likeness = torch.stack([likeness[:, b, b] for b in blocks], 1)
            attention = (likeness * self.rescale).softmax(-1)
            proj = self.proj.weight.view(channels, heads, wide)
            mixing = torch.einsum("ohi,nhij->nohj", proj, attention).flatten(2)
            mixing = (mixing @ self.to_v.weight).transpose(1, 2).to(rows.dtype)
        mixed = torch.baddbmm(self.proj.bias.to(rows.dtype), rows, mixing)
        position = self.pos_emb(self.to_v(x).permute(0, 3, 1, 2))
        return mixed.view(n, height, width, channels) + position.permute(0, 2, 3, 1)

    def _by_head(self, x: Tensor) -> Tensor:
        """(N, H, W, C) → (N, heads, C/heads, H·W)."""
        n, _, _, channels = x.shape
        heads = self.rescale.shape[0]
        return x.reshape(n, -1, channels).transpose(1, 2).reshape(n, heads, channels // heads, -1)


class FeedForward(Module):
    """(N, H, W, C) → (N, H, W, C), through four times the channels and a 3x3 neighbourhood."""

    def __init__(self, width: int):
        super().__init__()
        inner = 4 * width
        self.net = nn.Sequential(
            nn.Conv2d(width, inner, 1, bias=False),
            nn.GELU(),
            nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False),
            nn.GELU(),
            nn.Conv2d(inner, width, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class _Normalised(Module):
    """A part that is fed channels of mean 0 and variance 1, pixel by pixel."""

    def __init__(self, width: int, part: nn.Module):
        super().__init__()
        self.fn = part
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fn(self.norm(x))


class AttentionBlocks(Module):
    """Attention and feed-forward in turn, each with a skip connection; no norm before attention."""

    def __init__(self, width: int, heads: int, depth: int, guided: bool):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                [SpectralAttention(width, heads, guided), _Normalised(width, FeedForward(width))]
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        x = x.permute(0, 2, 3, 1)
        block: Part
        for block in self.blocks:
            attention, feed = block
            x = attention(x, mask) + x
            x = feed(x) + x
        return x.permute(0, 3, 1, 2)


class SpectralU(Module):
    """Down by halves and up again; H and W must be multiples of 2^(levels - 1).

    Its ends are named by those who inherit, as their weights name them.

    Parameters
    ----------
    width : int
        Channels at full resolution, doubled at each level; also those of a head.
    depths : sequence of int
        Blocks at each level from the top to the bottom, the same going up.
    guided : bool
        Whether a mask goes down beside the features and weights every attention.
    **before : torch.nn.Module
        Layers that lead into the U; they come first in the state dict.
    """

    def __init__(self, width: int, depths: Sequence[int], guided: bool, **before: nn.Module):
        super().__init__()
        for name, layer in before.items():
            self.add_module(name, layer)
        *sides, bottom = depths
        downs = 2 if guided else 1
        self.encoder_layers = nn.ModuleList()
        for level, depth in enumerate(sides):
            now = width * 2**level
            halve = [nn.Conv2d(now, 2 * now, 4, 2, 1, bias=False) for _ in range(downs)]
            blocks = AttentionBlocks(now, 2**level, depth, guided)
            self.encoder_layers.append(nn.ModuleList([blocks, *halve]))
        levels = len(sides)
        self.bottleneck = AttentionBlocks(width * 2**levels, 2**levels, bottom, guided)
        self.decoder_layers = nn.ModuleList()
        for level, depth in reversed(list(enumerate(sides))):
            now = width * 2**level
            enlarge = nn.ConvTranspose2d(2 * now, now, 2, 2)
            fuse = nn.Conv2d(2 * now, now, 1, bias=False)
            blocks = AttentionBlocks(now, 2**level, depth, guided)
            self.decoder_layers.append(nn.ModuleList([enlarge, fuse, blocks]))

    def through(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N, width, H, W) → (N, width, H, W); ``mask`` has the same shape."""
        passed = []
        level: Part
        for level in self.encoder_layers:
            blocks, halve, *halve_mask = level
            x = blocks(x, mask)
            passed.append((x, mask))
            x = halve(x)
            if mask is not None:
                mask = halve_mask[0](mask)
        x = self.bottleneck(x, mask)
        for level in self.decoder_layers:
            enlarge, fuse, blocks = level
            beside, mask = passed.pop()
            x = blocks(fuse(torch.cat([enlarge(x), beside], 1)), mask)
        return x


def depths_of(weights: Mapping[str, Tensor], prefix: str = "") -> tuple[int, ...]:
    """Blocks at each level of a :class:`SpectralU` below ``prefix``, read off its keys."""
    sides = numbered(weights, f"{prefix}encoder_layers.")
    places = [f"{prefix}encoder_layers.{i}.0.blocks." for i in sides]
    return tuple(
        len(numbered(weights, place)) for place in [*places, f"{prefix}bottleneck.blocks."]
    )
