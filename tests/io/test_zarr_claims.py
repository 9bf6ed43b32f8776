"""Stores from anywhere: links, pipes, codecs that run what they read, claims, chunks that swell."""

from __future__ import annotations

import json
import os
import pickle
import zlib

import numpy as np
import pytest

from napari_hsr.cube import Cube
from napari_hsr.io import limits, read, write

from .refusals import refused

pytest.importorskip("zarr")
VALUES = np.linspace(0, 1, 5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7)
FACTS = {
    "zarr_format": 2, "shape": [5, 6, 7], "chunks": [5, 6, 7], "dtype": "<f4", "compressor": None,
    "fill_value": 0, "order": "C", "filters": None,
}  # fmt: skip


GOOD = VALUES.tobytes()


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


@pytest.mark.parametrize("codec", ["zlib", "gzip", "bz2", "lzma", "lz4", "blosc", "zstd"])
def test_a_chunk_that_swells(tmp_path, codec):
    numcodecs = pytest.importorskip("numcodecs")
    packer = numcodecs.get_codec({"id": codec})
    store = array(tmp_path / "a.zarr", packer.encode(bytes(10**6)), compressor={"id": codec})
    assert "its chunk 0.0.0 should hold" in refused(store)


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


def test_a_huge_list_beside_the_cube(tmp_path):
    whole = group(tmp_path / "a.zarr")
    array(whole / "cube")
    array(whole / "wavelengths", b"\0" * 8, shape=[3 * 10**8], chunks=[1000], dtype="<f8")
    assert "300,000,000 values in wavelengths" in refused(whole)
