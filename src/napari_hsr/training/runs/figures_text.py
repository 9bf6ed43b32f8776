"""Figures of a training for people, with their units: the same in a terminal and in a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Figures of held-out images in the order of reading: key, name, unit, decimals.
FIGURES = (
    ("psnr_db", "PSNR", "dB", 2),
    ("sam_deg", "SAM", "°", 2),
    ("mrae", "MRAE", "", 4),
    ("rmse", "RMSE", "", 4),
    ("ssim", "SSIM", "", 4),
)


def figures_words(figures: Mapping[str, float | None]) -> str:
    """``PSNR 32.41 dB, SAM 7.12°, MRAE 0.1490``: what is not there is left out."""
    said = []
    for key, name, unit, decimals in FIGURES:
        if figures.get(key) is not None:
            space = " " if unit and unit != "°" else ""
            said.append(f"{name} {figures[key]:.{decimals}f}{space}{unit}")
    return ", ".join(said) or "no figures"


def change(before: float | None, after: float | None, decimals: int) -> str:
    """``30.12 → 32.40``; a dash for what is not known."""
    shown = ["–" if value is None else f"{value:.{decimals}f}" for value in (before, after)]
    return " → ".join(shown)


def left_over_words(row) -> str:
    """``2 rows and 1 column`` of an image that do not divide by the scale; empty if all do."""
    named = zip(row.left_over, ("row", "column"), strict=True)
    return " and ".join(f"{n} {what}{'s' * (n > 1)}" for n, what in named if n)


def duration(seconds: float) -> str:
    """``45 s``, ``4 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def bytes_words(count: float) -> str:
    """``812 MB``, ``1.4 GB``."""
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
