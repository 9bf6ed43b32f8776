"""MPRNet against the original, and on other hyper-parameters and sizes."""

import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.architectures import mprnet

from ...double_precision import assert_exact, one_by_one

FORMS = [
    {"units": 1, "reduction": 4},
    {"image": 8, "features": 12, "step": 6, "extra": 4, "units": 2, "reduction": 3},
    {"image": 4, "features": 4, "step": 8, "extra": 2, "units": 1, "bias": True},
]


@pytest.fixture(scope="module")
def model(parity):
    return mprnet.ARCHITECTURE.load(parity.weights("mprnet"))


def test_one_prelu_is_stored_under_every_unit(parity, model):
    alias = parity.spec("mprnet")["alias"]
    keys = {*alias, *alias.values()}
    assert len(keys) == 43
    assert len({id(model.module.get_parameter(key)) for key in keys}) == 1


def test_a_batch_is_as_good_as_its_images(parity, model):
    """Quarters and halves travel in the batch: none may meet another image's."""
    images = parity.seeded_input(7, (3, 3, 16, 24))
    assert_exact(model.module(images), model.module, images, 2e-6, run=one_by_one)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_hyper_parameters_are_read_off_the_weights(parity, form):
    made = mprnet.MPRNet(mprnet.Widths(**form)).eval()
    weights = made.state_dict()
    assert mprnet.ARCHITECTURE.detect(weights)
    bands = form.get("image", 31)
    model = mprnet.ARCHITECTURE.load(weights, parity.card("mprnet", bands))
    x = torch.rand(1, 3, 16, 8)
    assert_exact(model.module(x), made, x, 0)
    assert (model.channels, model.bands) == (3, bands)


def test_a_wrong_shape_is_named(parity):
    weights = dict(parity.weights("mprnet"))
    weights["tail.weight"] = torch.zeros(3, 62, 3, 3)
    with pytest.raises(ModelError, match=r"tail\.weight is \(3, 62, 3, 3\)"):
        mprnet.ARCHITECTURE.load(weights)
