"""OME-TIFFs whose planes lie in other files, or nowhere."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import tifffile

from napari_hsr.errors import FileError
from napari_hsr.io import read
from napari_hsr.notices import Code, has

VALUES = np.random.default_rng(0).random((31, 12, 10), dtype=np.float32)


def ome(path, planes, *parts):
    path.parent.mkdir(exist_ok=True)
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image>'
        f'<Pixels SizeX="10" SizeY="12" SizeC="{planes}" SizeZ="1" SizeT="1" Type="float" '
        f'DimensionOrder="XYCZT">{"".join(parts)}</Pixels></Image></OME>'
    )
    tifffile.imwrite(path, VALUES, photometric="minisblack", metadata=None, description=xml)
    return path


def part(first, name, uuid):
    return (
        f'<TiffData IFD="0" FirstC="{first}" PlaneCount="31">'
        f'<UUID FileName="{name}">urn:uuid:{uuid}</UUID></TiffData>'
    )


@pytest.mark.parametrize("name", ["gone.tif", "beside.tif", "../elsewhere/beside.tif", "pipe.tif"])
def test_planes_in_another_file_are_told_and_never_read(tmp_path, name):
    path = ome(tmp_path / "in" / "a.tif", 62, part(0, "a.tif", 0), part(31, name, 1))
    for folder in ("in", "elsewhere"):
        (tmp_path / folder).mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / folder / "beside.tif", VALUES + 7, photometric="minisblack")
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "in" / "pipe.tif")  # opening it would never end
    cube = read(path)
    np.testing.assert_array_equal(cube.data, VALUES)
    assert has(cube.notices, Code.OTHER_IMAGES_LEFT_OUT)


def test_a_file_that_was_renamed_is_whole(tmp_path):
    cube = read(ome(tmp_path / "in" / "now.tif", 31, part(0, "before.tif", 0)))
    np.testing.assert_array_equal(cube.data, VALUES)
    assert not has(cube.notices, Code.OTHER_IMAGES_LEFT_OUT)


def test_fewer_pages_than_planes(tmp_path):
    path = ome(tmp_path / "in" / "a.tif", 62, '<TiffData IFD="0" PlaneCount="31"/>')
    with pytest.raises(FileError, match="62 planes, of which 31"):
        read(path)
