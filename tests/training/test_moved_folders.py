"""The folder of a training is moved, removed or replaced while it goes on."""

from __future__ import annotations

import os
import shutil

import pytest

from napari_hsr.errors import FileError, InputError
from napari_hsr.notices import Code
from napari_hsr.training.events import Began, Noticed, Saved, Step, Stopped
from napari_hsr.training.recipe.schema import ModelSettings, Recipe
from napari_hsr.training.recipe.yaml_io import read_recipe
from napari_hsr.training.runs.heartbeat import check_still_ours
from napari_hsr.training.runs.history import History
from napari_hsr.training.runs.recorder import recorded
from napari_hsr.training.runs.run_folder import (
    CHECKPOINTS,
    EVENTS,
    LAST,
    RECIPE,
    State,
    last_event,
    read_state,
    write_state,
)

RECIPE_OF_IT = Recipe(name="mine", model=ModelSettings(start="rootpoly-srgb"))
BEGAN = Began(0, 9, "CPU", "float32")


def training(folder, between):
    """Three steps with something between the second and the third; as the engine, it saves first."""
    yield BEGAN
    yield Step(1, 9, 0.5)
    yield Step(2, 9, 0.4)
    between()
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    (folder / CHECKPOINTS / LAST).write_bytes(b"weights")
    yield Saved(3, str(folder / CHECKPOINTS / LAST))
    yield Step(3, 9, 0.3)
    yield Stopped(3, "resume")


def _move(folder):
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize("become", [_move, shutil.rmtree], ids=["moved", "removed"])
def test_a_folder_that_is_gone_is_made_again_with_all_that_a_resumed_run_needs(tmp_path, become):
    folder = tmp_path / "run"
    events = list(recorded(training(folder, lambda: become(folder)), RECIPE_OF_IT, folder))
    told = [e for e in events if isinstance(e, Noticed)]
    assert [e.notice.code for e in told] == [Code.RUN_FOLDER_MADE_AGAIN]
    assert read_recipe(folder / RECIPE).name == "mine"
    assert read_state(folder).status == "stopped"
    assert [s.step for s in History.read(folder / EVENTS).steps] == [1, 2, 3]


def test_events_and_recipe_that_were_removed_alone_come_back(tmp_path):
    folder = tmp_path / "run"
    kept = folder / RECIPE
    list(recorded(training(folder, kept.unlink), RECIPE_OF_IT, folder))
    assert read_recipe(kept).name == "mine"


def put(folder, name):
    """What the user has put in the folder's place."""
    _move(folder)
    folder.mkdir()
    (folder / name).write_text("of the user")
    return folder / name


def test_what_the_user_puts_in_its_place_is_left_alone(tmp_path):
    folder = tmp_path / "run"
    work = recorded(training(folder, lambda: put(folder, RECIPE)), RECIPE_OF_IT, folder)
    with pytest.raises(FileError, match="something else lies there"):
        list(work)
    assert (folder / RECIPE).read_text() == "of the user"
    assert {path.name for path in folder.iterdir()} == {RECIPE, CHECKPOINTS}
    assert "something else lies there" in last_event(tmp_path / "elsewhere").text


def test_another_training_in_its_place_goes_on_undisturbed(tmp_path):
    folder = tmp_path / "run"
    theirs = State("running", pid=os.getppid(), step=700, total=900)

    def another():
        _move(folder)
        folder.mkdir()
        write_state(folder, theirs)
        with pytest.raises(FileError, match="something else"):
            check_still_ours(folder)  # before a checkpoint that a long validation decides on

    with pytest.raises(FileError, match="something else lies there"):
        list(recorded(training(folder, another), RECIPE_OF_IT, folder))
    assert read_state(folder) == theirs
    assert not (folder / EVENTS).exists()
    assert not (folder / "log.csv").exists()


def test_of_a_training_that_is_refused_nothing_of_the_users_goes(tmp_path):
    folder = tmp_path / "run"

    def work():
        (folder / "notes.txt").write_text("of the user")
        raise InputError("no images")
        yield BEGAN

    with pytest.raises(InputError, match="no images"):
        list(recorded(work(), RECIPE_OF_IT, folder))
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    folder.rmdir()

    def at_once():
        raise InputError("no images")
        yield BEGAN

    with pytest.raises(InputError, match="no images"):
        list(recorded(at_once(), RECIPE_OF_IT, folder))
    assert not folder.exists()


def test_a_terminal_that_is_closed_interrupts_a_training_and_is_no_fault(tmp_path):
    def closed():
        raise SystemExit(129)

    with pytest.raises(SystemExit):
        list(recorded(training(tmp_path, closed), RECIPE_OF_IT, tmp_path))
    assert read_state(tmp_path).status == "failed"
    assert "Interrupted before the step was saved" in read_state(tmp_path).text
