"""Made-up bad inputs, by kind: what a file claims, hides, nests, repeats, or leads to.

Each maker writes into an empty folder and returns the command that opens what it wrote, or a call.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bad_contents
import h5py
import numpy as np
import tifffile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Maker = tuple[str, str, "Callable[[Path], Any]"]
#: More than any computer holds.
HUGE = (31, 10**6, 10**6)
_SMALL = np.linspace(0, 1, 31 * 6 * 5, dtype=np.float32).reshape(31, 6, 5)
_ZEROS = 2**24


def _bomb(times: int) -> bytes:
    """A zlib stream of ``times`` × 16 MiB of zeros, made of one part that stands by itself."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    part = packer.compress(bytes(_ZEROS)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + part * times + b"\x03\x00" + b"\0\0\0\1"


def _npy(shape: Any, descr: str = "<f4") -> bytes:
    stored = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stored, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return stored.getvalue()


def _info(path: Path) -> list[str]:
    return ["info", str(path)]


def _bytes(name: str, content: bytes, *command: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(content)
        return [*(command or ("info",)), str(folder / name)]

    return make


def every() -> Iterator[Maker]:
    """All of them: kind, name, maker."""
    for kind, makers in _KINDS.items():
        for name, maker in makers():
            yield kind, name, maker


# --- HDF5 ----------------------------------------------------------------------------------


def _h5(fill: Callable[[Any, Path], None], suffix: str = ".h5") -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        path = folder / f"a{suffix}"
        with h5py.File(path, "w") as file:
            fill(file, folder)
        return _info(path)

    return make


def _hdf5() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    for shape in (HUGE, (1, *HUGE), HUGE[1:], (31, 0, 5), (2**40, 1, 1)):
        for suffix in (".h5", ".mat", ".nc"):
            yield (
                f"never written {shape} {suffix}",
                _h5(lambda f, _, s=shape: f.create_dataset("cube", s, "f4"), suffix),
            )

    def beside(name: str, dtype: Any, count: int) -> Callable[[Any, Path], None]:
        def fill(file: Any, _: Path) -> None:
            file["cube"] = _SMALL
            file.create_dataset(name, (count,), dtype, chunks=(min(count, 2**20),))

        return fill

    for name in ("wavelengths", "fwhm", "napari_hsr", "bbl", "wavelength"):
        for dtype in ("f8", "S100", h5py.string_dtype(), "g"):
            yield f"{name} of 3e8 {dtype}", _h5(beside(name, dtype, 3 * 10**8))

    def chunk(content: bytes, shape: Any = _SMALL.shape, **options: Any) -> Any:
        def fill(file: Any, _: Path) -> None:
            made = file.create_dataset("cube", shape, "f4", chunks=shape, **options)
            made.id.write_direct_chunk((0, 0, 0), content)

        return fill

    good = _SMALL.tobytes()
    for name, content in {
        "short": zlib.compress(good[:16]),
        "long": zlib.compress(good * 3),
        "a byte": b"\0",
        "garbage": b"\x78\x9c" + bytes(range(200)),
        "bomb": _bomb(60),
    }.items():
        for options in ({"compression": "gzip"}, {"compression": "gzip", "shuffle": True}):
            yield f"chunk {name} {options}", _h5(chunk(content, **options))
        yield f"chunk {name} lzf", _h5(chunk(content, compression="lzf"))
        yield f"chunk {name} fletcher", _h5(chunk(content, fletcher32=True))
        yield f"chunk {name} unpacked", _h5(chunk(content))
    for shape in ((31, 5000, 6000), (31, 2000, 2000)):
        yield f"chunk of {shape}", _h5(chunk(zlib.compress(b"x"), shape, compression="gzip"))

    def nested(depth: int) -> Callable[[Any, Path], None]:
        def fill(file: Any, _: Path) -> None:
            group = file
            for _level in range(depth):
                group = group.create_group("g")
            group["cube"] = _SMALL

        return fill

    for depth in (40, 2000):
        yield f"{depth} nested groups", _h5(nested(depth))

    def many(file: Any, _: Path) -> None:
        for index in range(12_000):
            file.create_group(f"g{index}")
        file["cube"] = _SMALL

    yield "12,000 groups", _h5(many)

    def virtual(source: str, name: str = "cube") -> Callable[[Any, Path], None]:
        def fill(file: Any, folder: Path) -> None:
            if source == "fifo":
                os.mkfifo(folder / "fifo")
            layout = h5py.VirtualLayout(_SMALL.shape, "f4")
            layout[:] = h5py.VirtualSource(source, name, _SMALL.shape)
            file.create_virtual_dataset("cube", layout)

        return fill

    for source in (".", "a.h5", "/etc/passwd", "fifo", "../a.h5", "gone.h5", "/dev/zero"):
        yield f"virtual from {source}", _h5(virtual(source))

    def external(source: str) -> Callable[[Any, Path], None]:
        def fill(file: Any, folder: Path) -> None:
            if source == "fifo":
                os.mkfifo(folder / "fifo")
            shape = (3, 10, 10)
            file.create_dataset("cube", shape, "u1", external=[(source, 0, 300)])

        return fill

    for source in ("/etc/passwd", "fifo", "/dev/zero", "gone"):
        yield f"external {source}", _h5(external(source))

    def links(file: Any, folder: Path) -> None:
        with h5py.File(folder / "other.h5", "w") as other:
            other["napari_hsr"] = "{}"
        file["cube"] = _SMALL
        file["napari_hsr"] = h5py.ExternalLink("other.h5", "napari_hsr")
        file["loop"] = h5py.SoftLink("/loop")
        file["self"] = file["/"]

    yield "links", _h5(links)
    odd = {
        "text": "x" * 60_000,
        "many texts": np.array(["x" * 500] * 100, dtype=object),
        "long double": np.longdouble(1),
        "complex": 1j,
        "table": np.zeros(50, np.dtype([("a", "f8"), ("b", "S5", 3)])),
        "empty": h5py.Empty("f4"),
        "names": "\x1b[2J\r\n" * 50,
    }
    for name, value in odd.items():

        def fill(file: Any, _: Path, value: Any = value, name: str = name) -> None:
            file["cube"] = _SMALL
            for key in ("wavelengths", "units", "scale_factor", "_FillValue", name):
                file["cube"].attrs.create(
                    key, value, dtype=h5py.string_dtype() if name == "many texts" else None
                )

        yield f"attributes: {name}", _h5(fill)

    def attributes(file: Any, _: Path) -> None:
        file["cube"] = _SMALL
        for index in range(5_000):
            file["cube"].attrs[f"a{index}"] = index

    yield "5,000 attributes", _h5(attributes)

    def references(file: Any, _: Path) -> None:
        file["cube"] = _SMALL
        last = file["cube"]
        for level in range(40):
            made = file.create_dataset(f"r{level}", (10,), h5py.ref_dtype)
            made[:] = [last.ref] * 10
            last = made
        file["wavelengths"] = np.array([last.ref] * 31, dtype=h5py.ref_dtype)

    yield "references of references", _h5(references)

    def to_themselves(file: Any, _: Path) -> None:
        file["cube"] = _SMALL
        group, inner = file.create_group("#refs#/g"), None
        for name in ("#refs#/inner", "cells"):
            made = file.create_dataset(name, (9_999,), h5py.ref_dtype)
            made[:] = [group.ref if inner is None else inner.ref] * 9_999
            inner = made
        made[0] = made.ref

    yield "references to themselves", _h5(to_themselves)
    for dtype in ("S7", "V13", "c8", "?", "f2", "g", "u8", "i1"):
        values = np.zeros(_SMALL.shape, dtype)
        yield f"values of {dtype}", _h5(lambda f, _, v=values: f.create_dataset("cube", data=v))


# --- NumPy and MATLAB ----------------------------------------------------------------------


def _zip(name: str, members: dict[str, bytes], packed: int = 8) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        with zipfile.ZipFile(folder / name, "w", packed) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return _info(folder / name)

    return make


class _Evil:
    """Something whose reading would run code."""

    def __init__(self, path: str = "owned"):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


def _numpy() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    for shape in (HUGE, (1, *HUGE), (10**18,) * 3, (-1, 5, 5), (31, 6, True), (), (0, 6, 5)):
        yield f"npy {shape}", _bytes("a.npy", _npy(shape) + bytes(500))
        yield f"npz {shape}", _zip("a.npz", {"cube.npy": _npy(shape) + bytes(500)})
    pickled = io.BytesIO()
    np.lib.format.write_array(pickled, np.array([_Evil()], object), allow_pickle=True)
    yield "npy with a pickle", _bytes("a.npy", pickled.getvalue())
    for name in ("cube", "wavelengths", "napari_hsr"):
        parts = {"cube.npy": _npy(_SMALL.shape) + _SMALL.tobytes()}
        yield (
            f"npz with a pickle as {name}",
            _zip("a.npz", parts | {f"{name}.npy": pickled.getvalue()}),
        )
    for descr in ("<f16", "|O", "|V8", "<M8[s]", "<U9999999", "garbage"):
        yield f"npy of {descr}", _bytes("a.npy", _npy((31, 6, 5), descr) + bytes(9000))
    head = b"\x93NUMPY\x01\x00"
    for text in (b"{" * 500, b"[" * 9000, b"()", b"__import__('os').system('x')", b"\xff" * 90):
        header = head + struct.pack("<H", len(text)) + text
        yield f"npy head {text[:12]!r}", _bytes("a.npy", header)
    yield (
        "npz of 20,000 members",
        _zip("a.npz", {f"m{i}.npy": b"x" for i in range(20_000)}, zipfile.ZIP_STORED),
    )
    for name in ("../../owned.npy", "/var/owned.npy", "a" * 60_000 + ".npy", "\x1b[2J.npy"):
        yield f"npz member {name[:20]!r}", _zip("a.npz", {name: _npy((31, 6, 5)) + bytes(3720)})
    inflating = _bomb(120)[2:-4]
    for member in ("cube.npy", "wavelengths.npy", "napari_hsr.npy"):
        yield f"npz bomb {member}", _bytes("a.npz", _packed_entry(member, inflating))

    def matlab(kind: int, content: bytes, packed: bool = True) -> bytes:
        element = struct.pack("<II", kind, len(content)) + content
        if packed:
            element = zlib.compress(element)
            element = struct.pack("<II", 15, len(element)) + element
        return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + element

    def array(name: bytes, dims: tuple[int, ...], kind: int, rest: bytes) -> bytes:
        flags = struct.pack("<IIII", 6, 8, kind, 0)
        shape = struct.pack("<II", 5, 4 * len(dims)) + struct.pack(f"<{len(dims)}i", *dims)
        shape += bytes(-len(shape) % 8)
        title = struct.pack("<II", 1, len(name)) + name + bytes(-len(name) % 8)
        return flags + shape + title + rest

    for kind in (1, 2, 4, 5, 6, 7, 16, 17):
        for dims in ((10**4, 10**4, 31), (2**31 - 1,) * 3, (-5, 6, 7), (10**8, 1)):
            content = array(b"cube", dims, kind, b"")
            yield f"MATLAB 5 class {kind} {dims}", _bytes("a.mat", matlab(14, content))
    deep = b""
    for _level in range(400):
        cell = array(b"", (1, 1), 1, deep)
        deep = struct.pack("<II", 14, len(cell)) + cell
    yield "MATLAB 5 cells 400 deep", _bytes("a.mat", matlab(14, array(b"s", (1, 1), 1, deep)))
    bomb = _bomb(60)
    yield (
        "MATLAB 5 bomb",
        _bytes(
            "a.mat",
            b"MATLAB 5.0 MAT-file".ljust(124)
            + b"\0\1IM"
            + struct.pack("<II", 15, len(bomb))
            + bomb,
        ),
    )
    for head_ in (b"CDF\x01", b"CDF\x02"):
        for counts in ((1, 10, 2**31 - 1), (2**31 - 1, 0, 0), (0, 11, 2**30), (1, 12, 2**28)):
            content = head_ + struct.pack(">III", *counts) + bytes(64)
            yield f"NetCDF {head_!r} {counts}", _bytes("a.nc", content)


def _packed_entry(name: str, content: bytes, size: int = 2**31) -> bytes:
    """A zip archive of one packed file, whose sum of check is wrong."""
    title = name.encode()
    common = struct.pack("<HHHIIIHH", 0, 8, 0, 1, len(content), size, len(title), 0)
    local = b"PK\3\4" + struct.pack("<HH", 20, 0) + common[2:] + title
    local = (
        b"PK\3\4"
        + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 1, len(content), size, len(title), 0)
        + title
    )
    central = (
        b"PK\1\2"
        + struct.pack(
            "<HHHHHHIIIHHHHHII",
            *(20, 20, 0, 8, 0, 0, 1, len(content), size, len(title), 0, 0, 0, 0, 0, 0),
        )
        + title
    )
    at = len(local) + len(content)
    return (
        local
        + content
        + central
        + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), at, 0)
    )


