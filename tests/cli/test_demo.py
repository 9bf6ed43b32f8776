from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from napari_hsr import evaluate, read
from napari_hsr.cli import demo, main
from napari_hsr.cli.display import can_start_xvfb
from napari_hsr.models import DEFAULT


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run at the command line, where there is no napari."""
    made, run = [], demo.run_demo
    said, warned = io.StringIO(), io.StringIO()
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "napari", None)
        patch.setattr(
            demo, "run_demo", lambda *given, **say: made.append(run(*given, **say)) or made[0]
        )
        patch.setattr(sys, "stdout", said)
        patch.setattr(sys, "stderr", warned)
        status = main(["demo", "--output", str(folder)])
    files = made[0]
    return SimpleNamespace(
        files=files, status=status, said=said.getvalue(), warned=warned.getvalue(),
        names={path.name for path in folder.iterdir()},
        changed={path: path.stat().st_mtime_ns for path in vars(files).values()},
        values=np.array(read(files.chart_cube).data[15]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def files(first):
    return first.files


@pytest.fixture(scope="module")
def second(files):
    """Another run over the first, as a user starts it, with the viewer but without a display."""
    show = can_start_xvfb() and find_spec("napari") is not None
    environment = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    command = [sys.executable, "-m", "napari_hsr", "demo", "--output", str(files.metrics.parent)]
    return subprocess.run(
        [*command, *([] if show else ["--no-viewer"])],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_cubes_are_written_whole(files):
    assert read(files.photograph_cube).shape == (31, 512, 512)
    assert read(files.chart_cube).shape == read(files.chart_truth).shape
    assert read(files.photograph_cube).provenance.model == DEFAULT


def test_the_metrics_name_their_protocol_and_hold_for_the_files(files):
    written = json.loads(files.metrics.read_text())
    again = evaluate(read(files.chart_cube), read(files.chart_truth), protocol=written["protocol"])
    assert written["values"] == again.to_dict()["values"]
    assert 20 < written["values"]["psnr"] < 60
    assert 0 < written["values"]["sam"] < 20


def test_the_spectra_stand_beside_their_truth(files):
    text = files.spectra.read_text(encoding="utf-8")
    assert all(name in text for name in demo.PATCHES)
    assert text.count("truth") >= len(demo.PATCHES)
    assert "400" in text
    assert list(csv.reader(text.splitlines()))


def test_without_napari_the_files_are_made_and_the_reason_is_said(first):
    assert first.status == 0
    assert "napari-hsr[all]" in first.warned
    assert str(first.files.metrics) in first.said
    assert str(first.files.spectra) in first.said
    assert {path.name for path in first.changed} <= first.names | {first.files.photograph.name}
    assert "screenshot.png" not in first.names


def test_a_second_run_replaces_the_first(first, second):
    assert second.returncode == 0, second.stdout + second.stderr
    for path, changed in first.changed.items():
        assert path == first.files.photograph or path.stat().st_mtime_ns > changed
    again = np.asarray(read(first.files.chart_cube).data[15])
    np.testing.assert_array_equal(again, first.values)


def test_without_display_and_xvfb_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(demo, "real_display", lambda: False)
    monkeypatch.setattr(demo, "can_start_xvfb", lambda: False)
    assert "xvfb" in demo.why_no_viewer()


@pytest.mark.parametrize("display", [True, False])
def test_the_viewer_opens_on_the_display_there_is(hsr, files, tmp_path, monkeypatch, display):
    """With a display in this process and to stay; else in a process of its own, to close."""
    opened = []
    monkeypatch.setattr(demo, "run_demo", lambda output, say: files)
    monkeypatch.setattr(demo, "real_display", lambda: display)
    monkeypatch.setattr(demo, "can_start_xvfb", lambda: True)
    monkeypatch.setattr(demo, "_show", lambda files, path, stay: opened.append((path, stay)))
    monkeypatch.setattr(demo, "run_under_xvfb", lambda command: opened.append(command) or 5)
    status, *_ = hsr("demo", "--output", tmp_path)
    if display:
        assert status == 0
        assert opened == [(tmp_path / "screenshot.png", True)]
    else:
        assert status == 5
        ((*_, option, _, output),) = opened
        assert (option, output) == ("--close-viewer", str(tmp_path))


@pytest.mark.skipif(not can_start_xvfb(), reason="Xvfb is not installed")
def test_the_picture_of_the_viewer_is_taken_without_a_display(files, second):
    pytest.importorskip("napari")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Traceback" not in second.stderr
    assert "X11" not in second.stderr
    picture = read(files.metrics.parent / "screenshot.png").data
    assert len(np.unique(picture[::4, ::4].reshape(-1, 3), axis=0)) > 200  # not an empty canvas
