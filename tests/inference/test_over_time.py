"""Pixels over the frames of a stack: what is computed for them, and what is made of them."""

import csv
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import Photograph, reconstruct
from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.inference.stacks.over_time import PixelsOverTime
from napari_hsr.io import write
from napari_hsr.io.stacks import read_stack
from napari_hsr.models.input_rules import Maximum
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.progress import Progress, result_of

MODEL, COUNT = "rootpoly-srgb", 5
PIXELS = [(1, 2), (5, 7)]


@pytest.fixture
def frames():
    values = np.random.default_rng(1).integers(20, 230, (COUNT, 6, 8, 3)).astype(np.uint8)
    axes = (StackAxis("time", COUNT, 0.5, 1.0, "second"),)
    return FrameCubes(stack_of_array(values, name="film", axes=axes), MODEL)


def exact(frames, number):
    return np.stack([frames[number].data[:, y, x] for y, x in PIXELS], axis=1)


def test_pixels_of_a_per_pixel_model_are_computed_alone_and_once(frames, monkeypatch):
    over = PixelsOverTime(frames)
    assert over.at_hand(PIXELS).missing == COUNT
    found = result_of(over.events(PIXELS))
    assert found.missing == 0
    assert not frames.computed  # no whole frame
    for number in range(COUNT):
        np.testing.assert_allclose(found.spectra[:, :, number], exact(frames, number), rtol=1e-5)
    np.testing.assert_array_equal(found.positions, [1.0, 1.5, 2.0, 2.5, 3.0])
    monkeypatch.setattr(frames.stack.frames, "read", None)  # nothing is read again
    assert result_of(over.events(PIXELS)).missing == 0


def test_other_models_compute_whole_frames_that_are_then_shown(frames):
    frames.model = replace(frames.model, rule=Maximum())
    over = PixelsOverTime(frames)
    assert not over.single
    frames.cube(2)
    assert over.at_hand(PIXELS).missing == COUNT - 1
    found = result_of(over.events(PIXELS))
    assert frames.computed == {(number, "done"): 1 for number in range(COUNT)}
    np.testing.assert_array_equal(found.spectra[:, :, 4], exact(frames, 4))


def test_a_frame_that_cannot_be_read_stays_empty(frames, monkeypatch):
    read = frames.stack.frames.read

    def broken(number):
        if number == 1:
            raise FileError("film", "frame 2 is damaged")
        return read(number)

    monkeypatch.setattr(frames.stack.frames, "read", broken)
    found = result_of(PixelsOverTime(frames).events(PIXELS))
    assert np.isnan(found.spectra[:, :, 1]).all()
    assert "damaged" in found.failures[1]
    assert (found.missing, len(found.failures)) == (0, 1)


def test_cancelling_keeps_what_is_known(frames):
    over, cancel = PixelsOverTime(frames), threading.Event()
    work = over.events(PIXELS, cancel=cancel)
    for event in work:
        assert isinstance(event, Progress)
        if event.done == 3:
            break
    cancel.set()
    with pytest.raises(Cancelled):
        list(work)
    assert over.at_hand(PIXELS).missing == 2


def test_a_band_an_index_and_a_table(frames, tmp_path):
    found = result_of(PixelsOverTime(frames).events(PIXELS))
    red, green = (list(found.wavelengths).index(nm) for nm in (650.0, 550.0))
    ratio = found.index("(b650 - b550) / (b650 + b550)")
    assert ratio.shape == (2, COUNT)
    one, other = found.band(red), found.band(green)
    np.testing.assert_allclose(ratio, (one - other) / (one + other), rtol=1e-5)
    found.write_csv(tmp_path / "t.csv", ratio, ["a", "b"], "ratio")
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["time (s)", "a (row 1, column 2): ratio", "b (row 5, column 7): ratio"]
    assert (rows[2][0], float(rows[2][2])) == ("1.5", float(ratio[1, 1]))
    assert len(rows) == 1 + COUNT
    found.write_csv(tmp_path / "o.csv", ratio, ["λ", "\udcff"], "ratio")
    assert "\\udcff (row 5" in (tmp_path / "o.csv").read_text(encoding="utf-8")


def test_one_axis_of_several_through_the_frame_on_show():
    values = np.random.default_rng(2).integers(20, 230, (2, 3, 4, 4, 3)).astype(np.uint8)
    frames = FrameCubes(stack_of_array(values), MODEL)
    frames.look((1, 0))
    found = result_of(PixelsOverTime(frames).events([(0, 0)], along=1))
    np.testing.assert_allclose(found.spectra[:, 0, 2], frames[1, 2].data[:, 0, 0], rtol=1e-5)
    with pytest.raises(InputError, match="outside"):
        PixelsOverTime(frames).at_hand([(4, 0)])


def test_frames_whose_files_changed_are_computed_anew(tmp_path):
    values = np.random.default_rng(1).integers(20, 230, (3, 6, 8, 3)).astype(np.uint8)
    for number, frame in enumerate(values):
        write(Photograph(frame, "srgb"), tmp_path / f"{number}.png")
    frames = FrameCubes(read_stack(tmp_path), MODEL)
    alone, whole = PixelsOverTime(frames), PixelsOverTime(frames)
    before = result_of(alone.events(PIXELS)).spectra
    frames.cube(1)
    assert whole.at_hand(PIXELS).missing == 2
    write(Photograph(values[0] // 2, "srgb"), tmp_path / "1.png")
    assert alone.forget_changed()
    assert alone.at_hand(PIXELS).missing == 1
    whole.forget_changed()
    assert whole.at_hand(PIXELS).missing == 3
    after = result_of(alone.events(PIXELS)).spectra
    right = reconstruct(Photograph(values[0] // 2, "srgb"), MODEL, device="cpu").data
    np.testing.assert_array_equal(after[:, :, [0, 2]], before[:, :, [0, 2]])
    np.testing.assert_allclose(
        after[:, :, 1], np.stack([right[:, y, x] for y, x in PIXELS], axis=1), rtol=1e-5
    )
    np.testing.assert_allclose(frames.cube(1).data, right, rtol=1e-5)
    (tmp_path / "1.png").unlink()  # what was known of it stays known
    assert not alone.forget_changed()
