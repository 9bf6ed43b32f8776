from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_hsr import load_model, read, reconstruct
from napari_hsr.cli import output
from napari_hsr.inference import ensembles, estimate, reconstruct_events
from napari_hsr.inference.batch import files
from napari_hsr.io import write
from napari_hsr.models import DEFAULT, import_checkpoint
from napari_hsr.models.architectures import drcr, inr, mstpp
from napari_hsr.notices import Code, has


def test_one_photograph_to_one_file_equals_the_python_api(hsr, photograph, tmp_path):
    source, out = photograph(), tmp_path / "cube.mat"
    status, said, warned = hsr("predict", source, "-o", out)
    takes = estimate((6, 5), load_model(DEFAULT)).words()
    expected = reconstruct(source, DEFAULT)
    first, *others, last = warned.splitlines()
    assert (status, first) == (0, f"note: photo.png: {takes}")
    assert last.startswith("note: photo.png: ")
    assert "peak memory" in last
    own = [n for n in expected.notices if has([n], Code.UNLIKE_TRAINING)]
    of_model = [n for n in expected.notices if n not in own]
    assert others == [
        *(f"note: {text}" for text in of_model),
        *(f"note: photo.png: {text}" for text in own),
    ]
    assert f"{source} -> {out}" in said
    assert f"1 of 1 reconstructed with {DEFAULT}" in said.splitlines()[-1]
    np.testing.assert_array_equal(np.asarray(read(out).data), np.asarray(expected.data))
    assert read(out).provenance.weights_sha256 == load_model(DEFAULT).weights_sha256


def test_a_folder_gives_one_named_cube_for_each_photograph(hsr, photograph, tmp_path):
    photograph("in/a.png"), photograph("in/b.png", seed=1)
    status, *_ = hsr("predict", tmp_path / "in", "-o", tmp_path / "new" / "out", "--format", "h5")
    assert status == 0
    written = sorted(path.name for path in (tmp_path / "new" / "out").iterdir())
    assert written == [f"a_{DEFAULT}.h5", f"b_{DEFAULT}.h5"]


def test_photographs_of_one_name_keep_their_own_cubes(hsr, photograph, tmp_path):
    one, two = photograph("one/x.png", seed=1), photograph("two/x.png", seed=2)
    status, *_ = hsr("predict", one, two, "-o", tmp_path / "out")
    assert status == 0
    first, second = (read(tmp_path / "out" / f"x_{DEFAULT}{n}.mat") for n in ("", "-2"))
    np.testing.assert_array_equal(np.asarray(first.data), np.asarray(reconstruct(one).data))
    np.testing.assert_array_equal(np.asarray(second.data), np.asarray(reconstruct(two).data))


def test_a_bad_file_stops_nothing_and_the_status_says_so(hsr, photograph, cube_file, tmp_path):
    good = photograph("b.png")
    text, empty = tmp_path / "a.png", tmp_path / "c.jpg"
    text.write_text("no picture")
    empty.touch()
    cube = cube_file("d.mat")
    missing = tmp_path / "e.png"
    status, said, warned = hsr(
        "predict", text, good, empty, cube, missing, "-o", tmp_path / "out", "--tile", 64
    )
    assert status == 1
    assert "1 of 5 reconstructed" in said
    assert "4 failed" in said
    assert (tmp_path / "out" / f"b_{DEFAULT}.mat").is_file()
    assert "Traceback" not in warned
    errors = [line for line in warned.splitlines() if line.startswith("napari-hsr: error: ")]
    for path in (text, empty, cube, missing):
        assert sum(str(path) in line for line in errors) == 1, warned
    assert len(errors) == 4


