"""CAVE scene folders in the layouts that people have on disk."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import can_read, read
from napari_hsr.io.folders import cave

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "cave"


@pytest.fixture
def codes():
    return np.random.default_rng(1).integers(0, 65536, (31, 12, 14)).astype(np.uint16)


def lay_out(folder: Path, planes, name="balloons_ms") -> Path:
    """The published layout, stray files and all."""
    folder.mkdir(parents=True)
    for band, plane in enumerate(planes, 1):
        (folder / f"{name}_{band:02d}.png").write_bytes(imagecodecs.png_encode(plane))
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "._balloons_ms_01.png").write_bytes(b"a resource fork")
    Image.fromarray(np.zeros((12, 14, 3), np.uint8)).save(folder / "balloons_RGB.bmp")
    return folder


def fault(path) -> str:
    with pytest.raises(FileError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "place", ["balloons_ms", "balloons_ms/balloons_ms", "download/balloons_ms/balloons_ms"]
)
def test_a_scene_nested_or_not(tmp_path, codes, place):
    lay_out(tmp_path / place, codes)
    top = tmp_path / place.split("/")[0]
    (top / "Thumbs.db").write_bytes(b"x")
    assert can_read(top)
    cube = read(top)
    np.testing.assert_array_equal(cube.data, codes.astype(np.float32) / np.float32(65535))
    assert list(cube.wavelengths) == list(range(400, 701, 10))
    assert not cube.wavelengths.assumed
    assert cube.notices == ()
    assert cube.name == "balloons"
    assert cube.provenance.input == "balloons_ms"


def test_watercolors_is_8_bit_rgba(tmp_path, codes):
    eight = (codes >> 8).astype(np.uint8)
    planes = [np.dstack([p, p, p, np.full_like(p, 255)]) for p in eight]
    lay_out(tmp_path / "watercolors_ms", planes, "watercolors_ms")
    cube = read(tmp_path / "watercolors_ms")
    np.testing.assert_array_equal(cube.data, eight.astype(np.float32) / np.float32(255))


def test_a_written_scene_comes_back(tmp_path, codes):
    data = codes.astype(np.float32) / np.float32(65535)
    folder = cave.write_scene(Cube(data), tmp_path / "beads_ms")
    assert sorted(p.name for p in folder.iterdir())[::30] == ["beads_ms_01.png", "beads_ms_31.png"]
    np.testing.assert_array_equal(read(folder).data, data)
    assert [p.name for p in tmp_path.iterdir()] == ["beads_ms"]


def test_writing_clips_and_never_overwrites(tmp_path, codes):
    data = np.full((31, 2, 3), 2.0, np.float32)
    data[:, 0] = -1
    folder = cave.write_scene(Cube(data), tmp_path / "a_ms")
    assert read(folder).value_range == (0, 1)
    with pytest.raises(FileError, match="exists already"):
        cave.write_scene(Cube(data), folder)
    with pytest.raises(FileError, match="31 bands"):
        cave.write_scene(Cube(data[:5]), tmp_path / "b_ms")
    assert [p.name for p in tmp_path.iterdir()] == ["a_ms"]


def test_numbered_photographs_are_no_scene(tmp_path, codes):
    colours = [np.dstack([plane] * 3) for plane in codes]
    lay_out(tmp_path / "few", colours[:3], "IMG")
    lay_out(tmp_path / "many", colours, "IMG")
    lay_out(tmp_path / "bands", codes, "pot")
    lay_out(tmp_path / "some", codes[:20], "pot")
    assert not can_read(tmp_path / "few")
    assert not can_read(tmp_path / "many")
    assert can_read(tmp_path / "bands")
    assert can_read(tmp_path / "some")  # read() names the bands that are missing


class TestBadFolders:
    def test_no_scene(self, tmp_path):
        (tmp_path / "notes.txt").write_text("hello")
        assert not can_read(tmp_path)
        assert "no CAVE scene" in fault(tmp_path)

    def test_missing_bands_are_named(self, tmp_path, codes):
        folder = lay_out(tmp_path / "balloons_ms", codes)
        (folder / "balloons_ms_07.png").unlink()
        (folder / "balloons_ms_31.png").unlink()
        text = fault(folder)
        assert "07, 31" in text
        assert "2 are missing" in text

    def test_too_many_bands(self, tmp_path, codes):
        lay_out(tmp_path / "balloons_ms", [*codes, codes[0]])
        assert "up to 32" in fault(tmp_path / "balloons_ms")

    def test_another_size(self, tmp_path, codes):
        planes = list(codes)
        planes[4] = planes[4][:6]
        text = fault(lay_out(tmp_path / "balloons_ms", planes))
        assert "balloons_ms_05.png" in text
        assert "14 x 6" in text
        assert "14 x 12" in text

    @pytest.mark.parametrize("content", [b"", b"text", None])
    def test_a_damaged_band_is_named(self, tmp_path, codes, content):
        folder = lay_out(tmp_path / "balloons_ms", codes)
        band = folder / "balloons_ms_03.png"
        band.write_bytes(band.read_bytes()[:90] if content is None else content)
        assert "balloons_ms_03.png" in fault(folder)

    def test_a_colour_image_among_the_bands(self, tmp_path, codes):
        planes = list(codes)
        planes[9] = np.dstack([codes[9], codes[8], codes[7]])
        assert "balloons_ms_10.png" in fault(lay_out(tmp_path / "balloons_ms", planes))

    def test_several_scenes(self, tmp_path, codes):
        for name in ("beads_ms", "balloons_ms"):
            lay_out(tmp_path / name, codes, name)
        text = fault(tmp_path)
        assert "balloons_ms" in text
        assert "beads_ms" in text

    def test_one_of_the_bands(self, tmp_path, codes):
        folder = lay_out(tmp_path / "balloons_ms", codes)
        assert "open the folder" in fault(folder / "balloons_ms_01.png")


def test_a_real_scene_survives_its_original_layout(tmp_path):
    scene = SHARED / "val" / "feathers.npz"
    if not scene.exists():
        pytest.skip("the shared CAVE scenes are not beside this checkout")
    spec = importlib.util.spec_from_file_location("load_cave", SHARED / "load_cave.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    data, _ = loader.load(scene)
    data = np.round(data[:, ::2, ::2] * 65535).astype(np.uint16)
    lay_out(tmp_path / "feathers_ms" / "feathers_ms", data, "feathers_ms")
    np.testing.assert_array_equal(
        read(tmp_path / "feathers_ms").data, data.astype(np.float32) / np.float32(65535)
    )


def test_of_thousands_of_folders_few_are_looked_into(tmp_path, monkeypatch):
    for number in range(150):
        (tmp_path / f"{number:03}").mkdir()
    seen = []
    scan = os.scandir
    monkeypatch.setattr(cave.os, "scandir", lambda path: seen.append(path) or scan(path))
    assert not cave.looks_like_scene(tmp_path)
    assert len(seen) == 101
