from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from napari_hsr import evaluate, read, samples
from napari_hsr.cli import demo, main
from napari_hsr.cli import display as displays
from napari_hsr.cli.display import can_start_xvfb
from napari_hsr.errors import Hint, HSRError, hints_worded
from napari_hsr.io import write
from napari_hsr.models import DEFAULT
from napari_hsr.photograph import Photograph
from napari_hsr.viewer import demo_viewer

from ..thorough import thorough

#: Height and width of the photograph and of the chart, in a process that a user starts.
SIZES = {"small": ((80, 64), (120, 160)), "whole": ((512, 512), (360, 480))}
#: What makes the samples of such a process small.
SITE = """
from functools import partial
from pathlib import Path
from napari_hsr import samples
samples.photograph_path = lambda: Path({photograph!r})
samples.chart = partial(samples.chart, size={chart})
"""


def at_the_command_line(folder, patch):
    """A run in this process, where there is no napari, on small samples."""
    made, run = [], demo.run_demo
    said, warned = io.StringIO(), io.StringIO()
    small = folder.parent / samples.photograph_path().name
    write(Photograph(samples.photograph().data[100:180, 200:264]), small)
    patch.setattr(samples, "photograph_path", lambda: small)
    patch.setattr(samples, "chart", partial(samples.chart, size=(120, 160)))
    patch.setitem(sys.modules, "napari", None)
    patch.setattr(
        demo, "run_demo", lambda *given, **say: made.append(run(*given, **say)) or made[0]
    )
    patch.setattr(sys, "stdout", said)
    patch.setattr(sys, "stderr", warned)
    status = main(["demo", "--output", str(folder)])
    files = made[0]
    written = {path for path in vars(files).values() if path != small}
    return SimpleNamespace(
        files=files, status=status, said=said.getvalue(), warned=warned.getvalue(),
        names={path.name for path in folder.iterdir()},
        changed={path: path.stat().st_mtime_ns for path in written},
        values=np.array(read(files.chart_cube).data[15]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs into one folder."""
    folder = tmp_path_factory.mktemp("demo") / "files"
    made = []
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            made.append(at_the_command_line(folder, patch))
    return made


@pytest.fixture(scope="module", params=thorough(SIZES, always=["small"]))
def sizes(request):
    return SIZES[request.param]


@pytest.fixture(scope="module")
def whole(runs, sizes, tmp_path_factory):
    """A third as a user starts it: with the viewer but without a display."""
    show = can_start_xvfb() and find_spec("napari") is not None
    environment = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    if sizes != SIZES["whole"]:
        site = tmp_path_factory.mktemp("site")
        changes = SITE.format(photograph=str(runs[0].files.photograph), chart=sizes[1])
        (site / "sitecustomize.py").write_text(changes, encoding="utf-8")
        places = [str(site), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    folder = runs[0].files.metrics.parent
    command = [sys.executable, "-m", "napari_hsr", "demo", "--output", str(folder)]
    return subprocess.run(
        [*command, *([] if show else ["--no-viewer"])],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def files(runs, whole):
    assert whole.returncode == 0, whole.stdout + whole.stderr
    return replace(runs[0].files, photograph=samples.photograph_path())


def test_the_cubes_are_written_whole(files, sizes):
    assert read(files.photograph_cube).shape == (31, *sizes[0])
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


def test_without_napari_the_files_are_made_and_the_reason_is_said(runs):
    first, _ = runs
    assert first.status == 0
    assert "napari-hsr[all]" in first.warned
    assert str(first.files.metrics) in first.said
    assert str(first.files.spectra) in first.said
    assert {path.name for path in first.changed} <= first.names
    assert "screenshot.png" not in first.names


@pytest.mark.parametrize("name", ["metrics.json", "chart.png", "notes.txt"])
def test_a_folder_of_the_users_is_left_alone(hsr, tmp_path, name):
    (tmp_path / name).write_text("mine")
    status, _, said = hsr("demo", "--output", tmp_path, "--no-viewer")
    assert (status, (tmp_path / name).read_text()) == (1, "mine")
    assert f"none of a demonstration ({name})" in said


def test_a_second_run_replaces_the_first_by_the_same(runs):
    first, second = runs
    assert second.status == 0
    assert set(first.changed) == set(second.changed)
    assert all(second.changed[path] > changed for path, changed in first.changed.items())
    np.testing.assert_array_equal(second.values, first.values)


def test_a_run_of_other_samples_replaces_all_of_it(runs, files, sizes):
    _, second = runs
    assert all(path.stat().st_mtime_ns > changed for path, changed in second.changed.items())
    assert read(files.chart_cube).shape[1:] == sizes[1]


def test_without_display_and_xvfb_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(displays, "real_display", lambda: False)
    monkeypatch.setattr(displays, "can_start_xvfb", lambda: False)
    assert "xvfb" in demo.why_no_viewer()


@pytest.mark.parametrize("display", [True, False])
def test_the_viewer_opens_on_the_display_there_is(hsr, files, tmp_path, monkeypatch, display):
    """With a display in this process and to stay; else in a process of its own, to close."""
    opened = []
    monkeypatch.setattr(demo, "run_demo", lambda output, say: files)
    monkeypatch.setattr(displays, "real_display", lambda: display)
    monkeypatch.setattr(displays, "can_start_xvfb", lambda: True)
    monkeypatch.setattr(demo, "_show", lambda files, path, stay: opened.append((path, stay)))
    monkeypatch.setattr(displays, "run_under_xvfb", lambda command: opened.append(command) or 5)
    status, *_ = hsr("demo", "--output", tmp_path)
    if display:
        assert status == 0
        assert opened == [(tmp_path / "screenshot.png", True)]
    else:
        assert status == 5
        ((*_, option, _, output),) = opened
        assert (option, output) == ("--close-viewer", str(tmp_path))


@pytest.mark.skipif(not can_start_xvfb(), reason="Xvfb is not installed")
def test_the_picture_of_the_viewer_is_taken_without_a_display(files, whole):
    pytest.importorskip("napari")
    assert "Traceback" not in whole.stderr
    assert "X11" not in whole.stderr
    picture = read(files.metrics.parent / "screenshot.png").data
    assert len(np.unique(picture[::4, ::4].reshape(-1, 3), axis=0)) > 200  # not an empty canvas


def test_the_viewer_of_the_demonstration_names_no_option_of_the_command(monkeypatch, tmp_path):
    def told():
        return str(HSRError("It is large.", hint=Hint.ALLOW_LARGE))

    said = []

    def show(_files, screenshot, stay):
        said.append(told())
        screenshot.touch()

    monkeypatch.setattr(demo_viewer, "show_demo", show)
    with hints_worded(lambda _hint: "Add --large."):
        demo._show(None, tmp_path / "s.png", stay=False)
        assert told() == "It is large. Add --large."
    assert "allow_large=True" in said[0]
    assert "--large" not in said[0]
