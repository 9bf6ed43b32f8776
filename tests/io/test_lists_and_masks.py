"""Cubes in cells and arrays of structures, tables of pixels, masks beside a cube, alpha in any band."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.io import lazy
from napari_hsr.notices import Code

ROWS, COLUMNS, NM = 6, 7, np.linspace(420.0, 700.0, 5)


@pytest.fixture
def scene():
    """(rows, columns, bands) float32."""
    return np.random.default_rng(5).random((ROWS, COLUMNS, NM.size)).astype(np.float32)


def _cells(*values):
    cells = np.empty((1, len(values)), dtype=object)
    for i, value in enumerate(values):
        cells[0, i] = value
    return cells


def _cells_5(path, scenes):
    scipy.io.savemat(path, {"cubes": _cells(*scenes), "wavelength": NM})
    return "cubes/2"


def _structures_5(path, scenes):
    array = np.zeros((1, len(scenes)), dtype=[("cube", "O"), ("wl", "O")])
    for i, scene in enumerate(scenes):
        array[0, i] = (scene, NM)
    scipy.io.savemat(path, {"scenes": array})
    return "scenes/2/cube"


def _deep_5(path, scenes):
    inner = {"set": {"cubes": _cells(*scenes), "wavelengths": NM}, "note": "outdoors"}
    scipy.io.savemat(path, {"data": inner})
    return "data/set/cubes/2"


def _stored(file, name, values, kind):
    item = file.create_dataset(name, data=values)
    item.attrs["MATLAB_class"] = np.bytes_(kind)
    return item.ref


def _cells_73(path, scenes):
    with h5py.File(path, "w") as file:
        refs = [_stored(file, f"#refs#/{i}", scene.T, "single") for i, scene in enumerate(scenes)]
        cells = file.create_dataset("cubes", (len(refs), 1), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        cells[:, 0] = refs
        _stored(file, "wavelength", NM[:, None], "double")
    return "cubes/2"


def _structures_73(path, scenes):
    with h5py.File(path, "w") as file:
        group = file.create_group("scenes")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, kind in (("cube", "single"), ("wl", "double")):
            item = group.create_dataset(field, (len(scenes), 1), dtype=h5py.ref_dtype)
            for i, scene in enumerate(scenes):
                values = scene.T if field == "cube" else NM[:, None]
                item[i, 0] = _stored(file, f"#refs#/{field}{i}", values, kind)
    return "scenes/2/cube"


@pytest.mark.parametrize(
    "save", [_cells_5, _structures_5, _deep_5, _cells_73, _structures_73], ids=lambda f: f.__name__
)
def test_the_first_of_a_list_of_cubes_is_opened_and_the_others_are_named(tmp_path, scene, save):
    path = tmp_path / "scenes.mat"
    second = save(path, [scene, 2 * scene])
    first = read(path)
    np.testing.assert_array_equal(first.data, np.moveaxis(scene, -1, 0))
    np.testing.assert_allclose(first.wavelengths.nm, NM)
    assert [second in str(n) for n in first.notices if n.code == Code.OTHER_ARRAYS_LEFT_OUT] == [
        True
    ]
    other = read(f"{path}:{second}")
    np.testing.assert_array_equal(other.data, np.moveaxis(2 * scene, -1, 0))
    np.testing.assert_allclose(other.wavelengths.nm, NM)


def test_cells_of_one_band_each_are_a_cube(tmp_path, scene):
    path = tmp_path / "bands.mat"
    scipy.io.savemat(path, {"stack": _cells(*np.moveaxis(scene, -1, 0)), "wavelength": NM})
    cube = read(path)
    np.testing.assert_array_equal(cube.data, np.moveaxis(scene, -1, 0))
    np.testing.assert_allclose(cube.wavelengths.nm, NM)


def test_cells_of_one_band_each_are_a_cube_in_the_newer_version_too(tmp_path, scene):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        bands = np.moveaxis(scene, -1, 0)
        refs = [_stored(file, f"#refs#/{i}", band.T, "single") for i, band in enumerate(bands)]
        cells = file.create_dataset("stack", (len(refs), 1), dtype=h5py.ref_dtype)
        cells[:, 0] = refs
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        _stored(file, "wavelength", NM[:, None], "double")
    cube = read(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, bands)
    np.testing.assert_allclose(cube.wavelengths.nm, NM)


@pytest.mark.parametrize("bands_first", [True, False])
def test_a_table_of_pixels_in_the_newer_version(tmp_path, scene, bands_first):
    table = scene.reshape((ROWS * COLUMNS, NM.size), order="F")
    table = table.T if bands_first else table
    with h5py.File(tmp_path / "a.mat", "w") as file:
        _stored(file, "Y", table.T, "single")
        _stored(file, "nRow", [[float(ROWS)]], "double")
        _stored(file, "nCol", [[float(COLUMNS)]], "double")
        _stored(file, "wavelength", NM[:, None], "double")
    cube = read(tmp_path / "a.mat")
    np.testing.assert_array_equal(cube.data, np.moveaxis(scene, -1, 0))
    np.testing.assert_allclose(cube.wavelengths.nm, NM)


@pytest.mark.parametrize("bands_first", [True, False])
def test_a_table_of_pixels_is_folded_column_after_column(tmp_path, scene, bands_first):
    table = scene.reshape((ROWS * COLUMNS, NM.size), order="F")
    path = tmp_path / "unmixing.mat"
    sides = {"nRow": ROWS, "nCol": COLUMNS, "nBand": NM.size}
    abundances = np.zeros((3, ROWS * COLUMNS))
    scipy.io.savemat(path, {"A": abundances, "Y": table.T if bands_first else table, **sides})
    cube = read(path)
    np.testing.assert_array_equal(cube.data, np.moveaxis(scene, -1, 0))
    assert Code.AXES_CHANGED in {n.code for n in cube.notices}
    assert Code.AXIS_GUESSED not in {n.code for n in cube.notices}


def test_an_object_of_matlab_is_refused_in_words(tmp_path):
    path = tmp_path / "object.mat"
    with h5py.File(path, "w") as file:
        item = file.create_dataset("hcube", data=np.zeros((1, 6), np.uint32))
        item.attrs["MATLAB_class"] = np.bytes_("hypercube")
        item.attrs["MATLAB_object_decode"] = np.int32(3)
    with pytest.raises(FileError, match=r"hypercube object.*objects are not read.*DataCube"):
        read(path)


HIDDEN = np.zeros((ROWS, COLUMNS), dtype=bool)
HIDDEN[1, 2:5] = True


def _with_mask(path, scene, name, mask):
    first = np.moveaxis(scene, -1, 0)
    if path.suffix == ".npz":
        np.savez_compressed(path, **{"cube": first, "wavelengths": NM, name: mask})
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"cube": scene, "wavelengths": NM, name: mask})
    else:
        with h5py.File(path, "w") as file:
            matlab = path.stem == "matlab"
            file["cube"] = scene.T if matlab else first
            file["wavelengths"] = NM
            file[name] = mask.T if matlab else mask
            if matlab:
                file["cube"].attrs["MATLAB_class"] = np.bytes_("single")
    return read(path)


@pytest.mark.parametrize("file", ["a.npz", "a.mat", "a.h5", "matlab.h5"])
@pytest.mark.parametrize(
    ("name", "mask"),
    [("valid", ~HIDDEN), ("good_pixels", ~HIDDEN), ("nodata_mask", HIDDEN), ("bad_pixels", HIDDEN)],
)
def test_a_mask_beside_the_cube_hides_what_its_name_says(tmp_path, scene, file, name, mask):
    cube = _with_mask(tmp_path / file, scene, name, mask.astype(np.uint8))
    expected = np.where(HIDDEN, np.nan, np.moveaxis(scene, -1, 0))
    np.testing.assert_array_equal(cube.data, expected)
    assert [str(n)[:8] for n in cube.notices if n.code == Code.NO_DATA] == ["3 pixels"]


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("file", ["a.npz", "a.mat", "a.h5"])
def test_a_mask_of_single_values(tmp_path, scene, file, on_disk, monkeypatch):
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 64)
    expected = np.moveaxis(scene, -1, 0).copy()
    hidden = expected > 0.9
    mask = np.moveaxis(hidden, 0, -1) if file == "a.mat" else hidden
    cube = _with_mask(tmp_path / file, scene, "bad_pixels", mask.astype(np.uint8))
    expected[hidden] = np.nan
    np.testing.assert_array_equal(np.asarray(cube.data), expected)
    assert [n.code for n in cube.notices].count(Code.NO_DATA) == 1
    assert Code.OTHER_ARRAYS_LEFT_OUT not in {n.code for n in cube.notices}


def test_a_mask_that_does_not_say_what_it_hides_is_told_and_not_applied(tmp_path, scene):
    cube = _with_mask(tmp_path / "a.npz", scene, "mask", HIDDEN)
    np.testing.assert_array_equal(cube.data, np.moveaxis(scene, -1, 0))
    (told,) = (str(n) for n in cube.notices if n.code == Code.NO_DATA)
    assert "1 in 3 pixels" in told
    assert "not applied" in told


@pytest.mark.parametrize("mask", [HIDDEN, ~HIDDEN])
def test_where_the_cube_is_blank_is_what_a_mask_hides(tmp_path, scene, mask):
    scene[HIDDEN] = 0
    cube = _with_mask(tmp_path / "a.h5", scene, "mask", mask)
    np.testing.assert_array_equal(np.isnan(cube.data).all(axis=0), HIDDEN)
    assert np.isnan(cube.data).sum() == HIDDEN.sum() * NM.size


def test_a_mask_over_a_cube_on_disk(tmp_path, scene, monkeypatch):
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 64)
    cube = _with_mask(tmp_path / "a.h5", scene, "valid", ~HIDDEN)
    assert not cube.in_memory
    expected = np.where(HIDDEN, np.nan, np.moveaxis(scene, -1, 0))
    np.testing.assert_array_equal(cube.data[1:4, 1, ::2], expected[1:4, 1, ::2])
    np.testing.assert_array_equal(np.asarray(cube.data), expected)


@pytest.mark.parametrize(
    ("at", "by_colours"), [(0, True), (2, True), (4, True), (2, False), (4, False)]
)
def test_alpha_in_any_band(tmp_path, scene, at, by_colours):
    """As GDAL writes it: in ExtraSamples, which do not reach the first band, or as COLORINTERP."""
    stored = np.insert((scene[..., :4] * 900 + 1).astype(np.uint16), at, 65535 * ~HIDDEN, axis=2)
    extra, more = [0, 0, 0, 0], []
    if by_colours:
        xml = (
            f'<GDALMetadata><Item name="COLORINTERP" sample="{at}" role="colorinterp">Alpha</Item>'
        )
        names = [i for i in range(5) if i != at]
        xml += "".join(
            f'<Item name="DESCRIPTION" sample="{band}" role="description">{500 + i} nm</Item>'
            for i, band in enumerate(names)
        )
        more = [(42112, "s", 0, xml + "</GDALMetadata>", True)]
    else:
        extra[at - 1] = 2
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, stored, photometric="minisblack", planarconfig="contig", extrasamples=extra,
        extratags=more, metadata=None,
    )  # fmt: skip
    cube = read(path)
    expected = np.delete(np.moveaxis(stored, -1, 0), at, axis=0).astype(np.float32)
    expected[:, HIDDEN] = np.nan
    np.testing.assert_array_equal(cube.data, expected)
    if by_colours:
        np.testing.assert_allclose(cube.wavelengths.nm, [500, 501, 502, 503])


@pytest.mark.parametrize("key", [np.s_[1:], np.s_[::2], np.s_[2], np.s_[3:1], np.s_[::-1]])
def test_some_bands_of_an_array_with_alpha_amid_them(key):
    from napari_hsr.io.masked import WithoutAlpha

    stored = np.arange(5 * 2 * 3).reshape(2, 3, 5) + 1
    stored[..., 1] = 1
    expected = np.delete(stored, 1, axis=2).astype(np.float32)
    array = WithoutAlpha(stored, 2, 1)
    np.testing.assert_array_equal(array[:, 1:, key], expected[:, 1:, key])
