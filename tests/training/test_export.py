"""What a training leaves: loaded by its folder, honest about data, figures and precision."""

import csv
import dataclasses
import json
import math
from importlib.metadata import version

import numpy as np
import pytest
import torch
from PIL import Image

import napari_hsr
from napari_hsr.errors import FileError
from napari_hsr.models.architectures.edsr import EDSR
from napari_hsr.models.card import ModelCard
from napari_hsr.models.state_dict import from_state_dict, read_weights
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.training.events import Began, Measured, Noticed, Step, to_json
from napari_hsr.training.export import (
    TrainingFacts,
    card_of,
    check_output,
    choose_precision,
    in_half,
    write_model_folder,
)
from napari_hsr.training.recipe.yaml_io import read_recipe
from napari_hsr.training.runs.curves import write_plot
from napari_hsr.training.runs.history import History
from napari_hsr.training.validation import Validation, validate

from .stand_ins import GRID, image, recipe

TRAIN, HELD = {"a": "1" * 64, "b": "2" * 64}, {"c": "3" * 64}
FACTS = TrainingFacts(
    before=None,
    train=TRAIN,
    held_out=HELD,
    seconds=61.23,
    steps=30,
    machine="CPU, 2 threads",
    strategy="full",
)


def small_network():
    torch.manual_seed(0)
    card = ModelCard(
        name="small",
        title="A small network",
        architecture="edsr",
        input_encoding="linear-srgb",
        wavelengths_nm=tuple(GRID),
        units="reflectance",
        training_data="nothing",
    )
    return from_state_dict(EDSR(width=16, blocks=1).state_dict(), card)


def steps(first: int, last: int) -> list[Step]:
    return [Step(n, 100, 1 / n, {"l1": 2 / n}, 1e-4, 5.0) for n in range(first, last + 1)]


def written(folder, **settings):
    made = recipe(**{"name": "mine", "licence": "CC0", **settings})
    held = [image(3)]
    before = Validation({"psnr_db": 20.0, "sam_deg": math.nan}, {"c": {"psnr_db": 20.0}})
    stored = choose_precision(small_network(), held, made)
    folder.mkdir(exist_ok=True)
    with (folder / "events.jsonl").open("w") as file:
        for event in (Measured(0, before.mean, before.images), *steps(1, 30), Measured(30, stored.figures.mean, {}, best=True)):  # fmt: skip
            file.write(to_json(event) + "\n")
    write_model_folder(folder, made, stored, dataclasses.replace(FACTS, before=before))
    return stored, held, made


def test_the_directory_is_a_model_that_gives_the_figures_of_its_card(tmp_path):
    stored, held, made = written(tmp_path / "run")
    model = napari_hsr.load_model(tmp_path / "run")
    figures = validate(model, held, made).mean
    stated = model.card.figures["the held-out images"]
    assert stated == {key: pytest.approx(value, abs=1e-5) for key, value in figures.items()}
    assert model.card.figures["the held-out images before training"] == {"psnr_db": 20.0}
    assert model.name == "mine"
    assert model.card.weights_sha256 == model.weights_sha256 == stored.model.weights_sha256
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "mine.safetensors", "card.json", "recipe.yaml", "split.txt", "log.csv", "plot.png",
        "events.jsonl",
    }  # fmt: skip


def test_the_card_says_where_it_comes_from(tmp_path):
    _, _, made = written(tmp_path, seed=7)
    card = json.loads((tmp_path / "card.json").read_text())
    assert ModelCard.model_validate(card) == napari_hsr.load_model(tmp_path).card
    training = card["training"]
    assert training["data"] == {name: {"sha256": sha} for name, sha in TRAIN.items()}
    assert training["held_out"] == {"c": {"sha256": "3" * 64}}
    assert (training["seed"], training["steps"], training["seconds"]) == (7, 30, 61.2)
    assert training["machine"] == "CPU, 2 threads"
    assert training["start"] == "rootpoly-srgb"
    assert training["versions"]["torch"] == version("torch")
    assert card["licence"] == "CC0"
    assert "cave-val" in card["protocol"]
    assert "2 images: a, b" in card["training_data"]
    from napari_hsr.training.data.split import read
    from napari_hsr.training.recipe.yaml_io import read_recipe

    assert read_recipe(tmp_path / "recipe.yaml") == made
    assert read(tmp_path / "split.txt") == {"a": False, "b": False, "c": True}


