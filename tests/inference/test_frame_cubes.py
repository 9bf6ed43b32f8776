"""Cubes of the frames of a stack: computed when they are looked at, kept within a bound."""

import threading
import time

import numpy as np
import pytest

import napari_hsr
from napari_hsr import io
from napari_hsr.errors import AlreadyThereError, Cancelled, FileError, InputError
from napari_hsr.inference import reconstruct
from napari_hsr.inference.stacks import first_look, frame_cubes
from napari_hsr.inference.stacks.frame_arrays import Enlarged
from napari_hsr.inference.stacks.frame_cubes import FrameCubes, State
from napari_hsr.inference.stacks.run import save_events, stack_events, write_frames_events
from napari_hsr.models.colour_table import as_table
from napari_hsr.models.library import load_model
from napari_hsr.notices import Code, has
from napari_hsr.photograph_stack import stack_of_array
from napari_hsr.progress import Progress, result_of

MODEL = "rootpoly-srgb"
FRAMES, HEIGHT, WIDTH = 12, 6, 8
DONE, PLACEHOLDER = State.DONE, State.PLACEHOLDER


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch):
    monkeypatch.setattr(first_look, "REST", 0.0)


@pytest.fixture
def values():
    random = np.random.default_rng(7)
    return random.integers(20, 230, (FRAMES, HEIGHT, WIDTH, 3)).astype(np.uint8)


@pytest.fixture
def frames(values):
    return FrameCubes(stack_of_array(values, name="clip"), MODEL)


class Broken:
    """An array of which one frame cannot be read."""

    def __init__(self, values, bad):
        self.values, self.bad, self.shape, self.dtype = values, bad, values.shape, values.dtype

    def __getitem__(self, key):
        if key[0] == self.bad:
            raise OSError("bad sector")
        return self.values[key]


def drive(frames, kind):
    return list(frames.events(kind))


def test_frames_are_those_of_single_photographs(frames, values):
    assert frames.shape == (FRAMES, 31, HEIGHT, WIDTH)
    alone = reconstruct(napari_hsr.Photograph(values[4]), MODEL)
    cube = frames[4]
    assert np.array_equal(cube.data, alone.data)
    assert cube.wavelengths == alone.wavelengths
    assert cube.name == "clip 05 rootpoly-srgb"
    assert np.array_equal(frames.data[4, 3, 1:3], alone.data[3, 1:3])
    assert frames[4].data is cube.data
    assert frames[4].value_range == cube.value_range
    assert frames.computed == {(4, "done"): 1}
    assert not cube.data.flags.writeable


def test_looking_computes_nothing_and_the_placeholder_comes_first(frames):
    asked = []
    frames.on_ask = lambda: asked.append(True)
    assert np.isnan(frames.look(3)).all()
    assert asked
    assert not frames.computed
    assert has(frames.cube_at_hand(3).notices, Code.PLACEHOLDER)
    drive(frames, PLACEHOLDER)
    assert frames.state(3) is PLACEHOLDER
    assert np.isfinite(np.asarray(frames.look(3))).all()
    placeholder = frames.cube_at_hand(3)
    assert has(placeholder.notices, Code.PLACEHOLDER)
    drive(frames, DONE)
    assert frames.state(3) is DONE
    assert not has(frames.cube_at_hand(3).notices, Code.PLACEHOLDER)
    assert np.array_equal(frames.look(3), frames[3].data)
    assert len(frames.cache) == 1  # the placeholder is no longer kept
    drive(frames, PLACEHOLDER)
    drive(frames, DONE)
    assert frames.computed == {(3, "placeholder"): 1, (3, "done"): 1}


def test_a_placeholder_of_a_large_frame_is_of_fewer_pixels(frames, values, monkeypatch):
    monkeypatch.setattr(frame_cubes, "PLACEHOLDER_PIXELS", 12)
    frames.look(2)
    drive(frames, PLACEHOLDER)
    seen = np.asarray(frames.look(2))
    table = as_table(load_model("instant-photo"))  # placeholders are looked up
    exact = reconstruct(napari_hsr.Photograph(values[2]), table).data
    assert seen.shape == exact.shape
    for row, column in ((0, 0), (2, 4), (4, 6)):  # those that were computed are those of the model
        assert np.allclose(seen[:, row, column], exact[:, row, column], atol=1e-6)
    assert np.array_equal(seen[:, 1, 1], seen[:, 0, 0])


