"""A network that a graphics card is told once how to run: a CUDA graph.

Over a tile of a hundred pixels a network is hundreds of operations, each shorter than it takes to
ask for it. Tiles of a run have one shape but for those at the edges, so what was asked for over the
first of them is recorded, and done again over the others at one request.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_hsr.errors import lacks_memory
from napari_hsr.inference.tiles.transfers import first_line
from napari_hsr.models.layers import Module
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable

    #: A pass over images of the shape that was recorded; its result is the caller's.
    Replay = Callable[[Tensor], Tensor]
    Record = Callable[[nn.Module, Tensor], Replay]

#: Passes over a shape before it is recorded: libraries choose their ways in the first ones.
AFTER = 2


class Recorded(Module):
    """A network that is recorded once it is run over images of one shape again and again.

    Parameters
    ----------
    network : nn.Module
        On a graphics card. It may not look at values while it runs; one that does is run as always.
    record : callable, optional
        By default :func:`cuda_graph`.
    """

    def __init__(self, network: nn.Module, record: Record | None = None):
        super().__init__()
        self.network = network
        self._record: Record = record or cuda_graph
        self._seen = Counter[tuple[int, ...]]()
        self._shape: tuple[int, ...] | None = None  # of what is recorded
        self._replay: Replay | None = None
        self._why_not = ""

    def forward(self, images: Tensor) -> Tensor:
        """What the network makes of images, (N, channels, H, W)."""
        shape = tuple(images.shape)
        if self._replay is not None and shape == self._shape:
            return self._replay(images)
        if self._replay is None and not self._why_not and self._seen[shape] >= AFTER:
            try:
                self._replay, self._shape = self._record(self.network, images), shape
                return self._replay(images)
            except RuntimeError as error:
                self._forget(first_line(error))
        self._seen[shape] += 1
        try:
            result: Tensor = self.network(images)
        except Exception as error:
            if self._replay is None or not lacks_memory(error):
                raise
        else:
            return result
        self._forget("it left too little memory for tiles of another size")
        again: Tensor = self.network(images)
        return again

    def notices(self) -> tuple[Notice, ...]:
        """Why it is not recorded."""
        if not self._why_not:
            return ()
        text = (
            f"The network was not recorded for the graphics card ({self._why_not}), but asked for "
            "step by step: the result is the same, and took longer."
        )
        return (Notice.info(Code.GRAPHICS_CARD, text),)

    def _forget(self, why: str) -> None:
        """Give back the memory of the record, and make no other."""
        self._replay, self._shape, self._why_not = None, None, why
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def cuda_graph(network: nn.Module, images: Tensor) -> Replay:
    """Record a pass of a network on a graphics card.

    Parameters
    ----------
    network : nn.Module
    images : torch.Tensor
        Of the shape to be recorded.

    Raises
    ------
    RuntimeError
        If it does what cannot be recorded, such as waiting for a value, or memory runs out.
    """
    given, graph = images.clone(), torch.cuda.CUDAGraph()
    # what other threads ask of the card meanwhile is none of the recording's business
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        made: Tensor = network(given)

    def replay(images: Tensor) -> Tensor:
        given.copy_(images)
        graph.replay()
        return made.clone()  # the next pass writes over it

    return replay
