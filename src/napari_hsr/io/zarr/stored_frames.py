"""What a zarr store with the cubes of several frames holds, without reading them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr import io
from napari_hsr.io.library_errors import translated
from napari_hsr.io.zarr import store_check as zarr_store
from napari_hsr.io.zarr.files import FRAMES, RUN, library
from napari_hsr.io.zarr.frame import is_there
from napari_hsr.photograph_stack import StackAxis

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """Cubes of one size along one axis, in a store.

    Attributes
    ----------
    axis : StackAxis
    failures : dict of int to str
        Frames that were left empty, by number from 0, and why.
    missing : tuple of int
        Others, from 0, of which no value is there.
    finished : bool
        Whether the run that writes it has come to its end.
    first : Cube or None
        The first that is there; None if none is.
    """

    axis: StackAxis
    failures: dict[int, str]
    missing: tuple[int, ...]
    finished: bool
    first: Cube | None

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON and for ``napari-hsr info``."""
        axis = self.axis
        one = {} if self.first is None else self.first.summary()
        for key in ("value_range", "value_range_is_estimate"):  # of one frame
            one.pop(key, None)
        return {
            **one,
            "kind": "frames",
            "shape": [axis.size, *one.get("shape", [])],
            "axis": {k: getattr(axis, k) for k in ("name", "size", "step", "start", "unit")},
            "failures": {str(number + 1): why for number, why in self.failures.items()},
            "missing": [number + 1 for number in self.missing],
            "finished": self.finished,
        }


def stored_frames(path: Path) -> StoredFrames | None:
    """What is in a store of frames; None if the store is another one.

    Raises
    ------
    FileError
        If it is damaged.
    """
    zarr = library(path)
    damaged = "the zarr store is damaged or cut short"
    with translated(path, damaged):
        group = zarr.open(zarr_store.checked(path), mode="r", use_consolidated=False)
        attributes = dict(group.attrs)
        facts = attributes.get(FRAMES)
        if not isinstance(facts, dict) or isinstance(group, zarr.Array):
            return None
        count = int(group["0"].shape[0])
        scale = attributes["ome"]["multiscales"][0]
        stated, *_ = scale["axes"]
        step, start = (
            float(one[one["type"]][0]) for one in scale["datasets"][0]["coordinateTransformations"]
        )
        axis = StackAxis(
            str(stated.get("type", "frame")), count, step, start, str(stated.get("unit", "pixel"))
        )
        told = {int(n) - 1: str(why) for n, why in (facts.get("failures") or {}).items()}
        run = attributes.get(RUN) or {}
        finished = bool(run.get("finished"))
    there = [n for n in range(count) if is_there(path, n)]
    missing = sorted(set(range(count)) - set(there) - set(told))
    known = next((n for n in there if n not in told), None)
    first: Any = None if known is None else io.read(f"{path}:{known + 1}")
    return StoredFrames(axis, dict(sorted(told.items())), tuple(missing), finished, first)
