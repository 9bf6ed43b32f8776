"""LazyArray against NumPy: the same answers, reading only what is asked."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from napari_hsr import Cube, convert, evaluate, read, write
from napari_hsr.errors import FileError
from napari_hsr.io import lazy as lazy_module
from napari_hsr.io.decoding import Decoding
from napari_hsr.io.lazy import LazyArray

ROWS, COLUMNS = np.array([0, 3, 3, 1]), np.array([4, 0, 2, 5])
MASK = np.zeros((4, 6), bool)
MASK[1, 2:5] = MASK[3, 0] = True
KEYS = [
    0, -1, np.int64(2), slice(None), slice(1, 3), slice(None, None, -1), slice(4, 0, -2),
    slice(3, 3), slice(9, None), Ellipsis, (2, 3, 4), (slice(None), 1, -2), (1, slice(None), 2),
    (..., 0), (0, ...), (Ellipsis, slice(0, 2), slice(None, None, -3)), (slice(1, 4, 2), ...),
    (slice(None), slice(3, 1, -1), slice(None, None, 2)), (slice(None), slice(2, 2)), (0, 1),
    (slice(None), ROWS, COLUMNS), (slice(None, None, -2), ROWS, COLUMNS), (1, ROWS, COLUMNS),
    (slice(None), ROWS[:0], COLUMNS[:0]), (slice(None), -ROWS - 1, COLUMNS), (slice(None), MASK),
    (2, MASK), (slice(None), ROWS, 3), (slice(None), slice(1, 3), COLUMNS), ([0, 2, -1],),
    (np.array([3, 1]), slice(0, 2)), (slice(2, 2), ROWS, COLUMNS),
    (slice(None), np.zeros_like(MASK)), (slice(None), ROWS, slice(None)),
    (slice(None), ROWS[:, None], COLUMNS[None, :2]),
]  # fmt: skip


class Disk:
    """Basic indexing with positive steps alone, as h5py allows, counting the values read."""

    def __init__(self, values):
        self._values, self.shape, self.dtype, self.read = values, values.shape, values.dtype, 0

    def __getitem__(self, key):
        assert isinstance(key, tuple)
        assert all(isinstance(k, (int, slice)) for k in key)
        assert all((k.step or 1) > 0 for k in key if isinstance(k, slice))
        found = self._values[key]
        self.read += found.size
        return found


@pytest.mark.parametrize("bands", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (3, 0, 4, 1, 2)])
@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_indexing_is_numpys(axes, bands):
    cube = np.arange(5 * 4 * 6, dtype=np.uint16).reshape(5, 4, 6)
    stored = np.ascontiguousarray(cube[np.argsort(bands)].transpose(np.argsort(axes)))
    lazy = LazyArray(Disk(stored), axes, Decoding(divisor=10), bands)
    for key in KEYS:
        expected = (cube.astype(np.float32) / np.float32(10))[key]
        found = lazy[key]
        assert found.dtype == np.float32, key
        assert found.shape == expected.shape, key
        np.testing.assert_array_equal(found, expected, err_msg=str(key))


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_a_memory_map_read_in_chunks_is_the_same(axes, tmp_path, monkeypatch):
    monkeypatch.setattr(lazy_module, "CHUNK_BYTES", 16)
    cube = np.arange(5 * 4 * 6, dtype=">i2").reshape(5, 4, 6)
    stored = np.ascontiguousarray(cube[::-1].transpose(np.argsort(axes)))
    (tmp_path / "a").write_bytes(bytes(10) + stored.tobytes())
    mapped = np.memmap(tmp_path / "a", ">i2", "r", 10, stored.shape)
    lazy = LazyArray(mapped, axes, Decoding(divisor=10), (4, 3, 2, 1, 0))
    for key in KEYS:
        expected = (cube.astype(np.float32) / np.float32(10))[key]
        np.testing.assert_array_equal(lazy[key], expected, err_msg=str(key))
        assert lazy[key].shape == expected.shape, key
    np.testing.assert_array_equal(np.asarray(lazy), cube.astype(np.float32) / np.float32(10))


def test_a_memory_map_is_touched_in_bounded_chunks(tmp_path, monkeypatch):
    """Between two times that pages are given back, no more than a chunk is read."""
    monkeypatch.setattr(lazy_module, "CHUNK_BYTES", 2**16)
    stored = np.arange(64 * 50 * 60, dtype=np.int32).reshape(64, 50, 60)
    stored.tofile(tmp_path / "a")
    lazy = LazyArray(np.memmap(tmp_path / "a", np.int32, "r", 0, stored.shape), (2, 0, 1))
    given_back = []
    give_back = lazy_module.release_pages
    monkeypatch.setattr(
        lazy_module, "release_pages", lambda source: (given_back.append(1), give_back(source))
    )
    np.testing.assert_array_equal(lazy[7], stored[..., 7])
    assert len(given_back) >= stored.nbytes / 2**16
    given_back.clear()
    np.testing.assert_array_equal(lazy[:, 3, 4], stored[3, 4])
    assert not given_back  # a spectrum costs a page or two
    np.testing.assert_array_equal(np.asarray(lazy), stored.transpose(2, 0, 1))
    assert len(given_back) < 2 * stored.nbytes / 2**16  # once through the file, not once a band


def test_it_looks_like_an_array():
    cube = np.random.default_rng(1).random((5, 4, 6))
    lazy = LazyArray(Disk(cube))
    assert (lazy.shape, lazy.ndim, lazy.dtype) == ((5, 4, 6), 3, np.float32)
    assert (len(lazy), lazy.size, lazy.nbytes) == (5, 120, 480)
    np.testing.assert_array_equal(np.asarray(lazy), cube.astype(np.float32))
    assert np.asarray(lazy, dtype=np.float64).dtype == np.float64
    np.testing.assert_array_equal(np.stack(list(lazy)), cube.astype(np.float32))
    assert "5, 4, 6" in repr(lazy)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        (2, 24),
        ((slice(None), 1, 2), 5),
        ((slice(0, 2), slice(1, 3), slice(0, 3)), 12),
        ((0, 0, 0), 1),
    ],
)
def test_only_what_is_asked_is_read(key, values):
    disk = Disk(np.zeros((5, 4, 6), np.int16))
    lazy = LazyArray(disk)
    lazy[key]
    assert disk.read == values


def test_pixels_of_a_region_cost_their_rectangle():
    disk = Disk(np.zeros((5, 40, 60), np.int16))
    LazyArray(disk)[:, np.array([10, 12]), np.array([20, 25])]
    assert disk.read == 5 * 3 * 6


@pytest.mark.parametrize(
    "key", [5, -6, (0, 4), (0, 0, 6), (0, 0, 0, 0), None, True, (slice(None), np.array([4]), 0),
            (slice(None), np.ones((3, 6), bool)), ([9],)],
)  # fmt: skip
def test_what_numpy_would_refuse(key):
    with pytest.raises(IndexError):
        LazyArray(np.zeros((5, 4, 6)))[key]


def test_axes_that_make_no_sense():
    with pytest.raises(ValueError, match="permute"):
        LazyArray(np.zeros((5, 4, 6)), axes=(0, 1, 1))
    with pytest.raises(ValueError, match="permute"):
        LazyArray(np.zeros((5, 4)))


def test_dask_and_a_region_of_a_cube():
    dask = pytest.importorskip("dask.array")
    cube = np.random.default_rng(2).random((5, 4, 6)).astype(np.float32)
    lazy = LazyArray(Disk(cube))
    array = dask.from_array(lazy, chunks=(1, 4, 6))
    np.testing.assert_array_equal(array.compute(), cube)


def test_a_block_that_dask_cannot_read_is_a_fault_of_the_file():
    dask = pytest.importorskip("dask.array")

    def block(block_info):
        raise OSError(5, "Input/output error")

    broken = dask.map_blocks(block, chunks=((1,) * 5, (4,), (6,)), dtype=float, meta=np.zeros(0))
    with pytest.raises(FileError, match=r"cannot be read.*Input/output error"):
        LazyArray(broken)[0]


@pytest.mark.parametrize("chunks", [(1, 4, 6), (2, 3, 4), (5, 4, 6)])
@pytest.mark.parametrize("suffix", [".mat", ".hdr", ".tif", ".h5", ".npz", ".zarr"])
def test_cubes_over_dask_are_written(tmp_path, suffix, chunks):
    dask = pytest.importorskip("dask.array")
    values = np.random.default_rng(2).random((5, 4, 6)).astype(np.float32)
    cube = Cube(dask.from_array(values, chunks=chunks))
    write(cube, tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.asarray(read(tmp_path / f"a{suffix}").data), values)
    assert evaluate(cube, cube).values["rmse"] == 0
    np.testing.assert_array_equal(convert(cube, scale=2).data, values * 2)


@pytest.mark.parametrize("stated", [False, True])
def test_a_usual_marker_of_missing_values_is_told_of_a_mapped_cube_too(
    tmp_path, monkeypatch, stated
):
    monkeypatch.setattr(lazy_module, "LAZY_ABOVE_BYTES", 1)
    values = np.full((3, 40, 5), 7, np.int16)
    values[:, :2] = -9999
    (tmp_path / "a.img").write_bytes(values.tobytes())
    header = tmp_path / "a.hdr"
    header.write_text(
        "ENVI\nsamples = 5\nlines = 40\nbands = 3\nheader offset = 0\ndata type = 2\n"
        "interleave = bsq\nbyte order = 0\n" + "data ignore value = -9999\n" * stated
    )
    found = read(header)
    assert not found.in_memory
    assert any("as programs mark missing ones" in text for text in found.notices) != stated


def test_numbers_beyond_float32_are_told_of_a_mapped_cube_too(tmp_path, monkeypatch):
    monkeypatch.setattr(lazy_module, "LAZY_ABOVE_BYTES", 1)
    values = np.full((3, 40, 5), 1e38)
    values[:, :2] = 5e39
    (tmp_path / "a.img").write_bytes(values.tobytes())
    header = tmp_path / "a.hdr"
    header.write_text(
        "ENVI\nsamples = 5\nlines = 40\nbands = 3\nheader offset = 0\ndata type = 5\n"
        "interleave = bsq\nbyte order = 0\n"
    )
    assert any("Some values are too large for float32" in text for text in read(header).notices)
