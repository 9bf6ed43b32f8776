"""What a session may hold of shapes, and of what our layers carry: it may come from anybody."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    #: Corners of a shape.
    Corners = Sequence[Sequence[float]]

#: Shapes of a session, and what drawing them may cost: that of a polygon grows with its corners squared.
_MOST_SHAPES, _MOST_DRAWING = 5_000, 10_000_000
#: Edges of a polygon that may lie across one another's extents, and as many again for each corner:
#: napari takes seconds for a tangle of hundreds.
_MOST_CROSSINGS, _CROSSINGS = 1_000, 20

_Text = Annotated[str, Field(max_length=4096)]


def check_drawing(shapes: Sequence[Corners]) -> None:
    """ValueError if the shapes would keep the viewer from answering for seconds."""
    corners = [len(shape) for shape in shapes]
    if len(corners) > _MOST_SHAPES:
        raise ValueError(f"more than {_MOST_SHAPES:,} shapes")
    if sum(n * n for n in corners) > _MOST_DRAWING:
        raise ValueError("shapes of more corners than can be drawn soon")


def is_tangle(corners: Corners) -> bool:
    """Whether far more edges lie across one another than those of a drawn outline."""
    if len(corners) < 50:
        return False
    ends = np.array(corners)[:, -2:]
    edges = np.stack([ends, np.roll(ends, -1, axis=0)])
    low, high = edges.min(axis=0), edges.max(axis=0)
    most, crossing = _MOST_CROSSINGS + _CROSSINGS * len(ends), 0
    for at in range(0, len(ends), 256):  # a block of pairs at a time
        part = slice(at, at + 256)
        apart = (low[part, None] > high) | (low > high[part, None])
        crossing += int((~apart.any(axis=-1)).sum())
    return crossing > 2 * most


class _Map(BaseModel):
    """State of a map or of classes, as :mod:`napari_hsr.viewer.layers` writes it."""

    model_config = ConfigDict(extra="allow", strict=True)
    kind: Literal["map", "classes"]
    title: _Text | None = None
    unit: _Text | None = None
    beyond: FiniteFloat | None = None
    provenance: dict[_Text, JsonValue] = {}


class _Compared(BaseModel):
    """What a map of errors shows, as :mod:`napari_hsr.viewer.comparison` writes it."""

    model_config = ConfigDict(extra="allow", strict=True)
    kind: _Text
    pair: Annotated[list[_Text], Field(min_length=2, max_length=2)]


class _Analysed(BaseModel):
    """What a map of an analysis shows, as :mod:`napari_hsr.viewer.analysis_maps` writes it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    cube: _Text
    kind: _Text


#: What layers of ours carry, by key, and the models of it.
_CARRIED: dict[str, TypeAdapter[Any]] = {
    "hsr": TypeAdapter(_Map),
    "hsr_map": TypeAdapter(_Compared),
    "hsr_analysis": TypeAdapter(_Analysed),
    "hsr_source": TypeAdapter(_Text),
    "hsr_added_as": TypeAdapter(_Text),
    "napari_hsr_pins": TypeAdapter(Literal[True]),
}


def carried(metadata: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """What of a layer's metadata is as our layers carry it, and whether that is all of it."""
    kept = {}
    for key, model in _CARRIED.items():
        with suppress(ValidationError):
            if key in metadata:
                model.validate_python(metadata[key])
                kept[key] = metadata[key]
    return kept, len(kept) == len(metadata)
