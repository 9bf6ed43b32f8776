"""Recipes: those that come with the product, files, overrides, and what is said of a wrong one."""

import ast
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from napari_hsr.cameras import get_camera
from napari_hsr.errors import FileError, HSRError
from napari_hsr.metrics.protocols import get_protocol
from napari_hsr.models.registry import ARCHITECTURES
from napari_hsr.training.engine.learning_rate import learning_rate
from napari_hsr.training.engine.losses import Loss
from napari_hsr.training.recipe.schema import LossTerm, Recipe
from napari_hsr.training.recipe.yaml_io import RecipeError, read_recipe, recipe_names, write_recipe

NAMES = [name for name, _ in recipe_names()]
TRAINED = sorted(a.id for a in ARCHITECTURES if a.published)
BASE = "model: {architecture: mstpp}\n"


@pytest.fixture
def recipe(tmp_path):
    """Writes a recipe and reads it, with overrides."""

    def read(text, *overrides):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return read_recipe(path, overrides)

    return read


# --- those that come with the product -------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_recipe_can_be_trained(name):
    recipe = read_recipe(name)
    if recipe.model.architecture is not None:
        assert recipe.model.architecture in TRAINED
    for camera in recipe.camera.cameras if recipe.camera else ():
        get_camera(camera)
    get_protocol(recipe.validation.protocol)
    Loss([term for term in recipe.loss if term.kind != "perceptual"] or [LossTerm(kind="l1")], 10)
    total = recipe.schedule.steps or 1000
    rates = [
        learning_rate(recipe.optimiser, recipe.schedule, step, total)
        for step in range(0, total, max(1, total // 100))
    ]
    assert max(rates) == pytest.approx(recipe.optimiser.learning_rate, rel=0.02)


@pytest.mark.parametrize("architecture", TRAINED)
def test_every_network_has_its_papers_recipe(architecture):
    recipe = read_recipe(f"{architecture}-paper")
    assert recipe.model.architecture == architecture
    assert recipe.model.head == "none"
    assert recipe.ema == 0


@pytest.mark.parametrize(
    ("name", "rate", "last", "steps", "size", "patch"),
    [  # as the authors' programs have them
        ("mstpp-paper", 4e-4, 1e-6, 300_000, 20, 128),
        ("hinet-paper", 2e-4, 1e-6, 300_000, 20, 128),
        ("hscnn_plus-paper", 2e-4, 1e-6, 300_000, 20, 128),
        ("awan-paper", 1e-4, 1e-6, 300_000, 20, 128),
        ("drcr-paper", 1e-4, 0, 300_000, 16, 128),
        ("inr-paper", 1e-4, 1e-4 / 32, 18_000, 56, 64),
        ("mxrunet-paper", 1e-3, 1e-9, 11_200, 8, 480),
        ("coarsr-paper", 1e-4, 1e-6, 12_400, 64, 32),
    ],
)
def test_papers_recipes_end_where_the_papers_do(name, rate, last, steps, size, patch):
    recipe = read_recipe(name)
    assert (recipe.batch.size, recipe.batch.patch, recipe.schedule.steps) == (size, patch, steps)
    assert recipe.optimiser.learning_rate == rate
    assert learning_rate(recipe.optimiser, recipe.schedule, steps, steps) == pytest.approx(last)


def test_every_recipe_says_what_it_is_and_every_papers_what_is_not_carried_over():
    for name, line in recipe_names():
        assert 20 < len(line) < 100, name
        assert line.endswith("."), name
    for path in (Path(read_recipe.__code__.co_filename).parent / "recipes").glob("*-paper.yaml"):
        text = path.read_text(encoding="utf-8")
        assert "# Source: " in text, path.name
        assert "# Not carried over: " in text, path.name


def test_fine_tuning_is_short_slow_and_held_to_the_start():
    recipe = read_recipe("fine-tune")
    assert recipe.strategy == "auto"
    assert recipe.schedule.minutes is not None
    assert 2e-5 <= recipe.optimiser.learning_rate <= 5e-5
    assert recipe.anchor > 0


# --- files and overrides ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_reads_back_equal(name, tmp_path):
    recipe = read_recipe(name, ["data.folder=images", "seed=7"])
    path = write_recipe(recipe, tmp_path / "recipe.yaml")
    assert read_recipe(path) == recipe
    assert read_recipe(tmp_path) == recipe  # a run's folder
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_written_preset_stands_alone(recipe, tmp_path):
    made = recipe(BASE, "camera={preset: ntire2022, sensitivities: s.csv}")
    written = yaml.safe_load(write_recipe(made, tmp_path / "r.yaml").read_text())
    assert written["camera"] == {"preset": "ntire2022", "sensitivities": "s.csv"}


def test_overrides_are_yaml(recipe):
    found = recipe(
        BASE + "loss: [{kind: l1}, {kind: mrae}]\n",
        "optimiser.learning_rate=1e-4",
        "loss.0.weight=2",
        "loss.2.kind=sam",
        "optimiser.betas=[0.8, 0.9]",
        "title=two words: three",
        "name=2024",
        "data_statement=a #b",
        "licence='CC0'",
        "model.settings={width: 16, depths: [1, 1]}",
    )
    assert found.optimiser.learning_rate == 1e-4
    assert [(t.kind, t.weight) for t in found.loss] == [("l1", 2), ("mrae", 1), ("sam", 1)]
    assert found.optimiser.betas == (0.8, 0.9)
    assert found.title == "two words: three"
    assert found.name == "2024"
    assert (found.data_statement, found.licence) == ("a #b", "CC0")
    assert found.model.settings == {"width": 16, "depths": [1, 1]}


def test_overrides_reach_lists_that_the_file_leaves_alone(recipe):
    found = recipe(BASE, "loss.1.weight=3")
    assert [(t.kind, t.weight) for t in found.loss] == [("l1", 1), ("mrae", 3)]


def test_an_override_takes_the_place_of_its_alternative(recipe):
    assert recipe(BASE + "schedule: {steps: 10}\n", "schedule.minutes=5").schedule.steps is None
    found = recipe("model: {architecture: mstpp, head: base}\n", "model.start=mine")
    assert (found.model.start, found.model.architecture) == ("mine", None)


def test_numbers_without_a_point_are_numbers(recipe):
    found = recipe("model: {architecture: mstpp, settings: {slope: 1e-4, up: 2E3}}\n")
    assert found.model.settings == {"slope": 1e-4, "up": 2000.0}


def test_paths_of_a_file_are_by_the_file_and_those_of_overrides_here(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "set" / "table.csv").write_text("x")
    (tmp_path / "set" / "start.safetensors").write_text("x")
    (tmp_path / "set" / "mine.yaml").write_text(
        "model: {start: start.safetensors}\n"
        "data: {folder: ../images, pairs: [{cube: a.mat, rgb: a.png}], split_file: /s.txt}\n"
        "camera: {cameras: ['table.csv:*', cie-1931, other.csv]}\n"
        "validation: {captures: [{cameras: [table.csv]}]}\n"
        "loss: [{kind: perceptual, weights_file: vgg.pth}]\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    found = read_recipe("../set/mine.yaml", ["data.validation_folder=val", "data.cache=2024"])
    folder = tmp_path / "set"
    assert found.data.folder.resolve() == tmp_path / "images"
    assert found.data.pairs[0].cube.resolve() == folder / "a.mat"
    assert found.data.split_file == Path("/s.txt")
    assert found.data.validation_folder == tmp_path / "here" / "val"
    assert found.data.cache == tmp_path / "here" / "2024"
    assert Path(found.model.start).resolve() == folder / "start.safetensors"
    assert Path(found.camera.cameras[0]).resolve() == folder / "table.csv:*"
    assert found.camera.cameras[1:] == ("cie-1931", "other.csv")
    assert Path(found.validation.captures[0].cameras[0]).resolve() == folder / "table.csv"
    assert found.loss[0].weights_file.resolve() == folder / "vgg.pth"


def test_names_go_before_folders_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "recipe.yaml").write_text(BASE + "name: run\n")
    assert read_recipe("ours").name == "trained"
    assert read_recipe("./ours").name == read_recipe(Path("ours")).name == "run"


def test_a_name_is_not_taken_for_a_folder_beside_the_recipe(recipe, tmp_path):
    (tmp_path / "mstpp-photo").mkdir()
    assert recipe("model: {start: mstpp-photo}\n").model.start == "mstpp-photo"


def test_a_file_that_cannot_be_written_leaves_the_old_one(recipe, tmp_path):
    path = write_recipe(recipe(BASE), tmp_path / "r.yaml")
    before = path.read_text()
    with pytest.raises(FileError, match="cannot be written"):
        write_recipe(recipe(BASE), tmp_path / "none" / "r.yaml")
    assert path.read_text() == before


# --- what is wrong, in one sentence -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BASE + "optimizer: {kind: adam}\n", "optimizer: there is no such setting; did you mean optimiser?"),
        (BASE + "learning_rate: 1\n", "learning_rate: there is no such setting; did you mean optimiser.learning_rate?"),
        (BASE + "optimiser: {lerning_rate: 1}\n", "optimiser.lerning_rate: there is no such setting; did you mean optimiser.learning_rate?"),
        (BASE + "loss: [{kind: l1, wieght: 2}]\n", "loss.0.wieght: there is no such setting; did you mean loss.0.weight?"),
        (BASE + "camera: {exposures: 1}\n", "camera.exposures: there is no such setting; did you mean camera.exposure?"),
        (BASE + "lr: 1e-4\n", "lr: there is no such setting; did you mean optimiser.learning_rate?"),
        (BASE + "engine: {num_nodes: 2}\n", "engine.num_nodes: there is no such setting; did you mean engine.nodes?"),
        (BASE + "batch: {zzz: 1}\n", "batch.zzz: there is no such setting; there are size, patch, accumulate."),
        (BASE + "optimiser: {learning_rate: -1}\n", "optimiser.learning_rate: expected a number above 0, found -1."),
        (BASE + "optimiser: {learning_rate: fast}\n", "optimiser.learning_rate: expected a number, found fast."),
        (BASE + "optimiser: {kind: adm}\n", "optimiser.kind: expected one of adam, adamw, found adm; did you mean adam?"),
        (BASE + "optimiser: {betas: [0.9]}\n", "optimiser.betas: expected more values, found [0.9]."),
        (BASE + "optimiser: {betas: [2, 5]}\n", "optimiser.betas.0: expected a number below 1, found 2 (1 more is wrong)."),
        (BASE + "schedule: {minutes: .inf}\n", "schedule.minutes: expected a finite number, found inf."),
        (BASE + "schedule: {minutes: 1e9}\n", "schedule.minutes: expected a number of 5.256e+07 or less, found 1000000000.0."),
        (BASE + "anchor: 1e308\n", "anchor: expected a number of 1e+09 or less, found 1e+308."),
        (BASE + "batch: {size: 1" + "0" * 30 + "}\n", "batch.size: expected a number of 9.0072e+15 or less, found 1" + "0" * 30 + "."),
        (BASE + "optimiser: {learning_rate: .nan}\n", "optimiser.learning_rate: expected a finite number, found nan."),
        (BASE + "camera: {exposure: [0, .inf]}\n", "camera.exposure: expected a number, or a pair [least, highest], found [0, inf]."),
        (BASE + "ema: 1\n", "ema: expected a number below 1, found 1."),
        (BASE + "batch: {size: 2.5}\n", "batch.size: expected a whole number, found 2.5."),
        (BASE + "batch: 3\n", "batch: expected settings by name, found 3."),
        (BASE + "engine: {tensorboard: perhaps}\n", "engine.tensorboard: expected true or false, found perhaps."),
        (BASE + "name: a b\n", "name: expected a name of letters, digits and any of . _ + - without spaces, found 'a b'."),
        (BASE + "camera: {exposure: bright}\n", "camera.exposure: expected a number, or a pair [least, highest], found bright."),
        (BASE + "camera: {exposure: [2, 1]}\n", "camera.exposure: a range runs from the least to the highest value, not (2.0, 1.0)."),
        (BASE + "data: {wavelengths_nm: [400, x]}\n", "data.wavelengths_nm.1: expected a number, found x."),
        (BASE + "data: {pairs: [{rgb: a.png}]}\n", "data.pairs.0.cube is missing: expected a path."),
        (BASE + "loss: [{weight: 2}]\n", "loss.0.kind is missing: expected one of l1, rmse, mrae, sam, perceptual."),
        (BASE + "loss: [{kind: mrae, floor: [0, 0.1]}]\n", "loss.0.floor.0: expected a number of 1e-06 or more, found 0."),
        (BASE + "loss: []\n", "loss: expected 1 or more of them, found []."),
        (BASE + "schedule: {steps: 3, minutes: 3}\n", "schedule: give either steps or minutes."),
        ("model: {}\n", "model: give either start (a model at hand) or architecture (from nothing)."),
        ("name: x\n", "model is missing: expected settings such as start, architecture."),
        (BASE + "batch: {size: 0}\nema: 3\n", "batch.size: expected a number of 1 or more, found 0 (1 more is wrong)."),
        (BASE + "task: cube-to-finer-cube\nscale: 4\n", "this is a recipe for the task cube-to-finer-cube, but only rgb-to-cube (photograph to cube) and super-resolution (coarse cube to fine) can be trained."),
        ("[1, 2]\n", "a recipe is a list of settings such as name: mine, but this holds [1, 2]."),
        ("", "a recipe is a list of settings such as name: mine, but this holds nothing."),
        (BASE + f"seed: {'9' * 5000}\n", "it is not a YAML file of settings (it holds a number or a date that cannot be read)."),
        (BASE + BASE, "it is not a YAML file of settings (the setting model stands twice at line 2, column 1)."),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence(recipe, tmp_path, text, sentence):
    with pytest.raises(RecipeError) as error:
        recipe(text)
    assert str(error.value) == f"{tmp_path / 'mine.yaml'}: {sentence}"


@pytest.mark.parametrize(
    ("text", "field", "expected", "found"),
    [
        (BASE + "optimiser: {learning_rate: -1}\n", "optimiser.learning_rate", "a number above 0", -1),
        (BASE + "loss: [{kind: l2}]\n", "loss.0.kind", "one of l1, rmse, mrae, sam, perceptual", "l2"),
        (BASE + "camera: {bits: 9}\n", "camera.bits", "one of 8, 16", 9),
        ("name: x\n", "model", "settings such as start, architecture", None),
        (BASE + "batch: {zzz: 1}\n", "batch.zzz", "", None),
        (BASE + "coarse: {scale: 2}\n", "", "", None),
    ],
)  # fmt: skip
def test_an_error_carries_what_it_says(recipe, text, field, expected, found):
    with pytest.raises(RecipeError) as error:
        recipe(text)
    assert (error.value.field, error.value.expected, error.value.found) == (field, expected, found)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optimizer.kind=adam", "optimizer: there is no such setting; did you mean optimiser?"),
        ("seed=-1", "seed: expected a number of 0 or more, found -1."),
        ("loss.5.weight=2", "expected a number from 0 to 2 (a new one) in the place of 5."),
        ("seed", "expected KEY=VALUE, such as optimiser.learning_rate=1e-4."),
        ("=3", "expected KEY=VALUE, such as optimiser.learning_rate=1e-4."),
    ],
)
def test_a_fault_of_an_override_is_said_to_be_its(recipe, override, sentence):
    with pytest.raises(RecipeError) as error:
        recipe(BASE, override)
    assert str(error.value) == f"--set {override}: {sentence}"


