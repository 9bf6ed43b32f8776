"""An OME-Zarr 0.5 that is written part by part, by one run or by several one after the other.

The cube lies in shards over all bands, each a file that appears whole or not at all, with a pyramid
of halved sizes. Until it is finished the store is called ``NAME.unfinished.zarr`` and keeps a
journal of what is there, one line of JSON after each part, and the fingerprint of its run: another
run goes on only if it would write the same. Parts are disjoint, so that several processes can write
them without a lock; the journal is kept by one.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.cube import finite_range
from napari_hsr.errors import FileError
from napari_hsr.io import detect, embedded_record, limits, ome_metadata, zarr_resumed
from napari_hsr.io.atomic import beside, undisturbed
from napari_hsr.io.lazy import LazyArray
from napari_hsr.io.library_errors import translated
from napari_hsr.io.zarr_files import RUN, ArrayOfThree, library
from napari_hsr.io.zarr_pyramid import MOST_BANDS, Level, halve, halved, levels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_hsr.cube import Cube

    #: Row and column of a shard.
    Shard = tuple[int, int]


_JOURNAL = "journal"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def unfinished(path: Path) -> Path:
    """Where a store is while it is written."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.stem}.unfinished{target.suffix}")


def begun(path: Path) -> dict[str, Any] | None:
    """Facts of the run that began a store and did not finish it, or None."""
    return zarr_resumed.facts(unfinished(path), RUN)


