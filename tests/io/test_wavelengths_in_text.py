"""Wavelengths that stand in a file as text: in cells, strings, rows of characters."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from napari_hsr.io import read

NM = np.arange(400, 701, 10, dtype=np.float64)


@pytest.fixture
def scene():
    """(bands, height, width) with no two axes alike."""
    return np.random.default_rng(1).random((31, 9, 12)).astype(np.float32)


def matlab(scene):
    """As MATLAB sees it: (height, width, bands)."""
    return np.moveaxis(scene, 0, -1)


def write_texts(path, form, scene, texts):
    """``wavelengths`` as MATLAB's cells of text, or as strings in HDF5 and NumPy files."""
    if form == "5":
        cells = np.empty((1, len(texts)), dtype=object)
        cells[0] = texts
        savemat(path, {"rad": matlab(scene), "wavelengths": cells})
    elif form == "npz":
        np.savez(path, rad=scene, wavelengths=np.array(texts))
    elif form == "h5":
        with h5py.File(path, "w") as file:
            file["rad"] = scene
            file["wavelengths"] = texts
    else:
        with h5py.File(path, "w") as file:
            file["rad"] = matlab(scene).T
            inside = []
            for number, text in enumerate(texts):
                codes = np.array([[ord(c)] for c in text], np.uint16)
                cell = file.create_dataset(f"#refs#/{number}", data=codes)
                cell.attrs["MATLAB_class"] = np.bytes_("char")
                inside.append([cell.ref])
            listed = file.create_dataset("wavelengths", data=inside, dtype=h5py.ref_dtype)
            listed.attrs["MATLAB_class"] = np.bytes_("cell")


TEXT_FORMS = {"5": ".mat", "7.3": ".mat", "h5": ".h5", "npz": ".npz"}


@pytest.mark.parametrize("form", sorted(TEXT_FORMS))
@pytest.mark.parametrize("pattern", ["{:g}", "{:g} nm", "{:g}nm"])
def test_wavelengths_as_text(tmp_path, scene, form, pattern):
    path = tmp_path / f"a{TEXT_FORMS[form]}"
    write_texts(path, form, scene, [pattern.format(nm + 1.5) for nm in NM])
    cube = read(path)
    np.testing.assert_array_equal(cube.data, scene)
    np.testing.assert_array_equal(cube.wavelengths, NM + 1.5)
    assert not cube.wavelengths.assumed


@pytest.mark.parametrize("form", sorted(TEXT_FORMS))
def test_wavelengths_that_are_not_understood_were_there(tmp_path, scene, form):
    path = tmp_path / f"a{TEXT_FORMS[form]}"
    write_texts(path, form, scene, [f"band no {k}" for k in range(31)])
    cube = read(path)
    assert cube.wavelengths is None
    assert any("are not numbers" in n for n in cube.notices)
    assert not any("gives no wavelengths" in n for n in cube.notices)
    assert cube.metadata["wavelengths_in_file"][2] == "band no 2"


def test_wavelengths_as_rows_of_text_numbers_in_cells_or_one_text(tmp_path, scene):
    cells = np.empty((31, 1), dtype=object)
    cells[:, 0] = list(NM)
    spoken = " ".join(map(str, NM))
    for form in (NM.astype(int).astype(str), cells, spoken.replace(" ", ", "), f"{spoken} nm"):
        savemat(tmp_path / "a.mat", {"rad": matlab(scene), "wavelengths": form})
        np.testing.assert_array_equal(read(tmp_path / "a.mat").wavelengths, NM)
    savemat(tmp_path / "a.mat", {"rad": matlab(scene), "wavelengths": {"first": 400.0}})
    (notice,) = read(tmp_path / "a.mat").notices
    assert "are not numbers" in notice
    assert read(tmp_path / "a.mat").metadata["wavelengths_in_file"] == [
        "wavelengths (1 x 1 struct)"
    ]


def test_names_of_bands_as_r_makes_them(tmp_path, scene):
    np.savez(tmp_path / "a.npz", rad=scene, band_names=[f"X{nm + 0.5:g}" for nm in NM])
    np.testing.assert_allclose(read(tmp_path / "a.npz").wavelengths.nm, NM + 0.5)
