"""Figures of a training for people, with their units: the same in a terminal and in a panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.training.data.findings import Row
    from napari_hsr.training.events import Step

#: Figures of held-out images in reading order: key, name, unit, decimals.
FIGURES = (
    ("psnr_db", "PSNR", "dB", 2),
    ("sam_deg", "SAM", "°", 2),
    ("mrae", "MRAE", "", 4),
    ("rmse", "RMSE", "", 4),
    ("ssim", "SSIM", "", 4),
)


def describe_figures(figures: Mapping[str, float | None]) -> str:
    """``PSNR 32.41 dB, SAM 7.12°, MRAE 0.1490``: missing figures are left out."""
    said = []
    for key, name, unit, decimals in FIGURES:
        value = figures.get(key)
        if value is not None:
            space = " " if unit == "dB" else ""
            said.append(f"{name} {value:.{decimals}f}{space}{unit}")
    return ", ".join(said) or "no figures"


def describe_step(event: Step, *, loss: bool = True) -> str:
    """``Step 400 of 2,000 · loss 0.0312 · 35 patches/s · 4 min left · 812 MB of memory``."""
    parts = [f"Step {event.step:,}" + (f" of {event.total:,}" if event.total else "")]
    if loss and event.loss is not None:
        parts.append(f"loss {event.loss:.4g}")
    if event.images_per_second:
        parts.append(f"{event.images_per_second:.3g} patches/s")
    if event.seconds_left:
        parts.append(f"{format_seconds(event.seconds_left)} left")
    if event.memory_bytes:
        parts.append(f"{format_bytes(event.memory_bytes)} of memory")
    return " · ".join(parts)


def change(before: float | None, after: float | None, decimals: int) -> str:
    """``30.12 → 32.40``; a dash for what is not known."""
    shown = ["–" if value is None else f"{value:.{decimals}f}" for value in (before, after)]
    return " → ".join(shown)


def describe_left_over(row: Row) -> str:
    """``2 rows and 1 column`` of an image that the scale does not divide; empty if it does."""
    named = zip(row.left_over, ("row", "column"), strict=True)
    return " and ".join(f"{n} {what}{'s' * (n > 1)}" for n, what in named if n)
