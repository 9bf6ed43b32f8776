"""Cameras with a lens a band: a TIFF each, wavelengths in XMP. Sentinel-2 is refused in words."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_hsr import io, read
from napari_hsr.errors import FileError, SeveralArraysError
from napari_hsr.notices import Code, has

NM = (475, 560, 668, 840, 717)  # the order of RedEdge
WIDTHS = (20, 20, 10, 40, 10)
PLANES = np.random.default_rng(4).integers(0, 65535, (5, 6, 8)).astype(np.uint16)


def capture(folder, name="IMG_0001", attribute=False, nm=NM, planes=PLANES):
    folder.mkdir(exist_ok=True)
    for i, (centre, width, plane) in enumerate(zip(nm, WIDTHS, planes, strict=True), 1):
        inside = f"<Camera:CentralWavelength>{centre}</Camera:CentralWavelength>"
        inside += f"<Camera:WavelengthFWHM>{width}</Camera:WavelengthFWHM>"
        if attribute:
            inside = f'<rdf:Description Camera:CentralWavelength="{centre}" Camera:WavelengthFWHM="{width}"/>'
        xmp = (
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>{inside}</rdf:RDF></x:xmpmeta>'.encode()
        )
        tags = [] if centre is None else [(700, 1, len(xmp), xmp, True)]
        tifffile.imwrite(folder / f"{name}_{i}.tif", plane, extratags=tags, metadata=None)
    return folder


@pytest.mark.parametrize("attribute", [False, True])
def test_a_capture_is_a_cube(tmp_path, attribute):
    folder = capture(tmp_path / "flight", attribute=attribute)
    assert io.can_read(folder)
    cube = read(folder)
    order = np.argsort(NM)
    np.testing.assert_array_equal(cube.data, PLANES[order])
    np.testing.assert_allclose(cube.wavelengths.nm, np.sort(NM))
    assert cube.metadata["fwhm"] == [WIDTHS[i] for i in order]
    assert any("lens of its own" in notice for notice in cube.notices)
    assert cube.name == "IMG_0001"


def test_one_of_several_captures_is_named(tmp_path):
    folder = capture(tmp_path / "flight")
    capture(folder, "IMG_0002", planes=PLANES[:, ::-1])
    with pytest.raises(SeveralArraysError, match="2 captures, IMG_0001 to IMG_0002"):
        read(folder)
    np.testing.assert_array_equal(read(f"{folder}:IMG_0002").data[0], PLANES[0, ::-1])
    with pytest.raises(FileError, match="no capture 'IMG_0003'"):
        read(folder, variable="IMG_0003")


def test_a_thermal_band_of_another_size_is_left_out(tmp_path):
    folder = capture(
        tmp_path / "flight", nm=(475, 560, 668, 840, 11000), planes=[*PLANES[:4], PLANES[4][:3, :4]]
    )
    cube = read(folder)
    assert cube.shape == (4, 6, 8)
    assert has(cube.notices, Code.OTHER_IMAGES_LEFT_OUT)


def test_what_is_no_capture_or_a_broken_one(tmp_path):
    folder = capture(tmp_path / "frames", nm=(None,) * 5)
    assert not io.can_read(folder)
    folder = capture(tmp_path / "flight", nm=(475, 560, None, 840, 717))
    with pytest.raises(FileError, match=r"IMG_0001_3\.tif: its XMP states no wavelength"):
        read(folder)
    content = (folder / "IMG_0001_2.tif").read_bytes()
    (folder / "IMG_0001_2.tif").write_bytes(content[:100])
    with pytest.raises(FileError, match=r"IMG_0001_2\.tif"):
        read(folder)


@pytest.mark.parametrize("name", ["S2A_MSIL2A_20230101.SAFE", "bands"])
def test_sentinel_2_is_refused_in_words(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    for band in ("B02_10m.jp2", "B03_10m.jp2"):
        (folder / band).write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n")
    with pytest.raises(FileError, match=r"Sentinel-2 product.*gdal_translate"):
        read(folder)
