"""What libraries raise on a file, and what is no fault of the file."""

from __future__ import annotations

import pytest

from napari_hsr.errors import FileError
from napari_hsr.io.library_errors import made_folder, translated


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
