"""Checking the tags of a MATLAB 5 file before SciPy's compiled reader trusts them.

That reader takes sizes and type codes as they stand; a flipped bit in one can end the
process. Here every tag that it will meet is looked at first, in the order of
"MAT-File Format" (The MathWorks), without loading the values behind them.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from napari_hsr.errors import FileError
from napari_hsr.io import limits

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED, _UTF8 = 1, 2, 5, 6, 14, 15, 16
_OF_NAMES = (_INT8, _UINT8, _UTF8)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # bytes of a number
_TEXT = (*_SIZES, 16, 17, 18)
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_NUMBERS = range(6, 16)
_DEEPEST = 64
_LONGEST_LOADED = 1024
_CHUNK = 2**20
#: Cells and fields of one variable.
_MOST_ITEMS = 200_000


class _DamagedError(Exception):
    """A tag that cannot be; the text says which."""


def check(path: Path) -> None:
    """Look at all tags of a MATLAB 5 file; a MATLAB 4 file has none and passes.

    Raises
    ------
    FileError
        If a size reaches beyond the file, or a code is none of the format's.
    """
    with path.open("rb") as file:
        head = file.read(128)
        if len(head) < 20 or 0 in head[:4]:
            _check_4(path, file)
            return
        if len(head) < 128:
            return
        try:
            order = {b"IM": "<", b"MI": ">"}.get(head[126:])
            if order is None:
                raise _DamagedError("the mark of its byte order is none")
            _variables(file, path.stat().st_size, order)
        except (_DamagedError, zlib.error) as error:
            raise FileError(path, f"the MATLAB file is damaged or cut short ({error})") from error


def _check_4(path: Path, file: BinaryIO) -> None:
    """Walk the variables of a MATLAB 4 file: five numbers, a name, the values."""
    size, at, count = path.stat().st_size, 0, 0
    while at + 20 <= size:
        file.seek(at)
        head = file.read(20)
        little = struct.unpack("<5i", head)
        kind, rows, columns, imaginary, name = (
            little if 0 <= little[0] < 5000 else struct.unpack(">5i", head)
        )
        width = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10)
        if width is None or min(rows, columns) < 0 or not 0 < name <= _LONGEST_LOADED:
            return  # SciPy says that it is none
        at += 20 + name + rows * columns * width * (2 if imaginary else 1)
        count += 1
        limits.check_count(path, count, "variables")
        if at > size:
            raise FileError(
                path, f"the MATLAB file is damaged or cut short: it needs {at} bytes and has {size}"
            )


def _variables(file: BinaryIO, size: int, order: str) -> None:
    at = 128
    count = 0
    while at < size:
        count += 1
        if count > limits.MOST_ENTRIES:
            raise _DamagedError(f"it holds more than {limits.MOST_ENTRIES} variables")
        file.seek(at)
        stream = _Stream(file, size - at, order)
        kind, length = stream.tag((_MATRIX, _COMPRESSED))
        at += 8 + length
        if kind == _COMPRESSED:
            stream = _Inflated(file, length, order)
            stream.tag((_MATRIX,))
        _matrix(stream)


class _Stream:
    """Reads on in a file, and no further than ``left`` bytes."""

    def __init__(self, file: BinaryIO, left: int, order: str):
        self._file, self._left, self._order = file, left, order
        self.items = 0  # cells and fields met so far

    def take(self, count: int) -> bytes:
        self.fits(count)
        self._left -= count
        return self._file.read(count)

    def skip(self, count: int) -> None:
        self.fits(count)
        self._left -= count
        self._file.seek(count, 1)

    def fits(self, count: int) -> None:
        if count > self._left:
            raise _DamagedError(f"{count} bytes are declared where {self._left} are left")

    def numbers(self, data: bytes) -> tuple[int, ...]:
        return struct.unpack(f"{self._order}{len(data) // 4}i", data[: len(data) // 4 * 4])

    def tag(self, kinds: Container[int]) -> tuple[int, int]:
        """Type and size of an element that is not of the short form."""
        kind, length = struct.unpack(f"{self._order}2I", self.take(8))
        if kind not in kinds:
            raise _DamagedError(f"type {kind} stands where it cannot")
        self.fits(length)
        return kind, length

    def element(self, kinds: Container[int], load: bool = False) -> tuple[int, int, bytes]:
        """Type, size and, if asked for, bytes of an element; it is passed in any case."""
        (first,) = struct.unpack(f"{self._order}I", self.take(4))
        short = first >> 16
        kind = first & 0xFFFF
        length = short or struct.unpack(f"{self._order}I", self.take(4))[0]
        if kind not in kinds or short > 4:
            raise _DamagedError(f"type {kind} of {length} bytes stands where it cannot")
        self.fits(length)
        padded = 4 if short else length + -length % 8
        if load:
            if length > _LONGEST_LOADED:
                raise _DamagedError(f"{length} bytes are declared for a few numbers")
            taken = self.take(padded)
            if kind in _OF_NAMES and taken[length : length + 1].isalnum():
                raise _DamagedError("a name goes on behind its stated end")
            return kind, length, taken[:length]
        self.skip(padded)
        return kind, length, b""


class _Inflated(_Stream):
    """The same on what a compressed element holds; only as much is inflated as is asked for."""

    def __init__(self, file: BinaryIO, length: int, order: str):
        super().__init__(file, length, order)
        self._inflater, self._ready = zlib.decompressobj(), b""

    def take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            taken += self._some(count - len(taken))
        return taken

    def skip(self, count: int) -> None:
        while count:
            count -= len(self._some(min(count, _CHUNK)))

    def fits(self, count: int) -> None:
        pass  # known only once all is inflated: `_some` says it

    def _some(self, most: int) -> bytes:
        while not self._ready:
            if self._inflater.eof or not (self._left or self._inflater.unconsumed_tail):
                raise _DamagedError("a compressed variable ends too early")
            packed = self._inflater.unconsumed_tail
            if not packed:
                packed = self._file.read(min(self._left, _CHUNK))
                self._left -= len(packed)
            self._ready = self._inflater.decompress(packed, _CHUNK)
        found, self._ready = self._ready[:most], self._ready[most:]
        return found


def _matrix(stream: _Stream, depth: int = 0) -> None:
    """One variable, or one cell or field of it, behind its own tag."""
    if depth > _DEEPEST:
        raise _DamagedError("structures lie too deep in one another")
    flags = stream.numbers(stream.element((_UINT32,), load=True)[2])
    if len(flags) != 2:
        raise _DamagedError("the flags of a variable are no two numbers")
    kind, is_complex = flags[0] & 0xFF, flags[0] & 0x800
    if kind == _OPAQUE:  # name, system, class, then what it holds
        for _ in range(3):
            stream.element(_OF_NAMES)
        _inner(stream, depth)
        return
    shape = stream.numbers(stream.element((_INT32, _UINT32), load=True)[2])
    if not 1 <= len(shape) <= 32 or min(shape) < 0:
        raise _DamagedError("the size of a variable makes no sense")
    stream.element(_OF_NAMES, load=True)
    count = math.prod(shape)
    if kind in _NUMBERS:
        for _ in range(2 if is_complex else 1):
            _numbers(stream, count, stop=not (depth or is_complex))
    elif kind == _CHAR:
        stream.element(_TEXT)
    elif kind == _SPARSE:
        for _ in range(4 if is_complex else 3):
            stream.element(_SIZES)
    elif kind == _FUNCTION:
        _inner(stream, depth)
    elif kind in (_CELL, _STRUCT, _OBJECT):
        items = count * (1 if kind == _CELL else _fields(stream, kind))
        stream.items += items
        if stream.items > _MOST_ITEMS:
            raise _DamagedError(f"it holds more than {_MOST_ITEMS} cells and fields")
        for _ in range(items):
            _inner(stream, depth)
    else:
        raise _DamagedError(f"{kind} is no class of variables")


def _inner(stream: _Stream, depth: int) -> None:
    _, length = stream.tag((_MATRIX,))
    if length:
        _matrix(stream, depth + 1)


def _numbers(stream: _Stream, count: int, stop: bool) -> None:
    """The values of an array; ``stop`` if nothing follows, so that they need no inflating."""
    if stop and isinstance(stream, _Inflated):
        first, length = stream.numbers(stream.take(8))
        short = first >> 16
        kind, length = first & 0xFFFF, short or length & 0xFFFFFFFF
    else:
        kind, length, _ = stream.element(_SIZES)
    if kind not in _SIZES or length != count * _SIZES[kind]:
        raise _DamagedError(f"an array of {count} values declares {length} bytes of type {kind}")


def _fields(stream: _Stream, kind: int) -> int:
    if kind == _OBJECT:
        stream.element(_OF_NAMES)
    longest = stream.numbers(stream.element((_INT32,), load=True)[2])
    _, length, _ = stream.element((_INT8, _UINT8))
    if len(longest) != 1 or longest[0] < 1:
        raise _DamagedError("the fields of a structure have no length")
    return length // longest[0]
