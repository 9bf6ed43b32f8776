"""A preview of a long run: by the quick model, over few pixels, and only where it is worth it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import Photograph, inference
from napari_hsr.inference import preview
from napari_hsr.models import load_model
from napari_hsr.models.colour_table import looked_up
from napari_hsr.notices import Code


@pytest.fixture
def photograph():
    values = np.random.default_rng(0).integers(1, 250, (30, 41, 3), dtype=np.uint8)
    return Photograph(values, "srgb", name="a")


def made(photograph, model="rootpoly-srgb", seconds=10.0, **options):
    events = [*preview.preview_events(photograph, load_model(model), seconds, **options)]
    return events[-1] if events else None


def test_it_holds_the_quick_models_spectra_of_some_pixels(photograph, monkeypatch):
    monkeypatch.setattr(preview, "PREVIEW_PIXELS", 200)
    found = made(photograph)
    quick = looked_up(load_model(preview.PLACEHOLDER))
    whole = inference.reconstruct(photograph, quick)
    every = found.every
    assert every == 3
    np.testing.assert_allclose(found.cube.data, whole.data[:, ::every, ::every], atol=1e-6)
    assert found.cube.provenance.model == preview.PLACEHOLDER
    assert [notice.code for notice in found.cube.notices] == [Code.PLACEHOLDER]


def test_of_a_region_it_is_the_region_alone(photograph):
    found = made(photograph, region=(slice(10, 20), slice(5, 25)))
    assert found.every == 1
    assert found.cube.shape[1:] == (10, 20)


@pytest.mark.parametrize(
    ("seconds", "model"), [(2.9, "rootpoly-srgb"), (60.0, preview.PLACEHOLDER)]
)
def test_a_short_run_and_one_of_the_quick_model_have_none(photograph, seconds, model):
    assert made(photograph, model, seconds) is None


def test_what_the_quick_model_cannot_take_has_none(photograph):
    camera = replace(photograph, encoding="camera:nikon-d700")
    assert made(camera) is None
