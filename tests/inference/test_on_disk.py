"""Results on disk: the same as in memory, killed and gone on with, and what is refused."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
import zarr

from napari_hsr import Photograph, read, reconstruct
from napari_hsr.errors import FileError, InputError
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.estimates import speed_probe
from napari_hsr.inference.tiles import result_place
from napari_hsr.io import atomic
from napari_hsr.io.zarr.in_parts import ZarrInParts
from napari_hsr.io.zarr.store_lock import StoreLock, put_aside
from napari_hsr.models import ModelCard
from napari_hsr.models.model import Model
from napari_hsr.notices import Code, has
from napari_hsr.signs_of_life import this_machine

CARD = ModelCard(
    name="toy",
    title="A toy",
    architecture="toy",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)


class Mean(torch.nn.Module):
    """A mean of 5 × 5 pixels that counts its passes, and has no memory for more than so many pixels."""

    def __init__(self, most=10**9):
        super().__init__()
        self.most, self.passes = most, 0

    def forward(self, x):
        if x.shape[2] * x.shape[3] > self.most:
            raise MemoryError
        self.passes += 1
        padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="replicate")
        return torch.nn.functional.avg_pool2d(padded, 5, 1)


def toy(context=2, most=10**9, **facts):
    facts = {"weights_sha256": "0" * 64, **facts}
    return Model(module=Mean(most), card=CARD, bands=3, context=context, **facts)


@pytest.fixture(autouse=True)
def _tiles_alone(monkeypatch):
    """Passes of the network that are counted are those over tiles."""
    monkeypatch.setattr(speed_probe, "worthwhile", lambda _run: False)


@pytest.fixture(scope="module")
def photograph():
    values = np.random.default_rng(1).integers(0, 256, (300, 570, 3), dtype=np.uint8)
    values[10:14, 20:30] = 255
    return Photograph(values, "linear-srgb", name="leaf")


def run(photograph, model, path, tile=128, **options):
    *_, result = reconstruct_events(
        photograph, model, tile=tile, device="cpu", output=path, **options
    )
    return result


def stop_after(photograph, model, path, tiles, tile=128):
    """Left alone when so many tiles are written."""
    events = reconstruct_events(photograph, model, tile=tile, device="cpu", output=path)
    for event in events:
        if event.done == tiles:
            events.close()


@pytest.mark.parametrize(("context", "tile"), [(2, 128), (2, 50), (None, 100), (2, "whole")])
def test_the_store_holds_what_memory_would(tmp_path, photograph, monkeypatch, context, tile):
    monkeypatch.setattr(result_place, "BLENDED_SHARD", 128)
    expected = reconstruct(photograph, toy(context), tile=tile, device="cpu")
    result = run(photograph, toy(context), tmp_path / "leaf.zarr", tile)
    np.testing.assert_array_equal(np.asarray(result.cube.data), expected.data)
    assert not result.cube.in_memory
    assert result.cube.value_range == expected.value_range
    assert result.cube.notices == expected.notices
    assert has(result.notices, Code.SATURATED)
    found = read(tmp_path / "leaf.zarr")
    np.testing.assert_array_equal(found.data, expected.data)
    assert found.wavelengths == expected.wavelengths
    assert found.value_range == expected.value_range
    assert (found.name, found.provenance.model) == ("leaf toy", "toy")
    assert not found.notices
    assert [p.name for p in tmp_path.glob("*zarr*")] == ["leaf.zarr"]
    group = zarr.open_group(tmp_path / "leaf.zarr", mode="r")
    scale = group.attrs["ome"]["multiscales"][0]
    assert [level["path"] for level in scale["datasets"]] == sorted(group) == ["0", "1"]
    assert scale["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 2.0, 2.0]},
        {"type": "translation", "translation": [0.0, 0.5, 0.5]},
    ]
    means = expected.data.reshape(3, 150, 2, 285, 2).mean((2, 4))
    np.testing.assert_allclose(group["1"][:], means, rtol=4 * 2**-24)  # the order of four additions


@pytest.mark.parametrize("context", [2, None])
def test_what_is_finished_is_not_computed_again(tmp_path, photograph, context):
    path = tmp_path / "leaf.zarr"
    expected = reconstruct(photograph, toy(context), tile=128, device="cpu")
    first, second = toy(context), toy(context)
    stop_after(photograph, first, path, 7)
    half = read(tmp_path / "leaf.unfinished.zarr")
    assert has(half.notices, Code.UNFINISHED)
    assert np.isnan(half.data).any()
    assert half.wavelengths == expected.wavelengths
    result = run(photograph, second, path, tile="auto")  # the tiles are those that were begun with
    assert first.module.passes == 7
    assert second.module.passes == result.tiles - 7
    np.testing.assert_array_equal(np.asarray(result.cube.data), expected.data)
    assert result.cube.value_range == expected.value_range
    assert result.cube.notices[0] == expected.notices[0]  # saturated pixels of both runs
    assert has(result.notices, Code.RESUMED)


@pytest.mark.parametrize("context", [2, None])
def test_tiles_that_were_cut_for_lack_of_memory(tmp_path, photograph, context):
    path = tmp_path / "leaf.zarr"
    photograph = Photograph(photograph.data[:200, :260], "linear-srgb", name="leaf")
    small = toy(context, most=100**2)
    stop_after(photograph, small, path, 5)
    assert list(path.with_name("leaf.unfinished.zarr").glob("journal/*.npy"))
    second = toy(context)
    result = run(photograph, second, path)
    whole = run(photograph, toy(context), tmp_path / "whole.zarr")
    # sums of windows that were cut are taken in another order
    rtol = 0 if context else 8 * 2**-24
    np.testing.assert_allclose(np.asarray(result.cube.data), np.asarray(whole.cube.data), rtol=rtol)
    assert second.module.passes < whole.tiles or context is None
    assert result.cube.notices[0] == whole.cube.notices[0]
    in_memory = reconstruct(photograph, toy(context, most=100**2), tile=128, device="cpu")
    cut = run(photograph, toy(context, most=100**2), tmp_path / "cut.zarr")
    np.testing.assert_allclose(np.asarray(cut.cube.data), in_memory.data, rtol=rtol)
    assert has(cut.notices, Code.TILES_HALVED)


def test_another_run_does_not_go_on(tmp_path, photograph):
    path = tmp_path / "leaf.zarr"
    stop_after(photograph, toy(), path, 3)
    darker = Photograph(photograph.data // 2, "linear-srgb", name="leaf")
    for changed, model, options in (
        ("weights", toy(weights_sha256="1" * 64), {}),
        ("input", toy(), {"image": darker}),
        ("ensemble", toy(), {"ensemble": "mean"}),
        ("tile", toy(), {"tile": 64}),
    ):
        image = options.pop("image", photograph)
        with pytest.raises(FileError, match=f"another .*{changed}.*overwrite"):
            run(image, model, path, **options)
    anew = toy(weights_sha256="1" * 64)
    result = run(photograph, anew, path, overwrite=True)
    assert anew.module.passes == result.tiles
    assert not has(result.notices, Code.RESUMED)


def test_a_lost_shard_is_computed_again(tmp_path, photograph):
    path = tmp_path / "leaf.zarr"
    stop_after(photograph, toy(), path, 6)
    shards = sorted((tmp_path / "leaf.unfinished.zarr" / "0" / "c").rglob("*"))
    shards = [shard for shard in shards if shard.is_file()]
    shards[1].unlink()
    shards[3].write_bytes(shards[3].read_bytes()[:-100])  # as after a failure of power
    model = toy()
    result = run(photograph, model, path)
    assert model.module.passes == result.tiles - 4
    expected = reconstruct(photograph, toy(), tile=128, device="cpu")
    np.testing.assert_array_equal(np.asarray(result.cube.data), expected.data)
    next(path.glob("0/c/0/1/1")).unlink()
    assert has(read(path).notices, Code.PARTLY_WRITTEN)


def test_shards_that_were_exchanged_are_computed_again(tmp_path, photograph):
    path = tmp_path / "leaf.zarr"
    stop_after(photograph, toy(), path, 6)
    shards = [s for s in (tmp_path / "leaf.unfinished.zarr" / "0" / "c").rglob("*") if s.is_file()]
    first, second = sorted(shards)[:2]
    contents = first.read_bytes(), second.read_bytes()
    size = max(map(len, contents))
    journal = tmp_path / "leaf.unfinished.zarr" / "journal" / "parts.jsonl"
    first.write_bytes(contents[1].ljust(size, b"\0"))
    second.write_bytes(contents[0].ljust(size, b"\0"))
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    for entry in entries:  # as if both had been of one size
        for shard in entry["shards"]:
            shard["bytes"] = size if shard["bytes"] in map(len, contents) else shard["bytes"]
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    found = run(photograph, toy(), path)
    expected = reconstruct(photograph, toy(), tile=128, device="cpu")
    np.testing.assert_array_equal(np.asarray(found.cube.data), expected.data)


FORGED = {
    "no JSON": "[" * 5000,
    "a number": "5",
    "no shards": "{}",
    "elsewhere": '{"shards": [{"shard": ["..", ".."], "range": null, "bytes": 1}]}',
    "beyond": '{"shards": [{"shard": [9, 9], "range": null, "bytes": 1}]}',
    "endless": '{"shards": [{"shard": [0, 0], "range": [0, 1e999], "bytes": 1}]}',
    "a tile": '{"shards": [], "tile": [1], "core": [0, 0, 1, 1], "draft": true, "counted": {}}',
    "counts": '{"shards": [], "tile": [0, 1, 0, 1], "core": [0, 0, 1, 1], "draft": true, '
    '"counted": {"clipped": "x"}}',
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, photograph):
    path = tmp_path_factory.mktemp("stopped") / "leaf.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed_probe, "worthwhile", lambda _run: False)
        stop_after(photograph, toy(), path, 3)
    return path.with_name("leaf.unfinished.zarr")


@pytest.fixture
def begun(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / stopped.name)


@pytest.mark.parametrize("line", FORGED.values(), ids=FORGED)
def test_a_forged_journal_is_refused(begun, photograph, line):
    with (begun / "journal" / "parts.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FileError, match="its journal is damaged"):
        run(photograph, toy(), begun.with_name("leaf.zarr"))


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
@pytest.mark.parametrize("what", ["0/c", "journal/lock", "journal/parts.jsonl", "pipe", "itself"])
def test_nothing_is_written_through_links_of_a_store(begun, tmp_path, photograph, what):
    elsewhere = tmp_path / "elsewhere"
    place = begun if what == "itself" else begun / what
    if what == "pipe":
        os.mkfifo(place)
    elif place.exists():
        place.rename(elsewhere)
        place.symlink_to(elsewhere)
    else:
        elsewhere.write_text("mine")
        place.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*")), elsewhere.exists() and elsewhere.stat().st_mtime_ns
    for overwrite in (False, True):
        with pytest.raises(FileError, match=r"no regular file|is a link"):
            run(photograph, toy(), tmp_path / "leaf.zarr", overwrite=overwrite)
    assert before == (
        sorted(elsewhere.rglob("*")),
        elsewhere.exists() and elsewhere.stat().st_mtime_ns,
    )


@pytest.mark.parametrize(
    ("key", "value"), [("shape", [3, 9, 9]), ("fill_value", 5), ("codecs", [])]
)
def test_arrays_of_another_make_are_not_gone_on_with(begun, photograph, key, value):
    facts = begun / "0" / "zarr.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {key: value}))
    with pytest.raises(FileError, match="it is damaged"):
        run(photograph, toy(), begun.with_name("leaf.zarr"))


def test_a_store_that_is_none_of_ours_is_never_taken_away(tmp_path, photograph):
    zarr.open_group(tmp_path / "leaf.unfinished.zarr", mode="w")
    with pytest.raises(FileError, match="not replaced"):
        run(photograph, toy(), tmp_path / "leaf.zarr", overwrite=True)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, r"disk is full.*leaf\.unfinished\.zarr: make room"),
        (errno.EFBIG, r"larger than is allowed.*leaf\.unfinished\.zarr: allow larger"),
    ],
)
def test_a_full_disk_keeps_what_is_finished(tmp_path, photograph, monkeypatch, number, said):
    path, put, puts = tmp_path / "leaf.zarr", ZarrInParts.put, []

    def full(self, shard, values):
        if len(puts) == 4:
            self._arrays = [Full()] * len(self._arrays)
        puts.append(shard)
        return put(self, shard, values)

    class Full:
        def __setitem__(self, index, values):
            raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(ZarrInParts, "put", full)
        with pytest.raises(FileError, match=said):
            run(photograph, toy(), path)
    model = toy()
    assert run(photograph, model, path).tiles == model.module.passes + 4


def test_what_is_no_store_of_a_result(tmp_path, photograph):
    with pytest.raises(InputError, match=r"\.zarr"):
        run(photograph, toy(), tmp_path / "leaf.h5")
    (tmp_path / "notes.zarr").mkdir()
    with pytest.raises(FileError, match="not replaced"):
        run(photograph, toy(), tmp_path / "notes.zarr")
    zarr.open_group(tmp_path / "other.unfinished.zarr", mode="w")
    with pytest.raises(FileError, match="not replaced"):
        run(photograph, toy(), tmp_path / "other.zarr")
    with pytest.raises(FileError, match="does not exist"):
        run(photograph, toy(), tmp_path / "nowhere" / "leaf.zarr")


def test_two_processes_do_not_write_one_store(tmp_path, photograph):
    import psutil

    path = tmp_path / "leaf.zarr"
    stop_after(photograph, toy(), path, 3)
    lock = tmp_path / "leaf.unfinished.zarr" / "journal" / "lock"
    assert not lock.exists()
    parent = psutil.Process(os.getppid())
    owner = {"computer": this_machine(), "process": parent.pid, "since": parent.create_time()}
    lock.write_text(json.dumps(owner))
    with pytest.raises(FileError, match=f"process {parent.pid} is writing it"):
        run(photograph, toy(), path, overwrite=True)
    lock.write_text(json.dumps(owner | {"since": 1.0}))  # a process that is gone, its number reused
    run(photograph, toy(), path)


KILLED = dedent(
    """
    import os, signal, sys
    import numpy as np
    sys.path.insert(0, sys.argv[1])
    import test_on_disk as here
    from napari_hsr import reconstruct
    from napari_hsr.inference.estimates import speed_probe
    from napari_hsr.inference.tiles import result_place
    from napari_hsr.io.zarr import in_parts as zarr_in_parts
    from napari_hsr.io.zarr.in_parts import ZarrInParts

    result_place.BLENDED_SHARD = 64
    speed_probe.worthwhile = lambda run: False
    photograph = here.make_photograph()
    computed = os.open("computed", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def killed(context, owner, name, after, nth):
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        calls, real = [], getattr(owner, name)
        def kills(*given):
            calls.append(name)
            now = len(calls) == nth
            if now and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            found = real(*given)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)
            return found
        setattr(owner, name, kills)
        model = here.toy(context)
        forward = model.module.forward
        model.module.forward = lambda x: os.write(computed, b"x") and forward(x)
        here.run(photograph, model, "leaf.zarr")
        os._exit(0)

    put, note, finish = ((ZarrInParts, name) for name in ("put", "note", "finish"))
    draft, halve, replace = (ZarrInParts, "draft"), (zarr_in_parts, "halve"), (os, "replace")
    points = {
        2: [(*put, 0, 1), (*put, 1, 3), (*note, 0, 2), (*note, 1, 1), (*replace, 0, 1)],
        None: [(*draft, 0, 1), (*draft, 1, 2), (*note, 0, 3), (*put, 1, 1), (*replace, 0, 2),
               (*note, 1, 1), (*finish, 0, 1), (*halve, 1, 1)],
    }
    for context in points:
        codes = [killed(context, *point) for point in points[context]]
        last = killed(context, *note, 0, 10**9)
        print(context, codes.count(-signal.SIGKILL) - len(codes), len(codes), last, os.stat("computed").st_size)
        os.rename("leaf.zarr", f"leaf-{context}.zarr")
        os.truncate("computed", 0)
    """
)


def make_photograph():
    values = np.random.default_rng(1).integers(0, 256, (150, 520, 3), dtype=np.uint8)
    return Photograph(values, "linear-srgb", name="leaf")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the child is a copy of its parent")
def test_killed_at_any_moment_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(result_place, "BLENDED_SHARD", 64)
    here = os.path.dirname(__file__)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, here], cwd=tmp_path, capture_output=True, text=True
    )
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line, context in zip(lines, (2, None), strict=True):
        _, lived, kills, last, computed = line.split()
        assert (lived, last) == ("0", "0")
        expected = run(make_photograph(), toy(context), tmp_path / "expected.zarr")
        found = read(tmp_path / f"leaf-{context}.zarr")
        np.testing.assert_array_equal(found.data, np.asarray(expected.cube.data))
        # at most the tile at hand was lost each time
        assert expected.tiles <= int(computed) <= expected.tiles + int(kills)


def test_what_killed_runs_left_hidden_is_cleared_up(tmp_path, photograph):
    owner = f"{atomic._MACHINE}-999999999"
    left = [f".leaf.unfinished.zarr.{owner}-01234567.tmp", f".old.zarr.{owner}-89abcdef.old"]
    for name in left:
        (tmp_path / name / "0").mkdir(parents=True)
    run(photograph, toy(), tmp_path / "leaf.zarr")
    assert not [name for name in left if (tmp_path / name).exists()]


def test_a_result_whose_store_is_gone_holds_no_missing_values(tmp_path, photograph):
    place = tmp_path / "leaf.zarr"
    cube = run(photograph, toy(), place).cube
    kept = np.asarray(cube.data[0, :4])
    assert np.isfinite(kept).all()
    place.rename(tmp_path / "moved.zarr")
    with pytest.raises(FileError, match="is gone while it was open"):
        cube.data[0, :4]
    run(photograph, toy(1, weights_sha256="1" * 64), place)
    with pytest.raises(FileError, match="was replaced by another one"):
        cube.data[0, :4]


@pytest.mark.parametrize("later", [False, True], ids=["before a part", "within a part"])
def test_a_store_that_is_removed_while_it_is_written_is_told_and_leaves_nothing(
    tmp_path, photograph, monkeypatch, later
):
    path, folder = tmp_path / "leaf.zarr", tmp_path / "leaf.unfinished.zarr"
    stop_after(photograph, toy(), path, 3)
    put = ZarrInParts.put

    def removed(store, shard, values):
        if later:
            monkeypatch.setattr(type(store._arrays[0]), "__setitem__", once_removed)
        else:
            shutil.rmtree(folder)
        return put(store, shard, values)

    write = zarr.Array.__setitem__

    def once_removed(array, key, values):
        shutil.rmtree(folder, ignore_errors=True)
        write(array, key, values)

    with monkeypatch.context() as patch:
        patch.setattr(ZarrInParts, "put", removed)
        with pytest.raises(FileError, match="removed or moved while it was written"):
            run(photograph, toy(), path)
    monkeypatch.undo()
    assert not folder.exists()
    run(photograph, toy(), path)


def test_a_part_that_is_removed_while_the_rest_is_written_is_no_missing_value(
    tmp_path, photograph, monkeypatch
):
    path, folder = tmp_path / "leaf.zarr", tmp_path / "leaf.unfinished.zarr"
    finish = ZarrInParts.finish

    def without(store, cube):
        next(folder.glob("0/c/0/1/1")).unlink()
        return finish(store, cube)

    with monkeypatch.context() as patch:
        patch.setattr(ZarrInParts, "finish", without)
        with pytest.raises(FileError, match="a part of it was removed"):
            run(photograph, toy(), path)
    found = run(photograph, toy(), path)
    assert np.isfinite(np.asarray(found.cube.data)).all()


def test_an_array_that_is_gone_is_told(begun, photograph):
    shutil.rmtree(begun / "1")
    with pytest.raises(FileError, match="the array 1 of it is gone: overwrite it to begin anew"):
        run(photograph, toy(), begun.with_name("leaf.zarr"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_two_that_find_no_lock_at_once_one_gets_it(tmp_path, photograph, monkeypatch, overwrite):
    """Between the look for a lock and the taking of it another process may come."""
    import psutil

    path = tmp_path / "leaf.zarr"
    stop_after(photograph, toy(), path, 3)
    lock = tmp_path / "leaf.unfinished.zarr" / "journal" / "lock"
    parent = psutil.Process(os.getppid())
    owner = {"computer": this_machine(), "process": parent.pid, "since": parent.create_time()}
    look, looks = StoreLock.check_unused, []

    def another_comes_then(self):
        look(self)
        if not looks:
            lock.write_text(json.dumps(owner))
        looks.append(1)

    monkeypatch.setattr(StoreLock, "check_unused", another_comes_then)
    with pytest.raises(FileError, match=f"process {parent.pid} is writing it"):
        run(photograph, toy(), path, overwrite=overwrite)
    assert json.loads(lock.read_text()) == owner
    assert sorted(file.name for file in lock.parent.iterdir()) == ["lock", "parts.jsonl"]


def test_the_lock_of_a_process_that_has_ended_is_not_that_of_one_that_came_meanwhile(
    tmp_path, monkeypatch
):
    lock, rename = tmp_path / "lock", os.rename
    lock.write_text("of a process that has ended")

    def another_comes_first(source, target):
        lock.write_text("of another")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", another_comes_first)
        put_aside(lock)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("lock", "of another")
    ]
    put_aside(lock)
    assert not [*tmp_path.iterdir()]


def test_a_new_store_is_there_with_its_lock_or_not_at_all(tmp_path, photograph, monkeypatch):
    replace, begun = os.replace, []

    def look(source, target):
        if str(target).endswith("unfinished.zarr"):
            begun.append(json.loads((Path(source) / "journal" / "lock").read_text())["process"])
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    run(photograph, toy(), tmp_path / "leaf.zarr")
    assert begun == [os.getpid()]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_itself_is_refused_before_anything_is_computed(tmp_path, photograph):
    (tmp_path / "leaf.zarr").symlink_to("leaf.zarr")
    model = toy()
    with pytest.raises(FileError, match=r"leaf\.zarr: it is a link that leads back to itself"):
        run(photograph, model, tmp_path / "leaf.zarr")
    assert model.module.passes == 0
    assert [path.name for path in tmp_path.iterdir()] == ["leaf.zarr"]
