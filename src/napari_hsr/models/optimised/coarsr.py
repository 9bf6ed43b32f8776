"""Optimised CoarSR: several bands at a time, kernels folded, the tail as one convolution.

Only a 1 × 1 mix depends on the band before. So the features of some bands are computed together,
the mix goes through them one by one, and their output pixels are computed together again. The
number of bands is chosen so that memory is bounded whatever the size of the cube: their pixels together are
those that the caches hold well.

The three features of a band lie beside each other in one tensor, (N, 3 · width, H, W) with the
channels last: what is done with each of them is a convolution in three groups, what is exchanged
between them one of 1 × 1. So the convolutions over three axes become some over two. Weight norms,
batch norms and the scalars of the fusions are in the kernels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_hsr.models.layers import PIXELS_AT_ONCE, Module, Part, enlarged, neighbours
from napari_hsr.models.optimised.coarsr_tail import Tail
from napari_hsr.models.optimised.convolution import CHANNELS_LAST, convolve, hold, packed

#: Under the squared length of a spectrum, as in the exact network.
LEAST = 1e-12
#: Pixels of all bands that another device than those listed takes together.
_ELSEWHERE = 2**18


class Grouped(Module):
    """A convolution of each of the three features, with what follows it."""

    def __init__(self, kernels: list[Tensor], biases: list[Tensor], dtype: torch.dtype):
        super().__init__()
        hold(self, kernel=packed(torch.cat(kernels), dtype), bias=torch.cat(biases).to(dtype))

    def forward(self, x: Tensor, slope: float | None = None, onto: Tensor | None = None) -> Tensor:
        """(N, 3 · width, H, W) → the same shape; ``onto`` is overwritten."""
        return convolve(x, self.kernel, self.bias, padding=1, groups=3, slope=slope, onto=onto)


def _folded(conv: Part, norm: Part) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution and its batch norm, in float64."""
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    kernel = _kernel(conv) * scale[:, None, None, None]
    return kernel, (conv.bias.double() - norm.running_mean.double()) * scale + norm.bias.double()


def _kernel(conv: Part) -> Tensor:
    """Of a weight-normed convolution, the norm taken in float64."""
    kernel = conv.weight_v.detach().double()
    norm = torch.linalg.vector_norm(kernel, dim=tuple(range(1, kernel.ndim)), keepdim=True)
    return kernel * (conv.weight_g.detach().double() / norm)


class FastBodies(Module):
    """Three bodies side by side."""

    def __init__(self, bodies: list[Part], dtype: torch.dtype):
        super().__init__()
        self.layers = nn.ModuleList()
        for blocks in zip(*(body.body[0] for body in bodies), strict=True):
            for at in (0, 3):
                folded = [_folded(block.body[at], block.body[at + 1]) for block in blocks]
                kernels, biases = map(list, zip(*folded, strict=True))
                self.layers.append(Grouped(kernels, biases, dtype))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape; ``x`` stays as it is."""
        y = x.clone()
        for first, second in zip(self.layers[::2], self.layers[1::2], strict=True):
            y = second(first(y, slope=0.0), onto=y)
        return y.add_(x)


class FastIntra(Module):
    """Fusion of three features, with gamma in its kernel."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.left = FastBodies(exact.layers("left_{}_body"), dtype)
        self.right = FastBodies(exact.layers("right_{}_body"), dtype)
        width = exact.fusion_one[0].weight_v.shape[0]
        gamma = exact.gamma.detach().double().repeat_interleave(width, 1)[:, None, :, None, None]
        fusions = [fusion[0] for fusion in exact.layers("fusion_{}")]
        kernel = torch.cat([_kernel(conv) * g for conv, g in zip(fusions, gamma, strict=True)])
        bias = torch.cat([conv.bias for conv in fusions])
        hold(self, kernel=packed(kernel, dtype), bias=bias.to(dtype))
        inter = exact.gamma_inter.detach().repeat_interleave(width)
        hold(self, gamma_inter=inter[:, None, None].to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3 · width, H, W) → the same shape; ``x`` stays as it is."""
        fused = self.right(convolve(self.left(x), self.kernel, self.bias))
        return fused.add_(x).mul_(self.gamma_inter)


class FastUnit(Module):
    """Convolutions over three axes as such over two: three groups, and 1 × 1 between them."""

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.spatial = self._flat(exact.spatial, dtype)
        self.spatial_one = self._flat(exact.spatial_one, dtype)
        spectral = _kernel(exact.spectral)[..., 0, 0]  # (out, into, tap)
        nothing = torch.zeros_like(spectral[..., 0])
        between = torch.cat(
            [
                torch.cat(
                    [spectral[..., j - k + 1] if abs(j - k) < 2 else nothing for j in range(3)], 1
                )
                for k in range(3)
            ]
        )
        hold(self, between=packed(between[..., None, None], dtype))
        hold(self, offset=exact.spectral.bias.detach().repeat(3).to(dtype))

    @staticmethod
    def _flat(conv: Part, dtype: torch.dtype) -> Grouped:
        return Grouped([_kernel(conv)[:, :, 0]] * 3, [conv.bias.detach()] * 3, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3 · width, H, W), overwritten by itself and what the unit makes of it."""
        seen = convolve(x, self.between, self.offset, slope=0.0, onto=self.spatial(x))
        return self.spatial_one(seen, onto=x)


