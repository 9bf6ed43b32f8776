"""Figures of held-out images: through the product's inference, by the recipe's protocol."""

import errno
import math
import os
import threading
from dataclasses import replace

import numpy as np
import pytest

import napari_hsr
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.metrics import evaluate
from napari_hsr.notices import Code
from napari_hsr.photograph import Photograph
from napari_hsr.training.validation import (
    better,
    check_protocol,
    validate,
    worthwhile,
    write_preview,
)

from .stand_ins import GRID, image, recipe


@pytest.fixture(scope="module")
def model():
    return napari_hsr.load_model("rootpoly-srgb")


def test_the_figures_are_those_of_inference_and_metrics(model):
    images = [image(1), image(2)]
    found = validate(model, images, recipe())
    assert list(found.images) == ["scene1", "scene2"]
    for one in images:
        cube = napari_hsr.reconstruct(Photograph(one.rgb, "linear-srgb"), model, device="cpu")
        result = evaluate(cube, napari_hsr.Cube(one.cube, GRID), "cave-val")
        figures = found.images[one.name]
        assert figures == {
            "psnr_db": pytest.approx(result.psnr),
            "sam_deg": pytest.approx(result.sam),
            "mrae": pytest.approx(result.mrae),
            "rmse": pytest.approx(result.rmse),
        }
    both = [f["sam_deg"] for f in found.images.values()]
    assert found.mean["sam_deg"] == pytest.approx(np.mean(both))
    assert both[0] != both[1]


def test_the_recipes_protocol_counts(model):
    by_default = validate(model, [image(1)], recipe()).mean
    drcr = recipe(validation={"protocol": "drcr", "choose": "mrae"})
    assert set(validate(model, [image(1)], drcr).mean) == {"mrae", "rmse"}
    assert set(by_default) == {"psnr_db", "sam_deg", "mrae", "rmse"}


def test_choosing_by_what_the_protocol_does_not_count_is_refused(model):
    with pytest.raises(InputError, match="protocol drcr does not define psnr"):
        check_protocol(recipe(validation={"protocol": "drcr"}))
    with pytest.raises(InputError, match=r"no protocol 'cave-vol'.*cave-val"):
        check_protocol(recipe(validation={"protocol": "cave-vol"}))


def test_no_image_and_other_bands_are_refused(model):
    with pytest.raises(InputError, match="no held-out images"):
        validate(model, [], recipe())
    with pytest.raises(InputError, match="scene1 has 16 bands, but 31 wavelengths"):
        validate(model, [replace(image(1), cube=image(1).cube[:16])], recipe())


def test_a_photograph_of_unknown_encoding_takes_the_declared_one(model):
    unknown = replace(image(1), rgb_encoding=None)
    with pytest.raises(InputError, match="encoding of scene1 is not known"):
        validate(model, [unknown], recipe())
    declared = recipe(data={"input_encoding": "linear-srgb"})
    assert validate(model, [unknown], declared) == validate(model, [image(1)], recipe())


def test_it_can_be_cancelled(model):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        validate(model, [image(1)], recipe(), cancel)


def test_a_gain_that_is_not_seen_in_figures_written_down_is_none():
    start = {"psnr_db": 30.0, "sam_deg": 5.0, "mrae": 0.2}
    for choose, key, gain in (("psnr", "psnr_db", 0.01), ("sam", "sam_deg", -0.01), ("mrae", "mrae", -1e-3)):  # fmt: skip
        assert worthwhile({key: start[key] + 1.01 * gain}, start, choose)
        assert not worthwhile({key: start[key] + 0.4 * gain}, start, choose)
        assert better({key: start[key] + 0.4 * gain}, start, choose)
        assert not worthwhile({key: math.nan}, start, choose)
        assert worthwhile(start, None, choose)
    assert not worthwhile({}, None, "psnr")


