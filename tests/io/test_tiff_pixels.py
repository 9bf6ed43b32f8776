"""Large pictures in TIFF files stay there, and are decoded where they are looked at."""

import numpy as np
import pytest
import tifffile

from napari_hsr import read
from napari_hsr.colour import why_not_values
from napari_hsr.errors import FileError
from napari_hsr.io.tiff import pixels as tiff_pixels
from napari_hsr.io.tiff.pixels import TiffPixels

KEYS = [
    np.s_[:],
    np.s_[...],
    np.s_[3],
    np.s_[10:90, 20:100],
    np.s_[2:77:5, 100:3:-7, 1],
    np.s_[-1, -2],
    np.s_[5:5],
    np.s_[..., 2],
    np.s_[64:200, 64:65, ::2],
]
STORED = [
    {"tile": (32, 48), "compression": "zlib"},
    {"rowsperstrip": 7, "compression": "zlib"},
    {"tile": (64, 64)},
    {},
]


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    monkeypatch.setattr(tiff_pixels, "LARGE_BYTES", 1000)
    monkeypatch.setattr(tiff_pixels, "KEPT_BYTES", 80_000)


@pytest.mark.parametrize("options", STORED)
@pytest.mark.parametrize(
    ("dtype", "order", "samples"), [("uint8", "<", 3), ("uint16", ">", 3), ("uint8", "<", 4)]
)
def test_what_is_asked_for_is_what_lies_there(tmp_path, options, dtype, order, samples):
    values = np.random.default_rng(2).integers(0, 255, (101, 130, samples)).astype(dtype)
    more = {"extrasamples": ["unassalpha"]} if samples == 4 else {}
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb", byteorder=order, **options, **more)
    photograph = read(path)
    assert isinstance(photograph.data, TiffPixels)
    assert photograph.encoding == "srgb"
    assert why_not_values(photograph) is None
    values = values[..., :3]
    for key in KEYS:
        found = photograph.data[key]
        np.testing.assert_array_equal(found, values[key])
        assert found.dtype == values.dtype
    np.testing.assert_array_equal(np.asarray(photograph.data), values)


def test_only_the_tiles_that_are_looked_at_are_decoded(tmp_path):
    values = np.random.default_rng(2).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb", tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as file:
        last = file.pages[0].dataoffsets[-1], file.pages[0].databytecounts[-1]
    with path.open("rb+") as file:
        file.seek(last[0])
        file.write(b"\0" * last[1])
    data = read(path).data
    np.testing.assert_array_equal(data[:96], values[:96])
    np.testing.assert_array_equal(data[96:, :96], values[96:, :96])
    with pytest.raises(FileError, match="damaged"):
        data[100, 100]


def test_what_must_be_looked_at_as_a_whole_is_loaded(tmp_path):
    values = np.random.default_rng(2).integers(0, 255, (60, 40, 3), dtype=np.uint8)
    turned = [(274, "H", 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extratags=turned)
    assert isinstance(read(tmp_path / "a.tif").data, np.ndarray)
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="rgb")
    assert isinstance(read(tmp_path / "b.tif", full_scale=200).data, np.ndarray)
    assert isinstance(read(tmp_path / "b.tif").data, TiffPixels)
