"""What is decided before a training: data, table, strategy, and the form of all settings."""

from __future__ import annotations

import pickle
import sys
from html import unescape

import numpy as np
import psutil
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit

from napari_hsr.errors import InputError
from napari_hsr.models.card import ILL_POSED
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data import inspection as training_inspect
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.training.runs import estimate as estimating
from napari_hsr.viewer.layers import add_cube, add_photograph
from napari_hsr.widgets.train.recipe_content import base_content, camera_content, faults_of
from napari_hsr.widgets.train.settings_form import SettingsForm
from napari_hsr.widgets.train.training_work import stems_of

from .conftest import row


def look(panel, qtbot) -> None:
    panel.setup.look_button.click()
    qtbot.waitUntil(lambda: not panel.setup.looking)


def test_it_says_what_is_missing_and_what_the_user_must_know(panel):
    assert panel.setup.obstacle() == "Choose the folder of your images."
    assert not panel.start_button.isEnabled()
    assert not panel.setup.look_button.isEnabled()
    said = unescape(panel.setup.caution.text())
    assert ILL_POSED in said
    assert "images like these" in said


def test_the_settings_that_it_begins_with_are_a_recipe(panel):
    recipe, faults = faults_of(panel.setup.content())
    assert not faults
    assert recipe.task == "rgb-to-cube"
    assert recipe.coarse is None


def test_a_folder_that_nothing_can_be_learnt_of_is_not_taken_from_the_last_training(
    panel, tmp_path
):
    recipe, _ = faults_of(panel.setup.content())
    data = recipe.data.model_copy(update={"folder": tmp_path / ("y" * 300)})  # no disk has it
    panel.setup.take(recipe.model_copy(update={"data": data}))
    assert panel.setup.obstacle() == "Choose the folder of your images."


def test_a_folder_is_looked_at_by_itself(ready, found, tmp_path):
    assert found.recipe.data.folder == tmp_path / "images"
    assert ready.start_button.isEnabled()
    assert "2 images to train on, 1 held out" in ready.setup.message.text()
    table = ready.setup.table
    assert table.rowCount() == 3
    assert table.item(0, 0).text() == "a\n30 × 20 px, 31 bands"
    assert not table.item(0, 0).icon().isNull()
    states = [table.item(r, 1).checkState() == Qt.CheckState.Checked for r in range(3)]
    assert states == [False, False, True]


def test_problems_are_marked_in_the_row_with_their_sentence(panel, found, qtbot, tmp_path):
    told = "The photograph a.png is smaller than its cube."
    found.rows[0] = row("a", problem=Notice.warning(Code.SIZES_DIFFER, told))
    found.rows[1] = row("b", warnings=("It looks linear.",))
    panel.setup.data.set_folder(tmp_path)
    qtbot.waitUntil(lambda: not panel.setup.looking)
    table = panel.setup.table
    assert table.sentences() == [
        "✕ The photograph a.png is smaller than its cube.",
        "⚠ It looks linear.",
    ]
    assert table.item(0, 0).background().color().red() > 200
    assert panel.setup.message.kind == "warning"
    assert "reason is in the row" in panel.setup.message.text()
    assert not panel.start_button.isEnabled()
    assert "smaller than its cube" in panel.start_button.toolTip()


def test_one_image_is_refused_with_what_to_do(panel, found, qtbot, tmp_path):
    found.rows[:] = [row("a")]
    panel.setup.data.set_folder(tmp_path)
    qtbot.waitUntil(lambda: not panel.setup.looking)
    assert "add a second one" in panel.setup.message.text()
    assert not panel.start_button.isEnabled()


def test_the_user_chooses_what_is_held_out(ready):
    assert ready.setup.split() == ""  # drawn by the training itself
    table = ready.setup.table
    table.item(0, 1).setCheckState(Qt.CheckState.Checked)
    assert ready.setup.split() == "train b\nheld-out a\nheld-out c\n"
    table.item(0, 1).setCheckState(Qt.CheckState.Unchecked)
    table.item(2, 1).setCheckState(Qt.CheckState.Unchecked)
    assert "held out" in ready.setup.obstacle()
    assert not ready.start_button.isEnabled()