def test_a_placeholder_is_one_pass_without_a_run(frames, values, monkeypatch):
    monkeypatch.setattr(frame_cubes, "reconstruct_events", None)  # and all that it writes down
    frames.look(5)
    drive(frames, PLACEHOLDER)
    looked_up = as_table(load_model(frame_cubes.PLACEHOLDER))
    expected = reconstruct(napari_hsr.Photograph(values[5]), looked_up, device="cpu").data
    np.testing.assert_allclose(np.asarray(frames.at_hand(5)), expected, rtol=0, atol=1e-6)


def test_an_array_that_repeats_its_values():
    few = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    large = few.repeat(2, 1).repeat(3, 2)
    seen = Enlarged(few, (6, 12))
    assert np.array_equal(np.asarray(seen), large)
    for key in (
        (1, 5, 7),
        (0, slice(1, 4)),
        (slice(None), 2, 11),
        (1, slice(None), slice(2, 9, 2)),
    ):
        assert np.array_equal(seen[key], large[key])
    places = (slice(None), np.array([0, 5]), np.array([11, 3]))
    assert np.array_equal(seen[places], large[places])


def test_frames_ahead_are_computed_while_they_go_by(frames):
    for number in (2, 3):
        frames.look(number)
    drive(frames, DONE)
    ahead = {number for number in range(FRAMES) if frames.state(number) is DONE}
    assert ahead == set(range(3, 12))  # to the end, and nothing behind
    frames.look(9)  # a jump
    before = dict(frames.computed)
    drive(frames, DONE)
    assert frames.computed == before


def test_whoever_has_a_frame_keeps_no_other_waiting(frames):
    held = frames.cube_events(3)  # kept, as a generator that a loop has left
    made = next(event for event in held if not isinstance(event, Progress))
    assert not frames._computing[DONE].locked()
    assert made.data is frames[3].data


def test_a_jump_leaves_the_frame_that_was_being_computed(frames):
    frames.look(0)
    work = frames.events(DONE)
    next(work)  # loading: frame 0 is under way
    frames.look(7)
    rest = list(work)
    assert frames.state(0) is not DONE
    assert frames.state(7) is DONE
    assert all(isinstance(event, Progress) for event in rest)


def test_the_chosen_model_stands_back_until_the_frame_on_show_is_filled(frames, monkeypatch):
    """The network asks before each operation whether to go on: while a placeholder is made, it waits."""
    order, reading, read_on = [], threading.Event(), threading.Event()
    quick = frame_cubes.quick_cube

    def slowly(*args):
        reading.set()
        assert read_on.wait(60)
        made = quick(*args)
        order.append("placeholder")
        return made

    monkeypatch.setattr(frame_cubes, "quick_cube", slowly)
    monkeypatch.setattr(first_look, "STANDS_BACK", 60.0)
    photograph = frames.stack.photograph

    def noting(index):
        if threading.current_thread() is network:
            order.append("read by the chosen model")
        return photograph(index)

    network = threading.Thread(target=drive, args=(frames, DONE))
    fill = threading.Thread(target=drive, args=(frames, PLACEHOLDER))
    monkeypatch.setattr(frames.stack, "photograph", noting)
    frames.look(3)
    fill.start()
    assert reading.wait(60)
    network.start()
    network.join(0.1)  # nothing that it could do in this time
    read_on.set()
    fill.join()
    network.join()
    assert order == ["placeholder", "read by the chosen model"]
    assert frames.state(3) is DONE


def test_nothing_stands_back_for_long_or_for_nothing(frames, monkeypatch):
    monkeypatch.setattr(first_look, "STANDS_BACK", 0.01)
    frames.look(3)
    assert frames._first.wait(60.0) == 0.0  # nobody fills frames
    with frames._first.filling(PLACEHOLDER):  # one who never comes to an end
        drive(frames, DONE)
    assert frames.state(3) is DONE
    assert frames._first.wait(60.0) == 0.0