def test_a_licence_that_nobody_states_is_what_is_known_of_it(tmp_path):
    stored, _, made = written(tmp_path, licence="not stated")
    said = napari_hsr.load_model(tmp_path).card.licence
    mine = "of the images that it was trained further on: not stated"
    assert said == f"of its start rootpoly-srgb: not stated; {mine}"
    further = dataclasses.replace(stored, model=napari_hsr.load_model(tmp_path))
    card = card_of(made, further, FACTS)
    assert card.licence == said  # it does not grow from training to training
    assert card.limits == further.model.card.limits
    more = dataclasses.replace(FACTS, train={**TRAIN, "d": "4" * 64})
    added = card_of(made, further, more).limits.removeprefix(card.limits)
    assert added.startswith(" Trained on 3 images, chosen and measured on 1 image;")


def test_a_card_names_its_start_without_the_path_to_it(tmp_path):
    stored, _, made = written(tmp_path)
    for start in ("/models/of/mine/first", "runs/first/", r"D:\models\first", "first"):
        model = made.model.model_copy(update={"start": start})
        card = card_of(made.model_copy(update={"model": model}), stored, FACTS)
        assert card.training["start"] == "first", start
        assert card.source.endswith(", from first"), start
        assert "as its start first: " in card.training_data, start


def test_a_held_out_image_that_was_trained_on_is_named_by_the_card():
    made = recipe(licence="CC0")
    stored = choose_precision(small_network(), [image(3)], made)
    clean = "took no part in training but in choosing the weights;"
    assert clean in card_of(made, stored, FACTS).protocol
    card = card_of(made, stored, dataclasses.replace(FACTS, copies={"c": "a"}))
    assert clean not in card.protocol
    assert "trained on under another name: c" in card.protocol


def test_half_precision_weights_compute_in_float32(tmp_path):
    stored, held, _ = written(tmp_path)
    assert stored.precision == "float16"
    stored = read_weights(tmp_path / "mine.safetensors")
    assert stored["tail.0.weight"].dtype == torch.float16
    assert stored["body.0.body.0.weight"].dtype == torch.float32  # small: it takes no room
    model = napari_hsr.load_model(tmp_path)
    assert {value.dtype for value in model.module.state_dict().values()} == {torch.float32}
    exact = small_network()
    shot = Photograph(held[0].rgb, "linear-srgb")
    near, far = (napari_hsr.reconstruct(shot, m, device="cpu").data for m in (model, exact))
    assert 0 < np.abs(near - far).max() < 2e-3 * np.abs(far).max()


def test_half_precision_is_not_taken_where_it_costs(tmp_path):
    network = small_network()
    exact = validate(network, [image(3)], recipe())
    flattered = {**exact.mean, "psnr_db": exact.mean["psnr_db"] + 0.03}
    stored = choose_precision(network, [image(3)], recipe(), Validation(flattered, exact.images))
    assert stored.precision == "float32"
    assert stored.figures.mean == flattered
    weights = network.module.state_dict()
    huge = {**weights, "tail.0.weight": weights["tail.0.weight"] * 1e7}
    stored = choose_precision(from_state_dict(huge, network.card), [image(3)], recipe())
    assert stored.precision == "float32"
    assert torch.equal(stored.weights["tail.0.weight"], huge["tail.0.weight"])


def test_small_tensors_and_integers_stay_as_they_are():
    weights = {
        "exponents": torch.full((13, 3), 1 / 3),
        "large": torch.ones(64, 64),
        "count": torch.tensor(3),
    }
    half = in_half(weights)
    assert [half[k].dtype for k in weights] == [torch.float32, torch.float16, torch.int64]


def test_another_model_in_the_folder_is_refused_and_stays(tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"precious")
    check_output(tmp_path, "other")
    with pytest.raises(FileError, match=r"holds another model already \(other.safetensors\)"):
        written(tmp_path)
    assert other.read_bytes() == b"precious"
    assert not list(tmp_path.glob("card.json"))


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    stored = choose_precision(small_network(), [image(3)], recipe())
    with pytest.raises(FileError, match="it cannot be made"):
        write_model_folder(tmp_path / "file" / "run", recipe(), stored, FACTS)


