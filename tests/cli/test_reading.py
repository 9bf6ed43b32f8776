"""What a file leaves open can be stated on every command that reads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from napari_hsr.io import read, write
from napari_hsr.photograph import Photograph

RNG = np.random.default_rng(4)
NM = np.arange(400, 701, 20.0)


@pytest.fixture
def scene(tmp_path):
    """Two cubes of 16 bands, rows and columns swapped in the second."""
    path = tmp_path / "scene.mat"
    fine = RNG.uniform(0.1, 0.9, (6, 5, 16))
    savemat(path, {"gt": fine, "ms": fine.swapaxes(0, 1), "wavelengths": NM})
    return path


def info(hsr, *arguments):
    status, said, warned = hsr("info", *arguments, "--json")
    assert status == 0, warned
    return json.loads(said)


def test_info(hsr, scene):
    assert info(hsr, scene, "--variable", "ms")["shape"] == [16, 5, 6]
    assert info(hsr, f"{scene}:ms", "--axes", "xyb")["shape"] == [16, 6, 5]
    assert info(hsr, scene, "--bands", "0,3-5")["wavelengths_nm"] == [400, 460, 480, 500]


def test_full_scale(hsr, tmp_path, scene):
    path = write(Photograph(np.full((4, 4, 3), 4095, np.uint16)), tmp_path / "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "b.bmp")
    import tifffile

    tifffile.imwrite(tmp_path / "c.tif", np.full((4, 4, 3), 2000, np.uint16), photometric="rgb")
    status, _, warned = hsr("info", tmp_path / "c.tif", "--full-scale", 4095)
    assert status == 0
    assert "White is 4095" in warned
    status, _, warned = hsr("info", scene, "--full-scale", 4095)
    assert (status, "for photographs only" in warned) == (1, True)
    status, _, warned = hsr("info", path, "--bands", "0")
    assert (status, "for arrays of cubes only" in warned) == (1, True)


def test_super_resolve_render_and_evaluate(hsr, scene, tmp_path):
    out = tmp_path / "fine.mat"
    options = ("--model", "bicubic-matlab", "--scale", 2)
    status, _, warned = hsr(
        "super-resolve", f"{scene}:ms", "-o", out, *options, "--axes", "xyb", "--bands", "0-7"
    )
    assert status == 0, warned
    assert read(out).shape == (8, 12, 10)
    status, _, warned = hsr(
        "render", scene, "-o", tmp_path / "a.png", "--variable", "ms", "--axes", "xyb"
    )
    assert status == 0, warned
    assert read(tmp_path / "a.png").data.shape == (6, 5, 3)
    status, said, warned = hsr("evaluate", scene, scene, "--variable", "ms", "--json")
    assert status == 0, warned
    assert json.loads(said)["values"]["rmse"] == 0


def test_predict_takes_a_full_scale(hsr, tmp_path):
    import tifffile

    dark, bright = tmp_path / "dark.tif", tmp_path / "bright.tif"
    values = RNG.integers(100, 4095, (6, 5, 3)).astype(np.uint16)
    tifffile.imwrite(dark, values, photometric="rgb")
    spread = np.rint(values * (65535 / 4095)).astype(np.uint16)
    tifffile.imwrite(bright, spread, photometric="rgb")
    options = ("--model", "rootpoly-srgb", "--input-encoding", "linear-srgb")
    for path, more in ((dark, ("--full-scale", 4095)), (bright, ())):
        out = path.with_suffix(".npz")
        status, _, warned = hsr("predict", path, "-o", out, *options, *more)
        assert status == 0, warned
    np.testing.assert_array_equal(
        read(dark.with_suffix(".npz")).data, read(bright.with_suffix(".npz")).data
    )


def test_an_input_named_with_its_array_is_not_overwritten(hsr, scene):
    before = scene.read_bytes()
    status, _, warned = hsr("convert", f"{scene}:ms", "-o", scene, "--overwrite")
    assert (status, "is an input" in warned) == (1, True)
    assert scene.read_bytes() == before


@pytest.mark.parametrize("wrong", [("--bands", "x"), ("--bands", "3-x"), ("--axes", "xy")])
def test_what_is_no_statement(hsr, scene, wrong):
    status, _, warned = hsr("info", scene, *wrong)
    assert status in (1, 2)
    assert "Traceback" not in warned
