"""A training from Start to its end, in a process of its own, and found again."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.io import read
from napari_hsr.models import DEFAULT
from napari_hsr.notices import Code, Notice
from napari_hsr.training.events import Began, Finished, Measured, Noticed, Preparing, Step
from napari_hsr.training.runs import processes
from napari_hsr.training.runs.run_folder import read_state, write_state
from napari_hsr.training.time_budget import steps_fixed
from napari_hsr.viewer.layer_data import PREVIEW_KEY, is_cube, is_training_preview, layer_cube
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.common.choosers import LayerChooser
from napari_hsr.widgets.train import panel as panel_module
from napari_hsr.widgets.train.panel import TrainWidget
from napari_hsr.widgets.train.preview import Preview
from napari_hsr.widgets.train.progress import ProgressView
from napari_hsr.widgets.train.recipe_content import base_content
from napari_hsr.widgets.train.run_chooser import SEEN
from napari_hsr.widgets.train.training_work import LayerPair, start_work


def start(panel, qtbot):
    panel.start_button.click()
    qtbot.waitUntil(lambda: panel.run is not None)
    return panel.run


def until_step_3(panel, qtbot):
    qtbot.waitUntil(lambda: panel.status.step == 3)
    panel._poll()


def until_the_end(panel, qtbot):
    qtbot.waitUntil(lambda: panel._ended and not panel._job.running)


def test_from_start_to_a_better_model(ready, qtbot, training, tmp_path, viewer):
    training("finish")
    run = start(ready, qtbot)
    until_the_end(ready, qtbot)
    assert run.output.parent == processes.trainings_folder()
    assert run.output.name.startswith(f"{DEFAULT}-tuned-")
    recipe = run.recipe()
    assert recipe.data.folder == tmp_path / "images"
    assert (recipe.strategy, recipe.schedule.minutes) == ("auto", 10)
    assert recipe.model.start == DEFAULT
    assert ready.result.message.text().startswith("Finished in 2.0 s. The last weights")
    table = ready.result.table
    assert not table.isHidden()
    texts = [table.item(0, column).text() for column in range(3)]
    assert texts == ["b", "30.00 → 32.00", "– → 7.00"]
    assert not ready.result.use_button.isHidden()
    assert (run.output / SEEN).exists()
    assert ready.progress.bar.isHidden()
    assert not ready.stop_button.isEnabled()
    assert not ready.resume_button.isEnabled()


def test_curves_have_axes_with_units_and_none_is_empty(ready, qtbot, training):
    training("finish")
    start(ready, qtbot)
    until_the_end(ready, qtbot)
    plots = ready.progress.plots
    assert {key: plot.labels for key, plot in plots.items()} == {
        "loss": ("step", "training loss"),
        "psnr_db": ("step", "held-out PSNR (dB)"),
        "sam_deg": ("step", "held-out SAM (°)"),
    }
    np.testing.assert_allclose(plots["loss"].curves[0].y, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6])
    assert list(plots["psnr_db"].curves[0].y) == [30.0, 32.0]
    assert plots["psnr_db"].curves[1].name == "before training"
    assert not any(plot.isHidden() for plot in plots.values())


def test_stop_saves_and_resume_goes_on_in_the_same_curves(ready, qtbot, training):
    training("wait")
    start(ready, qtbot)
    until_step_3(ready, qtbot)
    assert not ready.result.use_button.isVisible()
    assert "Step 3 of 6 · 4 patches/s · 3.0 s left" in ready.progress.status.text()
    assert " · running\n" in ready.runs.currentText()
    assert "On the CPU, float32 · 1 image to train on, 1 held out" in ready.progress.where.text()
    assert ready.stop_button.isEnabled()
    ready.stop_button.click()
    until_the_end(ready, qtbot)
    assert "Stopped after step 3" in ready.result.message.text()
    assert ready.resume_button.isEnabled()
    training("finish")
    ready.resume_button.click()
    until_the_end(ready, qtbot)
    assert ready.result.message.text().startswith("Finished")
    assert [s.step for s in ready.progress.history.steps] == [1, 2, 3, 4, 5, 6]


def test_the_window_does_not_wait_for_the_process_that_is_resumed(
    ready, qtbot, training, monkeypatch
):
    training("wait")
    start(ready, qtbot)
    until_step_3(ready, qtbot)
    ready.stop_button.click()
    until_the_end(ready, qtbot)
    has_ended, resume = threading.Event(), processes.resume

    def ends_late(output):
        has_ended.wait()
        return resume(output)

    monkeypatch.setattr(processes, "resume", ends_late)
    training("finish")
    ready.resume_button.click()
    assert not ready.resume_button.isEnabled()
    has_ended.set()
    until_the_end(ready, qtbot)
    assert ready.result.message.text().startswith("Finished")


def test_two_viewers_that_start_at_once_have_a_folder_each(ready, monkeypatch, tmp_path):
    monkeypatch.setattr(panel_module, "start_work", lambda *_: iter(()))  # no more than a folder
    outputs = []
    default, fails = processes.default_output, iter((True, False))

    def taken_meanwhile(name):
        path = default(name)
        if next(fails, False):
            path.mkdir(parents=True)
            (path / "events.jsonl").write_text("of another viewer")
        outputs.append(path)
        return path

    monkeypatch.setattr(processes, "default_output", taken_meanwhile)
    ready.start()
    other, own = outputs
    assert own != other
    ready._on_not_started(own, InputError("no"))
    assert not own.exists()
    assert (other / "events.jsonl").exists()


def test_a_crash_is_told_with_its_log_and_the_viewer_goes_on(ready, qtbot, training):
    training("crash")
    start(ready, qtbot)
    until_the_end(ready, qtbot)
    assert ready.result.message.kind == "error"
    assert "killed or crashed" in ready.result.message.text()
    assert "a line of the log" in ready.result.message.details()
    assert ready.resume_button.isEnabled()
    assert not ready.result.use_button.isVisible()


def test_a_failure_is_told_in_its_own_words(ready, qtbot, training):
    training("fail")
    start(ready, qtbot)
    until_the_end(ready, qtbot)
    assert ready.result.message.text() == "The cube of a is broken."


def test_layers_become_files_in_the_folder_of_the_run(panel, viewer, scene, qtbot, training, found):
    training("finish")
    data = panel.setup.data
    data.source.setCurrentIndex(1)
    for name in ("a", "b"):
        cube, photo = scene(name)
        layer = add_cube(viewer, cube, name=name)
        data.layer_list.tick(layer, None)
        photo_layer = add_photograph(viewer, photo, name=f"{name} rgb")
        data.layer_list.tick(layer, photo_layer)
    panel.setup.look()
    qtbot.waitUntil(lambda: not panel.setup.looking)
    panel.setup._on_held_out("a", True)
    run = start(panel, qtbot)
    recipe = run.recipe()
    assert [pair.cube.name for pair in recipe.data.pairs] == ["a.h5", "b.h5"]
    assert all(run.output in pair.cube.parents for pair in recipe.data.pairs)
    np.testing.assert_array_equal(read(recipe.data.pairs[1].cube).data, scene("b")[0].data)
    photo = read(recipe.data.pairs[0].rgb)
    assert photo.encoding == "srgb"
    assert "held-out a" in recipe.data.split_file.read_text()
    until_the_end(panel, qtbot)


def test_what_cannot_start_says_why_and_leaves_nothing_behind(ready, qtbot, monkeypatch):
    def no(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(processes.subprocess, "Popen", no)
    ready.start_button.click()
    qtbot.waitUntil(lambda: not ready._job.running)
    assert ready.run is None
    assert ready.obstacle.kind == "error"
    assert processes.find() == []
    assert list(processes.trainings_folder().glob(f"{DEFAULT}*")) == []
    assert ready.start_button.isEnabled()


# --- found again ---------------------------------------------------------------------------------


def test_a_running_training_is_found_by_the_next_panel(ready, qtbot, training, found):
    training("wait")
    run = start(ready, qtbot)
    until_step_3(ready, qtbot)
    ready._timer.stop()
    other = TrainWidget(ViewerModel())
    qtbot.addWidget(other)
    assert other.run.output == run.output
    assert other.pages.currentIndex() == 1
    assert len(other.progress.history.steps) == 3
    other.stop()
    until_the_end(other, qtbot)
    # It can go on: the next panel shows it, and offers a new training.
    third = TrainWidget(ViewerModel())
    qtbot.addWidget(third)
    assert third.run.output == run.output
    assert "stopped" in third.runs.itemText(1)
    third.runs.activated.emit(0)
    assert third.run is None
    third.runs.activated.emit(1)
    assert third.run.output == run.output
    assert "Stopped after step 3" in third.result.message.text()
    third.runs.activated.emit(0)
    assert third.run is None
    assert third.pages.currentIndex() == 0
    assert third.progress.history.steps == []


def test_a_training_that_ended_meanwhile_is_shown_first(qtbot, training, found, viewer, tmp_path):
    training("finish")
    from napari_hsr.training.recipe.schema import ModelSettings, Recipe

    run = processes.start(Recipe(model=ModelSettings(start="x")), tmp_path / "run")
    qtbot.waitUntil(lambda: not run.alive())
    panel = TrainWidget(viewer)
    qtbot.addWidget(panel)
    assert panel.run.output == run.output
    assert panel.result.message.text().startswith("Finished")
    assert len(viewer.layers) == 0  # nothing is put into the viewer by itself


# --- the preview ---------------------------------------------------------------------------------


def test_a_held_out_image_is_shown_while_it_learns(ready, qtbot, training, viewer, tmp_path):
    training("wait")
    run = start(ready, qtbot)
    until_step_3(ready, qtbot)
    write_preview(run.output, 0.5)
    chooser = LayerChooser(viewer, is_cube)
    qtbot.addWidget(chooser)
    heard = []
    chooser.changed.connect(heard.append)
    leaf = add_cube(viewer, Cube(np.ones((3, 4, 5), np.float32), name="leaf"))
    pins = viewer.add_points(np.array([[1.0, 1.0]]))
    ready._show_preview(run, [measured()], True)
    assert heard == [leaf]  # a preview takes the place of nothing
    viewer.layers.remove(leaf)
    assert is_training_preview(heard[-1])  # there is nothing else
    assert viewer.layers[-1] is pins  # what is drawn stays in sight
    assert viewer.layers.selection.active is pins  # it came by itself
    viewer.layers.remove(pins)
    cube, sam = viewer.layers
    assert is_cube(cube)
    assert cube.name == "b, held out · prediction"
    assert sam.name == "b, held out · SAM (°)"
    assert sam.translate[-1] > cube.data.shape[-1]  # beside it
    assert all(PREVIEW_KEY in layer.metadata for layer in viewer.layers)
    assert ready.setup.data.layer_list.offered() == 0  # no data to train on
    before = sam.contrast_limits
    write_preview(run.output, 0.8)
    ready._show_preview(run, [measured()], True)
    assert list(viewer.layers) == [cube, sam]
    assert cube.data[0, 0, 0] == pytest.approx(0.4)
    assert sam.data[0, 0] == pytest.approx(2.0)
    assert sam.contrast_limits == before  # what is learnt is seen
    viewer.layers.remove(sam)
    write_preview(run.output, 0.9)
    ready._show_preview(run, [measured()], True)
    assert list(viewer.layers) == [cube]  # what the user removed does not come back
    (run.output / "preview.npz").write_bytes(b"half a file")
    ready._show_preview(run, [measured()], True)
    assert cube.data[0, 0, 0] == pytest.approx(0.45)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prediction": np.zeros((12, 16))},
        {"prediction": np.zeros((31, 0, 16))},
        {"prediction": np.zeros((31, 12, 16), complex)},
        {"sam": np.zeros((3, 3))},
        {"wavelengths_nm": np.zeros(31)},
        {"pixel": np.nan},
        {"pixel": [1, 2]},
        {"size": 3},
        {"origin": "ab"},
        {"coarse": np.zeros(4)},
        {"coarse": np.zeros((31, 0, 4))},
    ],
    ids=lambda wrong: "".join(wrong),
)
def test_a_file_that_is_no_preview_is_left_out(viewer, tmp_path, wrong):
    write_preview(tmp_path, 0.5, **wrong)
    preview = Preview(viewer)
    preview.follow(tmp_path)
    assert not preview.show(tmp_path / "preview.npz", "b")
    assert not viewer.layers


def test_a_layer_of_a_preview_that_was_given_other_data_is_the_users(viewer, tmp_path):
    write_preview(tmp_path, 0.5)
    preview = Preview(viewer)
    preview.follow(tmp_path)
    preview.show(tmp_path / "preview.npz", "b")
    cube, sam = preview.layers()
    mine = cube.data * 0.5
    cube.data = mine
    write_preview(tmp_path, 0.6)
    preview.show(tmp_path / "preview.npz", "b")
    assert cube.data is mine
    assert preview.layers() == [sam]
    assert not is_training_preview(cube)
    preview.follow(tmp_path / "another")  # whose layers take the place of those of this one
    write_preview(tmp_path, 0.7)
    preview.show(tmp_path / "preview.npz", "b")
    assert cube in viewer.layers
    assert sam not in viewer.layers


def test_a_preview_of_other_wavelengths_gets_layers_of_its_own(viewer, tmp_path):
    write_preview(tmp_path, 0.5)
    preview = Preview(viewer)
    preview.follow(tmp_path)
    preview.show(tmp_path / "preview.npz", "b")
    (before,) = (layer for layer in viewer.layers if is_cube(layer))
    write_preview(tmp_path, 0.6, wavelengths_nm=np.linspace(900, 1700, 31))
    preview.show(tmp_path / "preview.npz", "b")
    (after,) = (layer for layer in viewer.layers if is_cube(layer))
    assert after is not before
    assert layer_cube(after).wavelengths[0] == 900


def test_a_run_that_goes_on_has_the_layers_that_it_had(ready, qtbot, training, viewer, tmp_path):
    training("wait")
    run = start(ready, qtbot)
    until_step_3(ready, qtbot)
    write_preview(run.output, 0.5)
    ready._show_preview(run, [measured()], True)
    shown = list(viewer.layers)
    ready.follow(None)
    ready.follow(run)
    write_preview(run.output, 0.8)
    ready._show_preview(run, [measured()], True)
    assert list(viewer.layers) == shown
    ready.preview.follow(tmp_path / "another")
    assert list(viewer.layers) == shown  # until there is something to take their place
    ready._show_preview(run, [measured()], True)
    assert len(viewer.layers) == 2
    assert not set(shown) & set(viewer.layers)


def measured():
    return Measured(3, {}, {"b": {}}, "preview.npz")


def write_preview(folder, value, **about):
    truth = np.full((31, 12, 16), 0.5, np.float32)
    held_out = {
        "prediction": truth * value,
        "sam": np.full((12, 16), 10 - 10 * value, np.float32),
        "wavelengths_nm": np.linspace(400, 700, 31),
        "pixel": 1,
        "origin": (0.0, 0.0),
        "size": (12, 16),
    }
    np.savez(folder / "preview.npz", truth=truth, **{**held_out, **about})
    # Two that are written within a tick of the disk's clock would be taken for one.
    os.utime(folder / "preview.npz", (1e6 * value, 1e6 * value))


def test_the_bar_is_not_full_before_the_work_has_begun(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    view.add([Preparing(1, 3, "Decoding b")])
    assert (view.bar.value(), view.bar.maximum()) == (1, 3)
    assert view.status.text() == "Decoding b · 1 of 3 images"
    view.add([Preparing(3, 3, "All images are decoded")])  # the start is measured then
    assert view.bar.maximum() == 0  # busy: nobody knows how far it is
    assert view.status.text() == "All images are decoded"


# --- the words -----------------------------------------------------------------------------------


def test_steps_done_again_after_a_resume_count_once(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    view.add([Began(0, 9, "CPU", "float32"), *(Step(s, 9, 1.0) for s in range(1, 8))])
    view.add([Began(5, 9, "CPU", "float32"), Step(6, 9, 0.5)])
    assert list(view.plots["loss"].curves[0].x) == [1, 2, 3, 4, 5, 6]


def test_notices_stay_in_sight_and_a_doubtful_one_is_a_warning(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    halved = Noticed(Notice.info(Code.SMALLER_PARTS, "The batch is halved."))
    view.add([halved])
    assert view.notices.kind == "info"
    linear = Notice.warning(Code.ENCODING_DOUBTFUL, "It looks linear.")
    view.add([Noticed(linear), halved])
    assert view.notices.kind == "warning"
    assert view.notices.text() == "The batch is halved.\nIt looks linear."


def test_a_model_that_went_away_is_told_where_it_is_exported(ready, qtbot, training):
    training("finish")
    run = start(ready, qtbot)
    until_the_end(ready, qtbot)
    shutil.rmtree(run.output)
    ready.result.export_button.menu().actions()[0].trigger()
    assert ready.result.outcome.kind == "error"
    assert str(run.output) in ready.result.outcome.text()


def test_a_training_that_is_cancelled_while_it_is_prepared_leaves_no_folder(tmp_path, scene):
    cube, photograph = scene("a")
    content, cancel = base_content(), threading.Event()
    layers = [LayerPair(cube, photograph)] * 2
    work = start_work(content, layers, "", tmp_path / "run", cancel)
    next(work)
    cancel.set()
    with pytest.raises(Cancelled):
        list(work)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_went_away_is_no_crash(ready, qtbot, training):
    training("finish")
    run = start(ready, qtbot)
    until_the_end(ready, qtbot)
    shutil.rmtree(run.output)
    ready.follow(run)
    assert ready.result.message.kind == "error"


def test_a_training_whose_folder_is_away_for_a_while_is_followed_again(
    ready, qtbot, training, monkeypatch
):
    monkeypatch.setattr(panel_module, "AWAY_MS", 20)
    training("wait")
    run = start(ready, qtbot)
    until_step_3(ready, qtbot)
    aside = run.output.with_name("aside")
    run.output.rename(aside)
    qtbot.waitUntil(lambda: ready.result.message.kind == "error")
    assert "shown again once its folder is there" in ready.result.message.text()
    assert not ready.stop_button.isEnabled()
    ready.obstacle.show_error("It holds no training to resume.")
    aside.rename(run.output)
    qtbot.waitUntil(ready.stop_button.isEnabled)
    assert ready.status.step == 3
    assert ready.result.message.text() == ready.obstacle.text() == ""
    ready.stop_button.click()
    until_the_end(ready, qtbot)


def test_the_bar_shows_how_much_of_the_time_has_passed(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    view.show_running(True, 15.0, 60.0)
    assert (view.bar.minimum(), view.bar.value(), view.bar.maximum()) == (0, 15, 60)
    view.add([Preparing(1, 4, "Reading")])  # other counts do not take its place
    assert (view.bar.value(), view.bar.maximum()) == (15, 60)
    view.show_running(True, 75.0, 60.0)
    assert view.bar.value() == 60
    view.clear()
    view.show_running(True)
    view.add([Preparing(1, 4, "Reading")])
    assert (view.bar.value(), view.bar.maximum()) == (1, 4)


def test_for_how_many_steps_there_is_time_is_said_while_it_trains(qtbot, viewer):
    view = ProgressView(viewer)
    qtbot.addWidget(view)
    dark = Notice.warning(Code.STEPS_FIXED, "Something else.")
    view.add([Noticed(steps_fixed(3, 20, 0.1, 2.0)), Noticed(dark)])
    view.show_running(True)
    assert view.notices.text().startswith("There is time for 20 more steps")
    view.show_running(False)
    assert view.notices.text() == "Something else."
    view.show_running(False)
    assert view.notices.text() == "Something else."


def test_a_training_that_could_not_begin_is_tried_again(ready, qtbot, training):
    training("wait")
    run = start(ready, qtbot)
    until_step_3(ready, qtbot)
    assert ready.resume_button.text() == "Resume"
    run.kill()
    until_the_end(ready, qtbot)
    assert ready.resume_button.text() == "Resume"
    state = read_state(run.output)
    write_state(run.output, replace(state, status="failed", step=0, text="No image fits."))
    ready.follow(run)
    assert ready.resume_button.text() == "Try again"
    assert ready.resume_button.isEnabled()


def test_folder_and_time_of_the_last_training_are_there_again(
    ready, qtbot, training, tmp_path, viewer
):
    training("finish")
    ready.setup.minutes.setValue(3.5)
    start(ready, qtbot)
    until_the_end(ready, qtbot)
    again = TrainWidget(viewer)
    qtbot.addWidget(again)
    assert again.run is None  # its end was seen
    assert again.setup.minutes.value() == 3.5
    assert again.setup.data.folder() == tmp_path / "images"
    assert not again.setup.looking  # nothing is read before it is asked for


def test_a_stopped_training_is_shown_again_and_can_go_on(ready, qtbot, training, viewer):
    training("wait")
    run = start(ready, qtbot)
    qtbot.waitUntil(lambda: ready.progress.began is not None)
    ready.stop()
    until_the_end(ready, qtbot)
    again = TrainWidget(viewer)
    qtbot.addWidget(again)
    assert again.run.output == run.output
    assert again.resume_button.isEnabled()


def test_more_time_sets_the_same_training_up_for_twice_as_long(ready, qtbot, training, tmp_path):
    training("finish")
    ready.setup.minutes.setValue(2)
    start(ready, qtbot)
    until_the_end(ready, qtbot)
    assert ready.result.more_button.isHidden()  # there is a model
    nothing = Finished("", "Nothing was better on the held-out images.")
    ready.result.show_finished(nothing, ({}, {}))
    assert not ready.result.more_button.isHidden()
    ready.result.more_button.click()
    assert ready.run is None
    assert ready.setup.minutes.value() == 4
    assert ready.setup.data.folder() == tmp_path / "images"
