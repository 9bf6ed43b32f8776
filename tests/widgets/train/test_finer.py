"""The panel with a start model for finer pixels: cubes alone, another form, another end."""

from __future__ import annotations

from html import unescape

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QDockWidget

from napari_hsr.models.card import DETAIL_ESTIMATED
from napari_hsr.resample import aligned
from napari_hsr.training.events import Baseline, Finished, Measured, Step
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.training.runs import processes
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.train.image_table import ImageTable
from napari_hsr.widgets.train.panel import TrainWidget
from napari_hsr.widgets.train.progress import ProgressView
from napari_hsr.widgets.train.result import ResultView, choose_in_panel
from napari_hsr.widgets.train.run_chooser import mark_seen

from .conftest import row
from .test_run import measured, start, until_step_3, until_the_end, write_preview


@pytest.fixture
def finer(panel):
    """The panel when coarsr-x4 is chosen."""
    panel.setup.model.set_name("coarsr-x4")
    return panel


def test_models_for_photographs_and_for_finer_pixels_are_offered(panel):
    names = [listing.name for listing in panel.setup.model._listings]
    assert {"mstpp-photo", "rootpoly-srgb", "coarsr-x2", "coarsr-x4"} <= {*names}
    assert all(listing.at_hand for listing in panel.setup.model._listings)


def test_the_form_follows_the_model(finer):
    setup = finer.setup
    assert setup.name.text() == "coarsr-x4-tuned"
    assert not setup.coarse.isHidden()
    assert "×4" in setup.coarse.words.text()
    assert setup.data.camera.isHidden()
    assert setup.data.photographs.isHidden()
    assert [setup.strategy.itemText(r).partition(":")[0] for r in range(setup.strategy.count())] == [
        "automatic", "head", "full",
    ]  # fmt: skip
    assert "adapter" not in setup.strategy.toolTip()
    assert DETAIL_ESTIMATED in unescape(setup.caution.text())
    form = setup.form
    assert form.folds["camera",].isHidden()
    assert form.fields["augmentation", "metamers"].isHidden()
    assert not form.fields["coarse", "bands"].isHidden()
    recipe = setup.recipe
    assert (recipe.task, recipe.model.start) == ("super-resolution", "coarsr-x4")
    assert (recipe.coarse.scale, recipe.coarse.degradations) == (4, ("bicubic-matlab",))
    assert recipe.validation.protocol == "dualsr"
    assert recipe.camera is None


def test_the_scale_is_the_models_and_the_degradation_the_users(finer):
    coarse = finer.setup.coarse
    coarse.degradation.set_name("gaussian:1.5")
    assert finer.setup.recipe.coarse.degradations == ("gaussian:1.5",)
    finer.setup.model.set_name("coarsr-x2")
    assert finer.setup.recipe.coarse.scale == 2
    assert finer.setup.recipe.coarse.degradations == ("gaussian:1.5",)
    coarse.degradation.sigma.setValue(0)
    assert "0.85 fine px" in coarse.degradation.sigma.specialValueText()


def test_back_with_a_model_for_photographs_all_is_as_it_was(panel):
    setup = panel.setup
    setup.form.fields["optimiser", "learning_rate"].editor.setText("2e-4")
    before = setup.recipe
    setup.model.set_name("coarsr-x4")
    assert setup.recipe.optimiser.learning_rate != 2e-4
    setup.form.fields["batch", "patch"].editor.setText("16")
    setup.model.set_name("mstpp-photo")
    assert setup.recipe == before
    assert setup.coarse.isHidden()
    assert setup.form.folds["coarse",].isHidden()
    assert not setup.form.folds["camera",].isHidden()
    setup.model.set_name("coarsr-x4")
    assert setup.recipe.batch.patch == 16


def test_an_adapter_is_not_kept_as_the_strategy(panel):
    panel.setup.strategy.set_value("adapter")
    panel.setup.model.set_name("coarsr-x4")
    assert panel.setup.recipe.strategy == "auto"


def test_layers_need_no_photographs(finer, viewer, scene, found, qtbot):
    data = finer.setup.data
    data.source.setCurrentIndex(1)
    cube, photo = scene("leaf")
    layer = add_cube(viewer, cube, name="leaf")
    photograph = add_photograph(viewer, photo, name="leaf rgb")
    data.layer_list.tick(layer, photograph)
    (shown,) = data.layer_list._rows
    assert shown[2].isHidden()
    finer.setup.look_button.click()
    qtbot.waitUntil(lambda: not finer.setup.looking)
    assert [photo for _, photo in found.images] == [None]
    finer.setup.model.set_name("mstpp-photo")  # what was chosen before is there again
    assert not shown[2].isHidden()
    assert [pair.photograph is None for pair in data.layers()] == [False]


