"""Integers with a factor, interleaves, and the place on the ground, read by other libraries too."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import spectral
import tifffile

from napari_hsr import Cube, read, write
from napari_hsr.errors import InputError
from napari_hsr.io import lazy
from napari_hsr.io.lazy import LazyArray, by_rows
from napari_hsr.notices import Code, has

NM = np.array([450.0, 500.0, 550.0])


def reflectance(**changes) -> Cube:
    data = np.random.default_rng(4).uniform(0, 1.2, (3, 4, 5)).astype(np.float32)
    data[1, 2, 3] = np.nan
    return Cube(data, NM, **{"units": "reflectance", **changes})


@pytest.mark.parametrize("suffix", [".hdr", ".tif", ".h5"])
@pytest.mark.parametrize(("dtype", "step"), [("uint16", 1e-4), ("int16", 1e-4), ("uint8", 1 / 255)])
def test_integers_are_read_as_the_values_that_they_stand_for(tmp_path, suffix, dtype, step):
    cube = reflectance()
    if dtype == "uint8":
        cube = cube.replace(data=cube.data / 1.25)
    found = read(write(cube, tmp_path / f"leaf{suffix}", dtype=dtype))
    # half a step of rounding, and float32
    np.testing.assert_allclose(np.asarray(found.data), cube.data, atol=step / 2 + 1e-7)
    assert found.units == "reflectance"
    assert found.wavelengths == cube.wavelengths


@pytest.mark.parametrize("suffix", [".hdr", ".tif", ".h5", ".zarr"])
@pytest.mark.parametrize("gap", [False, True])
def test_white_is_never_taken_for_missing(tmp_path, suffix, gap):
    data = np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5)
    data[0, 1, 1] = np.nan if gap else 0.5
    found = read(write(Cube(data, NM, units="reflectance"), tmp_path / f"a{suffix}", dtype="uint8"))
    # half a step of rounding, or the whole one beside the number that marks what is missing
    step = 1 / 255 if gap else 0.5 / 255
    np.testing.assert_allclose(np.asarray(found.data), data, atol=step + 1e-7)


def test_counts_and_gaps_that_need_the_same_number_are_refused(tmp_path):
    data = np.full((3, 4, 5), 65535.0, np.float32)
    data[:, 0] = 7
    found = read(write(Cube(data, NM), tmp_path / "a.hdr", dtype="uint16"))
    np.testing.assert_array_equal(found.data, data)
    data[0, 1, 1] = np.nan
    with pytest.raises(InputError, match="both the value 65535 and missing values"):
        write(Cube(data, NM), tmp_path / "b.hdr", dtype="uint16")


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_few_bands_on_the_ground(tmp_path, bands, dtype):
    data = np.random.default_rng(5).uniform(0, 1, (bands, 4, 5)).astype(np.float32)
    place = {
        "map info": ["UTM", "1", "1", "500000", "5800000", "30", "30", "33", "North", "WGS-84"]
    }
    cube = Cube(data, 500 + 10.0 * np.arange(bands), units="reflectance", metadata=place)
    found = read(write(cube, tmp_path / "a.tif", dtype=dtype))
    np.testing.assert_allclose(
        np.asarray(found.data), data, atol=0.51e-4 if dtype == "uint16" else 0
    )
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.tags[33550].value[:2] == (30.0, 30.0)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_interleaves_as_spectral_reads_them(tmp_path, interleave):
    cube = reflectance()
    path = write(cube, tmp_path / "leaf.hdr", dtype="int16", interleave=interleave)
    image = spectral.open_image(str(path))
    assert image.metadata["interleave"] == interleave
    stored = np.rint(np.where(np.isnan(cube.data), -3.2768, cube.data) * 10000)
    np.testing.assert_array_equal(
        np.asarray(image.load(scale=False)), stored.transpose(1, 2, 0).astype(np.float32)
    )
    np.testing.assert_allclose(np.asarray(read(path).data), cube.data, atol=5.1e-5)


def test_values_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path):
    for options in ({"factor": 60000.0}, {"dtype": "uint8"}, {"dtype": "int16", "factor": 1e6}):
        with pytest.raises(InputError, match="do not fit"):
            write(reflectance(), tmp_path / "leaf.hdr", **{"dtype": "uint16", **options})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("leaf.mat", {"dtype": "uint16"}),
        ("leaf.tif", {"interleave": "bip"}),
        ("leaf.hdr", {"interleave": "bpi"}),
        ("leaf.hdr", {"dtype": "float16"}),
        ("leaf.hdr", {"dtype": "uint16", "factor": -1.0}),
    ],
)
def test_what_a_format_cannot_store(tmp_path, name, options):
    with pytest.raises(InputError):
        write(reflectance(), tmp_path / name, **options)


def test_values_of_which_rounding_leaves_nothing_are_not_stored(tmp_path):
    """Reflectance without a unit would be stored as zeros and ones."""
    values = reflectance().replace(units=None)
    for options in ({}, {"factor": 1e-320}, {"factor": 0.5}):
        with pytest.raises(InputError, match="hardly told apart"):
            write(values, tmp_path / "leaf.tif", dtype="uint16", **options)
    assert list(tmp_path.iterdir()) == []
    classes = values.replace(data=(values.data > 0.5).astype(np.float32))
    found = read(write(classes, tmp_path / "classes.tif", dtype="uint8"))
    np.testing.assert_array_equal(np.asarray(found.data), classes.data)
    write(values, tmp_path / "leaf.tif", dtype="uint16", factor=1000.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("suffix", [".hdr", ".tif", ".h5"])
def test_a_file_of_any_interleave_is_copied_whole(tmp_path, order, suffix, monkeypatch):
    from napari_hsr.io import stored_numbers

    monkeypatch.setattr(stored_numbers, "_BLOCK_VALUES", 3 * 5)  # one row at a time
    cube = reflectance()
    stored = np.ascontiguousarray(cube.data.transpose(order))
    stored.tofile(tmp_path / "raw")
    mapped = np.memmap(tmp_path / "raw", np.float32, "r", shape=stored.shape)
    lazy = cube.replace(data=LazyArray(mapped, np.argsort(order)))
    assert by_rows(lazy.data) == (order != (0, 1, 2))
    released = []
    monkeypatch.setattr(
        stored_numbers, "release_pages", lambda source: released.append(source is mapped)
    )
    found = read(write(lazy, tmp_path / f"leaf{suffix}"))
    np.testing.assert_array_equal(np.asarray(found.data), cube.data)
    assert released == ([] if order == (0, 1, 2) else [True] * 4)  # what was copied need not stay


# --- on the ground -----------------------------------------------------------------------------

UTM = ["UTM", "1.0", "1.0", "380000.0", "5820000.0", "30.0", "30.0", "33", "North", "WGS-84"]
KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)


def write_geotiff(path) -> np.ndarray:
    data = np.random.default_rng(5).integers(0, 9000, (3, 4, 5)).astype(np.int16)
    xml = (
        "<GDALMetadata><Item name='AREA_OR_POINT'>Area</Item><Item name='SENSOR'>made here</Item>"
        "<Item name='wavelength' sample='0'>450</Item></GDALMetadata>"
    )
    tifffile.imwrite(
        path,
        data,
        planarconfig="separate",
        photometric="minisblack",
        metadata=None,
        extratags=[
            (33550, "d", 3, (30.0, 30.0, 0.0), True),
            (33922, "d", 6, (0.0, 0.0, 0.0, 380000.0, 5820000.0, 0.0), True),
            (34735, "H", 16, KEYS, True),
            (34737, "s", 0, "WGS 84 / UTM zone 33N|", True),
            (42112, "s", 0, xml, True),
        ],
    )
    return data


def test_a_geotiff_keeps_its_place_and_gdals_items(tmp_path):
    data = write_geotiff(tmp_path / "scene.tif")
    cube = read(tmp_path / "scene.tif")
    for first in ("copy.tif", "copy.h5", "copy.npz", "copy.mat"):  # through any format
        write(read(write(cube, tmp_path / first)), tmp_path / "again.tif")
        with tifffile.TiffFile(tmp_path / "again.tif") as file:
            page = file.pages.first
            assert len(file.pages) == 1  # one image of three bands, as GIS want it
            assert (page.samplesperpixel, page.planarconfig) == (3, 2)
            assert page.tags[33550].value == (30.0, 30.0, 0.0)
            assert page.tags[33922].value == (0.0, 0.0, 0.0, 380000.0, 5820000.0, 0.0)
            assert page.tags[34735].value == KEYS
            assert page.tags[34737].value == "WGS 84 / UTM zone 33N|"
            assert "made here" in page.tags[42112].value
            np.testing.assert_array_equal(page.asarray(), data)


def test_envi_and_geotiff_say_the_same_place(tmp_path):
    write_geotiff(tmp_path / "scene.tif")
    envi = read(write(read(tmp_path / "scene.tif"), tmp_path / "scene.hdr"))
    text = (tmp_path / "scene.hdr").read_text()
    assert "map info = {UTM, 1.0, 1.0, 380000.0, 5820000.0, 30.0, 30.0, 33, North, WGS-84" in text
    assert envi.shape == (3, 4, 5)
    stated = Cube(np.ones((3, 4, 5), np.float32), NM, metadata={"map info": UTM})
    write(stated, tmp_path / "field.tif")
    with tifffile.TiffFile(tmp_path / "field.tif") as file:
        tags = file.pages.first.tags
        assert tags[33550].value == (30.0, 30.0, 0.0)
        assert tags[33922].value == (0.0, 0.0, 0.0, 380000.0, 5820000.0, 0.0)
        assert tags[34735].value == KEYS
    degrees = ["Geographic Lat/Lon", 1, 1, 13.0, 52.0, 0.001, 0.001, "WGS-84"]
    write(stated.replace(metadata={"map info": degrees}), tmp_path / "degrees.tif")
    again = read(write(read(tmp_path / "degrees.tif"), tmp_path / "degrees.hdr"))
    assert [str(item) for item in again.metadata["map info"]][:1] == ["Geographic Lat/Lon"]


def test_gdal_finds_wavelengths_and_widths(tmp_path):
    write(reflectance(metadata={"fwhm": [5.0, 6.0, 7.0]}), tmp_path / "leaf.tif")
    with tifffile.TiffFile(tmp_path / "leaf.tif") as file:
        text = file.pages.first.tags[42112].value
    assert '<Item name="CENTRAL_WAVELENGTH_UM" sample="1" domain="IMAGERY">0.5</Item>' in text
    assert '<Item name="FWHM_UM" sample="2" domain="IMAGERY">0.007</Item>' in text


@pytest.mark.parametrize("dtype", ["i4", "u4", ">i4", "i8", "f8"])
@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("of_each", [False, True])
def test_an_offset_brings_no_rounding_to_light(tmp_path, monkeypatch, dtype, lazily, of_each):
    if lazily:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 10)
    stored = (np.arange(3 * 4 * 5).reshape(3, 4, 5) + 100_000_000).astype(dtype)
    offset = np.array([-1e8, -1e8 + 1, -1e8 + 2]) if of_each else np.array(-1e8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"], file["wavelength"] = stored, [450.0, 500.0, 550.0]
        file["cube"].attrs["add_offset"] = offset
        file["cube"].attrs["scale_factor"] = 1.0
    cube = read(tmp_path / "a.h5")
    expected = np.arange(60).reshape(3, 4, 5) + (offset + 1e8).reshape(-1, 1, 1)
    np.testing.assert_array_equal(np.asarray(cube.data), expected)
    np.testing.assert_array_equal(np.asarray(cube.data[1, 2]), expected[1, 2])
    np.testing.assert_array_equal(np.asarray(cube.data[:, 2, 3]), expected[:, 2, 3])
    np.testing.assert_array_equal(np.asarray(cube.data[1:, :, 3]), expected[1:, :, 3])
    assert not has(cube.notices, Code.VALUES_ROUNDED)


def test_a_mask_rounds_no_stored_numbers(tmp_path):
    stored = np.arange(3 * 4 * 5, dtype=np.int32).reshape(3, 4, 5) + 2**24
    tags = [(42113, "s", 0, str(2**24), True)]  # in float32 the number behind it is the same
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(
            np.moveaxis(stored, 0, -1), photometric="minisblack", planarconfig="contig", metadata=None,
            extratags=tags,
        )  # fmt: skip
        file.write(np.arange(20).reshape(4, 5) > 4, photometric=4, subfiletype=4, metadata=None)
    cube = read(tmp_path / "a.tif")
    assert np.isnan(cube.data[:, 0]).all()
    assert np.isfinite(cube.data[:, 1:]).all()
    stored[:] = 2**24 + 1
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(
            np.moveaxis(stored, 0, -1), photometric="minisblack", planarconfig="contig", metadata=None,
            extratags=tags,
        )  # fmt: skip
        file.write(np.arange(20).reshape(4, 5) > 4, photometric=4, subfiletype=4, metadata=None)
    assert np.isfinite(read(tmp_path / "b.tif").data[:, 1:]).all()


@pytest.mark.parametrize("unseen", ["sampled", "in a bad band"])
@pytest.mark.parametrize("suffix", [".hdr", ".tif", ".h5", ".zarr"])
def test_counts_at_the_end_of_their_type_are_kept(tmp_path, monkeypatch, unseen, suffix):
    counts = np.arange(3 * 4 * 600, dtype=np.float32).reshape(3, 4, 600)
    counts[1, 1, 1] = 65535  # between the rows and columns of a sample
    cube = Cube(counts, NM)
    if unseen == "sampled":
        monkeypatch.setattr("napari_hsr.cube.EXACT_RANGE_BYTES", 10)
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 10)
        cube = read(write(cube, tmp_path / "a.h5"))
        assert cube.value_range[1] < 65535
    else:
        cube = cube.replace(metadata={"bbl": [1, 0, 1]})
    path = write(cube, tmp_path / f"b{suffix}", dtype="uint16")
    np.testing.assert_array_equal(np.asarray(read(path).data), counts)


def test_infinite_values_are_no_missing_ones(tmp_path):
    cube = reflectance()
    cube.data[0, 0, 0] = np.inf
    with pytest.raises(InputError, match="infinite"):
        write(cube, tmp_path / "a.tif", dtype="uint16")
    assert not (tmp_path / "a.tif").exists()
    assert np.asarray(read(write(cube, tmp_path / "a.tif")).data)[0, 0, 0] == np.inf
