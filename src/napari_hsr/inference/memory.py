"""How much memory a run took, measured while it runs."""

from __future__ import annotations

import threading

import psutil


class PeakMemory:
    """Context manager: ``bytes`` is the highest resident memory above that at the start.

    Resident memory is sampled every 10 ms, so a shorter peak can be missed. On a CUDA
    device its own count of allocated memory is added.
    """

    def __init__(self, device=None, interval: float = 0.01):
        self._process = psutil.Process()
        self._cuda = device if device is not None and device.type == "cuda" else None
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True, name="peak-memory")
        self._start = self._highest = 0
        self.bytes = 0

    def _sample(self) -> None:
        while not self._stop.wait(self._interval):
            self._highest = max(self._highest, self._process.memory_info().rss)

    def __enter__(self) -> PeakMemory:
        if self._cuda is not None:
            import torch

            torch.cuda.reset_peak_memory_stats(self._cuda)
        self._start = self._highest = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._highest = max(self._highest, self._process.memory_info().rss)
        self.bytes = self._highest - self._start
        if self._cuda is not None:
            import torch

            self.bytes += torch.cuda.max_memory_allocated(self._cuda)
