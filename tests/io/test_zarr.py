"""zarr stores: ours, OME-Zarr of both versions, and those of xarray, written with zarr itself."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import zarr

from napari_hsr import Cube, read, write
from napari_hsr.errors import FileError
from napari_hsr.io import lazy
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, has

from .refusals import refused

DATA = np.random.default_rng(8).uniform(0, 1, (4, 6, 5)).astype(np.float32)
NM = [450.0, 500.0, 550.0, 600.0]


def ome(path, data, axes, version="0.4", labels=None, **facts):
    """A store as other programs write it, with a pyramid of two sizes."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, stored in enumerate((data, data[..., ::2, ::2])):
        array = group.create_array(
            f"s{level}",
            shape=stored.shape,
            dtype=stored.dtype,
            chunks=tuple(min(n, 3) for n in stored.shape),
        )
        array[...] = stored
        array.attrs.update(facts)
    entry = {
        "name": "leaf",
        "axes": [{"name": name} for name in axes],
        "datasets": [{"path": "s0"}, {"path": "s1"}],
    }
    attributes = {"multiscales": [entry]}
    if labels:
        attributes["omero"] = {"channels": [{"label": label} for label in labels]}
    group.attrs.update(
        attributes if version == "0.4" else {"ome": attributes | {"version": version}}
    )
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("axes", "turn"),
    [
        ("cyx", lambda d: d),
        ("tczyx", lambda d: d[None, :, None]),
        ("yxc", lambda d: d.transpose(1, 2, 0)),
    ],
)
def test_ome_zarr_of_both_versions(tmp_path, version, axes, turn):
    path = ome(tmp_path / "a.zarr", turn(DATA), axes, version, [f"{nm:g} nm" for nm in NM])
    found = read(path)
    np.testing.assert_array_equal(np.asarray(found.data), DATA)
    assert list(found.wavelengths) == NM
    assert found.name == "leaf"


def test_large_stores_stay_on_disk_and_read_only_what_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 10)
    found = read(ome(tmp_path / "a.zarr", DATA[None, :, None], "tczyx"))
    assert isinstance(found.data, LazyArray)
    for key in ((2, 3, 4), (slice(3, 0, -2), slice(1, 6, 2), 2), (slice(None), 2), ...):
        np.testing.assert_array_equal(found.data[key], DATA[key])
    turned = read(ome(tmp_path / "b.zarr", DATA.transpose(1, 2, 0), "yxc"))
    np.testing.assert_array_equal(turned.data[1:3, 2], DATA[1:3, 2])
    for chunk in (tmp_path / "b.zarr" / "s0").glob("1.*"):  # only the lower rows lie there
        chunk.write_bytes(b"rubbish")
    np.testing.assert_array_equal(turned.data[:, :3], DATA[:, :3])


def test_as_xarray_writes_it(tmp_path):
    for version in (2, 3):
        path = tmp_path / f"{version}.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=version)
        names = ("y", "x", "wavelength")
        stored = np.rint(DATA.transpose(1, 2, 0) * 1000).astype(np.int16)
        stored[2, 3, 1] = -1
        more = {"dimension_names": names} if version == 3 else {}
        cube = group.create_array("reflectance", shape=stored.shape, dtype="int16", **more)
        cube[...] = stored
        cube.attrs.update({"scale_factor": 0.001, "_FillValue": -1, "units": "reflectance"})
        if version == 2:
            cube.attrs["_ARRAY_DIMENSIONS"] = list(names)
        axis = group.create_array("wavelength", shape=(4,), dtype="float64")
        axis[...] = np.array(NM) / 1000
        axis.attrs["units"] = "um"
        found = read(path)
        expected = np.where(
            np.arange(4 * 6 * 5).reshape(4, 6, 5) == 1 * 30 + 2 * 5 + 3, np.nan, DATA
        )
        np.testing.assert_allclose(np.asarray(found.data), expected, atol=5.1e-4)
        assert list(found.wavelengths) == NM
        assert found.units == "reflectance"
        assert has(found.notices, Code.SCALE_APPLIED, Code.NO_DATA)


