"""Photographs as a queue: a folder with bad files, open photographs, and a cancel in the middle."""

import threading

import numpy as np
import pytest
from PIL import Image

from napari_hsr import Photograph, read, reconstruct
from napari_hsr.errors import Cancelled, FileError
from napari_hsr.inference.batch.photographs import folder_events, open_events
from napari_hsr.inference.batch.queue import BatchResult, State

MODEL = "rootpoly-srgb"
VALUES = np.random.default_rng(8).integers(20, 230, (3, 6, 8, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    for number, picture in enumerate(VALUES):
        Image.fromarray(picture).save(made / f"{number}.png")
    (made / "bad.png").write_bytes(b"no picture")
    (made / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    return made


def states(events):
    *_, result = events
    assert isinstance(result, BatchResult)
    return {row.name: row.state for row in result.rows}, result


def test_bad_files_stop_no_other_and_a_second_run_computes_nothing(folder, tmp_path):
    ask = ([str(folder), str(tmp_path / "none.png")], tmp_path / "out", ".npz", MODEL, {})
    found, result = states(folder_events(*ask))
    good = {f"{n}.png" for n in range(3)}
    assert {name for name, state in found.items() if state is State.FINISHED} == good
    failed = {row.name.rpartition("/")[2] for row in result.rows if row.state is State.FAILED}
    assert failed == {"bad.png", "cut.jpg", "none.png"}
    assert all(isinstance(row.error, FileError) for row in result.rows if row.error)
    made = read(tmp_path / "out" / f"1_{MODEL}.npz")
    np.testing.assert_array_equal(made.data, reconstruct(Photograph(VALUES[1]), MODEL).data)
    again, _ = states(folder_events(*ask))
    assert {name for name, state in again.items() if state is State.UNCHANGED} == good


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_another_program_that_writes_the_ends_meanwhile_keeps_its_file(folder, tmp_path, end):
    """They had been replaced, or stood beside a cube that they are not of."""
    out = tmp_path / "out"
    out.mkdir()
    theirs = out / f"0_{MODEL}_{end}.npz"
    events = folder_events(
        [str(folder / "0.png")], out, ".npz", MODEL, {"intervals": True, "device": "cpu"}
    )
    for event in events:
        rows = getattr(event, "rows", None)
        if rows and rows[0].state is State.RUNNING:
            theirs.write_bytes(b"theirs")
    (row,) = event.rows
    assert row.state is State.FAILED
    assert "another program wrote it meanwhile" in str(row.error)
    assert theirs.read_bytes() == b"theirs"
    assert [path.name for path in out.iterdir()] == [theirs.name]


def test_the_command_finds_the_results_of_the_panel_unchanged(folder, tmp_path, capsys):
    from napari_hsr.cli import main

    states(folder_events([str(folder)], tmp_path, ".npz", MODEL, {"device": "auto"}))
    out = ["-o", f"{tmp_path}/", "--format", "npz", "--model", MODEL]
    main(["predict", str(folder / "0.png"), *out])
    assert "1 unchanged" in capsys.readouterr().out


def test_open_photographs_hand_over_their_results():
    photographs = [Photograph(values, name=f"p{n}") for n, values in enumerate(VALUES)]
    photographs[1] = Photograph(VALUES[1].astype(np.float32) / 255, None, "unknown")
    _, result = states(open_events(photographs, MODEL, {"tile": 16}))
    assert [row.state for row in result.rows] == [State.FINISHED, State.FAILED, State.FINISHED]
    expected = reconstruct(photographs[2], MODEL).data
    np.testing.assert_array_equal(result.rows[2].value.cube.data, expected)


def test_a_queue_that_is_cancelled_by_its_driver_says_how_far_it_came():
    photographs = [Photograph(values, name=f"p{n}") for n, values in enumerate(VALUES)]
    work = open_events(photographs, MODEL, {}, cancel=threading.Event())
    for event in work:
        if getattr(event, "done", 0) == 1:
            break
    with pytest.raises(Cancelled) as found:
        work.throw(Cancelled())
    ended = [row.state for row in found.value.part.rows]
    assert ended == [State.FINISHED, State.CANCELLED, State.CANCELLED]
