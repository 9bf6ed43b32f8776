"""How much faster this processor multiplies in bfloat16, measured once a machine.

Its instructions do not tell: with AMX bfloat16 is seven times as fast as float32; with AVX-512 for
bfloat16 alone it may be twice as fast or half as fast, by the make of the processor; and
where it is emulated it takes five to a hundred times as long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_hsr.inference.estimates import speed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

#: Channels and side of the image whose convolution is measured, and how often. It is so short that the fastest
#: one was interrupted by no other program.
CHANNELS, SIDE, TURNS = 64, 32, 9


def bfloat16_gain(instructions: Sequence[str]) -> float:
    """Time of a convolution in float32 by that in bfloat16, on the processor.

    Parameters
    ----------
    instructions : sequence of str
        Those for bfloat16 that the processor has: others of the same name may have fewer.
    """
    device = speed.device_name("cpu")
    works = [("convolution", kind, *instructions, device) for kind in ("float32", "bfloat16")]
    exact, lower = (speed.expected_seconds(work, 1) for work in works)
    if exact is None or lower is None:
        exact, lower = _seconds()
        for work, seconds in zip(works, (exact, lower), strict=True):
            speed.remember(work, 1, seconds)
        speed.keep()
    return exact / lower


def _seconds() -> tuple[float, float]:
    """Seconds of the convolution in float32 and in bfloat16, which take turns, by one thread.

    Several would wait for each other, on a busy machine for longer than they compute.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            image, kernel = (
                torch.rand(1, CHANNELS, SIDE, SIDE),
                torch.rand(CHANNELS, CHANNELS, 3, 3),
            )
            pairs = [
                [t.to(kind, memory_format=torch.channels_last) for t in (image, kernel)]
                for kind in (torch.float32, torch.bfloat16)
            ]
            turns = [[_once(*pair) for pair in pairs] for _ in range(1 + TURNS)]
    finally:
        torch.set_num_threads(threads)
    exact, lower = (min(found) for found in zip(*turns[1:], strict=True))  # the first prepares
    return exact, lower


def _once(image: torch.Tensor, kernel: torch.Tensor) -> float:
    import torch

    start = time.perf_counter()
    torch.conv2d(image, kernel, padding=1)
    return time.perf_counter() - start
