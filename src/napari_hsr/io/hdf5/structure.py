"""What lies in an HDF5 file, looked through within limits, and never outside of the file.

The library follows links, references and virtual data sets wherever they lead, and takes counts
and sizes as they stand. Here they are looked at first.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.hdf5.attributes import attributes as attributes
from napari_hsr.io.hdf5.chunks import CheckedDataset

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How the places begin in which texts of free length lie.
_HEAP = b"GCOL\x01\0\0\0"
#: Bytes at the beginning and at the end of a large file that are searched for them.
_SEARCHED = 64 * 2**20
#: Bytes that are read at once in this.
_BLOCK = 2**20
#: Texts of free length in a list beside the cube.
_LONGEST_LIST = 10_000
#: References inside what references lead to.
DEEPEST_REFERENCE = 8


def check_heaps(path: Path) -> list[tuple[int, int]]:
    """Look at what holds the texts of free length: the library walks it without an end of its own.

    A global heap ("HDF5 File Format Specification", III.E) is a row of objects, each with its
    size; one without index and size would be met again and again. Of a file too large to be
    searched, beginning and end are.

    Returns
    -------
    list of (int, int)
        Where each heap begins and how many bytes it has.

    Raises
    ------
    FileError
        If the objects do not fill a heap.
    """
    with path.open("rb") as file:
        content = _Content(file)
        size = content.size
        parts = [(0, size)]
        if size > 4 * _SEARCHED:
            parts = [(0, _SEARCHED), (size - _SEARCHED, size)]
        found = [at for start, end in parts for at in content.places(_HEAP, start, end)]
        return [(at, _check_heap(path, content, at)) for at in found]


class _Content:
    """Bytes of a file by their place, a block at a time: mapped whole, they would count as memory."""

    def __init__(self, file: BinaryIO):
        self._file, self._start, self._block = file, 0, b""
        self.size = os.fstat(file.fileno()).st_size

    def number(self, at: int, nbytes: int) -> int:
        """A number that lies there."""
        if not self._start <= at <= self._start + len(self._block) - nbytes:
            self._file.seek(at)
            self._start, self._block = at, self._file.read(_BLOCK)
        at -= self._start
        return int.from_bytes(self._block[at : at + nbytes], "little")

    def places(self, sought: bytes, start: int, end: int) -> Iterator[int]:
        """Where these bytes lie, from first to last."""
        while start < end:
            self._file.seek(start)
            block = self._file.read(min(_BLOCK, end - start))
            at = block.find(sought)
            while at >= 0:
                yield start + at
                at = block.find(sought, at + 1)
            if start + len(block) >= end or len(block) < len(sought):
                return
            start += len(block) - len(sought) + 1


def _check_heap(path: Path, content: _Content, at: int) -> int:
    whole = content.number(at + 8, 8)
    end = at + whole
    place = at + 16
    while place + 16 <= min(end, content.size):
        index, size = content.number(place, 2), content.number(place + 8, 8)
        taken = size if index == 0 else 16 + size + -size % 8
        if taken < 16 or place + taken > end:
            raise FileError(
                path, "the HDF5 file is damaged or cut short: its texts do not fill their place"
            )
        place += taken
    return whole


def datasets(path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    """All data sets of an open file with their paths, groups within groups.

    Only what lies in this file is entered, each group once; the cells of MATLAB
    (``#refs#``) are left to those that refer to them.

    Raises
    ------
    FileError
        If there are more than :data:`limits.MOST_ENTRIES`, or groups lie too deep.
    """
    import h5py

    entered, count = set(), 0
    ahead: list[tuple[str, Any, int]] = [("", file["/"], 0)]
    while ahead:
        above, group, depth = ahead.pop(0)
        limits.check_count(path, count + len(group), "groups and data sets")
        if depth > limits.DEEPEST:
            raise FileError(path, f"its groups lie more than {limits.DEEPEST} deep in one another")
        for name in names_of(group):
            count += 1
            item = own(group, name)
            if item is None and not group.id.links.exists(_key(name)):
                raise FileError(
                    path, f"it is damaged: {shown(name)} is listed in it, but is not to be found"
                )
            if isinstance(item, h5py.Dataset):
                yield above + name, item
            elif isinstance(item, h5py.Group) and (above or name != "#refs#"):
                place = h5py.h5o.get_info(item.id)
                if (place.fileno, place.addr) not in entered:
                    entered.add((place.fileno, place.addr))
                    ahead.append((f"{above}{name}/", item, depth + 1))


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def names_of(group: Any) -> list[str]:
    """Names in a group, no more of them than are looked through."""
    found: list[bytes] = []

    def note(name: bytes) -> bool | None:
        found.append(name)
        return True if len(found) > limits.MOST_ENTRIES else None

    group.id.links.iterate(note)
    return [name.decode("utf-8", "surrogateescape") for name in found]


def own(group: Any, name: str) -> Any:
    """What a group holds under a name, None if it holds nothing: links elsewhere are not followed."""
    import h5py

    key = _key(name)
    if (
        isinstance(group, h5py.Dataset)
        or not group.id.links.exists(key)
        or group.id.links.get_info(key).type != h5py.h5l.TYPE_HARD
    ):
        return None
    found = h5py.h5o.open(group.id, key)
    if isinstance(found, h5py.h5d.DatasetID):
        return h5py.Dataset(found)
    return h5py.Group(found) if isinstance(found, h5py.h5g.GroupID) else None


def checked(path: Path, item: Any) -> CheckedDataset:
    """A data set whose values may be read: they lie in this file, or in others of its folder.

    Raises
    ------
    FileError
        If they lie anywhere else, or in no data set.
    """
    if item.external:
        raise FileError(
            path,
            f"the values of {_name(item)} lie outside of it, in {shown(item.external[0][0])}: other "
            "files are not read",
        )
    if item.is_virtual:
        _check_virtual(path, item)
    return CheckedDataset(path, item)


def outside(path: Path, item: Any) -> tuple[str, ...]:
    """Names of other files that the values of a virtual data set lie in."""
    if not item.is_virtual:
        return ()
    named = {part.file_name for part in item.virtual_sources()}
    return tuple(sorted(named - {".", path.name, str(path)}))


def _check_virtual(path: Path, item: Any) -> None:
    """A virtual data set may point to plain data sets, of regular files in its own folder."""
    import h5py

    parts = item.virtual_sources()
    limits.check_count(path, len(parts), "parts of a virtual data set", 1_000)
    for name, dataset in sorted({(part.file_name, part.dset_name) for part in parts}):
        for source in _sources(path, item, name):
            if source == path:
                _check_plain(path, own_path(item.file, dataset), name)
                continue
            limits.check_regular(source)
            with h5py.File(source, "r") as file:
                _check_plain(source, own_path(file, dataset), name)


def _sources(path: Path, item: Any, name: str) -> list[Path]:
    if name in (".", path.name, str(path)):
        return [path]
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise FileError(
            path,
            f"the values of {_name(item)} lie outside of its folder, in {shown(name)}: other "
            "places are not read",
        )
    found = [path.parent / name]
    if "%b" in name:
        found = sorted(path.parent.glob(glob.escape(name).replace("%b", "*")))
    if not found or not found[0].exists():
        raise FileError(path, f"{_name(item)} points to {shown(name)}, which is not there")
    return found


def _check_plain(path: Path, source: Any, name: str) -> None:
    if source is None or source.is_virtual or source.external:
        raise FileError(path, f"{shown(name)} holds no plain data set of that name")
    CheckedDataset(path, source).check_all()


def own_path(file: Any, name: str) -> Any:
    """The data set at a path of a file; None if there is none, or links lead to it."""
    return _own_at(file, name, "Dataset")


def own_group(file: Any, name: str) -> Any:
    """The group at a path of a file, the file itself for an empty one; None as :func:`own_path`."""
    return _own_at(file, name, "Group")


def _own_at(file: Any, name: str, kind: str) -> Any:
    import h5py

    item = file["/"]
    for part in filter(None, name.split("/")):
        item = own(item, part) if isinstance(item, h5py.Group) else None
    return item if isinstance(item, getattr(h5py, kind)) else None


class References:
    """The values of data sets beside the cube, and of what they refer to, within limits.

    Parameters
    ----------
    path : Path
    file : h5py.File
    """

    def __init__(self, path: Path, file: Any):
        self._path, self._file = path, file
        self._followed = 0
        self._looked_at = 0
        #: What references led to, with the references that were followed from there on, by its place.
        self._known: dict[int, tuple[Any, int]] = {}

    def value(self, item: Any, depth: int = 0) -> Any:
        """What a data set holds: MATLAB text as text, the contents of cells for references."""
        import h5py

        if not isinstance(item, h5py.Dataset):
            return ""
        count = int(np.prod(item.shape or (), dtype=object))
        matlab = attributes(item).get("MATLAB_class")
        text = matlab in (b"char", "char")
        what = f"{'lines' if text else 'values'} in {_name(item)}, beside the cube"
        lines = count // (item.shape[0] or 1) if text and item.shape else count
        limits.check_count(self._path, lines, what, limits.MOST_VALUES)
        limits.check_count(
            self._path, count * item.dtype.itemsize, f"bytes in {_name(item)}", limits.MOST_BYTES
        )
        source = checked(self._path, item)
        if item.dtype.kind == "O" and not h5py.check_ref_dtype(item.dtype):
            return self._texts(item, source, count)
        stored = source[()]
        if text and isinstance(stored, np.ndarray):
            codes = np.atleast_2d(stored).T.astype(np.uint16)
            return [row.tobytes().decode("utf-16-le", "replace").strip() for row in codes]
        if h5py.check_ref_dtype(item.dtype):
            return self._cells(stored, depth)
        return stored

    def _texts(self, item: Any, source: CheckedDataset, count: int) -> Any:
        """Texts of free length, one at a time: each could be as long as the file."""
        limits.check_count(self._path, count, f"texts in {_name(item)}", _LONGEST_LIST)
        if not item.shape:
            return self._short(item, source[()])
        texts, total = [], 0
        for index in np.ndindex(*item.shape):
            text = self._short(item, source[index])
            total += len(text) if isinstance(text, (str, bytes)) else 1
            limits.check_count(self._path, total, f"bytes in {_name(item)}", limits.MOST_BYTES)
            texts.append(text)
        found = np.empty(len(texts), dtype=object)
        found[:] = texts
        return found.reshape(item.shape)

    def _short(self, item: Any, text: Any) -> Any:
        size = len(text) if isinstance(text, (str, bytes, np.ndarray)) else 1
        limits.check_count(self._path, size, f"bytes in {_name(item)}", limits.MOST_BYTES)
        return text

    def _cells(self, references: Any, depth: int) -> np.ndarray:
        entries = np.ravel(references)
        self._looked_at += entries.size  # empty ones too
        limits.check_count(self._path, self._looked_at, "references", limits.MOST_VALUES)
        inside = []
        for reference in entries:
            if not reference:
                continue
            self._follow(1)
            if depth >= DEEPEST_REFERENCE:
                raise FileError(self._path, "its references lie too deep in one another")
            inside.append(self._referred(reference, depth))
        cells = np.empty(len(inside), dtype=object)
        cells[:] = inside
        return cells

    def _follow(self, count: int) -> None:
        self._followed += count
        limits.check_count(self._path, self._followed, "references that are followed")

    def _referred(self, reference: Any, depth: int) -> Any:
        """What a reference leads to, read once; what lies behind it counts each time."""
        import h5py

        place = h5py.h5o.get_info(h5py.h5r.dereference(reference, self._file.id)).addr
        if place in self._known:
            value, further = self._known[place]
            self._follow(further)
            return value
        before = self._followed
        value = self.value(self._file[reference], depth + 1)
        self._known[place] = value, self._followed - before
        return value


def _name(item: Any) -> str:
    return shown(str(item.name or "a data set").strip("/"))


def shown(name: str) -> str:
    """A name inside a file, short and printable."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in name)
    return text if len(text) <= 80 else f"{text[:77]}…"
