"""What libraries raise on a file, and what is no fault of the file."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from napari_hsr import io
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import made_folder, translated
from napari_hsr.io.text_files import write_text
from napari_hsr.photograph import SRGB, Photograph


@pytest.mark.parametrize("error", [KeyError("a"), UnboundLocalError("b"), ValueError("c")])
def test_what_a_decoder_raises_is_said_of_the_file(error):
    with (
        pytest.raises(FileError, match=r"a\.tif: it is damaged") as fault,
        translated("a.tif", "it is damaged"),
    ):
        raise error
    assert fault.value.__cause__ is error


def test_a_name_that_no_file_could_have_taken_away_is_a_fault_of_the_program():
    with pytest.raises(NameError), translated("a.tif", "it is damaged"):
        raise NameError("nowhere")


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path):
    assert made_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    for way in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileError, match="cannot be made"):
            made_folder(way)


def test_a_name_longer_than_the_disk_takes_is_told_by_every_door(tmp_path):
    cube = Cube(np.ones((2, 3, 4)))
    for suffix in (*io.WRITE_SUFFIXES, ".png"):
        image = Photograph(np.zeros((3, 3, 3), np.uint8), SRGB) if suffix == ".png" else cube
        for door in (partial(io.write, image), io.read):
            with pytest.raises(FileError, match="longer than the disk takes"):
                door(tmp_path / ("y" * 300 + suffix))
    for door in (io.read_library, partial(write_text, text="a")):
        with pytest.raises(FileError, match="longer than the disk takes"):
            door(tmp_path / ("y" * 300 + ".csv"))
    assert list(tmp_path.iterdir()) == []
    written = io.write(cube, tmp_path / "a.h5")
    with pytest.raises(FileError):  # no array of that name
        io.read(f"{written}:{'z' * 300}")
