"""Every lazy read of a damaged block raises the file's own error, whoever reads it."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from napari_hsr import Cube, Wavelengths, read, write
from napari_hsr.cli import main
from napari_hsr.errors import FileError
from napari_hsr.io import lazy

SHAPE = (31, 64, 64)
KINDS = ["gzip.h5", "shuffled.nc", "gzip.mat", "zlib.tif", "lzw.tif", "blosc.zarr", "gzip.zarr"]  # fmt: skip


def middle_garbled(path, start, length):
    content = bytearray(path.read_bytes())
    at = start + length // 2
    content[at : at + 16] = bytes(255 - value for value in content[at : at + 16])
    path.write_bytes(content)


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """A file that opens, and whose last band cannot be read."""
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 1000)
    values = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    nm = np.linspace(400, 700, SHAPE[0])
    write(Cube(values, Wavelengths(nm)), tmp_path / "truth.npz")

    def make(kind):
        packed, suffix = kind.split(".")
        path = tmp_path / f"a.{suffix}"
        if suffix in ("h5", "nc", "mat"):
            stored = values.transpose(2, 1, 0) if suffix == "mat" else values
            bands = 2 if suffix == "mat" else 0
            chunks = tuple(1 if axis == bands else 64 for axis in range(3))
            with h5py.File(path, "w") as file:
                made = file.create_dataset(
                    "cube", data=stored, chunks=chunks, compression="gzip", fletcher32=True
                )
                file["wavelengths"] = nm
                found = max(
                    (made.id.get_chunk_info(i) for i in range(made.id.get_num_chunks())),
                    key=lambda info: info.chunk_offset,
                )
                place = found.byte_offset, found.size
            middle_garbled(path, *place)
        elif suffix == "tif":
            tifffile.imwrite(path, values, compression=packed, photometric="minisblack")
            with tifffile.TiffFile(path) as file:
                page = file.pages[30]
                place = page.dataoffsets[0], page.databytecounts[0]
            middle_garbled(path, *place)
        else:
            if packed == "gzip":
                codec = {"name": "gzip", "configuration": {"level": 5}}
                zarr.create_array(
                    path, shape=SHAPE, chunks=(1, 64, 64), dtype="f4", zarr_format=3,
                    compressors=[codec],
                )[:] = values  # fmt: skip
                last = path / "c" / "30" / "0" / "0"
            else:
                write(Cube(values, Wavelengths(nm)), path)
                last = max((p for p in path.rglob("0/*/0/0") if p.is_file()), key=lambda p: int(p.parts[-3]))  # fmt: skip
            last.write_bytes(last.read_bytes()[:40])
        return path

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_every_lazy_read_raises_the_files_own_error(damaged, kind):
    path = damaged(kind)
    cube = read(path)
    assert not cube.in_memory
    for key in (-1, np.s_[:, 3, 3], np.s_[..., ::7], np.s_[:]):
        with pytest.raises(FileError) as told:
            np.asarray(cube.data[key])
        assert str(path) in str(told.value)
        assert len(str(told.value)) < 500 + len(str(path))


COMMANDS = {
    "render": ("render", "IN", "-o", "o.png"),
    "convert": ("convert", "IN", "-o", "o.hdr"),
    "convert to zarr": ("convert", "IN", "-o", "o.zarr"),
    "super-resolve": ("super-resolve", "IN", "--model", "bicubic-torch", "--scale", "2", "-o", "o.h5"),
    "super-resolve to zarr": ("super-resolve", "IN", "--model", "bicubic-torch", "--scale", "2", "-o", "o.zarr"),
    "evaluate": ("evaluate", "IN", "truth.npz"),
    "truth": ("evaluate", "truth.npz", "IN"),
    "index": ("index", "IN", "b700 - b400", "-o", "o.tif"),
    "components": ("components", "IN", "-o", "o.npz"),
    "spectra": ("spectra", "IN", "--at", "40,40", "-o", "o.csv"),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["gzip.h5", "zlib.tif", "gzip.zarr"])
def test_a_block_that_fails_in_a_command_is_told_as_the_file_does(
    damaged, tmp_path, monkeypatch, capsys, kind, command
):
    path = damaged(kind)
    monkeypatch.chdir(tmp_path)
    assert main([a.replace("IN", str(path)) for a in COMMANDS[command]]) == 1
    said = capsys.readouterr().err
    assert "fault in napari-hsr" not in said
    assert str(path) in said
    left = {p.name for p in tmp_path.iterdir()} - {path.name, "truth.npz"}
    assert left <= ({"o.unfinished.zarr"} if command.endswith("to zarr") else set())
