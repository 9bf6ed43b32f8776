"""The place on the ground goes from ENVI to GeoTIFF and back: projections, turned grids, parts, finer pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tifffile

from napari_hsr import Cube, convert, read, super_resolve, write

LAEA = (
    'PROJCS["ETRS_1989_LAEA",GEOGCS["GCS_ETRS_1989",DATUM["D_ETRS_1989",SPHEROID["GRS_1980",6378137.0,'
    '298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_'
    'Azimuthal_Equal_Area"],PARAMETER["False_Easting",4321000.0],UNIT["Meter",1.0]]'
)
CUBE = Cube(np.random.default_rng(0).random((5, 8, 6), dtype=np.float32))


def scene(folder, *lines):
    """An ENVI image with these lines in its header, as another program would write it."""
    header = write(CUBE, folder / "scene.hdr")
    kept = [
        r for r in header.read_text().split("\n") if not r.startswith(("napari-hsr", "description"))
    ]
    header.write_text("\n".join([*kept, *lines]) + "\n")
    return header


def tags(path):
    with tifffile.TiffFile(path) as file:
        return {
            n: t.value
            for n in (33550, 33922, 34264, 34735, 34737)
            if (t := file.pages[0].tags.get(n))
        }


def keys(path):
    listed = tags(path)[34735]
    return {listed[i]: listed[i + 3] for i in range(4, len(listed), 4)}


def grid(path):
    """x and y of the upper left corners of the first pixel, the next one and the one below."""
    found = tags(path)
    if 34264 in found:
        m = found[34264]
        return [
            (m[3] + m[0] * i + m[1] * j, m[7] + m[4] * i + m[5] * j)
            for i, j in ((0, 0), (1, 0), (0, 1))
        ]
    (a, b, _), (i, j, _, x, y, _) = found[33550], found[33922]
    x, y = x - i * a, y + j * b
    return [(x, y), (x + a, y), (x, y - b)]


@pytest.mark.parametrize(
    ("info", "system", "expected"),
    [
        ("UTM, 1, 1, 500000, 4000000, 2, 2, 33, North, WGS-84, units=Meters", "", {3072: 32633}),
        ("UTM, 1, 1, 500000, 4000000, 2, 2, 22, South, WGS-84, units=Meters", "", {3072: 32722}),
        ("UTM, 1, 1, 500000, 4000000, 2, 2, 11, North, NAD-83, units=Meters", "", {3072: 26911}),
        ("UTM, 1, 1, 500000, 4000000, 2, 2, 33, North", 'PROJCS["x",DATUM["D_ETRS_1989"]]', {3072: 25833}),
        ("Geographic Lat/Lon, 1, 1, 10, 50, 1e-4, 1e-4, WGS-84, units=Degrees", "", {2048: 4326}),
        ("Lambert Azimuthal Equal Area, 1, 1, 4000000, 3000000, 2, 2", LAEA, {1024: 32767}),
        ("Arbitrary, 1, 1, 100, 200, 2, 2", "", {1025: 1}),
    ],
)  # fmt: skip
def test_a_projection_of_envi(tmp_path, info, system, expected):
    more = (f"coordinate system string = {{{system}}}",) if system else ()
    cube = read(scene(tmp_path, f"map info = {{{info}}}", *more))
    path = write(cube, tmp_path / "a.tif")
    assert expected.items() <= keys(path).items()
    if system == LAEA:  # GDAL reads a text without a number so
        assert tags(path)[34737] == f"ESRI PE String = {LAEA}|"
    x, y, size = (float(w) for w in info.split(",")[3:6])
    np.testing.assert_allclose(grid(path), [(x, y), (x + size, y), (x, y - size)])
    with tifffile.TiffFile(path) as file:  # as another program would leave it: without our record
        stored = file.pages[0].tags
        extra = [
            (t.code, t.dtype, t.count, t.value, True)
            for t in stored
            if t.code in (33550, 33922, 34735, 34737)
        ]
    tifffile.imwrite(
        tmp_path / "b.tif", CUBE.data, photometric="minisblack", metadata=None, extratags=extra
    )
    back = write(read(tmp_path / "b.tif"), tmp_path / "back.hdr")
    again = write(read(back), tmp_path / "again.tif")
    np.testing.assert_allclose(grid(again), grid(path))
    assert expected.items() <= keys(again).items()
    assert ("coordinate system string" in back.read_text()) == bool(system or "NAD" in info)


@pytest.fixture
def turned(tmp_path):
    info = "UTM, 1, 1, 500000, 4000000, 2, 2, 33, North, WGS-84, units=Meters, rotation=30"
    return read(scene(tmp_path, f"map info = {{{info}}}"))


C, S = math.cos(math.radians(30)), math.sin(math.radians(30))


def test_a_turned_grid(tmp_path, turned):
    path = write(turned, tmp_path / "a.tif")
    corner = np.array([500000.0, 4000000.0])
    np.testing.assert_allclose(
        grid(path), [corner, np.add(corner, (2 * C, 2 * S)), np.add(corner, (2 * S, -2 * C))]
    )
    back = write(
        Cube(CUBE.data, metadata={"geotiff": {"transformation": tags(path)[34264]}}),
        tmp_path / "b.hdr",
    )
    assert "rotation=30" in back.read_text()


@pytest.mark.parametrize("suffix", [".tif", ".hdr", ".h5", ".zarr"])
def test_parts_and_finer_pixels_of_a_turned_grid(tmp_path, turned, suffix):
    corner = np.array([500000.0, 4000000.0])
    part = write(convert(turned, crop=(2, 1, 8, 5)), tmp_path / f"part{suffix}")
    moved = np.add(corner, (2 * C + 4 * S, 2 * S - 4 * C))  # one pixel along, two down
    first = grid(write(read(part), tmp_path / "part2.tif"))[0]
    np.testing.assert_allclose(first, moved)
    fine = write(super_resolve(turned, "bicubic-matlab", scale=2), tmp_path / f"fine{suffix}")
    found = grid(write(read(fine), tmp_path / "fine2.tif"))
    np.testing.assert_allclose(found, [corner, np.add(corner, (C, S)), np.add(corner, (S, -C))])


def test_tie_points_at_centres_of_pixels(tmp_path):
    directory = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32633)
    extra = [
        (33550, "d", 3, (2.0, 2.0, 0.0), True), (33922, "d", 6, (0.0,) * 3 + (1.0, 11.0, 0.0), True),
        (34735, "H", len(directory), directory, True),
    ]  # fmt: skip
    tifffile.imwrite(
        tmp_path / "a.tif", CUBE.data, photometric="minisblack", metadata=None, extratags=extra
    )
    cube = read(tmp_path / "a.tif")
    path = write(super_resolve(cube, "bicubic-matlab", scale=2), tmp_path / "fine.tif")
    assert keys(path)[1025] == 1
    np.testing.assert_allclose(grid(path)[0], (0.0, 12.0))
