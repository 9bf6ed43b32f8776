"""The values of an HDF5 data set, every chunk compared with its size once it is unpacked.

The library makes room for a whole chunk, unpacks what is stored, and asks not how much came out:
what is missing is then whatever the memory held before. So chunks are unpacked here.
"""

from __future__ import annotations

import math
import os
import zlib
from array import array
from collections import OrderedDict
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.hdf5 import number_types
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_DEFLATE, _SHUFFLE, _FLETCHER, _SZIP, _NBIT, _SCALE_OFFSET, _LZF = 1, 2, 3, 4, 5, 6, 32000
_OURS = (_DEFLATE, _SHUFFLE, _FLETCHER, _LZF)
#: Where the library's own filters are told how many values of how many bytes come out.
_COUNT_AND_SIZE = {_NBIT: (2, 4), _SCALE_OFFSET: (2, 4)}
#: Bytes of unpacked chunks that are kept for the next part that is asked for.
_KEPT_BYTES = 32 * 2**20
_DAMAGED = "the HDF5 file is damaged or cut short"


class CheckedDataset:
    """An array-like over an h5py data set; integers, slices and ``()`` read a part of it.

    Parameters
    ----------
    path : Path
        The file, for sentences.
    dataset : h5py.Dataset
    """

    def __init__(self, path: Path, dataset: Any):
        self.path, self._dataset, self.name = path, dataset, dataset.name
        self.shape: tuple[int, ...] = tuple(dataset.shape or ())
        self.dtype: np.dtype = dataset.dtype
        self.chunks: tuple[int, ...] | None = dataset.chunks
        self._held = self._size()
        self._kept: OrderedDict[tuple[int, ...], np.ndarray] = OrderedDict()
        self._filters: list[tuple[int, tuple[int, ...]]] = []
        self._by_library = self.chunks is None
        self._places: _Places | None = None
        if self.chunks is not None:
            self._chunk_bytes = math.prod(self.chunks) * dataset.id.get_type().get_size()
            self._note_filters()
        packed = any(code in _COUNT_AND_SIZE for code, _ in self._filters)
        strange = number_types.contradiction(dataset.id.get_type(), packed)
        if strange:
            raise FileError(path, f"{_DAMAGED}: {self.name} is described as {strange}")
        if self.chunks is None and dataset.id.get_offset() is not None and not dataset.is_virtual:
            size = dataset.id.get_storage_size()
            end = dataset.id.get_offset() + size
            if end > self._held:
                raise FileError(path, f"{_DAMAGED}: it needs {end} bytes and has {self._held}")
            needed = math.prod(self.shape) * dataset.id.get_type().get_size()
            plain = (
                not self.dtype.hasobject
            )  # texts of any length are larger in a file than in memory
            if (
                plain and size != needed
            ):  # the library reads as many values as it is told, whatever is there
                raise FileError(
                    path, f"{_DAMAGED}: {self.name} takes {needed} bytes, but has {size}"
                )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        now = self._size()
        if now < self._held:
            raise shortened(self.path, now, self._held)
        with translated(self.path, _DAMAGED):
            if self.chunks is None or not self.shape:
                return self._dataset[key]
            if self._whole_as_they_are():
                return self._dataset[key]
            parts = self._parts(key)
            if self._by_library:
                for offset in self._touched(parts):
                    self._chunk(offset)
                return self._dataset[key]
            return self._gathered(parts)

    def check_all(self) -> None:
        """Look at every chunk, where others will read the values."""
        if self.chunks is not None:
            for offset in self._touched([range(n) for n in self.shape]):
                with translated(self.path, _DAMAGED):
                    self._chunk(offset)

    def _size(self) -> int:
        """Bytes of the file that is open, whatever its name means by now."""
        try:
            return os.fstat(self._dataset.file.id.get_vfd_handle()).st_size
        except (OSError, NotImplementedError, ValueError, TypeError):
            return os.stat(self.path).st_size  # a driver without a handle

    def _note_filters(self) -> None:
        import h5py

        stated = self._dataset.id.get_create_plist()
        for index in range(stated.get_nfilters()):
            code, _, options, name = stated.get_filter(index)
            self._filters.append((code, options))
            if code in _COUNT_AND_SIZE:
                count, size = _COUNT_AND_SIZE[code]
                told = options[count] * options[size] if len(options) > size else -1
                if told != self._chunk_bytes:
                    raise FileError(
                        self.path, f"{_DAMAGED}: a chunk of {self._chunk_bytes} bytes has {told}"
                    )
            elif code not in (*_OURS, _SZIP):
                kind = name.decode("utf-8", "replace") or code
                raise FileError(
                    self.path,
                    f"its values are packed by the filter {kind}, whose sizes cannot be checked; "
                    "write it again with gzip (h5repack -f GZIP=4)",
                )
        plain = h5py.h5t.py_create(self.dtype, logical=True)
        known = all(code in _OURS for code, _ in self._filters)
        self._by_library = not known or not self._dataset.id.get_type().equal(plain)

    def _parts(self, key: Any) -> list[range | int]:
        """The indices along each axis."""
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *(slice(None),) * (len(self.shape) - len(key)))
        return [
            range(size)[part] if isinstance(part, slice) else range(size)[int(part)]
            for part, size in zip(key, self.shape, strict=True)
        ]

    def _touched(self, parts: list[range] | list[range | int]) -> Iterator[tuple[int, ...]]:
        """Where the chunks begin that hold any of these indices."""
        assert self.chunks is not None
        along = []
        for part, chunk in zip(parts, self.chunks, strict=True):
            indices = range(part, part + 1) if isinstance(part, int) else part
            if not len(indices):
                return
            ends = sorted((indices[0], indices[-1]))
            along.append(range(ends[0] // chunk * chunk, ends[1] + 1, chunk))
        yield from product(*along)

    def _gathered(self, parts: list[range | int]) -> np.ndarray:
        assert self.chunks is not None
        ranges = [range(p, p + 1) if isinstance(p, int) else p for p in parts]
        whole = np.empty([len(r) for r in ranges], dtype=self.dtype)
        for offset in self._touched(parts):
            to: list[slice] = []
            inside: list[slice] = []
            for start, chunk, indices in zip(offset, self.chunks, ranges, strict=True):
                first = max(0, -(-(start - indices.start) // indices.step))
                last = min(len(indices), -(-(start + chunk - indices.start) // indices.step))
                to.append(slice(first, last))
                begin = indices.start + first * indices.step - start
                inside.append(
                    slice(begin, begin + max(last - first, 0) * indices.step, indices.step)
                )
            found = self._chunk(offset)
            whole[tuple(to)] = self._dataset.fillvalue if found is None else found[tuple(inside)]
        taken = tuple(0 if isinstance(part, int) else slice(None) for part in parts)
        values: np.ndarray = whole[taken]
        return values

    def _found(self) -> _Places:
        """Where its chunks lie."""
        if self._places is None:
            self._places = _Places(self.path, self._dataset)
        return self._places

    def _whole_as_they_are(self) -> bool:
        """Whether nothing is packed and all chunks are whole: the library can do no harm then."""
        return not self._filters and self._found().all_of(self._chunk_bytes, self._held)

    def _chunk(self, offset: tuple[int, ...]) -> np.ndarray | None:
        """The values of a chunk; None if it was never written."""
        kept = self._kept.get(offset)
        if kept is not None:
            return kept
        place = self._found().of(offset)
        if place is None:
            return None
        if place.byte_offset + place.size > self._held:
            raise FileError(self.path, f"{_DAMAGED}: a part of it lies behind its end")
        what = f"a part of {self._dataset.name.strip('/')}"
        as_it_is = all(place.filter_mask >> i & 1 for i in range(len(self._filters)))
        if as_it_is and place.size != self._chunk_bytes:  # the library would write beyond its room
            raise FileError(
                self.path,
                f"{_DAMAGED}: {what} should hold {self._chunk_bytes} bytes, but {place.size} are there",
            )
        limits.check_room(self.path, self._chunk_bytes, what, place.size)
        mask, stored = self._dataset.id.read_direct_chunk(offset)
        content = self._unpacked(bytes(stored), mask)
        if len(content) != self._chunk_bytes:
            raise FileError(
                self.path,
                f"{_DAMAGED}: {what} should hold {self._chunk_bytes} bytes, but "
                f"{len(content)} came out",
            )
        if self._by_library:
            return None
        found = np.frombuffer(content, self.dtype).reshape(self.chunks)
        self._kept[offset] = found
        while len(self._kept) > 1 and len(self._kept) * self._chunk_bytes > _KEPT_BYTES:
            self._kept.popitem(last=False)
        return found

    def _unpacked(self, content: bytes, mask: int) -> bytes:
        """What the filters make of a stored chunk, never much more than it should be."""
        for index in reversed(range(len(self._filters))):
            code, options = self._filters[index]
            if mask >> index & 1:
                continue  # left out for this chunk
            if code == _DEFLATE:
                inflater = zlib.decompressobj()
                content = inflater.decompress(content, self._chunk_bytes + 64)
            elif code == _FLETCHER:
                content = _without_checksum(content)
            elif code == _LZF:
                content = self._from_lzf(content)
            elif code == _SHUFFLE:
                content = _unshuffled(content, options[0] if options else self.dtype.itemsize)
            elif code == _SZIP:  # its first four bytes tell what it makes room for
                return bytes(min(int.from_bytes(content[:4], "little"), self._chunk_bytes + 1))
            else:  # told by its options, which were compared
                return bytes(self._chunk_bytes)
        return content

    def _from_lzf(self, content: bytes) -> bytes:
        import imagecodecs

        room = bytearray(self._chunk_bytes + 64)
        unpacked = imagecodecs.lzf_decode(content, header=False, out=room)
        return bytes(unpacked)


class _Places:
    """Where the chunks of a data set lie, found in one walk.

    Each time it is asked for one place, the library walks until it comes by: with the chunks of a few
    megabytes that is minutes.
    """

    def __init__(self, path: Path, dataset: Any):
        self._counts = [
            -(-n // chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True)
        ]
        self._chunks = dataset.chunks
        most = math.prod(self._counts)
        begins, offsets, sizes, masks = (array("Q") for _ in range(4))

        def note(place: Any) -> bool | None:
            if len(offsets) == most:
                return True  # it ends the walk
            begins.extend(place.chunk_offset)
            offsets.append(place.byte_offset)
            sizes.append(place.size)
            masks.append(place.filter_mask)
            return None

        too_many = _walked(dataset.id, note)
        listed = np.frombuffer(begins, np.uint64).reshape(len(offsets), len(self._counts))
        indices, rests = np.divmod(listed, np.array(self._chunks, np.uint64))
        if too_many or rests.any() or (indices >= np.array(self._counts, np.uint64)).any():
            raise FileError(path, f"{_DAMAGED}: its list of parts has some that are none of it")
        found = np.zeros(len(offsets), np.uint64)
        for index, count in zip(indices.T, self._counts, strict=True):
            found = found * np.uint64(count) + index
        order = np.argsort(found, kind="stable")
        self._numbers = found[order]
        self._facts = [
            np.frombuffer(values, np.uint64)[order] for values in (offsets, sizes, masks)
        ]

    def of(self, offset: tuple[int, ...]) -> _Place | None:
        """The place of the chunk that begins there; None if it was never written."""
        number = self._number(offset)
        if number is None:
            return None
        at = np.searchsorted(self._numbers, np.uint64(number))
        if at == len(self._numbers) or self._numbers[at] != number:
            return None
        return _Place(*(int(values[at]) for values in self._facts))

    def all_of(self, size: int, held: int) -> bool:
        """Whether all have this size and lie within so many bytes."""
        offsets, sizes, _ = self._facts
        return bool(
            size <= held and (sizes == size).all() and (offsets <= np.uint64(held - size)).all()
        )

    def _number(self, offset: tuple[int, ...]) -> int | None:
        """Which chunk in the order of the axes begins there; None if none does."""
        number = 0
        for begin, chunk, count in zip(offset, self._chunks, self._counts, strict=True):
            index, rest = divmod(begin, chunk)
            if rest or index >= count:
                return None
            number = number * count + index
        return number


def _walked(dataset: Any, note: Callable[[Any], bool | None]) -> bool | None:
    """Show all places to ``note`` until it says that it is enough."""
    walk = getattr(dataset, "chunk_iter", None)
    if walk is not None:
        enough: bool | None = walk(note)
        return enough
    for index in range(dataset.get_num_chunks()):  # built with HDF5 before 1.12.3
        if note(dataset.get_chunk_info(index)):
            return True
    return None


class _Place(NamedTuple):
    byte_offset: int
    size: int
    filter_mask: int


def _without_checksum(content: bytes) -> bytes:
    import imagecodecs

    data, stored = content[:-4], int.from_bytes(content[-4:], "little")
    found = imagecodecs.h5checksum_fletcher32(data)
    swapped = int.from_bytes(found.to_bytes(4, "little")[1::-1], "little") | (
        int.from_bytes(found.to_bytes(4, "little")[3:1:-1], "little") << 16
    )
    if stored not in (found, swapped):  # early versions of the library swapped its bytes
        raise ValueError("a checksum does not fit")
    return data


def _unshuffled(content: bytes, size: int) -> bytes:
    """First bytes of all values, then the second ones…, put back together; a rest stays."""
    if size < 2 or len(content) < size:
        return content
    count = len(content) // size
    planes = np.frombuffer(content, np.uint8, count * size).reshape(size, count)
    return planes.T.tobytes() + content[count * size :]
