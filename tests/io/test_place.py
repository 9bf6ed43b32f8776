"""A cube of finer pixels lies over its coarse one again after it was written and read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_hsr.cube import Cube
from napari_hsr.georeference import Place
from napari_hsr.io import WRITE_SUFFIXES, read, write
from napari_hsr.io import embedded_record as records
from napari_hsr.notices import Code
from napari_hsr.resample import upsample

QUARTER = Place((0.25, 0.25), (-0.375, -0.375))
UNEVEN = Place((1 / 3, 0.7), (-1 / 3, 12.25))


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
class TestRoundTrip:
    @pytest.mark.parametrize("place", [QUARTER, UNEVEN, Place(), None])
    def test_the_place_comes_back_to_the_last_bit(
        self, tmp_path, suffix, place, make_cube, assert_same_cube
    ):
        cube = make_cube(place=place)
        back = read(write(cube, tmp_path / f"cube{suffix}"))
        assert back.place == place
        assert_same_cube(back, cube)

    @pytest.mark.parametrize("shape", [(1, 5, 6), (1, 1, 1), (2, 2, 2), (2, 1, 2)])
    def test_shapes_like_those_of_a_place_do_not_confuse(
        self, tmp_path, suffix, shape, make_cube, assert_same_cube
    ):
        cube = make_cube(shape, place=QUARTER)
        assert_same_cube(read(write(cube, tmp_path / f"cube{suffix}")), cube)

    @pytest.mark.parametrize(
        "stored",
        [
            {"pixel": [0, 1], "origin": [0, 0]},
            {"pixel": [-1, 1], "origin": [0, 0]},
            {"pixel": [float("nan"), 1], "origin": [0, 0]},
            {"pixel": [0.25, 0.25], "origin": ["left", "top"]},
            "somewhere",
            [],
        ],
    )
    def test_a_record_without_sense_is_left_out_and_told_once(
        self, tmp_path, suffix, stored, make_cube, assert_same_cube, monkeypatch
    ):
        cube = make_cube(place=QUARTER)
        honest = records.of_cube(cube)
        monkeypatch.setattr(records, "of_cube", lambda cube: {**honest, "place": stored})
        path = write(cube, tmp_path / f"cube{suffix}")
        back = read(path)
        assert back.place is None
        assert_same_cube(back, cube)
        assert [n.code for n in back.notices].count(Code.PLACE_UNUSABLE) == 1


def test_the_step_from_a_coarse_file_to_a_fine_one(tmp_path):
    """Pixel centres in the world: the mean of the fine ones is that of the coarse one."""
    coarse = Cube(np.random.default_rng(0).random((5, 4, 6)), range(400, 450, 10))
    fine = read(write(upsample(read(write(coarse, tmp_path / "a.mat")), 4), tmp_path / "b.mat"))
    centres = fine.place.origin[0] + fine.place.pixel[0] * np.arange(16)
    np.testing.assert_allclose(centres.reshape(4, 4).mean(1), np.arange(4), atol=1e-12)


class TestOtherReaders:
    """What others see of it, without our record."""

    def test_envi(self, tmp_path, make_cube):
        from spectral.io import envi

        items = envi.open(str(write(make_cube(place=QUARTER), tmp_path / "c.hdr"))).metadata
        name, x, y, left, top, width, height, *_ = items["map info"]
        # the outer corner of the source is at 0, 0, and so is that of the finer pixels
        assert name == "Arbitrary"
        assert [float(v) for v in (x, y, left, top)] == [1, 1, 0, 0]
        assert [float(v) for v in (width, height)] == [0.25, 0.25]
        stored = json.loads(items["napari-hsr"].removeprefix("record "))
        assert stored["place"] == {"pixel": [0.25, 0.25], "origin": [-0.375, -0.375]}

    def test_envi_further_off(self, tmp_path, make_cube):
        from spectral.io import envi

        items = envi.open(str(write(make_cube(place=UNEVEN), tmp_path / "c.hdr"))).metadata
        left, top, width, height = (float(v) for v in items["map info"][3:7])
        assert (width, height) == (0.7, 1 / 3)
        assert left + width / 2 - 0.5 == pytest.approx(12.25)
        assert -top + height / 2 - 0.5 == pytest.approx(-1 / 3)

    def test_mat(self, tmp_path, make_cube):
        import h5py

        with h5py.File(write(make_cube(place=UNEVEN), tmp_path / "c.mat")) as file:
            # MATLAB's axes are reversed: there both are rows (1, 2)
            assert file["pixel_size"].shape == file["first_pixel_centre"].shape == (2, 1)
            assert tuple(file["pixel_size"][:, 0]) == UNEVEN.pixel
            assert tuple(file["first_pixel_centre"][:, 0]) == UNEVEN.origin
            assert file["pixel_size"].attrs["MATLAB_class"] == b"double"

    def test_hdf5(self, tmp_path, make_cube):
        import h5py

        with h5py.File(write(make_cube(place=UNEVEN), tmp_path / "c.h5")) as file:
            assert tuple(file["cube"].attrs["pixel_size"]) == UNEVEN.pixel
            assert tuple(file["cube"].attrs["first_pixel_centre"]) == UNEVEN.origin

    def test_npz(self, tmp_path, make_cube):
        with np.load(write(make_cube(place=UNEVEN), tmp_path / "c.npz")) as file:
            assert tuple(file["pixel_size"]) == UNEVEN.pixel
            assert tuple(file["first_pixel_centre"]) == UNEVEN.origin

    def test_tiff(self, tmp_path, make_cube):
        import tifffile

        with tifffile.TiffFile(write(make_cube(place=UNEVEN), tmp_path / "c.tif")) as file:
            tags = file.pages.first.tags
            assert tags["ResolutionUnit"].value == 1  # none: pixels, no length
            for name, size in (("XResolution", 0.7), ("YResolution", 1 / 3)):
                above, below = tags[name].value
                assert below / above == pytest.approx(size, rel=1e-6)

    @pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
    def test_a_cube_by_itself_says_nothing_of_it(self, tmp_path, suffix, make_cube):
        path = write(make_cube(), tmp_path / f"c{suffix}")
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        content = b"".join(file.read_bytes() for file in files)
        assert b"pixel_size" not in content
        assert b"map info" not in content
        assert b'"place"' not in content


class TestFilesOfOthers:
    """Their maps and resolutions are facts of the file, and move nothing."""

    def test_envi_with_map_info_pixel_size_and_a_start(self, tmp_path):
        from spectral.io import envi

        facts = {
            "map info": ["UTM", 1, 1, 699960, 3300000, 20, 20, 43, "North", "units=Meters"],
            "pixel size": [20, 20, "units=Meters"],
            "x start": 400,
            "y start": 700,
        }
        values = np.ones((4, 5, 10), np.float32)
        envi.save_image(str(tmp_path / "c.hdr"), values, metadata=facts, ext="img")
        cube = read(tmp_path / "c.hdr")
        assert cube.place is None
        assert cube.metadata["map info"][0] == "UTM"
        fine = upsample(cube, 4)
        again = read(write(fine, tmp_path / "fine.hdr"))
        assert again.place == QUARTER
        found = envi.open(str(tmp_path / "fine.hdr")).metadata["map info"]
        assert found[0] == "UTM"  # theirs, and true of the finer pixels
        assert [float(v) for v in found[1:7]] == [1, 1, 699960, 3300000, 5, 5]

    def test_a_map_as_long_as_the_bands_is_not_turned_round_with_them(self, tmp_path):
        from spectral.io import envi

        facts = {
            "map info": ["UTM", 1, 1, 699960, 3300000, 20, 20, 43, "North", "units=Meters"],
            "wavelength": list(range(900, 400, -50)),
            "wavelength units": "nm",
        }
        values = np.ones((4, 5, 10), np.float32)
        envi.save_image(str(tmp_path / "c.hdr"), values, metadata=facts, ext="img")
        assert read(tmp_path / "c.hdr").metadata["map info"][0] == "UTM"

    def test_arrays_and_tags_under_our_names_in_files_that_are_not_ours(self, tmp_path):
        import h5py
        import tifffile

        values = np.ones((5, 6, 7), np.float32)
        np.savez(tmp_path / "c.npz", cube=values, pixel_size=[30.0, 30.0])
        with h5py.File(tmp_path / "c.h5", "w") as file:
            file["cube"] = values
            file["cube"].attrs["pixel_size"] = (30.0, 30.0)
        tifffile.imwrite(
            tmp_path / "c.tif", values, photometric="minisblack", resolution=(1e-6, 1e-6)
        )
        for name in ("c.npz", "c.h5", "c.tif"):
            assert read(tmp_path / name).place is None
