"""Arrays of structures in NumPy, tables of bands beside a cube, and holes in LERC."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.io.file_sets import files_beside

CUBE = np.random.default_rng(6).random((5, 6, 7)).astype(np.float32)
NM = [450.0, 500.0, 550.0, 600.0, 650.0]


def test_a_field_with_a_spectrum_a_pixel(tmp_path):
    pixels = np.zeros((6, 7), [("spectrum", "f4", (5,)), ("quality", "u1")])
    pixels["spectrum"] = CUBE.transpose(1, 2, 0)
    np.save(tmp_path / "a.npy", pixels)
    np.testing.assert_array_equal(read(tmp_path / "a.npy").data, CUBE)
    np.testing.assert_array_equal(read(f"{tmp_path / 'a.npy'}:spectrum").data, CUBE)
    with pytest.raises(FileError, match="no array 'colour'"):
        read(tmp_path / "a.npy", variable="colour")


def test_a_field_a_band(tmp_path):
    pixels = np.zeros((6, 7), [(f"band_{nm:g}", "f4") for nm in NM])
    for nm, plane in zip(NM, CUBE, strict=True):
        pixels[f"band_{nm:g}"] = plane
    np.save(tmp_path / "a.npy", pixels)
    cube = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(cube.data, CUBE)
    np.testing.assert_allclose(cube.wavelengths.nm, NM)


def test_fields_without_a_cube_and_names_without_fields(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((6, 7), [("red", "f4"), ("label", "U5")]))
    with pytest.raises(FileError, match="it holds red"):
        read(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", CUBE)
    with pytest.raises(FileError, match="without fields, and none called 'x'"):
        read(tmp_path / "b.npy", variable="x")


@pytest.mark.parametrize(
    ("heading", "values", "read_so"),
    [
        ("band,wavelength (nm)", NM, True),
        ("band,Center_Wavelength_um", [nm / 1000 for nm in NM], True),
        ("band,wavelength", [*NM, 700, 710, 720, 730, 740], False),
        ("band,wavelength", [450, 500, "", 600, 650], False),
        ("band,exposure", NM, False),
    ],
)
def test_a_table_of_bands_beside_a_cube(tmp_path, heading, values, read_so):
    np.save(tmp_path / "scan.npy", CUBE)
    rows = "\n".join(f"{i},{value}" for i, value in enumerate(values, 1))
    (tmp_path / "scan.csv").write_text(f"{heading}\n{rows}\n")
    found = read(tmp_path / "scan.npy").wavelengths
    if read_so:
        np.testing.assert_allclose(found.nm, NM)
    else:
        assert found is None


def test_what_lerc_keeps_as_missing_is_nan(tmp_path):
    """The mask lies beside the values, as GDAL writes NaN."""
    planes, valid = CUBE.copy(), np.ones(CUBE.shape[1:], bool)
    valid[0, :3] = False
    packed = [imagecodecs.lerc_encode(plane, masks=valid, level=0) for plane in planes]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for content in packed:
            file.write(iter([content]), shape=CUBE.shape[1:], dtype=np.float32, compression=34887, metadata=None,
                       contiguous=False, photometric="minisblack", rowsperstrip=CUBE.shape[1])  # fmt: skip
    np.testing.assert_array_equal(read(tmp_path / "a.tif").data, np.where(valid, CUBE, np.nan))


@pytest.mark.parametrize(
    "name",
    ["scene_wavelengths.txt", "wavelengths.csv", "scene.json", "scene.tif.aux.xml", "scene.tfw",
     "scene.prj", "scene.tif.msk", "scene.hdr", "scene.txt"],
)  # fmt: skip
def test_files_beside_that_change_what_is_read_are_known(tmp_path, name):
    path = tmp_path / "scene.tif"
    tifffile.imwrite(path, np.ones((2, 3, 4), np.float32), photometric="minisblack")
    assert files_beside(path) == []
    (tmp_path / name).write_text("ENVI\n" if name.endswith(".hdr") else "500 600")
    (tmp_path / "scene.png").write_text("another image")
    assert files_beside(path) == [(tmp_path / name).resolve()]
