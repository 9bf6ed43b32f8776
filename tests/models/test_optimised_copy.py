"""The copy that inference runs: made once a precision, from the architecture's own recipe."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_hsr import load_model
from napari_hsr.errors import ModelError
from napari_hsr.inference import reconstruct_events
from napari_hsr.models import from_state_dict, optimised_copy
from napari_hsr.models.architectures import colour_exact
from napari_hsr.models.optimised_copy import bytes_to_come, copy_size, prepared

from ..small_zoo import IN_KIND, NETWORKS, weights_of
from ..thorough import thorough

IMAGE = np.random.default_rng(0).random((9, 11, 3), dtype=np.float32)


class Doubled(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, image):
        return 2 * self.module(image)


def test_without_a_folder_for_temporary_files_it_is_said_so_each_time(monkeypatch):
    """A part of torch that is imported on the way would stay broken otherwise."""

    def full():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", full)
    for _run in range(2):
        with pytest.raises(ModelError, match="TMPDIR"):
            prepared(load_model("mstpp-photo"), "float32")


def test_without_a_recipe_the_exact_module_runs():
    model = load_model("rootpoly-srgb")
    assert prepared(model, "float32") is model.module


def test_inference_runs_the_copy_and_keeps_the_exact_module():
    asked = []

    def prepare(module, precision):
        asked.append(precision)
        return Doubled(module)

    exact = load_model("rootpoly-srgb")
    fast = replace(exact, prepare=prepare)
    *_, plain = reconstruct_events(IMAGE, exact)
    for _ in range(2):
        *_, twice = reconstruct_events(IMAGE, fast)
        np.testing.assert_array_equal(twice.cube.data, 2 * plain.cube.data)
    assert asked == 2 * ["float32"]  # one to know what it takes, one that runs each time
    assert fast.module is exact.module


def test_another_precision_is_another_copy():
    model = replace(
        load_model("rootpoly-srgb"),
        prepare=lambda module, _: Doubled(module),
        precisions=("float32", "bfloat16"),
    )
    first = prepared(model, "float32")
    assert prepared(model, "float32") is first
    assert prepared(model, "bfloat16") is not first


def test_reduced_precision_without_a_recipe_gives_float32_near_the_exact():
    convolution = torch.nn.Conv2d(3, 31, 3, padding=1)
    model = replace(
        load_model("rootpoly-srgb"), module=convolution, precisions=("float32", "bfloat16")
    )
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        reduced, exact = prepared(model, "bfloat16")(image), convolution(image)
    assert reduced.dtype == torch.float32
    assert 0 < (reduced - exact).abs().max() < 0.02


def held(module, beside=()):
    """Bytes of a module's tensors, those of memory that ``beside`` holds left out."""
    known = {t.untyped_storage().data_ptr() for t in beside}
    storages = (t.untyped_storage() for t in (*module.parameters(), *module.buffers()))
    sizes = {s.data_ptr(): s.nbytes() for s in storages if s.data_ptr() not in known}
    return sum(sizes.values())


@pytest.mark.parametrize("shapes_alone", [0, optimised_copy.SHAPES_ALONE])
@pytest.mark.parametrize("network", thorough(NETWORKS, always=IN_KIND))
def test_the_size_of_a_copy_is_known_before_it_is_made(network, shapes_alone, monkeypatch):
    monkeypatch.setattr(optimised_copy, "SHAPES_ALONE", shapes_alone)
    model = from_state_dict(weights_of(network))
    weights = [*model.module.parameters(), *model.module.buffers()]
    for precision in model.precisions:
        said = copy_size(model, precision)
        assert bytes_to_come(model, precision) == said.own
        assert bytes_to_come(model, precision, torch.device("meta")) == said.whole
        made = prepared(model, precision)
        assert said == (held(made, weights), held(made))
        assert (said.own > 0) or precision == "float32"
        assert bytes_to_come(model, precision) == 0  # it is there
        assert bytes_to_come(model, precision, torch.device("meta")) == said.whole


def test_the_size_of_the_copy_of_a_wrapped_network():
    within = from_state_dict(weights_of("mstpp"))
    head = colour_exact.wrap(within, torch.ones(31, 3), None)
    plain, wrapped = copy_size(within, "float32"), copy_size(head, "float32")
    assert wrapped.own == plain.own > 0
    made = prepared(head, "float32")
    assert wrapped.own == held(made, [*head.module.parameters(), *head.module.buffers()])


def test_to_know_the_size_of_a_large_network_takes_no_memory(monkeypatch):
    wide = torch.nn.Conv2d(512, 512, 3, bias=False)
    made = []

    def prepare(module, precision):
        made.append(torch.nn.Conv2d(512, 512, 3, bias=False, device=module.weight.device))
        return made[-1]

    model = replace(load_model("rootpoly-srgb"), module=wide, prepare=prepare)
    monkeypatch.setattr(optimised_copy, "SHAPES_ALONE", 4 * wide.weight.numel())
    assert copy_size(model, "float32").own == 4 * wide.weight.numel()
    assert made[-1].weight.is_meta
    assert not wide.weight.is_meta