class ZarrInParts:
    """A store that is begun, or gone on with.

    Parameters
    ----------
    path : Path
        Its name once it is finished; a store that has it then is replaced.
    like : Cube
        Its shape, wavelengths, units and name; the values are not looked at.
    shard : (int, int)
        Height and width of the shards, in pixels.
    run : mapping
        What the run is known by: JSON's types. A store that was begun is gone on with only if all
        its items are equal; a value that is a mapping is compared item by item.
    overwrite : bool
        Begin anew whatever was begun.

    Attributes
    ----------
    entries : list of dict
        The journal of earlier runs, in order.

    Raises
    ------
    FileError
        If there is something else of that name, another process is writing it, or another run
        began it.
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
        self._named, self._target = path, Path(os.path.realpath(path))
        self.folder, self.shape, self.shard = unfinished(path), like.shape, shard
        self._run = {**run, "tile": list(shard)}
        self._sizes = levels(self.shape[1:], shard)
        library(path)
        for place in (self._target, self.folder):
            if place.exists() and not detect.is_zarr(place):
                raise FileError(
                    place, "there is something else of that name, which is not replaced"
                )
        if not self._target.parent.is_dir():
            raise FileError(path, f"the folder {path.parent} does not exist")
        if self.folder.exists():
            zarr_resumed.check_plain(self.folder)
            self._check_unused()
            if overwrite and begun(path) is not None:  # else it is none of ours
                shutil.rmtree(self.folder)
        if self.folder.exists():
            self._check_run()
        else:
            self._begin(like)
        self._lock()
        self.entries = self._read_journal()
        self._arrays = self._open()

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which writes parts and keeps no journal."""
        return {**self.__dict__, "entries": [], "_arrays": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.drafts.is_dir():  # this machine sees it
            self._arrays = self._open()

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
        with self._writing():
            for number, level in enumerate(self._sizes):
                if not level.early:
                    break
                # zarr would read what a killed run or a failure of power has left there
                self._file(shard, number).unlink(missing_ok=True)
                values = halved(values) if number else values
                corner = (i * side for i, side in zip(shard, level.shard, strict=True))
                rows, columns = (
                    slice(start, start + n)
                    for start, n in zip(corner, values.shape[1:], strict=True)
                )
                self._arrays[number][:, rows, columns] = values
        file = self._file(shard)
        sums = {"bytes": file.stat().st_size, "crc32": zarr_resumed.checksum(file)}
        return {"shard": list(shard), "range": [low, high] if low <= high else None, **sums}

    def is_there(self, entry: Mapping[str, Any]) -> bool:
        """Whether the shard that the journal tells of lies there, all of it."""
        try:
            file = self._file(entry["shard"])
            if file.stat().st_size != entry["bytes"]:
                return False
            return "crc32" not in entry or zarr_resumed.checksum(file) == entry["crc32"]
        except OSError:
            return False

    def note(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the journal."""
        with self._writing(), (self.folder / _JOURNAL / "parts.jsonl").open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")

    @property
    def drafts(self) -> Path:
        """A folder for what is not yet a shard."""
        return self.folder / _JOURNAL

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise FileError(self._named, f"it cannot be written ({error.strerror})") from error
            raise FileError(
                self._named,
                f"the disk is full; what is finished is kept in {self.folder.name}: make room and "
                "run the same again, which goes on from there",
            ) from error

    def draft(self, name: str, values: np.ndarray) -> None:
        """Keep an array under a name, whole or not at all."""
        path = self.drafts / f"{name}.npy"
        temporary = path.with_suffix(".tmp")
        with self._writing():
            with temporary.open("wb") as file:
                np.save(file, values)
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
        with self._writing():
            for number, level in enumerate(self._sizes):
                if not level.early:
                    halve(self._arrays[number - 1], self._arrays[number])
            group = zarr.open_group(self.folder, mode="r+")
            found = ome_metadata.attributes(cube, cube.value_range, "0.5", len(self._sizes))
            group.attrs.update({**found, RUN: self._run | {"finished": True}})
            aside = beside(self._target, "old")
            with undisturbed():
                if self._target.exists():
                    os.replace(self._target, aside)
                os.replace(self.folder, self._target)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(self._target / _JOURNAL, ignore_errors=True)
        with translated(self._named, "it cannot be read"):
            array = zarr.open_array(self._target / "0", mode="r")
        data = LazyArray(ArrayOfThree(array), path=self._named)
        return cube.replace(data=data, _value_range=cube.value_range)

    def release(self) -> None:
        """Let other processes go on with it."""
        (self.folder / _JOURNAL / "lock").unlink(missing_ok=True)

    # --- beginning -----------------------------------------------------------------------------

    def _begin(self, like: Cube) -> None:
        zarr = library(self._named)
        temporary = beside(self.folder, "tmp")
        try:
            with undisturbed(), self._writing():
                group = zarr.open_group(temporary, mode="w", zarr_format=3)
                for number, level in enumerate(self._sizes):
                    self._create(group, str(number), level, like.units)
                found = ome_metadata.attributes(like, (0.0, 1.0), "0.5", len(self._sizes))
                group.attrs.update({**found, RUN: self._run | {"finished": False}})
                (temporary / _JOURNAL).mkdir()
                os.replace(temporary, self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _create(self, group: Any, name: str, level: Level, units: str | None) -> None:
        from zarr.codecs import BloscCodec

        bands = self.shape[0]
        deep = min(MOST_BANDS, bands)
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

    def _open(self) -> list[Any]:
        zarr = library(self._named)
        with translated(self.folder, "it is damaged"):
            group = zarr.open_group(self.folder, mode="r+")
            config = {"write_empty_chunks": True}
            names = [str(level) for level in range(len(self._sizes))]
            found = [group[name].with_config(config) for name in names]
        made = zarr.open_group({}, mode="w", zarr_format=3)
        for name, level in zip(names, self._sizes, strict=True):
            self._create(made, name, level, None)
        zarr_resumed.check_arrays(self.folder, found, [made[name] for name in names])
        return found

    def _file(self, shard: Any, level: int = 0) -> Path:
        return self.folder.joinpath(str(level), "c", "0", *map(str, shard))

    # --- going on ------------------------------------------------------------------------------

    def _check_run(self) -> None:
        """FileError unless the same run began it."""
        before = begun(self._target)
        if before is None:
            raise FileError(
                self.folder, "it is no unfinished run of napari-hsr, and is not replaced"
            )
        other = _differences(before, self._run)
        if other:
            raise FileError(
                self.folder,
                f"it was begun with another {_listed(other)}: it is not gone on with; overwrite it "
                "(--overwrite, overwrite=True) to begin anew, or choose another name",
            )

    def _read_journal(self) -> list[dict[str, Any]]:
        path = self.folder / _JOURNAL / "parts.jsonl"
        entries, whole = zarr_resumed.journal(self.folder, path, self.grid)
        if path.exists() and path.stat().st_size > len(whole):
            with self._writing():  # a line that was cut short: what it tells of is written again
                path.write_bytes(whole)
        return entries

    def _check_unused(self) -> None:
        """FileError if another process of this computer is writing it."""
        import psutil

        try:
            owner = json.loads(limits.content(self.folder / _JOURNAL / "lock"))
            alive = (
                owner["computer"] == platform.node()
                and psutil.Process(owner["process"]).create_time() == owner["since"]
            )
        except (OSError, ValueError, LookupError, TypeError, RecursionError, psutil.Error):
            return  # nobody is
        if alive:
            raise FileError(self.folder, f"process {owner['process']} is writing it")

    def _lock(self) -> None:
        import psutil

        process = psutil.Process()
        owner = {
            "computer": platform.node(),
            "process": process.pid,
            "since": process.create_time(),
        }
        with self._writing():
            (self.folder / _JOURNAL / "lock").write_text(json.dumps(owner))


def pyramid(path: Path) -> list[LazyArray]:
    """All sizes of a finished store, the cube itself first.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with translated(path, "it cannot be read"):
        group = library(path).open_group(path, mode="r")
        arrays = [group[str(level)] for level in range(sum(name.isdecimal() for name in group))]
    return [LazyArray(ArrayOfThree(array), path=path) for array in arrays]


def restate(path: Path, cube: Cube) -> None:
    """Write what is known of a cube into the store that holds its values."""
    with translated(path, "it cannot be written"):
        group = library(path).open_group(path, mode="r+")
        group.attrs[embedded_record.KEY] = embedded_record.of_cube(cube)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the items that are not equal."""
    found: list[str] = []
    for key in dict.fromkeys((*before, *now)):
        if key == "finished" or before.get(key) == now.get(key):
            continue
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new)
        else:
            found.append(key)
    return found


def _listed(names: list[str]) -> str:
    *first, last = (name.replace("_", " ") for name in names)
    return f"{', '.join(first)} and {last}" if first else last
