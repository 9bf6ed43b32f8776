"""Images of one size that state other places on the ground are told, and labels that are turned refused."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io import label_images, places_apart
from napari_hsr.metrics import match
from napari_hsr.notices import Code, has

HERE = ["UTM", 1.0, 1.0, 500000.0, 5000000.0, 2.0, 2.0, 33, "North", "WGS-84", "units=Meters"]


def moved(east=0.0, north=0.0, pixel=2.0):
    there = [*HERE]
    there[3:7] = [HERE[3] + east, HERE[4] + north, pixel, pixel]
    return {"map info": there}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (moved(), None),
        (moved(0.9, -0.9), None),  # less than half a pixel, as others round
        ({}, None),
        (moved(48.0, -6.0), "48 m (east) and 6 m (north) apart"),
        (moved(pixel=4.0), "pixels of 2 × 2 m and 4 × 4 m"),
    ],
)
def test_places_that_do_not_agree_are_told(other, words):
    found = places_apart.notices({"map info": HERE}, other)
    assert found == places_apart.notices(other, {"map info": HERE}) or words
    assert has(found, Code.PLACES_DIFFER) is bool(words)
    assert not words or words in found[0]


def test_a_comparison_tells_it():
    values = np.ones((3, 4, 5), np.float32)
    one, other = (Cube(values, [500, 510, 520], metadata=m) for m in (moved(), moved(48.0)))
    assert has(match(one, other)[3], Code.PLACES_DIFFER)
    assert not match(one, one)[3]


def test_labels_of_another_place_are_told(tmp_path):
    labels = np.ones((4, 5), np.uint8)
    path = label_images.write_labels(labels, tmp_path / "there.tif", metadata=moved(48.0))
    assert has(label_images.place_notices(path, moved()), Code.PLACES_DIFFER)
    assert not label_images.place_notices(path, moved(48.0))
    plain = label_images.write_labels(labels, tmp_path / "nowhere.tif")
    assert not label_images.place_notices(plain, moved())


def test_turned_labels_are_refused(tmp_path):
    labels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    tifffile.imwrite(tmp_path / "t.tif", labels, extratags=[(274, "H", 1, 3, True)])
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(labels).save(tmp_path / "t.png", exif=exif)
    for name in ("t.tif", "t.png"):
        with pytest.raises(FileError, match="states orientation 3"):
            label_images.read_labels(tmp_path / name)
    Image.fromarray(labels).save(tmp_path / "u.png")
    np.testing.assert_array_equal(label_images.read_labels(tmp_path / "u.png"), labels)
