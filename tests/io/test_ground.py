"""The place on the ground goes from ENVI to GeoTIFF and back: projections, turned grids, parts, finer pixels."""

from __future__ import annotations

import math
import sys

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from scipy.io import netcdf_file

from napari_hsr import Cube, Photograph, convert, read, super_resolve, write
from napari_hsr.cli import main
from napari_hsr.io.tiff import geokeys, geotiff
from napari_hsr.io.tiff.length_units import in_metres
from napari_hsr.notices import Code, has
from napari_hsr.spectra.ground_coordinates import ground_of

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


def test_a_grid_in_feet_stays_in_feet(tmp_path):
    info = "map info = {UTM, 1, 1, 1640000, 13120000, 6, 6, 33, North, WGS-84, units=Feet}"
    there = write(read(scene(tmp_path, info)), tmp_path / "there.tif")
    assert (keys(there)[3072], keys(there)[3076]) == (32633, 9002)
    back = read(write(read(there), tmp_path / "back.hdr")).metadata["map info"]
    assert [str(item) for item in back][-1] == "units=Feet"


def test_a_system_in_feet_that_its_number_names_is_no_system_in_metres(monkeypatch):
    """EPSG:2263, New York in US survey feet: its areas had been told in m²."""
    feet = (
        'PROJCS["NAD83 / New York Long Island (ftUS)",GEOGCS["NAD83",UNIT["degree",0.0174532925199433]],'
        'UNIT["US survey foot",0.304800609601219,AUTHORITY["EPSG","9003"]],AUTHORITY["EPSG","2263"]]'
    )
    straight = geotiff.of_six((900000, 2, 0, 200000, 0, -2))
    alike = feet.replace("US survey foot", "metre").replace("0.304800609601219", "1")
    listed = geokeys.of_text(feet)["keys"]
    assert listed[-4:] == [3076, 0, 1, 9003]
    for system, unit in (
        (feet, None),
        (alike, "m"),
        (LAEA[:-1] + ',AUTHORITY["EPSG","3035"]]', "m"),
    ):
        metadata = {geotiff.KEY: straight | geokeys.of_text(system)}
        assert ground_of(CUBE.replace(metadata=metadata)).unit == unit
    monkeypatch.setitem(sys.modules, "pyproj", None)  # then a number alone tells of UTM
    in_metres.cache_clear()
    for code, unit in ((2263, None), (32633, "m")):
        metadata = {geotiff.KEY: straight | geokeys.of_code(code, True)}
        assert ground_of(CUBE.replace(metadata=metadata)).unit == unit
    in_metres.cache_clear()


@pytest.mark.parametrize(
    ("text", "kind", "code", "unit"),
    [
        ('COMPD_CS["x + height",{},VERT_CS["[h]",UNIT["metre",1],AUTHORITY["EPSG","7837"]]]', 3072, 25832, "m"),
        ('COMPD_CS["x + height",{},VERT_CS["h"],AUTHORITY["EPSG","5555"]]', 3072, 25832, "m"),
        ('COMPOUNDCRS["x [2016]",\n  {},\n  VERTCRS["h",ID["EPSG",7837]]]', 3072, 25832, "m"),
        ('BOUNDCRS[SOURCECRS[{}],TARGETCRS[GEOGCRS["WGS 84",ID["EPSG",4326]]]]', 3072, 25832, "m"),
        ('COMPD_CS["x",GEOGCS["WGS 84",AUTHORITY["EPSG","4326"]],VERT_CS["h"]]', 2048, 4326, None),
    ],
)  # fmt: skip
def test_a_compound_system_is_its_horizontal_one(text, kind, code, unit):
    """Heights beside a projected system had made it one of degrees."""
    flat = (
        'PROJCS["ETRS89 / UTM zone 32N",GEOGCS["ETRS89",AUTHORITY["EPSG","4258"]],'
        'UNIT["metre",1],AUTHORITY["EPSG","25832"]]'
    )
    straight = geotiff.of_six((500000, 2, 0, 200000, 0, -2))
    of_text = geokeys.of_text(text.format(flat))
    keys = of_text["keys"]
    assert keys[keys.index(kind) + 3] == code
    assert ground_of(CUBE.replace(metadata={geotiff.KEY: straight | of_text})).unit == unit


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


