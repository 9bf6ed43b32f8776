from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_hsr import read, reconstruct, write
from napari_hsr.inference.batch import files
from napari_hsr.inference.tiles import result_place
from napari_hsr.models import ModelCard, load_model

MODEL = "rootpoly-srgb"  # quick


@pytest.fixture
def folder(photograph, tmp_path):
    for seed, name in enumerate("ab"):
        photograph(f"in/{name}.png", seed=seed)
    return tmp_path / "in"


@pytest.fixture
def run(hsr, folder, tmp_path):
    """Reconstructs the folder: exit status, what JSON says, and the notes."""

    def predict(*options):
        status, said, warned = hsr(
            "predict", folder, "-o", tmp_path / "out", "--json", "--model", MODEL, *options
        )
        return status, json.loads(said), warned

    return predict


def kept(told) -> list[bool]:
    return [result.get("unchanged", False) for result in told["results"]]


def test_a_second_run_computes_only_what_has_changed(run, photograph, tmp_path):
    _, first, _ = run()
    assert kept(first) == [False, False]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    status, second, warned = run()
    assert (status, kept(second)) == (0, [True, True])
    assert "is kept" in warned
    assert {path: path.stat().st_mtime_ns for path in times} == times
    notices = [result["notices"] for result in first["results"]]
    assert [result["notices"] for result in second["results"]] == notices

    source = photograph("in/b.png", seed=7)
    *_, third, _ = run()
    assert kept(third) == [True, False]
    made = read(third["results"][1]["output"])
    np.testing.assert_array_equal(
        np.asarray(made.data), np.asarray(reconstruct(source, MODEL).data)
    )


@pytest.mark.parametrize("options", [(), ("--format", ".zarr")])
def test_a_file_that_is_replaced_while_it_is_computed_is_not_taken_for_what_it_was(
    run, folder, monkeypatch, options
):
    """Its result is of what it is now; once the old file is there again, that is computed."""
    before = (folder / "b.png").read_bytes()

    def fingerprint(source, work):
        found = taken(source, work)
        if source.name == "b.png":
            source.write_bytes((folder / "a.png").read_bytes())
        return found

    with monkeypatch.context() as patch:
        taken = files.fingerprint
        patch.setattr(files, "fingerprint", fingerprint)
        *_, warned = run(*options)
    assert "b.png changed meanwhile" in warned
    (folder / "b.png").write_bytes(before)
    *_, second, warned = run(*options)
    assert kept(second) == [True, False]
    assert "changed meanwhile" not in warned


def test_a_list_of_wavelengths_that_changes_beside_a_cube_makes_another_result(tmp_path):
    work = SimpleNamespace(model=SimpleNamespace(name="m"), settings={}, reading={})
    source, listed = tmp_path / "scene.npy", tmp_path / "scene_wavelengths.txt"
    np.save(source, np.zeros((2, 3, 4)))
    of = []
    for text in ("500 600", "510 600"):
        listed.write_text(text)
        of += [files.fingerprint(source, work), files.fingerprint(source, work)]
    assert of[0] == of[1] != of[2] == of[3]


@pytest.mark.parametrize("options", [("--overwrite",), ("--input-encoding", "linear")])
def test_other_settings_compute_again(run, options):
    run()
    assert kept(run(*options)[1]) == [False, False]


@pytest.mark.parametrize(
    "record",
    [
        {"facts": {"notices": 5}},
        {"facts": {"notices": [{}]}},
        {"facts": 1},
        {"beside": 3},
        {"beside": [["a"]]},
        {"beside": ["other"], "facts": {"other": 5}},
        {"beside": ["other"], "facts": {"other": "a\0b"}},
    ],
)
def test_a_record_that_no_batch_wrote_is_not_believed(run, record):
    path = run()[1]["results"][0]["output"]
    cube = read(path)
    extra = {**cube.provenance.extra}
    extra["batch"] = extra["batch"] | record
    write(cube.replace(provenance=replace(cube.provenance, extra=extra)), path)
    status, told, _ = run()
    assert (status, kept(told)) == (0, [False, True])


def test_what_was_made_of_a_result_is_not_taken_for_it(run):
    path = run()[1]["results"][0]["output"]
    cube = read(path)
    changed = cube.replace(
        data=np.asarray(cube.data) * 2, provenance=cube.provenance.with_step("Doubled.")
    )
    write(changed, path)
    _, told, warned = run()
    assert kept(told) == [False, True]
    assert f"{path} exists already, and is replaced" in warned