def test_json_says_what_was_made_of_what(hsr, photograph, tmp_path):
    good, missing, out = photograph("b.png"), tmp_path / "e.png", tmp_path / "out"
    status, said, warned = hsr("predict", good, missing, "-o", out, "--json")
    told = json.loads(said)  # and nothing beside it
    seconds, (failure,) = told.pop("seconds"), told.pop("failures")
    assert (status, seconds > 0) == (1, True)
    assert (failure["input"], "no such file" in failure["error"]) == (str(missing), True)
    assert failure["error"] in warned
    made = {"input": str(good), "output": str(out / f"b_{DEFAULT}.mat"), "replaced": False}
    expected = [{**made, "notices": list(reconstruct(good).notices)}]
    takes = told["results"][0].pop("estimate")
    assert takes["seconds"] > 0
    assert (takes["shape"], takes["tiles"]) == ([31, 6, 5], 1)
    assert told == {"model": DEFAULT, "cancelled": False, "results": expected}


def test_json_without_any_input(hsr, tmp_path):
    status, said, _ = hsr("predict", tmp_path / "*.png", "-o", tmp_path / "out", "--json")
    told = json.loads(said)
    assert (status, told["results"]) == (1, [])
    assert [failure["input"] for failure in told["failures"]] == [str(tmp_path / "*.png")]


def test_an_existing_file_is_replaced_with_a_note_or_as_asked(hsr, photograph, tmp_path):
    source, out = photograph(), tmp_path / "cube.mat"
    asked = ("predict", source, "-o", out, "--json")
    *_, warned = hsr(*asked)
    assert str(out) not in warned
    out.write_bytes(b"of an earlier run")
    status, said, warned = hsr(*asked)
    assert (status, json.loads(said)["results"][0]["replaced"]) == (0, True)
    assert warned.splitlines()[0].startswith(f"note: {out} exists already, and is replaced")
    np.testing.assert_array_equal(np.asarray(read(out).data), np.asarray(reconstruct(source).data))
    status, said, warned = hsr(*asked, "--overwrite")
    assert (status, json.loads(said)["results"][0]["replaced"]) == (0, True)
    assert str(out) not in warned


def test_no_input_at_all_is_status_1(hsr, tmp_path):
    status, said, warned = hsr("predict", tmp_path / "*.png", "-o", tmp_path / "out")
    assert (status, said) == (1, "")
    assert "matches no file" in warned
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-o", "{}/one.mat"], "one file, but there are 2 photographs"),
        (["-o", "{}/out", "--format", "xyz"], "cubes can be written as"),
        (["-o", "{}/notes.png"], "is a file that is not a cube"),
        (["-o", "{}/out", "--device", "abacus"], "abacus"),
        (["-o", "{}/out", "--precision", "float8"], "float8"),
        (["-o", "{}/out", "--input-encoding", "rot13"], "rot13"),
        (["-o", "{}/out", "--tile", "0"], "tile"),
        (["-o", "{}/out", "--tile", "big"], "tile"),
        (["-o", "{}/out", "--ensemble", "max"], "no ensemble 'max'; there are: single, mean"),
        (["-o", "{}/out", "--finer", "3"], "--finer"),
        (["-o", "{}/out", "--finer", "2"], "cannot be evaluated between its pixels: only INR"),
    ],
)
def test_wrong_options_are_said_before_any_work(hsr, photograph, tmp_path, options, reason):
    inputs = [photograph("a.png"), photograph("b.png")]
    photograph("notes.png")
    before = sorted(tmp_path.iterdir())
    status, _, warned = hsr("predict", *inputs, *(text.format(tmp_path) for text in options))
    assert status == 2
    assert reason in warned
    assert sorted(tmp_path.iterdir()) == before


def test_an_unknown_suffix_for_one_photograph_is_not_taken_for_a_folder(hsr, photograph, tmp_path):
    source = photograph()
    status, _, warned = hsr("predict", source, "-o", tmp_path / "cube.jp2")
    assert status == 2
    assert ".mat" in warned
    assert hsr("predict", source, "-o", f"{tmp_path}/v1.2/")[0] == 0
    assert (tmp_path / "v1.2" / f"photo_{DEFAULT}.mat").is_file()