def test_the_chosen_model_begins_once_the_slider_rests(frames, monkeypatch):
    """A frame that a hand has left within that time is never begun; one of many that go by is at once."""
    monkeypatch.setattr(first_look, "REST", 0.2)
    read, photograph = [], frames.stack.photograph

    def noting(index):
        read.append(index)
        return photograph(index)

    monkeypatch.setattr(frames.stack, "photograph", noting)
    frames.look(0)
    work = threading.Thread(target=drive, args=(frames, DONE))
    begun = time.monotonic()
    work.start()
    frames.look(5)
    frames.look(9)
    work.join()
    assert time.monotonic() - begun >= 0.2
    assert read == [(9,)]
    assert frames.state(9) is DONE
    monkeypatch.setattr(first_look, "REST", 60.0)
    frames.look(10)  # as when a film is played
    drive(frames, DONE)
    assert frames.state(11) is DONE
    frames.look(0)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):  # while it waits, too
        list(frames.events(DONE, cancel))


def test_no_frame_is_computed_again_while_it_is_kept(values, monkeypatch):
    """Jumps back and forth, with both threads at work, and frames written on the way."""
    one = 4 * 31 * HEIGHT * WIDTH
    frames = FrameCubes(stack_of_array(values), MODEL, cache_bytes=6 * one)
    again, put = [], frames.cache.put

    def noting(key, made):
        if key in frames.cache:
            again.append(key)
        put(key, made)

    monkeypatch.setattr(frames.cache, "put", noting)
    for number in np.random.default_rng(1).integers(0, FRAMES, 20):
        frames.look(int(number))
        both = [threading.Thread(target=drive, args=(frames, kind)) for kind in (PLACEHOLDER, DONE)]
        for thread in both:
            thread.start()
        frames.cube(int(number))
        for thread in both:
            thread.join()
        assert frames.state(int(number)) is DONE
    assert not again
    done = {number: n for (number, kind), n in frames.computed.items() if kind == DONE}
    assert max(done.values()) > 1  # those that had to go meanwhile
    assert {(n, PLACEHOLDER) in frames.cache for n in done if (n, DONE) in frames.cache} == {False}


def test_a_placeholder_that_comes_late_is_not_kept(frames, monkeypatch):
    quick = frame_cubes.quick_cube

    def late(*args):
        frames.cube(3)  # by another thread, say
        return quick(*args)

    monkeypatch.setattr(frame_cubes, "quick_cube", late)
    frames.look(3)
    drive(frames, PLACEHOLDER)
    assert frames.state(3) is DONE
    assert len(frames.cache) == 1


def test_cancelling_ends_the_work(frames):
    cancel = threading.Event()
    frames.look(0)
    work = frames.events(DONE, cancel)
    next(work)
    cancel.set()
    with pytest.raises(Cancelled):
        list(work)
    assert not frames.computed


def test_the_cache_keeps_its_bound_and_nothing_in_it_is_computed_twice(values, monkeypatch):
    one = 4 * 31 * HEIGHT * WIDTH
    frames = FrameCubes(stack_of_array(values), MODEL, cache_bytes=4 * one)
    put, twice = frames.cache.put, []
    frames.on_ask = lambda: None

    def noting(key, cube):
        twice.append(key in frames.cache)
        put(key, cube)

    monkeypatch.setattr(frames.cache, "put", noting)
    for number in (0, 1, 2, 3, 4, 5, 4, 5, 4, 11, 4):
        frames.look(number)
        drive(frames, PLACEHOLDER)
        drive(frames, DONE)
        assert frames.state(number) is DONE
    assert frames.cache.peak <= 4 * one
    assert frames.computed[4, "done"] == 1
    assert twice
    assert not any(twice)


def test_threads_fill_what_a_viewer_slices(frames):
    started = []

    def start():
        if not started:
            started.append(threading.Thread(target=drive, args=(frames, DONE)))
            started[0].start()

    frames.on_ask = start
    frames.data[5, 10]  # what is there within its patience
    started[0].join()
    assert np.array_equal(frames.data[5, 10], frames[5].data[10])
    assert np.isnan(frames.data[6:8, 10]).all()  # several frames are never computed for a slice


def test_a_frame_that_fails_stays_empty_and_the_rest_goes_on(values):
    frames = FrameCubes(stack_of_array(Broken(values, 1), name="clip"), MODEL)
    for number in (0, 1):
        frames.look(number)
        drive(frames, PLACEHOLDER)
        drive(frames, DONE)
    assert frames.state(1) is State.FAILED
    assert "bad sector" in frames.stack.failures[1]
    assert np.isnan(frames.look(1)).all()
    assert has(frames.cube_at_hand(1).notices, Code.FRAME_FAILED)
    assert frames.state(2) is DONE
    assert np.isnan(frames.data[1]).all()


