from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_hsr import Cube, Photograph, Wavelengths, write
from napari_hsr.cli.files import files_of, is_file_name, prepare_output
from napari_hsr.errors import InputError
from napari_hsr.io import file_sets
from napari_hsr.io.file_lists import expand, output_names
from napari_hsr.spectral_library import SpectralLibrary


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "c.tif", "notes.txt", ".hidden.png", "sub/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(found: list[Path]) -> list[str]:
    return [path.name for path in found]


def test_a_folder_stands_for_the_photographs_directly_in_it(photographs):
    found, errors = expand([str(photographs)])
    assert names(found) == ["a.JPG", "b.png", "c.tif"]
    assert not errors


def test_an_envi_image_is_one_file_of_a_pattern(tmp_path):
    """Its header and its binary had been computed each, for two results of one name."""
    values = np.zeros((3, 4, 5), np.float32)
    for name in ("c", "d"):
        write(Cube(values, Wavelengths([500.0, 600.0, 700.0])), tmp_path / f"{name}.hdr")
    (binary,) = (path for path in tmp_path.glob("c.*") if path.suffix != ".hdr")
    found, _ = expand([f"{tmp_path}/*"])
    assert names(found) == ["c.hdr", "d.hdr"]
    assert names(expand([str(binary), str(tmp_path / "c.hdr")])[0]) == ["c.hdr"]
    assert expand([str(binary)])[0] == [binary]


def test_patterns_are_expanded_for_shells_that_do_not(photographs):
    found, _ = expand([f"{photographs}/*.png"])
    assert names(found) == ["b.png"]
    found, _ = expand([f"{photographs}/**/*.png"])
    assert sorted(names(found)) == ["b.png", "d.png"]


def test_each_file_comes_once_and_in_the_order_given(photographs):
    c = str(photographs / "c.tif")
    found, _ = expand([c, str(photographs), f"{photographs}/sub/../c.tif"])
    assert names(found) == ["c.tif", "a.JPG", "b.png"]


def test_a_name_with_brackets_is_a_name_first(tmp_path):
    (tmp_path / "a[1].png").write_bytes(b"x")
    (tmp_path / "a1.png").write_bytes(b"x")
    found, _ = expand([str(tmp_path / "a[1].png")])
    assert names(found) == ["a[1].png"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [("none.png", "no such file"), ("*.jpg", "matches no file"), ("empty", "no photograph")],
)
def test_what_stands_for_nothing_is_said_and_stops_nothing_else(tmp_path, given, reason):
    (tmp_path / "empty").mkdir()
    (tmp_path / "good.png").write_bytes(b"x")
    found, errors = expand([str(tmp_path / given), str(tmp_path / "good.png")])
    assert names(found) == ["good.png"]
    (error,) = errors
    assert reason in str(error)
    assert given in str(error)


def test_one_name_twice_gives_two_outputs(tmp_path):
    inputs = [Path("one/x.png"), Path("two/X.jpg"), Path("x_m-2.png"), Path("three/x.png")]
    outputs = output_names(inputs, tmp_path, "m", ".mat")
    assert names(outputs) == ["x_m.mat", "X_m-2.mat", "x_m-2_m.mat", "x_m-3.mat"]
    assert len({path.name.casefold() for path in outputs}) == len(inputs)


def test_a_model_given_as_a_path_makes_no_folders(tmp_path):
    (output,) = output_names([Path("x.png")], tmp_path, "../my models/m", ".h5")
    assert output.parent == tmp_path
    assert output.suffix == ".h5"


@pytest.mark.parametrize(
    ("out", "is_file"),
    [("a.mat", True), ("a.MAT", True), ("a.mat/", False), ("folder", False), ("a.xyz", False)],
)
def test_a_known_suffix_makes_a_file_name(out, is_file):
    assert is_file_name(out, (".mat", ".h5")) is is_file


def test_an_existing_folder_is_a_folder_whatever_its_suffix(tmp_path):
    (tmp_path / "cubes.mat").mkdir()
    assert not is_file_name(str(tmp_path / "cubes.mat"), (".mat",))


def test_an_input_is_never_overwritten_even_through_a_link(tmp_path):
    source = tmp_path / "a.tif"
    source.write_bytes(b"x")
    link = tmp_path / "b.tif"
    link.hardlink_to(source)
    for out in (source, link, tmp_path / "sub" / ".." / "a.tif"):
        with pytest.raises(InputError, match="is an input"):
            prepare_output(out, [source], overwrite=True)
    assert not prepare_output(tmp_path / "c.tif", [source], overwrite=False)


