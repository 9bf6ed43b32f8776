"""The optimised U of spectral-wise attention: one memory format, and no queries or keys.

Attention between channels needs only sums over the image of products of two channels. Queries
and keys are linear in the features, so those sums follow from the features' own: with G the
sums of products of the features, keys times queries is Wk G Wqᵀ and the squared lengths are
the diagonals of Wk G Wkᵀ and Wq G Wqᵀ. Attention, projection and skip connection are then one matrix
for the whole image, applied as a 1x1 convolution. G is summed in float64: little is left of
it where queries or keys nearly cancel.

The wide features of a feed-forward are made in bands of rows that stay in the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.layers import Module, Part
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed

#: Bytes of the wide features of a band. Down to an eighth of it the time is the same on an idle
#: machine; on a busy one each step waits for the slowest core, so there should be few.
BAND = 2**24
#: Rows of a band at least: each band makes two rows more than it keeps.
ROWS = 8
#: Pixels that are summed at a time.
PIXELS = 2**15
#: Least length that is divided by, as torch normalises vectors.
SHORTEST = 1e-12


def _sums(x: Tensor) -> Tensor:
    """Products of every two channels of (1, C, H, W), summed over the image: (C, C) float64."""
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    exact = torch.float32 if x.device.type == "mps" else torch.float64  # MPS has no other
    if x.device.type != "cpu":
        rows = rows.to(exact)
        return rows.T @ rows
    total = torch.zeros(x.shape[1], x.shape[1], dtype=exact)
    for part in rows.split(PIXELS):
        part = part.to(exact)
        total.addmm_(part.T, part)
    return total


class _Attention(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.guided = hasattr(exact, "mm")
        self.heads = exact.rescale.shape[0]
        hold(self, rescale=exact.rescale, to_q=exact.to_q.weight, to_k=exact.to_k.weight)
        hold(self, to_v=exact.to_v.weight, proj=exact.proj.weight, bias=exact.proj.bias.to(dtype))
        hold(self, value=packed(exact.to_v.weight[:, :, None, None], dtype))
        before, _, after = exact.pos_emb
        hold(self, before=packed(before.weight, dtype), after=packed(after.weight, dtype))
        if self.guided:
            self.guide = _Guide(exact.mm, dtype)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(1, C, H, W) → (1, C, H, W), the skip connection added."""
        channels = x.shape[1]
        matrix = self.matrix(_sums(x))
        value = convolve(x, self.value)
        result = convolve(value, self.before, padding=1, groups=channels, gelu=True)
        result = convolve(result, self.after, padding=1, groups=channels)
        if self.guided:
            result.add_(x)
            x = value.mul_(self.guide(mask))
        else:
            matrix = matrix @ self.to_v.to(matrix)
            matrix.diagonal().add_(1)  # the skip connection
        kernel = matrix.to(x.dtype)[:, :, None, None].contiguous(memory_format=CHANNELS_LAST)
        return convolve(x, kernel, self.bias, onto=result)

    def matrix(self, sums: Tensor) -> Tensor:
        """What makes the projected mixture of the values, (C, C)."""
        query, key = self.to_q.to(sums), self.to_k.to(sums)
        products = key @ sums
        of_key = (products * key).sum(1)
        of_query = (query @ sums * query).sum(1)
        long_query, long_key = (_lengths(v, self.heads) for v in (of_query, of_key))
        query, products = (m.view(self.heads, -1, len(sums)) for m in (query, products))
        likeness = products @ query.mT / (long_key[:, :, None] * long_query[:, None, :])
        attention = (likeness * self.rescale.to(sums)).softmax(-1)
        proj = self.proj.to(sums).view(len(sums), self.heads, -1).transpose(0, 1)
        return (proj @ attention).transpose(0, 1).reshape(len(sums), -1)


def _lengths(squares: Tensor, heads: int) -> Tensor:
    """Of vectors by head from their squares, which rounding may leave below 0."""
    return squares.clamp_min(0).sqrt().clamp_min(SHORTEST).view(heads, -1)


