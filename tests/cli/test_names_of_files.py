"""Names of files that would move the cursor, are no text, or break a header."""

import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from napari_hsr import Cube, Wavelengths, read, write
from napari_hsr.cli import main
from napari_hsr.io import WRITE_SUFFIXES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
#: Clears the screen, ends the line, turns the text around.
ODD = "\x1b[2Ja\nb\u202ec"
NO_TEXT = os.fsdecode(b"\xff\xfe")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    values = np.random.default_rng(0).random((31, 12, 12), dtype=np.float32)
    write(Cube(values, Wavelengths(np.linspace(400, 700, 31))), tmp_path / "c.npz")
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    for name in (ODD, NO_TEXT):
        shutil.copy(tmp_path / "c.npz", tmp_path / f"{name}.npz")
        shutil.copy(tmp_path / "p.png", tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = {
    "info": ("info", "IN.npz"),
    "convert": ("convert", "IN.npz", "-o", "outIN.hdr"),
    "render": ("render", "IN.npz", "-o", "outIN.png"),
    "index": ("index", "IN.npz", "b650 - b550", "-o", "outIN.tif"),
    "components": ("components", "IN.npz", "-o", "outIN.hdr"),
    "evaluate": ("evaluate", "IN.npz", "c.npz"),
    "evaluate several": ("evaluate", "IN.npz", "c.npz", "c.npz"),
    "spectra": ("spectra", "IN.npz", "--at", "1,1", "-o", "outIN.csv"),
    "predict": ("predict", "IN.png", "--model", "rootpoly-srgb", "-o", "outIN.hdr", "--summary", "sIN.csv"),
    "predict json": ("predict", "IN.png", "--model", "rootpoly-srgb", "-o", "outIN.mat", "--json"),
    "super-resolve": ("super-resolve", "IN.npz", "--model", "bicubic-torch", "--scale", "2", "-o", "outIN.tif"),
    "export": ("models", "export", "rootpoly-srgb", "-o", "outIN.safetensors"),
    "gone": ("predict", "goneIN.png", "--model", "rootpoly-srgb", "-o", "out.mat"),
}  # fmt: skip


@pytest.mark.parametrize("odd", [ODD, NO_TEXT], ids=["controls", "no text"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_prints_moves_no_cursor(folder, capfd, command, odd):
    arguments = [a.replace("IN", odd) for a in COMMANDS[command]]
    status = main(arguments)
    said = "".join(capfd.readouterr())
    assert status == (1 if command == "gone" else 0), said
    assert "fault in napari-hsr" not in said
    shown = {c for c in said if not c.isprintable()} - {"\n"}
    assert not shown
    assert "a\nb" not in said
    assert folder.exists()


@pytest.mark.parametrize("suffix", [".hdr", ".mat", ".npz", ".tif", ".h5", ".zarr"])
@pytest.mark.parametrize(
    "odd", ["\0", "a\0b", "\ud800", "x}\ndata ignore value = 0.5\nfoo = {", ODD]
)
def test_what_is_written_with_odd_texts_is_read_again(tmp_path, suffix, odd):
    values = np.full((5, 4, 3), 0.5, np.float32)
    nm = Wavelengths(np.linspace(400, 700, 5))
    facts = {"note": odd, odd: "note", "band names": [odd] * 5}
    write(Cube(values, nm, units=odd, name=odd, metadata=facts), tmp_path / f"x{suffix}")
    found = read(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(found.data, values)
    np.testing.assert_allclose(found.wavelengths.nm, nm.nm)


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_what_has_the_longest_name_there_is_can_be_read_again(folder, suffix):
    """What would lie beside it has a longer one."""
    written = write(read("c.npz"), "n" * (255 - len(suffix)) + suffix)
    assert read(written).shape == (31, 12, 12)
    if suffix == ".hdr":
        assert read(written.with_suffix(".img")).shape == (31, 12, 12)
