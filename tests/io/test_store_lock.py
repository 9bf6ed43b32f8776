"""Whose an unfinished zarr store is, on a disk that several machines share."""

from __future__ import annotations

import json
import os
import pickle
import threading
import time

import numpy as np
import pytest

from napari_hsr import Cube, Wavelengths, signs_of_life
from napari_hsr.errors import FileError
from napari_hsr.io.zarr.in_parts import ZarrInParts

from ..patience import wait_for

CUBE = Cube(np.zeros((3, 4, 4), np.float32), Wavelengths([500.0, 600.0, 700.0]))


def begin(path, **options):
    return ZarrInParts(path, CUBE, (4, 4), {"of": "a test"}, **options)


@pytest.fixture
def elsewhere(tmp_path):
    """The lock of a process on another machine, with the number of one that is here too."""
    begin(tmp_path / "a.zarr").release()
    lock = tmp_path / "a.unfinished.zarr" / "journal" / "lock"
    owner = {"computer": "gpu1 pid:[7]", "process": os.getpid(), "since": 1.0}
    lock.write_text(json.dumps(owner))
    return lock


def touched(lock, ago: float) -> None:
    os.utime(lock, (time.time() - ago,) * 2)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("hours", [0, 1], ids=["", "another clock"])
def test_what_another_machine_writes_is_not_written_here(
    tmp_path, elsewhere, monkeypatch, overwrite, hours
):
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + hours * 3600)
    before = elsewhere.read_bytes()
    with pytest.raises(FileError, match=r"process \d+ on gpu1 is writing it; where that machine"):
        begin(tmp_path / "a.zarr", overwrite=overwrite)
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("ago", [3600, -3600], ids=["long ago", "a clock set back"])
def test_without_a_sign_of_life_it_can_be_gone_on_with(tmp_path, elsewhere, ago):
    touched(elsewhere, ago)
    begin(tmp_path / "a.zarr").release()
    assert not elsewhere.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_signs_of_life_are_given_until_it_is_released(tmp_path, monkeypatch, overwrite):
    monkeypatch.setattr(signs_of_life, "BEAT_SECONDS", 0.01)
    begin(tmp_path / "a.zarr").release()
    store = begin(tmp_path / "a.zarr", overwrite=overwrite)
    lock = store.drafts / "lock"
    touched(lock, 3600)
    wait_for(lambda: signs_of_life.is_touched(lock))
    assert pickle.loads(pickle.dumps(store)).shape == store.shape  # for another process
    store.release()
    assert not lock.exists()
    assert "napari-hsr alive" not in [thread.name for thread in threading.enumerate()]


def test_nobody_is_left_alive_by_a_store_that_is_finished_or_cannot_be_begun(tmp_path, monkeypatch):
    store = begin(tmp_path / "a.zarr")
    store.put((0, 0), np.zeros(CUBE.shape, np.float32))
    store.finish(CUBE)
    assert not (tmp_path / "a.zarr" / "journal").exists()
    monkeypatch.setattr(ZarrInParts, "_open_again", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        begin(tmp_path / "b.zarr")
    assert not (tmp_path / "b.unfinished.zarr" / "journal" / "lock").exists()
    assert "napari-hsr alive" not in [thread.name for thread in threading.enumerate()]


def test_one_that_stood_still_leaves_the_store_to_whoever_went_on_with_it(tmp_path, elsewhere):
    """A computer that slept: what it has not written yet is written there."""
    theirs = elsewhere.read_bytes()
    elsewhere.unlink()
    store = begin(tmp_path / "a.zarr")
    store.put((0, 0), np.zeros(CUBE.shape, np.float32))
    elsewhere.write_bytes(theirs)
    for write in (
        lambda: store.put((0, 0), np.zeros(CUBE.shape, np.float32)),
        lambda: store.note({"shards": []}),
        lambda: store.finish(CUBE),
    ):
        with pytest.raises(FileError, match="another process has gone on with it"):
            write()
    store.release()
    assert elsewhere.read_bytes() == theirs
    assert not (store.drafts / "parts.jsonl").exists()