def test_a_look_that_fails_says_why(panel, qtbot, monkeypatch, tmp_path):
    def broken(*_, **__):
        raise InputError("The folder holds nothing.")

    monkeypatch.setattr(training_inspect, "inspect_events", broken)
    panel.setup.data.set_folder(tmp_path)
    qtbot.waitUntil(lambda: not panel.setup.looking)
    assert panel.setup.message.text() == "The folder holds nothing."
    assert panel.setup.obstacle() == "Check the data first."


def test_other_data_need_another_look(ready, tmp_path):
    ready.setup.data.folder_line.setText(str(tmp_path / "others"))
    assert ready.setup.findings is None
    assert ready.setup.table.rowCount() == 0
    assert not ready.start_button.isEnabled()


# --- layers and cameras ------------------------------------------------------------------------


def test_layers_are_paired_and_named_for_their_files(panel, viewer, scene, found, qtbot):
    data = panel.setup.data
    data.source.setCurrentIndex(1)
    assert panel.setup.obstacle() == "Tick the cubes to train on."
    for name in ("leaf one", "leaf two"):
        cube, photo = scene(name)
        add_cube(viewer, cube, name=name)
        add_photograph(viewer, photo, name=f"{name} rgb")
    assert data.layer_list.offered() == 2
    by_name = {layer.name: layer for layer in viewer.layers}
    data.layer_list.tick(by_name["leaf one"], by_name["leaf one rgb"])
    data.layer_list.tick(by_name["leaf two"], by_name["leaf two rgb"])
    look(panel, qtbot)
    assert [cube.name for cube, _ in found.images] == ["leaf-one", "leaf-two"]
    assert [photo.name for _, photo in found.images] == ["leaf-one", "leaf-two"]
    assert not data.simulated()


def test_a_cube_whose_photograph_is_removed_is_ticked_no_longer(panel, viewer, scene):
    cube, photo = scene("leaf")
    layer = add_cube(viewer, cube, name="leaf")
    taken = add_photograph(viewer, photo, name="leaf rgb")
    data = panel.setup.data
    data.layer_list.tick(layer, taken)
    assert data.layer_list.any(with_photograph=True)
    viewer.layers.remove(taken)
    assert not data.layer_list.any()
    assert "leaf rgb was removed" in data.layer_list._rows[0][1].toolTip()


def test_the_likeliest_photograph_is_proposed(panel, viewer, scene):
    for name in ("oak", "elm"):
        cube, photo = scene(name)
        add_photograph(viewer, photo, name=f"{name}, photographed")
        add_cube(viewer, cube, name=f"{name}, measured")
    shown = [chooser.currentText() for _, _, chooser, _ in panel.setup.data.layer_list._rows]
    assert shown == ["with oak, photographed", "with elm, photographed"]


def test_cubes_alone_are_photographed_by_a_camera(panel, viewer, scene, found, qtbot):
    cube, _ = scene("leaf")
    layer = add_cube(viewer, cube, name="leaf")
    data = panel.setup.data
    data.source.setCurrentIndex(1)
    data.layer_list.tick(layer)
    assert data.simulated()
    assert not data.camera.isHidden()
    data.camera.set_camera("Nikon 5100 (NPL)")
    look(panel, qtbot)
    assert found.recipe.data.simulate is True
    assert found.recipe.camera.cameras == ("Nikon 5100 (NPL)",)
    assert found.recipe.camera.encoding == "srgb"
    ((_, photo),) = found.images
    assert photo is None


def test_a_camera_is_asked_for_where_the_folder_has_no_photographs(ready, found, tmp_path, qtbot):
    data = ready.setup.data
    assert data.camera.isHidden()
    found.rows[1] = row("b", rgb="", rgb_range=None)
    (tmp_path / "others").mkdir()
    data.set_folder(tmp_path / "others")
    qtbot.waitUntil(lambda: not ready.setup.looking)
    assert not data.camera.isHidden()
    data.camera.set_camera("cie-1964")  # it is still there to be chosen again
    assert not data.camera.isHidden()
    assert ready.setup.recipe.camera.cameras == ("cie-1964",)
    assert ready.setup.recipe.data.simulate is None
    data.set_folder(tmp_path / "images")
    assert data.camera.isHidden()


