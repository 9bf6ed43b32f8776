"""More bad inputs, by kind: pictures in TIFFs, stores of zarr 3, films, sessions, profiles, spectra, DNG.

As in `bad_inputs.py`, each maker writes into an empty folder and returns a command, or a call.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_RNG = np.random.default_rng(0)
_RGB = np.kron(_RNG.integers(0, 255, (4, 4, 3), dtype=np.uint8), np.ones((4, 4, 1), np.uint8))
_SMALL = _RNG.random((7, 6, 5), dtype=np.float32)
Maker = tuple[str, "Callable[[Path], Any]"]


def _file(name: str, content: bytes, *command: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        path = folder / name
        path.write_bytes(content)
        words = command or ("info", "FILE")
        return [str(path) + word[4:] if word[:4] == "FILE" else word for word in words]

    return make


def _garbled(content: bytes, at: float, what: bytes) -> bytes:
    place = int(len(content) * at)
    return content[:place] + what + content[place + len(what) :]


# --- pictures in the strips of a TIFF ------------------------------------------------------


def _strips() -> Iterator[Maker]:
    import imagecodecs as codecs

    grey = _RGB[..., 0].copy()
    of = {
        "JPEG": (7, codecs.jpeg8_encode),
        "JPEG 2000": (34712, lambda v: codecs.jpeg2k_encode(v, level=0)),
        "JPEG XL": (50002, lambda v: codecs.jpegxl_encode(v, effort=1)),
        "JPEG XR": (34934, codecs.jpegxr_encode),
        "PNG": (34933, lambda v: codecs.png_encode(v, level=1)),
        "WebP": (50001, lambda v: codecs.webp_encode(v, lossless=True, level=0)),
        "LERC": (34887, codecs.lerc_encode),
    }

    def page(tag: int, content: bytes, tags: dict[str, int] | None = None) -> Any:
        def make(folder: Path) -> list[str]:
            path = folder / "a.tif"
            tifffile.imwrite(path, _RGB, photometric="rgb", compression="zlib")
            with tifffile.TiffFile(path, mode="r+") as file:
                own = file.pages[0].tags
                values = {"StripByteCounts": len(content), "StripOffsets": os.path.getsize(path)}
                for name, value in {**values, "Compression": tag, **(tags or {})}.items():
                    own[name].overwrite(value)
            with path.open("ab") as file:
                file.write(content)
            return ["info", str(path)]

        return make

    for name, (tag, encode) in of.items():
        good = bytes(encode(_RGB))
        yield (
            f"{name} of 7000 x 7000 in a strip of 16 x 16",
            page(tag, bytes(encode(np.zeros((7000, 7000, 3), np.uint8)))),
        )
        for at in (0.02, 0.2, 0.5, 0.9):
            yield f"{name} changed at {at}", page(tag, _garbled(good, at, b"\xff\0\xff\x7f"))
        yield f"{name} cut short", page(tag, good[: len(good) // 2])
        yield f"{name}, nothing of it", page(tag, b"\0")
        yield f"{name} twice", page(tag, good * 2)
        yield f"{name} for 16 bits", page(tag, good, {"BitsPerSample": 16})
        yield (
            f"{name} in a page of 60,000 x 60,000",
            page(tag, good, {"ImageWidth": 60_000, "ImageLength": 60_000, "RowsPerStrip": 60_000}),
        )
        if name not in ("WebP", "LERC"):
            yield f"{name} grey for colours", page(tag, bytes(encode(grey)))
        yield f"{name} of 16 x 4", page(tag, bytes(encode(_RGB[:4].copy())))
    scan = bytes(codecs.jpeg8_encode(_RGB))
    start = scan.index(b"\xff\xda")
    many = scan[:start] + scan[start:-2] * 20_000 + b"\xff\xd9"
    yield "JPEG of 20,000 passes", page(7, many)
    for number in (2, 3, 4, 6, 32909, 48124, 50013, 52546, 33003, 33007, 65000, 65001, 65002):
        yield f"compression {number} of garbage", page(number, bytes(range(256)) * 8)


# --- zarr 3 --------------------------------------------------------------------------------


def _zarr3() -> Iterator[Maker]:
    plain: dict[str, Any] = {
        "zarr_format": 3, "node_type": "array", "shape": [7, 6, 5], "data_type": "float32", "fill_value": 0, "attributes": {},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [7, 6, 5]}}, "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }  # fmt: skip
    values = _SMALL.tobytes()

    def store(facts: dict[str, Any], chunk: bytes = values, key: str = "c/0/0/0") -> Any:
        def make(folder: Path) -> list[str]:
            path = folder / "a.zarr"
            file = path / key
            file.parent.mkdir(parents=True)
            (path / "zarr.json").write_text(json.dumps(plain | facts))
            file.write_bytes(chunk)
            return ["info", str(path)]

        return make

    def grid(*chunks: Any) -> dict[str, Any]:
        return {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}}}

    for key, choices in {
        "shape": ([31, 10**7, 10**7], [2**63] * 3, [-1, 6, 5], [0, 6, 5], [], [1] * 300, "x", [7.5, 6, 5], [True] * 3, None),
        "data_type": ("string", "bytes", "r99999999", "r8", "complex128", "bool", "int4", "x", 5, None, {"name": "fixed_length_utf32", "configuration": {"length_bytes": 2**40}},
                      {"name": "struct", "configuration": {"fields": [["a", "float32"]] * 1000}}, {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}}),
        "fill_value": ("x", None, [1, 2], "NaN", 1e999, {"a": 1}, "0x7fc00000", "9" * 400),
        "chunk_key_encoding": ({"name": "v2"}, {"name": "default", "configuration": {"separator": "/../"}}, "x", {"name": "x"}, None),
        "codecs": ([], [{"name": "x"}], "bytes", [{"name": "bytes"}] * 2000, [{"name": "transpose", "configuration": {"order": [0, 0, 0]}}, {"name": "bytes"}],
                   [{"name": "transpose", "configuration": {"order": [2, 1, 99]}}, {"name": "bytes"}], [{"name": "gzip"}], [{"name": "numcodecs.pickle"}], [{"name": "vlen-utf8"}], None),
        "storage_transformers": ([{"name": "x"}], 5), "dimension_names": ([1, 2, 3], ["a"], "x", ["x" * 10**6] * 3, ["\x1b[2J"] * 3), "node_type": ("group", "x", 5),
        "zarr_format": (2, 4, "3"), "attributes": (5, [], {"napari_hsr": 5}, {"wavelengths_nm": "x"}, {"wavelengths_nm": [1e400] * 7}, {"units": ["a"]}, {"scale_factor": "x", "_FillValue": []}),
    }.items():  # fmt: skip
        for value in choices:
            yield f"{key} = {str(value)[:40]}", store({key: value})
    for chunks in (
        (7, 10**6, 10**6),
        (0, 6, 5),
        (-7, 6, 5),
        (1, 1, 1),
        (2**63, 1, 1),
        ("x", 6, 5),
        (7, 6),
        (),
    ):
        yield f"chunks of {chunks}", store(grid(*chunks))
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    part = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    inflating = head[2:] + part * 60 + b"\x03\x00"
    zipped = b"\x1f\x8b\x08" + bytes(7) + inflating + bytes(8)
    import imagecodecs

    swollen = bytes(imagecodecs.zstd_encode(bytes(2**28)))
    unstated = b"\x28\xb5\x2f\xfd\x00\x58" + (b"\x02\x00\x10\x00" * 3000)
    for name, content in {
        "gzip": zipped, "zstd": swollen, "zstd of no size": unstated, "blosc": b"\2\1\x93\4" + struct.pack("<III", 2**31 - 1, 2**20, 99) + bytes(90),
        "blosc lying": b"\2\1\x93\4" + struct.pack("<III", 840, 840, 2**31 - 1) + b"\xff" * 90,
    }.items():  # fmt: skip
        codec = name.split()[0]
        options = {"blosc": {"cname": "zstd", "clevel": 1, "shuffle": "noshuffle", "typesize": 4, "blocksize": 0}}  # fmt: skip
        packed = [plain["codecs"][0], {"name": codec, "configuration": options.get(codec, {"level": 1})}]  # fmt: skip
        yield f"a chunk that swells: {name}", store({"codecs": packed}, content)
        for shape in ((7, 6, 5), (1, 1, 1)):
            inside = {"chunk_shape": list(shape), "codecs": packed, "index_codecs": [plain["codecs"][0]], "index_location": "end"}  # fmt: skip
            sharded = {"codecs": [{"name": "sharding_indexed", "configuration": inside}]}
            index = struct.pack("<QQ", 0, len(content)) * (1 if shape[0] == 7 else 210)
            yield f"an inner chunk that swells: {name}, {shape}", store(sharded, content + index)
    for index in (
        struct.pack("<QQ", 2**62, 10), struct.pack("<QQ", 0, 2**62), struct.pack("<QQ", 2**64 - 1, 2**64 - 1), b"", b"\0" * 5,
    ):  # fmt: skip
        inside = {"chunk_shape": [7, 6, 5], "codecs": [plain["codecs"][0]], "index_codecs": [plain["codecs"][0]]}  # fmt: skip
        sharded = {"codecs": [{"name": "sharding_indexed", "configuration": inside}]}
        yield f"an index of {index[:8]!r}", store(sharded, values + index)
    for inside in (
        {"chunk_shape": [2, 5, 3]}, {"chunk_shape": [0, 6, 5]}, {"chunk_shape": [7, 6]}, {"chunk_shape": [1, 1, 1], "codecs": []}, {}, {"index_location": 5},
        {"chunk_shape": [7, 6, 5], "codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [7, 6, 5]}}]},
    ):  # fmt: skip
        sharded = {"codecs": [{"name": "sharding_indexed", "configuration": inside}]}
        yield f"shards of {str(inside)[:50]}", store(sharded)
    yield "a chunk too short", store({}, values[:100])
    yield "a chunk too long", store({}, values * 9)
    yield "another chunk", store({}, key="c/9/9/9")

    def linked(target: str, name: str) -> Any:
        def make(folder: Path) -> list[str]:
            store({})(folder)
            path = folder / "a.zarr" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(target)
            return ["info", str(folder / "a.zarr")]

        return make

    for target in ("/etc/passwd", "/dev/zero", "../../../../etc/hostname", "0", "/"):
        for name in ("c/0/0/0", "zarr.json", "extra/zarr.json"):
            yield f"{name} -> {target}", linked(target, name)

    def chained(folder: Path) -> list[str]:
        store({})(folder)
        os.rename(folder / "a.zarr" / "c", folder / "c")
        (folder / "a.zarr" / "c").symlink_to(folder / "c")
        return ["info", str(folder / "a.zarr")]

    yield "chunks in another folder", chained
    group = {"zarr_format": 3, "node_type": "group", "attributes": {}}
    for scales in (
        5, [], [5], [{"datasets": []}], [{"datasets": [{"path": "../../x"}]}], [{"datasets": [{"path": "/etc"}], "axes": [{"name": "c"}]}], [{"datasets": [{"path": 5}]}],
        [{"axes": [{"name": n} for n in "cyx"], "datasets": [{"path": "s", "coordinateTransformations": [{"type": "scale", "scale": ["x"]}]}]}],
        [{"axes": [{"name": n} for n in "tczyxtczyx"], "datasets": [{"path": "s"}]}], [{"axes": "cyx", "datasets": [{"path": "s"}] * 5000}],
        [{"axes": [{"name": n} for n in "cyx"], "name": ["x"], "datasets": [{"path": "s", "coordinateTransformations": 5}]}],
    ):  # fmt: skip

        def scaled(folder: Path, scales: Any = scales) -> list[str]:
            path = folder / "a.zarr"
            (path / "s" / "c" / "0" / "0").mkdir(parents=True)
            (path / "zarr.json").write_text(json.dumps(group | {"attributes": {"ome": {"version": "0.5", "multiscales": scales}}}))  # fmt: skip
            (path / "s" / "zarr.json").write_text(json.dumps(plain))
            (path / "s" / "c" / "0" / "0" / "0").write_bytes(values)
            return ["info", str(path)]

        yield f"multiscales {str(scales)[:50]}", scaled


# --- films ---------------------------------------------------------------------------------


def _films() -> Iterator[Maker]:
    import PIL.Image

    def gif(width: int, height: int, body: bytes) -> bytes:
        return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + body

    def frame(width: int, height: int, data: bytes = b"\2\2D\1\0", left: int = 0) -> bytes:
        return b"," + struct.pack("<HHHHB", left, 0, width, height, 0) + data

    for name, content in {
        "65535 x 65535": gif(65535, 65535, frame(65535, 65535) * 2 + b";"), "65535 x 65535 of small frames": gif(65535, 65535, frame(1, 1) * 9 + b";"),
        "0 x 0": gif(0, 0, frame(0, 0) * 2 + b";"), "frame outside": gif(8, 8, frame(8, 8, left=60000) * 3 + b";"), "100,000 frames": gif(8, 8, frame(1, 1) * 100_000 + b";"),
        "no end": gif(8, 8, frame(8, 8) * 2), "code of 12 bits": gif(8, 8, frame(8, 8, b"\x0c\xff" + b"\xff" * 255 + b"\0") * 2), "blocks without end": gif(8, 8, frame(8, 8, b"\2" + (b"\xff" + b"D" * 255) * 4000)),
        "a comment of 30 MB": gif(8, 8, b"!\xfe" + (b"\xff" + b"x" * 255) * 120_000 + b"\0" + frame(8, 8) * 2), "head alone": b"GIF89a",
    }.items():  # fmt: skip
        for command in (("info", "FILE"), ("info", "FILE:2"), ("predict", "FILE", "--stack", "-o", "o.zarr")):  # fmt: skip
            if command[0] == "info" or name in ("0 x 0", "no end", "65535 x 65535"):
                yield f"GIF {name}, {' '.join(command)}", _file("a.gif", content, *command)
    pictures = [PIL.Image.fromarray(_RGB) for _ in range(3)]
    stored = io.BytesIO()
    pictures[0].save(stored, "GIF", save_all=True, append_images=pictures[1:], duration=0)
    yield "GIF of no time", _file("a.gif", stored.getvalue(), "info", "FILE:2")
    stored = io.BytesIO()
    pictures[0].save(stored, "PNG", save_all=True, append_images=pictures[1:])
    yield "APNG", _file("a.png", stored.getvalue())

    def box(kind: bytes, content: bytes, size: int | None = None) -> bytes:
        return struct.pack(">I4s", len(content) + 8 if size is None else size, kind) + content

    start = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
    head = bytes(4) + struct.pack(">IIII", 0, 0, 0, 0)
    deep = b""
    for _level in range(400):
        deep = box(b"trak", deep)
    for name, content in {
        "alone": start, "a box of 2 GB": start + box(b"moov", bytes(9), 2**31), "a box of 0": start + box(b"moov", bytes(99), 0), "a box of 1": start + box(b"moov", struct.pack(">Q", 2**62), 1),
        "400 tracks in one another": start + box(b"moov", deep), "10,000 tracks": start + box(b"moov", box(b"trak", b"") * 10_000), "no time": start + box(b"moov", box(b"mvhd", head + bytes(80))),
        "a file reference": start + box(b"moov", box(b"dref", bytes(4) + struct.pack(">I", 1) + box(b"url ", bytes(4) + b"file:///etc/passwd\0"))),
        "1e9 samples": start + box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stsz", bytes(8) + struct.pack(">I", 10**9))))))),
    }.items():  # fmt: skip
        for suffix in ("mp4", "mov"):
            yield f"{suffix} {name}", _file(f"a.{suffix}", content + bytes(300))
    for name, content in {
        "playlist of a file": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n", "list of a file": b"ffconcat version 1.0\nfile /etc/passwd\n", "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nx\n",
        "an address": b"<asx><entry><ref href='http://127.0.0.1:9/x'/></entry></asx>", "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    }.items():  # fmt: skip
        for suffix in ("mp4", "avi"):
            yield f"{suffix}: {name}", _file(f"a.{suffix}", content * 20)
    riff = b"RIFF" + struct.pack("<I", 2**31) + b"AVI LIST" + struct.pack("<I", 2**30) + b"hdrlavih"
    for number in (0, 56, 2**31 - 1):
        yield (
            f"AVI head of {number}",
            _file("a.avi", riff + struct.pack("<I", number) + b"\xff" * 400),
        )
    for suffix in ("mkv", "webm"):
        yield f"{suffix} of garbage", _file(f"a.{suffix}", b"\x1a\x45\xdf\xa3" + b"\xff" * 3000)
        yield f"{suffix} without end", _file(f"a.{suffix}", b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(999))  # fmt: skip
    for at in ("0", "-1", "99999999999999999999", "²", "1e3", "x", "1.5", ""):
        yield f"frame {at!r} of a film", _file("a.gif", stored.getvalue(), "info", f"FILE:{at}")


# --- sessions ------------------------------------------------------------------------------


def _sessions() -> Iterator[Maker]:
    import napari.components  # noqa: F401 - before any fork, for it takes seconds

    import napari_hsr.viewer.session_opening  # noqa: F401

    def session(content: Any) -> Callable[[Path], Any]:
        def make(folder: Path) -> Callable[[], int]:
            np.savez(folder / "a.npz", cube=_SMALL, wavelengths=np.linspace(400, 700, 7))
            np.save(folder / "map.npy", _SMALL[0])
            os.mkfifo(folder / "pipe.npz")
            text = content if isinstance(content, (str, bytes)) else json.dumps(content)
            text = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            (folder / "s.hsrsession").write_bytes(text)
            return lambda: _opened(folder / "s.hsrsession")

        return make

    def layer(**facts: Any) -> dict[str, Any]:
        file = {"path": "a.npz", "beside": "a.npz", "size": 1, "digest": "0" * 64}
        return {"version": 1, "layers": [{"kind": "cube", "id": "1", "name": "x", "file": file} | facts]}  # fmt: skip

    def of(path: str, kind: str = "cube", **more: Any) -> dict[str, Any]:
        return layer(kind=kind, file={"path": path, "beside": path, "size": 1, "digest": "x"} | more)  # fmt: skip

    for path in ("/etc/passwd", "/dev/zero", "pipe.npz", "../../../etc/shadow", "x" * 5000, "\0", "", ".", "/", "~", "http://127.0.0.1:9/x.npz", "a.npz:x", "\ud800", "s.hsrsession", "/proc/self/mem", "/proc/self/environ"):  # fmt: skip
        for kind in ("cube", "map", "stack"):
            yield f"{kind} of {path[:20]!a}", session(of(path, kind))
    for name, content in {
        "nothing": b"", "a list": "[]", "deep": "[" * 100_000, "deep inside": '{"version": 1, "layers": ' + "[" * 50_000, "no version": {"layers": []}, "version 2": {"version": 2}, "version 1.0": {"version": 1.0},
        "binary": bytes(range(256)) * 99, "number": '{"version": 1, "layers": ' + "9" * 5000 + "}", "NaN": '{"version": 1, "view": {"zoom": NaN}}', "twice": '{"version": 1, "version": 1}', "5,000 layers": {"version": 1, "layers": [layer()["layers"][0]] * 5000},
        "900 layers": {"version": 1, "layers": [layer(kind="points", points=[], id=str(i))["layers"][0] for i in range(900)]}, "70 MB": b" " * 70_000_000 + b"{}", "UTF-16": '{"version": 1}'.encode("utf-16"),
        "a name in HTML": layer(name="<img src='file:///etc/passwd'><b>x"), "a name of controls": layer(name="\x1b[2J\r\n\x07" * 99), "a long name": layer(name="x" * 10**6), "a name of a number": layer(name=5), "half a letter": layer(name="\ud800"),
        "wavelengths of 1e308": layer(wavelengths=[1e308] * 7), "of other number": layer(wavelengths=[500.0] * 3), "below 0": layer(wavelengths=[-1.0] * 7), "texts": layer(wavelengths=["x"]), "falling": layer(wavelengths=[700.0, 600, 500, 400, 300, 200, 100]),
        "encoding": layer(encoding="camera:<b>"), "no such kind": layer(kind="x"), "no file": layer(file=None), "more": layer(code="__import__('os')"), "variable": of("a.npz", read_as={"variable": "gone"}), "axes": of("a.npz", read_as={"axes": "q" * 4000}),
        "scale": of("a.npz", read_as={"full_scale": -1}), "scale of a text": of("a.npz", read_as={"full_scale": "x"}), "size": of("a.npz", size=-1), "size of a text": of("a.npz", size="1"), "opacity": layer(look={"opacity": 5}), "gamma": layer(look={"gamma": 1e300}),
        "colormap": layer(look={"colormap": "../x"}), "no scale": layer(look={"scale": [0.0, 0.0, 0.0]}), "small scale": layer(look={"scale": [1e-300] * 3}), "huge place": layer(look={"translate": [1e300] * 3}), "limits": layer(look={"contrast_limits": [5, 1]}),
        "affine": layer(look={"affine": [[0.0] * 4] * 4}), "units": layer(look={"units": ["parsec", "x", "m"]}), "blending": layer(look={"blending": "x"}), "points of 3": layer(kind="points", points=[[1.0, 2.0, 3.0]]), "points at 1e308": layer(kind="points", points=[[1e308, -1e308]]),
        "sizes": layer(kind="points", points=[[1.0, 2.0]], look={"size": [-5.0]}), "symbols": layer(kind="points", points=[[1.0, 2.0]], look={"symbol": ["<b>"]}), "colours": layer(kind="points", points=[[1.0, 2.0]], look={"face_color": [[9.0, 9.0]]}),
        "columns": layer(kind="points", points=[[1.0, 2.0]], columns={"a": [1, 2, 3]}), "columns of lists": layer(kind="points", points=[[1.0, 2.0]], columns={"a": [[1]]}), "a polygon of 3,000 corners": layer(kind="shapes", shapes=[[[float(i * i % 977), float(i)] for i in range(3000)]]),
        "a shape of one corner": layer(kind="shapes", shapes=[[[1.0, 1.0]]]), "4,000 shapes": layer(kind="shapes", shapes=[[[1.0, 1.0], [1.0, 2.0], [2.0, 2.0]]] * 4000), "kinds of shapes": layer(kind="shapes", shapes=[[[1.0, 1.0], [1.0, 2.0], [2.0, 2.0]]], look={"shape_type": ["x"]}),
        "labels": of("map.npy", "labels"), "colours of labels": layer(kind="labels", file={"path": "map.npy", "beside": "map.npy", "size": 1, "digest": ""}, colors={"x": [1.0]}), "zoom": {"version": 1, "view": {"zoom": 1e300, "center": [1e300] * 3, "angles": [1e300] * 3}},
        "point": {"version": 1, "view": {"point": [1e308] * 16}}, "panel": {"version": 1, "panels": [{"name": "os", "settings": {"x": "y" * 4000}}]}, "panels": {"version": 1, "panels": [{"name": "x"}] * 101}, "metadata": layer(metadata={"hsr": {"kind": "cube", "state": 5}}),
        "metadata of a map": layer(kind="map", file={"path": "map.npy", "beside": "map.npy", "size": 1, "digest": ""}, metadata={"hsr": {"kind": "map", "title": "<b>", "provenance": {"model": ["x"] * 9999}}}), "deep metadata": '{"version": 1, "layers": [{"kind": "cube", "id": "1", "name": "x", "metadata": {"a": ' + "[" * 3000 + "]" * 3000 + "}}]}",
    }.items():  # fmt: skip
        yield name, session(content)


def _opened(path: Path) -> int:
    """Open a session in a viewer without a window."""
    from napari.components import ViewerModel

    from napari_hsr.errors import HSRError
    from napari_hsr.viewer import session_opening

    try:
        *_, opened = session_opening.open_events(path)
    except HSRError as error:
        print(error)
        return 1
    viewer = ViewerModel()
    told = session_opening.show(viewer, opened)
    print(*told, sep="\n")
    from napari_hsr.viewer.layer_data import layer_cube

    for layer in viewer.layers:
        if layer.metadata.get("hsr"):
            try:
                layer_cube(layer)
            except HSRError as error:
                print(error)
    return int(bool(told))


# --- colour profiles -----------------------------------------------------------------------


def _profiles() -> Iterator[Maker]:
    import PIL.ImageCms

    good = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    good = good.replace(b"s\0R\0G\0B", b"x\0R\0G\0B").replace(b"sRGB", b"xRGB")

    def inside(profile: bytes) -> Iterator[tuple[str, Callable[[Path], list[str]]]]:
        head = b"\x89PNG\r\n\x1a\n"

        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))  # fmt: skip

        size = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0))
        rows = b"".join(b"\0" + row.tobytes() for row in _RGB)
        pixels = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        yield "PNG", _file("a.png", head + size + chunk(b"iCCP", b"x\0\0" + zlib.compress(profile)) + pixels)  # fmt: skip

        def tif(folder: Path) -> list[str]:
            tifffile.imwrite(folder / "a.tif", _RGB, photometric="rgb", iccprofile=profile)
            return ["info", str(folder / "a.tif")]

        yield "TIFF", tif

        def jpeg(folder: Path) -> list[str]:
            import PIL.Image

            PIL.Image.fromarray(_RGB).save(folder / "a.jpg", icc_profile=profile)
            return ["info", str(folder / "a.jpg")]

        yield "JPEG", jpeg

    tags = struct.unpack_from(">I", good, 128)[0]
    wrong = {
        "nothing": b"\0", "128 bytes": good[:128], "half": good[: len(good) // 2], "4e9 tags": good[:128] + b"\xff" * 4 + good[132:], "no tags": good[:128] + bytes(4), "size of 4 GB": b"\xff" * 4 + good[4:], "grey": good[:16] + b"GRAY" + good[20:],
        "CMYK": good[:16] + b"CMYK" + good[20:], "Lab": good[:16] + b"Lab " + good[20:], "printer": good[:12] + b"prtr" + good[16:], "link": good[:12] + b"link" + good[16:], "name": good[:12] + b"nmcl" + good[16:], "garbage": bytes(range(256)) * 40,
        "version 9": good[:8] + b"\x09" + good[9:], "2 MB": good + bytes(2_000_000), "names of controls": good.replace(b"xRGB", b"\x1b[2J").replace(b"x\0R\0G\0B", b"\x1b\0[\0002\0J"),
    }  # fmt: skip
    for number in range(min(tags, 24)):
        at = 132 + 12 * number
        kind = good[at : at + 4].decode("latin-1")
        where = struct.unpack_from(">I", good, at + 4)[0]
        wrong[f"{kind} at 4e9"] = good[: at + 4] + b"\xff" * 4 + good[at + 8 :]
        wrong[f"{kind} of 4e9"] = good[: at + 8] + b"\xff" * 4 + good[at + 12 :]
        wrong[f"{kind} of another type"] = good[:where] + b"mft2" + good[where + 4 :]
        wrong[f"{kind} of 4e9 values"] = good[: where + 8] + b"\xff" * 4 + good[where + 12 :]
        wrong[f"{kind} of NaN"] = good[: where + 8] + b"\x80\0\0\0" * 3 + good[where + 20 :]
    for index, (name, profile) in enumerate(wrong.items()):
        for place, (of, make) in enumerate(inside(profile)):
            if index < 16 or place == index % 3:
                yield f"{of} with {name}", make


# --- spectra and anchors -------------------------------------------------------------------


def _spectra() -> Iterator[Maker]:
    import h5py

    rows = "".join(f"{400 + 10 * i} {0.5 + i / 100:.3f}\n" for i in range(31))

    def sli(facts: str, content: bytes) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            (folder / "a.sli").write_bytes(content)
            (folder / "a.hdr").write_text("ENVI\n" + facts, "utf-8")
            return ["library", str(folder / "a.sli")]

        return make

    values = np.linspace(0, 1, 62, dtype="<f4").tobytes()
    base = "samples = 31\nlines = 2\nbands = 1\ndata type = 4\nfile type = ENVI Spectral Library\ninterleave = bsq\nbyte order = 0\nwavelength units = nm\n"
    nm = "wavelength = {" + ",".join(str(400 + 10 * i) for i in range(31)) + "}\n"
    for extra in (
        "", "spectra names = {a}", "spectra names = {" + "a," * 200_000 + "}", "spectra names = {\x1b[2J, <b>x</b>}", "samples = 1000000000", "lines = 1000000000", "lines = -1", "lines = 0", "bands = 9", "data type = 6", "data type = 99",
        "header offset = 100000", "header offset = -4", "byte order = 9", "reflectance scale factor = 0", "reflectance scale factor = nan", "wavelength = {1}", "wavelength = {nan" + ", 1" * 30 + "}", "wavelength units = parsec", "z plot range = {x}", "wavelength = {" + "500," * 31 + "}",
    ):  # fmt: skip
        yield f"sli {extra[:30]!a}", sli(base + nm + extra + "\n", values)
    yield "sli cut short", sli(base + nm, values[:50])
    yield "sli of no wavelengths", sli(base, values)
    for head in ("Comment:\nVersion: 2.3\nColumns [2]:\nData:\nWvl\tRefl%\n", "Columns [99999999]:\nData:\nWvl\tRefl%\n", "Data:\n", "Version: " + "9" * 5000 + "\nData:\nWvl\tRefl\n", "Data:\n" + "Wvl\t" * 10_000 + "\n", "Data:\nWvl\tRad. (Ref.)\tRad. (Target)\tRefl. %\n"):  # fmt: skip
        for body in (rows.replace(" ", "\t"), "400\tnan\n" * 9, "x\ty\n" * 9, "400\t0.5\n" * 9, "700\t1\n400\t1\n", "400\t1e999\n500\t-1e999\n", "1e308\t1\n1e309\t1\n", ""):  # fmt: skip
            yield f"sed {head[:16]!r} {body[:10]!r}", _file("a.sed", (head + body).encode(), "library", "FILE")  # fmt: skip
    for body in ("data=\n" + rows, "name= <b>\x1b[2J\ndata=\n" + rows, "data=\n400 1 1\n410 1\n", "data=\n400 0 0 1e999\n" * 3, "units= x\ndata=\n" + "400 1 2 3\n" * 20_000, "integration= " + "9" * 9000 + "\ndata=\n" + rows, "scan method= x\ndata= " * 99 + rows):  # fmt: skip
        yield f"sig {body[:20]!a}", _file("a.sig", ("/*** Spectra Vista SIG Data ***/\n" + body).encode(), "library", "FILE")  # fmt: skip
    asd = bytearray(b"as7" + bytes(481)) + bytes(np.linspace(0.1, 1, 31, dtype="<f4"))
    asd[186], asd[199] = 1, 0
    struct.pack_into("<ff", asd, 191, 400.0, 10.0)
    struct.pack_into("<H", asd, 204, 31)
    for name, at, what in (
        ("no channels", 204, b"\0\0"), ("65,535 channels", 204, b"\xff\xff"), ("type 9", 199, b"\x09"), ("kind 200", 186, b"\xc8"), ("first NaN", 191, struct.pack("<f", float("nan"))), ("first 1e38", 191, struct.pack("<f", 1e38)), ("step 0", 195, bytes(4)),
        ("step -1", 195, struct.pack("<f", -1)), ("step inf", 195, struct.pack("<f", float("inf"))), ("doubles", 199, b"\2"), ("integers", 199, b"\1"), ("counts", 186, b"\0"), ("comment of controls", 3, b"\x1b[2J" * 30), ("version 1", 0, b"ASD"), ("step 1e-30", 195, struct.pack("<f", 1e-30)),
    ):  # fmt: skip
        content = bytes(asd)
        yield f"asd {name}", _file("a.asd", content[:at] + what + content[at + len(what) :], "library", "FILE")  # fmt: skip
    yield "asd cut short", _file("a.asd", bytes(asd[:500]), "library", "FILE")

    def anchors(table: str, *at: str) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            np.savez(folder / "a.npz", cube=_SMALL, wavelengths=np.linspace(400, 700, 7))
            (folder / "t.csv").write_text(table, "utf-8", "surrogatepass")
            return ["anchors", str(folder / "a.npz"), str(folder / "t.csv"), "--at", *(at or ("a=1,1", "b=2,2", "c=3,3")), "-o", str(folder / "o.npz")]  # fmt: skip

        return make

    def columns(text: str = "0.5", names: str = "a,b,c") -> str:
        return f"wavelength,{names}\n" + "".join(f"{400 + 10 * i},{text},0.2,0.{i % 9}\n" for i in range(31))  # fmt: skip

    for name, table in {
        "NaN": columns("nan"), "inf": columns("inf"), "1e308": columns("1e308"), "negative": columns("-5"), "texts": columns("x"), "empty": columns(""), "the same name": columns(names="a,a,a"), "names of HTML": columns(names="<b>,\x1b[2J,c"), "half letters": columns(names="\ud800,b,c"),
        "one row": "wavelength,a,b,c\n500,1,1,1\n", "other wavelengths": columns().replace("\n4", "\n90"), "nothing": "", "quotes": '"' * 9999, "semicolons": columns().replace(",", ";"), "a comma for a point": columns().replace(",", ";").replace(".", ","), "twice 400": columns() + "400,1,1,1\n", "0": columns("0"),
        "percent": columns("50"), "1e6 rows": columns() + "700.1,1,1,1\n" * 10**6,
    }.items():  # fmt: skip
        yield f"anchors: {name}", anchors(table)
    for at in (("a=9999,9999",), ("a=-1,-1", "b=2,2"), ("a=1,1", "a=2,2"), ("a=1,1", "b=1,1"), ("gone=1,1",), ("a=²,1",), ("a=1e9,1",), ("a=" + "9" * 5000 + ",1",), ("=1,1",), ("a=1,1", "b=2,2") * 20):  # fmt: skip
        yield f"anchors at {at[0][:20]}", anchors(columns(), *at)
    for name, fill in {
        "group": lambda f: f.create_group("a/b/c"), "long axis": lambda f: f.create_dataset("cube", (2**40, 1), "f4"),
    }.items():  # fmt: skip

        def stored(folder: Path, fill: Any = fill) -> list[str]:
            with h5py.File(folder / "a.h5", "w") as file:
                fill(file)
            return ["library", str(folder / "a.h5")]

        yield f"library of HDF5: {name}", stored


# --- DNG and other raw photographs ---------------------------------------------------------


def _raws() -> Iterator[Maker]:
    def dng(tags: dict[int, Any], **options: Any) -> Callable[[Path], list[str]]:
        def make(folder: Path) -> list[str]:
            own: dict[int, Any] = {
                271: ("s", 0, "NIKON CORPORATION"), 272: ("s", 0, "NIKON D700"), 33421: ("H", 2, (2, 2)), 33422: ("B", 4, bytes([0, 1, 1, 2])), 50706: ("B", 4, bytes([1, 4, 0, 0])), 50708: ("s", 0, "NIKON D700"),
                50714: ("I", 1, 512), 50717: ("I", 1, 16383), 50721: ("2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)), 50728: ("2I", 3, (1, 2, 1, 1, 3, 5)), 50778: ("H", 1, 21),
            }  # fmt: skip
            extra = [(code, *value, True) for code, value in (own | tags).items() if value is not None]  # fmt: skip
            mosaic = np.random.default_rng(3).integers(600, 16000, (48, 64)).astype(np.uint16)
            how = {"photometric": 32803, "metadata": None, "software": False} | options
            tifffile.imwrite(folder / "a.dng", mosaic, extratags=extra, **how)
            return ["info", str(folder / "a.dng")]

        return make

    for name, tags in {
        "no levels": {50714: None, 50717: None}, "black above white": {50714: ("I", 1, 60000)}, "white 0": {50717: ("I", 1, 0)}, "white 4e9": {50717: ("I", 1, 2**32 - 1)}, "matrix of zeros": {50721: ("2i", 9, (0, 1) * 9)}, "matrix by zero": {50721: ("2i", 9, (1, 0) * 9)},
        "neutral 0": {50728: ("2I", 3, (0, 1) * 3)}, "neutral by zero": {50728: ("2I", 3, (1, 0) * 3)}, "no matrix": {50721: None}, "pattern of 9": {33422: ("B", 4, bytes([9, 9, 9, 9]))}, "pattern of one": {33422: ("B", 4, bytes(4))}, "pattern of 200 x 200": {33421: ("H", 2, (200, 200))},
        "no pattern": {33422: None}, "pattern of 0 x 0": {33421: ("H", 2, (0, 0))}, "version 9": {50706: ("B", 4, bytes([9, 9, 9, 9]))}, "a name in HTML": {50708: ("s", 0, "<img src=x>"), 272: ("s", 0, "\x1b[2J")}, "a name of 1 MB": {272: ("s", 0, "x" * 10**6)}, "light 65535": {50778: ("H", 1, 65535)},
        "active area outside": {50829: ("I", 4, (0, 0, 99999, 99999))}, "active area turned": {50829: ("I", 4, (40, 40, 1, 1))}, "crop outside": {50719: ("I", 2, (99999, 99999)), 50720: ("I", 2, (99999, 99999))}, "table of 65,535": {50712: ("H", 65535, tuple([65535] * 65535))}, "opcodes of garbage": {51022: ("B", 900, b"\xff" * 900)},
        "opcodes, 4e9 of them": {51009: ("B", 8, b"\xff" * 8)}, "gains": {51009: ("B", 100, struct.pack(">IIIII", 1, 9, 0x01030000, 0, 80) + b"\x7f" * 80)}, "profile tables": {50938: ("f", 27, tuple([float("nan")] * 27)), 50937: ("I", 3, (9999, 9999, 9999))}, "orientation 99": {274: ("H", 1, 99)},
        "baseline NaN": {50730: ("2i", 1, (1, 0))}, "private": {50740: ("B", 500, b"Adobe\0MakN" + b"\xff" * 490)}, "linearisation of one": {50712: ("H", 1, (0,))}, "black of 1000": {50713: ("H", 2, (1000, 1000)), 50714: ("I", 9, (1,) * 9)}, "masked outside": {50830: ("I", 4, (2**31, 2**31, 2**31, 2**31))},
    }.items():  # fmt: skip
        yield f"DNG: {name}", dng(tags)
    for packed in ("zlib", "lzw", "jpegxl", "packbits"):
        yield f"DNG packed by {packed}", dng({}, compression=packed)
    yield "DNG of colours", dng({33421: None, 33422: None}, photometric="minisblack")
    for suffix in ("dng", "nef", "cr2", "arw", "rw2", "orf", "pef", "raf", "cr3"):
        for name, content in {
            "zeros": bytes(5000), "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(500), "text": b"x" * 5000, "a JPEG": b"\xff\xd8\xff\xe1" + b"\xff" * 3000,
        }.items():  # fmt: skip
            yield f".{suffix} that is {name}", _file(f"a.{suffix}", content)


KINDS: dict[str, Callable[[], Iterator[Maker]]] = {
    "pictures in TIFFs": _strips,
    "zarr 3": _zarr3,
    "films": _films,
    "sessions": _sessions,
    "colour profiles": _profiles,
    "field spectra, anchors": _spectra,
    "DNG and raw": _raws,
}
