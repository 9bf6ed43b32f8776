"""Winograd's convolution F(2x2, 3x3): 16 products for four output pixels instead of 36.

For wide layers with equally many input and output channels, where multiplications dominate. Both transforms are sums and differences, so that float32 loses little: about twice what
a direct convolution does. After Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks (2016).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

#: Input channels from which it is worth its sums.
WORTH_FROM = 256
#: Squares of 2x2 output pixels at a time: as few as keep the products fast.
_SQUARES_AT_ONCE = 128


def transformed(kernel: Tensor) -> Tensor:
    """(out, into, 3, 3) → (16, out, into), what :func:`convolve_` takes; 16/9 of the memory."""
    sides = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]).to(kernel)
    out, into = kernel.shape[:2]
    made = kernel.new_empty(16, out, into)
    for i in range(4):
        rows = sides[i, 0] * kernel[:, :, 0]
        rows += sides[i, 1] * kernel[:, :, 1]
        rows += sides[i, 2] * kernel[:, :, 2]
        for j in range(4):
            made[4 * i + j] = rows @ sides[j]
    return made


class Frame:
    """Memory of one image, in which one convolution after the other is done in place.

    The result of a convolution begins where the zeros around its input began, a row and a column
    before the input. So the frame moves that far towards the beginning of its memory each time.

    Parameters
    ----------
    shape : tuple of int
        (1, C, h, w) of the image.
    convolutions : int
        How many there will be.
    like : torch.Tensor
        Of the type and on the device that is wanted.
    """

    def __init__(self, shape: Sequence[int], convolutions: int, like: Tensor):
        _, channels, self.height, self.width = shape
        even = self.height + self.height % 2, self.width + self.width % 2
        self._shape = even[0] + 2, even[1] + 2, channels
        self._step = (even[1] + 3) * channels
        self._start = convolutions * self._step
        self._memory = like.new_empty(self._start + math.prod(self._shape))

    def _framed(self) -> Tensor:
        """(even h + 2, even w + 2, C)."""
        return _shaped(self._memory[self._start :], *self._shape)

    def image(self) -> Tensor:
        """(1, C, h, w): what is in the frame, to be read and written."""
        framed = self._framed()[1 : self.height + 1, 1 : self.width + 1]
        return framed.permute(2, 0, 1)[None]

    def convolve_(self, kernel: Tensor) -> None:
        """3x3 convolution of the image by a kernel from :func:`transformed`."""
        framed = self._framed()
        framed[0] = framed[self.height + 1 :] = 0
        framed[:, 0] = framed[:, self.width + 1 :] = 0
        convolve_(framed, kernel)
        self._start -= self._step


def convolve_(image: Tensor, kernel: Tensor) -> Tensor:
    """3x3 convolution with as many channels out as in, in place and in bands of rows.

    Parameters
    ----------
    image : torch.Tensor
        (h + 2, w + 2, C), h and w even, zeros around what is convolved; overwritten.
    kernel : torch.Tensor
        (16, C, C), the output first, from :func:`transformed`.

    Returns
    -------
    torch.Tensor
        (h, w, C), in the same memory: the first rows and columns of ``image``.
    """
    height, width, channels = image.shape
    n, m = height // 2 - 1, width // 2 - 1
    at_once = min(n, max(1, _SQUARES_AT_ONCE // m))
    # Taken once: memory that is given back in pieces is not all used again.
    sizes = (width * 4, m * 16, m * 16)
    space = [image.new_empty(at_once * size * channels) for size in sizes]
    for start in range(0, n, at_once):
        stop = min(start + at_once, n)
        # The next band needs the rows from 2 * stop on, which this one leaves as they are.
        _band_(image[2 * start : 2 * stop + 2], kernel, space)
    return image[:-2, :-2]


def _band_(image: Tensor, kernel: Tensor, space: Sequence[Tensor]) -> None:
    """(2n + 2, 2m + 2, C): all but the last two rows and columns are overwritten."""
    n, m, channels = image.shape[0] // 2 - 1, image.shape[1] // 2 - 1, image.shape[2]
    # Few operations on large tensors: every one waits for all processors.
    pairs = image.unflatten(0, (n + 1, 2))
    across = _shaped(space[0], 4, n, 2 * m + 2, channels)
    torch.sub(pairs[:-1].transpose(0, 1), pairs[1:].transpose(0, 1), out=across[::3])
    torch.add(pairs[:-1, 1], pairs[1:, 0], out=across[1])
    torch.sub(pairs[1:, 0], pairs[:-1, 1], out=across[2])
    pairs = across.unflatten(2, (m + 1, 2))
    squares = _shaped(space[1], 4, 4, n, m, channels)
    differences = squares[:, ::3].permute(0, 2, 3, 1, 4)
    torch.sub(pairs[:, :, :-1], pairs[:, :, 1:], out=differences)
    torch.add(pairs[:, :, :-1, 1], pairs[:, :, 1:, 0], out=squares[:, 1])
    torch.sub(pairs[:, :, 1:, 0], pairs[:, :, :-1, 1], out=squares[:, 2])
    made = _shaped(space[2], 4, 4, n, m, channels)
    flat = (16, n * m, channels)
    torch.bmm(squares.view(flat), kernel.transpose(1, 2), out=made.view(flat))
    made[0].add_(made[1]).add_(made[2])
    made[1].sub_(made[2]).sub_(made[3])
    made = made[:2]  # rows of the output; now its columns
    places = image[:-2, :-2].unflatten(0, (n, 2)).unflatten(2, (m, 2)).permute(1, 3, 0, 2, 4)
    torch.add(made[:, 0].add_(made[:, 1]), made[:, 2], out=places[:, 0])
    torch.sub(made[:, 1].sub_(made[:, 2]), made[:, 3], out=places[:, 1])


def _shaped(space: Tensor, *shape: int) -> Tensor:
    """As much of the space as is needed."""
    return space[: math.prod(shape)].view(shape)
