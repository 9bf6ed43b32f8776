"""``napari-hsr chart``."""

import numpy as np
import pytest

from napari_hsr.cameras import get_camera, matrix
from napari_hsr.cameras.response import reflectances
from napari_hsr.io import write
from napari_hsr.spectral_library import SpectralLibrary

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