def test_an_unknown_model_names_those_on_board(hsr, photograph, tmp_path):
    status, _, warned = hsr("predict", photograph(), "-o", tmp_path / "o.mat", "--model", "nope")
    assert status == 1
    assert "nope" in warned
    assert DEFAULT in warned


def test_a_photograph_is_never_overwritten(hsr, photograph):
    source = photograph("a.tif")
    before = source.read_bytes()
    status, _, warned = hsr("predict", source, "-o", source)
    assert status == 1
    assert "is an input" in warned
    assert source.read_bytes() == before


def test_a_stated_encoding_changes_the_cube(hsr, photograph, tmp_path):
    source = photograph()
    hsr("predict", source, "-o", tmp_path / "srgb.mat")
    status, *_ = hsr("predict", source, "-o", tmp_path / "lin.mat", "--input-encoding", "linear")
    assert status == 0
    expected = reconstruct(source, encoding="linear-srgb")
    np.testing.assert_array_equal(
        np.asarray(read(tmp_path / "lin.mat").data), np.asarray(expected.data)
    )
    assert not np.allclose(
        np.asarray(read(tmp_path / "srgb.mat").data), np.asarray(expected.data), atol=1e-3
    )


@pytest.mark.parametrize("name", ["a.tif", "a.npy"])
def test_once_stated_an_encoding_is_no_more_asked_for(hsr, tmp_path, name):
    values = np.random.default_rng(0).uniform(0.1, 0.9, (6, 5, 4)).astype(np.float32)
    if name == "a.tif":
        values[..., 3] = 1
        tifffile.imwrite(tmp_path / name, values, photometric="rgb", extrasamples=["unassalpha"])
    else:
        np.save(tmp_path / name, values)
    asked = ("predict", tmp_path / name, "-o", tmp_path / "o.mat")
    status, _, warned = hsr(*asked)
    assert status == 1
    assert "state whether" in warned
    status, _, warned = hsr(*asked, "--input-encoding", "srgb")
    assert status == 0
    assert "state it" not in warned
    assert ("alpha" in warned) == (name == "a.npy")  # other notices stay


def test_a_camera_model_refuses_a_photograph_with_a_reason(hsr, photograph, tmp_path):
    status, _, warned = hsr(
        "predict", photograph(), "-o", tmp_path / "o.mat", "--model", "rootpoly-nikon-d700"
    )
    assert status == 1
    assert "raw values" in warned
    assert not (tmp_path / "o.mat").exists()


def test_a_fault_of_ours_in_one_photograph_does_not_stop_the_batch(
    hsr, photograph, tmp_path, monkeypatch
):
    from napari_hsr.inference.batch import photographs as photograph_batch

    real = photograph_batch.reconstruct_events

    seen = []

    def sometimes(image, *args, **kwargs):
        seen.append(image)
        if len(seen) % 2:  # the first of two
            raise RuntimeError("imagined")
        return real(image, *args, **kwargs)

    monkeypatch.setattr(photograph_batch, "reconstruct_events", sometimes)
    inputs = [photograph("a.png"), photograph("b.png")]
    status, said, warned = hsr("predict", *inputs, "-o", tmp_path / "out")
    assert status == 1
    assert "1 of 2" in said
    assert "unexpected RuntimeError: imagined" in warned
    *_, warned = hsr("predict", *inputs, "-o", tmp_path / "out", "--debug")
    assert "Traceback" in warned


def test_ctrl_c_ends_the_batch_and_leaves_nothing_half_written(
    hsr, photograph, tmp_path, monkeypatch
):
    from napari_hsr.inference.batch import photographs as photograph_batch

    real = photograph_batch.reconstruct_events

    seen = []

    def interrupted(image, *args, **kwargs):
        seen.append(image)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(image, *args, **kwargs)

    monkeypatch.setattr(photograph_batch, "reconstruct_events", interrupted)
    inputs = [photograph(f"{name}.png") for name in "abc"]
    before = signal.getsignal(signal.SIGINT)
    status, said, warned = hsr("predict", *inputs, "-o", tmp_path / "out")
    assert status == 130
    assert "1 of 3" in said
    assert "cancelled" in said
    assert "Traceback" not in warned
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"a_{DEFAULT}.mat"]
    assert signal.getsignal(signal.SIGINT) is before


