"""Figures of cards side by side: the same conditions, or told apart."""

import pytest
from pydantic import ValidationError

from napari_hsr import list_models, load_model
from napari_hsr.cli.models import _print_sources
from napari_hsr.models.card import HELD_OUT, ModelCard
from napari_hsr.models.measured_figures import comparable_figures, conditions
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.training.validation import validate

from ..thorough import thorough
from ..training.driven import prepare

CARD = load_model("mstpp-photo").card


def test_bundled_models_for_one_input_are_measured_under_one_set_of_conditions():
    found = {}
    for card in list_models():
        assert card.figures[HELD_OUT]
        found.setdefault((card.input_encoding, card.scale), set()).add(conditions(card))
    assert len(found) == 6  # photographs, those of a camera, four scales
    assert all(len(each) == 1 for each in found.values())
    assert len(set.union(*found.values())) == 6
    groups = [[name for name, _ in rows] for _, rows in comparable_figures(list_models())]
    assert sorted(groups[0]) == ["instant-photo", "mstpp-photo", "rootpoly-srgb"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("held_out", {**CARD.training["held_out"], "sponges": {"sha256": "0" * 64}}),
        ("held_out_cameras", CARD.training["held_out_cameras"][:2]),
        ("coarse", {"scale": 2, "degradations": ["box"]}),
        ("held_out_protocol", "another one"),
        ("seed", 1),
    ],
)
def test_whatever_figures_depend_on_tells_conditions_apart(key, value):
    other = CARD.model_copy(update={"training": {**CARD.training, key: value}})
    assert conditions(CARD) == conditions(CARD.model_copy(update={"name": "other"}))
    assert conditions(other) != conditions(CARD)
    assert len(comparable_figures([CARD, other])) == 2


def test_settings_of_the_training_camera_do_not_matter_where_others_are_held_out():
    other = CARD.model_copy(update={"training": {**CARD.training, "camera": {"cameras": ["x"]}}})
    assert conditions(other) == conditions(CARD)


def test_further_degradations_of_the_training_do_not_matter():
    """Held-out cubes are made coarse by the first one, without noise."""
    plain, varied = (
        CARD.model_copy(update={"training": {**CARD.training, "coarse": coarse}})
        for coarse in (
            {"scale": 4, "degradations": ["bicubic-matlab"], "bands": 8},
            {"scale": 4, "degradations": ["bicubic-matlab", "box"], "noise": [0, 0.02]},
        )
    )
    assert conditions(plain) == conditions(varied)


def test_figures_of_cards_that_name_no_images_are_compared_with_none():
    card = ModelCard(
        name="a",
        title="A",
        architecture="mstpp",
        input_encoding="srgb",
        wavelengths_nm=(400.0, 410.0),
        figures={"their test set": {"mrae": 0.1}, "another": {"mrae": 0.2}},
    )
    other = card.model_copy(update={"name": "b"})
    found = comparable_figures([card, other])
    assert [rows for _, rows in found] == [
        [(name, {"mrae": value})] for name in "ab" for value in (0.1, 0.2)
    ]
    assert found[0][0].describe() == "their test set, as the card says"


def test_conditions_in_words():
    assert conditions(CARD).describe() == (
        "4 held-out images (egyptian_statue, feathers, glass_tiles, sponges), photographed by "
        "Canon_EOS_5D_Mark_II, Nikon_D5100, Sony_ILCE-7M4 (7 illuminants, noise, 8 bits, JPEG)"
    )
    assert (
        conditions(load_model("rootpoly-nikon-d700").card)
        .describe()
        .endswith("photographed by Nikon_D700 (no noise)")
    )
    assert (
        conditions(load_model("coarsr-x2").card)
        .describe()
        .endswith("coarsened to 1/2 by bicubic-matlab")
    )


@pytest.mark.parametrize(
    "name", thorough(["rootpoly-srgb", "rootpoly-nikon-d700"], always=["rootpoly-nikon-d700"])
)
def test_the_figures_of_a_regression_are_those_of_its_card(shared, tmp_path, name):
    """Through the whole camera pipeline, as the networks beside it."""
    val = shared / "data" / "cave" / "val"
    if not val.is_dir():
        pytest.skip(f"{val} is not there")
    for scene in ("feathers", "sponges"):
        (tmp_path / f"{scene}.npz").symlink_to(val / f"{scene}.npz")
    (tmp_path / "split.txt").write_text("train feathers\nheld-out sponges\n")
    model = load_model(name)
    facts = model.card.training
    table = shared / "data" / "cameras"
    captures = [
        {**settings, "cameras": [f"{table}/{camera}" for camera in settings["cameras"]]}
        for settings in facts["held_out_cameras"] or [facts["camera"]]
    ]
    recipe = Recipe.model_validate(
        {
            "name": "measured",
            "model": {"start": name},
            "data": {
                "folder": tmp_path,
                "split_file": tmp_path / "split.txt",
                "cache": tmp_path / "cache",
                "simulate": True,
            },
            "camera": captures[0],
            "validation": {"captures": captures},
            "seed": facts["seed"],
        }
    )
    images, _ = prepare(recipe)
    found = validate(model, images.held_out, recipe)
    said = {k: v for k, v in facts["figures_of_each"].items() if k.startswith("sponges")}
    assert len(said) == len(captures)
    for image, figures in found.images.items():
        assert figures == pytest.approx(said[image], abs=1e-4), image


@pytest.mark.parametrize(
    "training",
    [
        {"held_out": [1]},
        {"held_out": {"a": 5}},
        {"held_out": {"a": {"sha256": [1]}}},
        {"held_out_cameras": [{"cameras": 5}]},
        {"held_out_protocol": {"a": 1}},
        {"camera": "x"},
        {"coarse": "x"},
        {"coarse": {"scale": 2, "degradations": []}},
        {"coarse": {"scale": 2, "degradations": ["box"], "noise": ["a"]}},
        {"seed": {}},
    ],
)
def test_a_card_whose_facts_cannot_be_read_is_none(training):
    values = CARD.model_dump(mode="json")
    ModelCard.model_validate(values)
    with pytest.raises(ValidationError, match="training"):
        ModelCard.model_validate(values | {"training": training})


def test_figures_that_are_missing_are_left_out_of_what_is_said(capsys):
    told = {"moved": 0.5, "sam_deg": 3.0}
    stress = {
        "as it is": told,
        "blur 1 pixels": told,
        "blur 3 pixels": told,
        "noise": {"moved": 1.0},
    }
    card = CARD.model_copy(update={"stress": stress, "sources": {"leaves": {"psnr_gain_db": 1.0}}})
    rows = dict(card.sentences())
    assert rows["– blur"] == "1 pixels: 50.0%, 3.0°; 3 pixels: 50.0%, 3.0°"
    assert rows["– photograph"] == "as it is: 50.0%, 3.0°"
    assert "– noise" not in rows
    _print_sources([card])
    assert "leaves" in capsys.readouterr().out