def test_another_model_looks_at_the_same_images_again(ready, found, qtbot):
    ready.setup.model.set_name("coarsr-x4")
    qtbot.waitUntil(lambda: ready.setup.findings is not None)
    assert found.recipe.finer
    assert ready.start_button.isEnabled()


def test_the_table_says_what_an_image_is_made_of(qtbot):
    table = ImageTable()
    qtbot.addWidget(table)
    table.show_rows(
        [row("a", rgb="", rgb_range=None, coarse=(4, 7), left_over=(1, 0)), row("b", coarse=(5, 7))]
    )
    assert table.item(0, 0).text() == "a\n30 × 20 px\ncoarse: 7 × 4 px\n31 bands"
    (sentence,) = table.sentences()
    assert "1 row are left out" not in sentence
    assert "1 row is left out" in sentence
    assert "Photograph" not in table.item(0, 0).toolTip()


def test_from_start_to_the_panel_that_runs_it(ready, training, qtbot):
    ready.setup.model.set_name("coarsr-x2")
    qtbot.waitUntil(lambda: ready.start_button.isEnabled())
    training("finish")
    run = start(ready, qtbot)
    until_the_end(ready, qtbot)
    recipe = run.recipe()
    assert (recipe.task, recipe.coarse.scale) == ("super-resolution", 2)
    assert recipe.data.simulate is None
    assert ready.result.use_button.text() == "Use in Super-resolve"
    ready.follow(None)
    assert ready.setup.recipe.finer


# --- while it learns -------------------------------------------------------------------------