def test_axes_before_the_frames(values):
    stack = stack_of_array(values.reshape(3, 4, HEIGHT, WIDTH, 3))
    frames = FrameCubes(stack, MODEL)
    for index in ((0, 3), (1, 3)):
        frames.look(index)
    drive(frames, DONE)
    done = [index for index in np.ndindex(3, 4) if frames.state(index) is DONE]
    assert done == [(1, 3), (2, 3)]  # along the axis that goes on
    assert frames.data[:, 3, 0].shape == (3, HEIGHT, WIDTH)


def test_a_placeholder_that_does_not_fit_is_left_out(values):
    stack = stack_of_array(values, encoding="camera:nikon-d700")
    frames = FrameCubes(stack, "rootpoly-nikon-d700")
    frames.look(0)
    assert drive(frames, PLACEHOLDER) == []
    drive(frames, DONE)
    assert frames.state(0) is DONE


def test_a_run_of_the_panel_begins_with_the_frame_on_show(values):
    model = napari_hsr.load_model(MODEL)
    result = result_of(stack_events(stack_of_array(values), model, first=(3,), detail="full"))
    assert result.frames.shown == (3,)
    assert result.frames.state(3) is DONE
    assert np.array_equal(result.cube.data, result.frames[3].data)
    broken = stack_of_array(Broken(values, 0))
    assert result_of(stack_events(broken, model)).frames.shown == (1,)


def test_every_frame_becomes_a_file(values, tmp_path):
    frames = napari_hsr.reconstruct_stack(stack_of_array(Broken(values[:3], 1), name="clip"), MODEL)
    *progress, written = write_frames_events(frames, tmp_path / "out", ".npz")
    assert [path.name for path in written.files] == [
        "clip_1_rootpoly-srgb.npz",
        "clip_3_rootpoly-srgb.npz",
    ]
    assert list(written.failures) == [1]
    assert (progress[-1].done, progress[-1].total) == (3, 3)
    assert np.array_equal(io.read(written.files[1]).data, frames[2].data)
    with pytest.raises(InputError, match="jpg"):
        next(write_frames_events(frames, tmp_path, ".jpg"))


def test_a_frame_whose_file_is_there_is_neither_written_nor_computed(values, tmp_path):
    frames = napari_hsr.reconstruct_stack(stack_of_array(values[:2], name="clip"), MODEL)
    there = tmp_path / f"clip_1_{MODEL}.npz"
    there.write_bytes(b"notes")
    *_, written = write_frames_events(frames, tmp_path, ".npz", overwrite=False)
    assert there.read_bytes() == b"notes"
    assert [path.name for path in written.files] == [f"clip_2_{MODEL}.npz"]
    assert "exists already" in written.failures[0]
    assert frames.computed == {(1, "done"): 1}
    with pytest.raises(AlreadyThereError):
        list(save_events(frames, tmp_path, ".npz", (0,), overwrite=False))
    assert there.read_bytes() == b"notes"


def test_a_stack_s_name_is_no_way_out_of_the_folder(values, tmp_path):
    stack = stack_of_array(values[:1], name="../../a b\n/c")
    frames = napari_hsr.reconstruct_stack(stack, MODEL)
    *_progress, written = write_frames_events(frames, tmp_path / "out", ".npz")
    assert [path.name for path in written.files] == ["_.._a_b__c_1_rootpoly-srgb.npz"]
    assert list((tmp_path / "out").iterdir()) == list(written.files)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match="cannot be made"):
        next(write_frames_events(frames, tmp_path / "file", ".npz"))


def test_a_stack_that_no_model_can_take(values):
    with pytest.raises(InputError, match="encoding"):
        napari_hsr.reconstruct_stack(stack_of_array(values, encoding=None), MODEL)
    stated = napari_hsr.reconstruct_stack(
        stack_of_array(values, encoding=None), MODEL, encoding="linear"
    )
    assert stated.stack.encoding == "linear-srgb"


def test_a_longer_stack_keeps_what_was_computed(values):
    frames = FrameCubes(stack_of_array(values[:4]), MODEL)
    first = frames[0].data
    frames.grow(stack_of_array(values))
    assert frames.shape[0] == FRAMES
    assert frames[0].data is first
    assert np.isfinite(frames[FRAMES - 1].data).all()
