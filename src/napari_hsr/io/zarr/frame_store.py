"""The cubes of a film in one zarr store: (time, band, y, x), written frame by frame.

The store is an OME-Zarr 0.5 with the axes t, c, y and x; beside its array ``0`` lie the coordinates ``t``
and ``c`` as xarray expects them. Shards are of one frame. Frames that could not be made are NaN.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import finite_range
from napari_hsr.errors import FileError, Hint
from napari_hsr.io.library_errors import translated
from napari_hsr.io.tiff import ome_metadata
from napari_hsr.io.zarr import resumed as zarr_resumed
from napari_hsr.io.zarr.files import FRAMES, RUN, library
from napari_hsr.io.zarr.pyramid import CHUNK_VALUES, FEWEST_BANDS, MOST_PIXELS
from napari_hsr.io.zarr.unfinished_store import UnfinishedStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_hsr.cube import Cube
    from napari_hsr.photograph_stack import StackAxis

#: Rows and columns of a shard, at most.
_SHARD = 1024


class FrameStore(UnfinishedStore):
    """A store of frames that is begun, or gone on with.

    Parameters
    ----------
    like : Cube
        The shape, wavelengths, units and name of each frame; the values are not looked at.
    axis : StackAxis
        What the frames lie on, and how many there are now.
    path, run, overwrite
        Of an :class:`~napari_hsr.io.zarr.unfinished_store.UnfinishedStore`, whose errors it raises.

    Attributes
    ----------
    finished : dict of int to dict
        What the journal says of each frame that is there.
    """

    def __init__(
        self,
        path: Path,
        like: Cube,
        axis: StackAxis,
        run: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ):
        self._like, self._axis = like, axis
        super().__init__(path, run, overwrite=overwrite)

    def grow(self, axis: StackAxis) -> None:
        """Make room for the frames that have come."""
        self._axis = axis
        with self._into():
            if axis.size > self._array.shape[0]:
                self._array.resize((axis.size, *self._like.shape))
            self._put_coordinates(self._group)

    def put(self, number: int, cube: Cube, **facts: Any) -> None:
        """Write a frame, and note that it is there."""
        values = np.asarray(cube.data, np.float32)
        with self._into(self._place(number)):
            if self._place(number).exists():  # of a killed run: zarr would read it
                shutil.rmtree(self._place(number))
            self._array[number] = values
        low, high = finite_range(values)
        found = [low, high] if low <= high else None
        sums = zarr_resumed.checksum(self._place(number))
        entry = {"frame": number, "range": found, **sums, **facts}
        self.note(entry)
        self.finished[number] = entry

    def drop(self, number: int) -> None:
        """Leave a frame empty that an earlier run wrote from a file which is there no longer."""
        if self.finished.pop(number, None) is not None:
            with self._writing():
                shutil.rmtree(self._place(number))

    def finish(self, cube: Cube, failures: Mapping[int, str]) -> None:
        """No frame comes any more: write the facts, those of ``cube`` for all, and give it its name."""
        known = [entry["range"] for entry in self.finished.values() if entry["range"]]
        limits = (0.0, 0.0)
        if known:
            limits = min(low for low, _ in known), max(high for _, high in known)
        told = {str(number + 1): reason for number, reason in sorted(failures.items())}
        self._check_whole("a frame", all(self._place(n).is_dir() for n in self.finished))
        with self._into():
            found = _attributes(cube, self._axis, limits)
            facts = {"frames": self._axis.size, "failures": told}
            self._group.attrs.update({**found, FRAMES: facts, RUN: self._run | {"finished": True}})
        self._take_its_name()

    def _open_again(self) -> None:
        zarr = library(self._named)
        with translated(self.folder, "it is damaged"):
            self._group = zarr.open_group(self.folder, mode="r+")
            zarr_resumed.check_names(self.folder, self._group, "0")
            self._array = self._group["0"].with_config({"write_empty_chunks": True})
            frames = int(self._array.shape[0])
        made = zarr.open_group({}, mode="w", zarr_format=3)
        zarr_resumed.check_arrays(self.folder, [self._array], [self._create(made, frames)])
        if frames > self._axis.size:
            raise FileError(
                self.folder,
                f"it was begun with {frames:,} frames, and there are {self._axis.size:,} now: overwrite it "
                "to begin anew, or choose another name",
                Hint.BEGIN_ANEW,
            )
        self.finished = {entry["frame"]: entry for entry in self.entries if self._is_there(entry)}
        self.grow(self._axis)

    def _is_entry(self, entry: Any) -> bool:
        return zarr_resumed.is_frame(entry)

    def _place(self, number: int) -> Path:
        """The folder of a frame's shards."""
        return self.folder / "0" / "c" / str(number)

    def _is_there(self, entry: Mapping[str, Any]) -> bool:
        """Whether the frame that the journal tells of lies there as it was written."""
        found = zarr_resumed.checksum(self._place(entry["frame"]))
        return all(found[key] == entry[key] for key in found)

    def _fill(self, group: Any) -> None:
        self._create(group, self._axis.size)
        self._put_coordinates(group)
        facts = {"frames": self._axis.size, "failures": {}}
        group.attrs.update({**_attributes(self._like, self._axis, (0.0, 1.0)), FRAMES: facts})

    def _create(self, group: Any, frames: int) -> Any:
        from zarr.codecs import BloscCodec

        bands, height, width = self._like.shape
        down, across = (min(n, MOST_PIXELS) for n in (height, width))
        deep = min(bands, max(FEWEST_BANDS, CHUNK_VALUES // (down * across)))
        chunk = deep, down, across
        most = bands, min(height, _SHARD), min(width, _SHARD)
        shard = tuple(-(-n // side) * side for n, side in zip(most, chunk, strict=True))
        return group.create_array(
            "0",
            shape=(frames, *self._like.shape),
            chunks=(1, *chunk),
            shards=(1, *shard),
            dtype="float32",
            compressors=BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"),
            fill_value=np.nan,
            dimension_names=("t", "c", "y", "x"),
            attributes={"units": self._like.units} if self._like.units else {},
        )

    def _put_coordinates(self, group: Any) -> None:
        unit = {} if self._axis.unit == "pixel" else {"units": self._axis.unit}
        coordinates = {"t": (_times(self._axis), unit)}
        if self._like.wavelengths is not None:
            coordinates["c"] = np.array(list(self._like.wavelengths)), {"units": "nm"}
        for name, (values, attributes) in coordinates.items():
            group.create_array(
                name,
                data=values,
                dimension_names=(name,),
                attributes=attributes,
                chunks=values.shape,
                overwrite=True,
            )


def _times(axis: StackAxis) -> np.ndarray:
    return np.array([axis.at(number) for number in range(axis.size)], np.float64)


def _attributes(cube: Cube, axis: StackAxis, limits: tuple[float, float]) -> dict[str, Any]:
    """Those of a cube, with the axis of the frames before it."""
    found = ome_metadata.attributes(cube, limits, "0.5")
    scale = found["ome"]["multiscales"][0]
    kind = {"type": "time"} if axis.name == "time" else {}
    unit = {} if axis.unit == "pixel" else {"unit": axis.unit}
    scale["axes"] = [{"name": "t", **kind, **unit}, *scale["axes"]]
    transformations = scale["datasets"][0]["coordinateTransformations"]
    for one, first in zip(transformations, (axis.step, axis.start), strict=True):
        one[one["type"]].insert(0, float(first))
    return found
