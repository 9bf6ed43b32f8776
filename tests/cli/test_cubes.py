"""info, evaluate, render and models on small files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_hsr import evaluate, list_models, read
from napari_hsr.cameras import simulate
from napari_hsr.cube import Cube
from napari_hsr.io import write
from napari_hsr.models import DEFAULT


def strict(text: str):
    """JSON as the standard has it: NaN and Infinity are refused."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


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
    assert warned.startswith(f"note: {out} exists already and is replaced")
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


def test_models_are_listed_for_people_and_for_programs(hsr):
    status, said, _ = hsr("models")
    assert status == 0
    assert f"{DEFAULT} (default)" in said
    line = next(line for line in said.splitlines() if line.startswith(DEFAULT))
    assert "31 bands, 400–700 nm" in line
    assert line.endswith("on board")
    _, said, _ = hsr("models", "--json")
    cards = strict(said)
    assert [card["name"] for card in cards] == [card.name for card in list_models()]
    assert [card["name"] for card in cards if card["default"]] == [DEFAULT]
