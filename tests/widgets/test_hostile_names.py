"""Names, units and notices of others in every panel: plain, in sight, and short enough to be read."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QTextDocument

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io import read_library, write
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.progress import Progress
from napari_hsr.provenance import Provenance
from napari_hsr.spectral_library import SpectralLibrary
from napari_hsr.units import file_stem
from napari_hsr.viewer.layer_data import layer_name
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.common.job import Job
from napari_hsr.widgets.common.labels import BriefLabel
from napari_hsr.widgets.compare.panel import CompareWidget
from napari_hsr.widgets.compare.table import MetricTable
from napari_hsr.widgets.models.card_view import as_html
from napari_hsr.widgets.plotting.plot import SpectrumPlot
from napari_hsr.widgets.spectra.panel import SpectraWidget

from .shown_texts import HOSTILE, faults, holds
from .test_every_panel import PANELS

NM = np.arange(400.0, 701.0, 20.0)


def cube(name: str, noise: float = 0.1) -> Cube:
    values = np.random.default_rng(0).random((16, 8, 8)) + noise
    return Cube(
        values,
        Wavelengths(NM),
        name=name,
        units=name,
        metadata={name: name},
        notices=(Notice.warning(Code.OTHER, name),),
        provenance=Provenance(name, model=name),
    )


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    add_photograph(viewer, Photograph(np.zeros((8, 8, 3), np.uint8), SRGB, name=HOSTILE))
    for name in (HOSTILE, HOSTILE + "y" * 5_000):
        add_cube(viewer, cube(name))
    names = {"name": [HOSTILE, HOSTILE + "z"]}
    viewer.add_points(np.array([[2.0, 2], [5, 5]]), name=HOSTILE, features=names)
    viewer.add_shapes([np.array([[2.0, 2], [2, 6], [6, 6], [6, 2]])], name=HOSTILE)
    return viewer


@pytest.fixture
def opened(viewer, qtbot):
    """``opened(kind)``: a panel, held until the test is over."""
    panels = []

    def made(kind):
        panels.append(kind(viewer))
        qtbot.addWidget(panels[-1])
        return panels[-1]

    yield made
    for panel in panels:
        getattr(panel, "release", lambda: None)()


@pytest.mark.parametrize("kind", PANELS, ids=lambda kind: kind.__name__)
def test_no_panel_takes_a_name_for_markup(kind, opened):
    panel = opened(kind)
    assert faults(panel) == []
    assert holds(panel) or kind.__name__ == "FileContentsWidget"  # which names files alone


@pytest.mark.parametrize("tool", ["Table", "Match", "Classify"])
def test_no_window_of_spectra_takes_a_name_for_markup(tool, opened, tmp_path):
    panel = opened(SpectraWidget)
    names = (HOSTILE, HOSTILE + "b")
    values = np.random.default_rng(0).random((2, 16)) + 0.1
    panel.load_library(write(SpectralLibrary(names, NM, values, HOSTILE), tmp_path / "a.csv"))
    panel.pin((0, 2, 3))
    window = panel.open_window(tool)
    assert faults(window) == faults(panel) == []
    assert holds(window)


def test_figures_in_units_of_any_text(viewer, opened, qtbot):
    table = MetricTable()
    qtbot.addWidget(table)
    table.show_values({"a": HOSTILE}, {"a": 0.5}, {"a": HOSTILE})
    assert holds(table)
    panel = opened(CompareWidget)
    layers = [layer for layer in viewer.layers if layer.ndim == 3 and not layer.rgb]
    panel.form.truth.set_layer(layers[0])
    panel.form.prediction.set_layer(layers[1])
    for check in panel.form.checks.values():
        check.setChecked(False)
    panel.run()
    qtbot.waitUntil(lambda: not panel.running)
    assert panel.comparison is not None
    assert faults(table) == faults(panel) == []


def test_a_plot_shows_units_as_they_are(qtbot):
    plot = SpectrumPlot()
    qtbot.addWidget(plot)
    plot.set_labels("band", f"value ({HOSTILE})")
    plot.set_placeholder(HOSTILE)
    plot.set_marker(3.0, HOSTILE)
    assert faults(plot) == []
    assert holds(plot)
    label = QTextDocument()
    label.setHtml(plot.plot_item.getAxis("left").labelString())
    assert label.toPlainText().startswith("value (<img src='file:///etc/passwd'><b>HOSTILE</b>\\r")
    plot.set_labels("band", "value (" + "x" * 5_000)
    label.setHtml(plot.plot_item.getAxis("left").labelString())
    assert len(label.toPlainText()) < 100


def test_headings_of_a_card_hide_nothing():
    assert "\x1b" not in as_html([(f"Measured on {HOSTILE}", "40 dB")])


def test_what_runs_is_no_markup_in_napari_s_dock(qtbot):
    def work(_cancel):
        yield Progress(1, 2, HOSTILE)
        yield 3

    job = Job(work, HOSTILE)
    said = []
    job.progressed.connect(lambda _event: said.append(job._run._activity.desc))
    with qtbot.waitSignal(job.ended):
        job.start()
    assert said
    assert "<b>" not in said[0]
    assert not {c for c in said[0].replace("\u200b", "") if not c.isprintable()}


def test_a_layer_s_name_that_was_made_plain_stays():
    once = layer_name(HOSTILE)
    assert "<\u200bb>HOSTILE" in once
    assert layer_name(once) == once


def test_halves_of_a_pair_are_written_out(qtbot):
    label = BriefLabel(1, "\udcff name " * 300)
    qtbot.addWidget(label)
    label.resize(200, 50)
    assert label.text().startswith("\\udcff name")


def test_names_of_files_made_of_names():
    assert file_stem("a / b\udcff") == "a_b"
    assert file_stem("///") == "cube"
    long = file_stem("é" * 5_000 + " frame 12")
    assert len(long.encode()) < 200
    assert long.endswith("frame_12")


def test_a_library_with_odd_names_is_read_again(tmp_path):
    library = SpectralLibrary((HOSTILE, "b"), NM, np.ones((2, 16)), "reflectance")
    found = read_library(write(library, tmp_path / "a.csv"))
    assert found.names[1] == "b"
    assert "<b>HOSTILE</b>" in found.names[0]
