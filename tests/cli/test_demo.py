from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from napari_hsr import evaluate, read
from napari_hsr.cli import demo, main
from napari_hsr.cli.display import can_start_xvfb
from napari_hsr.models import DEFAULT


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return demo.run_demo(tmp_path_factory.mktemp("demo"))


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


@pytest.fixture(scope="module")
def again(files):
    """A second run over the first, at the command line and where there is no napari."""
    made, paths = [], vars(files).values()
    before = {path: path.stat().st_mtime_ns for path in paths}
    values = np.array(read(files.chart_cube).data[15])
    run = demo.run_demo
    said, warned = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "napari", None)
        patch.setattr(
            demo, "run_demo", lambda *given, **say: made.append(run(*given, **say)) or made[0]
        )
        patch.setattr(sys, "stdout", said)
        patch.setattr(sys, "stderr", warned)
        status = main(["demo", "--output", str(files.metrics.parent)])
    return SimpleNamespace(
        files=made[0], before=before, values=values,
        status=status, said=said.getvalue(), warned=warned.getvalue(),
    )  # fmt: skip


def test_a_second_run_replaces_the_first(files, again):
    assert again.files == files
    for path, changed in again.before.items():
        assert path == files.photograph or path.stat().st_mtime_ns > changed
    np.testing.assert_array_equal(np.asarray(read(files.chart_cube).data[15]), again.values)


def test_without_napari_the_files_are_made_and_the_reason_is_said(files, again):
    assert again.status == 0
    assert "napari-hsr[all]" in again.warned
    for path in (files.metrics, files.spectra):
        assert str(path) in again.said
        assert path.stat().st_mtime_ns > again.before[path]
    assert not (files.metrics.parent / "screenshot.png").exists()


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
def test_the_picture_of_the_viewer_is_taken_without_a_display(tmp_path, monkeypatch):
    pytest.importorskip("napari")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = subprocess.run(
        [sys.executable, "-m", "napari_hsr", "demo", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "X11" not in done.stderr
    picture = read(tmp_path / "screenshot.png").data
    assert len(np.unique(picture[::4, ::4].reshape(-1, 3), axis=0)) > 200  # not an empty canvas
