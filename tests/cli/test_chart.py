"""``napari-hsr chart``."""

import numpy as np
import pytest
import tifffile
from skimage.draw import polygon

from napari_hsr.cameras import get_camera, matrix
from napari_hsr.cameras.response import reflectances
from napari_hsr.io import write
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.trust.chart_layout import CLASSIC, quadrilaterals, reflectances_of

from .conftest import strict

NM = tuple(float(nm) for nm in range(400, 701, 10))


@pytest.fixture
def chart(tmp_path):
    """Reflectances of 24 patches, and what a camera recorded of them."""
    known = reflectances(NM)[99:]
    names = [f"p{i}" for i in range(24)]
    library = SpectralLibrary(tuple(names), np.array(NM), known, "reflectance")
    seen = known @ matrix(get_camera("nikon-5100-npl"), np.array(NM), "D65") * 0.5
    table = tmp_path / "patches.csv"
    rows = [f"{n},{r:.8f},{g:.8f},{b:.8f}" for n, (r, g, b) in zip(names, seen, strict=True)]
    table.write_text("\n".join(["name,R,G,B", *rows]))
    return table, write(library, tmp_path / "chart.csv")


def test_a_chart_tells_exposure_balance_and_matrix(hsr, chart):
    status, said, _ = hsr("chart", *chart, "--json")
    found = strict(said)
    assert status == 0
    assert found["delta_e"] < 1 < found["delta_e_before"]
    np.testing.assert_allclose(np.sum(found["matrix"], axis=0), 1)
    assert len(found["patches"]) == 24
    status, said, _ = hsr("chart", *chart)
    assert status == 0
    assert f"ΔE00 {found['delta_e']:.2f}" in said


def test_what_is_missing_is_named(hsr, chart, tmp_path):
    table, library = chart
    table.write_text(table.read_text() + "\nextra,0.1,0.1,0.1")
    status, _, warned = hsr("chart", table, library)
    assert (status, "'extra'" in warned) == (1, True)
    bad = tmp_path / "bad.csv"
    bad.write_text("patch,R,G\na,1,2")
    status, _, warned = hsr("chart", bad, library)
    assert (status, "columns name, R, G and B" in warned) == (1, True)
    bad.write_text("name,R,G,B\np1,0.1,0.1,0.1\np2,0.2,0.2,0.2\np1,0.3,0.3,0.3\n")
    status, _, warned = hsr("chart", bad, library)
    assert (status, "names the patch 'p1' twice" in warned) == (1, True)
    bad.write_text("name,R,G,B\n")
    status, _, warned = hsr("chart", bad, library)
    assert (status, "it holds no patches" in warned) == (1, True)


@pytest.mark.parametrize("option", ["--save", "--estimate-camera", "--input-encoding"])
def test_what_is_for_photographs_is_not_passed_over(hsr, chart, tmp_path, option):
    status, _, warned = hsr("chart", *chart, option, "srgb")
    assert (status, f"{option} is for a photograph" in warned) == (1, True)


def test_corners_are_asked_for_and_may_lie_outside(hsr, tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.full((30, 40, 3), 90, np.uint8), photometric="rgb")
    status, _, warned = hsr("chart", tmp_path / "p.tif", "24")
    assert (status, "--corners" in warned) == (1, True)
    outside = ("-9,-8.5", "-9,30", "20,30", "20,-8")
    status, _, warned = hsr("chart", tmp_path / "p.tif", "24", "--corners", *outside)
    assert (status, "outside" in warned) == (1, True)


def test_patches_that_are_all_grey_fit_no_matrix(hsr, tmp_path):
    levels = np.linspace(0.1, 0.8, 8)
    names = tuple(f"p{i}" for i in range(8))
    library = SpectralLibrary(names, np.array(NM), np.tile(levels[:, None], 31), "reflectance")
    rows = [f"{n},{v},{v},{v}" for n, v in zip(names, levels, strict=True)]
    (tmp_path / "patches.csv").write_text("\n".join(["name,R,G,B", *rows]))
    known = write(library, tmp_path / "chart.csv")
    status, _, warned = hsr("chart", tmp_path / "patches.csv", known)
    assert (status, "no three different colours" in warned) == (1, True)


def test_a_chart_in_a_photograph_by_its_corners(hsr, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path / "data"))
    nm = np.array(NM)
    true = matrix(get_camera("nikon-5100-npl"), nm, "D65", None)
    response = reflectances_of(CLASSIC, nm) @ true
    colours = response / response.max() * [0.5, 0.8, 0.6]
    corners = np.array([[5.0, 5], [5.5, 120], [80, 120.25], [80, 5]])
    image = np.full((90, 130, 3), 300, np.uint16)
    for outline, colour in zip(quadrilaterals(corners, CLASSIC, 0.8), colours, strict=True):
        at = polygon(outline[:, 0], outline[:, 1], image.shape[:2])
        image[at] = np.rint(65535 * colour)
    photo, table = tmp_path / "raw.tif", tmp_path / "camera.csv"
    tifffile.imwrite(photo, image, photometric="rgb")
    options = ("--input-encoding", "camera:mine", "--save", "mine", "--estimate-camera", table)
    at = ("--corners", *(f"{y:g},{x:g}" for y, x in corners))
    status, said, _ = hsr("chart", photo, "24", *at, *options, "--json")
    told = strict(said)
    assert status == 0
    assert told["delta_e"] < 0.5 * told["delta_e_before"]
    found = get_camera(str(table)).sensitivities
    unit = [values / np.linalg.norm(values, axis=0) for values in (found, true)]
    assert (unit[0] * unit[1]).sum(axis=0).min() > 0.97
    out = tmp_path / "out.npz"
    model = ("--model", "rootpoly-srgb", "--input-encoding", "camera:mine")
    known = ("--camera", "profile:mine", "--exact")
    status, _, noted = hsr("predict", photo, "-o", out, *model, *known)
    assert status == 0
    assert "sensitivities were estimated from a chart" in noted
    assert "rendered to sRGB" not in noted
    status, _, warned = hsr(
        "chart", photo, *at, "--input-encoding", "srgb", "--estimate-camera", table
    )
    assert status == 1
    assert "raw or linear" in warned
    again = ("chart", photo, "24", *at, *options)
    status, _, warned = hsr(*again)
    assert (status, "a camera profile 'mine' is kept already" in warned.lower()) == (1, True)
    assert hsr(*again, "--overwrite")[0] == 0
    status, _, warned = hsr("chart", photo, "99", *at)
    assert (status, "24, sg" in warned) == (1, True)
