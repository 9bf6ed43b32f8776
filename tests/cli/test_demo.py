from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from napari_hsr import evaluate, read
from napari_hsr.cli import demo
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


def test_a_second_run_replaces_the_first(files):
    again = demo.run_demo(files.metrics.parent)
    assert again == files
    np.testing.assert_array_equal(
        np.asarray(read(again.chart_cube).data[15]), np.asarray(read(files.chart_cube).data[15])
    )


def test_without_napari_the_files_are_made_and_the_reason_is_said(hsr, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "napari", None)
    status, said, warned = hsr("demo", "--output", tmp_path / "d")
    assert status == 0
    assert "napari-hsr[all]" in warned
    for name in ("metrics.json", "spectra.csv"):
        assert str(tmp_path / "d" / name) in said
        assert (tmp_path / "d" / name).is_file()
    assert not (tmp_path / "d" / "screenshot.png").exists()


def test_without_display_and_xvfb_the_reason_is_said(monkeypatch):
    monkeypatch.setattr("napari_hsr.cli.display.real_display", lambda: False)
    monkeypatch.setattr("napari_hsr.cli.display.can_start_xvfb", lambda: False)
    assert "xvfb" in demo.why_no_viewer()
