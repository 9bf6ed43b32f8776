"""Tiles on their way to a device, and results on their way back.

A graphics card computes beside the processor, and copies beside computing where the memory on this
side is page-locked. There a tile goes up without being waited for, its result comes down in a stream
of its own, and the loop over tiles writes one result while the next is computed. Elsewhere a copy is
made at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import torch

    #: Waits for a result: (bands, h, w) float32.
    Arriving = Callable[[], np.ndarray]


class Transfers(Protocol):
    """Copies to a device and from it."""

    @property
    def ahead(self) -> int:
        """Tiles whose results may be on their way while another one is computed."""

    def up(self, values: np.ndarray) -> torch.Tensor:
        """A tile on the device.

        Parameters
        ----------
        values : ndarray, float32
            Not changed afterwards, nor handed to the network itself unless it may be written to.
        """

    def down(self, result: torch.Tensor) -> Arriving:
        """Begin to bring a result back, and give what waits for it."""

    def notices(self) -> tuple[Notice, ...]:
        """What the user must know of the copies."""


def transfers_of(device: torch.device) -> Transfers:
    """What suits a device."""
    return PageLocked(device) if device.type == "cuda" else AtOnce(device)


class AtOnce:
    """Copies that are waited for, and none where the device is the processor."""

    ahead = 0

    def __init__(self, device: torch.device):
        self._device = device

    def up(self, values: np.ndarray) -> torch.Tensor:
        """A tile on the device."""
        import torch

        return torch.from_numpy(values).to(self._device)

    def down(self, result: torch.Tensor) -> Arriving:
        """A result that is here."""
        here: np.ndarray = result.float().cpu().numpy()
        return lambda: here

    def notices(self) -> tuple[Notice, ...]:
        """None."""
        return ()


class PageLocked:
    """Copies through page-locked memory, one result coming down while the next is computed.

    Without such memory, of which a system gives so much and no more, copies are waited for.

    Parameters
    ----------
    device : torch.device
        A graphics card.
    cuda : module, optional
        Its streams and events: by default :mod:`torch.cuda`.
    locked : callable, optional
        Page-locked memory of a shape, float32: by default torch's, which reuses it.
    """

    def __init__(
        self,
        device: torch.device,
        cuda: Any = None,
        locked: Callable[[Sequence[int]], Any] | None = None,
    ):
        import torch

        self.ahead = 1
        self._device, self._at_once = device, AtOnce(device)
        self._cuda = torch.cuda if cuda is None else cuda
        self._locked = locked or (lambda shape: torch.empty(tuple(shape), pin_memory=True))
        self._coming_down = self._cuda.Stream(device)
        self._why_not = ""

    def up(self, values: np.ndarray) -> torch.Tensor:
        """A tile on the device, after what is computed there now."""
        import torch

        held = self._memory(values.shape)
        if held is None:
            return self._at_once.up(values)
        held.copy_(torch.from_numpy(values))
        there: torch.Tensor = held.to(self._device, non_blocking=True)
        return there

    def down(self, result: torch.Tensor) -> Arriving:
        """Begin to bring a result back as soon as it is computed."""
        held = self._memory(result.shape)
        if held is None:
            return self._at_once.down(result)
        there: torch.Tensor | None = result.float().contiguous()
        computed, arrived = self._cuda.Event(), self._cuda.Event()
        computed.record(self._cuda.current_stream(self._device))
        with self._cuda.stream(self._coming_down):
            self._coming_down.wait_event(computed)
            held.copy_(there, non_blocking=True)
            arrived.record(self._coming_down)

        def wait() -> np.ndarray:
            nonlocal there
            arrived.synchronize()
            there = None  # from now on its memory may be used for something else
            here: np.ndarray = held.numpy()
            return here

        return wait

    def notices(self) -> tuple[Notice, ...]:
        """That there was no page-locked memory."""
        if not self._why_not:
            return ()
        text = (
            f"Copies to the graphics card and from it were waited for, since the system gave no "
            f"page-locked memory ({self._why_not}): the result is the same, and took longer."
        )
        return (Notice.info(Code.GRAPHICS_CARD, text),)

    def _memory(self, shape: Sequence[int]) -> Any:
        """Page-locked; None if there is none, nor will be."""
        if self.ahead:
            try:
                return self._locked(shape)
            except RuntimeError as error:
                self.ahead, self._why_not = 0, first_line(error)
        return None


def first_line(error: Exception) -> str:
    """What an error of torch says, without what it adds for its developers."""
    return str(error).partition("\n")[0].strip().rstrip(".") or type(error).__name__