# --- pictures ------------------------------------------------------------------------------


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _png_chunk(b"IEND", b"")


def _pictures() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    pixels = _png_chunk(b"IDAT", zlib.compress(bytes(8 * (1 + 24))))
    bomb = _bomb(60)
    for width, height in ((30_000, 30_000), (2**31 - 1, 2**31 - 1), (0, 8), (2**31 - 1, 1)):
        for depth, colour in ((8, 2), (16, 6), (1, 3)):
            content = _png(width, height, _png_chunk(b"IDAT", bomb), depth=depth, colour=colour)
            yield f"PNG {width} x {height}, {depth} bits, colour {colour}", _bytes("a.png", content)
    for kind, content in {
        b"zTXt": b"napari_hsr\0\0" + bomb,
        b"iTXt": b"napari_hsr\0\1\0\0\0" + bomb,
        b"iCCP": b"x\0\0" + bomb,
        b"tEXt": b"napari_hsr\0" + b"[" * 100_000,
        b"eXIf": b"II*\0\xff\xff\xff\xff" + bytes(50),
        b"gAMA": b"\0",
        b"PLTE": b"\0" * 5,
        b"sBIT": b"\xff\xff\xff",
    }.items():
        yield f"PNG {kind!r}", _bytes("a.png", _png(8, 8, _png_chunk(kind, content), pixels))
    yield (
        "PNG of 100,000 parts",
        _bytes("a.png", _png(8, 8, _png_chunk(b"tIME", b"x") * 100_000, pixels)),
    )
    yield "PNG without pixels", _bytes("a.png", _png(8, 8))
    yield (
        "PNG, part of 2 GB",
        _bytes("a.png", _png(8, 8)[:33] + b"\x7f\xff\xff\xffIDAT" + bytes(99)),
    )
    sof = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 65500, 65500, 3) + bytes(range(9))
    yield (
        "JPEG 65500 x 65500",
        _bytes("a.jpg", b"\xff\xd8" + sof + b"\xff\xda\0\x0c\3" + bytes(900)),
    )
    for mark in (0xE1, 0xE2, 0xED, 0xDB, 0xC4):
        part = (
            b"\xff" + bytes([mark]) + struct.pack(">H", 65535) + b"Exif\0\0MM\0*" + b"\xff" * 65523
        )
        yield f"JPEG marker {mark:#x}", _bytes("a.jpg", b"\xff\xd8" + part * 30 + sof)
    for width, height, bits in (
        (2**31 - 1, 2**31 - 1, 24),
        (-5, 6, 24),
        (30_000, 30_000, 1),
        (8, 8, 99),
    ):
        head = b"BM" + struct.pack(
            "<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, width, height, 1, bits, 0, 0, 0, 0, 0, 0
        )
        yield f"BMP {width} x {height} x {bits}", _bytes("a.bmp", head + bytes(64))
    brand = struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1")
    for name, box in {
        "endless box": struct.pack(">I4s", 0, b"meta") + bytes(99),
        "huge box": struct.pack(">I4sQ", 1, b"meta", 2**60),
        "nested boxes": b"".join(struct.pack(">I4s", 8 * (2000 - i), b"meta") for i in range(1999)),
        "garbage": bytes(range(256)) * 20,
    }.items():
        yield f"HEIC {name}", _bytes("a.heic", brand + box)
    for suffix in ("dng", "nef", "cr2", "arw", "orf", "rw2"):
        yield f"raw garbage .{suffix}", _bytes(f"a.{suffix}", b"II*\0\x08\0\0\0" + b"\xff" * 5000)
    yield "raw RAF", _bytes("a.raf", b"FUJIFILMCCD-RAW " + b"\xff" * 5000)
    yield "raw CR3", _bytes("a.cr3", b"\0\0\0\x18ftypcrx " + b"\xff" * 5000)

    def dng(side: int, strips: int) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            path = folder / "a.dng"
            tags = [
                (50706, "B", 4, (1, 4, 0, 0), True),
                (50721, "2i", 9, (1, 1) * 9, True),
                (33421, "H", 2, (2, 2), True),
                (33422, "B", 4, (0, 1, 1, 2), True),
                (272, "s", 0, "x" * 100, True),
            ]
            values = np.zeros((16, 16), np.uint16)
            tifffile.imwrite(path, values, photometric=32803, extratags=tags)
            with tifffile.TiffFile(path, mode="r+") as file:
                for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
                    file.pages[0].tags[name].overwrite(side)
                file.pages[0].tags["StripByteCounts"].overwrite(strips)
            return _info(path)

        return make

    for side in (10_000, 60_000, 2**31 - 1):
        yield f"DNG of {side} x {side}", dng(side, 2**31 - 1)


