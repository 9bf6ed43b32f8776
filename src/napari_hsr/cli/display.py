"""A display for the viewer: the user's own, or Xvfb where there is none.

``python -m napari_hsr.cli.display COMMAND…`` runs a command under an Xvfb of fixed size.
A process that has opened a window must not outlive its display, so Xvfb is meant for others.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = "1600x1200x24"


def real_display() -> bool:
    """True if windows can be shown to a user here.

    A ``DISPLAY`` that nobody answers (left over in a long terminal session) counts as none:
    Qt would end the whole program on it.
    """
    if not sys.platform.startswith("linux"):
        return True
    if os.environ.get("WAYLAND_DISPLAY"):
        return True
    name = os.environ.get("DISPLAY", "")
    return bool(name) and _answers(name)


def _answers(name: str) -> bool:
    """True if an X server listens at ``name``, e.g. ``:0``, ``unix:1.0``, ``localhost:10.0``."""
    host, _, screen = name.rpartition(":")
    number = screen.split(".")[0]
    if not number.isdigit():
        return False
    if host in ("", "unix"):
        path = f"/tmp/.X11-unix/X{number}"
        addresses: list[tuple[int, Any]] = [(socket.AF_UNIX, path), (socket.AF_UNIX, "\0" + path)]
    else:
        addresses = [(socket.AF_INET, (host, 6000 + int(number)))]
    for family, address in addresses:
        with closing(socket.socket(family)) as connection:
            connection.settimeout(2)
            try:
                connection.connect(address)
            except OSError:
                continue
            return True
    return False


def can_start_xvfb() -> bool:
    """True if an Xvfb is installed."""
    return shutil.which("Xvfb") is not None


@contextmanager
def xvfb() -> Iterator[str]:
    """Start Xvfb on a free display, point new processes at it, and end it in any case."""
    readable, writable = os.pipe()
    try:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writable), "-screen", "0", SIZE, "-nolisten", "tcp"],
            pass_fds=[writable],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us: Qt must not lose its display first
        )
    finally:
        os.close(writable)
    try:
        with open(readable, closefd=True) as answers, _sigterm_unwinds():
            ready, _, _ = select.select([answers], [], [], 30)
            number = answers.readline().strip() if ready else ""
            if not number:
                raise OSError("Xvfb did not start.")
            with _environment(DISPLAY=f":{number}", QT_QPA_PLATFORM="xcb", WAYLAND_DISPLAY=None):
                yield f":{number}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    _set_environment(values)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Let a polite ``kill`` run the ``finally`` clauses, so that no Xvfb is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_under_xvfb(command: list[str]) -> int:
    """Run a command under Xvfb and return its exit status, 128 + n if signal n ended it."""
    sys.stdout.flush()
    with xvfb():
        status = subprocess.run(command, check=False).returncode
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(run_under_xvfb(sys.argv[1:]))
