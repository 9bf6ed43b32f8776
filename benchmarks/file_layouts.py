"""Where in a file its values stand, and which of its bytes no sum of check covers.

Found by the libraries that the formats belong to, or by the layout as their documents have it; no code
of napari-hsr is used, so that it cannot excuse itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: What stands somewhere: values of pixels or spectra, a number of the metadata, or a name.
PIXELS, NUMBER, NAME = "pixels", "number", "name"
#: Suffixes of files that hold nothing but values.
_BARE = (".img", ".bil", ".sli", ".gri", ".dat", ".bin")
#: TIFF's compressions whose streams have no sum of check: none, LZW, PackBits, JPEG, JPEG 2000, WebP, Zstandard, JPEG XL.
_TIFF_WITHOUT_SUM = {1, 5, 7, 32773, 33003, 33005, 34712, 50000, 50001, 50002, 52546}
_PLACE = frozenset({"place", "map info", "ground"})
_DATA, _WAVELENGTHS = frozenset({"data"}), frozenset({"wavelengths"})
#: What single values of TIFF's tags bear on: photometric, orientation, the palette, sample format, GeoTIFF, DNG.
_TIFF_TAGS = {
    262: _DATA, 274: _DATA | {"orientation"}, 320: _DATA, 339: _DATA, 33550: _PLACE, 33922: _PLACE, 34264: _PLACE,
    50714: _DATA, 50717: _DATA, 50718: _DATA, 50721: _DATA, 50722: _DATA, 50727: _DATA, 50728: _DATA,
    50730: _DATA, 50778: _DATA, 33422: _DATA, 50710: _DATA,
}  # fmt: skip
#: Tags that hold a name by which nothing is computed.
_TIFF_NAMES = {271: {"encoding"}, 272: {"encoding"}, 50708: {"encoding"}}


@dataclass(frozen=True)
class Part:
    """Bytes from ``start`` to before ``end``, what they are, and which facts follow from them.

    ``moves`` says that bytes may be put in without a contradiction: the format gives places, and
    allows bytes that nothing refers to.
    """

    start: int
    end: int
    what: str
    facts: frozenset[str]
    moves: bool = False


def is_text(content: bytes) -> bool:
    """Whether a file is a text."""
    return not re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", content) and bool(content)


def of(path: Path, content: bytes) -> list[Part]:
    """The parts of a good file that no sum of check covers; none of one that is all covered."""
    head, suffix = content[:12], path.suffix.lower()
    kinds: list[tuple[bool, Callable[[bytes], Iterator[Part]]]] = [
        (is_text(content), lambda _: iter(())),
        (head[:6] == b"\x93NUMPY", _npy),
        (head[:8] == b"\x89HDF\r\n\x1a\n" or content[512:520] == b"\x89HDF\r\n\x1a\n", _hdf5),
        (head.startswith(b"MATLAB 5.0"), lambda c: _mat(c, 128, len(c))),
        (head[:3] == b"CDF", _netcdf3),
        (head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
        (head[:2] == b"BM", _bmp),
        (head[:2] == b"\xff\xd8", _jpeg),
        (head[:4] == b"RIFF" and head[8:] == b"WEBP", _webp),
        (head[4:8] == b"ftyp", _heic),
        (head[:3] in (b"ASD", b"as8", b"as7"), _asd),
        (suffix in _BARE, lambda c: iter([Part(0, len(c), PIXELS, _DATA)])),
        (bool(re.fullmatch(r"[\d./c]+", path.name)), lambda c: _zarr_chunk(path, c)),
    ]
    found = next((parts for fits, parts in kinds if fits), None)
    return [] if found is None else list(found(content))


def _npy(content: bytes) -> Iterator[Part]:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0  # fmt: skip
    header(file)
    yield Part(file.tell(), len(content), PIXELS, _DATA)


def facts_of(name: str, axes: int = 0) -> frozenset[str]:
    """Which facts follow from an array or attribute of this name; none where sizes follow from it."""
    if re.search(r"axis-\d", name):  # of HyperSpy
        return _PLACE | _WAVELENGTHS if re.search(r"/(scale|offset)$", name) else frozenset()
    name = name.rsplit("/", 1)[-1].lower()
    for pattern, facts in (
        (r"^n_?(row|col)|matlab_|^size$", set[str]()),
        (r"fwhm", {"fwhm"}),
        (r"flags|window", {"bbl", "data"}),
        (r"wave|list_cw_|bands|nm\b|lambda", {"wavelengths"}),
        (r"^[xy]$" if axes == 1 else r"map_info", _PLACE),
        (r"norm_factor", {"norm_factor", "data"}),
    ):
        if re.search(pattern, name):
            return frozenset(facts)
    return _DATA


def _hdf5(content: bytes) -> Iterator[Part]:
    import h5py

    found: list[Part] = []
    with h5py.File(io.BytesIO(content), "r") as file:
        base = content.find(b"\x89HDF\r\n\x1a\n")

        def attributes(item: Any) -> None:
            for key in item.attrs:
                with contextlib.suppress(OSError, TypeError):
                    value = np.asarray(item.attrs[key])
                    if value.dtype.kind in "fiu" and value.size:
                        found.extend(
                            _everywhere(content, value.tobytes(), facts_of(f"{item.name}/{key}"))
                        )

        def visit(name: str, item: Any) -> None:
            attributes(item)
            if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiu":
                return
            if item.attrs.get("MATLAB_class") == b"char":
                return
            facts = facts_of(name, item.ndim)
            what = PIXELS if item.ndim > 1 and facts == _DATA else NUMBER
            offset = item.id.get_offset() if item.chunks is None else None
            if offset is not None:
                size = item.size * item.dtype.itemsize
                for start in (offset, offset + base):
                    if content[start : start + size] == item[()].tobytes():
                        found.append(Part(start, start + size, what, facts))
                        break
            elif item.chunks and not (item.compression or item.fletcher32):
                for number in range(item.id.get_num_chunks()):
                    chunk = item.id.get_chunk_info(number)
                    found.append(
                        Part(chunk.byte_offset, chunk.byte_offset + chunk.size, what, facts)
                    )
            elif item.chunks is None:  # compact: in the header
                found.extend(_everywhere(content, item[()].tobytes(), facts))

        attributes(file)
        file.visititems(visit)
    yield from found


def _everywhere(content: bytes, value: bytes, facts: frozenset[str]) -> Iterator[Part]:
    """All places of a number, which must be told from other bytes: of four or more, not all zero."""
    if facts and len(value) >= 2 and value.strip(b"\0"):
        for match in re.finditer(re.escape(value), content):
            yield Part(match.start(), match.end(), NUMBER, facts)


def _mat(content: bytes, at: int, end: int, name: str = "") -> Iterator[Part]:
    """MATLAB 5 without compression: elements of a tag and its bytes."""
    while at + 8 <= end:
        code, size = struct.unpack_from("<II", content, at)
        start = at + 8
        if code >> 16:  # a small one, of at most four bytes, in its tag
            code, size, start = code & 0xFFFF, code >> 16, at + 4
        after = start + size + (-size % 8 if start == at + 8 else 4 - size)
        if code == 14:  # a matrix: flags, dimensions, name, values
            inner = _elements(content, start, start + size)
            kind = content[inner[0][1]]
            called = content[inner[2][1] : inner[2][1] + inner[2][2]].decode("latin-1")
            if 6 <= kind <= 15:
                count = inner[3][2]
                sides = struct.unpack_from(f"<{inner[1][2] // 4}i", content, inner[1][1])
                facts = facts_of(called, sum(side > 1 for side in sides))
                what = PIXELS if count > 256 and facts == _DATA else NUMBER
                yield Part(inner[3][1], inner[3][1] + count, what, facts)
        at = after


def _elements(content: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Code, start and size of each element."""
    found = []
    while at + 8 <= end:
        code, size = struct.unpack_from("<II", content, at)
        if code >> 16:
            found.append((code & 0xFFFF, at + 4, code >> 16))
            at += 8
        else:
            found.append((code, at + 8, size))
            at += 8 + size + (-size % 8)
    return found


