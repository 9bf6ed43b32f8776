"""A training that is killed at any change of its folder goes on to the same weights, and leaves nothing."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time

import numpy as np
import pytest

from napari_hsr.errors import FileError
from napari_hsr.io import atomic
from napari_hsr.notices import Code, Notice
from napari_hsr.training.engine.loop import Fit
from napari_hsr.training.events import Finished, Noticed
from napari_hsr.training.runs import recorder
from napari_hsr.training.runs.recorder import recorded
from napari_hsr.training.runs.run_folder import read_state

from ..killed import Failing, killed
from . import engine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")
#: Points that are tried; all of them by hand and at night.
POINTS = os.environ.get("NAPARI_HSR_TEST_KILLS", "4")
RECIPE = {"checkpoint_every": 2}


def trained(folder, resume=False):
    """A recorded fit of six steps in a folder; its weights."""
    recipe = engine.recipe(6, engine=RECIPE, validation={"every": 3})
    kept = {}

    def events():
        settings = {
            "model": engine.model(),
            "batches": engine.batches(),
            "validate": engine.validate,
        }
        fitted = yield from Fit(
            recipe,
            **settings,
            cancel=engine.Heard().stop,
            folder=folder / "checkpoint",
            resume=resume,
        ).events()
        kept.update(fitted.weights)
        yield Finished(str(folder), "done", {}, {}, 0.0)

    for _ in recorded(events(), recipe, folder, resume):
        pass
    return kept


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    return trained(folder), files(folder)


def test_killed_at_a_change_of_its_folder(tmp_path, whole):
    weights, left = whole
    folder = tmp_path / "run"
    count = killed(lambda: trained(folder), 0, before=False)
    assert count > 30
    chosen = np.arange(1, count + 1)
    if POINTS != "all":
        chosen = np.random.default_rng().choice(chosen, int(POINTS), replace=False)
    for at in chosen.tolist():
        for before in (True, False):
            shutil.rmtree(folder, ignore_errors=True)
            killed(lambda: trained(folder), at, before)
            begun = (folder / "recipe.yaml").exists() and (folder / "events.jsonl").exists()
            found = trained(folder, resume=begun)
            assert engine.same(found, weights), (at, before)
            assert files(folder) == left, (at, before)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_fails_stops_it_with_a_sentence_and_it_goes_on_later(
    tmp_path, whole, monkeypatch, number, capsys
):
    weights, left = whole
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        Failing(patch, 40, number)
        with pytest.raises(FileError, match=r"(could not|cannot) be written|permission was denied"):
            trained(folder)
    found = trained(folder, resume=True)
    assert engine.same(found, weights)
    assert files(folder) == left


@pytest.mark.parametrize("other", [(), ("notes.txt",)])
def test_what_fails_before_its_first_checkpoint_leaves_nothing_in_its_own_way(tmp_path, other):
    """A disk that was full at the first checkpoint left files that barred the folder to the same command."""
    folder = tmp_path / "run"
    written = ("checkpoint/full/best-0.pt", "checkpoint/spent.json", "preview.npz")

    def events():
        for name in (*written, *other):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"")
        yield Noticed(Notice.info(Code.OTHER, "It begins."))
        raise FileError("last.pt", "the disk is full")

    with pytest.raises(FileError, match="full"):
        list(recorded(events(), engine.recipe(6), folder))
    assert folder.exists() == bool(other)
    assert not other or files(folder) == list(other)


def test_clocks_that_jump_change_nothing(tmp_path, whole, monkeypatch):
    weights, _ = whole
    rng = np.random.default_rng(5)
    monkeypatch.setattr(time, "time", lambda: float(rng.uniform(-1e9, 4e9)))
    folder = tmp_path / "run"
    assert engine.same(trained(folder), weights)
    assert read_state(folder).status == "finished"


def test_a_record_that_cannot_be_written_does_not_end_it(tmp_path, whole, monkeypatch, capsys):
    def refuse(*_):
        raise FileError("state.json", "the disk is full")

    folder = tmp_path / "run"
    monkeypatch.setattr(recorder.Journal, "_advance", refuse)
    assert engine.same(trained(folder), whole[0])
    assert capsys.readouterr().err.count("the progress cannot be written down") == 1


def test_what_another_machine_is_writing_stays(tmp_path):
    hidden = tmp_path / ".x.npz.00000000-1-00000000.tmp"
    hidden.write_text("")
    with atomic.replacing(tmp_path / "y") as temporary:
        temporary.write_text("")
    assert hidden.exists()
