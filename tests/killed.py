"""Work that is killed at one of the system calls that change a folder, before or after it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: These change a folder, or make what was written last.
CHANGES = ("replace", "rename", "link", "unlink", "mkdir", "fsync")


def killed(
    work: Callable[[], object],
    at: int,
    before: bool,
    end: Callable[[], object] = lambda: os._exit(9),
) -> int:
    """Run in a forked process, which ends at the n-th change of the file system; the changes made."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        count = 0

        def watched(name: str) -> Callable[..., object]:
            real = getattr(os, name)

            def call(*args, **options):
                nonlocal count
                count += 1
                os.write(theirs, b".")
                if count == at and before:
                    end()
                result = real(*args, **options)
                if count == at and not before:
                    end()
                return result

            return call

        for name in CHANGES:
            setattr(os, name, watched(name))
        try:
            work()
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as told:
        return len(told.read())


class Failing:
    """The n-th change of the file system fails, or all from there on: a full disk, permission lost.

    What is there can still be taken away.
    """

    def __init__(self, monkeypatch, at: int, number: int = errno.ENOSPC, once: bool = False):
        self.count, self.at, self.number, self.once = 0, at, number, once
        for name in CHANGES:
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))

    def _failing(self, real):
        def call(*args, **options):
            self.count += 1
            here = self.count == self.at if self.once else self.count >= self.at
            if here and real.__name__ != "unlink":
                raise OSError(self.number, os.strerror(self.number), str(args[:1]))
            return real(*args, **options)

        return call