WKT2 = (
    'PROJCRS["ETRS89-extended / LAEA Europe",BASEGEOGCRS["ETRS89",ID["EPSG",4258]],ID["EPSG",3035]]'
)
UTM = {
    "grid_mapping_name": "transverse_mercator", "longitude_of_central_meridian": 15.0,
    "false_easting": 500000.0, "scale_factor_at_central_meridian": 0.9996, "false_northing": 0.0,
    "inverse_flattening": 298.257223563,
}  # fmt: skip
DEGREES = {"grid_mapping_name": "latitude_longitude", "inverse_flattening": 298.257223563}
X, Y = 4321005.0 + 10 * np.arange(6), 3209995.0 - 10 * np.arange(8)


def cf_hdf5(path, mapping, x=X, y=Y):
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("cube", data=CUBE.data)
        stored.attrs["grid_mapping"] = "crs"
        file.create_dataset("crs", data=0).attrs.update(mapping)
        for axis, (name, values) in enumerate((("wavelength", NM), ("y", y), ("x", x))):
            file[name] = values
            file[name].make_scale(name)
            stored.dims[axis].attach_scale(file[name])


def cf_netcdf(path, mapping, x=X, y=Y):
    with netcdf_file(path, "w") as file:
        for name, values in (("wavelength", NM), ("y", y), ("x", x)):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        crs = file.createVariable("crs", "i4", ())
        for key, value in mapping.items():  # of a plain float SciPy would keep half the digits
            setattr(crs, key, value if isinstance(value, str) else np.float64(value))
        stored = file.createVariable("cube", "f4", ("wavelength", "y", "x"))
        stored[:], stored.grid_mapping = CUBE.data, "crs"


def cf_zarr(path, mapping, x=X, y=Y):
    group = zarr.open_group(path, mode="w")
    names = ("wavelength", "y", "x")
    for name, values in zip(names, (NM, y, x), strict=True):
        group.create_array(name, data=np.asarray(values), dimension_names=[name])
    group.create_array("cube", data=CUBE.data, dimension_names=names).attrs["grid_mapping"] = "crs"
    group.create_array("crs", data=np.array(0)).attrs.update(mapping)


NM = np.array([450.0, 500.0, 550.0, 600.0, 700.0])
WRITERS = {"a.h5": cf_hdf5, "a.nc": cf_netcdf, "a.zarr": cf_zarr}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("mapping", "code"),
    [({"crs_wkt": WKT2}, {3072: 3035}), (UTM, {3072: 32633}), (DEGREES, {2048: 4326})],
)
def test_grid_mappings_of_cf(tmp_path, name, mapping, code):
    WRITERS[name](tmp_path / name, mapping)
    cube = read(tmp_path / name)
    path = write(cube, tmp_path / "a.tif")
    assert code.items() <= keys(path).items()
    np.testing.assert_allclose(
        grid(path), [(4321000, 3210000), (4321010, 3210000), (4321000, 3209990)]
    )


def test_a_geotransform_counts_before_coordinates(tmp_path):
    cf_hdf5(
        tmp_path / "a.h5", {"crs_wkt": WKT2, "GeoTransform": "100 20 0 200 0 -30"}, NM[:1].repeat(6)
    )
    path = write(read(tmp_path / "a.h5"), tmp_path / "a.tif")
    np.testing.assert_allclose(grid(path), [(100, 200), (120, 200), (100, 170)])


@pytest.mark.parametrize("name", WRITERS)
def test_rows_to_the_north_of_gdal_lie_where_their_coordinates_say(tmp_path, name):
    """GDAL's NetCDF states the grid of rows to the south beside rows to the north: they had lain mirrored."""
    corner = (X[0] - 5, Y[0] + 5) if Y[0] > Y[-1] else (X[0] - 5, Y[-1] + 5)
    stated = {"GeoTransform": f"{corner[0]} 10 0 {corner[1]} 0 -10"}
    WRITERS[name](tmp_path / name, UTM | stated, y=np.sort(Y))
    cube = read(tmp_path / name)
    assert "stands on its head" in " ".join(map(str, cube.notices))
    matrix = geotiff.stated(cube.metadata)["transformation"]
    assert [matrix[i] for i in (0, 3, 5, 7)] == [10, corner[0], 10, np.min(Y) - 5]
    assert (matrix[1], matrix[4]) == (0, 0)
    WRITERS[name](tmp_path / f"b{name[1:]}", UTM | stated, y=np.sort(Y)[::-1])
    cube = read(tmp_path / f"b{name[1:]}")
    assert "stands on its head" not in " ".join(map(str, cube.notices))
    assert geotiff.corner_and_pixel(geotiff.stated(cube.metadata))[0] == corner


