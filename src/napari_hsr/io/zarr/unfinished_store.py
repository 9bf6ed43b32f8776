"""A zarr store that is being written: its name until it is finished, its journal, and whose run it is.

Until it is finished a store is called ``NAME.unfinished.zarr`` and keeps a journal of what is there,
one line of JSON after each part, and the fingerprint of its run: another run goes on only if it would
write the same.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import FileError, Hint, disk_is_full
from napari_hsr.io.atomic import beside, clear_up, expected, put_folder_in_place, undisturbed
from napari_hsr.io.detect import is_zarr
from napari_hsr.io.zarr import resumed as zarr_resumed
from napari_hsr.io.zarr import store_check as zarr_store
from napari_hsr.io.zarr.files import RUN, library
from napari_hsr.io.zarr.replaceable import JOURNAL, check_replaceable
from napari_hsr.io.zarr.store_lock import StoreLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def unfinished(path: Path) -> Path:
    """Where a store is while it is written."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.stem}.unfinished{target.suffix}")


def begun(path: Path) -> dict[str, Any] | None:
    """Facts of the run that began a store and did not finish it, or None."""
    return zarr_resumed.facts(unfinished(path), RUN)


class UnfinishedStore(ABC):
    """A store that is begun, or gone on with.

    Parameters
    ----------
    path : Path
        Its name once it is finished; a store that has it then is replaced.
    run : mapping
        What the run is known by: JSON's types. A store that was begun is gone on with only if all
        its items are equal; a value that is a mapping is compared item by item.
    overwrite : bool
        Begin anew whatever was begun.

    Attributes
    ----------
    folder : Path
        Where it is now.
    entries : list of dict
        The journal of earlier runs, in order.

    Raises
    ------
    FileError
        If there is something else of that name, another process is writing it, or another run
        began it.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], *, overwrite: bool = False):
        self._named, self._target = path, Path(os.path.realpath(path))
        self.folder, self._run = unfinished(path), dict(run)
        self._lock, self._before = StoreLock(self.folder), expected(self._target)
        library(path)
        check_replaceable(self._target, path)
        if self.folder.exists() and not is_zarr(self.folder):
            raise FileError(
                self.folder, "there is something else of that name, which is not replaced"
            )
        if not self._target.parent.is_dir():
            raise FileError(path, f"the folder {path.parent} does not exist")
        clear_up(self._target.parent)
        if self.folder.exists():
            zarr_resumed.check_plain(self.folder)
            self._lock.check_unused()
            if not (overwrite and begun(path) is not None):  # else it is none of ours
                self._check_run()
            with self._writing():
                self._lock.claim()
        try:
            if overwrite and self.folder.exists():
                shutil.rmtree(self.folder)
            if not self.folder.exists():
                self._begin()
            self._lock.begin()
            self.entries = self._read_journal()
            self._open_again()
        except BaseException:
            self.release()
            raise

    @abstractmethod
    def _fill(self, group: Any) -> None:
        """Make the arrays and attributes of a new store."""

    @abstractmethod
    def _open_again(self) -> None:
        """Open the arrays of the store, and see that they are those of this run."""

    @abstractmethod
    def _is_entry(self, entry: Any) -> bool:
        """Whether a line of the journal is one that this run could have written."""

    def note(self, entry: Mapping[str, Any]) -> None:
        """Add a line to the journal, which one process keeps."""
        self._lock.check_ours()
        with self._writing(), (self.drafts / "parts.jsonl").open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")

    @property
    def drafts(self) -> Path:
        """A folder for what is not yet a part."""
        return self.folder / JOURNAL

    @contextmanager
    def _into(self, *places: Path) -> Iterator[None]:
        """Something is written into the store, which must be there before and after.

        Zarr makes the folders of one that was removed anew, and what it writes there is no store, but
        would stand in the way of the next: ``places``, files or folders of the store, are taken back then.
        """
        self._check_there()
        self._lock.check_ours()
        with self._writing():
            yield
        try:
            self._check_there()
        except FileError:
            for place in places:
                self._take_back(place)
            raise

    def _check_there(self) -> None:
        if not (self.folder / "zarr.json").is_file():
            raise FileError(
                self.folder,
                "it was removed or moved while it was written; run the same again, which begins anew",
            )

    def _check_whole(self, part: str, whole: bool) -> None:
        """At the end nothing is missing: it would be read as missing values."""
        if not whole:
            self._check_there()
            raise FileError(
                self.folder,
                f"{part} of it was removed while it was written; run the same again, which goes on from "
                "there",
            )

    def _take_back(self, place: Path) -> None:
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        place.unlink(missing_ok=True)
        with suppress(OSError):  # there is something else
            while place != self.folder:
                place = place.parent
                place.rmdir()

    def release(self) -> None:
        """Let other processes go on with it."""
        self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kept = f"what is finished is kept in {self.folder.name}"
            if error.errno == errno.EFBIG:  # FAT, or a limit of the system
                raise FileError(
                    self._named,
                    f"one of its files would be larger than is allowed there; {kept}: allow larger "
                    "ones (ulimit -f) or move it to another disk, and run the same again, which "
                    "goes on from there",
                ) from error
            if not disk_is_full(error):
                raise FileError(self._named, f"it cannot be written ({error.strerror})") from error
            raise FileError(
                self._named,
                f"the disk is full; {kept}: make room and run the same again, which goes on from "
                "there",
            ) from error

    def _take_its_name(self) -> None:
        """Nothing more is written: give the store its name, without the journal."""
        self._check_there()
        self._lock.check_ours()
        self._lock.end()  # a file that is open at that moment would keep the folder where it is
        with self._writing():
            put_folder_in_place(self.folder, self._target, self._before)
        shutil.rmtree(self._target / JOURNAL, ignore_errors=True)

    def _begin(self) -> None:
        zarr = library(self._named)
        temporary = beside(self.folder, "tmp")
        try:
            with undisturbed(), self._writing():
                group = zarr.open_group(temporary, mode="w", zarr_format=3)
                self._fill(group)
                group.attrs.update({RUN: self._run | {"finished": False}})
                self._lock.put_into(temporary)
                self._put_new(temporary)
        finally:
            zarr_store.wait_for_writes()
            shutil.rmtree(temporary, ignore_errors=True)

    def _put_new(self, temporary: Path) -> None:
        """Of two that begin one store at once, one begins it."""
        try:
            os.replace(temporary, self.folder)
        except OSError:
            self._lock.check_unused()  # somebody was faster
            raise

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
                "to begin anew, or choose another name",
                Hint.BEGIN_ANEW,
            )

    def _read_journal(self) -> list[dict[str, Any]]:
        path = self.drafts / "parts.jsonl"
        entries, whole = zarr_resumed.journal(self.folder, path, self._is_entry)
        if path.exists() and path.stat().st_size > len(whole):
            with self._writing():  # a line that was cut short: what it tells of is written again
                path.write_bytes(whole)
        return entries


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the items that are not equal."""
    found: list[str] = []
    for key in dict.fromkeys((*before, *now)):
        if key == "finished" or before.get(key) == now.get(key):
            continue
        old, new = before.get(key), now.get(key)
        # of an input people do not say its hash or its file's time, but that it is another one
        if isinstance(old, dict) and isinstance(new, dict) and key != "input":
            found += _differences(old, new)
        else:
            found.append(key)
    return found


def _listed(names: list[str]) -> str:
    *first, last = (name.replace("_", " ") for name in names)
    return f"{', '.join(first)} and {last}" if first else last
