"""Checkpoints on disk: whole or not there, and no code in them."""

from __future__ import annotations

import errno
import os
import pickle

import numpy as np
import pytest
import torch

from napari_hsr.errors import FileError
from napari_hsr.training.engine import checkpoint

STATE = {
    "weights": {"a": torch.arange(300.0).reshape(3, 100)},
    "state": {"step": 3, "best_mean": {"psnr_db": 30.5}, "best_file": ""},
}


def test_a_state_comes_back_as_it_was(tmp_path):
    path = checkpoint.save(tmp_path / "new" / "folder", STATE)
    assert [p.name for p in path.parent.iterdir()] == ["last.pt"]
    found = checkpoint.read(path.parent)
    assert torch.equal(found["weights"]["a"], STATE["weights"]["a"])
    assert found["state"] == STATE["state"]
    assert checkpoint.read(tmp_path) is None


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, step):
    checkpoint.save(tmp_path, STATE)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*{"write": (torch, "save")}.get(step, (checkpoint.os, step)), full)
    with pytest.raises(FileError, match=r"\(the disk is full\); the last good one stays\.$"):
        checkpoint.save(tmp_path, {"weights": {}})
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    assert checkpoint.read(tmp_path)["state"] == STATE["state"]


def test_where_there_was_none_no_good_one_is_promised(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError) as caught:
        checkpoint.save(tmp_path / "file", STATE)
    assert "could not be written" in str(caught.value)
    assert "last good" not in str(caught.value)


def damaged(data: bytes, rng: np.random.Generator) -> list[bytes]:
    """Cut off, emptied, and with bytes changed at many places."""
    found = [b"", b"not a checkpoint", data[: len(data) // 2], data[:-10], data[100:]]
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.integers(0, len(broken), 20):
            broken[place] = rng.integers(256)
        found.append(bytes(broken))
    return found


def test_damage_of_any_kind_is_one_sentence(tmp_path):
    path = checkpoint.save(tmp_path, STATE)
    told = []
    for broken in damaged(path.read_bytes(), np.random.default_rng(0)):
        path.write_bytes(broken)
        try:
            checkpoint.read(tmp_path)  # some damage is in padding, or in a number
        except FileError as error:
            told.append(str(error))
    assert len(told) > 20
    assert all(text.startswith(str(path)) and "\n" not in text for text in told)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Runs:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "was run"),))

    torch.save({"format": 1, "state": Runs()}, tmp_path / "last.pt")
    with pytest.raises(FileError, match="damaged, or no checkpoint"):
        checkpoint.read(tmp_path)
    (tmp_path / "last.pt").write_bytes(pickle.dumps(Runs()))
    with pytest.raises(FileError, match="damaged, or no checkpoint"):
        checkpoint.read(tmp_path)
    assert not (tmp_path / "was run").exists()


def test_a_later_format_and_other_files_are_told(tmp_path):
    torch.save({"format": 2}, tmp_path / "last.pt")
    with pytest.raises(FileError, match="a checkpoint of format 1 was expected"):
        checkpoint.read(tmp_path)
    torch.save([1, 2], tmp_path / "last.pt")
    with pytest.raises(FileError, match="a checkpoint of format 1 was expected"):
        checkpoint.read(tmp_path)


def test_what_is_no_longer_referred_to_is_removed(tmp_path):
    for name in ("best-1.pt", "best-2.pt", "last.pt", "x.part", ".last.pt.0.tmp"):
        (tmp_path / name).write_bytes(b"")
    checkpoint.keep_only(tmp_path, "best-*.pt", "best-2.pt")
    checkpoint.remove_unfinished(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"best-2.pt", "last.pt"}
