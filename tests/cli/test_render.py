"""render: cubes become photographs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_hsr import read
from napari_hsr.cameras import simulate
from napari_hsr.cube import Cube
from napari_hsr.io import write


def test_render_shows_what_the_eye_sees(hsr, tmp_path):
    grey = write(Cube(np.full((31, 4, 3), 0.5), np.arange(400, 701, 10)), tmp_path / "grey.npz")
    out = tmp_path / "grey.png"
    status, said, warned = hsr("render", grey, "-o", out)
    assert status == 0
    assert "encoding: srgb, 8 bit" in said
    assert "CIE 1931" in warned
    picture = read(out)
    assert picture.data.dtype == np.uint8
    # sRGB of linear 0.5 is 187.5 in 8 bit; the grid's cut-off ends may not tint it.
    assert np.abs(picture.data.astype(int) - 188).max() <= 1


def test_render_says_as_json_what_it_wrote_and_what_it_replaced(hsr, cube_file, tmp_path):
    source, out = cube_file(), tmp_path / "seen.png"
    status, said, warned = hsr("render", source, "-o", out, "--json")
    told = json.loads(said)
    assert f"note: {told.pop('notices')[-1]}" in warned
    made = {"input": str(source), "output": str(out), "encoding": "srgb", "bits": 8}
    assert (status, told) == (0, {**made, "replaced": False})
    *_, warned = hsr("render", source, "-o", out)
    assert warned.startswith(f"note: {out} exists already, and is replaced")
    status, said, warned = hsr("render", source, "-o", out, "--json", "--overwrite")
    assert (status, json.loads(said)["replaced"], f"{out} exists" in warned) == (0, True, False)


def test_render_through_a_camera_is_linear_in_16_bit_and_keeps_its_encoding(
    hsr, cube_file, tmp_path
):
    source, out = cube_file(), tmp_path / "raw.tif"
    status, said, _ = hsr("render", source, "-o", out, "--camera", "nikon-5100-npl")
    assert status == 0
    assert "encoding: camera:nikon-5100-npl, 16 bit" in said
    picture = read(out)
    assert picture.encoding == "camera:nikon-5100-npl"
    expected = simulate(read(source), "nikon-5100-npl").data
    assert picture.data.dtype == np.uint16
    np.testing.assert_allclose(picture.data / 65535, expected, atol=0.6 / 65535)


def test_a_rendered_photograph_goes_back_through_the_camera_model(hsr, cube_file, tmp_path, shared):
    camera = f"{shared}/data/cameras/camera_sensitivities.csv:Nikon_D700"
    status, said, warned = hsr(
        "render", cube_file(), "-o", tmp_path / "raw.png", "--camera", camera
    )
    assert status == 0, warned
    assert "camera:nikon-d700" in said
    status, _, warned = hsr(
        *("predict", tmp_path / "raw.png", "-o", tmp_path / "back.mat"),
        *("--model", "rootpoly-nikon-d700", "--input-encoding", "camera:nikon-d700"),
    )
    assert status == 0, warned
    assert read(tmp_path / "back.mat").shape == (31, 6, 5)


@pytest.mark.parametrize(
    ("options", "status", "reason"),
    [
        (["-o", "x.jpg"], 2, ".png"),
        (["-o", "x.png", "--camera", "pinhole"], 1, "pinhole"),
        (["-o", "x.png", "--illuminant", "candle"], 1, "candle"),
        (["-o", "nowhere/x.png"], 1, "nowhere"),
    ],
)
def test_render_says_what_is_wrong(hsr, cube_file, tmp_path, monkeypatch, options, status, reason):
    monkeypatch.chdir(tmp_path)
    found, _, warned = hsr("render", cube_file(), *options)
    assert found == status
    assert reason in warned


def test_colours_of_a_few_bands_are_told_to_be_approximate(hsr, cube_file, tmp_path):
    out = tmp_path / "p.png"
    for camera in ("cie-1931", "nikon-5100-npl"):
        _, _, err = hsr(
            "render", cube_file("few.mat", shape=(5, 3, 3)), "-o", out, "--camera", camera
        )
        assert "from 5 visible bands up to 75 nm apart" in err
        _, _, err = hsr("render", cube_file("many.mat"), "-o", out, "--camera", camera)
        assert "approximate" not in err
