"""``python -m napari_hsr.train``: the same as ``napari-hsr train``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Train by a recipe and return the exit status; see :mod:`napari_hsr.cli.train`."""
    from napari_hsr.cli import main as command_line

    return command_line(["train", *(sys.argv[1:] if argv is None else argv)])


if __name__ == "__main__":
    status = main()
    if os.environ.get("WORLD_SIZE", "1") != "1":  # one of several, as torchrun starts them
        from napari_hsr.training.engine.launch import end_process

        end_process(status)
    raise SystemExit(status)
