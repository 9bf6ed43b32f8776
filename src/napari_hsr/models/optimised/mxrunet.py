"""Optimised MXR-U-Net: norms folded into kernels, channels last, the full size in bands of rows.

Kernels hold their weight norm, spectral norm and the encoder's batch norm. Shuffled pixels, the
features that they join and the result of every sum go straight to their place. Attention is
fused, with the roles of queries and keys swapped because its softmax runs over the queries, so
no matrix of all pixels by all pixels is held. What follows the last doubling looks two pixels
far, and is computed in bands of rows.

In float32 it differs from the exact module by rounding alone, and lies as near to double precision
as that one: 0.5 to 2.4 times as far with the weights of the parity tests, on uniform and normal
noise and a photograph, 32 to 128 pixels wide; both are within 1e-5 of the peak. Attention raises
rounding by the size of its logits. With such random weights, on noise normalised by the network's
statistics, these reach 2000: there the full network's exact module is 7e-5 from double precision
at 128 x 128 pixels, the copy 3e-5, and they differ by as much. So convolutions add up in parts,
which made the copy of the middle network three times as exact there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_hsr.models.layers import LARGE_KERNEL, Module, Part
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed
from napari_hsr.models.optimised.large_kernels import SharedConvolution, folded

#: Products that are added up at once: attention raises what is rounded before it, up to 50 times.
_TERMS = 576
#: Values of one tensor in a band of the last part: small enough to stay near the processor.
_VALUES_AT_ONCE = 2**20


def mish_(x: Tensor) -> Tensor:
    """x · tanh(softplus(x)), in place: with n = eˣ + e²ˣ/2 it is x · n/(n + 1).

    One exponential instead of an exponential, a logarithm and a hyperbolic tangent. Beyond
    x = 20 the fraction is 1 in float32, so its exponent stops there.
    """
    wide = x.float()
    n = wide.clamp(max=20.0).exp_()
    n.addcmul_(n, n, value=0.5)
    n.div_(n + 1.0)
    wide.mul_(n)
    return wide if wide is x else x.copy_(wide)


def _affine(norm: Part) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm, each (C,)."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


class _Convolution(Module):
    """A convolution with a kernel of its own, all norms in it."""

    def __init__(self, kernel: Tensor, bias: Tensor, dtype: torch.dtype, stride: int = 1):
        super().__init__()
        self.stride, self.padding = stride, kernel.shape[-1] // 2
        hold(self, kernel=packed(kernel, dtype), bias=bias.to(dtype))

    def forward(self, x: Tensor, relu: bool = False, onto: Tensor | None = None) -> Tensor:
        slope = 0.0 if relu else None
        return convolve(
            x,
            self.kernel,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            slope=slope,
            onto=onto,
            terms=_TERMS,
        )


def _encoded(step: Part, dtype: torch.dtype) -> _Convolution:
    """A convolution of the encoder with its batch norm; what follows is left to the caller."""
    conv, norm = step[0], step[1]
    scale, shift = _affine(norm)
    return _Convolution(conv.weight * scale[:, None, None, None], shift, dtype, conv.stride[0])


def _decoded(conv: Part, dtype: torch.dtype) -> nn.Module:
    """A convolution of the decoder; a large kernel that needs no conversion is not copied."""
    if dtype == torch.float32 and conv.weight_v.numel() >= LARGE_KERNEL:
        return SharedConvolution(conv)
    return _Convolution(folded(conv, dtype), conv.bias, dtype)


class _Residual(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.convs = nn.ModuleList(_encoded(step, dtype) for step in exact.convs)
        self.pool = exact.pool
        self.widen = (
            None if isinstance(exact.idconv, nn.Identity) else _encoded(exact.idconv, dtype)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``x`` may be overwritten: behind it, only blocks with a shortcut of their own read it."""
        shortcut = self.pool(x)
        if self.widen is not None:
            shortcut = self.widen(shortcut)
        for conv in self.convs[:-1]:
            x = mish_(conv(x))
        return mish_(self.convs[-1](x, onto=shortcut))