@pytest.mark.parametrize(
    "command",
    [
        ["trust", "photo.png", "--at", "1,1", "--camera", "table.csv:a", "-o", "table.csv"],
        ["chart", "photo.png", "--corners", "0,0", "0,9", "9,9", "9,0", "--estimate-camera", "photo.png"],
        ["predict", "photo.png", "--camera", "table.csv:a", "-o", "o.npz", "--summary", "table.csv"],
        ["predict", "photo.png", "-o", "table.npz", "--camera", "table.npz"],
        ["anchors", "cube.npz", "lib.hdr", "--at", "a=1,1", "b=2,2", "-o", "lib.hdr"],
        ["library", "table.csv", "--wavelengths", "nm.csv", "-o", "nm.csv"],
        ["unmix", "cube.npz", "--endmembers", "lib.hdr", "-o", "lib.hdr"],
        ["unmix", "cube.npz", "--endmembers", "lib.hdr", "-o", "m.npz", "--residual", "m.npz"],
        ["unmix", "cube.npz", "--endmembers", "folder", "-o", "folder/lib.hdr"],
        ["unmix", "cube.npz", "--endmembers", "folder", "-o", "m.npz", "--residual", "folder/lib.hdr"],
        ["components", "cube.npz", "-o", "m.npz", "--loadings", "m.npz"],
        ["classify", "cube.npz", "--at", "1,1", "--regions", "labels.tif", "-o", "labels.tif"],
        ["spectra", "cube.npz", "--regions", "photo.png", "-o", "cube.npz"],
    ],
    ids=lambda command: f"{command[0]} {command[-1]}",
)  # fmt: skip
def test_no_file_that_a_command_names_is_written_over(hsr, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    nm = np.linspace(400, 700, 31)
    cube = Cube(np.random.default_rng(0).random((31, 12, 12), dtype=np.float32), Wavelengths(nm))
    write(cube, "cube.npz")
    write(cube, "table.npz")
    write(Photograph(np.full((12, 12, 3), 90, np.uint8), "srgb"), "photo.png")
    library = SpectralLibrary(("a", "b"), nm, np.ones((2, 31)) * [[0.1], [0.5]], "reflectance")
    write(library, "lib.sli")
    write(library, "table.csv")
    tifffile.imwrite("labels.tif", np.ones((12, 12), np.uint8))
    Path("nm.csv").write_text("\n".join(map(str, nm)))
    Path("folder").mkdir()
    write(library, "folder/lib.sli")

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = files()
    status, _, said = hsr(*command)
    assert status != 0
    assert before == files()
    assert "is an input" in said or "two results" in said


@pytest.mark.parametrize("given", ["~/cube.npz", "home/cube.npz"])
def test_a_home_that_no_shell_has_resolved_is_one(hsr, tmp_path, monkeypatch, given):
    """Shells leave ~ in --output=~/x: an input of that name was written over."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    write(Cube(np.ones((31, 4, 4), np.float32), np.linspace(400, 700, 31)), "home/cube.npz")
    before = Path("home/cube.npz").read_bytes()
    status, _, said = hsr("index", given, "b550 / b650", "--output=~/cube.npz", "--overwrite")
    assert status == 1
    assert "is an input" in said
    assert Path("home/cube.npz").read_bytes() == before
    status, _, said = hsr("index", given, "b550 / b650", "--output=~/map.npz")
    assert status == 0
    assert "replaced" not in said
    _, _, said = hsr("index", given, "b550 / b650", "--output=~/map.npz")
    assert "replaced" in said
    status, _, said = hsr(
        *("super-resolve", given, "--model", "bicubic-torch", "--scale", "2"),
        *("--format", "npz", "-o", "~/finer", "--summary=~/all.csv"),
    )
    assert status == 0, said
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        *("all.csv", "cube.npz", "cube_bicubic-torch_x2.npz", "finer", "home", "map.npz")
    ]


def test_inputs_are_looked_at_once_however_many_results_are_written(tmp_path, monkeypatch):
    photographs = [tmp_path / f"{n}.png" for n in range(6)]
    for path in photographs:
        write(Photograph(np.zeros((2, 2, 3), np.uint8), "srgb"), path)
    outputs = [tmp_path / f"{n}.npz" for n in range(6)]
    for path in outputs:
        path.write_bytes(b"x")
    looked, look = [], file_sets.files_read
    monkeypatch.setattr(file_sets, "files_read", lambda path: looked.append(path) or look(path))
    held = file_sets.Inputs([*photographs, *photographs])  # of a command they come twice
    assert all(file_sets.replaces(out, held) for out in outputs)
    assert sorted(looked) == photographs
    (tmp_path / "link.npz").hardlink_to(photographs[3])
    with pytest.raises(InputError, match="is an input"):
        file_sets.replaces(tmp_path / "link.npz", held)


@pytest.mark.parametrize("suffix", [".tif", ".hdr"])
def test_an_input_that_is_rewritten_while_a_command_reads_it_is_told(tmp_path, suffix, capsys):
    cube = Cube(np.zeros((3, 4, 5), np.float32), Wavelengths([500.0, 600.0, 700.0]))
    path = tmp_path / f"scan{suffix}"
    write(cube, path)
    with files_of(Namespace(cube=str(path), output=str(tmp_path / "out.tif"))):
        pass
    assert not capsys.readouterr().err
    binary = path if suffix == ".tif" else next(p for p in tmp_path.iterdir() if p.suffix != suffix)
    for told_elsewhere in (False, True):
        given = Namespace(inputs=[str(path)], tells_of_changed_inputs=told_elsewhere)
        with files_of(given):
            os.utime(binary, ns=(1, 1 + told_elsewhere))
        assert ("was changed while" in capsys.readouterr().err) is not told_elsewhere
