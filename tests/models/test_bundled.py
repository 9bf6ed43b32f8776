"""The bundled networks on scenes that they were not trained on: their cards' figures, and their worth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from napari_hsr import load_model, reconstruct, super_resolve
from napari_hsr.cameras import simulate
from napari_hsr.metrics import evaluate
from napari_hsr.resample import degrade, modcrop
from napari_hsr.training.data.packed_cave import read_packed

SCENES = ("egyptian_statue", "feathers", "glass_tiles", "sponges")


@pytest.fixture(scope="module")
def val(shared):
    folder = shared / "data" / "cave" / "val"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return lambda name: read_packed(folder / f"{name}.npz")


@pytest.fixture(scope="module")
def middle(val):
    """Of each scene, so many pixels wide and high."""
    whole = cache(val)

    def part(name, size):
        start = (512 - size) // 2
        rows = columns = slice(start, start + size)
        return whole(name).replace(data=whole(name).data[:, rows, columns].copy())

    return part


@pytest.mark.parametrize(
    ("scale", "size", "least", "scenes"),
    [
        (2, 64, 2.0, SCENES[1:2]),
        pytest.param(2, 64, 2.0, SCENES, marks=pytest.mark.thorough),
        pytest.param(3, 72, 1.5, SCENES, marks=pytest.mark.thorough),
        pytest.param(4, 128, 2.0, SCENES, marks=pytest.mark.thorough),
        pytest.param(8, 128, 1.5, SCENES, marks=pytest.mark.thorough),
    ],
)
def test_finer_cubes_are_better_than_bicubic_ones(middle, scale, size, least, scenes):
    """The middle of each scene: means over the scenes, protocol dualsr."""
    gains = []
    for scene in scenes:
        fine = modcrop(middle(scene, size), scale)
        coarse = degrade(fine, scale)
        made, plain = (
            evaluate(super_resolve(coarse, way, scale, precision="float32"), fine, "dualsr")
            for way in (f"coarsr-x{scale}", "bicubic-matlab")
        )
        gains.append([made["psnr"] - plain["psnr"], plain["sam"] - made["sam"]])
    decibels, degrees = np.mean(gains, axis=0)
    assert decibels >= least
    assert degrees > 0


@pytest.mark.thorough
def test_the_figures_of_a_finer_network_are_those_of_its_card(val):
    model = load_model("coarsr-x4")
    fine = val("sponges")
    found = evaluate(super_resolve(degrade(fine, 4), model, precision="float32"), fine, "dualsr")
    said = model.card.training["figures_of_each"]["sponges"]
    assert found["psnr"] == pytest.approx(said["psnr_db"], abs=0.005)
    assert found["sam"] == pytest.approx(said["sam_deg"], abs=0.002)


@pytest.mark.thorough
def test_the_figures_of_a_network_for_a_camera_are_those_of_its_card(val, shared):
    model = load_model("mstpp-d700")
    truth = val("sponges")
    camera = f"{shared / 'data' / 'cameras' / 'camera_sensitivities.csv'}:Nikon_D700"
    photograph = simulate(truth, camera, normalise="sum")
    found = evaluate(reconstruct(photograph, model, precision="float32"), truth, "cave-val")
    said = model.card.training["figures_of_each"]["sponges"]
    assert found["psnr"] == pytest.approx(said["psnr_db"], abs=0.01)
    assert found["sam"] == pytest.approx(said["sam_deg"], abs=0.01)