def test_progress_shows_on_a_terminal_only(hsr, photograph, tmp_path, monkeypatch):
    source = photograph()
    *_, warned = hsr("predict", source, "-o", tmp_path / "o.mat")
    assert "%|" not in warned
    assert "1/1" not in warned
    monkeypatch.setattr(output.sys.stderr, "isatty", lambda: True, raising=False)
    *_, warned = hsr("predict", source, "-o", tmp_path / "o.mat")
    assert "1/1 photo.png" in warned
    assert "%" in warned


# --- what the networks of the field can do more -------------------------------------------

NETS = {
    "mstpp": lambda: mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)),
    "drcr": lambda: drcr.DRCR(width=16, blocks=1, hidden=4),
    "inr": lambda: inr.INR(inr.Layout(3, (4, 6, 8, 8, 12), 2, inr.HIDDEN, 31)),
}


@pytest.fixture
def net(tmp_path):
    """Imports a small network with random weights under its own name: ``net("mstpp")``."""

    def make(name: str):
        torch.manual_seed(0)
        torch.save(NETS[name]().state_dict(), tmp_path / f"{name}.pth")
        return import_checkpoint(tmp_path / f"{name}.pth", name)

    return make


@pytest.mark.parametrize("ensemble", ensembles.ENSEMBLES)
def test_every_ensemble_is_that_of_the_python_api(hsr, photograph, net, tmp_path, ensemble):
    source, out, model = photograph(), tmp_path / "c.h5", net("drcr")
    status, _, warned = hsr("predict", source, "-o", out, "--model", "drcr", "--ensemble", ensemble)
    assert status == 0, warned
    assert estimate((6, 5), model, ensemble=ensemble).words() in warned  # before a copy is there
    cube, expected = read(out), reconstruct(source, model, ensemble=ensemble)
    np.testing.assert_array_equal(np.asarray(cube.data), expected.data)
    words = ensembles.find(ensemble).words
    assert [step for step in cube.provenance.steps if step == words] == ([words] if words else [])


def test_one_pass_is_the_default_and_the_help_names_the_others(hsr, photograph, net, tmp_path):
    source, model = photograph(), net("mstpp")
    hsr("predict", source, "-o", tmp_path / "c.h5", "--model", "mstpp")
    single, mean = (reconstruct(source, model, ensemble=e).data for e in ("single", "mean"))
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "c.h5").data), single)
    assert not np.allclose(single, mean)
    said = hsr("predict", "--help")[1]
    assert all(name in said for name in ensembles.ENSEMBLES)


@pytest.mark.parametrize("finer", [2, 4])
def test_a_finer_grid_says_that_it_was_never_trained_for(hsr, photograph, net, tmp_path, finer):
    source, out, model = photograph(), tmp_path / "c.h5", net("inr")
    status, _, warned = hsr("predict", source, "-o", out, "--model", "inr", "--finer", finer)
    assert status == 0, warned
    assert estimate((6, 5), model, finer=finer).words() in warned  # before a copy is there
    cube = read(out)
    assert cube.shape == (31, 6 * finer, 5 * finer)
    np.testing.assert_array_equal(
        np.asarray(cube.data), reconstruct(source, model, finer=finer).data
    )
    assert "never trained for that" in warned
    assert any("never trained for" in step for step in cube.provenance.steps)


