"""Grids whose wavelengths are even but for one: a damaged number, or a line that is lost."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import read, read_library, write
from napari_hsr.cameras import read_cameras
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io.wavelengths import even_grids
from napari_hsr.notices import Code, has

EVEN = np.arange(400.0, 701.0, 10.0)


def changed(at, value, grid=EVEN):
    out = grid.copy()
    out[at] = value
    return out


@pytest.mark.parametrize(
    ("grid", "found"),
    [
        (EVEN, None),
        (changed(4, 446), (4, 440)),
        (changed(0, 4), (0, 400)),  # out of order, too
        (changed(-1, 790), (30, 700)),
        (changed(4, 446)[::-1], (26, 440)),
        (changed(3, 553, np.arange(400.0, 701, 50)), (3, 550)),
        (changed(-1, 850, np.arange(400.0, 701, 50)), None),  # as a camera with a band in the infrared
        (np.array([450, 500, 550, 570, 600, 650, 700.0]), None),  # one that was added
        (np.array([444, 475, 531, 560, 650, 668, 705, 717, 740, 842.0]), None),
        (np.round(np.linspace(400, 1000, 204)), None),
        (np.concatenate([EVEN, EVEN + 310.5]), None),  # two detectors
        (changed(4, 440.1), None),
    ],
)  # fmt: skip
def test_the_only_one_off_an_even_grid(grid, found):
    assert even_grids.off(grid) == found


def test_a_damaged_wavelength_of_a_cube_is_told(tmp_path):
    """``446`` that was 440 had been a band's wavelength without a word."""
    path = write(Cube(np.ones((31, 4, 5), np.float32), EVEN), tmp_path / "a.hdr")
    assert not has(read(path).notices, Code.MAYBE_DAMAGED)
    text = path.read_text()
    assert "440.0" in text
    path.write_text(text.replace("440.0", "446.0"))
    (told,) = [n for n in read(path).notices if n.code == Code.MAYBE_DAMAGED]
    assert "band 5 in the file, 446, is not 440" in told


def table(grid, separator=","):
    return "".join(f"{nm:g}{separator}{0.2 + nm / 1e4:.3f}\n" for nm in grid)


def test_a_line_lost_from_spectra_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("wavelength,leaf\n" + table(np.delete(EVEN, 7)))
    assert "no values for 470 nm" in " ".join(read_library(path).notices)
    path.write_text("wavelength,leaf\n" + table(np.delete(EVEN, slice(7, 9))))
    assert "no values for 470 and 480 nm" in " ".join(read_library(path).notices)
    in_cm = 1e7 / np.delete(np.arange(4000.0, 8000.0, 100.0), 9)
    assert even_grids.missing(in_cm[::-1]) == pytest.approx([1e7 / 4900])
    for whole in (
        EVEN,
        EVEN[:5],
        np.delete(EVEN, slice(7, 14)),
    ):  # as the bands of water are left out
        path.write_text("wavelength,leaf\n" + table(whole))
        assert not has(read_library(path).notices, Code.MAYBE_DAMAGED)


def test_a_spectrum_that_is_there_twice_is_told(tmp_path):
    row = "leaf," + ",".join(f"{0.1 + n / 1e4:.4f}" for n in EVEN) + "\n"
    path = tmp_path / "wide.csv"
    path.write_text("name," + ",".join(f"{n:g}" for n in EVEN) + "\n" + row + row)
    assert "leaf is there twice" in " ".join(read_library(path).notices)
    path.write_text(
        "name," + ",".join(f"{n:g}" for n in EVEN) + "\n" + row + row.replace("0.14", "0.15")
    )
    assert not has(read_library(path).notices, Code.MAYBE_DAMAGED)


def test_two_lines_of_a_table_that_became_one_are_refused(tmp_path):
    """The table had begun below them, without a word."""
    path = tmp_path / "a.sig"
    lines = table(EVEN, "  ").splitlines(keepends=True)
    head = "/*** Spectra Vista SIG Data ***/\nname= a\ndata=\n"
    path.write_text(head + "".join(lines))
    assert read_library(path).wavelengths_nm[0] == 400
    lines[1] = lines[1].strip() + "  "
    path.write_text(head + "".join(lines))
    with pytest.raises(FileError, match="line 5 is damaged: 4 cells where 2 were expected"):
        read_library(path)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("03679", "line 9 does not hold a wavelength and three numbers"),
        ("00001", "line 9 does not hold a wavelength and three numbers"),
        ("3679", "one value of a, 3679, is far beyond all others"),
    ],
)
def test_a_response_without_its_point_is_refused(tmp_path, damaged, said):
    """``03679``, of 0,3679 in a table with decimal commas, had been ten thousand times the others."""
    lines = [f"{nm:g};0,1;0,2;0,3679\n" for nm in EVEN]
    lines[7] = lines[7].replace("0,3679", damaged)
    (tmp_path / "a.csv").write_text("nm;red;green;blue\n" + "".join(lines))
    with pytest.raises(FileError, match=said):
        read_cameras(tmp_path / "a.csv")


def test_a_line_lost_from_a_camera_is_refused(tmp_path):
    """It has no notices, and a response between others had been used without a word."""
    path = tmp_path / "camera.csv"

    def written(grid):
        lines = "".join(f"{nm:g},0.1,0.2,0.3\n" for nm in grid)
        path.write_text(f"wavelength,R,G,B\n{lines}")
        return path

    assert len(read_cameras(written(EVEN))) == 1
    assert len(read_cameras(written(EVEN[::-1]))) == 1
    with pytest.raises(FileError, match="a line for 470 nm of camera is missing"):
        read_cameras(written(np.delete(EVEN, 7)))
    with pytest.raises(FileError, match=r"47 nm of camera stands where .* put 470 nm"):
        read_cameras(written(changed(7, 47)))
