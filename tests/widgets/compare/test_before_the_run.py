"""What the Compare panel says before anything is pressed."""

from __future__ import annotations

import numpy as np

from napari_hsr import Cube, super_resolve
from napari_hsr.resample import degrade
from napari_hsr.viewer.layers import add_cube, set_wavelengths


def test_says_what_is_missing_before_anything_is_pressed(viewer, panel, cubes):
    assert not panel.run_button.isEnabled()
    assert "no cube is open" in panel.reason.text()
    add_cube(viewer, cubes()[0])
    assert not panel.run_button.isEnabled()
    assert "only one cube is open" in panel.reason.text()
    add_cube(viewer, cubes()[1])
    assert panel.run_button.isEnabled()
    assert panel.reason.text() == ""


def test_two_cubes_are_chosen_by_themselves(viewer, pair, panel):
    prediction, truth = pair
    assert panel.form.prediction.layer() == prediction
    assert panel.form.truth.layer() == truth


def test_what_a_model_made_is_the_prediction(viewer, panel, cubes):
    from napari_hsr.provenance import Provenance

    guess, truth = cubes()
    made = add_cube(viewer, guess.replace(provenance=Provenance("x.png", model="a model")))
    measured = add_cube(viewer, truth)
    assert panel.form.prediction.layer() == made
    assert panel.form.truth.layer() == measured


def test_a_pair_that_cannot_be_compared_gives_way_to_one_that_can(viewer, panel, cubes):
    from napari_hsr.provenance import Provenance

    def made(cube):
        return add_cube(viewer, cube.replace(provenance=Provenance("x.png", model="a model")))

    first, truth = made(cubes((11, 9, 7))[0]), add_cube(viewer, cubes()[1])
    assert (panel.form.prediction.layer(), panel.form.truth.layer()) == (first, truth)
    assert not panel.run_button.isEnabled()
    second = made(cubes()[0])
    assert (panel.form.prediction.layer(), panel.form.truth.layer()) == (second, truth)
    assert panel.run_button.isEnabled()
    made(cubes()[0])
    assert panel.form.prediction.layer() == second  # it can be compared, and stays


def test_what_an_interpolation_made_is_the_prediction(viewer, panel):
    truth = Cube(np.random.default_rng(0).random((6, 8, 12)), range(400, 460, 10), name="truth")
    coarse = degrade(truth, 4)
    finer = add_cube(viewer, super_resolve(coarse, "bicubic-matlab", 4))
    layer = add_cube(viewer, truth)
    assert (panel.form.prediction.layer(), panel.form.truth.layer()) == (finer, layer)


def test_a_truth_that_lies_elsewhere_is_laid_over_at_a_click(pair, panel):
    prediction, truth = pair
    assert panel.lay_button.isHidden()
    prediction.scale = (*prediction.scale[:1], 0.25, 0.25)
    prediction.translate = (*prediction.translate[:1], -0.375, -0.375)
    assert not panel.lay_button.isHidden()
    assert "are not aligned in the viewer" in panel.reason.text()
    assert "show different parts" in panel.reason.text()
    assert panel.run_button.isEnabled()
    panel.lay_button.click()
    assert panel.lay_button.isHidden()
    assert panel.reason.text() == ""
    np.testing.assert_allclose(truth.scale, prediction.scale)
    np.testing.assert_allclose(truth.translate, prediction.translate)


def test_the_same_layer_twice_is_refused(pair, panel):
    panel.form.truth.set_layer(pair[0])
    assert not panel.run_button.isEnabled()
    assert "chosen twice" in panel.reason.text()


def test_different_sizes_are_refused(viewer, pair, panel, cubes):
    other = add_cube(viewer, cubes((11, 20, 23))[1])
    panel.form.truth.set_layer(other)
    assert not panel.run_button.isEnabled()
    assert "20" in panel.reason.text()
    assert "23" in panel.reason.text()


def test_wavelengths_that_do_not_meet_are_refused(viewer, pair, panel, cubes, nm):
    infrared = add_cube(viewer, cubes(nm=nm + 600)[1])
    panel.form.truth.set_layer(infrared)
    assert not panel.run_button.isEnabled()
    assert "nm" in panel.reason.text()
    set_wavelengths(infrared, nm)  # the user corrects them: the panel notices
    assert panel.run_button.isEnabled()
    assert panel.reason.text() == ""


def test_a_protocol_is_described_where_it_is_chosen(panel):
    from napari_hsr.metrics.protocols import PROTOCOLS

    for name, protocol in PROTOCOLS.items():
        panel.form.protocol.setCurrentText(name)
        said = f"{panel.form.protocol_origin.text()} {panel.form.protocol_text.text()}"
        assert said == protocol.description
    assert panel.form.protocol_text.wordWrap()


def test_the_rules_are_folded_below_their_first_sentence(panel, qtbot):
    panel.show()
    assert not panel.form.rules.is_open()
    assert not panel.form.protocol_text.isVisible()
    assert panel.form.protocol_origin.isVisible()
    assert panel.form.protocol_origin.text().endswith(".")


def test_a_protocol_that_leaves_nothing_is_refused(pair, panel):
    panel.form.protocol.setCurrentText("mstpp-validation")
    assert not panel.run_button.isEnabled()
    assert "128" in panel.reason.text()


def test_an_array_of_no_pixels_cannot_be_compared(viewer, pair, panel, monkeypatch):
    from napari_hsr.widgets.compare import inputs

    monkeypatch.setattr(
        inputs, "layer_shape", lambda layer: (11, 0, 10)
    )  # napari draws none itself
    panel.form.changed.emit()
    assert "is empty" in panel.reason.text()
    assert not panel.run_button.isEnabled()
