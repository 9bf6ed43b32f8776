"""A per-pixel model as a table over chromaticity."""

import copy
from dataclasses import replace

import pytest
import torch

from napari_hsr.errors import InputError
from napari_hsr.models import colour_table
from napari_hsr.models.colour_table import as_table, is_of_chromaticity
from napari_hsr.models.library import load_model


@pytest.fixture(scope="module")
def colours():
    return torch.rand((1, 3, 40, 50), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def instant():
    return load_model("instant-photo")


def difference(model, side, colours):
    with torch.inference_mode():
        exact, looked_up = model.module(colours), as_table(model, side).module(colours)
    return float(((exact - looked_up).square().mean() / exact.square().mean()).sqrt())


def test_twice_the_nodes_are_a_quarter_of_the_error(instant, colours):
    errors = [difference(instant, side, colours) for side in (64, 128, 256)]
    assert errors[0] > 2.5 * errors[1] > 2.5**2 * errors[2]
    assert errors[2] < 5e-4  # 0.03 %, as documented


def test_a_table_is_made_where_the_network_is(instant, monkeypatch):
    monkeypatch.setattr(colour_table, "is_of_chromaticity", lambda _model: True)  # takes values
    elsewhere = replace(instant, module=copy.deepcopy(instant.module).to("meta"))
    assert as_table(elsewhere, 8).module.nodes.device.type == "meta"


def test_twice_the_light_is_twice_the_spectrum(instant, colours):
    module = as_table(instant, 32).module
    with torch.inference_mode():
        torch.testing.assert_close(module(4 * colours), 4 * module(colours))


def test_pure_and_grey_and_black_colours(instant):
    ends = torch.eye(3).T.reshape(1, 3, 1, 3)
    with torch.inference_mode():
        module = as_table(instant, 33).module
        torch.testing.assert_close(module(ends), instant.module(ends), atol=1e-5, rtol=1e-4)
        assert not module(torch.zeros(1, 3, 2, 2)).any()


def test_a_nan_stays_in_its_pixel_and_negative_values_count_as_zero(instant, colours):
    holed = colours.clone()
    holed[0, 1, 3, 4] = torch.nan
    holed[0, 2, 5, 6] = -1.0
    module = as_table(instant, 32).module
    with torch.inference_mode():
        found = module(holed)
        assert torch.isnan(found[0, :, 3, 4]).all()
        assert int(torch.isnan(found).sum()) == found.shape[1]
        torch.testing.assert_close(found[..., 5, 6], module(holed.clamp_min(0))[..., 5, 6])


def test_it_is_the_same_model_but_for_its_module(instant):
    table = as_table(instant, 16)
    assert (table.card, table.weights_sha256) == (instant.card, instant.weights_sha256)


def test_a_network_that_sees_the_neighbourhood_is_refused(instant):
    network = load_model("mstpp-photo")
    assert is_of_chromaticity(instant)
    assert not is_of_chromaticity(network)
    with pytest.raises(InputError, match="one pixel at a time"):
        as_table(network)