class FastCoarSR(Module):
    """(N, bands, H, W) → (N, bands, scale · H, scale · W), float32, as :class:`CoarSR` computes it.

    Attributes
    ----------
    pixels_at_once : int or None
        Pixels of all bands that go through the convolutions together, but one band at least;
        None goes by the device.
    """

    def __init__(self, exact: Part, dtype: torch.dtype):
        super().__init__()
        self.dtype, self.scale, self.intended = dtype, exact.scale, exact.intended
        self.turns = exact.turns
        if self.turns:
            hold(self, across=exact.across.detach().float())
        self.pixels_at_once: int | None = None
        self.width = exact.head_group_one.weight_v.shape[0]
        heads = (exact.head_group_one, exact.head_group_two, exact.head_group_three)
        hold(self, heads=packed(_heads(heads), dtype))
        hold(self, heads_bias=torch.cat([head.bias.detach() for head in heads]).to(dtype))
        self.intra = nn.ModuleList(
            FastIntra(part, dtype) for part in (exact.GFM_intra_one, exact.GFM_intra_two)
        )
        self.inter = nn.ModuleList(
            FastUnit(part.threeunit, dtype) for part in (exact.GFM_inter_one, exact.GFM_inter_two)
        )
        for name, conv in (("reduce", exact.last_reduceD[0]), ("conv", exact.conv[0])):
            hold(self, **{name: packed(_kernel(conv), dtype), f"{name}_bias": conv.bias.to(dtype)})
        # The mix adds up over all bands, and is little work: it stays in float32.
        now, before = _kernel(exact.rnn_reduceD[0]).chunk(2, 1)
        gamma = exact.gamma_rnn.detach().double()
        hold(self, now=packed(gamma[0] * now, torch.float32))
        hold(self, before=packed(gamma[1] * before, torch.float32))
        hold(self, mix_bias=exact.rnn_reduceD[0].bias.detach().float())
        steps = [
            (_kernel(conv), conv.bias.detach().double(), shuffle.upscale_factor)
            for conv, shuffle in zip(exact.tail[0][::2], exact.tail[0][1::2], strict=True)
        ]
        last = exact.tail[1]
        self.tail = Tail(steps, _kernel(last), last.bias.detach().double(), torch.float32)

    def features(self, band: Tensor, helpers: Tensor) -> tuple[Tensor, Tensor]:
        """Those of some bands without the bands before them, and of their heads.

        Parameters
        ----------
        band, helpers : torch.Tensor
            (N, 1, H, W) and (N, 4, H, W).

        Returns
        -------
        features, head : torch.Tensor
            (N, width, H, W) each, float32.
        """
        x = torch.cat([band, helpers], 1).to(self.dtype, memory_format=CHANNELS_LAST)
        heads = convolve(x, self.heads, self.heads_bias, padding=1)
        x = heads
        for intra, inter in zip(self.intra, self.inter, strict=True):
            x = inter(intra(x)).add_(heads)
        head = heads[:, : self.width].float()
        x = convolve(x, self.reduce, self.reduce_bias)
        x = convolve(x, self.conv, self.conv_bias, padding=1)
        return x.float().add_(head), head.contiguous(memory_format=CHANNELS_LAST)

    def mixed(self, features: Tensor, before: Tensor | None) -> Tensor:
        """Those of some bands with the mixed ones of the bands before them.

        Parameters
        ----------
        features : torch.Tensor
            (N, width, H, W) of bands in order.
        before : torch.Tensor or None
            (1, width, H, W), mixed, of the band before; None at the first one.
        """
        made = convolve(features, self.now, self.mix_bias)
        if before is None:
            made[:1] = features[:1]
        for i in range(before is None, len(made)):
            last = made[i - 1 : i] if i > 0 or before is None else before
            convolve(last, self.before, onto=made[i : i + 1])
        return made

    def forward(self, x: Tensor) -> Tensor:
        """The finer cube.

        Raises
        ------
        InputError
            If there are fewer than 5 bands.
        """
        if len(x) != 1:
            return torch.cat([self(image[None]) for image in x])
        bands, height, width = x.shape[1:]
        helpers = torch.tensor(neighbours(bands, self.intended), device=x.device)
        found = enlarged(x, self.scale)
        at_once = self.pixels_at_once or PIXELS_AT_ONCE.get(x.device.type, _ELSEWHERE)
        step = max(1, at_once // (height * width))
        chunks = [slice(start, min(start + step, bands)) for start in range(0, bands, step)]
        mixed = None
        for chunk in chunks:
            mixed = self._add(x[0, chunk, None], x[0][helpers[chunk]], mixed, found[0, chunk])
        if self.turns:
            self._keep_across(x, found, chunks)
        return found

    def _keep_across(self, x: Tensor, found: Tensor, chunks: list[slice]) -> None:
        """Take back what of the correction turns spectra; bicubic is made anew, to save memory."""
        both = found.new_zeros(1, 1, *found.shape[2:])
        square = both.clone()
        for chunk in chunks:
            bicubic = enlarged(x[:, chunk], self.scale)
            both += ((found[:, chunk] - bicubic) * bicubic).sum(1, keepdim=True)
            square += bicubic.square().sum(1, keepdim=True)
        along = (1 - self.across) * (1 + both / square.clamp_min(LEAST))
        found *= self.across
        for chunk in chunks:
            found[:, chunk] += along * enlarged(x[:, chunk], self.scale)

    def _add(self, band: Tensor, helpers: Tensor, mixed: Tensor | None, found: Tensor) -> Tensor:
        """Add what the network makes of some bands to ``found``; the mixed features of the last."""
        features, head = self.features(band, helpers)
        states = self.mixed(features, mixed)
        mixed = states[-1:].clone()
        found += self.tail(states.add_(head))[:, 0]
        return mixed


def _heads(heads: tuple[Part, ...]) -> Tensor:
    """One kernel of the band and its four helpers for all three heads: (3 · width, 5, 3, 3)."""
    reads = ([0], [2, 0, 3], [1, 0, 4])  # the band, then far and near left, near and far right
    kernels = []
    for head, channels in zip(heads, reads, strict=True):
        kernel = _kernel(head)
        wide = kernel.new_zeros(len(kernel), 5, *kernel.shape[2:])
        wide[:, channels] = kernel
        kernels.append(wide)
    return torch.cat(kernels)


def prepare(module: nn.Module, precision: str) -> nn.Module:
    """The copy that inference runs."""
    return FastCoarSR(module, getattr(torch, precision))