def test_a_finer_grid_of_another_network_is_one_sentence(hsr, photograph, net, tmp_path):
    net("mstpp")
    asked = ("predict", photograph(), "-o", tmp_path / "c.h5", "--model", "mstpp", "--finer", 2)
    status, _, warned = hsr(*asked)
    assert status == 2
    last = warned.splitlines()[-1]
    assert last.endswith("mstpp cannot be evaluated between its pixels: only INR-HSISR can.")
    assert not (tmp_path / "c.h5").exists()


def test_what_is_said_of_the_model_is_said_once(hsr, photograph, net, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_hsr.inference.precision.computes_bfloat16", lambda device: True)
    net("mstpp")
    for seed, name in enumerate("abc"):
        photograph(f"in/{name}.png", seed=seed)
    *_, warned = hsr("predict", tmp_path / "in", "-o", tmp_path / "out", "--model", "mstpp")
    said = [line for line in warned.splitlines() if "was not measured" in line]
    assert len(said) == 1
    assert said[0].startswith("note: Computed in float32")  # of no one photograph
    assert warned.count("of memory") == 3


def test_what_a_run_takes_is_said_before_it_and_not_of_what_is_refused(hsr, photograph, tmp_path):
    photograph("in/a.png"), photograph("in/b.png", seed=1)
    *_, warned = hsr("predict", tmp_path / "in", "-o", tmp_path / "out")
    lines = [line for line in warned.splitlines() if "of memory" in line]
    assert [line.split(": ")[:2] for line in lines] == [["note", "a.png"], ["note", "b.png"]]
    assert all(
        "The cube of 6 × 5 pixels in 31 bands takes 4 kB of memory" in line for line in lines
    )
    asked = ("predict", tmp_path / "in", "-o", tmp_path / "out", "--model", "rootpoly-nikon-d700")
    *_, warned = hsr(*asked)
    assert "of memory" not in warned


def test_a_known_camera_is_obeyed(hsr, photograph, tmp_path):
    source, out = photograph(), tmp_path / "cube.h5"
    options = ("--model", "rootpoly-srgb", "--exact", "--camera", "cie-1931", "--json")
    status, said, _ = hsr("predict", source, "-o", out, *options)
    trust = json.loads(said)["results"][0]["trust"]
    expected = reconstruct(source, "rootpoly-srgb", exact=True, camera="cie-1931")
    assert status == 0
    np.testing.assert_array_equal(np.asarray(read(out).data), np.asarray(expected.data))
    assert read(out).provenance.extra["trust"] == trust == expected.provenance.extra["trust"]


def test_a_camera_that_is_not_known_is_wrong_usage(hsr, photograph, tmp_path):
    status, _, warned = hsr("predict", photograph(), "-o", tmp_path / "c.mat", "--camera", "box")
    assert (status, "'box' is not known" in warned) == (2, True)


def test_the_ends_of_intervals_are_written_beside_the_cube(hsr, photograph, tmp_path):
    source, out = photograph(), tmp_path / "cubes" / "leaf.h5"
    options = ("--model", "rootpoly-srgb", "--intervals", "--json")
    status, said, _ = hsr("predict", source, "-o", out, *options)
    told = json.loads(said)["results"][0]
    assert status == 0
    assert told["lower"] == str(out.with_name("leaf_lower.h5"))
    lower, cube, upper = (np.asarray(read(p).data) for p in (told["lower"], out, told["upper"]))
    assert ((lower <= cube) & (cube < upper)).all()
    record = read(out).provenance.extra["trust"]
    assert record == told["trust"]
    assert record["intervals"] == 0.9
    assert record["interval_half_width_mean"] == pytest.approx((upper - cube).mean(), rel=1e-3)
    status, _, warned = hsr("predict", source, "-o", out, *options)
    assert warned.count("exists already") == 3


def test_an_animation_stands_for_its_frames(hsr, tmp_path):
    colours = [(200, 60, 30), (40, 150, 90), (10, 30, 220)]
    first, *others = [Image.new("RGB", (6, 5), colour) for colour in colours]
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=40)
    status, *_ = hsr(
        "predict", tmp_path / "a.gif", "-o", tmp_path / "out", "--model", "rootpoly-srgb"
    )
    assert status == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [f"a_000{n}_rootpoly-srgb.mat" for n in (1, 2, 3)]
    second = read(tmp_path / "out" / written[1])
    assert second.provenance.input == "a.gif:2"
    expected = reconstruct(read(f"{tmp_path / 'a.gif'}:2"), "rootpoly-srgb")
    np.testing.assert_array_equal(np.asarray(second.data), np.asarray(expected.data))