class _Attention(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        parts = [exact.query.kernel(), exact.key.kernel(), exact.gamma * exact.value.kernel()]
        self.widths = [len(part) for part in parts]
        hold(self, kernels=torch.cat(parts).flatten(1).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same, in place."""
        return self.mix(x, narrow=x.device.type != "cpu")

    def mix(self, x: Tensor, narrow: bool) -> Tensor:
        """With heads as wide as the values, or as narrow as the queries.

        Fused kernels want one width for queries, keys and values: the CPU's takes any, those
        of GPUs only narrow ones.
        """
        pixels = x.flatten(2).transpose(1, 2)
        query, key, value = F.linear(pixels, self.kernels).split(self.widths, 2)
        if narrow:
            values = value.unflatten(2, (-1, query.shape[2])).transpose(1, 2)
            several = (-1, values.shape[1], -1, -1)
            key, query = key[:, None].expand(several), query[:, None].expand(several)
        else:
            lack = (0, value.shape[2] - query.shape[2])  # zeros change no product
            key, query, values = (
                F.pad(key, lack)[:, None],
                F.pad(query, lack)[:, None],
                value[:, None],
            )
        mixed = F.scaled_dot_product_attention(key, query, values, scale=1.0)
        return x.add_(mixed.transpose(1, 2).flatten(2).transpose(1, 2).view_as(x))


class _SubPixel(Module):
    """1x1 convolution and ReLU, the pixels not yet shuffled."""

    def __init__(self, exact: Part, dtype: torch.dtype, factor: float = 1.0):
        super().__init__()
        conv = exact.conv[0]
        # The four pixels of a square become neighbours, each with all channels.
        # A positive factor passes through the ReLU.
        kernel, bias = (
            t.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1) * factor
            for t in (conv.kernel(), conv.bias)
        )
        self.conv = _Convolution(kernel, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, h, w) → (N, h, 2, w, 2, out), a view."""
        y = self.conv(x, relu=True).permute(0, 2, 3, 1)
        return y.unflatten(3, (2, 2, -1)).permute(0, 1, 3, 2, 4, 5)


def _empty(like: Tensor, channels: int, height: int, width: int) -> Tensor:
    shape = (len(like), channels, height, width)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=CHANNELS_LAST)


def _blurred(squares: Tensor, out: Tensor | None = None) -> Tensor:
    """(N, h, 2, w, 2, C), a quarter each → (N, C, 2h, 2w): with those above and to the left."""
    number, h, _, w, _, channels = squares.shape
    grown = squares.new_empty(number, 2 * h + 1, 2 * w + 1, channels)
    grown[:, 1:, 1:].unflatten(1, (h, 2)).unflatten(3, (w, 2)).copy_(squares)
    del squares
    grown[:, 0, 1:] = grown[:, 1, 1:]
    grown[:, :, 0] = grown[:, :, 1]
    pairs = grown[:, :, 1:] + grown[:, :, :-1]
    del grown
    place = None if out is None else out.permute(0, 2, 3, 1)
    return torch.add(pairs[:, 1:], pairs[:, :-1], out=place).permute(0, 3, 1, 2)


class _Decoder(Module):
    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.shuf = _SubPixel(exact.shuf, dtype, factor=0.25)
        scale, shift = (t[:, None, None].to(dtype) for t in _affine(exact.bn))
        hold(self, scale=scale, shift=shift)
        self.convs = nn.ModuleList(_decoded(step[0], dtype) for step in (exact.conv1, exact.conv2))
        self.attention = _Attention(exact.conv2[2], dtype) if len(exact.conv2) > 2 else None

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        size, twice = skip.shape[-2:], torch.Size(2 * n for n in x.shape[-2:])
        channels = len(self.shuf.conv.kernel) // 4
        joined = _empty(x, channels + skip.shape[1], *size)
        place = joined[:, :channels]  # what comes there is not negative
        if size == twice:
            _blurred(self.shuf(x), out=place)
        else:
            place.copy_(F.interpolate(_blurred(self.shuf(x)), size, mode="nearest"))
        del x
        torch.addcmul(self.shift, skip, self.scale, out=joined[:, channels:]).relu_()
        del skip
        x = self.convs[0](joined, relu=True)
        del joined
        x = self.convs[1](x, relu=True)
        return x if self.attention is None else self.attention(x)


class _Last(Module):
    """From half the size to spectra: shuffle, join with the input, a residual block, 1x1."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.shuf = _SubPixel(exact[8], dtype)
        self.convs = nn.ModuleList(_decoded(step[0], dtype) for step in exact[10].layers)
        self.out = _decoded(exact[11][0], dtype)

    def forward(self, features: Tensor, rgb: Tensor) -> Tensor:
        """(N, C, H/2, W/2) and (N, channels, H, W) → (N, bands, H, W) float32."""
        number, _, height, width = rgb.shape
        first: Part = self.convs[0]
        last: Part = self.out
        spectra = rgb.new_empty(number, len(last.kernel), height, width)
        row = number * width * len(first.kernel)
        rows = 2 * max(8, _VALUES_AT_ONCE // (2 * row))
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            above, below = max(start - 2, 0), min(stop + 2, height)
            x = self._joined(features[:, :, above // 2 : below // 2], rgb[:, :, above:below])
            # Rows at the edges of a band see zeros in place of neighbours; they are cut off.
            y = self.convs[0](x, relu=True)
            y = self.convs[1](y, relu=True).add_(x)
            del x
            spectra[:, :, start:stop] = self.out(y[:, :, start - above : stop - above])
        return spectra

    def _joined(self, features: Tensor, rgb: Tensor) -> Tensor:
        squares = self.shuf(features)
        _, h, _, w, _, channels = squares.shape
        joined = _empty(features, channels + rgb.shape[1], 2 * h, 2 * w)
        place = joined[:, :channels].permute(0, 2, 3, 1)
        place.unflatten(1, (h, 2)).unflatten(3, (w, 2)).copy_(squares)
        joined[:, channels:] = rgb
        return joined


class FastMXRUNet(Module):
    """(N, channels, H, W) → (N, bands, H, W), float32, as :class:`MXRUNet` computes it."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        encoder = exact.layers[0]
        self.stem = nn.ModuleList(_encoded(step, dtype) for step in encoder[:3])
        self.pool = encoder[3]
        self.stages = nn.ModuleList(
            nn.ModuleList(_Residual(block, dtype) for block in stage) for stage in encoder[4:]
        )
        scale, shift = (t[:, None, None].to(dtype) for t in _affine(exact.layers[1]))
        hold(self, scale=scale, shift=shift)
        self.middle = nn.ModuleList(_decoded(step[0], dtype) for step in exact.layers[3])
        self.decoder = nn.ModuleList(_Decoder(block, dtype) for block in exact.layers[4:8])
        self.last = _Last(exact.layers, dtype)

    def forward(self, rgb: Tensor) -> Tensor:
        """Spectra of every pixel."""
        height, width = rgb.shape[-2:]
        if height % 2 or width % 2:
            rgb = F.pad(rgb, (0, width % 2, 0, height % 2), mode="replicate")
        x = rgb.to(self.dtype, memory_format=CHANNELS_LAST)
        for conv in self.stem:
            x = mish_(conv(x))
        skips = [x]
        x = self.pool(x)
        stage: Part
        for stage in self.stages:
            for block in stage:
                x = block(x)
            skips.append(x)
        del skips[-1]
        x = torch.addcmul(self.shift, x, self.scale).relu_()
        for conv in self.middle:
            x = conv(x, relu=True)
        for block in self.decoder:
            x = block(x, skips.pop())
        return self.last(x, rgb)[..., :height, :width]


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs; in float32 it shares the large kernels with the exact module."""
    return FastMXRUNet(module, getattr(torch, precision))
