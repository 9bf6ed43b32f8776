"""Passes of a network that say how far they are and stop when asked.

The network computes in a thread of its own, so that a generator can report on it meanwhile. How
far a pass is follows from the parts of the network that have finished, by the shares of the time
they took in an earlier pass, over an image of whatever size. Before each operation on tensors the
thread looks whether it is to stop.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from napari_hsr.errors import Cancelled
from napari_hsr.inference.devices import full_float32
from napari_hsr.progress import COMPUTING_THREAD, stop_if

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import torch

    #: Share of a pass that is done when a part ends: by the part and how often it ended before.
    Profile = dict[tuple[int, int], float]

T = TypeVar("T")

#: Seconds between two reports.
POLL = 0.1
#: Seconds that a cancelled run waits for the operation under way. The thread then ends by itself.
PATIENCE = 1.0
#: A share that rests on the expected time alone does not go beyond this.
BY_TIME = 0.95

#: Of the last whole pass of each network.
_PROFILES: WeakKeyDictionary[torch.nn.Module, Profile] = WeakKeyDictionary()
_END: Any = object()


def known(module: torch.nn.Module) -> bool:
    """Whether the parts of a network and their times are known from an earlier pass."""
    return module in _PROFILES


class Passes:
    """Steps that run networks, computed in a thread; a context manager, which ends the thread.

    Parameters
    ----------
    cancel : threading.Event, optional
    check : callable, optional
        Raises what keeps the network from being used any more; called before each of its operations,
        and after a pass.

    Attributes
    ----------
    seconds : float
        Time that the steps have taken so far.
    expected : float or None
        Seconds that a pass takes, where they are known: for networks that have not run before.
    """

    def __init__(
        self,
        cancel: threading.Event | None = None,
        check: Callable[[], None] | None = None,
    ):
        self.seconds = 0.0
        self.expected: float | None = None
        self._cancel, self._stop, self._check = cancel, threading.Event(), check
        self._thread = ThreadPoolExecutor(1, COMPUTING_THREAD)
        self._began, self._share, self._measured = 0.0, 0.0, False

    def __enter__(self) -> Passes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.shutdown(wait=False)

    @property
    def share(self) -> float:
        """How much of the pass under way is done, 0 to 1."""
        if self._measured or not self._began or not self.expected:
            return self._share
        return min((time.perf_counter() - self._began) / self.expected, BY_TIME)

    def events(self, steps: Iterator[T]) -> Generator[T | float, None, None]:
        """The items of ``steps``, and while one is computed the share of the pass that is done.

        Raises
        ------
        Cancelled
            Soon after ``cancel`` is set, at most :data:`PATIENCE` and :data:`POLL` later.
        """
        while True:
            work = self._thread.submit(self._step, steps)
            try:
                while not wait([work], POLL).done:
                    stop_if(self._cancel)
                    yield self.share
            except BaseException:  # also a consumer that has had enough
                self._stop.set()
                wait([work], PATIENCE)
                raise
            item = work.result()
            if item is _END:
                return
            yield item

    def run(self, module: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        """One pass of a network, to be called by a step.

        Raises
        ------
        Cancelled
            If it is to stop.
        """
        import torch

        known, ended = _PROFILES.get(module, {}), Counter[int]()
        times: Profile = {}
        here = threading.get_ident()

        def on_end(part: torch.nn.Module, *_: object) -> None:
            if threading.get_ident() != here:  # another network, in another thread
                return
            self._stop_if_asked()
            ended[id(part)] += 1
            key = id(part), ended[id(part)]
            times[key] = time.perf_counter() - self._began
            self._share = max(self._share, known.get(key, 0.0))

        self._share, self._measured, self._began = 0.0, bool(known), time.perf_counter()
        hook = torch.nn.modules.module.register_module_forward_hook(on_end)
        try:
            on = images.device
            with torch.inference_mode(), _stopping(self._stop_if_asked, on), full_float32(on):
                result: torch.Tensor = module(images)
        finally:
            hook.remove()
        if self._check is not None:  # weights that changed meanwhile made another result
            self._check()
        whole = max(time.perf_counter() - self._began, 1e-9)
        _PROFILES[module] = {key: seconds / whole for key, seconds in times.items()}
        self._began = 0.0
        return result

    def _step(self, steps: Iterator[T]) -> T:
        start = time.perf_counter()
        try:
            return next(steps, _END)
        finally:
            self.seconds += time.perf_counter() - start

    def _stop_if_asked(self) -> None:
        if self._stop.is_set():
            raise Cancelled
        stop_if(self._cancel)
        if self._check is not None:
            self._check()


def _stopping(stop_if_asked: Callable[[], None], device: torch.device) -> Any:
    """A context in which each operation on tensors is preceded by a look whether to stop."""
    from contextlib import nullcontext

    from torch.overrides import TorchFunctionMode

    class Stopping(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            stop_if_asked()
            return func(*args, **(kwargs or {}))

    # elsewhere operations are only queued here, and looking would slow that down
    return Stopping() if device.type == "cpu" else nullcontext()
