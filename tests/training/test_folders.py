"""A training begins in an empty folder, or in one of its own, and nowhere else."""

from __future__ import annotations

import pytest

from napari_hsr.errors import InputError
from napari_hsr.training.runs.run_folder import STATE, State, check_new, write_state

OWN = ("recipe.yaml", "split.txt", "card.json", "log.csv", "events.jsonl", "state.json", "notes.md")


@pytest.mark.parametrize("name", OWN)
def test_files_of_the_user_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=rf"none of a training \({name}\)"):
        check_new(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_many_files_are_counted(tmp_path):
    for name in OWN:
        (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="and 4 more"):
        check_new(tmp_path)


def test_where_a_training_may_begin(tmp_path):
    check_new(tmp_path / "not there")
    check_new(tmp_path)
    (tmp_path / ".DS_Store").write_text("of a file manager")
    check_new(tmp_path)
    write_state(tmp_path, State("failed"))  # it never took a step
    (tmp_path / "recipe.yaml").write_text("of that run")
    check_new(tmp_path)
    (tmp_path / STATE).unlink()
    with pytest.raises(InputError):
        check_new(tmp_path)
