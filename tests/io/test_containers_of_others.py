"""HDF5, NetCDF and MATLAB files as others write them: where facts of the numbers and bands stand."""

from __future__ import annotations

import json
from struct import pack

import h5py
import numpy as np
import pytest
from scipy.io import netcdf_file, savemat

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.io import lazy
from napari_hsr.notices import Code, has

NM = [450.0, 500.0, 550.0, 600.0]
VALUES = np.arange(4 * 5 * 3, dtype=np.int16).reshape(4, 5, 3) + 100


def container(folder, attributes=(), values=VALUES, name="cube", **others):
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset(name, data=values).attrs.update(dict(attributes))
        for key, value in others.items():
            file[key] = value
    return folder / "a.h5"


@pytest.mark.parametrize(
    "attributes",
    [
        {"scale_factor": "0.1"},
        {"Scale_Factor": "10"},
        {"reflectance_scale_factor": 10},
        {"reflectance scale factor": 10.0},
        {"scale_factor": np.full(4, 0.1)},
        {"SCALE_FACTOR": 0.1},
        {"scale factor": 0.1},
        {"ScaleFactor": np.full(4, 0.1)},
        {"Reflectance_Scale_Factor": 10},
    ],
)
def test_a_factor_however_it_is_stated(tmp_path, attributes):
    cube = read(container(tmp_path, attributes, wl=NM))
    np.testing.assert_allclose(cube.data, VALUES / 10, rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ScaleFactor", 10.0), ("scaling_factor", 0.1), ("slope", 0.1), ("divisor", 10), ("reflectance_scale", 10),
        ("QUANTIFICATION_VALUE", 10.0), ("calibration factor", 2.0), ("gains", np.array([1.0, 2.0, 3.0, 4.0])),
    ],
)  # fmt: skip
def test_a_factor_that_may_go_either_way_is_told(tmp_path, name, value):
    cube = read(container(tmp_path, {name: value}, wl=NM))
    np.testing.assert_array_equal(cube.data, VALUES)
    assert [
        n
        for n in cube.notices
        if n.code is Code.GAIN_NOT_APPLIED and name.lower() in str(n).lower()
    ]


def test_a_factor_of_the_whole_file(tmp_path):
    path = container(tmp_path, wl=NM)
    with h5py.File(path, "a") as file:
        file.attrs["scale_factor"] = 0.1
    cube = read(path)
    np.testing.assert_allclose(cube.data, VALUES / 10, rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED)


@pytest.mark.parametrize("name", ["Wavelength (nm)", "band_centers_nm", "Center-Wavelengths [nm]"])
def test_names_of_lists_with_their_unit(tmp_path, name):
    cube = read(container(tmp_path, **{name: NM}))
    assert cube.wavelengths.nm.tolist() == list(NM)
    assert not has(cube.notices, Code.WAVELENGTH_UNIT_GUESSED)


def test_two_factors_are_applied_once(tmp_path):
    cube = read(container(tmp_path, {"Scale_Factor": 10.0, "scale_factor": 0.1}, wl=NM))
    np.testing.assert_allclose(cube.data, VALUES / 10, rtol=1e-6)
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_factor_for_each_band(tmp_path, monkeypatch, on_disk):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    each = np.array([1.0, 2.0, 3.0, 4.0])
    cube = read(container(tmp_path, {"scale_factor": each, "add_offset": each}, wl=NM[::-1]))
    expected = (VALUES * each[:, None, None] + each[:, None, None])[::-1]
    np.testing.assert_allclose(cube.data[:], expected, rtol=1e-6)


def test_factors_of_another_axis_are_left_out_and_said(tmp_path):
    cube = read(container(tmp_path, {"scale_factor": np.arange(1.0, 6.0)}, wl=NM))
    np.testing.assert_array_equal(cube.data, VALUES)
    assert has(cube.notices, Code.GAIN_NOT_APPLIED)
    assert not has(cube.notices, Code.SCALE_APPLIED)


