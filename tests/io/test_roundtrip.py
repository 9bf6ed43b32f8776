"""read(write(x)) equals x, for every format that is written."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import PHOTOGRAPH_WRITE_SUFFIXES, WRITE_SUFFIXES, can_read, limits, read, write
from napari_hsr.io.lazy import LazyArray
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance, now


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
class TestCube:
    def test_everything_comes_back(self, tmp_path, suffix, make_cube, assert_same_cube):
        cube = make_cube()
        path = write(cube, tmp_path / f"cube{suffix}")
        assert path == tmp_path / f"cube{suffix}"
        assert can_read(path)
        assert_same_cube(read(path), cube)

    @pytest.mark.parametrize(
        "shape",
        [
            (1, 5, 6),
            (1, 1, 1),
            (3, 8, 9),
            (4, 8, 8),
            (31, 8, 3),
            (31, 31, 31),
            (5, 1, 7),
            (9, 2, 1),
        ],
    )
    def test_every_shape_comes_back(self, tmp_path, suffix, make_cube, assert_same_cube, shape):
        cube = make_cube(shape)
        assert_same_cube(read(write(cube, tmp_path / f"cube{suffix}")), cube)

    def test_an_assumed_grid_stays_assumed_and_is_announced_again(
        self, tmp_path, suffix, make_cube, assert_same_cube
    ):
        cube = make_cube((31, 4, 5), nm=Wavelengths.default())
        back = read(write(cube, tmp_path / f"cube{suffix}"))
        assert_same_cube(back, cube)
        assert back.wavelengths.assumed
        assert any("assumption" in n and "Set wavelengths…" in n for n in back.notices)

    def test_31_bands_without_wavelengths_stay_without(
        self, tmp_path, suffix, make_cube, assert_same_cube
    ):
        cube = make_cube((31, 4, 5), nm=None)
        back = read(write(cube, tmp_path / f"cube{suffix}"))
        assert_same_cube(back, cube)
        assert any("Set wavelengths…" in n for n in back.notices)

    def test_bare_cube(self, tmp_path, suffix, make_cube, assert_same_cube):
        cube = make_cube(units=None, provenance=Provenance(), metadata={})
        assert_same_cube(read(write(cube, tmp_path / f"cube{suffix}")), cube)

    def test_a_cube_on_disk_is_written_like_one_in_memory(
        self, tmp_path, suffix, make_cube, assert_same_cube
    ):
        cube = make_cube()
        turned = np.ascontiguousarray(np.asarray(cube.data).transpose(2, 1, 0))
        on_disk = cube.replace(data=LazyArray(turned, axes=(2, 1, 0)))
        assert_same_cube(read(write(on_disk, tmp_path / f"cube{suffix}")), cube)

    def test_equal_cubes_are_equal_bytes_at_any_time(
        self, tmp_path, suffix, make_cube, monkeypatch
    ):
        """Nothing but the provenance says when: some libraries write the time into their headers."""
        cube, written = make_cube(), []
        choices = ({}, {"matlab": "5"}) if suffix == ".mat" else ({},)
        for day in range(2):
            later = time.time() + 86_400 * day
            monkeypatch.setattr(time, "time", lambda at=later: at)
            monkeypatch.setattr(time, "asctime", lambda *_, at=later: time.ctime(at))
            for number, choice in enumerate(choices):
                folder = tmp_path / f"{day}{number}"
                folder.mkdir()
                write(cube, folder / f"cube{suffix}", **choice)
                files = sorted(p for p in folder.rglob("*") if p.is_file())
                written.append([(p.relative_to(folder), p.read_bytes()) for p in files])
        assert written[: len(choices)] == written[len(choices) :]

    def test_overwriting_leaves_no_other_file(self, tmp_path, suffix, make_cube, assert_same_cube):
        path = tmp_path / f"cube{suffix}"
        write(make_cube((3, 4, 5)), path)
        cube = make_cube((4, 6, 5))
        write(cube, path)
        assert_same_cube(read(path), cube)
        names = {p.name for p in tmp_path.iterdir()}
        assert names == ({"cube.hdr", "cube.img"} if suffix == ".hdr" else {path.name})

    def test_upper_case_suffix_and_a_folder_with_a_blank(
        self, tmp_path, suffix, make_cube, assert_same_cube
    ):
        folder = tmp_path / "my scenes é"
        folder.mkdir()
        cube = make_cube()
        assert_same_cube(read(write(cube, folder / f"A cube{suffix.upper()}")), cube)

    def test_metadata_beyond_64_kilobytes(self, tmp_path, suffix, make_cube, assert_same_cube):
        cube = make_cube(metadata={"spectrum": [k / 7 for k in range(9000)]})
        assert_same_cube(read(write(cube, tmp_path / f"cube{suffix}")), cube)


@pytest.mark.parametrize("suffix", PHOTOGRAPH_WRITE_SUFFIXES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("encoding", ["srgb", "linear-srgb", "camera:nikon-d700", None])
def test_photograph_comes_back(tmp_path, suffix, dtype, encoding, make_photograph):
    if suffix == ".png" and dtype is np.float32:
        pytest.skip("PNG holds no floats: test_bad_input holds its refusal")
    photograph = make_photograph(dtype, encoding=encoding)
    back = read(write(photograph, tmp_path / f"photo{suffix}"))
    assert isinstance(back, Photograph)
    assert back.data.dtype == photograph.data.dtype
    np.testing.assert_array_equal(back.data, photograph.data)
    for field in ("encoding", "name", "provenance", "metadata"):
        assert getattr(back, field) == getattr(photograph, field)


def test_the_environment_can_state_when_a_cube_was_made(monkeypatch):
    """So that whoever computes it again gets the same bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert now() == "1970-01-02T00:00:00+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InputError, match="seconds since 1970"):
        now()


