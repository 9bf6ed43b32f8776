"""``napari-hsr library``."""

from __future__ import annotations

import json

import numpy as np

import napari_hsr
from napari_hsr.cli import main


def write(path, value):
    path.write_text(f"nm,{path.stem}\n400,{value}\n500,{value}\n")
    return str(path)


def test_files_are_joined_and_written(tmp_path, capsys):
    files = [write(tmp_path / "a.csv", 0.25), write(tmp_path / "b.csv", 0.5)]
    out = tmp_path / "both.sli"
    assert main(["library", *files, "-o", str(out), "--normalise", "max"]) == 0
    found = napari_hsr.read_library(out)
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(found.values, np.ones((2, 2)))
    assert "2: a, b" in capsys.readouterr().out


def test_json_and_a_stated_scale(tmp_path, capsys):
    file = write(tmp_path / "a.csv", 50)
    assert main(["library", file, "--scale", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["value_range"] == [50, 50]
    assert found["notices"] == []
    assert main(["library", file]) == 0
    assert "percent" in capsys.readouterr().err


def test_an_input_is_never_written_over(tmp_path, capsys):
    file = write(tmp_path / "a.csv", 0.5)
    before = (tmp_path / "a.csv").read_bytes()
    assert main(["library", file, "-o", file]) == 1
    assert "input" in capsys.readouterr().err
    assert (tmp_path / "a.csv").read_bytes() == before
