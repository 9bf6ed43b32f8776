"""Classic NetCDF files with 64-bit data (CDF-5), which SciPy does not read.

The layout is that of "The NetCDF Classic Format Specification", with counts of 8 bytes and
unsigned and 64-bit integers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"CDF\x05"
#: NumPy's types by the numbers of the specification.
_TYPES = (
    "", "i1", "S1", ">i2", ">i4", ">f4", ">f8", "u1", ">u2", ">u4", ">i8", ">u8",
)  # fmt: skip
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
#: Of a file that was not closed, the number of records.
_STREAMING, _STREAMING_32 = 2**64 - 1, 2**32 - 1
#: What stands for the bytes of a variable that has more of them.
_SIZE_UNSAID = 2**32 - 4

Variables = dict[str, tuple[np.ndarray, tuple[str, ...], dict[str, Any]]]


class _Header:
    """The head of a file, taken piece by piece; ValueError where it ends too early."""

    def __init__(self, content: bytes, count: str = ">Q", place: str = ">Q"):
        self._content, self._at = content, len(MAGIC)
        self._count, self._place = struct.Struct(count), struct.Struct(place)

    def take(self, size: int) -> bytes:
        """The next bytes, which are padded to multiples of four."""
        end = self._at + size
        if end > len(self._content):
            raise ValueError("its head ends too early")
        found = self._content[self._at : end]
        self._at = end + -size % 4
        return found

    def tag(self) -> int:
        return int(struct.unpack(">I", self.take(4))[0])

    def count(self) -> int:
        return int(self._count.unpack(self.take(self._count.size))[0])

    def place(self) -> int:
        return int(self._place.unpack(self.take(self._place.size))[0])

    def name(self) -> str:
        return self.take(self.count()).decode("utf-8", "replace")

    def listed(self, kind: int) -> range:
        """The numbers of the elements of a list, none where it is absent."""
        tag, count = self.tag(), self.count()
        if tag not in (0, kind) or (not tag and count):
            raise ValueError("a list in its head is of another kind")
        return range(count)

    def dtype(self) -> np.dtype:
        kind = self.tag()
        if not 0 < kind < len(_TYPES):
            raise ValueError(f"{kind} is no type of numbers")
        return np.dtype(_TYPES[kind])

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in self.listed(_ATTRIBUTES):
            name, dtype, count = self.name(), self.dtype(), self.count()
            stored = self.take(count * dtype.itemsize)
            if dtype.kind == "S":
                found[name] = stored.rstrip(b"\0")
            else:
                values = np.frombuffer(stored, dtype)
                found[name] = values[0] if count == 1 else values
        return found

    def described(self) -> tuple[list[Any], dict[str, Any]]:
        """All variables but their values, and the attributes of the file; where they begin is looked at."""
        dimensions = [(self.name(), self.count()) for _ in self.listed(_DIMENSIONS)]
        of_file, found = self.attributes(), []
        for _ in self.listed(_VARIABLES):
            name = self.name()
            numbers = [self.count() for _ in range(self.count())]
            if any(number >= len(dimensions) for number in numbers):
                raise ValueError("a variable has a dimension that is none of the file")
            attributes, dtype = self.attributes(), self.dtype()
            size, begin = self.count(), self.place()
            found.append((name, [dimensions[n] for n in numbers], attributes, dtype, size, begin))
        if any(begin < self._at for *_, begin in found):
            raise ValueError("values of a variable lie in its head")
        return found, of_file


def check_head(content: bytes, length: int) -> int:
    """Look at the head of a file of 32-bit data, which SciPy reads, and believes; how many records behind it says.

    Parameters
    ----------
    content : bytes
        Of the file, its head at least.
    length : int
        Bytes of the file.

    Raises
    ------
    ValueError
        If a variable has no such dimension, its values lie in the head, or are more than it says.
    """
    head = _Header(content, ">I", ">Q" if content[3] == 2 else ">I")
    records = head.count()
    described, _ = head.described()
    return _check_sizes(described, records if records != _STREAMING_32 else None, length)


def bytes_behind(content: bytes, length: int) -> int:
    """Bytes behind the values of a file of 32-bit data that has no records; arguments as of :func:`check_head`."""
    head = _Header(content, ">I", ">Q" if content[3] == 2 else ">I")
    head.count()
    described, _ = head.described()
    if any(map(_is_of_records, described)):
        return 0
    ends = [variable[-1] + -(-_bytes(variable) // 4) * 4 for variable in described]
    return max(length - max(ends, default=length), 0)


def _check_sizes(described: list[Any], records: int | None, length: int) -> int:
    """ValueError for a variable whose values are more than its dimensions say: another cube would be read.

    Each states the bytes of its values, which follows from its dimensions, so that programs go by these; some
    write it wrong. It counts where the room up to the next variable says the same. Returned is how many more
    records the file holds than its head says.
    """
    of_records = [v for v in described if _is_of_records(v)]
    first = min((begin for *_, begin in of_records), default=length)
    of_each_record = sum(size for *_, size, _ in of_records)
    fixed = [v for v in described if not _is_of_records(v)]
    for group, last in ((fixed, first), (of_records, first + of_each_record)):
        ordered = sorted(group, key=lambda variable: int(variable[-1]))
        ends = [*(begin for *_, begin in ordered[1:]), last]
        for variable, end in zip(ordered, ends, strict=False):
            needed, (*_, size, begin) = _bytes(variable), variable
            room = end - begin
            over = needed > room and (group is fixed or variable is not ordered[-1])
            if over or needed + 4 <= size <= min(room, _SIZE_UNSAID):
                raise ValueError(f"{variable[0]} takes {needed} bytes, but has {min(size, room)}")
    step = sum(-(-_bytes(v) // 4) * 4 for v in of_records)
    held = (length - first) // step if step else 0
    return 0 if records is None else max(held - records, 0)


def _is_of_records(variable: Any) -> bool:
    along = variable[1]
    return bool(along) and along[0][1] == 0


def _bytes(variable: Any) -> int:
    """Bytes of the values of a variable, or of those in each record."""
    _, along, _, dtype, *_ = variable
    lengths = [n for _, n in along[1 if _is_of_records(variable) else 0 :]]
    return int(dtype.itemsize * np.prod(lengths, dtype=object))


def variables(path: Path) -> tuple[Variables, dict[str, Any], int]:
    """Values, names of dimensions and attributes of all variables, the attributes of the file, and records left out.

    The values are views of one copy of the file.

    Raises
    ------
    ValueError, TypeError
        If the file is damaged or cut short.
    """
    content = path.read_bytes()
    head = _Header(content)
    records = head.count()
    described, of_file = head.described()
    more = _check_sizes(described, records if records != _STREAMING else None, len(content))
    by_record = [d for d in described if _is_of_records(d)]
    step = sum(size for *_, size, _ in by_record)
    if len(by_record) == 1:  # not padded then
        (_, along, _, dtype, *_) = by_record[0]
        step = dtype.itemsize * int(np.prod([n for _, n in along[1:]], dtype=object))
    found: Variables = {}
    for name, along, attributes, dtype, _, begin in described:
        shape = [length for _, length in along]
        of_records = bool(shape) and shape[0] == 0
        if of_records:
            left = (len(content) - begin) // max(step, 1)
            shape[0] = left if records == _STREAMING else records
        lengths = [
            dtype.itemsize * int(np.prod(shape[i + 1 :], dtype=object)) for i in range(len(shape))
        ]
        strides = (step, *lengths[1:]) if of_records else tuple(lengths)
        values: np.ndarray = np.ndarray(tuple(shape), dtype, content, begin, strides)
        found[name] = values, tuple(n for n, _ in along), attributes
    return found, of_file, more
