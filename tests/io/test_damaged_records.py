"""Our own record in a file is told where it is damaged: units, encoding and history had been lost without a word."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_hsr.cube import Cube
from napari_hsr.io import embedded_record as records
from napari_hsr.io import read, write
from napari_hsr.notices import Code, has
from napari_hsr.photograph import Photograph

SUFFIXES = (".mat", ".h5", ".hdr", ".tif", ".npz", ".zarr")


@pytest.fixture
def cube():
    values = np.random.default_rng(1).random((5, 6, 7), np.float32)
    return Cube(values, range(400, 650, 50), units="radiance", name="a")


@pytest.fixture
def photograph():
    values = np.random.default_rng(2).integers(0, 65535, (6, 7, 3), np.uint16)
    return Photograph(values, "linear-srgb", name="a")


def unusable(found) -> int:
    return sum(n.code is Code.RECORD_UNUSABLE for n in found.notices)


def with_text(monkeypatch, old: str, new: str):
    """What is written from now on has a record with this damage in its text."""
    whole = records.to_text

    def damaged(image, width=1):
        text = whole(image, width)
        assert old in text
        return text.replace(old, new)

    monkeypatch.setattr(records, "to_text", damaged)


def with_fields(monkeypatch, change):
    for name in ("of_cube", "of_photograph"):
        whole = getattr(records, name)
        monkeypatch.setattr(records, name, lambda image, whole=whole: change(whole(image)))


def renamed(old: str, new: str):
    return lambda fields: {new if key == old else key: fields[key] for key in fields}


@pytest.mark.parametrize("suffix", [".mat", ".h5", ".hdr", ".npz"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind": "', '"kind": \''),
        ('{"layout"', '"layout"'),
        ("{", "[{"),
        ('"provenance": {', '"provenance": {{'),
    ],
)
def test_a_text_that_cannot_be_parsed_is_told(tmp_path, monkeypatch, cube, suffix, old, new):
    with_text(monkeypatch, old, new)
    found = read(write(cube, tmp_path / f"a{suffix}"))
    assert unusable(found) == 1
    np.testing.assert_array_equal(found.data, cube.data)
    np.testing.assert_allclose(found.wavelengths.nm, cube.wavelengths.nm)
    assert found.units == (
        None if suffix in (".mat", ".npz") else "radiance"
    )  # stated elsewhere, too


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("key", ["layout", "kind", "units", "wavelengths", "metadata"])
def test_a_field_whose_name_is_damaged_is_told(tmp_path, monkeypatch, cube, suffix, key):
    with_fields(monkeypatch, renamed(key, f"{key[:-1]}q"))
    found = read(write(cube, tmp_path / f"a{suffix}"))
    assert unusable(found)
    assert isinstance(found, Cube)
    np.testing.assert_array_equal(found.data, cube.data)
    lost = key == "units" and suffix in (".mat", ".npz")  # others state it elsewhere, too
    assert found.units == (None if lost else "radiance")


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("key", ["kind", "encoding"])
def test_a_photograph_keeps_no_encoding_that_is_not_stated(
    tmp_path, monkeypatch, photograph, suffix, key
):
    with_fields(monkeypatch, renamed(key, f"{key[:-1]}q"))
    found = read(write(photograph, tmp_path / f"a{suffix}"))
    assert unusable(found)
    assert isinstance(found, Photograph)
    assert found.encoding == (None if key == "encoding" else "linear-srgb")


def test_an_encoding_that_is_none_is_told(tmp_path, monkeypatch, photograph):
    with_fields(monkeypatch, lambda fields: {**fields, "encoding": "srgc"})
    found = read(write(photograph, tmp_path / "a.png"))
    assert (found.encoding, unusable(found)) == (None, 1)


@pytest.mark.parametrize("spelled", ["linear", "camera:Nikon_D700", "xyz"])
def test_other_spellings_of_an_encoding_stay(tmp_path, photograph, spelled):
    photograph.encoding = spelled
    found = read(write(photograph, tmp_path / "a.png"))
    assert (found.encoding, unusable(found)) == (spelled, 0)


def test_a_damaged_description_of_a_tiff_is_told(tmp_path, cube):
    path = write(cube, tmp_path / "a.tif")
    content = path.read_bytes()
    assert content.count(b'{"shape"') == 1  # damage further on is refused by the library
    path.write_bytes(content.replace(b'{"shape"', b'["shape"'))
    found = read(path)
    assert unusable(found) == 1
    assert isinstance(found, Cube)


@pytest.mark.parametrize("suffix", [".mat", ".hdr", ".npz"])
def test_a_record_under_a_damaged_name_is_found(tmp_path, cube, suffix):
    path = write(cube, tmp_path / f"a{suffix}")
    if suffix == ".npz":
        with np.load(path) as stored:
            np.savez(path, **{k.replace("napari", "napar1"): stored[k] for k in stored.files})
    else:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"napari", b"napar1"))
        assert path.read_bytes() != content
    assert read(path).units == "radiance"


def test_a_name_of_the_history_that_is_damaged_is_told(cube):
    record = records.of_cube(cube)
    record["provenance"] = {"modek": "mstpp", "input": "a.png"}
    assert has(records.parse(json.dumps(record)).notices, Code.RECORD_UNUSABLE)
    record["provenance"] = {"later": "added", "input": "a.png"}
    assert records.parse(json.dumps(record)).notices == ()


@pytest.mark.parametrize("text", ["my notes", "", '["a"]', "5", '{"version": 2, "name": "b"}'])
def test_what_others_wrote_under_the_name_is_none_of_ours(text):
    assert records.parse(text) is None
