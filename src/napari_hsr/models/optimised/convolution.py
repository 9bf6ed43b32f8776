"""Convolutions without copies: rectified on the way out, summed into what is there already.

Where torch brings oneDNN, activation and sum happen while a convolution writes its result;
elsewhere the same is done by torch's own functions, in place.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

CHANNELS_LAST = torch.channels_last


@cache
def _fused() -> bool:
    """Whether this torch offers oneDNN's convolutions with what follows them."""
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name)
        for name in ("_convolution_pointwise", "_convolution_pointwise_")
    )


@cache
def _computed(dtype: torch.dtype) -> bool:
    """Whether they compute in this type on this processor."""
    known = {
        torch.bfloat16: "_is_mkldnn_bf16_supported",
        torch.float16: "_is_mkldnn_fp16_supported",
    }
    if dtype not in known:
        return dtype == torch.float32
    return hasattr(torch.ops.mkldnn, known[dtype]) and getattr(torch.ops.mkldnn, known[dtype])()


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
    gelu: bool = False,
    slope: float | None = None,
    onto: Tensor | None = None,
    terms: int | None = None,
) -> Tensor:
    """Convolution of (N, C, H, W), and what is done with its result.

    Parameters
    ----------
    x, weight, bias : torch.Tensor
        Of one type, in channels_last, as of :func:`torch.nn.functional.conv2d`.
    stride, padding, groups
        As of :func:`torch.nn.functional.conv2d`.
    gelu : bool
        Whether the exact GELU follows.
    slope : float, optional
        Of the leaky rectifier that follows.
    onto : torch.Tensor, optional
        What the result is added to, before the activation; it is overwritten.
    terms : int, optional
        Products that a value is added up of at once; with more of them, input channels are taken
        in parts. With channels last, oneDNN adds up all products of a value one after another in
        float32, and rounding grows with the root of their number: for 512 channels and 3 x 3 it
        is 8e-7, five times that of its kernels for channels first; in parts of 64 channels 3e-7.
    """
    if x.device.type != "cpu" or not (_fused() and _computed(x.dtype)):
        y = functional.conv2d(x, weight, bias, stride, padding, groups=groups)
        return _activate(y if onto is None else onto.add_(y), gelu, slope)
    around = [padding] * 2 if isinstance(padding, int) else list(padding)
    how = (around, [stride] * 2, [1, 1], groups)
    if terms is not None and weight[0].numel() > terms and x.dtype == torch.float32 and groups == 1:
        parts = -(-weight[0].numel() // terms)
        some, *others = zip(x.chunk(parts, 1), weight.chunk(parts, 1), strict=True)
        onto = convolve(*some, bias, stride=stride, padding=padding, onto=onto)
        for some in others[:-1]:
            convolve(*some, stride=stride, padding=padding, onto=onto)
        (x, weight), bias = others[-1], None
    if onto is not None:
        rectified = not gelu and slope == 0
        torch.ops.mkldnn._convolution_pointwise_.binary(
            onto, x, weight, bias, *how, "add", 1.0, "relu" if rectified else None, [], None
        )
        return onto if rectified else _activate(onto, gelu, slope)
    after, scalars, kind = "none", [], ""
    if gelu:
        after, kind = "gelu", "none"
    elif slope is not None:
        after, scalars = "leaky_relu", [slope]
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *how, after, scalars, kind)


def _activate(y: Tensor, gelu: bool, slope: float | None) -> Tensor:
    if gelu:
        return functional.gelu(y)
    return y if slope is None else functional.leaky_relu_(y, slope)


def packed(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A kernel as the convolutions above want it; it shares nothing with the original."""
    return weight.detach().to(dtype, memory_format=CHANNELS_LAST, copy=True)


def hold(module: torch.nn.Module, **tensors: Tensor | None) -> None:
    """Register tensors that move with a module between devices and are not parameters."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor, persistent=False)
