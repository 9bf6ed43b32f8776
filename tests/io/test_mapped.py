"""Parts of a memory map: read as files are, so that one that is cut short in the middle does not end the process."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_hsr.errors import FileError
from napari_hsr.io import mapped
from napari_hsr.io.mapped import map_file

SHAPE = (7, 9, 11)
PARTS = [
    (3,), (slice(None), 2, 5), (..., 4), (slice(1, 4),), (slice(None, None, -2), slice(2, 8), slice(5, 1, -1)),
    (slice(None), slice(2, 6), slice(3, 7)), (5, slice(None), slice(None, None, 3)), (None, 2), (slice(0, 0), 1), (1, 2, ...),
]  # fmt: skip
needs_preadv = pytest.mark.skipif(not hasattr(os, "preadv"), reason="files are read otherwise here")


def made(path, dtype="<f4", order="C"):
    values = np.random.default_rng(1).integers(-9999, 9999, SHAPE).astype(dtype)
    path.write_bytes(b"head!" + values.tobytes(order))
    return values, map_file(path, np.dtype(dtype), SHAPE, 5, order)


@pytest.mark.parametrize("dtype", ["<f4", ">i2", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("a_call", [0.0, 3e-6, 1.0])
def test_parts_are_those_of_the_array(tmp_path, monkeypatch, dtype, order, axes, a_call):
    """However they lie in the file, and whatever blocks they are read in."""
    monkeypatch.setattr(mapped, "_A_CALL", a_call)
    monkeypatch.setattr(mapped, "_A_BAND", np.inf)
    values, found = made(tmp_path / "a", dtype, order)
    for flip in (slice(None), slice(None, None, -1)):
        whole, mine = values.transpose(axes)[flip], found.transpose(axes)[flip]
        assert isinstance(mine, mapped.MappedArray)
        for key in PARTS:
            part = mine[key]
            np.testing.assert_array_equal(part, whole[key])
            assert part.dtype == whole[key].dtype
            assert not np.may_share_memory(part, mine)


@needs_preadv
@pytest.mark.parametrize("key", [(3,), (slice(None), slice(2, 6)), (slice(None), 2, 5)])
def test_a_file_that_is_cut_short_while_a_part_is_read(tmp_path, monkeypatch, key):
    _, found = made(tmp_path / "a")
    read = os.preadv

    def cut_then_read(descriptor, buffers, place):
        os.truncate(tmp_path / "a", 40)
        return read(descriptor, buffers, place)

    monkeypatch.setattr(os, "preadv", cut_then_read)
    with pytest.raises(FileError, match="became shorter while it was open"):
        found[key]
    with pytest.raises(FileError, match="became shorter while it was open"):
        found[...]  # is looked at before


@needs_preadv
def test_its_file_is_closed_with_it(tmp_path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        made(tmp_path / "a")[1][2]
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before


def test_a_map_needs_no_further_file(tmp_path, monkeypatch):
    """Where as many are open as may be, parts are taken through the map, after a look at its size."""

    def too_many(descriptor):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(mapped.os, "dup", too_many)
    values, found = made(tmp_path / "a")
    np.testing.assert_array_equal(found[3], values[3])
    os.truncate(tmp_path / "a", 40)
    with pytest.raises(FileError, match="became shorter"):
        found[3]
