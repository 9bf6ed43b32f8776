"""``napari-hsr index``."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cli.conftest import strict

import napari_hsr


def test_a_map_is_written_with_its_history(hsr, cube_file, tmp_path):
    out = tmp_path / "map.tif"
    status, said, err = hsr("index", cube_file(), "(b650 - b550) / (b650 + b550)", "-o", out)
    assert (status, err) == (0, "")
    assert "median" in said
    cube = napari_hsr.read(cube_file())
    red, green = cube.data[25].astype(float), cube.data[15].astype(float)
    made = napari_hsr.read(out)
    np.testing.assert_allclose(made.data[0], (red - green) / (red + green), rtol=1e-6)
    assert "b650" in made.provenance.steps[-1]


def test_json_says_what_was_taken(hsr, cube_file, tmp_path):
    status, said, _ = hsr("index", cube_file(), "vari", "-o", tmp_path / "m.npz", "--json")
    facts = strict(said)
    assert status == 0
    assert (facts["index"], facts["shape"]) == ("VARI", [1, 6, 5])
    assert facts["bands"]["R"] == [620, 630, 640, 650, 660, 670, 680, 690]
    assert facts["notices"]


def test_refusals(hsr, cube_file, tmp_path):
    status, said, err = hsr("index", cube_file(), "ndvi", "-o", tmp_path / "m.tif")
    assert (status, said) == (1, "")
    assert "760–900 nm" in err
    assert hsr("index", cube_file(), "vari")[0] == 2
    assert hsr("index", cube_file(), "vari", "-o", tmp_path / "m.xyz")[0] == 2


def test_without_a_name_indices_are_listed(hsr, cube_file):
    status, said, _ = hsr("index", cube_file())
    assert status == 0
    assert "VARI" in said
    assert "NDVI " not in said
    every = strict(hsr("index", cube_file(), "--json")[1])["indices"]
    assert "760" in next(one["why_not"] for one in every if one["index"] == "NDVI")


@pytest.mark.parametrize("formula", ["-b550", "-(b550 + b650)", "-log(b550)", "-1*b550"])
def test_a_formula_may_begin_with_a_minus(hsr, cube_file, tmp_path, formula):
    out = tmp_path / "map.npz"
    for arguments in ((cube_file(), formula, "-o", out), ("-o", out, cube_file(), formula)):
        status, _, err = hsr("index", *arguments)
        assert status == 0, err
        assert formula.replace(" ", "") in napari_hsr.read(out).provenance.steps[-1].replace(
            " ", ""
        )
        out.unlink()
    assert hsr("index", cube_file(), "-x", "-o", out)[0] == 2
