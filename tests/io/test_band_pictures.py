"""Folders with a picture a band: what each file states of its own numbers counts for its band."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.notices import Code, has

PLANES = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5) + 10
NM = (450, 550, 650)
PLACE = [
    (33550, "d", 3, (2.0, 3.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0), True),
]


def folder(path, last=PLANES[2], tags=(), **of_last):
    """Three TIFFs; what is given is of the last alone, but for tags of the place."""
    path.mkdir(exist_ok=True)
    for nm, plane in zip(NM, PLANES, strict=True):
        own = {"photometric": "minisblack", "extratags": PLACE, "metadata": None}
        if nm == NM[-1]:
            plane, own["extratags"] = last, [*PLACE, *tags]
            own |= of_last
        tifffile.imwrite(path / f"{nm}nm.tif", plane, **own)
    return path


def gdal(items):
    return [(42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]


def test_scale_and_missing_values_of_one_band(tmp_path):
    items = '<Item name="SCALE" sample="0">0.5</Item><Item name="OFFSET" sample="0">1</Item>'
    marker = int(PLANES[2, 0, 0])
    cube = read(folder(tmp_path / "f", tags=[*gdal(items), (42113, "s", 0, str(marker), True)]))
    expected = PLANES.astype(np.float32)
    expected[2] = expected[2] * 0.5 + 1
    expected[2, 0, 0] = np.nan
    np.testing.assert_allclose(cube.data, expected)
    assert cube.wavelengths.nm.tolist() == list(NM)
    for code in (Code.SCALE_APPLIED, Code.NO_DATA):
        assert any(n.code is code and "650nm.tif" in n for n in cube.notices)
    assert cube.metadata["geotiff"]["pixel_scale"] == [2.0, 3.0, 0.0]


def test_what_all_bands_state_is_told_once(tmp_path):
    path = folder(tmp_path / "f")
    for nm, plane in zip(NM, PLANES, strict=True):
        items = '<Item name="SCALE" sample="0">0.5</Item>'
        tifffile.imwrite(
            path / f"{nm}nm.tif",
            plane,
            photometric="minisblack",
            extratags=gdal(items),
            metadata=None,
        )
    cube = read(path)
    np.testing.assert_allclose(cube.data, PLANES * 0.5)
    told = [n for n in cube.notices if n.code is Code.SCALE_APPLIED]
    assert len(told) == 1
    assert ".tif" not in told[0]


@pytest.mark.parametrize(
    ("of_last", "code"),
    [
        ({"photometric": "miniswhite"}, Code.VALUES_SCALE_GUESSED),
        ({"tags": [(274, "H", 1, 3, True)]}, Code.AXES_CHANGED),
        ({"last": PLANES[1:]}, Code.OTHER_IMAGES_LEFT_OUT),
        ({"last": PLANES[2].astype(np.uint8)}, Code.VALUES_SCALE_GUESSED),
    ],
)
def test_what_is_not_followed_is_told(tmp_path, of_last, code):
    cube = read(folder(tmp_path / "f", **of_last))
    assert cube.data.shape == PLANES.shape
    assert any(n.code is code and "650nm.tif" in n for n in cube.notices)


def test_a_number_for_missing_values_is_that_of_what_is_stored(tmp_path):
    items = '<Item name="SCALE" sample="0">10</Item>'
    cube = read(folder(tmp_path / "f", tags=gdal(items)), no_data=500.0)
    np.testing.assert_array_equal(cube.data[2], PLANES[2] * 10)  # 50 x 10 is a value
    cube = read(folder(tmp_path / "f", tags=gdal(items)), no_data=50.0)
    assert np.argwhere(np.isnan(cube.data)).tolist() == np.argwhere(PLANES == 50).tolist()


def test_transparent_pixels_and_orientation_of_a_png(tmp_path):
    for nm, plane in zip(NM, PLANES.astype(np.uint8), strict=True):
        alpha = np.where(plane % 2, 255, 0).astype(np.uint8)
        turned = Image.Exif()
        turned[274] = 6
        Image.fromarray(np.dstack([plane, alpha])).save(tmp_path / f"{nm}nm.png", exif=turned)
    cube = read(tmp_path)
    np.testing.assert_array_equal(cube.data, np.where(PLANES % 2, PLANES, np.nan))
    assert has(cube.notices, Code.ALPHA_LEFT_OUT)
    assert any(n.code is Code.AXES_CHANGED and "orientation 6" in n for n in cube.notices)


def test_numbers_of_a_palette_are_no_values(tmp_path):
    path = folder(tmp_path / "f")
    table = np.arange(3 * 256, dtype=np.uint16).reshape(3, 256)
    plane = PLANES[2].astype(np.uint8)
    tifffile.imwrite(path / "650nm.tif", plane, photometric="palette", colormap=table)
    with pytest.raises(FileError, match="stand for colours"):
        read(path)