@pytest.mark.parametrize(("unit", "times"), [("km", 1000), ("m", 1), ("rad", None)])
def test_coordinates_in_other_units_than_metres(tmp_path, unit, times):
    """Kilometres had been taken for metres, and the angles of a satellite's scan too."""
    cf_hdf5(tmp_path / "a.h5", UTM, X / (times or 1), Y / (times or 1))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        for axis in ("x", "y"):
            file[axis].attrs["units"] = unit
    facts = geotiff.stated(read(tmp_path / "a.h5").metadata)
    if times is None:
        assert not facts
    else:
        assert geotiff.corner_and_pixel(facts)[0] == pytest.approx((4321000, 3210000))


def test_no_grid_without_even_coordinates(tmp_path):
    cf_hdf5(tmp_path / "a.h5", {"crs_wkt": WKT2}, np.sqrt(X - 4321000))
    assert geotiff.KEY not in read(tmp_path / "a.h5").metadata


@pytest.mark.parametrize("there", [True, False])
def test_any_number_of_a_system_as_a_text_of_envi(tmp_path, there, monkeypatch, capsys):
    pyproj = pytest.importorskip("pyproj")
    cf_hdf5(tmp_path / "a.h5", {"crs_wkt": WKT2})
    if not there:
        monkeypatch.setitem(sys.modules, "pyproj", None)
    assert main(["convert", str(tmp_path / "a.h5"), "-o", str(tmp_path / "a.hdr")]) == 0
    header = (tmp_path / "a.hdr").read_text()
    found = [r.partition("= ")[2].strip("{}") for r in header.split("\n") if "system string" in r]
    if there:
        assert pyproj.CRS.from_wkt(found[0]).to_epsg(min_confidence=25) == 3035
    else:
        assert not found
        assert "napari-hsr[geo]" in capsys.readouterr().err


def test_rows_to_the_north_are_said(tmp_path, capsys):
    cf_hdf5(tmp_path / "a.h5", UTM, y=Y[::-1])
    main(["convert", str(tmp_path / "a.h5"), "-o", str(tmp_path / "a.hdr")])
    assert "north" in capsys.readouterr().err
    path = write(read(tmp_path / "a.h5"), tmp_path / "a.tif")
    np.testing.assert_allclose(
        np.array(tags(path)[34264])[[0, 3, 5, 7]], [10, 4321000, 10, 3209920]
    )


@pytest.mark.parametrize("even", [True, False])
def test_axes_of_hyperspy_in_zarr(tmp_path, even):
    group = zarr.open_group(tmp_path / "a.zspy", mode="w", zarr_format=2)
    scan = group.create_group("Experiments/scan")
    scan.create_array("data", data=np.moveaxis(CUBE.data, 0, -1).copy())
    for number, name in enumerate(("y", "x", "wavelength")):
        axis = scan.create_group(f"axis-{number}")
        axis.attrs.update({"name": name, "units": "µm" if name == "wavelength" else "_None_"})
        if name == "wavelength" and not even:
            axis.create_array("axis", data=NM / 1000)
        else:
            axis.attrs.update({"offset": 0.45, "scale": 0.05, "size": 5})
    cube = read(tmp_path / "a.zspy")
    np.testing.assert_array_equal(cube.data, CUBE.data)
    expected = 450 + 50.0 * np.arange(5) if even else NM
    assert cube.wavelengths.nm.tolist() == expected.tolist()


@pytest.mark.parametrize(("unit", "parts"), [("Degrees", 1), ("Minutes", 60), ("Seconds", 3600)])
def test_latitudes_in_parts_of_degrees(tmp_path, unit, parts):
    info = f"Geographic Lat/Lon, 1, 1, {10 * parts}, {50 * parts}, {parts}, {parts}, WGS-84, units={unit}"
    path = write(read(scene(tmp_path, f"map info = {{{info}}}")), tmp_path / "a.tif")
    np.testing.assert_allclose(grid(path), [(10, 50), (11, 50), (10, 49)])
    assert keys(path)[2048] == 4326


@pytest.mark.parametrize(
    ("first", "degrees", "agree"),
    [("1, 1", "30", True), ("1, 1", "180", False), ("1, 1", "-180", False), ("3, 2", "30", False), ("3, 2", "0", True)],
)  # fmt: skip
def test_a_turned_map_info_that_gdal_lays_elsewhere_is_told(tmp_path, first, degrees, agree):
    items = (
        f"UTM, {first}, 500000, 5000000, 2, 2, 33, North, WGS-84, units=Meters, rotation={degrees}"
    )
    found = read(scene(tmp_path, f"map info = {{{items}}}"))
    assert has(found.notices, Code.PLACE_UNUSABLE) != agree