@pytest.mark.parametrize(
    "attributes",
    [
        {"missing_value": np.array([100.0, 101.0])},
        {"_FillValue": 100, "missing_value": 101},
        {"NoData": 100, "_FillValue": "101"},
        {"fill_value": np.int16(100), "nodata": 101.0},
    ],
)
def test_missing_values_however_they_are_stated(tmp_path, attributes):
    cube = read(container(tmp_path, attributes, wl=NM))
    assert np.isnan(cube.data[0, 0, :2]).all()
    assert np.isnan(cube.data).sum() == 2


@pytest.mark.parametrize("marker", [np.int8(-1), np.int16(255)])
@pytest.mark.parametrize("on_disk", [False, True])
def test_unsigned_numbers_in_signed_ones(tmp_path, monkeypatch, marker, on_disk):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    numbers = np.array([[[0, 127, 128], [200, 254, 255]]] * 4, np.uint8)
    stated = {"_Unsigned": "true", "_FillValue": marker}
    cube = read(container(tmp_path, stated, numbers.view(np.int8), wl=NM))
    np.testing.assert_array_equal(cube.data[1], [[0, 127, 128], [200, 254, np.nan]])


def test_signed_numbers_in_unsigned_ones(tmp_path):
    numbers = np.array([[[0, 127, -128], [-56, -2, -1]]] * 4, np.int8)
    stated = {"_Unsigned": "false", "_FillValue": np.uint8(255), "scale_factor": 0.5}
    cube = read(container(tmp_path, stated, numbers.view(np.uint8), wl=NM))
    np.testing.assert_array_equal(cube.data[1], [[0, 63.5, -64], [-28, -1, np.nan]])


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_valid_range_of_unsigned_numbers_in_signed_ones(tmp_path, monkeypatch, on_disk):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    numbers = np.array([[[0, 127, 128], [200, 250, 255]]] * 4, np.uint8)
    stated = {"_Unsigned": "true", "valid_range": np.array([1, -6], np.int8)}
    cube = read(container(tmp_path, stated, numbers.view(np.int8), wl=NM))
    np.testing.assert_array_equal(cube.data[1], [[np.nan, 127, 128], [200, 250, np.nan]])


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf, 1e300, 1e-300, [0.0] * 4])
@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_a_scale_that_makes_no_values_is_left_out(tmp_path, scale, offset):
    stated = {"scale_factor": scale, "add_offset": offset}
    cube = read(container(tmp_path, stated, wl=NM))
    np.testing.assert_array_equal(cube.data, VALUES)
    codes = [notice.code for notice in cube.notices]
    assert Code.GAIN_NOT_APPLIED in codes
    assert Code.SCALE_APPLIED not in codes
    assert not any("scale" in step for step in cube.provenance.steps)


@pytest.mark.parametrize(
    "names",
    [
        "center_wavelengths", "cwl", "band_wavelengths", "wavelength_list", "lambda_nm", "spectral_axis",
        "nm", "Wavelengths_nm",
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".h5", ".mat"])
def test_names_of_the_list(tmp_path, names, suffix):
    if suffix == ".h5":
        path = container(tmp_path, **{names: NM})
    else:
        path = tmp_path / "a.mat"
        savemat(path, {"cube": VALUES.transpose(1, 2, 0), names: NM})
    assert read(path).wavelengths.nm.tolist() == NM


def test_wavenumbers(tmp_path):
    path = container(tmp_path, wavenumber=1e7 / np.array(NM))
    np.testing.assert_allclose(read(path).wavelengths.nm, NM)


def test_wavelengths_in_names_of_bands(tmp_path):
    path = container(tmp_path, band_names=[f"{nm:g} nm".encode() for nm in NM])
    assert read(path).wavelengths.nm.tolist() == NM


@pytest.mark.parametrize("whose", ["group", "file"])
@pytest.mark.parametrize("in_json", [False, True])
def test_attributes_around_the_array(tmp_path, whose, in_json):
    path = container(tmp_path, name="scan/camera/image")
    stated = {"wavelengths": NM}
    with h5py.File(path, "r+") as file:
        owner = file["scan"] if whose == "group" else file
        owner.attrs.update({"metadata": json.dumps(stated)} if in_json else stated)
    assert read(path).wavelengths.nm.tolist() == NM


