"""Stores from anywhere: links, pipes, codecs that run what they read, claims, chunks that swell."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import limits, read, write
from napari_hsr.io.zarr import store_check as zarr_store
from napari_hsr.notices import Code, has

from ..thorough import thorough
from .refusals import refused

pytest.importorskip("zarr")
VALUES = np.linspace(0, 1, 5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7)
FACTS = {
    "zarr_format": 2, "shape": [5, 6, 7], "chunks": [5, 6, 7], "dtype": "<f4", "compressor": None,
    "fill_value": 0, "order": "C", "filters": None,
}  # fmt: skip


GOOD = VALUES.tobytes()
CODECS = ("zlib", "gzip", "bz2", "lzma", "lz4", "blosc", "zstd")


def array(folder, chunk=GOOD, **facts):
    folder.mkdir()
    (folder / ".zarray").write_text(json.dumps(FACTS | facts))
    (folder / "0.0.0").write_bytes(chunk)
    return folder


def group(folder):
    folder.mkdir()
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    return folder


def test_what_others_wrote_is_read(tmp_path):
    np.testing.assert_array_equal(read(array(tmp_path / "a.zarr")).data, VALUES)
    packed = array(tmp_path / "b.zarr", zlib.compress(VALUES.tobytes()), compressor={"id": "zlib"})
    np.testing.assert_array_equal(read(packed).data, VALUES)
    np.testing.assert_array_equal(read(write(Cube(VALUES), tmp_path / "c.zarr")).data, VALUES)


class Touching:
    def __reduce__(self):
        return os.mkdir, ("owned",)


@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_no_codec_that_runs_what_it_reads(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    codec = {"id": "pickle"}
    facts = {"dtype": "|O", place: [codec] if place == "filters" else codec}
    store = array(tmp_path / "a.zarr", pickle.dumps(Touching()), **facts)
    assert "packed by the codec pickle, which is not read" in refused(store)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_that_swells(tmp_path, codec):
    numcodecs = pytest.importorskip("numcodecs")
    packer = numcodecs.get_codec({"id": codec})
    store = array(tmp_path / "a.zarr", packer.encode(bytes(10**6)), compressor={"id": codec})
    assert "its chunk 0.0.0 should hold" in refused(store)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("left", [-4, 10])
def test_a_chunk_that_is_cut_off(tmp_path, codec, left):
    import numcodecs  # zarr needs it

    packed = bytes(numcodecs.get_codec({"id": codec}).encode(VALUES.tobytes()))
    store = array(tmp_path / "a.zarr", packed[:left], compressor={"id": codec})
    with pytest.raises(FileError, match="is cut off" if codec == "blosc" else "cannot be read"):
        np.array(read(store).data)  # what lay behind a chunk of Blosc was given out


@pytest.mark.parametrize("packer", [None, "gzip", "zstd", "blosc"])
@pytest.mark.parametrize("codec", ["vlen-utf8", "vlen-bytes"])
def test_a_chunk_that_claims_more_texts_than_it_holds(tmp_path, codec, packer):
    """The library would make room for four billion, which took a minute."""
    import zarr

    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(5, 6, 7), chunks=(5, 6, 7), dtype="f4", compressors=None)
    content = b"\xff\xff\xff\xff" + bytes(VALUES.nbytes - 4)
    facts = json.loads((path / "zarr.json").read_text())
    facts["codecs"] = [{"name": codec}]
    if packer:
        numcodecs = pytest.importorskip("numcodecs")
        content = bytes(numcodecs.get_codec({"id": packer}).encode(content))
        options = {"gzip": {"level": 1}, "zstd": {"level": 1, "checksum": False}, "blosc": {"cname": "lz4", "clevel": 1, "shuffle": "noshuffle", "typesize": 4, "blocksize": 0}}  # fmt: skip
        facts["codecs"].append({"name": packer, "configuration": options[packer]})
    (path / "zarr.json").write_text(json.dumps(facts))
    (path / "c" / "0" / "0").mkdir(parents=True)
    (path / "c" / "0" / "0" / "0").write_bytes(content)
    with pytest.raises(FileError, match="claims more texts than it holds"):
        np.asarray(read(path).data)


@pytest.mark.parametrize("units", [["a"], {"a": 1}, 5, [[]], True, None])
def test_units_that_are_no_text(tmp_path, units):
    store = array(tmp_path / "a.zarr")
    (store / ".zattrs").write_text(json.dumps({"units": units}))
    assert isinstance(read(store).units, (str, type(None)))


def test_texts_beside_the_cube_are_read(tmp_path):
    import zarr

    from napari_hsr.io.zarr.store_check import check_array, checked

    texts = np.array(["a", "bcd", ""], dtype=object)
    zarr.create_array(tmp_path / "a.zarr", shape=(3,), chunks=(3,), dtype=str)[:] = texts
    found = zarr.open(checked(tmp_path / "a.zarr"), mode="r")
    check_array(tmp_path / "a.zarr", found)
    assert list(found[:]) == list(texts)


def test_far_more_is_claimed_than_is_there(tmp_path, monkeypatch):
    store = array(tmp_path / "a.zarr", shape=[5, 10**6, 10**6])
    assert "claims 20000.0 GB of values, out of" in refused(store)
    store = array(tmp_path / "b.zarr", shape=[31, 9000, 9000], chunks=[31, 9000, 9000])
    assert "a chunk of it would take 10.0 GB of memory" in refused(store) or "are free" in refused(
        store
    )
    monkeypatch.setattr(limits, "ASKED_FROM", 100)
    assert read(array(tmp_path / "c.zarr")).shape == VALUES.shape


def test_a_chunk_or_a_list_beside_the_cube_from_another_place(tmp_path):
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    store = array(tmp_path / "a.zarr")
    (store / "0.0.0").unlink()
    (store / "0.0.0").symlink_to(tmp_path / "secret")
    assert "0.0.0 in it leads to another place" in refused(store)
    whole = group(tmp_path / "b.zarr")
    array(tmp_path / "outside")
    (whole / "x").symlink_to(tmp_path / "outside")
    assert "x in it leads to another place" in refused(whole)
    whole = group(tmp_path / "c.zarr")
    array(whole / "x")
    (whole / "y").symlink_to(whole)
    assert "y in it is a link to a folder" in refused(whole)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", [".zattrs", "0.0.0"])
def test_a_pipe(tmp_path, name):
    store = array(tmp_path / "a.zarr")
    (store / name).unlink(missing_ok=True)
    os.mkfifo(store / name)
    assert f"{name} in it is a pipe" in refused(store)


def test_metadata_without_an_end(tmp_path, monkeypatch):
    store = array(tmp_path / "a.zarr")
    for text, sentence in {
        "[" * 50_000: "is no JSON",
        "[" * 100 + "]" * 100: "lie too deep",
        "rubbish": "is no JSON",
    }.items():
        (store / ".zattrs").write_text(text)
        assert sentence in refused(store)
    monkeypatch.setattr(limits, "MOST_VALUES", 100)
    (store / ".zattrs").write_text(json.dumps({"a": [1] * 200}))
    assert "more values than are looked through" in refused(store)
    deep = group(tmp_path / "b.zarr")
    for _ in range(limits.DEEPEST + 1):
        deep = group(deep / "g")
    assert f"more than {limits.DEEPEST} deep" in refused(tmp_path / "b.zarr")
    monkeypatch.setattr(zarr_store, "_MOST_NODES", 3)
    wide = group(tmp_path / "c.zarr")
    for name in "abc":
        group(wide / name)
    assert "more than 3 groups and arrays" in refused(wide)


def test_a_huge_list_beside_the_cube(tmp_path):
    whole = group(tmp_path / "a.zarr")
    array(whole / "cube")
    array(whole / "wavelengths", b"\0" * 8, shape=[3 * 10**8], chunks=[1000], dtype="<f8")
    assert "300,000,000 values in wavelengths" in refused(whole)


@pytest.mark.parametrize("where", ["start", "end"])
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("inner", [[5, 6, 7], [1, 6, 7]])
def test_chunks_in_a_shard_that_swell(tmp_path, where, codec, inner):
    zarr = pytest.importorskip("zarr")
    from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, ZstdCodec

    pack = {"gzip": GzipCodec(), "zstd": ZstdCodec()}[codec]
    codecs = [BytesCodec(), pack]
    index = [BytesCodec(), Crc32cCodec()]
    path = tmp_path / "a.zarr"
    shards = ShardingCodec(
        chunk_shape=inner, codecs=codecs, index_codecs=index, index_location=where
    )
    made = zarr.create(
        store=path, shape=(5, 6, 7), chunks=(5, 6, 7), dtype="f4", codecs=[shards], zarr_format=3
    )
    made[:] = VALUES
    found = read(path)
    np.testing.assert_array_equal(found.data, VALUES)
    lazily = zarr.open(zarr_store.checked(path), mode="r")
    zarr_store.check_array(path, lazily)
    np.testing.assert_array_equal(lazily[3], VALUES[3])
    swollen = zarr.create(
        store=tmp_path / "b.zarr", shape=(50, 60, 70), chunks=(50, 60, 70), dtype="f4",
        codecs=[ShardingCodec(chunk_shape=[50 // (5 // inner[0]), 60, 70], codecs=codecs, index_codecs=index, index_location=where)],
        zarr_format=3,
    )  # fmt: skip
    swollen[:] = 1
    chunk = os.path.join("c", "0", "0", "0")
    (path / chunk).write_bytes((tmp_path / "b.zarr" / chunk).read_bytes())
    assert "but more came out" in refused(path)
    with pytest.raises(Exception, match="but more came out"):
        lazily[3]


def sharded(path, shape=(5, 6, 7), where="end", values=VALUES, **options):
    """A store of shards of two rows, in which each band of a row is a chunk of its own."""
    import zarr
    from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec

    shards = ShardingCodec(
        chunk_shape=(1, 1, 7), codecs=[BytesCodec()], index_codecs=[BytesCodec(), Crc32cCodec()],
        index_location=where,
    )  # fmt: skip
    made = zarr.create(
        store=path, shape=shape, chunks=(3, 2, 7), dtype="f4", codecs=[shards], zarr_format=3,
        **options,
    )  # fmt: skip
    made[:] = values
    return path


def change_index(path, change, where="end"):
    """Change the places in the index of a shard of six chunks, whose sum of check stays right."""
    from google_crc32c import value

    file = path / "c" / "0" / "0" / "0"
    content = file.read_bytes()
    index, chunks = (
        (content[:100], content[100:]) if where == "start" else (content[-100:], content[:-100])
    )
    places = np.frombuffer(index[:96], "<u8").reshape(6, 2).copy()
    change(places)
    new = places.tobytes() + value(places.tobytes()).to_bytes(4, "little")
    file.write_bytes(new + chunks if where == "start" else chunks + new)


@pytest.mark.parametrize("where", ["start", "end"])
def test_chunks_that_are_missing_in_a_shard_are_told(tmp_path, where):
    path = sharded(tmp_path / "a.zarr", where=where)
    assert not has(read(path).notices, Code.PARTLY_WRITTEN)  # shards that reach beyond the array

    def lose(places):
        places[4] = 2**64 - 1

    change_index(path, lose, where)
    found = read(path)
    assert "Only 29 of its 30 chunks are there: the values of the others are 0.0" in str(
        found.notices
    )
    lost = VALUES.copy()
    lost[2, 0] = 0
    np.testing.assert_array_equal(found.data, lost)
    (path / "c" / "1" / "0" / "0").unlink()
    assert "Only 25 of its 30 chunks" in str(read(path).notices)


@pytest.mark.parametrize("where", ["start", "end"])
@pytest.mark.parametrize(
    ("first", "length", "told"),
    [
        (None, 0, "a place for a chunk that is not in it"),
        (2**64 - 1, 28, "a place for a chunk that is not in it"),
        (2**63, 2**63, "a place for a chunk that is not in it"),
        (10**6, 28, "a place for a chunk that is not in it"),
        (None, 10**6, "a place for a chunk that is not in it"),
        (140, 28, "one place for two chunks"),
        (None, 29, "one place for two chunks"),
    ],
)  # fmt: skip
def test_places_in_a_shard_that_cannot_be(tmp_path, where, first, length, told):
    def spoil(places):
        places[1] = places[1][0] if first is None else first, length

    path = sharded(tmp_path / "a.zarr", where=where)
    change_index(path, spoil, where)
    assert told in refused(path)


@pytest.mark.parametrize("location", thorough(["start", "end"], always=["end"]))
@pytest.mark.parametrize("second", CODECS)
@pytest.mark.parametrize("first", thorough(CODECS, always=["zlib", "zstd"]))
def test_what_was_packed_is_packed_again(tmp_path, first, second, location):
    """Noise grows by each; what swells behind the second is found, too."""
    numcodecs = pytest.importorskip("numcodecs")
    noise = np.random.default_rng(0).integers(0, 2**32, (5, 60, 70), np.uint32).view(np.float32)
    noise = np.where(np.isfinite(noise), noise, 1)
    facts = {
        "shape": [5, 60, 70], "chunks": [5, 60, 70], "compressor": {"id": second},
        "filters": [{"id": first}, {"id": "crc32", "location": location}],
    }  # fmt: skip

    def packed(content):
        for codec in (*facts["filters"], facts["compressor"]):
            content = bytes(numcodecs.get_codec(dict(codec)).encode(content))
        return content

    good = array(tmp_path / "a.zarr", packed(noise.tobytes()), **facts)
    np.testing.assert_array_equal(read(good).data, noise)
    swollen = array(tmp_path / "b.zarr", packed(bytes(10**7)), **facts)
    assert "but more came out" in refused(swollen)
    rubbish = numcodecs.get_codec({"id": second}).encode(b"rubbish" * 9)
    assert refused(array(tmp_path / "c.zarr", bytes(rubbish), **facts))


@pytest.mark.parametrize("codec", ["gzip", "bz2", "lzma"])
def test_a_chunk_of_two_streams_that_swells(tmp_path, codec):
    numcodecs = pytest.importorskip("numcodecs")
    pack = numcodecs.get_codec({"id": codec}).encode
    two = bytes(pack(GOOD[:400])) + bytes(pack(GOOD[400:]))
    store = array(tmp_path / "a.zarr", two, compressor={"id": codec})
    np.testing.assert_array_equal(read(store).data, VALUES)
    store = array(tmp_path / "b.zarr", two + bytes(pack(bytes(10**6))), compressor={"id": codec})
    assert "but more came out" in refused(store)


def test_shards_in_shards_and_shards_of_too_many_are_not_read(tmp_path):
    plain = {"name": "bytes", "configuration": {"endian": "little"}}
    inside = {"chunk_shape": [5, 6, 7], "codecs": [plain], "index_codecs": [plain]}
    shards = {"name": "sharding_indexed", "configuration": inside}
    facts = {
        "zarr_format": 3, "node_type": "array", "shape": [5, 6, 7], "data_type": "float32", "fill_value": 0, "attributes": {},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [5, 6, 7]}}, "chunk_key_encoding": {"name": "default"},
    }  # fmt: skip
    path = tmp_path / "a.zarr"
    path.mkdir()
    nested = {"name": "sharding_indexed", "configuration": inside | {"codecs": [shards]}}
    (path / "zarr.json").write_text(json.dumps(facts | {"codecs": [nested]}))
    assert "in a way that is not read" in refused(path)
    facts |= {"data_type": "uint8"}
    facts["shape"] = facts["chunk_grid"]["configuration"]["chunk_shape"] = [50, 600, 700]
    inside["chunk_shape"] = [1, 1, 1]
    (path / "zarr.json").write_text(json.dumps(facts | {"codecs": [shards]}))
    assert "chunks in each shard" in refused(path)


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        ".git",
        ".DS_Store/mine",
        "journal/notes.txt",
        "0/notes.txt",
        "0/0/0/notes.txt",
        "more/notes.txt",
        "0/journal",
    ],
)
def test_files_of_a_user_in_a_store_are_not_replaced_with_it(tmp_path, name):
    path = tmp_path / "a.zarr"
    write(Cube(VALUES), path)
    write(Cube(VALUES[:2]), path)
    assert read(path).bands == 2
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).write_text("mine")
    with pytest.raises(FileError, match="is no part of a zarr store, so it is not replaced"):
        write(Cube(VALUES), path)
    assert (path / name).read_text() == "mine"


@pytest.mark.parametrize("name", [".", ".zgroup", "0", "0/0"])
def test_a_store_that_is_protected_in_part_is_not_replaced(tmp_path, monkeypatch, name):
    path = tmp_path / "a.zarr"
    write(Cube(VALUES), path)
    allowed, protected = os.access, path / name
    monkeypatch.setattr(
        os, "access", lambda p, *a, **k: Path(p) != protected and allowed(p, *a, **k)
    )
    with pytest.raises(FileError, match="it is protected"):
        write(Cube(VALUES[:2]), path)
    assert read(path).bands == 5
    assert [item.name for item in tmp_path.iterdir()] == ["a.zarr"]


def test_what_systems_leave_in_a_store_is_replaced_with_it(tmp_path):
    path = tmp_path / "a.zarr"
    write(Cube(VALUES), path)
    (path / ".DS_Store").write_text("")
    (path / "journal").mkdir()  # of a run that was killed once all was written
    for name in ("parts.jsonl", "lock", "0-0.npy"):
        (path / "journal" / name).write_text("")
    write(Cube(VALUES[:2]), path)
    assert read(path).bands == 2


@pytest.mark.parametrize("facts", [{}, {"dimension_separator": "/"}])
def test_stores_that_are_one_array_are_replaced(tmp_path, facts):
    path = array(tmp_path / "a.zarr", **facts)
    if facts:
        (path / "0" / "0").mkdir(parents=True)
        os.rename(path / "0.0.0", path / "0" / "0" / "0")
    write(Cube(VALUES[:2]), path)
    assert read(path).bands == 2
