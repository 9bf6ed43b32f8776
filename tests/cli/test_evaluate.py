"""evaluate: the figures of the Python API."""

from __future__ import annotations

import pytest

from napari_hsr import evaluate, read, write

from .conftest import strict


def test_evaluate_gives_the_figures_of_the_python_api(hsr, cube_file):
    prediction, truth = cube_file("p.mat", add=0.05), cube_file("t.mat")
    status, said, _ = hsr("evaluate", prediction, truth, "--json")
    assert status == 0
    found = strict(said)
    expected = evaluate(read(prediction), read(truth))
    assert found["values"] == expected.to_dict()["values"]
    assert found["protocol"] == expected.protocol
    status, said, _ = hsr("evaluate", prediction, truth)
    assert status == 0
    assert said == expected.table() + "\n"
    assert " ".join(expected.protocol_text.split()) in " ".join(said.split())


@pytest.mark.parametrize("protocol", ["dualsr", "sspsr"])
def test_evaluate_prints_the_protocols_of_super_resolution(hsr, cube_file, protocol):
    size = (31, 12, 13)
    files = cube_file("p.mat", add=0.05, shape=size), cube_file("t.mat", shape=size)
    status, said, _ = hsr("evaluate", *files, "--protocol", protocol)
    assert status == 0
    assert f"protocol {protocol}" in said
    assert " ".join(evaluate(*map(read, files), protocol).protocol_text.split()) in " ".join(
        said.split()
    )
    status, said, warned = hsr("evaluate", *files, "--protocol", protocol, "--scale", 8)
    if protocol == "sspsr":
        assert "r = 8" in said
    else:
        assert (status, "dualsr has no ERGAS" in warned) == (1, True)


def test_equal_cubes_give_json_that_parsers_accept(hsr, cube_file):
    path = cube_file()
    status, said, _ = hsr("evaluate", path, path, "--json")
    assert status == 0
    assert strict(said)["values"]["rmse"] == 0


def test_evaluate_refuses_what_does_not_fit(hsr, cube_file, photograph):
    status, _, warned = hsr("evaluate", cube_file("a.mat"), cube_file("b.mat", shape=(31, 4, 5)))
    assert status == 1
    assert len(warned.splitlines()) == 1
    status, _, warned = hsr("evaluate", cube_file("a.mat"), photograph())
    assert status == 1
    assert "this is a photograph" in warned
    status, _, warned = hsr("evaluate", cube_file("a.mat"), cube_file("b.mat"), "--protocol", "x")
    assert status == 1
    assert "default" in warned


def test_several_predictions_make_one_table(hsr, cube_file):
    truth, near, far = (
        cube_file("truth.mat"),
        cube_file("near.mat", 0.001),
        cube_file("far.mat", 0.1),
    )
    words = ["evaluate", far, near, truth, "--lights", "D65,A", "--region", "1,0,6,5"]
    status, out, err = hsr(*words)
    assert status == 0, err
    rows = out.splitlines()
    assert rows[1].endswith("ΔE00 D65 ↓  ΔE00 A ↓")
    assert rows[2].startswith("far")
    assert "*" not in rows[2]
    assert rows[3].count("*") > 5
    assert err.count("region of 25 of 30") == 1
    facts = strict(hsr(*words, "--json")[1])
    assert [row["prediction"] for row in facts["rows"]] == ["far", "near"]
    best = {column["key"]: column["best"] for column in facts["columns"]}
    assert best["psnr"] == best["D65"] == ["near"]
    assert best["ssim"] == []  # not defined on so few pixels
    assert hsr("evaluate", far, near, truth, "--camera", "cie-1931")[0] == 2
    assert hsr("evaluate", far, truth, "--region", "50,50,60,60")[0] == 1


def test_one_prediction_has_lights_too(hsr, cube_file):
    words = ["evaluate", cube_file("near.mat", 0.01), cube_file("truth.mat"), "--lights", "A"]
    assert "ΔE00 A" in hsr(*words)[1]
    assert 0 < strict(hsr(*words, "--json")[1])["delta_e_2000"]["A"] < 5


def test_intervals_are_held_against_the_same_bands_and_pixels_as_the_figures(
    hsr, cube_file, tmp_path
):
    made, low, high = (
        cube_file(f"{n}.mat", add) for n, add in (("p", 0.02), ("l", -0.1), ("u", 0.1))
    )
    truth = read(cube_file("t.mat"))
    values = truth.data.copy()
    values[:, :2] += 5.0  # outside the region
    values[3] += 5.0  # a bad band
    marks = [int(band != 3) for band in range(truth.bands)]
    other = truth.replace(data=values, metadata={**truth.metadata, "bbl": marks})
    path = write(other, tmp_path / "other.hdr")
    words = (
        "evaluate",
        made,
        path,
        "--lower",
        low,
        "--upper",
        high,
        "--region",
        "2,0,6,5",
        "--json",
    )
    status, out, err = hsr(*words)
    assert status == 0, err
    found = strict(out)
    assert found["intervals"]["coverage"] == 1
    assert len(found["intervals"]["coverage_bands"]) == truth.bands - 1
    assert found["risk_coverage"]["error"][-1] == pytest.approx(0.02, rel=1e-3)