def test_the_log_counts_what_was_done_twice_once():
    before = [Began(0, 100, "CPU", "float32"), *steps(1, 40), Measured(20, {"psnr_db": 21.0}, {})]
    again = [Began(10, 100, "CPU", "float32"), *steps(11, 30), Measured(20, {"psnr_db": 22.0}, {})]
    history = History.of([*before, Noticed(Notice.info(Code.OTHER, "killed")), None, *again])
    assert [e.step for e in history.steps] == list(range(1, 31))
    assert history.curve("psnr_db") == ([20], [22.0])
    rows = list(csv.DictReader(history.csv().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(1, 31))
    assert float(rows[3]["loss"]) == 0.25
    assert float(rows[3]["loss_l1"]) == 0.5
    assert rows[3]["psnr_db"] == ""
    assert float(rows[19]["psnr_db"]) == 22.0


def test_what_a_resumed_run_measures_again_stays_in_its_place():
    """Resumed in its second stage: the first ones are told again, without a step."""
    start, adapter = Measured(0, {"psnr_db": 20.0}, {}), Measured(1, {"psnr_db": 21.0}, {})
    head, full = (Began(step, 31, "CPU", "float32") for step in (1, 11))
    before = [start, adapter, head, *steps(2, 11), Measured(11, {"psnr_db": 22.0}, {})]
    before += [full, *steps(12, 25), Measured(21, {"psnr_db": 23.0}, {})]
    over = Began(11, 31, "CPU", "float32")
    again = [start, adapter, over, Began(20, 31, "CPU", "float32")]
    history = History.of([*before, *again])
    assert history.curve("psnr_db") == ([0, 1, 11], [20.0, 21.0, 22.0])
    history = History.of([*before, *again, *steps(21, 31), Measured(31, {"psnr_db": 24.0}, {})])
    assert [e.step for e in history.steps] == list(range(2, 32))
    assert history.curve("psnr_db") == ([0, 1, 11, 31], [20.0, 21.0, 22.0, 24.0])


def test_curves_leave_out_what_is_not_finite():
    history = History.of([Step(1, 3, math.nan), Step(2, 3, 0.5), Measured(2, {}, {})])
    assert history.curve("loss") == ([2], [0.5])
    assert history.curve("sam_deg") == ([], [])


@pytest.mark.parametrize(
    "losses", [[], [0.5], [0.5, 0.5], [0.500, 0.501], [900.0, 1e-6, 0.0]], ids=str
)
def test_a_plot_of_any_run_can_be_drawn(tmp_path, losses):
    events = [Step(n + 1, len(losses), loss) for n, loss in enumerate(losses)]
    path = write_plot(History.of(events), tmp_path / "plot.png", "mine")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        colours = {colour for _, colour in picture.convert("RGB").getcolors(2**20)}
    blue = {(31, 119, 180)} & colours
    assert bool(blue) == bool(losses)


def test_a_card_names_tables_without_their_folders():
    from napari_hsr.cameras.settings import CaptureSettings
    from napari_hsr.training.export import _portable

    settings = CaptureSettings(
        cameras=("somewhere/else/table.csv:Nikon_D700", r"else\where\t.CSV:*", "cie-1931"),
        illuminants=("D65", "/a/b/lamps.npz:*"),
    )
    assert _portable(settings) == {
        "cameras": ["table.csv:Nikon_D700", "t.CSV:*", "cie-1931"],
        "illuminants": ["D65", "lamps.npz:*"],
    }


def test_a_card_names_tables_of_spectra_with_their_hashes(tmp_path):
    from napari_hsr.training.export import _materials
    from napari_hsr.training.recipe.schema import MaterialsSettings

    (tmp_path / "leaves.csv").write_bytes(b"abc")
    found = _materials(MaterialsSettings(tables=(tmp_path / "leaves.csv",)))
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert found["tables"] == [{"name": "leaves.csv", "sha256": digest}]
    assert found["share"] == 0.5


def test_a_recipe_that_was_edited_during_its_training_is_kept_aside(tmp_path):
    stored, _, made = written(tmp_path)
    facts = dataclasses.replace(FACTS)
    own = tmp_path / "recipe.yaml"
    commented = f"# of mine\n{own.read_text()}"
    own.write_text(commented)
    assert write_model_folder(tmp_path, made, stored, facts) == ()
    assert own.read_text() == commented
    own.write_text("name: mine\nseed: 7  # for the next one\n")
    (told,) = write_model_folder(tmp_path, made, stored, facts)
    assert told.code == Code.RECIPE_CHANGED
    assert "recipe-changed-1.yaml" in told
    assert (tmp_path / "recipe-changed-1.yaml").read_text().endswith("# for the next one\n")
    assert read_recipe(own) == made
    own.write_text("name: [")
    write_model_folder(tmp_path, made, stored, facts)
    assert (tmp_path / "recipe-changed-2.yaml").read_text() == "name: ["