class _Guide(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        for name in ("conv1", "conv2", "depth_conv"):
            layer = getattr(exact, name)
            hold(self, **{name: packed(layer.weight, dtype), f"{name}_bias": layer.bias.to(dtype)})

    def forward(self, mask: Tensor) -> Tensor:
        mask = convolve(mask, self.conv1, self.conv1_bias)
        gate = convolve(mask, self.conv2, self.conv2_bias)
        gate = convolve(
            gate, self.depth_conv, self.depth_conv_bias, padding=2, groups=gate.shape[1]
        )
        return gate.sigmoid_().add_(1).mul_(mask)


class _FeedForward(Module):
    """Norm, feed-forward and skip connection, in place; the norm's affine part is in the first kernel."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        up, _, around, _, down = exact.fn.net
        self.eps = exact.norm.eps
        kernel = up.weight * exact.norm.weight[:, None, None]
        hold(
            self, up=packed(kernel, dtype), bias=(up.weight[:, :, 0, 0] @ exact.norm.bias).to(dtype)
        )
        hold(self, around=packed(around.weight, dtype), down=packed(down.weight, dtype))

    def forward(self, x: Tensor) -> Tensor:
        height, inner = x.shape[2], len(self.up)
        step = height
        if x.device.type == "cpu":
            step = max(ROWS, BAND // (inner * x.shape[3] * x.element_size()))
        normal = self._norm(x)
        for top in range(0, height, step):
            bottom = min(top + step, height)
            first, last = max(top - 1, 0), min(bottom + 1, height)
            # rows outside the image are 0; within it, both neighbours of the band are there
            edge = int(first == top or last == bottom)
            wide = convolve(normal[:, :, first:last], self.up, self.bias, gelu=True)
            wide = convolve(wide, self.around, padding=(edge, 1), groups=inner, gelu=True)
            if edge:
                wide = wide[:, :, top - first : bottom - first]
            convolve(wide, self.down, onto=x[:, :, top:bottom])
        return x

    def _norm(self, x: Tensor) -> Tensor:
        """Each pixel to mean 0 and variance 1, in float32 in between."""
        pixels = x.permute(0, 2, 3, 1).float()
        normal = F.layer_norm(pixels, pixels.shape[-1:], eps=self.eps)
        return normal.to(x.dtype).permute(0, 3, 1, 2)


class _Blocks(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList([_Attention(attention, dtype), _FeedForward(feed, dtype)])
            for attention, feed in exact.blocks
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        block: Part
        for block in self.blocks:
            attention, feed = block
            x = feed(attention(x, mask))
        return x


class _Rise(Module):
    """Twice the size, joined with what was passed beside, and reduced again: two summands."""

    def __init__(self, enlarge: Part, fuse: Part, dtype: torch.dtype):
        super().__init__()
        ours, beside = (part.squeeze(3).squeeze(2).double() for part in fuse.weight.chunk(2, 1))
        kernel = torch.einsum("om,imyx->ioyx", ours, enlarge.weight.double())
        hold(self, kernel=packed(kernel, dtype), bias=(ours @ enlarge.bias.double()).to(dtype))
        hold(self, beside=packed(beside[:, :, None, None], dtype))

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        x = F.conv_transpose2d(x, self.kernel, self.bias, stride=2)
        return convolve(beside, self.beside, onto=x.contiguous(memory_format=CHANNELS_LAST))


class FastU(Module):
    """What :meth:`SpectralU.through` computes, for one image in channels_last.

    Parameters
    ----------
    exact : SpectralU
    dtype : torch.dtype
        Of the features; sums over the image and norms are in higher precision.
    """

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.sides = nn.ModuleList(_Blocks(blocks, dtype) for blocks, *_ in exact.encoder_layers)
        for level, (_, *halves) in enumerate(exact.encoder_layers):
            for which, layer in zip(("x", "mask"), halves, strict=False):
                hold(self, **{f"halve_{which}{level}": packed(layer.weight, dtype)})
        self.bottleneck = _Blocks(exact.bottleneck, dtype)
        self.rises = nn.ModuleList(
            _Rise(enlarge, fuse, dtype) for enlarge, fuse, _ in exact.decoder_layers
        )
        self.other_sides = nn.ModuleList(_Blocks(b, dtype) for *_, b in exact.decoder_layers)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(1, width, H, W) → (1, width, H, W)."""
        passed = []
        for level, blocks in enumerate(self.sides):
            x = blocks(x, mask)
            passed.append((x, mask))
            x = convolve(x, getattr(self, f"halve_x{level}"), stride=2, padding=1)
            if mask is not None:
                mask = convolve(mask, getattr(self, f"halve_mask{level}"), stride=2, padding=1)
        x = self.bottleneck(x, mask)
        for rise, blocks in zip(self.rises, self.other_sides, strict=True):
            beside, mask = passed.pop()
            x = blocks(rise(x, beside), mask)
        return x
