"""Intervals, feasible bands and measured shares in the Spectra panel."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_hsr import Photograph, read, write
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.evidence import Evidence
from napari_hsr.progress import result_of
from napari_hsr.provenance import Provenance
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.viewer.trust_maps import evidence_of, remember
from napari_hsr.widgets.plotting.plot import LEAST_HEIGHT
from napari_hsr.widgets.spectra.panel import SpectraWidget


@pytest.fixture(scope="module")
def evidence():
    image = np.random.default_rng(0).integers(1, 250, (12, 17, 3), dtype=np.uint8)
    photograph = Photograph(image, encoding="srgb", name="photo")
    return Evidence.of(result_of(reconstruct_events(photograph, "rootpoly-srgb")))


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def panel(viewer, qtbot):
    widget = SpectraWidget(PublicOnlyProxy(viewer))
    qtbot.addWidget(widget)
    widget.resize(340, 560)
    widget.show()
    yield widget
    widget.release()


@pytest.fixture
def settled(qtbot, panel):
    def wait():
        panel._cursor_throttle.flush()
        panel._settle.flush(restart_timer=False)
        qtbot.waitUntil(lambda: not (panel._meter.busy or panel.trust.busy))

    return wait


def shown(viewer, evidence):
    layer = add_cube(viewer, evidence.cube)
    remember(layer, evidence)
    return layer


def styles(panel):
    return [curve.style for curve in panel.plot.curves]


def test_a_pin_has_both_bands_its_share_and_columns_in_the_table(
    viewer, panel, settled, evidence, tmp_path
):
    held = evidence.seen_by("cie-1931")
    shown(viewer, held)
    settled()
    panel.pin((550, 3, 4))
    settled()
    known = held.pixel(3, 4, held.feasible(3, 4))
    assert styles(panel)[-2:] == ["interval", "feasible"]
    for drawn, name in zip(panel.plot.curves[-2:], ("90%", "feasible"), strict=True):
        low, high = known.curve.ranges[name]
        np.testing.assert_allclose(drawn.y - drawn.std, low, atol=1e-12)
        np.testing.assert_allclose(drawn.y + drawn.std, high, atol=1e-12)
    assert f"pin 1 · {known.measured_share:.0%} measured" in [
        name for name, *_ in panel.plot.legend.entries
    ]
    table = list(csv.DictReader(panel.export_csv(tmp_path / "pins.csv").read_text().splitlines()))
    row = next(row for row in table if row["wavelength_nm"] == "550")
    name = "pin 1 (row 3, column 4)"
    assert float(row[f"{name} measured share"]) == pytest.approx(known.measured_share, rel=1e-3)
    for what in ("90%", "feasible"):
        for at, end in enumerate(("lower", "upper")):
            column = next(key for key in row if key.startswith(f"{name} {what} {end}"))
            assert float(row[column]) == pytest.approx(known.curve.ranges[what][at][15], rel=1e-6)
    panel.trust.intervals.setChecked(False)
    settled()
    assert "interval" not in styles(panel)
    panel.trust.feasible.setChecked(False)
    settled()
    assert "feasible" not in styles(panel)
    assert panel.shown[0].curve.ranges == {}


def test_a_curve_outside_its_feasible_band_is_marked_and_told(viewer, panel, settled, evidence):
    data = evidence.cube.data.copy()
    data[10:13, 3, 4] += 0.5
    changed = evidence.cube.replace(data=data)
    held = Evidence(cube=changed, photograph=evidence.photograph).seen_by("cie-1931")
    shown(viewer, held)
    settled()
    panel.pin((550, 3, 4))
    settled()
    marks = [c for c in panel.plot.curves if c.color == "#ff4136"]
    outside = held.feasible(3, 4).outside(data[:, 3, 4].astype(float))
    assert outside[10:13].all()
    np.testing.assert_array_equal(np.isfinite(marks[0].y), outside)
    assert "pin 1 (row 3, column 4) lies outside" in panel.message.text()


def test_the_mean_of_a_region_has_an_interval_of_its_own(viewer, panel, settled, evidence):
    shown(viewer, evidence)
    viewer.add_shapes([np.array([[1.6, 2.6], [1.6, 9.4], [8.4, 9.4], [8.4, 2.6]])])
    viewer.add_labels(np.pad(np.ones((2, 3), int), ((1, 9), (2, 12))))
    settled()
    mask = np.zeros((12, 17), bool)
    mask[2:9, 3:10] = True
    of_shape, of_label = panel.shown
    _, half = evidence.region(mask)
    upper = of_shape.curve.ranges["90%"][1]
    np.testing.assert_allclose(upper - of_shape.curve.mean, half, rtol=1e-6)
    assert "90%" in of_label.curve.ranges
    assert styles(panel).count("interval") == 2
    panel.trust.intervals.setChecked(False)
    settled()
    assert all(not one.curve.ranges for one in panel.shown)


def test_what_is_missing_is_said_and_the_approximate_row_space_is_one_click(
    viewer, panel, settled, evidence
):
    measured = Cube(np.ones((31, 4, 5), np.float32), Wavelengths(np.arange(400.0, 701, 10)))
    add_cube(viewer, measured)
    settled()
    assert panel.trust.isHidden()
    layer = shown(viewer, evidence)
    settled()
    assert "name the camera" in panel.trust.why.text()
    panel.trust.approximate.click()
    settled()
    assert evidence_of(layer).linear_camera.approximate
    assert panel.trust.why.isHidden()
    assert panel.trust.approximate.isHidden()
    remember(
        layer, Evidence(cube=evidence.cube, photograph=evidence.photograph, why_no_intervals="w")
    )
    panel._on_layers()
    settled()
    assert "No interval: w." in panel.trust.why.text()
    layer.data = evidence.cube.data + 1
    settled()
    assert "changed" in panel.trust.why.text()


def test_a_saved_cube_finds_its_intervals_again_beside_its_photograph(
    viewer, panel, settled, evidence, tmp_path
):
    cube = read(write(evidence.cube, tmp_path / "cube.h5"))
    layer = add_cube(viewer, cube)
    settled()
    assert not panel.trust.again.isVisible()
    assert panel.trust.why.isVisible()
    other = replace(evidence.photograph, name="other", provenance=Provenance(input="other"))
    add_photograph(viewer, other)
    settled()
    assert not panel.trust.again.isVisible()
    add_photograph(viewer, evidence.photograph)
    settled()
    assert panel.trust.again.isVisible()
    panel.trust.again.click()
    settled()
    assert not panel.trust.again.isVisible()
    found = evidence_of(layer).pixel(3, 4).curve.ranges["90%"]
    for end, before in zip(found, evidence.pixel(3, 4).curve.ranges["90%"], strict=True):
        np.testing.assert_allclose(end, before, rtol=1e-5, atol=1e-7)
    panel.pin((550, 3, 4))
    settled()
    assert styles(panel)[-1] == "interval"


def test_one_cube_that_cannot_be_found_again_says_why_and_keeps_no_other_from_it(
    viewer, panel, settled, evidence
):
    made = evidence.cube.provenance
    good = add_cube(viewer, evidence.cube.replace(name="good"))
    bad = evidence.cube.replace(name="bad", provenance=replace(made, weights_sha256="0" * 64))
    add_cube(viewer, bad)
    add_photograph(viewer, evidence.photograph)
    settled()
    panel.trust.again.click()
    settled()
    assert evidence_of(good) is not None
    assert "bad was made by" in panel.trust.why.text()
    assert panel.trust.again.isEnabled()  # to be tried again with another photograph


def test_a_cube_with_smaller_sizes_for_the_eye_keeps_its_evidence(viewer, evidence):
    data = evidence.cube.data
    layer = add_cube(viewer, evidence.cube, smaller=[data[:, ::2, ::2]])
    remember(layer, evidence)
    assert layer.multiscale
    assert evidence_of(layer) is evidence


def test_under_the_mouse_nothing_moves_and_the_band_follows_at_rest(
    viewer, panel, settled, evidence
):
    held = evidence.seen_by("cie-1931")
    shown(viewer, held)
    settled()
    viewer.cursor.position = (550.0, 1.0, 1.0)
    settled()
    entries, height = panel.plot.legend.entries, panel.plot.view.height()
    assert ("feasible band", panel.plot.foreground, "feasible") in entries
    value, half = re.search(r"(0\.\d+) ± (0\.\d+) ", panel.readout.text()).groups()
    assert "± in 90% of pixels" in panel.readout.text()
    assert len(value) == len(half)
    assert "% measured" in panel.readout.text()
    for y, x in ((2, 3), (8, 9)):
        viewer.cursor.position = (550.0, float(y), float(x))
        settled()
        assert panel.shown[0].pixel == (y, x)
        assert styles(panel)[-2:] == ["interval", "feasible"]
        assert not any(curve.fits for curve in panel.plot.curves[-2:])
        assert panel.plot.legend.entries == entries
        assert panel.plot.view.height() == height >= LEAST_HEIGHT