def test_broken_yaml_names_its_line(recipe):
    with pytest.raises(RecipeError, match=r"mine.yaml: it is not a YAML file.* at line 2"):
        recipe(BASE + "data: [1, }\n")


def test_nothing_that_a_file_names_is_run(recipe, tmp_path):
    with pytest.raises(RecipeError, match="not a YAML file of settings"):
        recipe(f"name: !!python/object/apply:os.mkdir ['{tmp_path / 'run'}']\n")
    assert not (tmp_path / "run").exists()


def test_files_and_names_that_are_not_there(tmp_path):
    with pytest.raises(RecipeError, match=r"no recipe 'mstp' \(did you mean mstpp\?\)"):
        read_recipe("mstp")
    with pytest.raises(RecipeError, match="no recipe 'zzz'; there are awan-paper, "):
        read_recipe("zzz")
    with pytest.raises(FileError, match=r"none.yaml: there is no such recipe\."):
        read_recipe(tmp_path / "none.yaml")
    with pytest.raises(FileError, match="a folder without recipe"):
        read_recipe(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FileError, match="text file"):
        read_recipe(tmp_path / "binary.yaml")
    assert issubclass(RecipeError, HSRError)


def test_yaml_is_imported_late():
    for name in ("yaml_io.py", "errors.py", "schema.py"):
        path = Path(read_recipe.__code__.co_filename).with_name(name)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = {alias.name for n in tree.body if isinstance(n, ast.Import) for alias in n.names}
        assert not top & {"yaml", "torch", "numpy"}, name


def test_pydantic_alone_would_say_more_than_a_sentence():
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate({"optimizer": 1})
    assert "\n" in str(error.value)


def test_scales_of_patches_are_one_or_more(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "model: {architecture: edsr}\ndata: {folder: x}\naugmentation: {scales: []}\n",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match=r"augmentation\.scales.*1 or more of them"):
        read_recipe(path)