@pytest.mark.parametrize("suffix", sorted({*WRITE_SUFFIXES} - {".tif", ".tiff"}))
def test_cubes_of_as_many_bands_as_a_spectrometer_of_fourier_has(tmp_path, suffix, monkeypatch):
    cube = Cube(
        np.arange(120_000.0).reshape(30_000, 2, 2), wavelengths=np.linspace(400, 700, 30_000)
    )
    monkeypatch.setattr(limits, "MOST_BYTES", 2**21)  # as a store of 300,000 in 17 MB
    found = read(write(cube, tmp_path / f"many{suffix}"))
    np.testing.assert_array_equal(np.asarray(found.data), cube.data)
    np.testing.assert_array_equal(found.wavelengths.nm, cube.wavelengths.nm)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) < 20  # chunks of megabytes, not of a band


class OnDisk:
    """What lies in a file of the user's: nothing of it is read."""

    shape = (3, 2, 2)

    def __getitem__(self, where):
        raise AssertionError("values were read before it was refused")


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_what_would_be_refused_on_reading_is_not_written(tmp_path, suffix, make_cube, monkeypatch):
    monkeypatch.setattr(limits, "MOST_BYTES", 20_000)
    monkeypatch.setattr(limits, "MOST_ENTRIES", 50)
    cube = make_cube((3, 2, 2), metadata={"notes": "n" * 30_000})
    with pytest.raises(InputError, match="read with up to"):
        write(cube.replace(data=LazyArray(OnDisk())), tmp_path / f"much{suffix}")
    if suffix == ".mat":
        with pytest.raises(InputError, match="read with up to"):
            write(cube.replace(data=LazyArray(OnDisk())), tmp_path / "much.mat", matlab="5")
    if suffix in (".tif", ".tiff"):
        with pytest.raises(FileError, match="60 bands, each of which is a page"):
            write(make_cube((60, 2, 2)), tmp_path / f"many{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_zarr_store_holds_no_metadata_deeper_than_it_is_read(tmp_path, make_cube):
    nested: list = []
    for _ in range(40):
        nested = [nested]
    with pytest.raises(InputError, match="deeper in one another"):
        write(make_cube((3, 2, 2), metadata={"nested": nested}), tmp_path / "deep.zarr")
    assert not list(tmp_path.iterdir())