@pytest.mark.parametrize("camera", ["preset:ntire2022", "preset:ntire2020-clean", "cie-1964"])
def test_every_camera_makes_a_recipe_that_can_be_carried_out(panel, camera):
    from napari_hsr.cameras.random_camera import draw

    panel.setup.data.camera.set_camera(camera)
    recipe = panel.setup.recipe
    nm = np.arange(400.0, 701.0, 10.0)
    draw(recipe.camera, nm, np.random.default_rng(0), np.full((31, 4, 4), 0.5, np.float32))


def test_a_model_of_a_cameras_own_values_gets_such(panel):
    assert camera_content("cie-1931", "camera:nikon-d700") == {"cameras": ["cie-1931"]}


# --- the form ----------------------------------------------------------------------------------


@pytest.fixture
def form(qtbot):
    form = SettingsForm(Recipe, {"model"})
    qtbot.addWidget(form)
    form.set_content(base_content())
    return form


def test_a_group_that_is_not_there_is_none_until_something_is_set_in_it(form):
    assert form.content()["coarse"] is None
    form.fields["coarse", "scale"].set_value(4)
    assert str(form.content()["coarse"]["scale"]) == "4"
    form.set_content(base_content())
    assert form.content()["coarse"] is None
    assert form.content()["camera"] is not None


def test_the_form_has_every_setting_and_gives_back_what_it_shows(form):
    names = {".".join(path) for path in form.fields}
    assert {"seed", "batch.size", "optimiser.betas", "camera.jpeg", "engine.precision"} <= names
    recipe, faults = faults_of(form.content())
    assert faults == {}
    assert recipe == Recipe.model_validate(base_content())


def test_a_fault_of_the_whole_recipe_keeps_the_names_that_it_mentions():
    content = {**base_content(), "optimiser": {"step_per": "band"}}
    _, faults = faults_of(content)
    assert faults == {(): "Optimiser.step_per: band is for the task super-resolution."}


def test_editors_follow_the_kind_of_the_setting(form):
    kinds = {path: type(field.editor) for path, field in form.fields.items()}
    assert issubclass(kinds["augmentation", "flips"], QCheckBox)
    assert issubclass(kinds["engine", "precision"], QComboBox)
    assert issubclass(kinds["batch", "size"], QLineEdit)
    assert issubclass(kinds["camera", "bits"], QComboBox)  # 8, 16 or none
    assert "discarded" not in form.fields["data", "hold_out"].toolTip()
    assert "number of held-out images" in form.fields["data", "hold_out"].toolTip()


@pytest.mark.parametrize(
    ("path", "typed", "value"),
    [
        ("optimiser.learning_rate", "4e-4", 4e-4),
        ("batch.size", "3", 3),
        ("camera.exposure", "[0.5, 2]", (0.5, 2.0)),
        ("camera.exposure", "1.5", 1.5),
        ("camera.exposure", "", None),
        ("data.wavelengths_nm", "[400, 500, 600]", (400.0, 500.0, 600.0)),
        ("augmentation.scales", "[1, 0.5]", (1.0, 0.5)),
        ("title", "My own", "My own"),
        ("validation.patience", "", None),
    ],
)
def test_what_is_typed_is_what_is_trained_with(form, path, typed, value):
    form.fields[tuple(path.split("."))].editor.setText(typed)
    recipe, faults = faults_of(form.content())
    assert faults == {}
    for name in path.split("."):
        recipe = getattr(recipe, name)
    assert recipe == value


def test_an_empty_field_says_what_it_means(form):
    def blank(*path):
        return form.fields[path].editor.placeholderText()

    assert blank("materials", "tables") == "needed, as [one, another]"
    assert blank("materials", "most") == "2000"
    assert blank("materials", "scale") == "automatic"
    form.fields["materials", "tables"].editor.setText("[leaves.csv]")
    recipe, faults = faults_of(form.content())
    assert faults == {}
    assert (recipe.materials.most, recipe.materials.share) == (2000, 0.5)
    form.fields["batch", "size"].editor.setText("")
    assert faults_of(form.content())[0].batch.size == int(blank("batch", "size"))