def test_better_by_each_figure():
    good = {"psnr_db": 34.0, "sam_deg": 9.0, "mrae": 0.1}
    other = {"psnr_db": 33.0, "sam_deg": 8.0, "mrae": 0.2}
    assert better(good, other, "psnr")
    assert not better(good, other, "sam")
    assert better(good, other, "mrae")
    assert better(good, None, "sam")
    assert not better(good, good, "psnr")
    assert not better({"psnr_db": math.nan}, other, "psnr")
    assert better(other, {"psnr_db": math.nan}, "psnr")


def test_a_preview_is_reduced_by_averaging(tmp_path, model):
    rng = np.random.default_rng(0)
    truth = rng.random((4, 301, 150), dtype=np.float32)
    path = write_preview(tmp_path / "preview.npz", truth * 0.5, truth, [1, 2, 3, 4])
    with np.load(path) as found:
        assert found["truth"].shape == found["prediction"].shape == (4, 101, 50)
        assert found["truth"].dtype == np.float32
        np.testing.assert_allclose(found["truth"][2, 5, 7], truth[2, 15:18, 21:24].mean(), 1e-6)
        np.testing.assert_allclose(found["truth"][0, -1, 0], truth[0, 300:, :3].mean(), 1e-6)
        assert found["sam"].shape == (101, 50)
        assert found["sam"].max() < 0.1  # the same spectra at half the brightness
        assert found["wavelengths_nm"].tolist() == [1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["preview.npz"]


def test_measuring_writes_the_preview_of_the_first_image(tmp_path, model):
    path = tmp_path / "preview.npz"
    validate(model, [image(1), image(2)], recipe(), preview=path)
    with np.load(path) as found:
        np.testing.assert_array_equal(found["truth"], image(1).cube)
        assert np.nanmean(found["sam"]) > 0.1


VARIED = {"cameras": ["cie-1931"], "illuminants": ["D65"], "exposure": [0.3, 0.9]}


def test_simulated_photographs_are_measured_in_their_own_exposure(model):
    cubes = [replace(image(n), rgb=None) for n in (1, 2)]
    simulated = recipe(camera=VARIED)
    found = validate(model, cubes, simulated)
    real = validate(model, [image(1), image(2)], recipe())
    for name, figures in found.images.items():  # gain and truth agree: the angle is the same
        assert figures["sam_deg"] == pytest.approx(real.images[name]["sam_deg"], abs=0.3)
        assert figures["rmse"] < 0.95 * real.images[name]["rmse"]  # darker
    assert validate(model, cubes[::-1], simulated).images == found.images
    assert validate(model, cubes, recipe(camera=VARIED, seed=1)).images != found.images


def test_each_of_several_captures_is_measured(model):
    captures = [VARIED | {"cameras": [name]} for name in ("cie-1931", "cie-1964", "cie-1964")]
    several = recipe(validation={"captures": captures}, camera={"cameras": ["cie-1931"]})
    found = validate(model, [replace(image(1), rgb=None)], several)
    names = list(found.images)
    assert [name.split(",")[0] for name in names] == ["scene1"] * 3
    assert "1931" in names[0]
    assert "1964" in names[1]
    assert names[2] == f"{names[1]} (3)"
    assert len({f["psnr_db"] for f in found.images.values()}) == 3


def test_a_cube_alone_without_a_camera_is_refused(model):
    with pytest.raises(InputError, match="scene1 has no photograph, and the recipe names no cam"):
        validate(model, [replace(image(1), rgb=None)], recipe())


def test_a_preview_that_finds_no_room_is_told_and_the_figures_count(tmp_path, model, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    found = validate(model, [image(1)], recipe(), preview=tmp_path / "preview.npz")
    (told,) = found.notices
    assert told.code == Code.PREVIEW_LEFT_OUT
    assert "the disk is full" in told
    assert found.preview == ""
    assert found.mean == validate(model, [image(1)], recipe()).mean
