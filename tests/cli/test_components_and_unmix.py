"""``napari-hsr components`` and ``napari-hsr unmix``."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cli.conftest import strict

import napari_hsr
from napari_hsr.analysis import components, from_pixels, unmix


@pytest.mark.parametrize("method", ["pca", "mnf"])
def test_components_are_written_with_their_loadings(hsr, cube_file, tmp_path, method):
    out, table = tmp_path / "scores.tif", tmp_path / "loadings.csv"
    words = ["components", cube_file(), "--method", method, "-n", 3, "-o", out]
    status, said, _ = hsr(*words, "--loadings", table, "--json")
    facts = strict(said)
    expected = components(napari_hsr.read(cube_file()), method, 3)
    assert (status, facts["shape"]) == (0, [3, 6, 5])
    np.testing.assert_array_equal(napari_hsr.read(out).data, expected.cube.data)
    np.testing.assert_allclose(facts["eigenvalues"], expected.eigenvalues[:3])
    assert table.read_text() == expected.to_csv()
    status, said, _ = hsr(*words, "--overwrite")
    assert "eigenvalue" in said
    assert hsr(*words[:2], "-n", 99, "-o", out)[0] == 1


def test_unmixing_by_a_library_and_by_pixels(hsr, cube_file, tmp_path):
    cube = napari_hsr.read(cube_file())
    places = {"a": (0, 0), "b": (2, 3), "c": (5, 4)}
    chosen = from_pixels(cube, places)
    library = napari_hsr.write(chosen, tmp_path / "lib.csv")
    expected = unmix(cube, chosen)
    out, left = tmp_path / "shares.npz", tmp_path / "left.tif"
    words = ["unmix", cube_file(), "-o", out]
    status, said, err = hsr(*words, "--endmembers", library, "--residual", left, "--json")
    assert status == 0, err
    facts = strict(said)
    np.testing.assert_allclose(napari_hsr.read(out).data, expected.abundances.data, atol=1e-6)
    np.testing.assert_allclose(napari_hsr.read(left).data, expected.residual.data, atol=1e-6)
    assert facts["means"]["b"] == pytest.approx(float(expected.abundances.data[1].mean()))
    mixed = ["--endmembers", library, "--pick", "a", "b", "--at", "c=5,4"]
    status, said, err = hsr(*words, *mixed, "--overwrite")
    assert status == 0, err
    np.testing.assert_allclose(napari_hsr.read(out).data, expected.abundances.data, atol=1e-6)
    assert "residual" in said


def test_wrong_endmembers(hsr, cube_file, tmp_path):
    words = ["unmix", cube_file(), "-o", tmp_path / "m.tif"]
    assert hsr(*words)[0] == 2
    assert hsr(*words, "--at", "a=0")[0] == 2
    assert hsr(*words, "--at", "a=0,0", "b=99,0")[0] == 1
    library = napari_hsr.write(
        from_pixels(napari_hsr.read(cube_file()), {"a": (0, 0)}), tmp_path / "l.csv"
    )
    status, _, err = hsr(*words, "--endmembers", library, "--pick", "z")
    assert status == 1
    assert "'z'" in err


def test_endmembers_of_two_scales_and_of_one_name_are_told(hsr, cube_file, tmp_path):
    """Pixels in counts beside a library of fractions: shares were wrong without a word."""
    cube = napari_hsr.read(cube_file())
    chosen = from_pixels(cube, {"a": (0, 0), "b": (2, 3)})
    small = chosen.replace(values=chosen.values / 10_000)
    library = napari_hsr.write(small, tmp_path / "lib.csv")
    words = ["unmix", cube_file(), "-o", tmp_path / "m.tif", "--at", "c=5,4"]
    status, _, err = hsr(*words, "--endmembers", library)
    assert status == 0
    assert "pixels that are endmembers are" in err
    assert "on another scale" in err
    status, _, err = hsr(*words, "c=0,1")
    assert status == 2
    assert "names 'c' twice" in err