def test_one_array_of_several_is_named(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name, factor in (("one", 1), ("two", 2)):
        array = group.create_array(name, shape=DATA.shape, dtype="float32")
        array[...] = DATA * factor
    assert "2 arrays" in refused(tmp_path / "a.zarr")
    found = read(f"{tmp_path / 'a.zarr'}:two", axes="byx")
    np.testing.assert_array_equal(np.asarray(found.data), DATA * 2)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_consolidated_metadata_that_are_older_than_the_arrays(tmp_path, version):
    path = tmp_path / "a.zarr"
    values = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    group = zarr.open_group(path, mode="w", zarr_format=version)
    group.create_array("cube", data=values[:, :4], chunks=(4, 5, 6))
    group["cube"].attrs["wavelength"] = [400, 500, 600, 700]
    zarr.consolidate_metadata(path)
    array = zarr.open_array(path / "cube", mode="r+")
    array.resize(values.shape)
    array[:] = values
    array.attrs["wavelength"] = [410, 510, 610, 710]
    zarr.open_group(path, mode="r+", use_consolidated=False).create_array("mask", data=np.ones(3))
    cube = read(path)
    np.testing.assert_array_equal(cube.data, values)
    assert cube.wavelengths.nm.tolist() == [410, 510, 610, 710]


def test_a_bare_array(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=DATA.shape, dtype="float32")
    array[...] = DATA
    found = read(tmp_path / "a.zarr", axes="byx")
    np.testing.assert_array_equal(np.asarray(found.data), DATA)


def test_what_is_written_is_an_ome_zarr_in_chunks(tmp_path, make_cube, assert_same_cube):
    cube = make_cube((20, 300, 7))
    path = write(cube, tmp_path / "leaf.zarr")
    assert_same_cube(read(path), cube)
    group = zarr.open_group(path, mode="r")
    scale = group.attrs["multiscales"][0]
    assert scale["version"] == "0.4"
    assert [axis["name"] for axis in scale["axes"]] == ["c", "y", "x"]
    array = group[scale["datasets"][0]["path"]]
    assert array.chunks == (20, 256, 7)
    assert group.attrs["omero"]["channels"][1]["label"] == f"{cube.wavelengths[1]:.10g} nm"
    for key in ("napari_hsr", "wavelengths_nm"):  # as other programs would have left it
        del zarr.open_group(path).attrs[key]
    found = read(path)
    np.testing.assert_allclose(found.wavelengths.nm, cube.wavelengths.nm)


def test_integers_and_replacing(tmp_path):
    path = tmp_path / "leaf.zarr"
    write(Cube(DATA * 3, NM), path)
    spoiled = DATA.copy()
    spoiled[1, 2, 3] = np.nan
    write(Cube(spoiled, NM, units="reflectance"), path, dtype="uint16")
    np.testing.assert_allclose(np.asarray(read(path).data), spoiled, atol=5.1e-5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["leaf.zarr"]
    (tmp_path / "notes.zarr").mkdir()
    (tmp_path / "notes.zarr" / "diary.txt").write_text("mine")
    with pytest.raises(FileError, match="not replaced"):
        write(Cube(DATA, NM), tmp_path / "notes.zarr")
    assert (tmp_path / "notes.zarr" / "diary.txt").read_text() == "mine"


def test_stores_that_are_broken(tmp_path):
    path = ome(tmp_path / "a.zarr", DATA, "cyx")
    shutil.rmtree(path / "s0")
    assert "'s0'" in refused(path)
    path = ome(tmp_path / "b.zarr", DATA, "tcyx")
    assert "4 axes" in refused(path)
    (tmp_path / "c.zarr").mkdir()
    refused(tmp_path / "c.zarr")
    (tmp_path / "c.zarr" / ".zgroup").write_text("{")
    assert "damaged" in refused(tmp_path / "c.zarr")
    path = ome(tmp_path / "d.zarr", DATA, "cyx")
    next(p for p in (path / "s0").rglob("0.0.0")).unlink()
    assert has(read(path).notices, Code.PARTLY_WRITTEN)


def test_without_the_library_it_is_one_sentence(tmp_path, monkeypatch):
    path = ome(tmp_path / "a.zarr", DATA, "cyx")
    monkeypatch.setitem(sys.modules, "zarr", None)
    assert 'pip install "napari-hsr[zarr]"' in refused(path)
    with pytest.raises(FileError, match="zarr"):
        write(Cube(DATA, NM), tmp_path / "b.zarr")


def test_the_viewer_opens_the_folder(tmp_path):
    from napari_hsr.viewer.contributions import get_reader

    assert get_reader(str(ome(tmp_path / "a.zarr", DATA, "cyx"))) is not None
    (tmp_path / "folder").mkdir()
    assert get_reader(str(tmp_path / "folder")) is None


@pytest.mark.parametrize(
    "changed",
    [
        lambda path: shutil.rmtree(path),
        lambda path: path.rename(path.with_name("elsewhere.zarr")),
        lambda path: write(Cube(DATA + 1), path),
        lambda path: write(Cube(DATA + 1), path, dtype="uint16", factor=1000),
    ],
    ids=["removed", "moved", "replaced", "replaced by one of integers"],
)
def test_a_store_that_is_no_longer_there_is_no_zeros(tmp_path, monkeypatch, changed):
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 10)
    cube = read(write(Cube(DATA), tmp_path / "a.zarr"))
    np.testing.assert_array_equal(cube.data[0], DATA[0])
    changed(tmp_path / "a.zarr")
    with pytest.raises(FileError, match="while it was open"):
        np.asarray(cube.data)


@pytest.mark.parametrize("shards", [None, (4, 4, 4)])
def test_a_chunk_that_is_removed_while_the_store_is_open_is_no_fill_value(
    tmp_path, monkeypatch, shards
):
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    stored = group.create_array("0", shape=(4, 8, 8), chunks=(4, 4, 4), shards=shards, dtype="f4")
    stored[...] = 1
    found = read(path)
    (path / "0" / "c" / "0" / "1" / "1").unlink()
    assert found.data[0, 0, 0] == 1
    with pytest.raises(FileError, match="0/c/0/1/1 of it is gone"):
        found.data[0, 7, 7]
    assert has(read(path).notices, Code.PARTLY_WRITTEN)
