"""Files that we keep for ourselves, in whatever state: pipes, devices, links, nests without end."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from napari_hsr.cameras.profiles import folder as profiles_folder
from napari_hsr.cameras.profiles import list_profiles
from napari_hsr.errors import FileError, InputError
from napari_hsr.inference.estimates import speed
from napari_hsr.io import atomic
from napari_hsr.models import user_models
from napari_hsr.models.model_file import card_in, read_tensors
from napari_hsr.training.events import LONGEST_LINE, Began, Measured, Step, to_json
from napari_hsr.training.recipe.errors import RecipeError
from napari_hsr.training.recipe.yaml_io import read_recipe
from napari_hsr.training.runs import history, processes, run_folder
from napari_hsr.training.runs.history import History
from napari_hsr.training.runs.journal import Journal
from napari_hsr.training.runs.run_folder import (
    CHECKPOINTS,
    EVENTS,
    LOG,
    RECIPE,
    State,
    log_tail,
    write_state,
)
from napari_hsr.viewer import file_choices

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pipes and devices there")

KINDS = {
    "folder": os.mkdir,
    "pipe": os.mkfifo,
    "device": lambda path: os.symlink("/dev/zero", path),
    "loop": lambda path: os.symlink(path, path),
    "broken link": lambda path: os.symlink("nowhere", path),
    "nest": lambda path: path.write_bytes(b"[" * 100_000),
    "digits": lambda path: path.write_bytes(b'{"a": [1' + b"0" * 400 + b"]}"),
}


@pytest.fixture(params=KINDS)
def put(request):
    """Makes something at a path that is no file of ours."""

    def at(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        KINDS[request.param](path)

    return at


def test_no_entry_of_the_register_keeps_others_from_being_found(put, tmp_path):
    (tmp_path / "run").mkdir()
    write_state(tmp_path / "run", State("finished", started=1))
    processes.register(tmp_path / "run")
    put(processes.trainings_folder() / ".known" / "other.txt")
    assert [run.output for run in processes.find()] == [tmp_path / "run"]


@pytest.mark.parametrize("text", ["a\0b", "/" + "a" * 5_000, "/a" * 30_000, "", "/dev/zero"])
def test_folders_that_cannot_be_are_none(text):
    place = processes.trainings_folder() / ".known"
    place.mkdir(parents=True)
    (place / "other.txt").write_text(text)
    assert processes.find() == []


@pytest.mark.skipif(sys.platform == "darwin", reason="names are texts there")
def test_a_run_whose_name_is_no_text_is_found_again(tmp_path):
    folder = tmp_path / os.fsdecode(b"run \xff")
    folder.mkdir()
    write_state(folder, State("finished", started=1))
    processes.register(folder)
    assert [run.output for run in processes.find()] == [folder]


def test_profiles_that_are_no_files_are_left_out(put):
    put(profiles_folder() / "mine.json")
    assert list_profiles() == []


@pytest.mark.filterwarnings("ignore:A model is left out")
def test_models_that_are_no_files_are_left_out(put):
    put(user_models.folder() / "mine.safetensors")
    assert user_models.stored() == {}


@pytest.mark.parametrize("read", [card_in, read_tensors])
def test_nothing_waits_for_a_pipe(read, tmp_path):
    os.mkfifo(tmp_path / "m.safetensors")
    with pytest.raises(FileError, match="a pipe"):
        read(tmp_path / "m.safetensors")


def test_times_and_choices_of_no_sense_are_none(put, tmp_path, own_data, monkeypatch):
    monkeypatch.setenv(speed.FILE_VARIABLE, str(tmp_path / "speed.json"))
    put(tmp_path / "speed.json")
    speed.forget()
    assert speed.expected_seconds(("a",), 1) is None
    speed.forget()
    put(own_data / "file-layouts.json")
    assert not isinstance(file_choices._all().get("a"), dict)


def test_a_swap_that_is_no_file_is_none(put, tmp_path):
    put(tmp_path / ".a.swap")
    assert atomic._read_swap(tmp_path / ".a.swap") == []


def test_a_log_that_is_no_file_is_empty(tmp_path):
    os.mkfifo(tmp_path / LOG)
    assert log_tail(tmp_path) == ""


def test_of_a_record_a_line_that_no_event_has_is_left_out(tmp_path):
    first = to_json(Step(1, 2, 0.5)) + "\n"
    (tmp_path / EVENTS).write_text(first + "x" * LONGEST_LINE + "\n" + first)
    assert len(History.read(tmp_path / EVENTS).steps) == 2
    os.truncate(tmp_path / EVENTS, 2**33)  # gigabytes without an end of line
    assert History.read(tmp_path / EVENTS).steps == []


@pytest.mark.parametrize("line", ["", "{}"])
def test_a_record_of_short_lines_takes_no_more_of_them_than_of_events(tmp_path, monkeypatch, line):
    monkeypatch.setattr(run_folder, "MOST_READ", 10)
    steps = "".join(to_json(Step(n, 9, 0.5)) + "\n" for n in range(1, 10))
    (tmp_path / EVENTS).write_text(f"{line}\n" * 1000 + steps)
    lines, end = run_folder.last_lines(tmp_path / EVENTS)
    assert 1 <= len(lines) <= 10
    assert lines[-1] == steps.splitlines()[-1].encode()
    assert end == (tmp_path / EVENTS).stat().st_size


def test_a_long_record_becomes_rows_evenly_spread(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "MOST_STEPS", 50)
    events = [Began(0, 1000, "cpu", "float32"), *(Step(n, 1000, 0.5) for n in range(1, 1001))]
    events.insert(500, Measured(499, {"psnr_db": 30.0}, {}))
    (tmp_path / EVENTS).write_text("".join(to_json(event) + "\n" for event in events))
    read = History.read(tmp_path / EVENTS)
    assert len(read.steps) <= 51
    assert read.steps[-1].step == 1000
    assert [event.step for event in read.measured] == [499]


@pytest.mark.parametrize("name", [EVENTS, LOG, RECIPE, f"{CHECKPOINTS}/last.pt"])
def test_a_run_that_writes_into_files_elsewhere_is_not_gone_on_with(tmp_path, name):
    kept = tmp_path / "of the user"
    kept.write_text("kept")
    run = tmp_path / "run"
    (run / CHECKPOINTS).mkdir(parents=True)
    (run / RECIPE).write_text("name: mine")
    write_state(run, State("stopped", started=1))
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(kept)
    for go_on in (processes.resume, lambda folder: Journal(folder, resume=True)):
        with pytest.raises(InputError, match="holds links"):
            go_on(run)
    assert kept.read_text() == "kept"


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "- " * 50_000, "\n".join(f"k{n}: 1" for n in range(60_000))],
    ids=["nested", "lists", "many"],
)
def test_a_recipe_is_refused_before_it_was_parsed(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    began = time.process_time()
    with pytest.raises(RecipeError, match="more than"):
        read_recipe(tmp_path / "r.yaml")
    assert time.process_time() - began < 4


def test_a_pipe_among_the_decoded_images_is_decoded_again(tmp_path):
    from napari_hsr.training.data.cache_entry import Entry

    entry = Entry.__new__(Entry)
    entry.path = tmp_path
    os.mkfifo(tmp_path / "facts.json")
    assert entry._stored() is None
    (tmp_path / "facts.json").unlink()
    (tmp_path / "facts.json").write_text(json.dumps({"facts": {}}))
    os.mkfifo(tmp_path / "small.npz")
    assert entry._stored() is None