# --- TIFF ----------------------------------------------------------------------------------


def _tif(
    change: Callable[[Any], None] | None = None, **options: Any
) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        path = folder / "a.tif"
        tifffile.imwrite(path, _SMALL, **{"photometric": "minisblack", **options})
        if change is not None:
            with tifffile.TiffFile(path, mode="r+") as file:
                change(file)
        return _info(path)

    return make


def _ifd(*tags: tuple[int, int, int, int], after: int = 0, big: bool = False) -> bytes:
    if big:
        body = b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
        head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
        return head + struct.pack("<Q", len(tags)) + body + struct.pack("<Q", after)
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + struct.pack("<I", after)


def _tiffs() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    for tag, values in {
        "ImageWidth": (0, 10**6, 2**31 - 1),
        "ImageLength": (0, 10**6, 2**31 - 1),
        "BitsPerSample": (1, 7, 64, 65535),
        "SamplesPerPixel": (0, 3, 65535),
        "Compression": (2, 5, 7, 8, 34712, 34887, 34925, 50000, 50002, 32773, 65000),
        "SampleFormat": (0, 2, 5, 9),
        "RowsPerStrip": (0, 2**31 - 1),
        "StripOffsets": (2**31 - 1,),
        "StripByteCounts": (0, 2**31 - 1),
        "PlanarConfiguration": (2, 9),
    }.items():
        for value in values:

            def change(file: Any, tag: str = tag, value: int = value) -> None:
                for page in file.pages:
                    if tag in page.tags:
                        page.tags[tag].overwrite(value)

            yield f"TIFF {tag} = {value}", _tif(change)
    for packed in (
        "zlib",
        "lzw",
        "packbits",
        "zstd",
        "lzma",
        "lerc",
        "png",
        "webp",
        "jpegxl",
        "jpeg2000",
    ):

        def garble(file: Any) -> None:
            handle = file.filehandle
            for page in file.pages:
                for at, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                    handle.seek(at + size // 3)
                    handle.write(bytes(range(min(size // 2, 200))))

        photograph = packed in ("png", "webp", "jpegxl", "jpeg2000")
        values = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)

        def make(
            folder: Path, packed: str = packed, photograph: bool = photograph, values: Any = values
        ) -> list[str]:
            path = folder / "a.tif"
            if photograph:
                tifffile.imwrite(path, values, photometric="rgb", compression=packed)
            else:
                tifffile.imwrite(path, _SMALL, photometric="minisblack", compression=packed)
            with tifffile.TiffFile(path, mode="r+") as file:
                garble(file)
            return _info(path)

        yield f"TIFF {packed} garbled", make
    size = ((256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8))
    for name, content in {
        "chain of itself": _ifd(*size, after=8),
        "chain beyond": _ifd(*size, after=2**32 - 1),
        "no tags": _ifd(),
        "65,535 tags": b"II*\0\x08\0\0\0\xff\xff" + bytes(500),
        "tag of 4e9 values": _ifd(*size, (273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)),
        "tag of 1e18 values": _ifd(*size, (273, 16, 10**18, 8), (279, 16, 2**63, 8), big=True),
        "text of 4 GB": _ifd(*size, (270, 2, 2**32 - 1, 8)),
        "types of nobody": _ifd(*size, (273, 99, 5, 8), (270, 0, 1, 1)),
        "sub-images of itself": _ifd(*size, (330, 4, 1, 8)),
    }.items():
        yield f"TIFF {name}", _bytes("a.tif", content + bytes(400))
    chain = bytearray(b"II*\0\x08\0\0\0")
    for index in range(20_000):
        at = 8 + 18 * index
        chain += struct.pack("<HHHIII", 1, 256, 3, 1, 8, at + 18 if index < 19_999 else 0)
    yield "TIFF of 20,000 pages", _bytes("a.tif", bytes(chain))
    laughs = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">'
    for dtd in (laughs, outside):
        gdal = (
            f"{dtd}]><GDALMetadata><Item name='wavelength' sample='0'>&j;&a;</Item></GDALMetadata>"
        )
        tag = [(42112, "s", 0, gdal, True)]
        yield f"TIFF GDAL metadata {dtd[14:34]}", _tif(extratags=tag, metadata=None)
        ome = f'<?xml version="1.0"?>{dtd}]><OME xmlns="http://www.openmicroscopy.org/x"><Image>&j;&a;</Image></OME>'
        yield f"TIFF OME {dtd[14:34]}", _tif(description=ome, metadata=None)
    for text in (
        '{"wavelengths": [[1, 2], 3]}',
        '{"wavelengths": ' + "9" * 5000 + "}",
        "[" * 20_000,
        '{"shape": [31, 1000000, 1000000]}',
        '{"shape": [31, 6, 5], "axes": 5}',
        "ImageJ=1.54\nimages=99999999\nchannels=99999999\n",
        "<GDALMetadata>" + "<Item>" * 20_000,
        "x" * 2_000_000,
    ):
        yield f"TIFF description {text[:24]!r}", _tif(description=text, metadata=None)


# --- ENVI ----------------------------------------------------------------------------------

_FACTS = {
    "samples": "5", "lines": "6", "bands": "31", "data type": "4", "interleave": "bsq",
    "byte order": "0", "header offset": "0", "wavelength units": "nm",
    "wavelength": "{" + ", ".join(str(400 + 10 * i) for i in range(31)) + "}",
}  # fmt: skip


def _envi() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    def make(facts: dict[str, str], raw: str = "", content: bytes = _SMALL.tobytes()) -> Any:
        def write(folder: Path) -> list[str]:
            lines = [f"{key} = {value}" for key, value in (_FACTS | facts).items()]
            (folder / "a.hdr").write_text("ENVI\n" + "\n".join(lines) + "\n" + raw, "utf-8")
            (folder / "a.img").write_bytes(content)
            return _info(folder / "a.hdr")

        return write

    for key, values in {
        "samples": ("0", "-5", "1000000000", "²", "9" * 5000, "nan", "5.5", "{5}"),
        "lines": ("1000000000", "1e9", "", "٣"),
        "bands": ("0", "1000000000", "{31, 31}", "0x1f"),
        "data type": ("99", "-1", "x", "{4}", "6", "9"),
        "interleave": ("xyz", "{bsq}", "", "b" * 9000),
        "byte order": ("7", "x", "{0}"),
        "header offset": ("-100", "10" * 12, "1e18", "inf"),
        "wavelength": ("{nan}", "{" + "1," * 200_000 + "}", "{{{{400}}}}", "400", "{1e999}", "{"),
        "wavelength units": ("{nm}", "\x1b[2J", "x" * 100_000, "furlongs"),
        "fwhm": ("{nan, inf}", "x", "{" + "-1," * 31 + "}"),
        "bbl": ("{2}", "{a}", "{" + "9" * 400 + "}"),
        "data ignore value": ("{0}", "inf", "nan", "9" * 400),
        "reflectance scale factor": ("0", "-1", "inf", "nan", "1e-320"),
        "map info": ("{UTM}", "{" + "x," * 5000 + "}", "{UTM, nan, inf, 1e999, 0, 0, 0}", "[[["),
        "band names": ("{" + "a," * 100_000 + "}", "{\x00}", "{<b>x</b>}"),
        "file compression": ("1", "9", "x"),
        "default bands": ("{99, -1, x}",),
        "napari_hsr": ("{" + "[" * 50_000 + "}", '{"steps": 5}'),
    }.items():
        for value in values:
            yield f"ENVI {key} = {value[:16]!r}", make({key: value})
    yield "ENVI without an end of a list", make({}, "description = {" + "x\n" * 50_000)
    yield "ENVI with NUL", make({}, "a\0b = c\0d")
    yield "ENVI of 1e5 lines", make({}, "".join(f"k{i} = v\n" for i in range(100_000)))
    content = b"\x1f\x8b\x08" + bytes(7) + _bomb(16)[2:]
    yield "ENVI gzip bomb", make({"file compression": "1"}, content=content)
    for facts in (
        "nrows 1e9\nncols 1e9\nnbands 5",
        "nrows -1\nncols ²\n",
        "nrows 5\nncols 5\nnbits 99",
    ):
        name = facts.split("\n")[0]
        yield f"ESRI {name}", _bytes("a.hdr", f"{facts}\nlayout bil\n".encode())


# --- records, libraries, models, recipes ---------------------------------------------------


def _records() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    values = {
        "number": 5, "list": [1, [2]], "deep": json.loads("[" * 400 + "]" * 400), "big": 10**400,
        "text": "\x1b[2J\r\n" * 2000, "bool": True, "pairs": {"a": {"b": {"c": None}}},
    }  # fmt: skip
    for field in ("name", "units", "steps", "extra", "notices", "place", "metadata", "wavelengths"):
        for kind, value in values.items():
            text = (
                json.dumps({"version": 1, field: value})
                if kind != "big"
                else f'{{"{field}": {10**400}}}'
            )

            def make(folder: Path, text: str = text) -> list[str]:
                np.savez(folder / "a.npz", cube=_SMALL, napari_hsr=np.array(text))
                return _info(folder / "a.npz")

            yield f"record {field}: {kind}", make


def _libraries() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    table = "wavelength,a\n" + "".join(f"{400 + i},0.5\n" for i in range(31))
    for name, content in {
        "json deep": ("a.json", b"[" * 100_000),
        "json spectra": (
            "a.json",
            b'{"spectra": [{"name": [[]], "values": {}}], "wavelengths_nm": 5}',
        ),
        "json number": ("a.json", b'{"spectra": 5}'),
        "json 1e400": (
            "a.json",
            b'{"spectra": [{"name":"a","values":[1e400]}], "wavelengths_nm":['
            + b"9" * 5000
            + b"]}",
        ),
        "csv of one line": ("a.csv", b"1," * 2_000_000),
        "csv of NUL": ("a.csv", table.encode() + b"\0\0"),
        "csv of quotes": ("a.csv", b'"' * 500_000),
        "csv ragged": ("a.csv", b"wavelength,a,b\n400,1\n410\n420,1,2,3,4\n"),
        "csv ²": ("a.csv", "wavelength,a\n²,1\n٣,2\n".encode()),
        "csv inf": ("a.csv", b"wavelength,a\n400,inf\nnan,1e999\n"),
        "csv of 1e5 columns": (
            "a.csv",
            b"wavelength," + b"a," * 100_000 + b"\n400," + b"1," * 100_000,
        ),
        "asd of 65,535": ("a.asd", b"as7" + b"\0" * 183 + b"\xff" * 400),
        "asd nan": (
            "a.asd",
            b"as7" + b"\0" * 188 + struct.pack("<ff", float("nan"), 1) + b"\xff" * 300,
        ),
        "sig": ("a.sig", b"/*** Spectra Vista SIG Data ***/\ndata=\n" + b"400 x y z\n" * 50),
        "sed": ("a.sed", b"Comment:\nColumns [9999999]:\nData:\n" + b"1\t" * 90_000),
        "usgs": ("a.txt", b"USGS\n" + b"-1.23e34\n" * 200_000),
        "npz": ("a.npz", b"PK\3\4" + b"\xff" * 500),
    }.items():
        yield f"library {name}", _bytes(*content, "library")
    for key in (
        "samples",
        "lines",
        "bands",
        "data type",
        "wavelength",
        "spectra names",
        "header offset",
    ):
        for value in ("-1", "9" * 12, "{{x}}", "nan"):

            def make(folder: Path, key: str = key, value: str = value) -> list[str]:
                facts = {
                    **_FACTS,
                    "bands": "1",
                    "samples": "31",
                    "lines": "2",
                    "file type": "ENVI Spectral Library",
                    key: value,
                }
                lines = "\n".join(f"{k} = {v}" for k, v in facts.items())
                (folder / "a.hdr").write_text(f"ENVI\n{lines}\n")
                (folder / "a.sli").write_bytes(bytes(248))
                return ["library", str(folder / "a.hdr")]

            yield f"library {key} = {value[:8]}", make


def _import(path: Path) -> list[str]:
    return ["models", "import", str(path), "--name", "x"]


def _models() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    import torch

    def saved(value: Any, **options: Any) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            torch.save(value, folder / "a.pth", **options)
            return _import(folder / "a.pth")

        return make

    def kernel(*shape: int) -> Any:
        return torch.ones(1).expand(*shape)

    edsr = {
        "head.0.weight": kernel(8, 3, 3, 3), "head.0.bias": kernel(8),
        "body.0.body.0.weight": kernel(8, 8, 3, 3), "tail.0.weight": kernel(31, 8, 3, 3),
    }  # fmt: skip
    for name, value in {
        "nothing": {}, "a number": 5, "a list": [1, 2], "text": "x" * 10**6, "evil": {"w": _Evil()},
        "names of 100,000 characters": {"module." * 15_000 + "w": torch.zeros(3)},
        "30,000 names": {f"w{i}": 0 for i in range(30_000)},
        "complex": {"w": torch.zeros(3, dtype=torch.complex64)},
        "sparse": {"w": torch.zeros(3, 3).to_sparse()},
        "vast by repetition": {"w": kernel(10**6, 10**6)},
        "a block numbered 10^20": {**edsr, f"body.{10**20}.weight": kernel(8, 8, 3, 3)},
        "a block of another digit": {**edsr, "body.٣.weight": kernel(8, 8, 3, 3)},
        "a network of width 10^6": {**edsr, "head.0.weight": kernel(10**6, 3, 3, 3)},
        "NaN": {k: v * float("nan") for k, v in edsr.items()},
        "numbers as names": {5: torch.zeros(3), None: torch.zeros(2)},
    }.items():  # fmt: skip
        yield f"checkpoint: {name}", saved(value)
        if name != "sparse":
            yield f"checkpoint, older: {name}", saved(value, _use_new_zipfile_serialization=False)
    deep: Any = torch.zeros(3)
    for _level in range(300):
        deep = {"a": deep}
    yield "checkpoint 300 deep", saved(deep)
    for protocol in (0, 2, 4):
        yield f"pickle {protocol}", _bytes_import("a.pth", pickle.dumps(_Evil(), protocol))
        yield (
            f"pickle {protocol}, called safetensors",
            _bytes_import("a.safetensors", pickle.dumps(_Evil(), protocol)),
        )
    for name, content in {
        "zip of nothing": b"PK\5\6" + bytes(18), "half a zip": b"PK\3\4" + bytes(90), "empty": b"",
        "safetensors of 2^60": struct.pack("<Q", 2**60) + b"{}", "safetensors without an end": struct.pack("<Q", 50) + b"{",
        "safetensors deep": struct.pack("<Q", 9000) + b"[" * 9000,
    }.items():  # fmt: skip
        yield (
            f"weights: {name}",
            _bytes_import("a.pth" if "safe" not in name else "a.safetensors", content),
        )
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    for name, facts in {
        "beyond": {**tensor, "data_offsets": [0, 2**50]}, "vast": {**tensor, "shape": [2**40, 2**40]},
        "negative": {**tensor, "shape": [-2]}, "other type": {**tensor, "dtype": "F7"}, "bool": {**tensor, "dtype": "BOOL"},
    }.items():  # fmt: skip
        head = json.dumps({"w": facts}).encode()
        yield (
            f"safetensors {name}",
            _bytes_import("a.safetensors", struct.pack("<Q", len(head)) + head + bytes(8)),
        )
    for name, training in {
        "held out": {"held_out": [1]}, "cameras": {"held_out_cameras": [5]}, "coarse": {"coarse": "x"}, "seed": {"seed": {}},
    }.items():  # fmt: skip
        known = {
            "name": "x",
            "title": "x",
            "architecture": "root_polynomial",
            "input_encoding": "srgb",
            "wavelengths_nm": [400, 500],
        }
        stated = json.dumps(known | {"training": training, "stress": {"blur": {"moved": 1}}})
        head = json.dumps({"w": tensor, "__metadata__": {"napari_hsr_card": stated}}).encode()
        content = struct.pack("<Q", len(head)) + head + bytes(8)
        yield f"facts of a card: {name}", _bytes("a.safetensors", content, "models", "show")
    for name, card in {
        "deep": "[" * 50_000, "number": "5", "wavelengths": json.dumps({"name": "x", "wavelengths_nm": [1.0] * 200_000}),
        "text": json.dumps({"name": "\x1b[2J\n" * 999, "architecture": "edsr"}), "big": '{"scale": ' + "9" * 5000 + "}",
    }.items():  # fmt: skip
        head = json.dumps({"w": tensor, "__metadata__": {"napari_hsr_card": card}}).encode()
        content = struct.pack("<Q", len(head)) + head + bytes(8)
        yield f"card {name}", _bytes_import("a.safetensors", content)
        yield f"card shown {name}", _bytes("a.safetensors", content, "models", "show")


def _bytes_import(name: str, content: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(content)
        return _import(folder / name)

    return make


def _recipes() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    base = "model: {architecture: edsr}\ndata: {folder: imgs}\ncamera: {cameras: [cie-1931]}\n"

    def make(text: str, *options: str) -> Callable[[Path], list[str]]:
        def write(folder: Path) -> list[str]:
            (folder / "imgs").mkdir()
            for index in range(3):
                np.savez(
                    folder / "imgs" / f"i{index}.npz",
                    cube=np.tile(_SMALL, (1, 4, 4)),
                    wavelengths=np.arange(400, 701, 10.0),
                )
            (folder / "r.yaml").write_text(text)
            return ["train", str(folder / "r.yaml"), "--dry-run", *options]

        return write

    for line in (
        "optimiser: {betas: [2, 5]}", "schedule: {minutes: .inf}", "schedule: {minutes: 1e300}",
        "batch: {size: 1000000000, patch: 8}", "batch: {patch: 1000000000}", "batch: {accumulate: 1e9}",
        "seed: " + "9" * 5000, "seed: -1", "name: " + "x" * 100_000, "name: ../x", "name: [[[[]]]]",
        "title: \"\\u001b[2J\"", "ema: .nan", "loss: []", "loss: [{kind: l1, weight: .inf}]",
        "loss: [{kind: mrae, floor: [0, 0]}]", "data: {folder: /dev/zero}", "data: {folder: imgs, split_file: /dev/zero}",
        "data: {folder: imgs, hold_out: 1e300}", "data: {folder: imgs, wavelengths_nm: [.nan]}",
        "data: {pairs: [{cube: /dev/zero}]}", "model: {architecture: edsr, settings: {blocks: 1000000000}}",
        "model: {architecture: edsr, settings: {width: 1000000000}}", "model: {architecture: edsr, settings: {width: [[]]}}",
        "model: {start: /dev/zero}", "model: {start: ../../../etc/passwd}", "camera: {cameras: [/dev/zero]}",
        "camera: {cameras: [cie-1931], illuminants: ['/dev/zero:*']}", "camera: {cameras: [cie-1931], bits: 99}",
        "camera: {cameras: [cie-1931], jpeg: [-5, 1e9]}", "augmentation: {scales: [1e-300]}",
        "augmentation: {exposure: 1e300}", "materials: {tables: [/dev/zero]}", "validation: {every: 0}",
        "validation: {protocol: x}", "engine: {device: 'cuda:99'}", "engine: {devices: 1000000000}", "engine: {nodes: 99}",
        "? [a, b]\n: c", "a: &a [*a]", "!!python/object/apply:os.system [x]", "x: " + "[" * 900, "\0", "name: !!binary x",
        "name: &a x\nname: *a",
    ):  # fmt: skip
        key = line.split(":")[0]
        kept = "".join(b + "\n" for b in base.splitlines() if not b.startswith(f"{key}:"))
        yield f"recipe {line[:50]!r}", make(kept + line + "\n")
    for option in (
        "schedule.steps=" + "9" * 5000,
        "name=" + "[" * 20_000,
        "loss.99999999999.kind=l1",
        "=",
        "a.b.c.d=1",
        "seed=²",
    ):
        yield f"recipe --set {option[:30]}", make(base, "--set", option)


# --- options and kinds of files ------------------------------------------------------------


def _options() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    def make(*arguments: str) -> Callable[[Path], list[str]]:
        def write(folder: Path) -> list[str]:
            np.savez(folder / "a.npz", cube=_SMALL, wavelengths=np.arange(400, 701, 10.0))
            return [
                a.replace("CUBE", str(folder / "a.npz")).replace("OUT", str(folder / "o.h5"))
                for a in arguments
            ]

        return write

    for arguments in (
        ("convert", "CUBE", "-o", "OUT", "--wavelengths", "400:700:1e-9"), ("convert", "CUBE", "-o", "OUT", "--wavelengths", "²"),
        ("convert", "CUBE", "-o", "OUT", "--wavelengths", "/dev/zero"), ("convert", "CUBE", "-o", "OUT", "--bands", "0-999999999"),
        ("convert", "CUBE", "-o", "OUT", "--scale", "1e9"), ("convert", "CUBE", "-o", "OUT", "--scale", "1e-9"),
        ("convert", "CUBE", "-o", "OUT", "--crop", "0", "0", "999999999999", "5"), ("convert", "CUBE", "-o", "/dev/null"),
        ("convert", "CUBE", "-o", "CUBE"), ("convert", "CUBE", "-o", "OUT", "--factor", "nan"),
        ("info", "CUBE", "--axes", "y" * 9000), ("info", "CUBE", "--variable", "\x1b[2J"), ("info", "CUBE:" + "x" * 9000),
        ("super-resolve", "CUBE", "-o", "OUT", "--model", "bicubic-matlab", "--scale", "999999999"),
        ("super-resolve", "CUBE", "-o", "OUT", "--model", "/dev/zero"), ("render", "CUBE", "-o", "/dev/full"),
        ("evaluate", "CUBE", "/dev/zero"), ("evaluate", "CUBE", "CUBE", "--resample", "400:700:1e-12"),
        ("models", "import", "CUBE", "--name", "../x"), ("models", "show", "/dev/zero"), ("models", "show", "\x1b[2J"),
    ):  # fmt: skip
        yield "option " + " ".join(arguments)[:60], make(*arguments)


def _measurements() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    def beside(name: str, content: str, *command: str) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            np.savez(folder / "a.npz", cube=_SMALL, wavelengths=np.arange(400, 701, 10.0))
            (folder / name).write_text(content, encoding="utf-8", errors="surrogatepass")
            places = {"CUBE": folder / "a.npz", "OUT": folder / "o", "FILE": folder / name}
            return [str(places.get(a[:4], a)) + a[4:] if a[:4] in places else a for a in command]

        return make

    head, three = "wavelength,R,G,B\n", "400,1,1,1\n700,1,1,1\n"
    for name, table in {
        "huge": f"{head}400,1e308,1,1\n700,1e308,1,1\n", "tiny": f"{head}400,1e-320,1,1\n700,0,1,1\n",
        "negative": f"{head}400,-1,-1,-1\n700,-1,-1,-1\n", "million rows": head + "400,1,1,1\n" * 10**6,
        "falling": f"{head}700,1,1,1\n400,1,1,1\n", "digits": f"{head}{'9' * 5000},1,1,1\n", "superscript": f"{head}²,1,1,1\n",
        "quoted": f'{head}"{"x" * 10**6}', "20,000 cameras": "camera," + head + "".join(f"c{i},400,1,1,1\n" for i in range(20_000)),
        "name": "camera," + head + "\x1b[2J\n,400,1,1,1\n",
    }.items():  # fmt: skip
        yield (
            f"camera table {name}",
            beside("c.csv", table, "render", "CUBE", "-o", "OUT.png", "--camera", "FILE"),
        )
        yield (
            f"its camera {name}",
            beside("c.csv", table, "render", "CUBE", "-o", "OUT.png", "--camera", "FILE:x"),
        )
        yield (
            f"lights {name}",
            beside("c.csv", table, "render", "CUBE", "-o", "OUT.png", "--illuminant", "FILE"),
        )
    patches = "name,R,G,B\n" + "".join(f"p{i},0.{i + 1},0.5,0.{9 - i}\n" for i in range(9))
    for name, colours in {
        "many": "name,R,G,B\n" + "p,1,1,1\n" * 500_000, "huge": patches.replace("0.5", "1e308"), "NaN": patches.replace("0.5", "nan"),
        "zero": patches.replace("0.5", "0"), "digits": patches.replace("0.5", "9" * 5000), "binary": "\x00\x01" * 999, "names": "x" * 10**6,
    }.items():  # fmt: skip
        yield f"patches {name}", beside("p.csv", colours, "chart", "FILE", "FILE")
    for formula in (
        "~" * 499 + "b", "not " * 120 + "b", "1if b650 else 2", "9**9**9**9*b650", "(" * 400, "b" + "9" * 400, "b650.__class__",
        "().__class__.__mro__", "__import__('os')", "[b650 for b650 in b650]", "b650\x00", "b650 ** 1e300", "exp(exp(b650 * 1e300))",
        "b650" + "+b550" * 99, "lambda: b650", "f'{b650}'", "NDVI", "<b>", "\ud800", "b650 / 0",
    ):  # fmt: skip
        yield (
            f"formula {formula[:20]!a}",
            beside("f", "", "index", "CUBE", formula, "-o", "OUT.tif"),
        )
    profile = {"profile": 1, "name": "x", "encoding": "srgb", "gains": [1, 1, 1], "matrix": np.eye(3).tolist(), "chart": "24", "illuminant": "D65", "delta_e": 1}  # fmt: skip
    for name, wrong in {
        "name": {"name": ["x"]}, "encoding": {"encoding": "\x1b[2J"}, "gains": {"gains": ["1"] * 3}, "huge": {"gains": [1e308] * 3},
        "matrix": {"matrix": 5}, "wavelengths": {"wavelengths_nm": [400.0] * 10**6}, "more": {"code": "print(1)"}, "deep": None,
    }.items():  # fmt: skip
        content = "[" * 10**6 if wrong is None else json.dumps(profile | wrong)
        command = (
            "predict",
            "CUBE",
            "-o",
            "OUT.npz",
            "--device",
            "cpu",
            "--camera",
            "profile:FILE.json",
        )
        yield f"camera profile {name}", beside("f.json", content, *command)
    yield (
        "a camera that all see",
        beside("c.csv", head + three, "render", "CUBE", "-o", "OUT.png", "--camera", "FILE"),
    )


def _places() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    def pipe(name: str, *command: str) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            os.mkfifo(folder / name)
            return [*command, str(folder / name)]

        return make

    for name in (
        "a.h5",
        "a.mat",
        "a.tif",
        "a.png",
        "a.npy",
        "a.npz",
        "a.hdr",
        "a.dng",
        "a.heic",
        "a.nc",
        "a.jpg",
    ):
        yield f"pipe {name}", pipe(name, "info")
    for name in ("a.csv", "a.asd", "a.sli", "a.json"):
        yield f"library pipe {name}", pipe(name, "library")
    for name in ("a.pth", "a.safetensors"):
        yield f"weights pipe {name}", pipe(name, "models", "import", "--name", "x")
        yield f"weights shown pipe {name}", pipe(name, "models", "show")
    yield "recipe pipe", pipe("a.yaml", "train", "--dry-run")
    for device in ("/dev/zero", "/dev/full", "/dev/random"):
        for command in (
            ("info",),
            ("library",),
            ("models", "show"),
            ("models", "import", "--name", "x"),
            ("train", "--dry-run"),
        ):
            yield f"{device} {command}", lambda _, c=command, d=device: [*c, d]

    def sparse(name: str, head: bytes) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            with (folder / name).open("wb") as file:
                file.write(head)
                file.truncate(8 * 10**9)
            return _info(folder / name)

        return make

    for name, head in {
        "a.png": b"\x89PNG\r\n\x1a\n", "a.jpg": b"\xff\xd8\xff", "a.tif": b"II*\0", "a.npy": b"\x93NUMPY\1\0", "a.npz": b"PK\3\4",
        "a.mat": b"MATLAB 5.0", "a.h5": b"\x89HDF\r\n\x1a\n", "a.bmp": b"BM", "a.dng": b"II*\0", "a.heic": b"\0\0\0\x18ftypheic",
        "a.nc": b"CDF\x01", "a.hdr": b"ENVI\n", "b.mat": b"\0\0\0\0", "a.raf": b"FUJIFILMCCD-RAW",
    }.items():  # fmt: skip
        yield f"8 GB of zeros {name}", sparse(name, head)
    for name, command in {
        "a.csv": "library",
        "a.asd": "library",
        "a.json": "library",
        "a.yaml": "train",
    }.items():

        def make(folder: Path, name: str = name, command: str = command) -> list[str]:
            sparse(name, b"as7" if name == "a.asd" else b"a,b\n")(folder)
            return [command, str(folder / name), *(["--dry-run"] if command == "train" else [])]

        yield f"8 GB of zeros {name}", make

    def loop(folder: Path) -> list[str]:
        (folder / "a.h5").symlink_to("b.h5")
        (folder / "b.h5").symlink_to("a.h5")
        return _info(folder / "a.h5")

    yield "links in a circle", loop
    yield "a folder called a file", lambda f: ((f / "a.h5").mkdir(), _info(f / "a.h5"))[1]
    yield "a name too long", lambda f: _info(f / ("x" * 5000))
    for suffix in (
        ".h5",
        ".tif",
        ".png",
        ".npz",
        ".mat",
        ".hdr",
        ".dng",
        ".heic",
        ".zarr",
        ".nc",
        ".bmp",
        ".npy",
    ):
        yield f"empty {suffix}", _bytes(f"a{suffix}", b"")
        yield f"one byte {suffix}", _bytes(f"a{suffix}", b"\0")


# --- zarr ----------------------------------------------------------------------------------


def _zarrs() -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
    plain = {
        "zarr_format": 2, "shape": [31, 6, 5], "chunks": [31, 6, 5], "dtype": "<f4", "compressor": None,
        "fill_value": 0, "order": "C", "filters": None,
    }  # fmt: skip

    def store(
        facts: dict[str, Any], chunk: bytes = _SMALL.tobytes(), attributes: Any = None
    ) -> Any:
        def make(folder: Path) -> list[str]:
            path = folder / "a.zarr"
            path.mkdir()
            (path / ".zarray").write_text(json.dumps(plain | facts))
            (path / "0.0.0").write_bytes(chunk)
            if attributes is not None:
                (path / ".zattrs").write_text(attributes)
            return _info(path)

        return make

    for key, values in {
        "shape": ([31, 10**6, 10**6], [10**18] * 3, [-1, 6, 5], [], [31], "x", [31, 6.5, 5], [1] * 5000),
        "chunks": ([31, 10**5, 10**5], [0, 6, 5], [1, 1, 1], [-1, 6, 5], "x", [10**18] * 3),
        "dtype": ("|O", "<f16", "<U9999999", "|V9", "x", [["a", "<f4"]], "<M8[s]", "|S1000000000"),
        "compressor": ({"id": "zlib"}, {"id": "blosc"}, {"id": "gzip"}, {"id": "lz4"}, {"id": "x"}, 5, {"id": "pickle"}),
        "filters": ([{"id": "pickle"}], [{"id": "json2"}], [{"id": "vlen-utf8"}], [{"id": "x"}], "x", [{"id": "delta", "dtype": "<f4"}] * 500),
        "fill_value": ("x", [1], {"a": 1}, "NaN", 10**400), "order": ("X", 5), "zarr_format": (1, 4, "x"),
        "dimension_separator": ("..", "/", 5),
    }.items():  # fmt: skip
        for value in values:
            yield f"zarr {key} = {str(value)[:30]}", store({key: value})
    evil = pickle.dumps(_Evil())
    yield "zarr pickle as objects", store({"dtype": "|O", "filters": [{"id": "pickle"}]}, evil)
    yield "zarr pickle as a filter", store({"filters": [{"id": "pickle"}]}, evil)
    yield "zarr pickle as a compressor", store({"compressor": {"id": "pickle"}}, evil)
    for codec, content in {"zlib": _bomb(60), "gzip": b"\x1f\x8b\x08" + bytes(7) + _bomb(60)[2:], "blosc": b"\2\1\x93\4" + b"\xff" * 12,
                           "lz4": b"\xff\xff\xff\x7f" + bytes(90), "zstd": b"\x28\xb5\x2f\xfd\xa0\xff\xff\xff\x7f", "lzma": b"\xff" * 99, "bz2": b"BZh9" + b"\xff" * 90}.items():  # fmt: skip
        yield f"zarr {codec} chunk", store({"compressor": {"id": codec}}, content)
    yield "zarr chunk too short", store({}, b"\0" * 16)
    yield "zarr chunk too long", store({}, bytes(10**6))
    for text in ("[" * 50_000, "5", '{"wavelengths_nm": [[1]]}', '{"napari_hsr": "' + "[" * 50_000 + '"}', '{"multiscales": [{"datasets": 5, "axes": 5}]}',
                 '{"multiscales": [{"datasets": [{"path": "../../etc"}], "axes": ["c", "y", "x"]}]}', '{"omero": 5, "multiscales": []}', '{"ome": []}', "x" * 60_000_000):  # fmt: skip
        yield f"zarr attributes {text[:30]!r}", store({}, attributes=text)

    def group(fill: Callable[[Path], None]) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            path = folder / "a.zarr"
            path.mkdir()
            (path / ".zgroup").write_text('{"zarr_format": 2}')
            fill(path)
            return _info(path)

        return make

    def deep(path: Path) -> None:
        for _level in range(300):
            path = path / "g"
            path.mkdir()
            (path / ".zgroup").write_text('{"zarr_format": 2}')

    def many(path: Path) -> None:
        for index in range(3_000):
            (path / f"g{index}").mkdir()
            (path / f"g{index}" / ".zgroup").write_text('{"zarr_format": 2}')

    def linked(path: Path) -> None:
        (path / "loop").symlink_to(path)

    def consolidated(path: Path) -> None:
        entries = {f"a{i}/.zarray": plain for i in range(30_000)}
        text = json.dumps(
            {"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}, **entries}}
        )
        (path / ".zmetadata").write_text(text)

    def pipes(path: Path) -> None:
        os.mkfifo(path / ".zattrs")

    def chunk_pipe(path: Path) -> None:
        (path / "c").mkdir()
        (path / "c" / ".zarray").write_text(json.dumps(plain))
        os.mkfifo(path / "c" / "0.0.0")

    def outside(path: Path) -> None:
        (path / "c").mkdir()
        facts = plain | {"shape": [3, 10, 10], "chunks": [3, 10, 10], "dtype": "|u1"}
        (path / "c" / ".zarray").write_text(json.dumps(facts))
        (path / "c" / "0.0.0").symlink_to("/etc/passwd")

    for fill in (deep, many, linked, consolidated, pipes, chunk_pipe, outside):
        yield f"zarr group {fill.__name__}", group(fill)
    for text in ("[" * 50_000, "{}", '{"zarr_format": 3, "node_type": "array"}', '{"zarr_format": 3, "node_type": "group", "consolidated_metadata": 5}',
                 json.dumps({"zarr_format": 3, "node_type": "array", "shape": [31, 10**6, 10**6], "data_type": "float32", "fill_value": 0, "attributes": {},
                             "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [31, 10**5, 10**5]}}, "chunk_key_encoding": {"name": "default"},
                             "codecs": [{"name": "bytes"}]}),
                 json.dumps({"zarr_format": 3, "node_type": "array", "shape": [31, 6, 5], "data_type": "float32", "fill_value": 0, "attributes": {},
                             "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [31, 6, 5]}}, "chunk_key_encoding": {"name": "default"},
                             "codecs": [{"name": "numcodecs.pickle"}]})):  # fmt: skip

        def three(folder: Path, text: str = text) -> list[str]:
            (folder / "a.zarr" / "c" / "0" / "0").mkdir(parents=True)
            (folder / "a.zarr" / "zarr.json").write_text(text)
            (folder / "a.zarr" / "c" / "0" / "0" / "0").write_bytes(evil)
            return _info(folder / "a.zarr")

        yield f"zarr 3 {text[:40]!r}", three


_KINDS = {
    "HDF5 and MATLAB 7.3": _hdf5,
    "NumPy, MATLAB 5, NetCDF": _numpy,
    "PNG, JPEG, BMP, HEIC, raw": _pictures,
    "TIFF": _tiffs,
    "ENVI": _envi,
    "zarr": _zarrs,
    "records of ours": _records,
    "spectral libraries": _libraries,
    "checkpoints and cards": _models,
    "recipes": _recipes,
    "options": _options,
    "tables, profiles, formulas": _measurements,
    "pipes, devices, sparse files": _places,
    **bad_contents.KINDS,
}
