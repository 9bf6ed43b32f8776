"""Coverage, risk and error over measured share, where the prediction was reconstructed here."""

import csv
import json

import numpy as np
import pytest

from napari_hsr import Photograph
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.progress import result_of
from napari_hsr.viewer.layers import add_cube
from napari_hsr.viewer.trust_maps import remember


def test_what_was_promised_is_held_against_the_truth(viewer, panel, wait_for_end, tmp_path):
    rng = np.random.default_rng(0)
    photograph = Photograph(rng.integers(9, 250, (12, 17, 3), dtype=np.uint8), encoding="srgb")
    result = result_of(reconstruct_events(photograph, "rootpoly-srgb", camera="cie-1931"))
    truth = result.cube.replace(data=result.cube.data * np.float32(1.05), name="truth")
    prediction = add_cube(viewer, result.cube)
    true = add_cube(viewer, truth)
    panel.form.prediction.set_layer(prediction)
    panel.form.truth.set_layer(true)
    panel.run()
    wait_for_end(panel)
    assert "intervals hold" not in panel.results.notes.text()  # nothing is known of the layer
    remember(prediction, Evidence.of(result))
    panel.run()
    wait_for_end(panel)
    assert "The 90% intervals hold" in panel.results.notes.text()
    chooser, plot = panel.results.curve_chooser, panel.results.plot
    assert {"coverage", "risk", "by_share"} <= set(chooser.offered())
    chooser.set_value("coverage")
    assert plot.labels == ("wavelength (nm)", "true values inside (%)")
    assert plot.marker_value() is not None
    assert [curve.style for curve in plot.curves] == ["solid", "dash"]
    chooser.set_value("risk")
    assert plot.labels[0] == "pixels kept, most certain first (%)"
    assert plot.curves[0].x[-1] == pytest.approx(100)
    assert plot.marker_value() is None
    chooser.set_value("by_share")
    assert plot.labels[0] == "measured share (%)"
    check_exports(panel, tmp_path)
    true.data = true.data[:, :6, :6]
    prediction.data = prediction.data[:, :6, :6]
    panel.run()
    wait_for_end(panel)
    assert "risk" not in chooser.offered()


def check_exports(panel, folder):
    """Files hold the same curves, by the names of ``evaluate --json``."""
    panel.export_json(folder / "c.json")
    found = json.loads((folder / "c.json").read_text(encoding="utf-8"))
    assert found["intervals"]["coverage"] == panel.held.coverage
    assert len(found["intervals"]["coverage_bands"]) == 31
    assert found["risk_coverage"]["error"] == panel.held.risk[1].tolist()
    panel.export_csv(folder / "c.csv")
    text = (folder / "c.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    by_share = [row for row in rows if row["metric"] == "error_by_share"]
    np.testing.assert_array_equal([float(r["share"]) for r in by_share], panel.held.by_share[0])
    np.testing.assert_array_equal([float(r["value"]) for r in by_share], panel.held.by_share[1])
    bands = [row for row in rows if row["metric"] == "coverage" and row["band_index"]]
    np.testing.assert_array_equal([float(r["value"]) for r in bands], panel.held.coverage_bands)
    assert bands[0]["wavelength_nm"] == "400"
    assert next(row for row in rows if row["metric"] == "rmse")["share"] == ""
