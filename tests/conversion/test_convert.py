"""A part of a cube, other bands, another scale; where it lies on the ground follows."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Cube, convert
from napari_hsr.errors import InputError
from napari_hsr.georeference import Place
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, has

NM = np.array([450.0, 500.0, 550.0, 600.0])
DATA = np.arange(4 * 6 * 5, dtype=np.float32).reshape(4, 6, 5)


def cube(**changes) -> Cube:
    return Cube(**{"data": DATA, "wavelengths": NM, **changes})


def on_disk(tmp_path) -> Cube:
    stored = np.memmap(tmp_path / "bil", np.int16, "w+", shape=(6, 4, 5))
    stored[:] = DATA.transpose(1, 0, 2)
    return cube(data=LazyArray(stored, (1, 0, 2)))


def test_everything_at_once_in_memory_and_on_disk(tmp_path):
    wanted = {"crop": (1, 0, 5, 3), "bands": [3, 1], "scale": 0.5, "units": "counts"}
    for source in (cube(), on_disk(tmp_path)):
        found = convert(source, **wanted)
        assert isinstance(found.data, LazyArray) != source.in_memory
        np.testing.assert_array_equal(np.asarray(found.data), DATA[[1, 3], 1:5, :3] / 2)
        np.testing.assert_array_equal(found.data[1, 3], DATA[3, 4, :3] / 2)
        np.testing.assert_array_equal(found.data[:, ::-2, 1], DATA[[1, 3], 1:5, :3][:, ::-2, 1] / 2)
        assert list(found.wavelengths) == [500, 600]
        assert found.units == "counts"
        assert found.place == Place((1, 1), (1, 0))
        assert len(found.provenance.steps) == 3


def test_lists_of_bands_follow_their_bands():
    found = convert(
        cube(metadata={"fwhm": [1, 2, 3, 4], "default bands": [3, 2, 1], "note": "x"}), bands=[0, 2]
    )
    assert found.metadata == {"fwhm": [1, 3], "note": "x"}


def test_map_info_and_geotiff_name_another_pixel_once_it_is_cropped():
    info = ["UTM", "1", "1", "500000.0", "5800000.0", "30", "30", "33", "North", "WGS-84"]
    tags = {
        "pixel_scale": [30.0, 30.0, 0.0],
        "tiepoints": [0.0, 0.0, 0.0, 500000.0, 5800000.0, 0.0],
        "transformation": [30.0, 0, 0, 500000.0, 0, -30.0, 0, 5800000.0, 0, 0, 0, 0, 0, 0, 0, 1],
    }
    found = convert(cube(metadata={"map info": info, "geotiff": tags}), crop=(2, 1, 6, 5))
    # what was at the first pixel's corner lies two rows above and one column left of the new one
    assert [float(n) for n in found.metadata["map info"][1:3]] == [0, -1]
    assert found.metadata["geotiff"]["tiepoints"][:2] == [-1, -2]
    matrix = found.metadata["geotiff"]["transformation"]
    assert (matrix[3], matrix[7]) == (500030, 5800000 - 60)


def test_finer_pixels_of_a_geotiff():
    tags = {
        "pixel_scale": [30.0, 20.0, 0.0],
        "tiepoints": [2.0, 1.0, 0.0, 500000.0, 5800000.0, 0.0],
        "transformation": [30.0, 0, 0, 500000.0, 0, -20.0, 0, 5800000.0, 0, 0, 0, 0, 0, 0, 0, 1],
    }
    source = cube(metadata={"geotiff": tags})
    found = source.over_same_area(np.zeros((4, 12, 20), np.float32)).metadata["geotiff"]
    assert found["pixel_scale"] == [7.5, 10.0, 0.0]
    assert found["tiepoints"] == [8.0, 2.0, 0.0, 500000.0, 5800000.0, 0.0]
    assert (found["transformation"][0], found["transformation"][5]) == (7.5, -10.0)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"crop": (0, 0, 7, 5)}, "6 x 5"),
        ({"crop": (3, 0, 3, 5)}, "inside"),
        ({"bands": [4]}, "bands 0 to 3"),
        ({"bands": []}, "none"),
        ({"fwhm": 5}, "grid"),
        ({"scale": 0}, "0"),
        ({"scale": np.nan}, "nan"),
    ],
)
def test_what_is_not_there(wanted, said):
    with pytest.raises(InputError, match=said):
        convert(cube(), **wanted)


def test_a_unit_that_may_no_longer_be_true_is_told():
    percent = convert(cube(units="reflectance"), scale=100)
    assert has(percent.notices, Code.VALUES_RESCALED)
    for quiet in (
        convert(cube(units="reflectance"), scale=100, units="%"),
        convert(cube(units="reflectance"), scale=1),
        convert(cube(), scale=100),
    ):
        assert not has(quiet.notices, Code.VALUES_RESCALED)