def _netcdf3(content: bytes) -> Iterator[Part]:
    import scipy.io

    with scipy.io.netcdf_file(io.BytesIO(content), "r", mmap=False) as file:
        for name, variable in file.variables.items():
            facts = facts_of(name, variable.data.ndim)
            stored = np.array(variable.data)
            start = content.find(stored.astype(stored.dtype.newbyteorder(">")).tobytes())
            what = PIXELS if stored.ndim > 1 else NUMBER
            yield Part(start, start + stored.nbytes, what, facts)
            for key, value in variable._attributes.items():
                numbers = np.asarray(value)
                if numbers.dtype.kind in "fiu":
                    big = numbers.astype(numbers.dtype.newbyteorder(">")).tobytes()
                    yield from _everywhere(content, big, facts_of(key))


def _tiff(content: bytes) -> Iterator[Part]:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        for page in file.pages:
            assert isinstance(page, tifffile.TiffPage)
            if int(page.compression) in _TIFF_WITHOUT_SUM:
                for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                    yield Part(start, start + size, PIXELS, _DATA, moves=True)
            for tag in page.tags.values():
                size = tag.count * tifffile.DATATYPES_SIZE[tag.dtype] if hasattr(tifffile, "DATATYPES_SIZE") else len(_tag_bytes(tag))  # fmt: skip
                span = (tag.valueoffset, tag.valueoffset + size)
                if tag.code in _TIFF_TAGS:
                    yield Part(*span, NUMBER, _TIFF_TAGS[tag.code])
                elif tag.code in _TIFF_NAMES:
                    yield Part(*span, NAME, frozenset(_TIFF_NAMES[tag.code]))


