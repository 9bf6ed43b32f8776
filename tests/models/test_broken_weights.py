"""Weights of every network with one tensor broken: one sentence, and never a network of nonsense."""

import struct

import pytest
import torch

from napari_hsr.errors import FileError, ModelError
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.state_dict import read_weights

from ..small_zoo import IN_KIND, NETWORKS, weights_of
from ..thorough import thorough

BREAKS = {
    "gone": lambda v: None,
    "a number": lambda v: torch.ones(()),
    "no values": lambda v: torch.empty((0,) * max(v.ndim, 1)),
    "flat": lambda v: v.reshape(-1) if v.ndim > 1 else v[None],
    "five axes": lambda v: v[(None,) * (5 - v.ndim)] if v.ndim < 5 else v[0],
    "not finite": lambda v: torch.full_like(v, float("nan")),
}


def coarsr():
    torch.manual_seed(0)
    return CoarSR(scale=2, width=4, blocks=1).state_dict()


@pytest.fixture(scope="module", params=thorough([*NETWORKS, "coarsr"], always=[*IN_KIND, "coarsr"]))
def weights(request):
    return coarsr() if request.param == "coarsr" else weights_of(request.param)


@pytest.mark.parametrize("how", BREAKS)
def test_one_broken_tensor_is_one_sentence(weights, how):
    """Of six tensors of each network, spread over it; the first and the last among them."""
    keys = [k for k, v in weights.items() if v.is_floating_point() and v.numel() > 1]
    places = {round(i * (len(keys) - 1) / 5) for i in range(6)}
    for key in (keys[place] for place in sorted(places)):
        broken = dict(weights)
        broken[key] = BREAKS[how](weights[key])
        if broken[key] is None:
            del broken[key]
        with pytest.raises(ModelError) as caught:
            from_state_dict(broken)
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert len(sentence) < 350
        assert sentence.endswith(".")
        if how in ("no values", "not finite"):
            assert key in sentence


@pytest.mark.parametrize("kind", ["X9", "F32"])
def test_a_header_that_is_not_true_is_told_shortly(tmp_path, kind):
    path = tmp_path / "broken.safetensors"
    header = b'{"a":{"dtype":"%s","shape":[8],"data_offsets":[0,64]}}' % kind.encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    with pytest.raises(FileError, match="a safetensors file was expected") as caught:
        read_weights(path)
    assert len(str(caught.value)) < 200 + len(str(path))
