"""Results of a comparison: files and looks."""

from __future__ import annotations

import csv
import json

import pytest

from napari_hsr.errors import FileError


def test_export_json(compared, tmp_path):
    compared.export_json(tmp_path / "c.json")
    found = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    values = compared.comparison.evaluation.values
    assert found["values"] == pytest.approx(values, rel=0, abs=0)
    assert (found["prediction"], found["truth"]) == ("guess", "truth")
    assert found["protocol"] == "default"


def test_export_csv(compared, tmp_path):
    compared.export_csv(tmp_path / "c.csv")
    rows = list(csv.reader((tmp_path / "c.csv").read_text(encoding="utf-8").splitlines()))
    text = [cell for row in rows for cell in row]
    assert repr(compared.comparison.evaluation.values["rmse"]) in text


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_failed_export_keeps_the_old_file(compared, tmp_path, kind, monkeypatch):
    path = tmp_path / f"c.{kind}"
    path.write_text("earlier")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(FileError, match=f"c.{kind}"):
        getattr(compared, f"export_{kind}")(path)
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_export_into_nowhere_is_one_sentence(compared, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    path = str(tmp_path / "missing" / "c.json")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (path, ""))
    compared.json_button.click()
    assert path in compared.message.text()
    assert compared.message.kind == "error"
    good = str(tmp_path / "c")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (good, ""))
    compared.json_button.click()
    assert (tmp_path / "c.json").exists()
    assert compared.message.kind == "info"


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_figures_are_saved_though_their_cube_goes_while_it_is_asked(
    compared, tmp_path, monkeypatch, kind
):
    from qtpy.QtWidgets import QFileDialog

    def chosen(*_about):
        compared._viewer.layers.remove(compared.form.truth.layer())
        return str(tmp_path / f"c.{kind}"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    getattr(compared, f"{kind}_button").click()
    assert compared.comparison is None
    assert "rmse" in (tmp_path / f"c.{kind}").read_text()


def test_fits_a_narrow_dock(compared, qtbot):
    compared.resize(320, 900)
    compared.show()
    qtbot.waitExposed(compared)
    inside = compared.findChild(type(compared.results)).parentWidget()
    assert inside.minimumSizeHint().width() <= 320


def test_results_are_scrolled_to_until_the_user_scrolls_and_can_always_be_saved(compared, qtbot):
    compared.resize(320, 500)
    with qtbot.waitExposed(compared):
        compared.show()
    bar = compared._scroll.verticalScrollBar()
    compared._on_finished((compared.comparison, None))

    def at_results():
        assert bar.value() == compared.grid_button.y() > 0

    qtbot.waitUntil(at_results)  # the notes find their height in steps
    for part in (compared.json_button, compared.csv_button):
        assert compared.rect().contains(part.geometry())
    bar.setValue(7)
    compared.results.setMinimumHeight(1500)  # grows after that
    qtbot.waitUntil(lambda: bar.maximum() > 1000)
    assert bar.value() == 7


def test_theme_reaches_the_plot(compared, viewer):
    dark = compared.results.plot.foreground
    viewer.theme = "light"
    assert compared.results.plot.foreground != dark
    (curve,) = compared.results.plot.curves
    assert curve.color == compared.results.plot.foreground
