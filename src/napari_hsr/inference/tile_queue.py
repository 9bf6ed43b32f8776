"""The tiles still to be computed: smaller ones where memory gave out."""

from __future__ import annotations

import gc
from collections import deque
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.inference import tiling
from napari_hsr.progress import Progress

if TYPE_CHECKING:
    import torch

    from napari_hsr.inference.tiling import Tile
    from napari_hsr.models.model import Model

#: Tiles are not cut to less than this: what else takes memory then is not the tile.
SMALLEST = 16

#: What says, in an error that is no MemoryError, that memory gave out: in lower case.
_SIGNS = (
    "not enough memory",
    "out of memory",
    "can't allocate memory",
    "failed to allocate",
    "alloc_failed",
)


def ran_out(error: BaseException) -> bool:
    """Whether an error is a lack of memory, of the computer or of a GPU."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(s in str(error).lower() for s in _SIGNS)


def give_back(device: torch.device) -> None:
    """Memory that is kept for later, to whoever asks for it."""
    gc.collect()
    if device.type == "cuda":
        import torch

        torch.cuda.empty_cache()


class Work:
    """A plan on its way: what is done stays done, and what is not may be cut smaller.

    Attributes
    ----------
    finished : list of Tile
        In the order in which they were.
    """

    def __init__(
        self,
        tiles: list[Tile],
        height: int,
        width: int,
        model: Model,
        passes: int,
        doing: str = "Reconstructing",
    ):
        self._doing = doing
        self._left = deque(tiles)
        self._size = height, width
        self._model = model
        self._passes = passes
        self._begun = 0
        self._first_side = self._side = None
        self.finished: list[Tile] = []

    def __bool__(self) -> bool:
        return bool(self._left)

    @property
    def tile(self) -> Tile:
        """The one at hand."""
        return self._left[0]

    def begin_pass(self) -> Progress:
        """What is said before each pass of the network over the tile."""
        self._begun += 1
        return self._progress(self._begun - 1, self._doing)

    def finish_tile(self) -> None:
        """The tile at hand is done."""
        self.finished.append(self._left.popleft())
        self._begun = 0

    def finish(self) -> Progress:
        """What is said at the end."""
        return self._progress(0, "Done")

    def halve(self) -> None:
        """Cut the tile at hand, and all after it that are as large, to half its side.

        Raises
        ------
        InputError
            If it is too small for that.
        """
        side = -(-tiling.side(self.tile) // 2)
        if side < SMALLEST:
            raise InputError(
                f"There is not enough memory for {self._model.name}, not even in tiles of "
                f"{tiling.side(self.tile)} pixels: close what else takes memory, or choose a "
                "smaller image or another device."
            )
        self._first_side = self._first_side or tiling.side(self.tile)
        self._side = side
        self._left = deque(
            part for tile in self._left for part in tiling.cut(tile, side, *self._size, self._model)
        )
        self._begun = 0

    def notices(self) -> tuple[str, ...]:
        """What the user must know of the tiles that it came to."""
        found = []
        if self._side:
            found.append(
                f"There was not enough memory for tiles of {self._first_side} pixels: "
                f"the rest was computed in tiles of at most {self._side} pixels."
            )
        plan = tiling.notice(self._model, self.finished)
        return (*found, *([plan] if plan else []))

    def _progress(self, begun: int, message: str) -> Progress:
        if self._side and self._left:
            message += f" in tiles of {self._side} pixels: there was no memory for larger ones"
        done = len(self.finished) * self._passes
        return Progress(done + begun, done + len(self._left) * self._passes, message)
