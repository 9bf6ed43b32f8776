"""Restormer as trained for spectral reconstruction: a U of transformers over channels.

Zamir et al. 2022, "Restormer: Efficient Transformer for High-Resolution Image Restoration",
in the variant of the MST++ toolbox (Cai et al. 2022): the one its authors made for dual-pixel
images, where the skip to the output starts at the embedding and not at the image. Attention
maps are channels × channels, so their cost grows with the pixels and not with their square.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.architectures.base import Architecture, Network, Weights, kernels, numbered
from napari_hsr.models.layers import Module, pad_below_right
from napari_hsr.models.model import TileDifference

if TYPE_CHECKING:
    from collections.abc import Sequence


class ChannelNorm(Module):
    """Layer norm over the channels of each pixel.

    Without ``bias`` the mean is left in the values, though not in their variance.
    """

    def __init__(self, width: int, bias: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, 1, correction=0, keepdim=True)
        if self.bias is not None:
            x = x - mean
        x = x / torch.sqrt(variance + 1e-5) * self.weight[:, None, None]
        return x if self.bias is None else x + self.bias[:, None, None]


class Attention(Module):
    """Attention between channels: each head compares its queries and keys over all pixels."""

    def __init__(self, width: int, heads: int, bias: bool):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=bias)
        self.project_out = nn.Conv2d(width, width, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.temperature.shape[0]
        mixed = self.qkv_dwconv(self.qkv(x))
        # (N, three, heads, channels of a head, pixels)
        parts = mixed.flatten(2).unflatten(1, (3, heads, -1))
        query, key, value = parts.unbind(1)
        query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
        scores = (query @ key.transpose(-2, -1)) * self.temperature
        return self.project_out((scores.softmax(-1) @ value).reshape(x.shape))


class FeedForward(Module):
    """One half of the hidden channels gates the other."""

    def __init__(self, width: int, hidden: int, bias: bool):
        super().__init__()
        self.project_in = nn.Conv2d(width, 2 * hidden, 1, bias=bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.project_out = nn.Conv2d(hidden, width, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dwconv(self.project_in(x)).chunk(2, 1)
        return self.project_out(F.gelu(gate) * value)


class Block(Module):
    """Attention and feed-forward, each behind a norm and around a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int, bias: bool, norm_bias: bool):
        super().__init__()
        self.norm1 = nn.ModuleDict({"body": ChannelNorm(width, norm_bias)})
        self.attn = Attention(width, heads, bias)
        self.norm2 = nn.ModuleDict({"body": ChannelNorm(width, norm_bias)})
        self.ffn = FeedForward(width, hidden, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1["body"](x))
        return x + self.ffn(self.norm2["body"](x))


class Shuffle(Module):
    """A convolution whose output is folded into, or out of, the channels by two."""

    def __init__(self, width: int, outputs: int, fold: nn.Module):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, outputs, 3, padding=1, bias=False), fold)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Restormer(Module):
    """(N, 3, H, W) → (N, bands, H, W).

    Parameters
    ----------
    channels, bands, width : int
        Of the input, of the output, and of the embedding.
    depths : sequence of int
        Blocks of the three levels, of the bottom, and of the refinement.
    heads : sequence of int
        Heads of the three levels and of the bottom.
    hidden : sequence of int
        Hidden channels of the feed-forward at the widths 1, 2, 4 and 8 times ``width``.
    bias, norm_bias : bool
        Whether convolutions and norms have one.
    """

    def __init__(
        self,
        channels: int = 3,
        bands: int = 31,
        width: int = 48,
        depths: Sequence[int] = (2, 3, 3, 4, 3),
        heads: Sequence[int] = (1, 2, 4, 8),
        hidden: Sequence[int] = (127, 255, 510, 1021),
        bias: bool = False,
        norm_bias: bool = True,
    ):
        super().__init__()

        def level(depth: int, doublings: int, count: int | None = None) -> nn.Sequential:
            """Blocks with the heads of level ``depth``, the width doubled so many times."""
            sizes = (width << doublings, heads[depth], hidden[doublings], bias, norm_bias)
            return nn.Sequential(*(Block(*sizes) for _ in range(count or depths[depth])))

        def down(w: int) -> Shuffle:
            return Shuffle(w, w // 2, nn.PixelUnshuffle(2))

        def up(w: int) -> Shuffle:
            return Shuffle(w, 2 * w, nn.PixelShuffle(2))

        def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 1, bias=bias)

        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(channels, width, 3, padding=1, bias=bias)}
        )
        self.encoder_level1 = level(0, 0)
        self.down1_2 = down(width)
        self.encoder_level2 = level(1, 1)
        self.down2_3 = down(2 * width)
        self.encoder_level3 = level(2, 2)
        self.down3_4 = down(4 * width)
        self.latent = level(3, 3)
        self.up4_3 = up(8 * width)
        self.reduce_chan_level3 = pointwise(8 * width, 4 * width)
        self.decoder_level3 = level(2, 2)
        self.up3_2 = up(4 * width)
        self.reduce_chan_level2 = pointwise(4 * width, 2 * width)
        self.decoder_level2 = level(1, 1)
        self.up2_1 = up(2 * width)
        # Nothing reduces the channels here, so full resolution is left at twice the width.
        self.decoder_level1 = level(0, 1)
        self.refinement = level(0, 1, depths[4])
        self.skip_conv = pointwise(width, 2 * width)
        self.output = nn.Conv2d(2 * width, bands, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        embedded = self.patch_embed["proj"](pad_below_right(x, 8))
        first = self.encoder_level1(embedded)
        second = self.encoder_level2(self.down1_2(first))
        third = self.encoder_level3(self.down2_3(second))
        x = self.up4_3(self.latent(self.down3_4(third)))
        x = self.decoder_level3(self.reduce_chan_level3(torch.cat((x, third), 1)))
        x = self.decoder_level2(self.reduce_chan_level2(torch.cat((self.up3_2(x), second), 1)))
        x = self.decoder_level1(torch.cat((self.up2_1(x), first), 1))
        x = self.output(self.refinement(x) + self.skip_conv(embedded))
        return x[:, :, :rows, :columns]


_LEVELS = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")


def _read(weights: Weights) -> Network:
    width, channels = weights["patch_embed.proj.weight"].shape[:2]
    bands = weights["output.weight"].shape[0]

    def build() -> Restormer:
        return Restormer(
            channels,
            bands,
            width,
            depths=[len(numbered(weights, f"{name}.")) for name in (*_LEVELS, "refinement")],
            heads=[weights[f"{name}.0.attn.temperature"].shape[0] for name in _LEVELS],
            hidden=[weights[f"{name}.0.ffn.project_out.weight"].shape[1] for name in _LEVELS],
            bias="patch_embed.proj.bias" in weights,
            norm_bias="encoder_level1.0.norm1.body.bias" in weights,
        )

    return Network(
        build=build,
        channels=channels,
        bands=bands,
        context=None,  # attention maps are sums over the whole image
        tile_difference=TileDifference(0.28),
        bytes_per_pixel=13500,  # measured at 384×384 and 256×256
    )


ARCHITECTURE = Architecture(
    id="restormer",
    title="Restormer, a U of transformers with attention between channels",
    keys=kernels(
        "output.weight",
        "refinement.0.ffn.dwconv.weight",
        "skip_conv.weight",
        "patch_embed.proj.weight",
        *(f"{name}.0.ffn.project_out.weight" for name in _LEVELS),
    )
    | {f"{name}.0.attn.temperature": 3 for name in _LEVELS},
    read=_read,
    published=(Restormer,),
)