def test_columns_that_are_named_before_rows(tmp_path):
    path = container(
        tmp_path, {"_ARRAY_DIMENSIONS": ["x", "wavelength", "y"]}, VALUES.transpose(2, 0, 1)
    )
    np.testing.assert_array_equal(read(path).data, VALUES)
    with netcdf_file(str(tmp_path / "a.nc"), "w") as file:
        for name, size in (("lon", 3), ("lat", 5), ("band", 4)):
            file.createDimension(name, size)
        file.createVariable("rad", "i2", ("lon", "lat", "band"))[:] = VALUES.transpose(2, 1, 0)
    np.testing.assert_array_equal(read(tmp_path / "a.nc").data, VALUES)


@pytest.mark.parametrize(
    ("factor", "code"), [(0.1, Code.SCALE_APPLIED), (10, Code.GAIN_NOT_APPLIED)]
)
def test_a_variable_with_a_factor(tmp_path, factor, code):
    beside = {"scale_factor": factor, "wl": NM}
    savemat(tmp_path / "a.mat", {"cube": VALUES.transpose(1, 2, 0)} | beside)
    cube = read(tmp_path / "a.mat")
    scale = factor if code is Code.SCALE_APPLIED else 1
    np.testing.assert_allclose(cube.data, VALUES * scale, rtol=1e-6)
    assert has(cube.notices, code)


BY_PIXEL = np.ascontiguousarray(VALUES.transpose(1, 2, 0))


def _nexus(file):
    group = file.create_group("entry/data")
    group.attrs["axes"] = ["y", "x", "energy"]
    group["data"] = BY_PIXEL[..., ::-1]
    group["energy"] = 1239.841984 / np.array(NM[::-1])
    group["energy"].attrs["units"] = "eV"


def _ilastik(file):
    item = file.create_dataset("exported_data", data=BY_PIXEL)
    item.attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "yxc"]})
    file["wavelengths"] = NM


def _hyperspy_without_names(file):
    group = file.create_group("Experiments/x")
    group["data"] = BY_PIXEL
    for i, (scale, offset, units) in enumerate(((1, 0, "um"), (1, 0, "um"), (50.0, 450.0, "nm"))):
        axis = group.create_group(f"axis-{i}").attrs
        axis["name"], axis["scale"], axis["offset"] = "<undefined>", scale, offset
        axis["units"], axis["navigate"] = units, i < 2


@pytest.mark.parametrize("fill", [_nexus, _ilastik, _hyperspy_without_names])
def test_axes_as_other_programs_name_them(tmp_path, fill):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill(file)
    cube = read(tmp_path / "a.h5")
    np.testing.assert_array_equal(cube.data, VALUES)
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    assert not has(cube.notices, Code.AXIS_GUESSED)