def _tag_bytes(tag: Any) -> bytes:
    size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
    return bytes(tag.count * size.get(int(tag.dtype), 1))


def _bmp(content: bytes) -> Iterator[Part]:
    (start,) = struct.unpack_from("<I", content, 10)
    (header,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<ii", content, 18)
    (bits,) = struct.unpack_from("<H", content, 28)
    size = (width * bits + 31) // 32 * 4 * abs(height)
    yield Part(14 + header, start, NUMBER, _DATA)  # the palette
    yield Part(start, start + size, PIXELS, _DATA)


def _jpeg(content: bytes) -> Iterator[Part]:
    at = 2
    while content[at] == 0xFF:
        marker, (size,) = content[at + 1], struct.unpack_from(">H", content, at + 2)
        if marker in (0xDB, 0xC4):  # tables of quantities, and of codes
            yield Part(at + 4, at + 2 + size, NUMBER, _DATA)
        at += 2 + size
        if marker == 0xDA:
            yield Part(at, content.rfind(b"\xff\xd9"), PIXELS, _DATA, moves=True)
            return


def _webp(content: bytes) -> Iterator[Part]:
    at = 12
    while at + 8 <= len(content):
        kind, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        if kind in (b"VP8L", b"VP8 "):  # behind the mark and the size of the picture
            yield Part(at + 8 + (5 if kind == b"VP8L" else 10), at + 8 + size, PIXELS, _DATA)
        at += 8 + size + size % 2


def _heic(content: bytes) -> Iterator[Part]:
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"mdat":
            yield Part(at + 8, at + size, PIXELS, _DATA)
        at += max(size, 8)


def _asd(content: bytes) -> Iterator[Part]:
    size = {0: 4, 1: 4, 2: 8}[content[199]]
    (bands,) = struct.unpack_from("<H", content, 204)
    yield Part(191, 199, NUMBER, _WAVELENGTHS)
    yield Part(484, 484 + size * bands, PIXELS, _DATA)
    if len(content) > 484 + size * bands + 20:
        note = 484 + size * bands + 20
        yield Part(note, len(content) - size * bands, NAME, frozenset())
        yield Part(len(content) - size * bands, len(content), PIXELS, _DATA)


def _zarr_chunk(path: Path, content: bytes) -> Iterator[Part]:
    """A chunk: its bytes, unless a codec behind them keeps a sum; the index of a shard has one."""
    for folder in path.parents:
        if (folder / ".zarray").exists():
            described = json.loads((folder / ".zarray").read_text(encoding="utf-8"))
            codecs = [described["compressor"], *(described["filters"] or ())]
            break
        if (folder / "zarr.json").exists():
            described = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
            codecs = described["codecs"]
            break
    end = len(content)
    names = json.dumps(codecs)
    if "sharding_indexed" in names:
        inner = codecs[0]["configuration"]
        shards = described["chunk_grid"]["configuration"]["chunk_shape"]
        chunks = np.prod([-(-a // b) for a, b in zip(shards, inner["chunk_shape"], strict=True)])
        end -= int(16 * chunks + 4)
        names = json.dumps(inner["codecs"])
    if not re.search(r'crc32|adler|gzip|zlib|"checksum": true|fletcher', names):
        yield Part(0, end, PIXELS, _DATA)
