"""HSCNN+'s prepared copy: bands of rows, features that grow in place, and reduced precision."""

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.base import shapes_of
from napari_hsr.models.architectures.hscnn_plus import HSCNNPlus
from napari_hsr.models.optimised import hscnn_plus
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact


@pytest.fixture(scope="module")
def model(parity):
    return from_state_dict(parity.as_trained(shapes_of(lambda: HSCNNPlus(3, 31, 3))))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3, 19, 22), (1, 3, 8, 5), (1, 3, 9, 5)])
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_equal_to_the_exact_module_in_bands_of_any_height(parity, model, shape, rows, monkeypatch):
    monkeypatch.setattr(hscnn_plus, "ROWS", rows)
    monkeypatch.setattr(hscnn_plus, "VALUES", 1)
    image = parity.seeded_input(7, shape)
    found = prepared(model, "float32")(image)
    assert found.dtype == torch.float32
    assert_exact(found, model.module, image, 1e-5)


def test_reduced_precision_is_near(parity, model):
    parity.assert_reduced_precision_is_near(model)


def test_the_exact_module_is_left_as_it_is(parity, model):
    image = parity.seeded_input(9, (1, 3, 8, 8))
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    for precision in model.precisions:
        prepared(model, precision)(image)
    after = model.module.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