def test_two_detectors_with_lists_of_their_own_are_a_question(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["vnir/radiance"], file["vnir/wavelength"] = VALUES[:1].repeat(2, 0), NM[:2]
        file["swir/radiance"], file["swir/wavelength"] = VALUES, np.array(NM) + 1000
    with pytest.raises(FileError, match="2 arrays could be the cube"):
        read(tmp_path / "a.h5")
    cube = read(tmp_path / "a.h5", variable="vnir/radiance")
    np.testing.assert_allclose(cube.wavelengths.nm, NM[:2])


@pytest.mark.parametrize("apart", [False, True])
def test_bands_that_are_described_by_their_wavelengths(tmp_path, apart):
    texts = [f"Reflectance at {nm:g} nm" for nm in NM]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if apart:
            for i, text in enumerate(texts):
                file[f"band_{i + 1}"] = VALUES[i]
                file[f"band_{i + 1}"].attrs["long_name"] = text
        else:
            file["data"] = VALUES
            file["data"].attrs["long_name"] = texts
    np.testing.assert_allclose(read(tmp_path / "a.h5").wavelengths.nm, NM)


@pytest.mark.parametrize("turned", [False, True])
def test_a_list_for_each_column_of_the_detector(tmp_path, turned):
    smile = np.array(NM)[:, None] + np.linspace(-1, 1, 5)  # ascending over the columns, too
    smile = smile.T if turned else smile
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = np.ascontiguousarray(VALUES.transpose(1, 2, 0))
        file["wavelength"] = smile
    cube = read(tmp_path / "a.h5")
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    np.testing.assert_array_equal(cube.data, VALUES)
    assert any("mean" in notice for notice in cube.notices)


def test_a_table_whose_first_column_counts_the_bands(tmp_path):
    table = np.stack([np.arange(1, 5), NM], axis=1)
    savemat(tmp_path / "a.mat", {"cube": VALUES.transpose(1, 2, 0), "wavelength": table})
    np.testing.assert_allclose(read(tmp_path / "a.mat").wavelengths.nm, NM)


def _cdf5(records):
    """Two variables of a classic NetCDF file of 64 bits, along a dimension of records or of none."""

    def text(name):
        return pack(">Q", len(name)) + name + bytes(-len(name) % 4)

    def numbers(name, code, values):
        return text(name) + pack(">IQ", code, 1) + values + bytes(-len(values) % 4)

    sizes = [(b"wavelength", 0 if records else 4), (b"y", 5), (b"x", 3)]
    head = b"CDF\x05" + pack(">Q", 4 if records else 0) + pack(">IQ", 10, 3)
    head += b"".join(text(name) + pack(">Q", size) for name, size in sizes)
    head += pack(">IQ", 0, 0)  # no attributes of the file
    cube, nm = VALUES.astype(">u2"), np.array(NM, ">f8")
    plane = cube[0].nbytes + -cube[0].nbytes % 4
    facts = numbers(b"_FillValue", 8, pack(">H", 101)) + numbers(
        b"scale_factor", 6, pack(">d", 0.5)
    )
    of_cube = text(b"cube") + pack(">QQQQ", 3, 0, 1, 2) + pack(">IQ", 12, 2) + facts + pack(">I", 8)
    of_list = text(b"wavelength") + pack(">QQ", 1, 0) + pack(">IQ", 0, 0) + pack(">I", 6)
    begin = len(head) + 12 + len(of_cube) + len(of_list) + 32
    step = plane if records else cube.nbytes
    variables = of_cube + pack(">QQ", plane if records else cube.nbytes, begin)
    variables += of_list + pack(">QQ", 8 if records else nm.nbytes, begin + step)
    values = cube.tobytes() + nm.tobytes()
    if records:
        pad = bytes(plane - cube[0].nbytes)
        values = b"".join(cube[i].tobytes() + pad + nm[i : i + 1].tobytes() for i in range(4))
    return head + pack(">IQ", 11, 2) + variables + values


@pytest.mark.parametrize("records", [False, True])
def test_classic_netcdf_of_64_bits(tmp_path, records):
    path = tmp_path / "a.nc"
    path.write_bytes(_cdf5(records))
    cube = read(path)
    np.testing.assert_array_equal(cube.data, np.where(VALUES == 101, np.nan, VALUES / 2))
    np.testing.assert_allclose(cube.wavelengths.nm, NM)
    for size in (3, 20, 90, 200, 300):
        path.write_bytes(_cdf5(records)[:-size])
        with pytest.raises(FileError, match="damaged or cut short"):
            read(path)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("what", ["a dimension before the first one", "values in the head"])
def test_a_head_of_classic_netcdf_is_not_believed(tmp_path, version, what):
    path = tmp_path / "a.nc"
    with netcdf_file(str(path), "w", version=version) as file:
        for name, size in {"b": 7, "y": 6, "x": 5}.items():
            file.createDimension(name, size)
        file.createVariable("cube", "f4", ("b", "y", "x"))[:] = 0.5
    content = bytearray(path.read_bytes())
    assert read(path).shape == (7, 6, 5)
    end = content.index(np.full(210, 0.5, ">f4").tobytes())  # of the head, where the values begin
    if what == "values in the head":
        content[end - 4 : end] = (8).to_bytes(4, "big")
    else:
        numbers = np.array([3, 0, 1, 2], ">i4").tobytes()
        at = content.index(numbers)
        content[at + 4 : at + 8] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"head|dimension"):
        read(path)