def test_curves_are_held_against_the_baseline_which_does_not_flatten_them(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    view.add([Baseline("bicubic, MATLAB's imresize", {"psnr_db": 30.0, "sam_deg": 6.0})])
    view.add(
        [Measured(0, {"psnr_db": 38.0}, {}), Step(5, 10, 0.1), Measured(5, {"psnr_db": 38.2}, {})]
    )
    curves = view.plots["psnr_db"].curves
    assert [curve.name for curve in curves] == [
        "", "before training", "bicubic, MATLAB's imresize: 30.00 dB",
    ]  # fmt: skip
    assert list(curves[2].y) == [30.0, 30.0]
    _, _, low, high = view.plots["psnr_db"].limits
    assert 37 < low < 38.01 < 38.19 < high < 39


def test_a_change_that_nobody_could_tell_does_not_look_like_a_fall(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    for step, psnr, sam in ((0, 38.767, 3.184), (13, 38.764, 3.182)):
        view.add([Measured(step, {"psnr_db": psnr, "sam_deg": sam}, {})])
    for key, middle in (("psnr_db", 38.7655), ("sam_deg", 3.183)):
        _, _, low, high = view.plots[key].limits
        assert high - low >= 0.1
        assert (low + high) / 2 == pytest.approx(middle)


def test_steps_are_whole_numbers(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    axis = view.plots["loss"].plot_item.getAxis("bottom")
    for most in (0.7, 1.5, 3, 40, 2000):
        for spacing, first in axis.tickSpacing(0, most, 200):
            assert spacing == int(spacing) >= 1
            assert first == int(first)


def test_the_finer_part_lies_over_the_coarse_cube_and_over_the_image(
    finer, viewer, qtbot, training
):
    """Corners of corresponding pixels are at the same places, also where the layer was moved."""
    finer.setup.model.set_name("coarsr-x4")
    image = np.zeros((31, 40, 48), np.float32)
    held_out = viewer.add_image(image, name="b", scale=(10, 2, 2), translate=(400, 5, -3))
    coarse = np.full((31, 3, 4), 0.5, np.float32)
    run = finished_run(finer, qtbot, training)
    write_preview(run.output, 0.5, coarse=coarse, origin=(8, 12), size=(40, 48))
    finer._show_preview(run, [measured()], True)
    _, low, fine, sam = viewer.layers
    assert low.name == "b, held out · coarse"
    assert fine.name == "b, held out · prediction"

    def at(layer, y, x):
        return np.asarray(layer.data_to_world((0, y, x)))[-2:]

    np.testing.assert_allclose(at(fine, 0, 0), at(held_out, 8, 12))
    np.testing.assert_allclose(at(fine, 11, 15), at(held_out, 19, 27))
    for corner, pixel in (((-0.5, -0.5), (-0.5, -0.5)), ((2.5, 3.5), (11.5, 15.5))):
        np.testing.assert_allclose(at(low, *corner), at(fine, *pixel))
    assert sam.extent.world[0, 1] > held_out.extent.world[1, 2]  # beside the whole image


def test_alone_the_coarse_cube_lies_as_super_resolve_lays_it(finer, viewer, qtbot, training):
    run = finished_run(finer, qtbot, training)
    coarse = np.full((31, 3, 4), 0.5, np.float32)
    write_preview(run.output, 0.5, coarse=coarse)
    finer._show_preview(run, [measured()], True)
    low, fine, _ = viewer.layers
    pixel, origin = aligned(4, tuple(low.scale[-2:]), tuple(low.translate[-2:]))
    np.testing.assert_allclose(fine.scale[-2:], pixel)
    np.testing.assert_allclose(fine.translate[-2:], origin)


def finished_run(panel, qtbot, training):
    """A run of the panel that has stopped with nothing shown yet."""
    training("wait")
    panel.setup.data.set_folder(processes.trainings_folder().parent)
    qtbot.waitUntil(lambda: panel.start_button.isEnabled())
    run = start(panel, qtbot)
    until_step_3(panel, qtbot)
    return run


# --- the end -----------------------------------------------------------------------------------


def test_the_baseline_has_a_row_of_its_own(viewer, qtbot, tmp_path):
    view = ResultView(viewer)
    qtbot.addWidget(view)
    figures = {"psnr_db": 34.0, "sam_deg": 5.0, "ssim": 0.95}
    baseline = Baseline("bicubic, MATLAB's imresize", figures)
    view.show_finished(Finished("", "Nothing was better."), ({}, {}), baseline, finer=True)
    last = view.table.rowCount() - 1
    assert [view.table.item(last, c).text() for c in range(3)] == ["bicubic", "34.00", "5.00"]
    assert "SSIM 0.9500" in view.table.item(last, 0).toolTip()


def test_it_is_chosen_in_super_resolve_at_its_scale(viewer, qtbot):
    from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget

    panel = SuperResolveWidget(viewer)
    qtbot.addWidget(panel)

    dock = QDockWidget()
    qtbot.addWidget(dock)
    dock.setWidget(panel)

    class Window:
        dock_widgets = {"Super-resolve (napari-hsr)": panel}  # noqa: RUF012

    window = type("Viewer", (), {"window": Window})
    assert choose_in_panel(window, "coarsr-x2") == "Super-resolve"
    assert (panel.scale.value(), panel.model.name()) == (2, "coarsr-x2")
    qtbot.waitUntil(lambda: not panel._check.running and not panel._settle.isActive())
    panel.setParent(None)  # each is closed by itself


def test_a_training_of_before_says_what_it_was(viewer, qtbot, training, found, tmp_path):
    recipe = {
        "name": "mine", "task": "super-resolution", "coarse": {"scale": 2},
        "model": {"start": "coarsr-x2"},
    }  # fmt: skip
    training("finish")
    run = processes.start(Recipe.model_validate(recipe), tmp_path / "run")
    qtbot.waitUntil(lambda: not run.alive())
    panel = TrainWidget(ViewerModel())
    qtbot.addWidget(panel)
    assert panel.result.use_button.text() == "Use in Super-resolve"
    mark_seen(run)
    panel._timer.stop()


def test_long_names_of_trainings_keep_their_ends(panel, qtbot, training, found, tmp_path):
    training("finish")
    name = "a-model-with-a-very-long-name-that-goes-on-2026-11-21-0630"
    recipe = {"model": {"start": "mstpp-photo"}}
    run = processes.start(Recipe.model_validate(recipe), tmp_path / name)
    qtbot.waitUntil(lambda: not run.alive())
    panel.follow(run)
    first, when = panel.runs.currentText().split("\n")
    assert first == "a-model-with-a-very-long-name-that-goes-on · finished"
    assert ":" in when
    assert name in panel.runs.toolTip()  # the folder's
    assert panel.runs.elide == panel.runs.view().textElideMode()
    panel.follow(None)
    assert name not in panel.runs.toolTip()
