"""``napari-hsr calibrate``."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_hsr
from napari_hsr.cli import main

TRUTH = np.linspace(0.1, 0.9, 3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)


@pytest.fixture
def files(tmp_path):
    data = {
        "raw": TRUTH * 1000 + 20,
        "white": np.full((3, 1, 5), 1020),
        "dark": np.full((3, 2, 5), 20),
    }
    for name, values in data.items():
        napari_hsr.write(
            napari_hsr.Cube(values, [450, 550, 650], name=name), tmp_path / f"{name}.hdr"
        )
    return tmp_path


def test_raw_white_and_dark_become_reflectance(files, capsys):
    out = files / "leaf.mat"
    line = [
        "calibrate",
        files / "raw.hdr",
        "--white",
        files / "white.hdr",
        "--dark",
        files / "dark.hdr",
    ]
    assert main([*map(str, line), "-o", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["shape"] == [3, 4, 5]
    assert any("2 lines" in notice for notice in said["notices"])
    found = napari_hsr.read(out)
    np.testing.assert_allclose(np.asarray(found.data), TRUTH, atol=1e-6)
    assert found.units == "reflectance"


def test_a_panel_whose_reflectance_is_known(files):
    panel = files / "panel.csv"
    panel.write_text("nm,panel\n400,0.5\n700,0.5\n")
    line = [
        "calibrate",
        files / "raw.hdr",
        "--white",
        files / "white.hdr",
        "--dark",
        files / "dark.hdr",
    ]
    for given in (panel, "0.5"):
        out = files / "leaf.npz"
        assert main([*map(str, line), "--white-reflectance", str(given), "-o", str(out)]) == 0
        np.testing.assert_allclose(np.asarray(napari_hsr.read(out).data), TRUTH / 2, atol=1e-6)


def test_what_is_wrong_usage(files, capsys):
    raw = str(files / "raw.hdr")
    for line in (
        [raw, "-o", "a.hdr"],
        [raw, "--white", raw, "-o", "a.xyz"],
        [raw, "--white-patch", "1,2,3", "-o", "a.hdr"],
    ):
        with pytest.raises(SystemExit) as status:
            main(["calibrate", *line])
        assert status.value.code == 2
    assert main(["calibrate", raw, "--white", raw, "-o", raw]) == 1
    assert "input" in capsys.readouterr().err
