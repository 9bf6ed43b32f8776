"""An OME-Zarr 0.5 that is written part by part, by one run or by several one after the other.

The cube lies in shards over all bands, each a file that appears whole or not at all, with a pyramid
of halved sizes. Until it is finished the store is called ``NAME.unfinished.zarr`` and keeps a
journal of what is there, one line of JSON after each part, and the fingerprint of its run: another
run goes on only if it would write the same. Parts are disjoint, so that several processes can write
them without a lock; the journal is kept by one.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import finite_range
from napari_hsr.io import embedded_record, whole_arrays
from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.library_errors import translated
from napari_hsr.io.tiff import ome_metadata
from napari_hsr.io.zarr import resumed as zarr_resumed
from napari_hsr.io.zarr import store_check
from napari_hsr.io.zarr.files import RUN, ArrayOfThree, library
from napari_hsr.io.zarr.pyramid import CHUNK_VALUES, FEWEST_BANDS, Level, halve, halved, levels
from napari_hsr.io.zarr.unfinished_store import UnfinishedStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_hsr.cube import Cube

    #: Row and column of a shard.
    Shard = tuple[int, int]


class ZarrInParts(UnfinishedStore):
    """A store that is begun, or gone on with.

    Parameters
    ----------
    like : Cube
        Its shape, wavelengths, units and name; the values are not looked at.
    shard : (int, int)
        Height and width of the shards, in pixels.
    path, run, overwrite
        Of an :class:`~napari_hsr.io.zarr.unfinished_store.UnfinishedStore`, whose errors it raises.
    """

    def __init__(
        self,
        path: Path,
        like: Cube,
        shard: tuple[int, int],
        run: Mapping[str, Any],
        *,
        overwrite: bool = False,
    ):
        self._like, self.shape, self.shard = like, like.shape, shard
        self._sizes = levels(self.shape[1:], shard)
        super().__init__(path, {**run, "tile": list(shard)}, overwrite=overwrite)

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which writes parts and keeps no journal."""
        return {**self.__dict__, "entries": [], "_arrays": [], "_like": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.drafts.is_dir():  # this machine sees it
            self._open_again()

    # --- parts ---------------------------------------------------------------------------------

    @property
    def grid(self) -> tuple[int, int]:
        """Numbers of shards down and across."""
        down, across = (-(-n // side) for n, side in zip(self.shape[1:], self.shard, strict=True))
        return down, across

    def place(self, shard: Shard) -> tuple[slice, slice]:
        """Rows and columns of a shard, in pixels."""
        rows, columns = (
            slice(i * side, min((i + 1) * side, n))
            for i, side, n in zip(shard, self.shard, self.shape[1:], strict=True)
        )
        return rows, columns

    def put(self, shard: Shard, values: np.ndarray) -> dict[str, Any]:
        """Write a shard, (bands, height, width) float32, and what it is in the smaller sizes.

        Any process may do this, for any shard.

        Returns
        -------
        dict
            What the journal keeps of it.
        """
        low, high = finite_range(values)
        early = [number for number, level in enumerate(self._sizes) if level.early]
        with self._into(*(self._file(shard, number) for number in early)):
            for number in early:
                level = self._sizes[number]
                # zarr would read what a killed run or a failure of power has left there
                self._file(shard, number).unlink(missing_ok=True)
                values = halved(values) if number else values
                corner = (i * side for i, side in zip(shard, level.shard, strict=True))
                rows, columns = (
                    slice(start, start + n)
                    for start, n in zip(corner, values.shape[1:], strict=True)
                )
                self._arrays[number][:, rows, columns] = values
        sums = zarr_resumed.checksum(self._file(shard))
        return {"shard": list(shard), "range": [low, high] if low <= high else None, **sums}

    def is_there(self, entry: Mapping[str, Any]) -> bool:
        """Whether the shard that the journal tells of lies there, all of it."""
        try:
            file = self._file(entry["shard"])
            if file.stat().st_size != entry["bytes"]:
                return False
            return "crc32" not in entry or zarr_resumed.checksum(file)["crc32"] == entry["crc32"]
        except OSError:
            return False

    def draft(self, name: str, values: np.ndarray) -> None:
        """Keep an array under a name, whole or not at all."""
        path = self.drafts / f"{name}.npy"
        temporary = path.with_suffix(".tmp")
        with self._writing():
            with temporary.open("wb") as file:
                whole_arrays.save(file, values)
            os.replace(temporary, path)

    # --- the end -------------------------------------------------------------------------------

    def view(self) -> LazyArray:
        """The cube as it is now, (bands, height, width)."""
        return LazyArray(ArrayOfThree(self._arrays[0]), path=self.folder)

    def finish(self, cube: Cube) -> Cube:
        """All parts are there: write the rest of the pyramid and the facts, and give it its name.

        Returns
        -------
        Cube
            The same, its data read from the store.
        """
        zarr = library(self._named)
        down, across = self.grid
        parts = (self._file((i, j)) for i in range(down) for j in range(across))
        self._check_whole("a part", all(part.is_file() for part in parts))
        with self._into():
            for number, level in enumerate(self._sizes):
                if not level.early:
                    halve(self._arrays[number - 1], self._arrays[number])
            group = zarr.open_group(self.folder, mode="r+")
            found = ome_metadata.attributes(cube, cube.value_range, "0.5", len(self._sizes))
            group.attrs.update({**found, RUN: self._run | {"finished": True}})
        self._take_its_name()
        return cube.replace(data=pyramid(self._named)[0], _value_range=cube.value_range)

    # --- beginning -----------------------------------------------------------------------------

    def _fill(self, group: Any) -> None:
        for number, level in enumerate(self._sizes):
            self._create(group, str(number), level, self._like.units)
        found = ome_metadata.attributes(self._like, (0.0, 1.0), "0.5", len(self._sizes))
        group.attrs.update(found)

    def _is_entry(self, entry: Any) -> bool:
        return zarr_resumed.is_part(entry, self.grid)

    def _create(self, group: Any, name: str, level: Level, units: str | None) -> None:
        from zarr.codecs import BloscCodec

        bands = self.shape[0]
        deep = min(bands, max(FEWEST_BANDS, CHUNK_VALUES // math.prod(level.chunk)))
        group.create_array(
            name,
            shape=(bands, *level.size),
            chunks=(deep, *level.chunk),
            shards=(-(-bands // deep) * deep, *level.shard),
            dtype="float32",
            compressors=BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"),
            fill_value=np.nan,
            dimension_names=("c", "y", "x"),
            attributes={"units": units} if units else {},
            config={"write_empty_chunks": True},
        )

    def _open_again(self) -> None:
        zarr = library(self._named)
        with translated(self.folder, "it is damaged"):
            group = zarr.open_group(self.folder, mode="r+")
            config = {"write_empty_chunks": True}
            names = [str(level) for level in range(len(self._sizes))]
            zarr_resumed.check_names(self.folder, group, names)
            found = [group[name].with_config(config) for name in names]
        made = zarr.open_group({}, mode="w", zarr_format=3)
        for name, level in zip(names, self._sizes, strict=True):
            self._create(made, name, level, None)
        zarr_resumed.check_arrays(self.folder, found, [made[name] for name in names])
        self._arrays = found

    def _file(self, shard: Any, level: int = 0) -> Path:
        return self.folder.joinpath(str(level), "c", "0", *map(str, shard))


def pyramid(path: Path) -> list[LazyArray]:
    """All sizes of a finished store, the cube itself first.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with translated(path, "it cannot be read"):
        # one that is removed or replaced while it is open holds no missing values
        group = library(path).open(store_check.checked(path), mode="r", use_consolidated=False)
        arrays = [group[str(level)] for level in range(sum(name.isdecimal() for name in group))]
        for array in arrays:
            store_check.check_array(path, array)
            store_check.state_whole(array)  # our stores hold each of their chunks
    return [LazyArray(ArrayOfThree(array), path=path) for array in arrays]


def restate(path: Path, cube: Cube) -> None:
    """Write what is known of a cube into the store that holds its values."""
    with translated(path, "it cannot be written"):
        group = library(path).open_group(path, mode="r+")
        group.attrs[embedded_record.KEY] = embedded_record.of_cube(cube)
