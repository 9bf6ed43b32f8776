from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import read, super_resolve


def test_a_baseline_refined_equals_the_python_api(hsr, cube_file, tmp_path):
    source, out = cube_file("scene.mat"), tmp_path / "fine.mat"
    status, said, warned = hsr(
        *("super-resolve", source, "-o", out, "--scale", 4),
        *("--model", "bicubic-matlab", "--refine", "--degradation", "box"),
    )
    assert status == 0
    assert f"{source} -> {out}" in said
    assert "1 of 1 made finer with bicubic-matlab" in said
    assert "residual on the coarse grid" in warned
    assert "under box" in warned
    expected = super_resolve(source, "bicubic-matlab", 4, refine=True, degradation="box")
    made = read(out)
    assert made.shape == (31, 24, 20)
    np.testing.assert_array_equal(np.asarray(made.data), expected.data)
    assert made.provenance.extra["super_resolution"]["degradation"] == "box"


def test_a_folder_of_cubes_and_a_bad_one_among_them(hsr, cube_file, photograph, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    cube_file("in/a.mat"), cube_file("in/b.h5"), cube_file("in/few.mat", shape=(4, 6, 5))
    photograph("in/c.png")
    (folder / "d.npy").write_text("nothing")
    status, said, warned = hsr(
        *("super-resolve", folder, photograph(), "-o", tmp_path / "out"),
        *("--scale", 2, "--model", "bicubic-opencv", "--format", "h5"),
    )
    assert status == 1
    assert "2 of 5 made finer" in said
    assert "has 4 bands" in warned
    assert "is an RGB photograph" in warned
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["a_bicubic-opencv_x2.h5", "b_bicubic-opencv_x2.h5"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--model", "bicubic-matlab"), "bicubic-matlab needs a scale"),
        (("--model", "bicubic-matlab", "--scale", 1), "already at the target size"),
        (("--model", "rootpoly-srgb", "--scale", 2), "makes cubes of photographs"),
        (("--scale", 16), "no model at hand that makes pixels 16 times as fine"),
        (("--scale", 2, "--model", "box", "--degradation", "bicubic"), "no resampling 'bicubic'"),
        (("--scale", 2, "--model", "box", "--device", "cuda:9"), "no device 'cuda:9'"),
    ],
)
def test_wrong_usage(hsr, cube_file, tmp_path, options, sentence):
    status, _, warned = hsr("super-resolve", cube_file(), "-o", tmp_path / "x.mat", *options)
    assert status == 2
    assert sentence in warned
    assert not (tmp_path / "x.mat").exists()