def test_a_region_is_computed_alone(hsr, photograph, tmp_path):
    source, out = photograph("leaf.png"), tmp_path / "part.npz"
    options = ("--model", "rootpoly-srgb", "--json")
    status, said, _ = hsr("predict", source, "-o", out, "--region", "1:4,0:2", *options)
    (made,) = json.loads(said)["results"]
    assert (status, made["estimate"]["shape"]) == (0, [31, 3, 2])
    assert read(out).place.origin == (1, 0)
    np.testing.assert_array_equal(
        read(out).data, reconstruct(source, "rootpoly-srgb").data[:, 1:4, :2]
    )
    status, _, warned = hsr("predict", source, "-o", out, "--region", "1:400,0:2", *options)
    assert (status, "does not lie inside the image" in warned) == (1, True)


@pytest.mark.parametrize("command", ["predict", "super-resolve"])
def test_a_store_of_a_batch_that_was_killed_as_it_ended_is_not_made_again(
    hsr, photograph, tmp_path, monkeypatch, command
):
    """The store has its name a moment before what is reported of it is written there."""
    source, out = photograph(), tmp_path / "out"
    if command == "super-resolve":
        source = write(reconstruct(source, "rootpoly-srgb"), tmp_path / "cube.mat")
    model = ("--model", "rootpoly-srgb") if command == "predict" else ("--scale", 2)
    run = (command, source.parent / f"{source.stem}*", "-o", out, "--format", ".zarr", *model)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "restate", killed)
        assert hsr(*run)[0] == 130
    (made,) = out.glob("*.zarr")
    before = [path.stat().st_mtime_ns for path in made.rglob("*")]
    status, said, _ = hsr(*run, "--json")
    assert status == 0
    assert json.loads(said)["results"][0]["unchanged"]
    assert [path.stat().st_mtime_ns for path in made.rglob("*")] == before
    cube = read(made)
    assert "batch" in cube.provenance.extra
    write(cube, made)  # what somebody made of it inherits the record, but no run has ended with it
    status, said, _ = hsr(*run, "--json")
    assert "unchanged" not in json.loads(said)["results"][0]


def test_a_zarr_store_is_written_in_parts_and_gone_on_with(hsr, photograph, tmp_path):
    source, out = photograph(), tmp_path / "cube.zarr"
    command = ("predict", source, "-o", out, "--tile", 3)
    model = load_model("instant-photo")
    events = reconstruct_events(source, model, tile=3, output=out)
    for event in events:  # stopped when two of four tiles are written
        if event.done == 2:
            events.close()
    unfinished = tmp_path / "cube.unfinished.zarr"
    assert unfinished.exists()
    status, _, warned = hsr(*command, "--model", DEFAULT)
    assert status == 1
    assert f"{unfinished}: it was begun with another model" in warned
    status, _, warned = hsr(*command, "--model", "instant-photo")
    assert status == 0
    assert "2 of 4 tiles had been finished by an earlier run" in warned
    assert "on disk" in warned.splitlines()[0]
    expected = reconstruct(source, model, tile=3)
    np.testing.assert_array_equal(np.asarray(read(out).data), expected.data)
    assert not unfinished.exists()
    status, said, _ = hsr(*command, "--model", "instant-photo", "--overwrite", "--json")
    assert status == 0
    assert json.loads(said)["results"][0]["replaced"]
