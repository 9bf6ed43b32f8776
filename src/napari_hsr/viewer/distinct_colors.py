"""Colours of points and shapes that tell them apart, as napari holds them and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

#: napari's default edge colour of shapes.
_DEFAULT_EDGE = "#777777"


def hex_color(rgba: Sequence[float]) -> str:
    """``#rrggbb`` of a colour given as 0..1."""
    return "#" + "".join(f"{round(255 * float(v)):02x}" for v in np.asarray(rgba)[:3])


def hex_colors(colors: Any) -> list[str]:
    """``#rrggbb`` of many colours (n, 3 or 4), as :func:`hex_color` of one."""
    rounded = np.round(255 * np.asarray(colors, dtype=float)[:, :3])
    return [f"#{code:06x}" for code in (rounded.astype(int) @ (65536, 256, 1)).tolist()]


def distinct_colors(
    colors: np.ndarray, fresh: Sequence[int], palette: Sequence[str], avoid: Collection[str] = ()
) -> np.ndarray:
    """Give the entries ``fresh`` of ``colors``, RGBA in 0..1, colours that no other entry has.

    Nor those in ``avoid``, as far as the palette goes.
    """
    colors = np.array(colors, dtype=float)
    taken = {*hex_colors(np.delete(colors, fresh, axis=0)), *avoid}
    for i in fresh:
        color = next((c for c in palette if c not in taken), palette[i % len(palette)])
        taken.add(color)
        colors[i, :3] = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return colors


def tell_shapes_apart(
    layer: Any, seen: int, palette: Sequence[str], avoid: Collection[str] = ()
) -> None:
    """Give new shapes distinct edge colours.

    Parameters
    ----------
    layer : Shapes layer
    seen : int
        Number of its shapes seen before, whose colours are kept unless they are the default.
    palette : sequence of str
    avoid : collection of str
        Colours that pins have.
    """
    colors, fresh, taken = hex_colors(layer.edge_color), [], set()
    for i, color in enumerate(colors):
        if color == _DEFAULT_EDGE or (i >= seen and color in taken):
            fresh.append(i)
        taken.add(color)
    if fresh:
        layer.edge_color = distinct_colors(layer.edge_color, fresh, palette, avoid)
