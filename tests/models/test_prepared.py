"""The copy that inference runs: made once a precision, from the architecture's own recipe."""

from dataclasses import replace

import numpy as np
import torch

from napari_hsr import load_model
from napari_hsr.inference import events
from napari_hsr.models.prepared import prepared

IMAGE = np.random.default_rng(0).random((9, 11, 3), dtype=np.float32)


class Doubled(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, image):
        return 2 * self.module(image)


def test_without_a_recipe_the_exact_module_runs():
    model = load_model()
    assert prepared(model, "float32") is model.module


def test_inference_runs_the_copy_and_keeps_the_exact_module():
    asked = []

    def prepare(module, precision):
        asked.append(precision)
        return Doubled(module)

    exact = load_model()
    fast = replace(exact, prepare=prepare)
    *_, plain = events(IMAGE, exact)
    for _ in range(2):
        *_, twice = events(IMAGE, fast)
        np.testing.assert_array_equal(twice.cube.data, 2 * plain.cube.data)
    assert asked == ["float32"]
    assert fast.module is exact.module


def test_another_precision_is_another_copy():
    model = replace(
        load_model(), prepare=lambda module, _: Doubled(module), precisions=("float32", "bfloat16")
    )
    first = prepared(model, "float32")
    assert prepared(model, "float32") is first
    assert prepared(model, "bfloat16") is not first


def test_reduced_precision_without_a_recipe_gives_float32_near_the_exact():
    convolution = torch.nn.Conv2d(3, 31, 3, padding=1)
    model = replace(load_model(), module=convolution, precisions=("float32", "bfloat16"))
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        reduced, exact = prepared(model, "bfloat16")(image), convolution(image)
    assert reduced.dtype == torch.float32
    assert 0 < (reduced - exact).abs().max() < 0.02
