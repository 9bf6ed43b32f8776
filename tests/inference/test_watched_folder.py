"""A folder that grows is watched, and its newest frame reconstructed."""

import threading

import numpy as np
import pytest
from PIL import Image

from napari_hsr import Photograph, reconstruct
from napari_hsr.errors import Cancelled, FileError
from napari_hsr.inference.stacks.watched_folder import Grown, watched_events
from napari_hsr.io.stacks.files import FileFrames

MODEL = "rootpoly-srgb"
VALUES = np.random.default_rng(6).integers(20, 230, (3, 6, 8, 3)).astype(np.uint8)


def save(folder, number):
    Image.fromarray(VALUES[number]).save(folder / f"{number}.png")


def grown(work):
    return next(event for event in work if isinstance(event, Grown))


def test_frames_that_come_in_are_added(tmp_path):
    cancel = threading.Event()
    work = watched_events(tmp_path, MODEL, cancel=cancel, seconds=0.001)
    assert next(work).message == "Loading the model"
    assert "Waiting" in next(work).message
    save(tmp_path, 0)
    save(tmp_path, 1)
    first = grown(work)
    assert (first.done, len(first.stack), len(first.frames)) == (2, 2, 2)
    newest = reconstruct(Photograph(VALUES[1]), MODEL).data
    np.testing.assert_array_equal(first.first.data, newest)
    save(tmp_path, 2)
    second = grown(work)
    assert second.frames is first.frames
    assert second.frames.shape == (3, 31, 6, 8)
    cancel.set()
    with pytest.raises(Cancelled):
        next(work)


def test_a_broken_photograph_is_left_out_and_a_missing_folder_is_said(tmp_path, monkeypatch):
    cancel, looks, look = threading.Event(), [], FileFrames.look

    def looking(frames):
        looks.append(frames)
        if len(looks) == 3:  # two for the first files to settle
            Image.fromarray(VALUES[1]).save(tmp_path / "91.png")
        return look(frames)

    monkeypatch.setattr(FileFrames, "look", looking)
    save(tmp_path, 0)
    (tmp_path / "9.png").write_bytes(b"no picture")
    event = grown(watched_events(tmp_path, MODEL, cancel=cancel, seconds=0.001))
    assert len(event.stack) == 3
    assert list(event.stack.failures) == [1]
    newest = reconstruct(Photograph(VALUES[1]), MODEL).data
    np.testing.assert_array_equal(event.first.data, newest)
    with pytest.raises(FileError, match="folder to watch"):
        list(watched_events(tmp_path / "none", MODEL, cancel=cancel))


def test_half_a_photograph_is_tried_again_once_it_is_whole(tmp_path, monkeypatch):
    looks, look = [], FileFrames.look
    save(tmp_path, 0)
    save(tmp_path, 1)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[:60])

    def looking(frames):
        looks.append(frames)
        if len(looks) == 3:  # two for the first files to settle
            (tmp_path / "1.png").write_bytes(whole)
        return look(frames)

    monkeypatch.setattr(FileFrames, "look", looking)
    event = grown(watched_events(tmp_path, MODEL, cancel=threading.Event(), seconds=0.001))
    assert not event.stack.failures
    np.testing.assert_array_equal(
        event.frames[1].data, reconstruct(Photograph(VALUES[1]), MODEL).data
    )
