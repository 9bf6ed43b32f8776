"""``napari-hsr convert``."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_hsr
from napari_hsr.cli import main
from napari_hsr.cli.convert import grid
from napari_hsr.errors import HSRError

NM = np.arange(400.0, 701.0, 5.0)


@pytest.fixture
def scan(tmp_path):
    data = np.random.default_rng(6).uniform(0, 1, (NM.size, 6, 5)).astype(np.float32)
    cube = napari_hsr.Cube(data, NM, units="reflectance", name="scan")
    return napari_hsr.write(cube, tmp_path / "scan.hdr"), data


def test_any_format_to_any_other(scan, tmp_path):
    path, data = scan
    for suffix in (".mat", ".tif", ".h5", ".npz", ".hdr"):
        out = tmp_path / f"copy{suffix}"
        assert main(["convert", str(path), "-o", str(out)]) == 0
        np.testing.assert_array_equal(np.asarray(napari_hsr.read(out).data), data)
        path = out


def test_options_together(scan, tmp_path, capsys):
    path, data = scan
    out = tmp_path / "part.hdr"
    line = ["--crop", "1,0,5,4", "--resample", "420:680:20", "--dtype", "uint16", "--interleave"]
    assert main(["convert", str(path), "-o", str(out), *line, "bil", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["shape"] == [14, 4, 4]
    assert said["wavelengths_nm"] == list(range(420, 681, 20))
    assert any("420–680" in notice for notice in said["notices"])
    found = napari_hsr.read(out)
    expected = napari_hsr.convert(
        napari_hsr.read(path), crop=(1, 0, 5, 4), wavelengths=np.arange(420.0, 681, 20)
    )
    np.testing.assert_allclose(np.asarray(found.data), np.asarray(expected.data), atol=5.1e-5)
    assert "interleave = bil" in out.read_text()
    assert main(["convert", str(path), "-o", str(tmp_path / "b.npz"), "--bands", "0,3-5"]) == 0
    np.testing.assert_array_equal(
        np.asarray(napari_hsr.read(tmp_path / "b.npz").data), data[[0, 3, 4, 5]]
    )


def test_grids(scan, tmp_path):
    path, _ = scan
    np.testing.assert_allclose(grid("400:700:10"), np.arange(400, 701, 10))
    assert list(grid(str(path))) == list(NM)
    (tmp_path / "grid.txt").write_text("400 450 500")
    np.testing.assert_array_equal(grid(str(tmp_path / "grid.txt")), [400, 450, 500])
    for wrong in ("700:400:10", "400:700:0", "a:b:c", str(tmp_path / "none.txt")):
        with pytest.raises(HSRError):
            grid(wrong)


def test_wrong_usage(scan, tmp_path, capsys):
    path, _ = scan
    for line in (
        ["-o", "a.xyz"],
        ["-o", "a.hdr", "--crop", "1,2"],
        ["-o", "a.hdr", "--bands", "x"],
    ):
        with pytest.raises(SystemExit) as status:
            main(["convert", str(path), *line])
        assert status.value.code == 2
    assert main(["convert", str(path), "-o", str(path)]) == 1
    assert main(["convert", str(path), "-o", str(tmp_path / "a.mat"), "--dtype", "uint16"]) == 1
    assert "data type" in capsys.readouterr().err


@pytest.mark.parametrize("scale", ["1e308", "1e-320", "-1e20", "nan", "0"])
def test_a_scale_that_leaves_no_values_is_refused(hsr, cube_file, tmp_path, scale):
    out = tmp_path / "out.npz"
    status, _, warned = hsr("convert", cube_file("a.h5"), "-o", out, f"--scale={scale}")
    assert (status, "not by" in warned, out.exists()) == (1, True, False)