def test_half_a_turn_is_written_so_that_gdal_turns_the_columns_too(tmp_path):
    grid = geotiff.of_six((500000, -2, 0, 5000000, 0, 2)) | geokeys.of_code(32633, True)
    written = write(CUBE.replace(metadata={geotiff.KEY: grid}), tmp_path / "half.hdr")
    turned = next(r for r in written.read_text().split("\n") if r.startswith("map info"))
    assert "rotation=180" not in turned  # as which GDAL takes rows that run to the north
    matrix = geotiff.stated(read(written).metadata)["transformation"]
    np.testing.assert_allclose(matrix, grid["transformation"], atol=1e-6)


def test_a_part_of_turned_pixels_that_are_not_square_lies_where_the_whole_lay(tmp_path):
    items = "UTM, 1, 1, 500000, 5000000, 2, 3, 33, North, WGS-84, units=Meters, rotation=30"
    whole = read(scene(tmp_path, f"map info = {{{items}}}"))
    assert has(whole.notices, Code.PLACE_UNUSABLE)
    part = convert(whole, crop=(2, 1, 6, 5))
    old, new = (
        np.reshape(geotiff.stated(one.metadata)["transformation"], (4, 4)) for one in (whole, part)
    )
    np.testing.assert_allclose(new @ [0, 0, 0, 1], old @ [1, 2, 0, 1], atol=1e-6)


def test_what_gdal_keeps_beside_a_tiff_counts_before_its_own_tags(tmp_path):
    grid = geotiff.of_six((500000, 2, 0, 5000000, 0, -2)) | geokeys.of_code(32633, True)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, CUBE.data, photometric="minisblack", metadata=None, extratags=geotiff.extra_tags(grid)
    )
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><GeoTransform>7e5, 2, 0, 5e6, 0, -2</GeoTransform></PAMDataset>"
    )
    kept = geotiff.stated(read(path).metadata)
    assert kept["tiepoints"][3] == 700000
    assert kept["keys"] == grid["keys"]


GRID = geotiff.of_six((500000, 2, 0, 5000000, 0, -2)) | geokeys.of_code(32633, True)
PICTURE = np.random.default_rng(1).integers(0, 255, (8, 6, 3), dtype=np.uint8)


def orthophoto(path, **options):
    tags = [*geotiff.extra_tags(GRID), *options.pop("more", ())]
    tifffile.imwrite(path, PICTURE, photometric="rgb", metadata=None, extratags=tags, **options)
    return path


@pytest.mark.parametrize("later", [False, True])
def test_an_orthophoto_keeps_its_place_in_another_file_too(tmp_path, later):
    path = orthophoto(tmp_path / "a.tif")
    if later:
        note = "<PAMDataset><GeoTransform>7e5, 2, 0, 5e6, 0, -2</GeoTransform></PAMDataset>"
        (tmp_path / "a.tif.aux.xml").write_text(note)
    photo = read(path)
    kept = geotiff.stated(photo.metadata)
    assert (kept["tiepoints"][3], kept["keys"]) == (700000 if later else 500000, GRID["keys"])
    again = write(photo, tmp_path / "b.tif")
    assert tags(again)[33922] == tuple(kept["tiepoints"])
    assert geotiff.stated(read(again).metadata) == kept


def test_a_world_file_beside_a_picture_is_the_place_of_the_photograph(tmp_path):
    write(Photograph(PICTURE), tmp_path / "ours.png")
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("2\n0\n0\n-2\n500001\n4999999\n")
    Image.fromarray(PICTURE).save(tmp_path / "b.jpg")
    (tmp_path / "b.jgw").write_text("2\n0\n0\n-2\n500001\n4999999\n")
    for name in ("a.png", "b.jpg"):
        assert geotiff.stated(read(tmp_path / name).metadata)["tiepoints"][3:5] == [5e5, 5e6]
    assert geotiff.KEY not in read(tmp_path / "ours.png").metadata


def test_a_photograph_that_is_turned_tells_that_its_place_was_left_out(tmp_path):
    turned = read(orthophoto(tmp_path / "a.tif", more=[(274, "H", 1, 6, True)]))
    assert (turned.height, geotiff.KEY in turned.metadata) == (6, False)
    assert has(turned.notices, Code.PLACE_UNUSABLE)


