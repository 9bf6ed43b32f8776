"""Numbers with their unit, and texts of others, for people."""

from __future__ import annotations

import os
import re
from pathlib import Path


def format_bytes(count: float) -> str:
    """Bytes in decimal units, as file managers and disks are labelled: ``13 MB``, ``1.2 GB``."""
    if count < 1000:
        return "less than 1 kB"
    if count < 0.95e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e9:.1f} GB" if count >= 0.95e9 else f"{count / 1e6:.0f} MB"


def format_seconds(seconds: float) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``3 min``, ``1 h 20 min``; none where a clock was set back."""
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def device_words(device: object) -> str:
    """A device as it stands in a sentence: ``the CPU``, ``the CPU, 2 threads``, ``cuda:0``."""
    name = str(device)
    return f"the CPU{name[3:]}" if name[:3].lower() == "cpu" else name


def one_line(text: object, longest: int = 1_000) -> str:
    """A text of a file or a card as one line that a terminal only shows.

    Control characters and ends of lines could erase what was printed, or imitate it.
    """
    line = "".join(c if c.isprintable() else "\ufffd" for c in str(text)[: longest + 1])
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def file_stem(text: str, longest: int = 60) -> str:
    """A name of a layer or a cube as that of a file, without its suffix, short enough for any disk.

    A long one loses its middle: the number of a frame stands at the end.
    """
    plain = re.sub(r"[^\w.-]+", "_", text).strip("_.")
    if len(plain) > longest:
        plain = f"{plain[: longest // 2]}_{plain[-(longest // 2 - 1) :]}"
    return plain or "cube"


def from_home(place: Path) -> str:
    """A path as users write it: ``~/.cache/…``, or that it is their home folder itself."""
    home = Path(os.path.expanduser("~"))  # unchanged if there is no home
    if place == home:
        return "your home folder"
    return f"~/{place.relative_to(home).as_posix()}" if place.is_relative_to(home) else str(place)
