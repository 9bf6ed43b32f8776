"""Cameras: where sensitivities come from, the matrix they make, and the photograph."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_hsr import colour
from napari_hsr.cameras import (
    Camera,
    get_camera,
    list_cameras,
    matrix,
    read_cameras,
    simulate,
    slug,
)
from napari_hsr.colour.observers import colour_science, illuminant_values
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, InputError
from napari_hsr.notices import Code, has

GRID = np.arange(400.0, 701.0, 10.0)
NIKON = "Nikon 5100 (NPL)"


@pytest.fixture
def cube() -> Cube:
    data = np.random.default_rng(0).random((31, 12, 14), dtype=np.float32)
    return Cube(data, GRID, units="reflectance", name="noise")


@pytest.fixture
def table(tmp_path):
    """A table of two cameras: two Gaussians a channel, rows in disorder."""
    path = tmp_path / "my cameras.csv"
    rows = []
    for name, shift in (("Acme_One", 0), ("Acme_Two", 10)):
        for nm in range(700, 395, -5):
            rgb = [f"{np.exp(-(((nm - c - shift) / 40) ** 2)):.6f}" for c in (600, 540, 450)]
            rows.append([name, nm, *rgb])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["camera", "wavelength_nm", "R", "G", "B"], *rows])
    return path


def write(tmp_path, text, name="c.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# ---- names -----------------------------------------------------------------------------------


def test_slugs():
    assert slug("Nikon_D700") == "nikon-d700"
    assert slug(NIKON) == "nikon-5100-npl"
    assert slug("Canon_EOS-1D_X_Mark_II") == "canon-eos-1d-x-mark-ii"


def test_every_listed_camera_can_be_had_under_name_and_slug():
    for name in list_cameras():
        camera = get_camera(name)
        assert camera.name == name
        assert get_camera(slug(name)).name == name
        assert camera.sensitivities.shape == (camera.wavelengths_nm.size, 3)
        assert get_camera(camera) is camera
    assert get_camera("camera:nikon-5100-npl").name == NIKON
    assert get_camera("CIE 1931 2 Degree Standard Observer").name == "cie-1931"


def test_a_measured_camera_is_that_of_colour_science():
    reference = colour_science().MSDS_CAMERA_SENSITIVITIES[NIKON]
    camera = get_camera(NIKON)
    np.testing.assert_array_equal(camera.wavelengths_nm, reference.wavelengths)
    np.testing.assert_array_equal(camera.sensitivities, reference.values)
    assert camera.encoding == "camera:nikon-5100-npl"


def test_an_unknown_camera_lists_the_known_ones():
    with pytest.raises(InputError, match=r"'Kodak Brownie'.*cie-1931.*file\.csv:name"):
        get_camera("Kodak Brownie")


# ---- tables ----------------------------------------------------------------------------------


def test_tables_hold_several_cameras(table):
    assert list(read_cameras(table)) == ["Acme_One", "Acme_Two"]
    two = get_camera(f"{table}:Acme_Two")
    assert get_camera(f"{table}:acme-two").name == "Acme_Two"
    np.testing.assert_array_equal(two.wavelengths_nm, np.arange(400, 701, 5))
    assert two.sensitivities[np.flatnonzero(two.wavelengths_nm == 550)[0], 1] == 1.0
    with pytest.raises(FileError, match=r"2 cameras.*my cameras\.csv:Acme_One"):
        get_camera(str(table))
    with pytest.raises(FileError, match=r"no camera 'Acme_Tow'.*Acme_Two"):
        get_camera(f"{table}:Acme_Tow")


@pytest.mark.parametrize(
    "text",
    [
        "wavelength (nm);R;G;B\n400;0,5;0;0,25\n500;0,5;1;0\n",
        "% measured in May\n400  0.5  0.0  0.25\n500  0.5  1.0  0.0\n",
        "wavelength [µm],R (%),G (%),B (%)\n0.4,0.5,0,0.25\n0.5,0.5,1,0\n",
        "wavelength,R,G,B\nnm,,,\n400,0.5,0,0.25\n500,0.5,1,0\n",
        "wl\tRed\tGreen\tBlue\n400\t0.5\t0\t0.25\n500\t0.5\t1\t0\n",
        "Wavelength [nm],QE Red [%],QE Green [%],QE Blue [%]\n400,0.5,0,0.25\n500,0.5,1,0\n",
        "wavelength,red_sensitivity,green_sensitivity,blue_sensitivity\n400,0.5,0,0.25\n500,0.5,1,0\n",
        "Wellenlänge;Rot;Grün;Blau\n400;0,5;0;0,25\n500;0,5;1;0\n",
    ],
    ids=[
        "decimal commas", "blanks", "micrometres", "a line of units", "tabs", "quantum efficiency",
        "sensitivity", "german",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_tables_as_programs_write_them(tmp_path, text, encoding):
    table = tmp_path / "acme.txt"
    table.write_text(text, encoding=encoding)
    (camera,) = read_cameras(table).values()
    np.testing.assert_array_equal(camera.wavelengths_nm, [400, 500])
    np.testing.assert_array_equal(camera.sensitivities, [[0.5, 0, 0.25], [0.5, 1, 0]])


def test_comments_and_a_table_without_a_heading(tmp_path):
    path = tmp_path / "cam.csv"
    path.write_text("#Camera: Some 1\n# Method: Monochromator\n400,0.1,0.2,0.5\n410,0.2,0.3,0.4\n")
    camera = get_camera(str(path))
    assert camera.wavelengths_nm.tolist() == [400, 410]
    assert camera.sensitivities.tolist() == [[0.1, 0.2, 0.5], [0.2, 0.3, 0.4]]
    path.write_text("400,0.1,0.2\n410,0.2,0.3\n")
    with pytest.raises(FileError, match="columns wavelength, R, G, B"):
        get_camera(str(path))


def test_a_table_of_one_camera_needs_no_name(tmp_path):
    path = write(tmp_path, "\ufeffWavelength;Red;Green;Blue\n\n500;0;1;0.5\n400;0;0;1\n600;1;0,\n")
    with pytest.raises(FileError, match="line 5"):
        get_camera(str(path))
    path = write(tmp_path, "\ufeffWavelength;Red;Green;Blue\n\n500;0;1;0.5\n400;0;0;1\n600;1;0;0\n")
    camera = get_camera(str(path))
    assert camera.name == "c"
    np.testing.assert_array_equal(camera.wavelengths_nm, [400, 500, 600])
    np.testing.assert_array_equal(camera.sensitivities, [[0, 0, 1], [0, 1, 0.5], [1, 0, 0]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text file"),
        ("hello world\n", "columns wavelength, R, G, B"),
        (",,,\n,,,\n", "cells are empty"),
        ('""\t" "\n\t\n', "cells are empty"),
        ("wavelength,R,G\n400,1,1\n", "B is missing"),
        ("wavelength,R,G,B\n", "no rows"),
        ("wavelength,R,G,B\n400,1,1,1\n", "two wavelengths"),
        ("wavelength,R,G,B\n400,1,1,1\n500,1,x,1\n", "line 3"),
        ("wavelength,R,G,B\n400,1,1,1\n500,1,nan,1\n", "line 3"),
        ("wavelength,R,G,B\n400,1,1,1\n500,1,1\n", "line 3"),
        ("wavelength,R,G,B,camera\n400,1,1,1\n500,1,1,1\n", "line 2"),
        ("camera,wavelength,R,G,B\n\x1b[2J\n,400,1,1,1\n", "line 2"),
        ("wavelength,R,G,B\n400,1,1,1\n400,1,1,1\n", "second time"),
        ("wavelength,R,G,B\n0.4,1,1,1\n0.5,1,1,1\n", "µm"),
        ("wavelength,R,G,B\n400,1,1,0\n500,1,1,0\n", "sees nothing"),
        ("wavelength,R,G,B\n400,1e308,1,1\n500,1e308,1,1\n", "are not all numbers"),
        ("wavelength,R,G,B\n" + "400,1,1,1\n" * 200_001, "200,002 rows"),
        ('wavelength,R,G,B\n"' + "x" * 200_000, "read as a table"),
    ],
)
def test_bad_tables_are_named_in_one_sentence(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(FileError, match=words) as error:
        get_camera(str(path))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_missing_tables(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        get_camera(str(tmp_path / "none.csv:X"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="cannot be read"):
        get_camera(str(tmp_path / "folder.csv"))


# ---- matrix ----------------------------------------------------------------------------------


def test_matrix_is_exact_where_the_grids_coincide_and_linear_between():
    camera = get_camera(NIKON)  # tabulated every 5 nm
    on_grid = matrix(camera, GRID, normalise=None)
    at = np.searchsorted(camera.wavelengths_nm, GRID)
    np.testing.assert_array_equal(on_grid, camera.sensitivities[at])
    between = matrix(camera, [402.5, 500.0, 600.0], normalise=None)[0]
    np.testing.assert_allclose(between, camera.sensitivities[4:6].mean(axis=0), rtol=1e-12)


def test_outside_its_range_a_camera_sees_nothing():
    weights = matrix("Sigma SDMerill (NPL)", np.arange(380.0, 781.0, 10.0))
    assert (weights[:2] == 0).all()  # measured from 400 nm
    assert (weights[-10:] == 0).all()  # to 680 nm
    with pytest.raises(InputError, match=r"sees nothing.*900–1000 nm"):
        matrix(NIKON, [900.0, 950.0, 1000.0])


def test_normalisations():
    plain = matrix(NIKON, GRID, "A", None)
    reference = matrix(NIKON, GRID, None, None) * illuminant_values("A", GRID)[:, None]
    np.testing.assert_allclose(plain, reference, rtol=1e-14)

    white = matrix(NIKON, GRID, "A", "white")
    np.testing.assert_allclose(white.sum(axis=0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(white, plain / plain.sum(axis=0), rtol=1e-12)

    for light in (None, "E"):
        np.testing.assert_allclose(matrix(NIKON, GRID, light).sum(axis=0), 1.0, rtol=1e-12)
    tinted = matrix(NIKON, GRID, "A", "sum")
    red, green, blue = tinted.sum(axis=0)
    assert red == pytest.approx(1.0)
    assert red > green > blue  # tungsten light is reddish, and stays so
    with pytest.raises(InputError, match="'area'"):
        matrix(NIKON, GRID, None, "area")


def test_irregular_grids_weigh_bands_by_their_width():
    """Twice as many bands in one half of the spectrum must not count twice."""
    camera = get_camera(NIKON)
    dense = np.concatenate([np.arange(400, 550, 5.0), np.arange(550, 701, 10.0)])
    spectrum = np.linspace(0.1, 0.9, 301)
    fine = np.arange(400.0, 701.0)
    truth = matrix(camera, fine).T @ spectrum
    got = matrix(camera, dense).T @ np.interp(dense, fine, spectrum)
    np.testing.assert_allclose(got, truth, rtol=3e-3)


def test_the_shared_table_gives_the_protocol_of_the_baselines(shared):
    path = shared / "data" / "cameras" / "camera_sensitivities.csv"
    if not path.is_file():
        pytest.skip(f"the measured camera sensitivities are not at {path}")
    camera = get_camera(f"{path}:Nikon_D700")
    assert camera.encoding == "camera:nikon-d700"
    with path.open() as file:
        rows = {
            float(row["wavelength_nm"]): [float(row[c]) for c in "RGB"]
            for row in csv.DictReader(file)
            if row["camera"] == "Nikon_D700"
        }
    curves = np.array([rows[nm] for nm in GRID])
    np.testing.assert_allclose(matrix(camera, GRID), curves / curves.sum(axis=0), rtol=1e-13)
    names = read_cameras(path)
    assert len(names) == 49
    for name in names:
        np.testing.assert_allclose(matrix(names[name], GRID).sum(axis=0), 1.0, rtol=1e-12)


# ---- photographs ------------------------------------------------------------------------------


def test_a_photograph_is_the_matrix_applied(cube):
    photograph = simulate(cube, NIKON, rows=5)
    expected = np.einsum("bhw,bc->hwc", cube.data.astype(float), matrix(NIKON, GRID))
    assert photograph.data.dtype == np.float32
    np.testing.assert_allclose(photograph.data, expected, rtol=1e-5)
    assert photograph.encoding == "camera:nikon-5100-npl"
    step = photograph.provenance.steps[-1]
    assert NIKON in step
    assert "no illuminant" in step
    assert "sum 1" in step


def test_illuminant_and_normalisation_are_stated(cube):
    photograph = simulate(cube, NIKON, "fl2", normalise="white")
    assert "illuminant FL2" in photograph.provenance.steps[-1]
    assert "white-balanced" in photograph.provenance.steps[-1]
    assert photograph.metadata["illuminant"] == "FL2"


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_integers_are_the_rounded_floats(cube, bits, dtype):
    whole = simulate(cube, NIKON).data.astype(float)
    photograph = simulate(cube, NIKON, bit_depth=bits)
    assert photograph.data.dtype == dtype
    top = 2**bits - 1
    assert np.abs(photograph.data - whole * top).max() <= 0.5 + 1e-6 * top


def test_clipping_and_missing_pixels_are_reported(cube):
    cube.data[:, 0, 0] = 1.5
    cube.data[3, 1, 1] = np.nan
    photograph = simulate(cube, NIKON, bit_depth=8)
    assert (photograph.data[0, 0] == 255).all()
    assert (photograph.data[1, 1] == 0).all()
    assert any(n.startswith("1 of 168 pixels were not finite") for n in photograph.notices)
    assert any(n.startswith("1 of 168 pixels were above 1") for n in photograph.notices)
    single = simulate(cube, NIKON)
    assert np.isnan(single.data[1, 1]).all()
    np.testing.assert_allclose(single.data[0, 0], 1.5, rtol=1e-6)


def test_values_in_percent_are_exposed_as_fractions_and_counts_are_told(cube):
    plain = simulate(cube, NIKON, "D65")
    percent = simulate(cube.replace(data=cube.data * 100, units="%"), NIKON, "D65")
    np.testing.assert_allclose(percent.data, plain.data, rtol=1e-5)
    assert not has(plain.notices, Code.SCALE_MATTERS)
    assert not has(percent.notices, Code.SCALE_MATTERS)
    told = simulate(cube.replace(data=cube.data * 10_000), NIKON, "D65").notices
    assert has(told, Code.SCALE_MATTERS)


def test_photographs_have_names_that_say_what_they_are(cube):
    cube = cube.replace(name="leaf")
    assert simulate(cube, "cie-1931").name == "leaf photograph"
    assert simulate(cube, NIKON).name == f"leaf by {NIKON}"


def test_bands_that_the_camera_does_not_see_may_be_bad():
    nm = np.arange(400.0, 1001.0, 20.0)
    data = np.random.default_rng(1).random((nm.size, 3, 3), dtype=np.float32)
    clean = simulate(Cube(data.copy(), nm), NIKON).data
    data[-3:] = np.nan
    np.testing.assert_array_equal(simulate(Cube(data, nm), NIKON).data, clean)


def test_an_observer_renders(cube):
    linear = simulate(cube, "cie-1931")
    assert linear.encoding == "linear-srgb"
    expected = np.clip(colour.render(cube, encoded=False), 0, 1)
    np.testing.assert_allclose(linear.data, expected, atol=1e-6)
    encoded = simulate(cube, "cie-1931", "A", bit_depth=8, encoding="sRGB")
    np.testing.assert_array_equal(encoded.data, np.rint(colour.render(cube, "A") * 255))
    assert "under A" in encoded.provenance.steps[-1]
    xyz = simulate(cube, "cie-1931", encoding="xyz-d65")
    back = colour.convert(xyz.data, "xyz-d65", "linear-srgb")
    np.testing.assert_allclose(back, colour.render(cube, encoded=False, clip=False), atol=1e-5)


def test_what_cannot_be_simulated_is_said(cube):
    with pytest.raises(InputError, match=r"camera:nikon-5100-npl.*cannot be in srgb"):
        simulate(cube, NIKON, encoding="srgb")
    with pytest.raises(InputError, match="bit depth"):
        simulate(cube, NIKON, bit_depth=12)
    with pytest.raises(InputError, match="wavelengths of this cube are not known"):
        simulate(Cube(cube.data), NIKON)
    with pytest.raises(InputError, match="moonlight"):
        simulate(cube, NIKON, "moonlight")


def test_a_camera_checks_its_numbers():
    nm = np.array([400.0, 500.0, 600.0])
    with pytest.raises(InputError, match="ascend"):
        Camera("x", nm[::-1], np.ones((3, 3)))
    with pytest.raises(InputError, match=r"shape \(3, 2\)"):
        Camera("x", nm, np.ones((3, 2)))
    with pytest.raises(InputError, match="not all numbers"):
        Camera("x", nm, np.full((3, 3), np.nan))
    camera = Camera("x", nm, np.ones((3, 3)))
    with pytest.raises(ValueError, match="read-only"):
        camera.sensitivities[0, 0] = 2


@pytest.mark.parametrize("names", ["R,Gr,Gb,B", "red,green1,green2,blue", "r,g1,g2,b"])
def test_the_two_greens_of_a_mosaic_are_averaged(tmp_path, names):
    (tmp_path / "a.csv").write_text(
        f"wavelength,{names}\n400,0.1,0.2,0.4,0.8\n500,0.5,0.6,1.0,0.2\n"
    )
    camera = get_camera(str(tmp_path / "a.csv"))
    np.testing.assert_allclose(camera.sensitivities, [[0.1, 0.3, 0.8], [0.5, 0.8, 0.2]])


def test_a_row_of_a_camera_table_with_more_cells_than_columns_is_damaged(tmp_path):
    from napari_hsr.cameras.sensitivities import read_cameras

    path = tmp_path / "c.csv"
    path.write_text("wavelength,R,G,B\n400,0.1,0.5,0.1\n410,410,0.4,0.5,0.2\n420,0.1,0.2,0.3\n")
    with pytest.raises(FileError, match="line 3 does not hold a wavelength and three numbers"):
        read_cameras(path)


# ---- tables that end where the camera still sees ---------------------------------------------


@pytest.fixture
def cut_table(tmp_path):
    """400–540 nm of a table to 700 nm, as of a file that was cut short: green ends at its maximum."""
    rows = [
        (nm, *(np.exp(-(((nm - c) / 40) ** 2)) for c in (600, 540, 450)))
        for nm in range(400, 541, 10)
    ]
    path = tmp_path / "cut.csv"
    np.savetxt(path, rows, delimiter=",", header="wavelength,R,G,B", comments="")
    return str(path)


def test_a_table_that_ends_where_its_camera_sees_is_told(cube, cut_table, table):
    told = [n for n in simulate(cube, cut_table).notices if n.code is Code.CURVES_CUT_OFF]
    assert len(told) == 1
    assert "cut (400–540 nm)" in told[0]
    assert "400–700 nm" in told[0]
    assert not has(simulate(cube, f"{table}:Acme_One").notices, Code.CURVES_CUT_OFF)
    assert not has(simulate(cube, NIKON).notices, Code.CURVES_CUT_OFF)


def test_a_table_that_covers_the_bands_in_use_is_not_told(cube, cut_table):
    cube.metadata["bbl"] = [int(nm <= 550) for nm in GRID]
    assert not has(simulate(cube, cut_table).notices, Code.CURVES_CUT_OFF)


def test_every_door_to_a_camera_tells_that_its_table_ends(cut_table):
    from napari_hsr.cameras.random_camera import doubts
    from napari_hsr.cameras.settings import CaptureSettings
    from napari_hsr.trust.linear_camera import linear_camera

    for encoding in ("srgb", "xyz-d65", "camera:cut"):
        seen = linear_camera(encoding, GRID, cut_table)
        assert [n.code for n in seen.notices] == [Code.CURVES_CUT_OFF]
    assert linear_camera("camera:nikon-5100-npl", GRID).notices == ()
    preset = CaptureSettings(preset="ntire2022", sensitivities=cut_table)
    assert has(doubts(preset, GRID), Code.CURVES_CUT_OFF)
    assert doubts(CaptureSettings(preset="ntire2022"), GRID) == ()
