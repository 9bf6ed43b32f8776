"""Sample data: what is promised of the photograph and of the chart's truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import colour, samples
from napari_hsr.colour.observers import colour_science
from napari_hsr.errors import FileError, InputError


@pytest.fixture(scope="module")
def chart():
    return samples.chart()


def test_the_photograph_is_read_from_scikit_image():
    from skimage.io import imread

    photograph = samples.photograph()
    assert photograph.data.shape == (512, 512, 3)
    assert photograph.data.dtype == np.uint8
    assert photograph.encoding == "srgb"
    np.testing.assert_array_equal(photograph.data, imread(samples.photograph_path()))
    assert any("public domain" in step for step in photograph.provenance.steps)


def test_without_scikit_image_it_is_said(monkeypatch):
    monkeypatch.setattr(samples, "find_spec", lambda name: None)
    with pytest.raises(FileError, match="scikit-image, which is not installed"):
        samples.photograph_path()


def test_the_truth_is_a_reflectance_cube_with_known_wavelengths(chart):
    truth, photograph = chart
    assert truth.shape == (31, 360, 480)
    assert truth.data.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(truth.wavelengths), np.arange(400, 701, 10))
    assert not truth.wavelengths.assumed
    assert truth.units == "reflectance"
    low, high = truth.value_range
    assert 0 < low < 0.01
    assert 0.7 < high <= 1
    assert photograph.data.shape == (360, 480, 3)
    assert photograph.data.dtype == np.uint8
    assert photograph.encoding == "srgb"


def test_every_patch_has_the_shape_of_its_measured_spectrum(chart):
    """Shading and texture are the same in all bands: they scale a spectrum and no more."""
    truth, _ = chart
    colour_ = colour_science()
    checker = colour_.SDS_COLOURCHECKERS["ISO 17321-1"]
    from colour.quality.cfi2017 import load_TCS_CIE2017

    ces = load_TCS_CIE2017(colour_.SpectralShape(380, 780, 5))
    patches = truth.metadata["patches"]
    assert len(patches) == 24 + 99
    for patch in patches:
        box = truth.data[:, patch["top"] : patch["bottom"], patch["left"] : patch["right"]]
        assert box.shape[1] >= 15
        assert box.shape[2] >= 15
        if patch["name"] in checker:
            measured = checker[patch["name"]][np.asarray(truth.wavelengths)]
        else:
            row = np.isin(ces.wavelengths, np.asarray(truth.wavelengths))
            measured = ces.values[row, int(patch["name"].split()[1]) - 1]
        factor = box / measured[:, None, None]
        spread = factor.max(axis=0) / factor.min(axis=0)
        assert spread.max() < 1 + 1e-5
        assert 0.4 < factor.min() <= factor.max() <= 1


def test_patches_do_not_overlap(chart):
    truth, _ = chart
    taken = np.zeros(truth.shape[1:], int)
    for patch in truth.metadata["patches"]:
        taken[patch["top"] : patch["bottom"], patch["left"] : patch["right"]] += 1
    assert taken.max() == 1


def test_the_photograph_is_the_rendered_truth(chart):
    truth, photograph = chart
    rendered = colour.render(truth, "D65")
    assert np.abs(photograph.data / 255 - rendered).max() <= 0.5 / 255 + 1e-6
    assert photograph.provenance.steps[-1].startswith("Rendered under D65")


def test_it_has_texture_and_shading(chart):
    truth, _ = chart
    patch = next(p for p in truth.metadata["patches"] if p["name"].startswith("white"))
    box = truth.data[15, patch["top"] : patch["bottom"], patch["left"] : patch["right"]]
    assert 0.005 < box.std() / box.mean() < 0.05
    table = truth.data[15]
    assert table[:8, :200].mean() > 1.3 * table[-8:, -100:].mean()


def test_the_seed_decides_the_texture():
    first, _ = samples.chart(seed=1, size=(120, 160))
    again, _ = samples.chart(seed=1, size=(120, 160))
    other, _ = samples.chart(seed=2, size=(120, 160))
    np.testing.assert_array_equal(first.data, again.data)
    assert np.abs(first.data - other.data).max() > 0.01


@pytest.mark.parametrize("size", [(120, 160), (200, 900), (700, 300)])
def test_other_sizes(size):
    truth, photograph = samples.chart(size=size)
    assert truth.shape[1:] == size == photograph.data.shape[:2]
    assert truth.data.max() <= 1
    for patch in truth.metadata["patches"]:
        assert patch["bottom"] - patch["top"] >= 4
        assert patch["right"] - patch["left"] >= 4


def test_too_small_a_chart_is_refused():
    with pytest.raises(InputError, match="120 x 160"):
        samples.chart(size=(50, 160))