def test_several_files_at_a_time_give_the_same_cubes(hsr, folder, tmp_path):
    (folder / "bad.png").write_text("no picture")
    out, table = tmp_path / "out", tmp_path / "all.csv"
    status, said, _ = hsr(
        "predict", folder, "-o", out, "--model", MODEL, "--jobs", 3, "--summary", table
    )
    assert status == 1
    assert "2 of 3 reconstructed" in said
    for name in "ab":
        made = read(out / f"{name}_{MODEL}.mat")
        expected = reconstruct(folder / f"{name}.png", MODEL)
        np.testing.assert_array_equal(np.asarray(made.data), np.asarray(expected.data))
    with table.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "a.png": "finished",
        "b.png": "finished",
        "bad.png": "failed",
    }
    assert str(folder / "bad.png") in rows["bad.png"]["error"]
    assert {row["input"] for row in rows.values()} == {str(folder / name) for name in rows}


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("--jobs", 0), "invalid number value"), (("--summary", "all.txt"), ".csv or .json")],
)
def test_wrong_options_are_said_before_any_work(hsr, folder, tmp_path, options, reason):
    status, _, warned = hsr("predict", folder, "-o", tmp_path / "out", *options)
    assert status == 2
    assert reason in warned
    assert not (tmp_path / "out").exists()


def test_parts_of_one_file_are_not_taken_for_one_another(hsr, tmp_path):
    """The second array of a file had been "made from this file" already, by the first."""
    nm = np.linspace(400, 700, 31)
    parts = {
        name: np.random.default_rng(at).random((31, 4, 5), dtype=np.float32)
        for at, name in enumerate(("one", "two"))
    }
    np.savez(tmp_path / "scene.npz", wavelengths=nm, **parts)
    made = ("super-resolve", "--model", "box", "--scale", "2", "--format", "npz", "-o", tmp_path)
    for name, values in parts.items():
        status, said, _ = hsr(*made, f"{tmp_path}/scene.npz:{name}")
        assert status == 0
        assert "1 of 1 super-resolved" in said
        found = read(tmp_path / f"scene_{name}_box_x2.npz").data
        np.testing.assert_allclose(found[:, ::2, ::2], values, rtol=1e-6)
    work = SimpleNamespace(model=SimpleNamespace(name="toy"), settings={}, reading={})
    one, two = (files.fingerprint(Path(f"{tmp_path}/scene.npz:{name}"), work) for name in parts)
    assert one != two


def test_what_is_not_there_stands_in_the_summary(hsr, folder, tmp_path):
    summary = tmp_path / "all.json"
    status, _, _ = hsr(
        *("predict", folder, tmp_path / "none.png", "--model", "rootpoly-srgb"),
        *("-o", tmp_path / "out", "--summary", summary),
    )
    assert status == 1
    items = json.loads(summary.read_text())["items"]
    assert [item["state"] for item in items] == ["finished"] * (len(items) - 1) + ["failed"]
    assert "no such file" in items[-1]["error"]


def test_another_table_under_the_same_name_computes_again(run, tmp_path):
    """Results by the sensitivities before had been kept, "made with the same settings"."""
    table, nm = tmp_path / "table.csv", np.arange(400, 701, 10)

    def write_table(width):
        curves = np.exp(-(((nm[:, None] - [600, 550, 450]) / width) ** 2))
        rows = [f"{at},{r:.3f},{g:.3f},{b:.3f}" for at, (r, g, b) in zip(nm, curves, strict=True)]
        table.write_text("\n".join(["wavelength,R,G,B", *rows]))

    found = []
    for width in (40, 40, 60):
        write_table(width)
        status, told, said = run("--camera", table, "--exact")
        assert status == 0, said
        found.append(kept(told))
    assert found == [[False, False], [True, True], [False, False]]


def test_another_card_of_the_same_weights_computes_again(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    model = load_model(MODEL)
    units = ModelCard.model_validate(model.card.model_dump() | {"units": "radiance"})
    of = [
        files.fingerprint(tmp_path / "a.png", SimpleNamespace(model=one, settings={}, reading={}))
        for one in (model, load_model(MODEL), replace(model, card=units))
    ]
    assert of[0] == of[1] != of[2]
    stored = [
        result_place.fingerprint(one, np.zeros((4, 4, 3)))
        for one in (model, replace(model, card=units))
    ]
    assert stored[0] != stored[1]
