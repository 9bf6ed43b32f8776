"""info: what a file holds, for people and for programs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_hsr import Photograph, reconstruct
from napari_hsr.cube import Cube
from napari_hsr.io import write
from napari_hsr.models import DEFAULT

from .conftest import strict


def test_info_of_a_cube_for_people_and_for_programs(hsr, cube_file):
    path = cube_file()
    status, said, _ = hsr("info", path)
    assert status == 0
    assert "6 x 5 pixels, 31 bands" in said
    assert "400–700 nm, every 10 nm" in said
    assert "reflectance" in said
    status, said, _ = hsr("info", path, "--json")
    assert status == 0
    facts = strict(said)
    assert facts["shape"] == [31, 6, 5]
    assert facts["wavelengths_nm"][-1] == 700
    assert facts["file"] == str(path)


def test_info_of_a_photograph_names_its_encoding(hsr, photograph):
    status, said, _ = hsr("info", photograph())
    assert status == 0
    assert "srgb" in said
    assert "uint8" in said


def test_info_of_a_reconstruction_says_which_model_made_it(hsr, photograph, tmp_path):
    hsr("predict", photograph(), "-o", tmp_path / "o.mat")
    _, said, _ = hsr("info", tmp_path / "o.mat")
    assert DEFAULT in said
    assert "sha256" in said


def test_assumed_wavelengths_are_a_note_on_stderr_and_leave_json_pure(hsr, tmp_path):
    path = tmp_path / "bare.npy"
    np.save(path, np.full((31, 4, 3), 0.5, np.float32))
    status, said, warned = hsr("info", path, "--json")
    assert status == 0
    assert strict(said)["wavelengths_assumed"] is True
    assert warned.startswith("note: ")
    assert "avelength" in warned


@pytest.mark.parametrize("suffix", ["npy", "npz", "hdr"])  # in memory, and a memory map
def test_info_reports_values_that_are_not_finite(hsr, tmp_path, suffix):
    values = np.full((31, 4, 3), 0.5, np.float32)
    values[2, 1, :] = [np.nan, np.inf, -np.inf]
    path = tmp_path / f"a.{suffix}"

    def save():
        np.save(path, values) if suffix == "npy" else write(Cube(values), path)

    save()
    status, said, warned = hsr("info", path)
    assert status == 0
    assert "0.5 to 0.5" in said
    assert "3 values are NaN or infinite; they are kept." in warned
    values[:] = np.nan
    save()
    _, said, warned = hsr("info", path)
    assert "no finite value" in said
    assert "0 to 0" not in said
    assert "372 values are NaN" in warned
    _, said, _ = hsr("info", path, "--json")
    assert strict(said)["value_range"] is None
    values[:] = 0
    save()
    _, said, warned = hsr("info", path)
    assert "0 to 0" in said
    assert "NaN" not in warned


@pytest.mark.parametrize("command", [("info",), ("render", "-o", "x.png"), ("evaluate", "x.mat")])
@pytest.mark.parametrize("content", [b"", b"no data here", None])
def test_bad_files_are_one_sentence(hsr, tmp_path, monkeypatch, command, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.mat"
    if content is not None:
        path.write_bytes(content)
    name, *rest = command
    status, said, warned = hsr(name, path, *rest)
    assert (status, said) == (1, "")
    assert len(warned.splitlines()) == 1
    assert "bad.mat" in warned


def test_info_of_an_animation_says_how_many_frames_it_has(hsr, tmp_path):
    first, *others = [Image.new("RGB", (5, 4), (40 * n, 0, 0)) for n in range(3)]
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=40)
    status, said, _ = hsr("info", tmp_path / "a.gif")
    assert status == 0
    assert "3 (time)" in said
    assert "0.04 second" in said
    assert "4 x 5 pixels" in said
    assert strict(hsr("info", tmp_path / "a.gif", "--json")[1])["shape"] == [3, 4, 5, 3]


def test_what_a_run_found_of_a_cubes_uncertainty_is_printed(hsr, tmp_path):
    rgb = np.random.default_rng(0).integers(20, 240, (6, 7, 3), dtype=np.uint8)
    photograph = Photograph(rgb, encoding="srgb")
    cube = reconstruct(photograph, "rootpoly-srgb", intervals=True, camera="cie-1931")
    path = write(cube, tmp_path / "x.mat")
    _, said, _ = hsr("info", path)
    [line] = [line for line in said.splitlines() if line.startswith("trust ")]
    for name, value in cube.provenance.extra["trust"].items():
        assert f"{name.replace('_', ' ')} {value}" in line
