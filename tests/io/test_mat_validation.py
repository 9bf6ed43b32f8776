"""Tags of MATLAB 5 files: what SciPy's compiled reader must not be given."""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from napari_hsr.errors import FileError
from napari_hsr.io import read
from napari_hsr.io.matlab import validation as mat_validation

VALUES = np.random.default_rng(1).random((6, 7, 3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mat"


def everything():
    cells = np.empty((1, 3), dtype=object)
    cells[0] = ["400 nm", "410 nm", np.arange(5, dtype=np.int16)]
    return {
        "cube": VALUES, "wavelengths": cells, "text": "hello", "few": np.uint8([1, 2]),
        "s": {"a": np.zeros(3), "inner": {"b": "text", "none": np.zeros((0, 4))}},
        "yes": VALUES > 0.5, "turning": VALUES + 2j,
    }  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["4", "5"])
def test_whole_files_pass(path, packed, form):
    from scipy.sparse import csc_matrix

    held = everything() | {"thin": csc_matrix(VALUES[0]), "thin2": csc_matrix(VALUES[0] * 1j)}
    held = {"cube": VALUES[0]} if form == "4" else held
    savemat(path, held, do_compression=packed, format=form)
    mat_validation.check(path)


@pytest.mark.parametrize("packed", [False, True])
def test_flipped_bits_are_a_sentence_or_do_no_harm(path, packed):
    """Unchecked, some of these end the process."""
    savemat(path, everything(), do_compression=packed)
    content, rng = path.read_bytes(), random.Random(7)
    for _ in range(400):
        damaged = bytearray(content)
        damaged[rng.randrange(124, len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            read(path)
        except FileError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most of the flips change a value alone


def patched(path, old: bytes, new: bytes, packed: bool = False) -> None:
    """The file of one array, (6, 7, 3) doubles called cube, with one tag replaced."""
    savemat(path, {"cube": VALUES})
    content = path.read_bytes()
    assert content.count(old) == 1
    content = content.replace(old, new)
    if packed:
        inner = zlib.compress(content[128:])
        content = content[:128] + struct.pack("<2I", 15, len(inner)) + inner
    path.write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (struct.pack("<2I", 9, 1008), struct.pack("<2I", 0x2009, 1008), "type 8201"),
        (struct.pack("<2I", 9, 1008), struct.pack("<2I", 9, 1000), "126 values declares 1000"),
        (struct.pack("<2I", 9, 1008), struct.pack("<2I", 14, 1008), "type 14"),
        (struct.pack("<3i", 6, 7, 3), struct.pack("<3i", 6, -7, 3), "makes no sense"),
        (struct.pack("<2I", 5, 12), struct.pack("<2I", 5, 4000), "4000 bytes"),
        (struct.pack("<4I", 6, 8, 6, 0), struct.pack("<4I", 6, 8, 77, 0), "77 is no class"),
        (struct.pack("<4I", 6, 8, 6, 0), struct.pack("<4I", 6, 8, 1, 0), "stands where it cannot"),
    ],
)
def test_tags_that_cannot_be(path, old, new, words, packed):
    patched(path, struct.pack("<2I", 9, 1008), struct.pack("<2I", 9, 1008), packed)
    np.testing.assert_array_equal(read(path).data[2], VALUES[..., 2].astype(np.float32))
    patched(path, old, new, packed)
    with pytest.raises(FileError, match="damaged or cut short") as caught:
        read(path)
    assert words in str(caught.value)


def test_sizes_beyond_the_file(path):
    savemat(path, {"cube": VALUES})
    content = path.read_bytes()
    path.write_bytes(content[:132] + struct.pack("<I", 2**31) + content[136:])
    with pytest.raises(FileError, match="2147483648 bytes are declared where"):
        read(path)


def test_a_byte_order_that_is_none(path):
    savemat(path, {"cube": VALUES})
    content = path.read_bytes()
    path.write_bytes(content[:126] + b"IN" + content[128:])
    with pytest.raises(FileError, match="byte order"):
        read(path)


def test_a_name_that_goes_on_behind_its_end_is_refused(tmp_path):
    """The factor had been lost with two letters of its name, and values were ten thousand times the others."""
    cube = np.ones((4, 5, 31))
    path = tmp_path / "a.mat"
    savemat(path, {"cube": cube, "norm_factor": 10000.0})
    read(path)
    content = path.read_bytes()
    at = content.index(b"norm_factor") - 4
    assert content[at] == 11
    path.write_bytes(content[:at] + b"\t" + content[at + 1 :])
    with pytest.raises(FileError, match="a name goes on behind its stated end"):
        read(path)
