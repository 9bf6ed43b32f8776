from __future__ import annotations

import json

import numpy as np
import pytest

from napari_hsr import Cube, read, super_resolve
from napari_hsr.io import write


def test_a_baseline_refined_equals_the_python_api(hsr, cube_file, tmp_path):
    source, out = cube_file("scene.mat"), tmp_path / "fine.mat"
    status, said, warned = hsr(
        *("super-resolve", source, "-o", out, "--scale", 4),
        *("--model", "bicubic-matlab", "--refine", "--degradation", "box"),
    )
    assert status == 0
    assert f"{source} -> {out}" in said
    assert "1 of 1 super-resolved with bicubic-matlab" in said
    assert "residual on the coarse grid" in warned
    assert "under box" in warned
    expected = super_resolve(source, "bicubic-matlab", 4, refine=True, degradation="box")
    made = read(out)
    assert made.shape == (31, 24, 20)
    np.testing.assert_array_equal(np.asarray(made.data), expected.data)
    assert made.provenance.extra["super_resolution"]["degradation"] == "box"


def test_json_says_how_far_the_result_agrees_and_what_it_replaced(hsr, cube_file, tmp_path):
    source, out = cube_file("scene.mat"), tmp_path / "fine.mat"
    asked = ("super-resolve", source, "-o", out, "--scale", 2, "--model", "bicubic-matlab")
    status, said, _ = hsr(*asked, "--json")
    told = json.loads(said)
    (made,) = told["results"]
    assert (status, told["model"], told["failures"]) == (0, "bicubic-matlab", [])
    assert (made["input"], made["output"], made["replaced"]) == (str(source), str(out), False)
    assert (made["scale"], made["degradation"]) == (2, "bicubic-matlab")
    noted = read(out).provenance.extra["super_resolution"]
    assert made["relative_residual"] == noted["relative_residual"]
    *_, warned = hsr(*asked)
    assert f"note: {out} exists already, and is replaced" in warned
    status, _, warned = hsr(*asked, "--overwrite")
    assert (status, f"{out} exists" in warned) == (0, False)


def test_dualsr_takes_a_second_model(hsr, cube_file, tmp_path, monkeypatch):
    import torch

    from napari_hsr.inference import refinement_choice, upscalers
    from napari_hsr.models import import_checkpoint
    from napari_hsr.models.architectures.coarsr import CoarSR

    def keep(scale):
        torch.manual_seed(scale)
        torch.save(CoarSR(scale, 4, 1).state_dict(), tmp_path / "net.pth")
        import_checkpoint(tmp_path / "net.pth", f"finer-x{scale}")

    every = upscalers.offered  # without the bundled ones

    def mine(scale=None):
        return [card for card in every(scale) if card.name.startswith("finer")]

    for module in (refinement_choice, upscalers):
        monkeypatch.setattr(module, "offered", mine)
    keep(4)
    source, out = cube_file("scene.mat"), tmp_path / "fine.mat"
    command = ("super-resolve", source, "-o", out, "--scale", 4, "--dualsr")
    status, _, warned = hsr(*command)
    assert status == 2
    assert "needs a model of the same network for ×2 too, and none is installed" in warned
    keep(2)
    status, said, warned = hsr(*command)
    assert (status, "1 of 1 super-resolved with finer-x4" in said) == (0, True), warned
    expected = super_resolve(source, "finer-x4", refine="dualsr", half_model="finer-x2")
    made = read(out)
    np.testing.assert_array_equal(np.asarray(made.data), expected.data)
    assert made.provenance.extra["super_resolution"]["half_by"] == "finer-x2"
    baseline = tmp_path / "other.mat"
    status, _, warned = hsr(*command[:3], baseline, *command[4:], "--half-model", "bicubic-matlab")
    assert status == 0, warned
    facts = read(baseline).provenance.extra["super_resolution"]
    assert facts["half_by"] == "bicubic-matlab"


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
    assert "2 of 5 super-resolved" in said
    assert "has 4 bands" in warned
    assert "is an RGB photograph" in warned
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["a_bicubic-opencv_x2.h5", "b_bicubic-opencv_x2.h5"]


def test_a_cube_with_nan_and_one_made_finer_already(hsr, cube_file, tmp_path):
    broken = read(cube_file("broken.mat"))
    values = np.array(broken.data)
    values[4, 2, 3] = np.nan
    write(Cube(values, broken.wavelengths), tmp_path / "broken.mat")
    options = ("--scale", 2, "--model", "bicubic-matlab")
    status, _, warned = hsr(
        "super-resolve", tmp_path / "broken.mat", "-o", tmp_path / "fine.mat", *options
    )
    assert status == 0
    assert "1 value of the cube is missing (NaN or infinite)" in " ".join(warned.split())
    fine = read(tmp_path / "fine.mat").data
    assert np.argwhere(np.isnan(fine)).tolist() == [
        [4, row, column] for row in (4, 5) for column in (6, 7)
    ]
    once, twice = tmp_path / "once.mat", tmp_path / "twice.mat"
    hsr("super-resolve", cube_file("scene.mat"), "-o", once, *options)
    status, _, warned = hsr("super-resolve", once, "-o", twice, *options)
    assert status == 0
    assert "was already made 2 times as fine, by bicubic-matlab" in " ".join(warned.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--model", "bicubic-matlab"), "bicubic-matlab needs a scale"),
        (("--model", "bicubic-matlab", "--scale", 1), "already at the target size"),
        (("--model", "rootpoly-srgb", "--scale", 2), "reconstructs cubes from photographs"),
        (("--scale", 16), "No model of scale ×16 is installed"),
        (("--scale", 2, "--model", "box", "--degradation", "bicubic"), "no resampling 'bicubic'"),
        (("--scale", 2, "--model", "box", "--device", "cuda:9"), "no device 'cuda:9'"),
        (("--scale", 3, "--model", "box", "--dualsr"), "takes ×4 or ×8 and not ×3"),
        (("--scale", 4, "--model", "box", "--dualsr", "--refine"), "not allowed with"),
        (("--scale", 4, "--model", "box", "--half-model", "box"), "DualSR's refinement alone"),
    ],
)
def test_wrong_usage(hsr, cube_file, tmp_path, options, sentence):
    status, _, warned = hsr("super-resolve", cube_file(), "-o", tmp_path / "x.mat", *options)
    assert status == 2
    assert sentence in warned
    assert not (tmp_path / "x.mat").exists()


def test_a_store_is_written_tile_by_tile(hsr, cube_file, tmp_path):
    zarr = pytest.importorskip("zarr")
    source = cube_file("scene.mat")
    command = ("super-resolve", source, "--model", "bicubic-matlab", "--scale", "2")
    assert hsr(*command, "-o", tmp_path / "fine.zarr")[0] == 0
    group = zarr.open_group(tmp_path / "fine.zarr", mode="r")
    assert group["0"].shards
    expected = super_resolve(source, "bicubic-matlab", 2)
    np.testing.assert_allclose(read(tmp_path / "fine.zarr").data, expected.data, atol=64 * 2**-24)
