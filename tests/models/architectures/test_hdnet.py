"""HDNet against the original: numbers, names, sizes."""

import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import hdnet
from napari_hsr.models.architectures.base import shapes_of

#: channels, bands, width, blocks before and after the attentions, groups
SETS = [
    (3, 31, 48, 32, 31, 4),
    (3, 31, 16, 3, 2, 2),
    (4, 31, 12, 1, 0, 3),
    (3, 31, 8, 0, 2, 1),
]


def small(parity):
    return parity.random_weights(shapes_of(lambda: hdnet.HDNet(3, 31, 8, 2, 1, 2)))


@pytest.mark.parametrize("numbers", SETS)
def test_recognised_with_its_sizes(parity, numbers):
    shapes = shapes_of(lambda: hdnet.HDNet(*numbers))
    model = from_state_dict(parity.random_weights(shapes))
    assert model.card.architecture == hdnet.ARCHITECTURE.id
    assert model.channels == numbers[0]
    assert {k: tuple(v.shape) for k, v in model.module.state_dict().items()} == shapes


def test_each_group_has_a_map_that_sums_to_one_over_the_image(parity):
    """Against the formula, pixel by pixel: the group plus the group times a softmax."""
    group = hdnet._GroupAttention(3).eval().requires_grad_(False)
    x = torch.rand(1, 3, 5, 4)
    scores = group.bn_dws(group.conv_dws(x)).relu()
    padded = torch.nn.functional.pad(scores, (1, 1, 1, 1), value=-torch.inf)
    highest = torch.stack(
        [padded[..., i : i + 5, j : j + 4] for i in range(3) for j in range(3)]
    ).amax(0)
    scores = group.bn_point(group.conv_point(highest)).relu().exp()
    torch.testing.assert_close(group(x), x * (1 + scores / scores.sum()))


@pytest.mark.parametrize(
    "last", ["tail.0.bias", "body.5.weight", "body.3.subspaces.1.bn_point.bias"]
)
def test_what_is_missing_is_named(parity, last):
    weights = small(parity)
    del weights[last]
    with pytest.raises(ModelError, match=rf"HDNet, but {last.replace('.', '[.]')}"):
        from_state_dict(weights)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(parity, value):
    weights = small(parity)
    weights["body.0.body.2.bias"][3] = value
    with pytest.raises(
        ModelError, match=r"HDNet hold NaN or infinite values in body\.0\.body\.2\.bias"
    ):
        from_state_dict(weights)
