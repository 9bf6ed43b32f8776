"""The frames of a stack against ground truth."""

import numpy as np
import pytest

from napari_hsr.errors import FileError, InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.inference.stacks.frame_figures import compare_frames_events, frame_figures_events
from napari_hsr.metrics import evaluate
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.progress import result_of

COUNT = 3
VALUES = np.random.default_rng(1).integers(20, 230, (COUNT, 16, 16, 3)).astype(np.uint8)


def frames(model="rootpoly-srgb", values=VALUES):
    axes = (StackAxis("time", len(values), 2.0, 0.0, "second"),)
    return FrameCubes(stack_of_array(values, name="film", axes=axes), model)


def test_each_frame_against_its_truth_or_one_for_all():
    made, truth = frames(), frames("instant-photo")
    table = result_of(frame_figures_events(made, truth))
    assert table.names == ("frame 1", "frame 2", "frame 3")
    np.testing.assert_array_equal(table.positions, [0, 2, 4])
    rmse = next(column for column in table.columns if column.key == "rmse")
    expected = [evaluate(made[n], truth[n]).values["rmse"] for n in range(COUNT)]
    np.testing.assert_array_equal(table.over_frames(rmse), expected)
    alone = result_of(frame_figures_events(made, truth[1]))
    assert alone.over_frames(rmse)[1] == expected[1]
    assert alone.over_frames(rmse)[0] != expected[0]
    with pytest.raises(InputError, match="frame by frame"):
        result_of(frame_figures_events(made, frames(values=VALUES[:2])))


def test_a_frame_that_fails_is_left_out(monkeypatch):
    made = frames()
    read = made.stack.frames.read

    def broken(number):
        if number == 1:
            raise FileError("film", "frame 2 is damaged")
        return read(number)

    monkeypatch.setattr(made.stack.frames, "read", broken)
    table = result_of(frame_figures_events(made, made[0]))
    assert (table.numbers, list(table.failures)) == ((0, 2), [1])
    plain = table.to_dict()
    assert (plain["positions"], list(plain["failures"])) == ([0, 4], ["2"])
    assert plain["axis"] == {"name": "time", "unit": "second"}
    assert "frame 2 is damaged" in plain["failures"]["2"]


def test_the_frame_on_show_is_never_a_placeholder():
    made, truth = frames("rootpoly-srgb"), frames("instant-photo")
    made.on_ask = lambda: None
    made.look(2)
    one = result_of(compare_frames_events((made, (2,)), (truth, (2,)), maps=("sam",)))
    assert one.evaluation.values == evaluate(made[2], truth[2]).values
    assert one.table is None
    every = result_of(compare_frames_events((made, (2,)), truth[2], every=True, maps=()))
    assert len(every.table.names) == COUNT
