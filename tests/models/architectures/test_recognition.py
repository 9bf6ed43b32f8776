"""Every spec against every architecture: one recognises it, and nearly right is told what is wrong."""

import json
from pathlib import Path

import pytest
import torch

from napari_hsr.errors import ModelError
from napari_hsr.models.registry import ARCHITECTURES, recognise
from napari_hsr.models.state_dict import from_state_dict

SPECS = {
    path.stem.removeprefix("spec_"): path
    for path in sorted((Path(__file__).parents[2] / "golden" / "specs").glob("spec_*.json"))
}
#: Sizes and variants of one architecture, and specs of networks that are not in the zoo.
FAMILY = {
    name: family for name in SPECS for family in ("mxrunet", "coarsr") if name.startswith(family)
}
ELSEWHERE = {name for name in SPECS if name.startswith("vgg")}
ZOO = [name for name in SPECS if name not in ELSEWHERE]


def outlines(name):
    """Tensors of the right shapes that hold nothing."""
    spec = json.loads(SPECS[name].read_text(encoding="utf-8"))
    return {key: torch.empty(shape, device="meta") for key, shape in spec["keys"].items()}


@pytest.mark.parametrize("name", ZOO)
def test_one_architecture_and_no_other_recognises(name):
    weights = outlines(name)
    assert [a.id for a in ARCHITECTURES if a.detect(weights)] == [FAMILY.get(name, name)]
    assert recognise(weights).id == FAMILY.get(name, name)


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_networks_that_are_not_in_the_zoo_are_not_recognised(name):
    assert [a.id for a in ARCHITECTURES if a.detect(outlines(name))] == []


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("place", [0, -1])
def test_a_key_that_is_missing_is_named(name, place):
    weights = outlines(name)
    key = list(weights)[place]
    del weights[key]
    title = next(a.title for a in ARCHITECTURES if a.id == FAMILY.get(name, name))
    with pytest.raises(ModelError) as caught:
        from_state_dict(weights)
    assert title.partition(",")[0] in str(caught.value)
    assert key in str(caught.value)


@pytest.mark.parametrize("name", ZOO)
def test_a_key_too_many_is_named(name):
    with pytest.raises(ModelError, match="a_stranger"):
        from_state_dict(outlines(name) | {"a_stranger": torch.empty(1, device="meta")})
