"""Films and folders into one zarr store: frame by frame, gone on with, growing, with empty frames."""

import json
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_hsr import Photograph, read, reconstruct
from napari_hsr.cli import main
from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.inference.stacks import frames_on_disk
from napari_hsr.inference.stacks.frames_on_disk import store_frames, store_frames_events
from napari_hsr.io import write
from napari_hsr.io.stacks import files, read_stack
from napari_hsr.notices import Code, has
from napari_hsr.photograph_stack import ArrayFrames, PhotographStack, StackAxis

zarr = pytest.importorskip("zarr")
MODEL = "rootpoly-srgb"


@pytest.fixture
def folder(tmp_path):
    """Four frames, the third of which is damaged."""
    there = tmp_path / "lapse"
    there.mkdir()
    values = np.random.default_rng(0).integers(0, 255, (4, 20, 24, 3), np.uint8)
    for number, frame in enumerate(values):
        write(Photograph(frame, "srgb"), there / f"frame{number}.png")
    whole = (there / "frame2.png").read_bytes()
    (there / "frame2.png").write_bytes(whole[: len(whole) // 2])
    return there


def test_a_folder_becomes_one_array_with_times_and_wavelengths(folder, tmp_path):
    stack = read_stack(folder, axis="time", step=60.0, unit="second")
    out = tmp_path / "lapse.zarr"
    stored = store_frames(stack, MODEL, output=out, device="cpu")
    assert (stored.frames, stored.computed, list(stored.failures)) == (4, 3, [2])
    # noise is like no photograph: that is said once, of the first
    assert [n.code for n in stored.notices] == [Code.UNLIKE_TRAINING, Code.FRAME_FAILED]
    assert stored.notices[0].text.startswith("Frame 1 (and so of 2 others): ")
    group = zarr.open_group(out, mode="r")
    assert group["0"].shape == (4, 31, 20, 24)
    assert group["0"].metadata.dimension_names == ("t", "c", "y", "x")
    assert group["t"][:].tolist() == [0, 60, 120, 180]
    assert group["c"][0] == 400
    assert np.isnan(group["0"][2]).all()
    axis = group.attrs["ome"]["multiscales"][0]["axes"][0]
    assert axis == {"name": "t", "type": "time", "unit": "second"}
    expected = reconstruct(folder / "frame3.png", MODEL, device="cpu")
    found = read(f"{out}:4")
    np.testing.assert_array_equal(found.data, expected.data)
    assert found.wavelengths == expected.wavelengths
    with pytest.raises(FileError, match="frame 3 was left empty"):
        read(f"{out}:3")
    with pytest.raises(FileError, match="its frames are 1 to 4, not 9"):
        read(f"{out}:9")
    with pytest.raises(FileError, match="it holds 4 frames: name one"):
        read(out)


def test_a_cancelled_run_goes_on_and_tries_empty_frames_again(folder, tmp_path):
    out, cancel = tmp_path / "lapse.zarr", threading.Event()
    events = store_frames_events(folder, MODEL, output=out, device="cpu", cancel=cancel)
    next(event for event in events if event.done >= 300)  # the third was tried
    cancel.set()
    with pytest.raises(Cancelled):
        list(events)
    with pytest.raises(FileError, match="begun with another model"):
        store_frames(folder, "instant-photo", output=out, device="cpu")
    write(Photograph(np.zeros((20, 24, 3), np.uint8), "srgb"), folder / "frame2.png")
    stored = store_frames(folder, MODEL, output=out, device="cpu")
    assert (stored.computed, stored.failures) == (2, {})
    assert has(stored.notices, Code.RESUMED)
    assert not has(stored.notices, Code.FRAME_FAILED)
    assert np.isfinite(zarr.open_group(out, mode="r")["0"][:]).all()


@pytest.fixture
def watched(folder, tmp_path, monkeypatch):
    """Stores the frames of a folder into which a file comes while it is watched."""
    monkeypatch.setattr(files, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr("napari_hsr.inference.stacks.frames_on_disk.LOOK_SECONDS", 0.0)

    def stored(name):
        out, waited = tmp_path / "a.zarr", 0
        for event in store_frames_events(folder, MODEL, output=out, watch=0.5, device="cpu"):
            waited += getattr(event, "message", "").startswith("Waiting")
            if waited == 1:
                write(Photograph(np.zeros((20, 24, 3), np.uint8), "srgb"), folder / name)
        return event

    return stored


def test_the_time_left_is_that_of_all_frames(folder, tmp_path, monkeypatch, capsys):
    """It had been that of the frame at hand."""
    asked = []
    takes = SimpleNamespace(seconds=1e6)
    monkeypatch.setattr(
        frames_on_disk, "estimate", lambda *args, **options: asked.append((args, options)) or takes
    )
    out = tmp_path / "lapse.zarr"
    events = list(store_frames_events(folder, MODEL, output=out, device="cpu"))
    ((size, _), options), *rest = asked
    assert (size, options["device"], options["on_disk"], rest) == ((20, 24), "cpu", True, [])
    assert events[0].seconds_left == 4e6
    assert next(e.seconds_left for e in events if e.message == "Done") == 3e6
    after = next(e.seconds_left for e in events if e.done == 100 and "2 of 4" in e.message)
    assert 0 < after < 1e5  # as the first one took
    shutil.rmtree(out)
    main(["predict", str(folder), "-o", str(out), "--model", MODEL, "--stack"])
    assert "note: All frames take about" in capsys.readouterr().err


def test_frames_that_come_are_awaited(watched, tmp_path):
    assert watched("frame9.png").frames == 5
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group["0"].shape[0] == len(group["t"][:]) == 5
    assert np.isfinite(group["0"][4]).all()


def test_a_file_of_which_half_was_there_is_tried_again_once_it_is_whole(watched, tmp_path):
    """A camera, or a copy over the network, may pause in the middle of a file."""
    event = watched("frame2.png")
    assert (event.frames, event.failures) == (4, {})
    assert np.isfinite(zarr.open_group(tmp_path / "a.zarr", mode="r")["0"][2]).all()


def test_what_cannot_be_stored_so_is_said(tmp_path):
    values = np.zeros((2, 3, 8, 9, 3), np.uint8)
    axes = StackAxis("time", 2), StackAxis("z", 3)
    both = PhotographStack(ArrayFrames(values), axes, 8, 9, encoding="srgb")
    with pytest.raises(InputError, match="2 axes: frames along one"):
        store_frames(both, MODEL, output=tmp_path / "a.zarr")
    one = PhotographStack(ArrayFrames(values[:, 0]), axes[:1], 8, 9, encoding="srgb")
    with pytest.raises(InputError, match="no folder: nothing comes"):
        store_frames(one, MODEL, output=tmp_path / "a.zarr", watch=1)


def test_the_command(folder, tmp_path, capsys):
    out = str(tmp_path / "lapse.zarr")
    command = ["predict", str(folder), "-o", out, "--model", MODEL, "--device", "cpu", "--stack"]
    assert main([*command, "--interval", "60"]) == 1
    said = capsys.readouterr()
    assert "3 frames in" in said.out
    assert "1 left empty" in said.out
    assert "note: Frame 3 of lapse was left empty" in said.err
    shutil.rmtree(tmp_path / "lapse.zarr" / "0" / "c" / "1")
    assert main(["info", out]) == 0
    said = capsys.readouterr().out
    for words in ("4 (time)", "60 second", "20 x 24 pixels, 31 bands", "frame 3", "left empty:"):
        assert words in said
    assert "made from    lapse\n" in said
    assert main(["info", out, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["shape"]) == ("frames", [4, 31, 20, 24])
    assert (facts["missing"], list(facts["failures"]), facts["finished"]) == ([2], ["3"], True)
    shutil.rmtree(tmp_path / "lapse.zarr" / "0" / "c" / "0" / "0")  # what it lay in stays
    assert main(["info", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == [1, 2]
    lost = read(f"{out}:1")
    assert has(lost.notices, Code.PARTLY_WRITTEN)
    assert np.isnan(np.asarray(lost.data)).all()
    assert not has(read(f"{out}:4").notices, Code.PARTLY_WRITTEN)
    assert main(command) == 1
    assert "exists already, and is replaced" in capsys.readouterr().err
    for more in (["--jobs", "2"], ["x"], ["--region", "0:5,0:5"]):
        with pytest.raises(SystemExit):
            main([*command, *more])
    for option in ("--interval", "--watch"):
        for never in ("nan", "inf", "0", "-1"):
            with pytest.raises(SystemExit):
                main([*command, option, never])
            assert "invalid number of seconds value" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command[:-1], "--watch", "3"])


@pytest.fixture
def begun(folder, tmp_path):
    """A store whose first two frames are finished, and its folder."""
    out, cancel = tmp_path / "lapse.zarr", threading.Event()
    events = store_frames_events(folder, MODEL, output=out, device="cpu", cancel=cancel)
    next(event for event in events if event.done >= 200)
    cancel.set()
    with pytest.raises(Cancelled):
        list(events)
    return out, tmp_path / "lapse.unfinished.zarr"


def test_only_frames_that_lie_there_unchanged_and_of_unchanged_files_are_kept(folder, begun):
    out, unfinished = begun
    shard = next((unfinished / "0" / "c" / "0").rglob("*"))
    while shard.is_dir():
        shard = next(shard.iterdir())
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    write(Photograph(np.full((20, 24, 3), 99, np.uint8), "srgb"), folder / "frame1.png")
    stored = store_frames(folder, MODEL, output=out, device="cpu")
    assert stored.computed == 3
    for number in (1, 2, 4):
        expected = reconstruct(folder / f"frame{number - 1}.png", MODEL, device="cpu")
        np.testing.assert_array_equal(read(f"{out}:{number}").data, expected.data)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 3000,
        "5",
        '{"frame": 0}',
        '{"frame": -1, "file": "a", "range": null, "bytes": 1, "crc32": 1}',
        '{"frame": 0, "file": "a", "range": [0, NaN], "bytes": 1, "crc32": 1}',
        '{"frame": "0", "file": [], "range": {}, "bytes": true, "crc32": 1e99}',
    ],
)
def test_a_journal_that_no_run_wrote_is_refused(folder, begun, line):
    out, unfinished = begun
    with (unfinished / "journal" / "parts.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FileError, match="its journal is damaged"):
        store_frames(folder, MODEL, output=out, device="cpu")


def test_a_store_that_leads_elsewhere_or_was_begun_otherwise_is_refused(folder, begun, tmp_path):
    out, unfinished = begun
    (unfinished / "journal" / "lock").write_text('{"computer": "a", "process": 1e400}')
    (folder / "frame3.png").unlink()
    with pytest.raises(FileError, match="begun with 4 frames, and there are 3 now"):
        store_frames(folder, MODEL, output=out, device="cpu")
    stated = unfinished / "0" / "zarr.json"
    stated.write_text(stated.read_text().replace('"float32"', '"float64"'))
    with pytest.raises(FileError, match="the array 0 is not what this run began"):
        store_frames(folder, MODEL, output=out, device="cpu")
    (tmp_path / "mine").mkdir()
    (unfinished / "link").symlink_to(tmp_path / "mine")
    for overwrite in (False, True):
        with pytest.raises(FileError, match="link in it is no regular file"):
            store_frames(folder, MODEL, output=out, device="cpu", overwrite=overwrite)
    assert (tmp_path / "mine").is_dir()


def test_a_store_that_is_removed_while_it_is_written_is_told_and_leaves_nothing(folder, tmp_path):
    out, unfinished = tmp_path / "lapse.zarr", tmp_path / "lapse.unfinished.zarr"
    events = store_frames_events(folder, MODEL, output=out, device="cpu")
    next(event for event in events if event.done >= 100)
    shutil.rmtree(unfinished)
    with pytest.raises(FileError, match="removed or moved while it was written"):
        list(events)
    assert not unfinished.exists()
    events = store_frames_events(folder, MODEL, output=out, device="cpu")
    next(event for event in events if event.done >= 200)
    shutil.rmtree(unfinished / "0" / "c" / "0")
    with pytest.raises(FileError, match="a frame of it was removed"):
        list(events)
    store_frames(folder, MODEL, output=out, device="cpu")
    assert np.isfinite(zarr.open_group(out, mode="r")["0"][0]).all()


def test_a_frame_whose_new_file_cannot_be_read_is_no_longer_the_old_one(folder, begun, tmp_path):
    """The cube of an earlier file had stood under its number, and nothing was said."""
    out, _unfinished = begun
    (folder / "frame1.png").write_bytes(b"no picture")
    stored = store_frames(folder, MODEL, output=out, device="cpu")
    assert set(stored.failures) == {1, 2}
    with pytest.raises(FileError, match="frame 2 was left empty"):
        read(f"{out}:2")
    assert np.isnan(zarr.open_group(out, mode="r")["0"][1]).all()


def test_what_is_said_of_a_stack_and_of_its_frames_is_said_of_the_store(tmp_path):
    frames = np.random.default_rng(0).integers(0, 4096, (3, 20, 24, 3), np.uint16)
    where = tmp_path / "lapse"
    where.mkdir()
    for number, frame in enumerate(frames):
        tifffile.imwrite(where / f"frame{number}.tif", frame, photometric="rgb")
    stored = store_frames(where, MODEL, output=tmp_path / "lapse.zarr", device="cpu")
    assert has(stored.notices, Code.FULL_SCALE_DOUBTFUL)


def test_the_command_takes_a_full_scale_and_refuses_what_it_does_not_use(tmp_path, capsys):
    frame = np.random.default_rng(0).integers(0, 4096, (20, 24, 3), np.uint16)
    where, out = tmp_path / "lapse", str(tmp_path / "lapse.zarr")
    where.mkdir()
    for number in range(2):
        tifffile.imwrite(where / f"frame{number}.tif", frame, photometric="rgb")
    command = ["predict", str(where), "--stack", "-o", out, "--model", MODEL, "--device", "cpu"]
    assert main([*command, "--full-scale", "4095"]) == 0
    alone = read(where / "frame0.tif", full_scale=4095)
    expected = reconstruct(alone, MODEL, device="cpu").data
    np.testing.assert_array_equal(read(f"{out}:2").data, expected)
    with pytest.raises(SystemExit):
        main([*command, "--bands", "0,1"])
    assert "without --bands" in capsys.readouterr().err
