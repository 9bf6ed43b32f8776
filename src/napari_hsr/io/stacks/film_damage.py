"""Damage in films: which frames are sound, where the decoder would paint over what is lost."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from contextlib import contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What the decoder gives up on: sums of check that are wrong, and faults that it would paint over with other frames. Cameras
#: write JPEG with parts that are against its rules, and each of its frames stands for itself.
STRICT = {"err_detect": "crccheck+explode"}
STRICT_OF = {"mjpeg": {"err_detect": "crccheck"}}
#: A codec of which FFmpeg only says that a sum of check is wrong.
ONLY_SAYS = "ffv1"


class Sound:
    """Which pictures are sound: those after one that is lost build on it, up to the next whole picture.

    Parameters
    ----------
    wholes : list of (int, int)
        Times of the whole pictures, ascending, and their places.
    counted : bool
        Pictures have no times of their own: they are sound by the order in which they come.
    """

    def __init__(self, wholes: list[tuple[int, int]], counted: bool):
        self._wholes, self._counted = wholes, counted
        #: Sound are pictures from this time on; those decoded before another was lost are so too.
        self._begins = math.inf if wholes else -math.inf
        self._decoded: set[int] = set()
        self._broken = False

    def lost(self) -> None:
        """A picture could not be decoded."""
        self._begins, self._broken = math.inf, True

    def decoded(self, packet: Any) -> None:
        """A packet was decoded without a fault."""
        time = time_of(packet)
        if time is None:
            return
        if packet.is_keyframe and math.isinf(self._begins):
            self._begins = time  # those shown before it build on what is before it
        if time >= self._begins:
            self._decoded.add(time)

    def shows(self, picture: Any, time: int) -> bool:
        """Whether a picture is sound; one that the decoder calls corrupt takes those behind it along."""
        if self._broken and picture.key_frame and not math.isinf(self._begins):
            self._broken = False
        if picture.is_corrupt:
            after = bisect_right(self._wholes, time, key=itemgetter(0))
            whole = self._wholes[after][0] if after < len(self._wholes) else math.inf
            if math.isinf(whole) or whole not in self._decoded:
                self._begins = math.inf
            self._decoded = {t for t in self._decoded if t < time or t >= whole}
            self._broken = True
            return False
        if self._counted:
            return not self._broken
        known = time in self._decoded
        self._decoded.discard(time)
        return known


@contextmanager
def complaints() -> Iterator[list[Any]]:
    """What FFmpeg says of faults inside, which it prints otherwise or keeps to itself."""
    import av.logging

    printed, level = logging.getLogger("libav"), av.logging.get_level()
    propagates, printed.propagate = printed.propagate, False
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as said:
            yield said
    finally:
        av.logging.set_level(level)
        printed.propagate = propagates


def time_of(packet: Any) -> int | None:
    """When a packet or picture is shown; some containers state only the order of decoding."""
    found = packet.dts if packet.pts is None else packet.pts
    return None if found is None else int(found)