@pytest.mark.parametrize(
    ("path", "typed", "sentence"),
    [
        ("batch.size", "0", "Expected a number of 1 or more, found 0."),
        ("optimiser.learning_rate", "fast", "Expected a number, found fast."),
        ("ema", "1.5", "below 1"),
        ("camera.exposure", "[3, 1]", "from the least to the highest"),
        ("loss", "[{kind: l3}]", "did you mean l1?"),
        ("ema", "9" * 5000, "Expected a finite number, found 9999"),
        ("ema", "[" * 5000, "Expected a number, found [["),
    ],
)
def test_what_is_wrong_is_marked_with_its_sentence(form, path, typed, sentence):
    place = tuple(path.split("."))
    form.fields[place].editor.setText(typed)
    form.show_faults(faults_of(form.content())[1])
    assert sentence in form.fields[place].problem.text()
    assert [p for p, f in form.fields.items() if f.problem.text()] == [place]
    if len(place) > 1:
        assert form.folds[place[:1]].is_open()
    form.set_content(base_content())
    form.show_faults(faults_of(form.content())[1])
    assert not form.fields[place].problem.text()


def test_a_wrong_setting_stops_the_start_and_a_right_one_lets_it(ready):
    size = ready.setup.form.fields["schedule", "warmup"]
    size.editor.setText("-1")
    assert not ready.start_button.isEnabled()
    assert "marked" in ready.start_button.toolTip()
    size.editor.setText("5")
    assert ready.start_button.isEnabled()
    assert ready.setup.recipe.schedule.warmup == 5


def test_steps_take_the_place_of_the_time_budget(panel):
    panel.setup.minutes.setValue(7)
    assert panel.setup.recipe.schedule.minutes == 7
    panel.setup.form.fields["schedule", "steps"].editor.setText("200")
    assert panel.setup.recipe.schedule.minutes is None
    assert panel.setup.recipe.schedule.steps == 200


def test_settings_that_decide_about_the_data_need_another_look(ready):
    ready.setup.form.fields["optimiser", "learning_rate"].editor.setText("1e-4")
    assert ready.setup.findings is not None
    ready.setup.form.fields["batch", "patch"].editor.setText("16")
    assert ready.setup.findings is None


def test_a_name_that_is_none_is_told_beside_it(panel):
    panel.setup.name.setText("my model")
    panel.setup.name.textEdited.emit("my model")
    assert "without spaces" in panel.setup.name_problem.text()
    panel.setup.name.setText("mine")
    panel.setup.name.textEdited.emit("mine")
    assert not panel.setup.name_problem.text()
    assert panel.setup.recipe.name == "mine"


def test_names_of_files_are_fit_and_unlike_each_other():
    assert stems_of(["a b", "a/b", "A-b", "…", "x"]) == ["a-b", "a-b-2", "A-b-3", "image", "x"]


# --- an estimate before it starts ------------------------------------------------------------

ANSWER = estimating.Estimate(600.0, 810_000_000, "CPU, 2 threads", 0.8, 700)


@pytest.fixture
def estimated(monkeypatch, tmp_path):
    """``estimated(answer, seconds)``: what another process comes to from now on; None: a crash."""
    asked = []

    def behave(found, seconds: float = 0.0) -> list[Recipe]:
        write = f"pathlib.Path(sys.argv[1]).write_bytes({pickle.dumps(found)!r})"
        script = (
            f"import pathlib, sys, time; time.sleep({seconds}); "
            f"{'sys.exit(1)' if found is None else write}; 'it is so'"
        )

        def command(question, answer):
            asked.append(pickle.loads(question.read_bytes()))
            return [sys.executable, "-c", script, str(answer)]

        monkeypatch.setattr(estimating, "command", command)
        return asked

    return behave


def ended(estimate) -> bool:
    return not estimate.running


