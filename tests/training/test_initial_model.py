"""The network that a recipe trains, and what it is told of the photographs it will see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_hsr.cube import Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.models.model_file import save_model
from napari_hsr.training.engine import initial_model
from napari_hsr.training.recipe.schema import Recipe

from . import data_files, engine
from .data_files import GRID

EIGHT = Wavelengths(np.linspace(420, 690, 8))
SMALL = {"width": 8, "blocks": 1}
KNOWN = {"cameras": ["nikon-5100-npl"]}


def start(grid: Wavelengths = GRID, **settings):
    settings = {"model": {"architecture": "edsr", "settings": SMALL}, **settings}
    recipe = data_files.recipe(**settings)
    samples = [data_files.spectra(seed, 12, 10, grid) for seed in range(3)]
    return initial_model.start(recipe, grid, samples)


@pytest.mark.parametrize("grid", [GRID, EIGHT])
def test_a_new_network_makes_the_cubes_bands(grid):
    model = start(grid)
    assert model.bands == len(grid)
    assert tuple(model.wavelengths) == tuple(grid)
    assert model.input_encoding == "linear-srgb"
    with torch.inference_mode():
        assert model.module(torch.rand(1, 3, 8, 8)).shape == (1, len(grid), 8, 8)


def test_the_seed_decides_the_first_weights():
    one, same, other = (start(seed=seed).module.state_dict() for seed in (1, 1, 2))
    assert engine.same(one, same)
    assert not engine.same(one, other)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"architecture": "mstp"}, r"no architecture 'mstp' \(did you mean mstpp\?\)"),
        (
            {"architecture": "edsr", "settings": {"widht": 8}},
            r"no setting of edsr 'widht' \(did you mean width\?\)",
        ),
        ({"architecture": "edsr", "settings": {"bands": 30}}, "sets bands: 30, but .* 31 bands"),
        ({"architecture": "edsr", "settings": {"width": -1}}, "EDSR.* cannot be built so"),
        ({"architecture": "edsr", "settings": {"blocks": 10**9}}, "blocks is 1e.09; up to 4,096"),
        (
            {"architecture": "edsr", "settings": {"width": 4096, "blocks": 900}},
            "would take 1087.8 GB of memory so",
        ),
        ({"architecture": "edsr", "settings": {"variant": "huge"}}, "variant of edsr 'huge'"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(settings, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        initial_model.build(Recipe(model=settings), 31)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("head", ["base", "colour-exact"])
@pytest.mark.parametrize("grid", [GRID, EIGHT])
def test_behind_a_head_it_begins_with_adding_nothing(head, grid):
    """The likeliest spectra of the colours, whatever the photograph."""
    model = start(
        grid, model={"architecture": "edsr", "settings": SMALL, "head": head}, camera=KNOWN
    )
    assert model.card.architecture == "colour-exact"
    assert model.input_encoding == "camera:nikon-5100-npl"
    spread = model.module.colour.spread
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        found = model.module(x)
    expected = torch.einsum("kc,nchw->nkhw", spread, x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert ("colour.camera" in model.module.state_dict()) == (head == "colour-exact")


@pytest.mark.parametrize(
    "camera",
    [
        {**KNOWN, "bits": 8},
        {**KNOWN, "photoelectrons": 1000},
        {**KNOWN, "clip": True},
        {**KNOWN, "encoding": "srgb", "colour_matrix": True},
        {"cameras": ["nikon-5100-npl", "cie-1931"], "colour_matrix": True},
    ],
)
def test_colours_that_are_not_known_exactly_get_no_exact_head(camera):
    model = {"architecture": "edsr", "settings": SMALL, "head": "colour-exact"}
    with pytest.raises(InputError, match="colour-exact head needs photographs simulated with one"):
        start(model=model, camera=camera)


def test_several_cameras_need_one_space():
    with pytest.raises(InputError, match=r"set camera\.colour_matrix: true\.$"):
        start(camera={"cameras": ["nikon-5100-npl", "cie-1931"]})


def test_black_cubes_teach_nothing():
    with pytest.raises(InputError, match="training cubes are black"):
        initial_model.second_moment([np.zeros((31, 4, 4), np.float32)])


def test_a_start_model_of_other_bands_is_brought_to_the_cubes(tmp_path):
    given = engine.model()
    path = save_model(tmp_path / "eight.safetensors", given.module.state_dict(), given.card)
    model = start(model={"start": str(path)})
    assert model.bands == 31
    assert tuple(model.wavelengths) == tuple(GRID)
    same = start(given.wavelengths, model={"start": str(path)})
    assert engine.same(same.module.state_dict(), given.module.state_dict())
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        eight, many = given.module(x), model.module(x)
    # at the eighth's own wavelengths, and between them
    for i, nm in enumerate(GRID):
        expected = np.stack(
            [np.interp(nm, given.wavelengths, s) for s in eight[0].reshape(8, -1).T.numpy()]
        )
        np.testing.assert_allclose(many[0, i].flatten().numpy(), expected, atol=1e-5)


def test_a_model_of_another_task_is_refused(tmp_path):
    from napari_hsr.models import from_state_dict
    from napari_hsr.models.architectures import coarsr

    weights = coarsr.CoarSR(2, 4, 1).state_dict()
    path = save_model(tmp_path / "finer.safetensors", weights, from_state_dict(weights).card)
    recipe = engine.recipe(model={"start": str(path)})
    with pytest.raises(InputError, match="coarsr super-resolves cubes"):
        initial_model.start(recipe, GRID, [np.ones((31, 4, 4), np.float32)])


def finer(scale, tmp_path, **model):
    """A network for one scale, with weights of one for another where the recipe says so."""
    recipe = Recipe(
        task="super-resolution",
        model={"architecture": "coarsr", "settings": {"width": 4, "blocks": 1}, **model},
        coarse={"scale": scale},
    )
    return initial_model.start(recipe, GRID, [np.ones((31, 4, 4), np.float32)])


def test_parts_of_the_same_shapes_begin_with_those_of_another_scale(tmp_path):
    other = finer(4, tmp_path)
    path = save_model(tmp_path / "four.safetensors", other.module.state_dict(), other.card)
    with pytest.raises(InputError, match=r"cannot begin with the weights of .*tail"):
        finer(3, tmp_path, begin=str(path))
    begun = finer(3, tmp_path, begin=str(path), begin_with="same-parts")
    new, given = finer(3, tmp_path).module.state_dict(), other.module.state_dict()
    for key, value in begun.module.state_dict().items():
        assert torch.equal(value, (new if key.startswith("tail.") else given)[key]), key
    edsr = start(model={"architecture": "edsr", "settings": SMALL}).module.state_dict()
    assert not set(edsr) & set(given)
    with pytest.raises(InputError, match="no part is the same"):
        start(
            model={
                "architecture": "edsr",
                "settings": SMALL,
                "begin": str(path),
                "begin_with": "same-parts",
            }
        )
    with pytest.raises(ValueError, match="give begin too"):
        finer(3, tmp_path, begin_with="same-parts")