@pytest.mark.parametrize("kind", ["netcdf", "hdf5", "zarr"])
def test_lists_that_are_packed_by_a_factor_of_their_own(tmp_path, kind):
    """CF's ``scale_factor`` and ``add_offset`` of wavelengths and coordinates."""
    system = 'PROJCS["x",AUTHORITY["EPSG","32633"]]'
    lists = {"wavelength": (np.arange(5) * 10, 10.0, 400.0), "y": (np.arange(8) * -4, 0.5, 5000000.0),
             "x": (np.arange(6) * 4, 0.5, 500000.0)}  # fmt: skip
    path = tmp_path / {"netcdf": "a.nc", "hdf5": "a.h5", "zarr": "a.zarr"}[kind]
    if kind == "netcdf":
        with netcdf_file(str(path), "w") as file:
            for name, (stored, scale, offset) in lists.items():
                file.createDimension(name, stored.size)
                one = file.createVariable(name, "i2", (name,))
                one[:], one.scale_factor, one.add_offset = stored, scale, offset
            file.variables["wavelength"].units = "nm"
            file.createVariable("crs", "i4", ()).spatial_ref = system
            cube = file.createVariable("r", "f4", tuple(lists))
            cube[:], cube.grid_mapping = CUBE.data, "crs"
    elif kind == "hdf5":
        with h5py.File(path, "w") as file:
            file["r"], file["crs"] = CUBE.data, 0
            file["crs"].attrs["spatial_ref"], file["r"].attrs["grid_mapping"] = system, "crs"
            for axis, (name, (stored, scale, offset)) in enumerate(lists.items()):
                file[name] = stored.astype("i2")
                file[name].attrs.update({"scale_factor": scale, "add_offset": offset})
                file[name].make_scale(name)
                file["r"].dims[axis].attach_scale(file[name])
            file["wavelength"].attrs["units"] = "nm"
    else:
        group = zarr.open_group(path, mode="w", zarr_format=2)
        arrays = {name: stored for name, (stored, *_) in lists.items()}
        for name, values in {**arrays, "r": CUBE.data, "crs": np.zeros(1)}.items():
            one = group.create_array(name, shape=values.shape, dtype=values.dtype)
            one[...] = values
            names = list(lists) if name == "r" else [name]
            one.attrs["_ARRAY_DIMENSIONS"] = names
            if name in lists:
                one.attrs.update({"scale_factor": lists[name][1], "add_offset": lists[name][2]})
        group["crs"].attrs["spatial_ref"], group["r"].attrs["grid_mapping"] = system, "crs"
        group["wavelength"].attrs["units"] = "nm"
    found = read(path)
    np.testing.assert_allclose(found.wavelengths, [400, 500, 600, 700, 800])
    kept = found.metadata["geotiff"]
    assert kept["tiepoints"] == [0, 0, 0, 499999, 5000001, 0]
    assert kept["pixel_scale"] == [2, 2, 0]


def test_the_matrix_of_an_image_without_a_place_is_none(tmp_path):
    """GDAL writes rows and columns as a place where it was given none."""
    path = tmp_path / "a.tif"
    matrix = np.eye(4).ravel()
    tifffile.imwrite(
        path,
        np.ones((3, 4, 5), "f4"),
        photometric="minisblack",
        extratags=[(34264, "d", 16, tuple(matrix), True)],
    )
    assert geotiff.KEY not in read(path).metadata
    (tmp_path / "a.tfw").write_text("30\n0\n0\n-30\n512355\n5312325\n")
    assert geotiff.corner_and_pixel(geotiff.stated(read(path).metadata))[0] == (512340, 5312340)


@pytest.mark.parametrize(
    ("matrix", "at"),
    [
        ([10, 0, 0, 500, 0, 20, 0, 900, *[0.0] * 7, 1], (525.0, 910.0)),
        ([10, 0, 0, 500, 0, -20, 0, 900, *[0.0] * 7, 1], None),
        ([10, 1, 0, 500, 0, 20, 0, 900, *[0.0] * 7, 1], None),
        (["a"] * 16, None),
        ([None] * 16, None),
        ([10, 0, 0, 500], None),
        ("10 0 0", None),
    ],
)
def test_coordinates_of_rows_to_the_north(matrix, at):
    cube = CUBE.replace(metadata={geotiff.KEY: {"transformation": matrix}})
    ground = ground_of(cube)
    assert (ground and ground.at(0, 2)) == at
    assert geotiff.rows_to_the_north(cube.metadata) == (at is not None)