def test_time_and_memory_are_estimated_when_asked_for(ready, estimated, qtbot):
    asked = estimated(ANSWER)
    estimate = ready.setup.estimate
    assert estimate.button.isEnabled()
    ready.setup.strategy.setCurrentIndex(3)
    estimate.button.click()
    qtbot.waitUntil(lambda: ended(estimate))
    assert estimate.message.text() == (
        "About 10 min and 810 MB of memory on the CPU, 2 threads: 700 steps of 0.8 s."
    )
    (recipe,) = asked
    assert recipe == ready.setup.recipe
    assert recipe.strategy == "full"
    ready.setup.minutes.setValue(20)  # it was of another training
    assert estimate.message.text() == ""


def test_an_estimate_knows_the_images_that_the_user_holds_out(ready, estimated, qtbot):
    asked = estimated(ANSWER)
    ready.setup.table.held_out_changed.emit("a", True)
    ready.setup.estimate.button.click()
    qtbot.waitUntil(lambda: ended(ready.setup.estimate))
    assert asked[0].data.split_file.name == "split.txt"
    assert not asked[0].data.split_file.exists()  # it was of the estimate alone


def test_what_stands_in_the_way_of_an_estimate_is_said(ready, estimated, qtbot):
    estimate = ready.setup.estimate
    for answer, sentence in (("No image is left.", "No image is left."), (None, "crashed")):
        estimated(answer)
        estimate.button.click()
        qtbot.waitUntil(lambda: ended(estimate))
        assert sentence in estimate.message.text()
        assert estimate.message.kind == "error"


def test_an_estimate_is_cancelled_by_its_button_and_by_the_start(ready, estimated, training, qtbot):
    estimated(ANSWER, seconds=600)
    estimate = ready.setup.estimate
    estimate.button.click()
    qtbot.waitUntil(lambda: "running a few steps" in estimate.message.text())
    estimate.button.click()
    assert ended(estimate)
    assert estimate.message.text() == ""
    qtbot.waitUntil(lambda: not children())
    estimate.button.click()
    qtbot.waitUntil(lambda: len(children()) == 1)
    training("finish")
    ready.start_button.click()
    assert ended(estimate)
    qtbot.waitUntil(lambda: ready.run is not None and not ready.run.alive())
    qtbot.waitUntil(lambda: not children())


def children() -> list[psutil.Process]:
    """Processes of an estimate that are still there."""
    return [process for process in psutil.Process().children() if estimates(process)]


def estimates(process: psutil.Process) -> bool:
    """Whether a process is that of an estimate; one that has ended meanwhile is not."""
    try:
        words = " ".join(process.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and "it is so" in words
    except psutil.NoSuchProcess:  # a ZombieProcess too
        return False


def test_nothing_is_estimated_before_there_are_data(panel):
    assert not panel.setup.estimate.button.isEnabled()
    assert "folder of your images" in panel.setup.estimate.button.toolTip()


def test_an_image_that_cannot_be_read_can_be_unticked(panel, qtbot, found, tmp_path):
    """It blocked Start, and nothing could be done about it here."""
    found.rows[1] = row("b", problem=Notice.warning(Code.UNREADABLE, "it cannot be read"))
    found.rows.append(row("d"))
    (tmp_path / "images").mkdir()
    panel.setup.data.set_folder(tmp_path / "images")
    qtbot.waitUntil(lambda: not panel.setup.looking)
    assert not panel.start_button.isEnabled()
    assert "untick it" in panel.setup.message.text()
    table = panel.setup.table
    at = next(r for r in range(table.rowCount()) if table.item(r, 0).text().startswith("b\n"))
    table.item(at, 0).setCheckState(Qt.CheckState.Unchecked)
    assert panel.setup.obstacle() == ""
    assert panel.start_button.isEnabled()
    assert "b" not in [line.split()[-1] for line in panel.setup.split().splitlines()]
    assert {line.split()[-1] for line in panel.setup.split().splitlines()} == {"a", "c", "d"}
    table.item(at, 0).setCheckState(Qt.CheckState.Checked)
    assert not panel.start_button.isEnabled()


def test_a_layer_that_comes_leaves_alone_what_was_found_in_a_folder(ready, viewer, scene):
    ready.setup._on_held_out("a", True)
    add_cube(viewer, scene("another")[0])
    assert ready.setup.obstacle() == ""
    assert "held-out a" in ready.setup.split()
