"""Any part of any grid on the ground lies where it lay, in GeoTIFF and ENVI."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import spectral
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsr import Cube, convert, read, write
from napari_hsr.analysis import index


def matrix(path):
    """Six numbers that take columns and rows to x and y."""
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        if 34264 in tags:
            m = tags[34264].value
            return np.array([m[0], m[1], m[3], m[4], m[5], m[7]])
        (a, b, _), (i, j, _, x, y, _) = tags[33550].value, tags[33922].value
        return np.array([a, 0, x - i * a, 0, -b, y + j * b])


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    degrees=st.sampled_from([0.0, 17.0, -90.0, 133.5]),
    corner=st.tuples(st.integers(10**5, 10**6), st.integers(0, 10**7)),
    pixel=st.floats(0.01, 60),
    top=st.integers(0, 5),
    left=st.integers(0, 3),
    zone=st.integers(32601, 32660),
    through=st.sampled_from([".tif", ".hdr", ".h5", ".npz", ".mat"]),
)
def test_a_part(degrees, corner, pixel, top, left, zone, through):
    c, s = np.cos(np.radians(degrees)) * pixel, np.sin(np.radians(degrees)) * pixel
    m = np.array([c, s, corner[0], s, -c, corner[1]])
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, zone)
    tags = [
        (34264, "d", 16, (m[0], m[1], 0, m[2], m[3], m[4], 0, m[5], *(0,) * 7, 1), True),
        (34735, "H", len(keys), keys, True),
    ]
    with tempfile.TemporaryDirectory() as folder:
        values = np.zeros((2, 8, 6), np.float32)
        place = Path(folder)
        tifffile.imwrite(
            place / "a.tif", values, photometric="minisblack", metadata=None, extratags=tags
        )
        part = convert(read(place / "a.tif"), crop=(top, left, 8, 6))
        again = read(write(part, place / f"b{through}"))
        header = write(again, place / "c.hdr")
        bare = Cube(
            again.data,
            metadata={"map info": spectral.envi.read_envi_header(str(header))["map info"]},
        )
        for cube in (again, bare):  # with GeoTIFF's tags, and with ENVI's words alone
            found = matrix(write(cube, place / "d.tif"))
            expected = np.add(m, [0, 0, m[0] * left + m[1] * top, 0, 0, m[3] * left + m[4] * top])
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)


MAP = ["UTM", "1.000", "1.000", "500000.000", "5000000.000", "2.0", "2.0", "33", "North", "WGS-84"]


@pytest.mark.parametrize("name", ["map info", "coordinate system string", "geo points", "patches"])
def test_a_list_as_long_as_the_bands_are_many_stays_whole(name):
    cube = Cube(
        np.ones((10, 4, 5), np.float32),
        np.linspace(450, 810, 10),
        metadata={name: MAP, "fwhm": [5.0] * 10, "gains": list(range(10))},
    )
    some = convert(cube, bands=[0, 4, 9])
    assert some.metadata == {name: MAP, "fwhm": [5.0] * 3, "gains": [0, 4, 9]}
    assert convert(cube, wavelengths=[500, 600, 700]).metadata[name] == MAP
    made = index(cube, "(b810-b650)/(b810+b650)")
    assert made.metadata == {name: MAP, "band names": made.metadata["band names"]}


def test_ten_bands_of_a_header_lie_where_all_lay(tmp_path):
    np.ones((10, 4, 5), np.float32).tofile(tmp_path / "ten.img")
    lines = ["lines = 4", "samples = 5", "bands = 10", "data type = 4", "interleave = bsq"]
    lines += ["byte order = 0", f"map info = {{{', '.join(MAP)}}}"]
    (tmp_path / "ten.hdr").write_text("\n".join(["ENVI", *lines]))
    part = write(convert(read(tmp_path / "ten.hdr"), bands=[0, 1, 5]), tmp_path / "part.hdr")
    assert lines[-1] in part.read_text()
