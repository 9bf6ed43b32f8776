"""Sessions in one folder and in several: none loses what it refers to when another, or itself, is saved."""

from __future__ import annotations

import os
import shutil
from itertools import count

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.errors import FileError
from napari_hsr.photograph import LINEAR_SRGB, Photograph
from napari_hsr.progress import result_of
from napari_hsr.viewer import layers, session_folder, session_saving
from napari_hsr.viewer.session_opening import open_events, show
from napari_hsr.viewer.session_saving import plan, save_events

MON, TUE, LAYERS = "mon.hsrsession", "tue.hsrsession", "mon-layers.hsrsession"


class Desk:
    """A viewer, the folders that sessions are kept in, and what each session was saved with."""

    def __init__(self, folder):
        self.folder, self.saved, self.numbers = folder, {}, count(1)
        self.viewer = ViewerModel()
        for name in "ab":
            (folder / name).mkdir()

    def make(self, *names):
        """Remove all layers; add pictures of these names, of values that none had before."""
        self.viewer.layers.clear()
        for name in names:
            pixels = np.full((2, 3, 3), next(self.numbers) / 1000, np.float32)
            picture = Photograph(pixels, LINEAR_SRGB, name=name)
            layers.add_photograph(self.viewer, picture, name=name)

    def save(self, name):
        assert result_of(save_events(plan(self.viewer), self.folder / name)).told == []
        self.saved[name] = [(x.name, float(np.asarray(x.data).flat[0])) for x in self.viewer.layers]

    def open(self, name):
        self.viewer.layers.clear()
        assert show(self.viewer, result_of(open_events(self.folder / name))) == []

    def copy(self, name, other):
        shutil.copy(self.folder / name, self.folder / other)
        self.saved[other] = self.saved[name]

    def move(self, name, other):
        os.replace(self.folder / name, self.folder / other)
        self.saved[other] = self.saved.pop(name)

    def check(self):
        """Every session holds the very values that it was saved with."""
        for name, values in self.saved.items():
            found = result_of(open_events(self.folder / name))
            elsewhere = {
                str(file)
                for file in found.paths
                if file and (self.folder / name).parent not in file.parents
            }
            assert all(any(file in sentence for file in elsewhere) for sentence in found.told), name
            held = [float(np.asarray(thing.data).flat[0]) for thing in found.things]
            names = [record.name for record in found.session.layers]
            assert list(zip(names, held, strict=True)) == values, name


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.mark.parametrize(
    "acts",
    [
        # saved under another name, and the first one made anew
        f"make leaf, save a/{MON}, open a/{MON}, save a/{TUE}, make leaf, save a/{MON}",
        # the same with a name that looks like the folder of the first
        f"make leaf, save a/{MON}, open a/{MON}, save a/{LAYERS}, make leaf, save a/{LAYERS}, make leaf, save a/{MON}",
        # copied and renamed in a file manager
        f"make leaf, save a/{MON}, copy a/{MON} a/{TUE}, make leaf, save a/{MON}, make leaf, save a/{TUE}",
        f"make leaf, save a/{MON}, move a/{MON} a/{TUE}, make leaf, save a/{MON}, open a/{TUE}, save a/{TUE}",
        # copied elsewhere, where another session has a file of that name, by and by
        f"make leaf, save a/{MON}, copy a/{MON} b/{TUE}, make leaf, save b/{MON}, make leaf, save a/{MON}",
        # layers that change their names
        f"make leaf soil, save a/{MON}, open a/{MON}, rename leaf soil, save a/{TUE}, make soil leaf, save a/{MON}",
        # two endings of one name share a folder
        f"make leaf, save a/{MON}, make leaf, save a/mon.HSRSESSION, make leaf, save a/{MON}",
    ],
)
def test_every_session_keeps_its_values(desk, acts):
    for act in acts.split(", "):
        verb, *words = act.split()
        if verb == "rename":
            desk.viewer.layers[words[0]].name = "new"
            desk.viewer.layers[words[1]].name = words[0]
            desk.viewer.layers["new"].name = words[1]
        else:
            getattr(desk, verb)(*words)
        desk.check()


def test_what_did_not_change_is_not_written_twice(desk):
    desk.make("leaf", "soil")
    desk.viewer.add_labels(np.ones((3, 4), np.uint8), name="classes")
    for _ in range(2):
        desk.save(f"a/{MON}")
    desk.open(f"a/{MON}")
    desk.save(f"a/{MON}")
    assert len(list((desk.folder / "a" / "mon-layers").iterdir())) == 3


def test_a_save_over_a_session_that_fails_leaves_its_values(desk, monkeypatch):
    desk.make("leaf")
    desk.save(f"a/{MON}")
    desk.make("leaf", "soil")

    def fails(*_arguments):
        raise FileError("s.hsrsession", "the disk is full")

    monkeypatch.setattr(session_saving, "write", fails)
    with pytest.raises(FileError):
        result_of(save_events(plan(desk.viewer), desk.folder / "a" / MON))
    desk.check()
    assert len(list((desk.folder / "a" / "mon-layers").iterdir())) == 1


def test_a_plan_may_be_saved_twice(desk):
    desk.make("leaf", "soil")
    desk.viewer.add_labels(np.ones((3, 4), np.uint8), name="classes")
    made = plan(desk.viewer)
    made.leave_out()
    for name in (MON, TUE):
        result_of(save_events(made, desk.folder / "a" / name))
        (array,) = result_of(open_events(desk.folder / "a" / name)).things
        assert array.shape == (3, 4)


def test_room_that_no_session_needs_is_told_and_what_lies_there_stays(desk, monkeypatch):
    monkeypatch.setattr(session_folder, "_UNTOLD", 0)
    desk.make("leaf")
    desk.save(f"a/{MON}")
    desk.copy(f"a/{MON}", f"a/{TUE}")
    desk.make("soil")
    desk.save(f"a/{MON}")  # the leaf is the other's
    (desk.folder / "a" / TUE).unlink()
    del desk.saved[f"a/{TUE}"]
    done = result_of(save_events(plan(desk.viewer), desk.folder / "a" / MON))
    (told,) = done.told
    assert "leaf.tif" in told
    assert {file.name for file in (desk.folder / "a" / "mon-layers").iterdir()} == {
        "leaf.tif",
        "soil.tif",
    }
