"""What files leave unsaid, or say in words of their own: missing values, factors, ends of channels, classes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hsr import read
from napari_hsr.cli import main
from napari_hsr.errors import FileError, InputError
from napari_hsr.io.wavelengths.resolve import from_band_names
from napari_hsr.notices import Code


def _told(image, code):
    return [str(notice) for notice in image.notices if notice.code == code]


def _values(dtype):
    return (np.random.default_rng(2).random((3, 8, 9)) * 200).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "marker"),
    [("f4", -9999), ("i2", -32768), ("i4", -999), ("f4", -3.4028235e38), ("f8", 1e20)],
)
def test_a_usual_marker_that_the_file_does_not_state_is_told_and_can_be(tmp_path, dtype, marker):
    values = _values(dtype)
    values[:, 2:4, 3] = marker
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", metadata=None)
    as_stored = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(as_stored.data, values.astype(np.float32))
    (told,) = _told(as_stored, Code.NO_DATA)
    assert told.startswith(f"6 values are {marker:.8g}")
    stated = read(tmp_path / "a.tif", no_data=marker)
    assert np.isnan(stated.data[:, 2:4, 3]).all()
    assert np.isnan(stated.data).sum() == 6


@pytest.mark.parametrize("values", [np.full((3, 8, 9), -9999.0), _values("f4") - 9999])
def test_numbers_among_others_like_them_are_no_markers(tmp_path, values):
    values[0, 0, 0] = -9999
    np.save(tmp_path / "a.npy", values.astype(np.float32))
    assert not _told(read(tmp_path / "a.npy"), Code.NO_DATA)


def test_no_data_on_the_command_line(tmp_path, capsys):
    values = _values("f4")
    values[1, 2, 3] = -9999
    np.save(tmp_path / "a.npy", values)
    out = tmp_path / "b.npz"
    main(["convert", str(tmp_path / "a.npy"), "--no-data", "-9999", "-o", str(out)])
    capsys.readouterr()
    with np.load(out) as stored:
        assert np.argwhere(np.isnan(stored["cube"])).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), True, "-9999"])
def test_missing_values_are_stated_as_a_number(tmp_path, wrong):
    np.save(tmp_path / "a.npy", _values("f4"))
    with pytest.raises(InputError, match="a number"):
        read(tmp_path / "a.npy", no_data=wrong)


def test_a_photograph_has_no_missing_values_to_state(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(FileError, match="no data can be stated for cubes only"):
        read(tmp_path / "a.png", no_data=0)


@pytest.mark.parametrize(
    ("names", "nm"),
    [
        (["411-420 nm", "420-429 nm"], ["415.5", "424.5"]),
        (["Ch1 411 nm – 421 nm", "Ch2 421 nm – 431 nm"], ["416", "426"]),
        (["0.4 to 0.5 µm", "0.5 to 0.6 µm"], ["0.45", "0.55"]),
        (["Red-668 nm", "Blue-475 nm"], ["668", "475"]),
    ],
)
def test_a_channel_named_by_its_ends_lies_between_them(names, nm):
    found, unit = from_band_names(names)
    assert found == nm
    assert unit in ("nm", "µm")


def test_the_description_of_each_page_of_one_series(tmp_path):
    values = _values("u2")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for nm, plane in zip((450, 550, 650), values, strict=True):
            file.write(
                plane, description=f"wavelength={nm}.5nm", metadata=None, photometric="minisblack"
            )
    np.testing.assert_allclose(read(tmp_path / "a.tif").wavelengths.nm, [450.5, 550.5, 650.5])


def test_pages_called_slices_in_depth_are_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", _values("u2"), metadata={"axes": "ZYX"})
    assert any("depth" in told for told in _told(read(tmp_path / "a.ome.tif"), Code.AXES_CHANGED))


def test_a_palette_in_the_upper_half_of_16_bits_reaches_white(tmp_path):
    picture = Image.new("P", (8, 8))
    picture.putpalette([255, 128, 0] + [0, 0, 0] * 255)
    picture.save(tmp_path / "a.tif")
    assert read(tmp_path / "a.tif").data[0, 0].tolist() == [65535, 128 * 257, 0]


@pytest.mark.parametrize("name", ["gain", "scale", "offset"])
def test_a_factor_among_the_attributes_that_has_no_convention_is_told(tmp_path, name):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = _values("u2")
        file["cube"].attrs[name] = 0.001
    cube = read(tmp_path / "a.h5")
    np.testing.assert_array_equal(cube.data, _values("u2"))
    assert _told(cube, Code.GAIN_NOT_APPLIED)


def _envi(tmp_path, more, kind="ENVI Standard"):
    values = _values("u2")
    values.tofile(tmp_path / "a.img")
    (tmp_path / "a.hdr").write_text(
        f"ENVI\nsamples = 9\nlines = 8\nbands = 3\ndata type = 12\ninterleave = bsq\n"
        f"byte order = 0\nfile type = {kind}\n{more}"
    )
    return read(tmp_path / "a.hdr")


@pytest.mark.parametrize("item", ["radiance scale", "data scaling factor", "scale factor"])
def test_a_scale_of_any_name_in_a_header_is_told(tmp_path, item):
    assert _told(_envi(tmp_path, f"{item} = 1e-3\n"), Code.GAIN_NOT_APPLIED)
    assert not _told(_envi(tmp_path, f"{item} = 1\n"), Code.GAIN_NOT_APPLIED)


def test_classes_are_called_no_measured_values(tmp_path):
    cube = _envi(tmp_path, "classes = 200\n", "ENVI Classification")
    assert any("classification" in told for told in _told(cube, Code.OTHER))
