"""Networks for finer cubes by the same engine: from cubes to a model, and what cannot be."""

import threading

import numpy as np
import pytest
import torch

from napari_hsr import load_model, super_resolve
from napari_hsr.cli.train_messages import describe, image_table
from napari_hsr.errors import HSRError
from napari_hsr.metrics import evaluate
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.model_file import save_model
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.resample import degrade, upsample
from napari_hsr.training import train as fit
from napari_hsr.training import validation
from napari_hsr.training.engine import loop
from napari_hsr.training.events import Baseline, Began, Measured
from napari_hsr.training.recipe.schema import Recipe
from napari_hsr.training.recipe.yaml_io import RecipeError, read_recipe
from napari_hsr.training.runs.history import History
from napari_hsr.training.runs.run_folder import read_state

from . import data_files
from .driven import inspect, prepare

NETWORK = {"architecture": "coarsr", "settings": {"width": 4, "blocks": 1, "intended": True}}


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    """Three cubes with edges, which a bicubic kernel blurs."""
    folder = tmp_path_factory.mktemp("cubes")
    for seed in range(3):
        data = data_files.spectra(seed, 12, 11).repeat(4, 1).repeat(4, 2)[:, :46, :44]
        data_files.write_cube(folder / f"scene{seed}.npz", data)
    return folder


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def recipe(folder, cache, **changes):
    settings = {
        "name": "finer",
        "task": "super-resolution",
        "model": NETWORK,
        "data": {"folder": folder, "cache": cache, "hold_out": 1},
        "coarse": {"scale": 2, "bands": 6},
        "schedule": {"steps": 24, "warmup": 2},
        "optimiser": {"kind": "adam", "learning_rate": 5e-3},
        "loss": [{"kind": "l1"}],
        "batch": {"size": 2, "patch": 12},
        "validation": {"every": 12, "protocol": "dualsr"},
        "engine": {"device": "cpu", "precision": "float32", "tensorboard": False},
    }
    return Recipe.model_validate({**settings, **changes})


def train(settings, output, resume=False, stop=None):
    heard = []
    end = fit.train(settings, output, heard.append, stop or threading.Event(), resume)
    return end, heard


@pytest.fixture(scope="module")
def run(cubes, cached, tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    end, heard = train(recipe(cubes, cached), output)
    return output, end, heard


def test_it_learns_and_the_card_says_on_what(run, cubes):
    output, end, _ = run
    model = load_model(output)
    card = model.card
    assert (card.task, card.scale, model.scale) == ("super-resolution", 2, 2)
    assert model.rule.name.startswith("each band with the two on either side")
    assert "×2, by bicubic, MATLAB's imresize" in card.protocol
    assert "dualsr" in card.protocol
    assert "not determine finer ones" in card.limits or "estimate" in card.limits
    assert card.training["coarse"] == {
        "scale": 2, "degradations": ["bicubic-matlab"], "bands": 6,
        "blur": None, "noise": [0.0, 0.0], "noisy": 0.5,
    }  # fmt: skip
    assert len(card.training["data"]) == 2
    assert len(card.training["held_out"]) == 1
    figures = card.figures["the held-out images"]
    assert set(figures) == {"psnr_db", "sam_deg", "ssim"}
    assert end.after["psnr_db"] == pytest.approx(figures["psnr_db"], abs=1e-4)


def test_the_figures_are_those_of_the_product(run, cubes):
    """The held-out cube cropped, made coarse, finer again, and held against itself."""
    output, _, heard = run
    model = load_model(output)
    (name,) = model.card.training["held_out"]
    from napari_hsr.io import read
    from napari_hsr.resample import modcrop

    fine = modcrop(read(cubes / f"{name}.npz"), 2)
    coarse = degrade(fine, 2)
    found = evaluate(super_resolve(coarse, model, precision="float32"), fine, "dualsr")
    figures = model.card.figures["the held-out images"]
    for key, value in (("psnr", "psnr_db"), ("sam", "sam_deg"), ("ssim", "ssim")):
        assert found[key] == pytest.approx(figures[value], abs=2e-4)
    bicubic = evaluate(upsample(coarse, 2, "bicubic-torch"), fine, "dualsr")
    first = next(e for e in heard if isinstance(e, Measured) and e.step == 0)
    assert first.mean["psnr_db"] == pytest.approx(bicubic["psnr"], abs=1e-3)  # it adds nothing
    assert found["psnr"] > bicubic["psnr"] + 0.01


def test_stopped_and_resumed_it_ends_with_the_same_weights(
    run, cubes, cached, tmp_path, monkeypatch
):
    output, _, _ = run
    monkeypatch.setattr(loop, "PACE", 0.0)  # each step is told, however fast they come
    stop, settings = threading.Event(), recipe(cubes, cached)
    steps = []

    def report(event):
        if type(event).__name__ == "Step":
            steps.append(event.step)
            if event.step >= 7:
                stop.set()

    fit.train(settings, tmp_path / "run", report, stop)
    assert steps == list(range(1, 8))
    train(settings, tmp_path / "run", resume=True)
    one, other = (load_model(p).module.state_dict() for p in (output, tmp_path / "run"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_published_weights_are_trained_further(cubes, cached, tmp_path):
    """Ten steps of all bands, the batch norms as the authors have them."""
    torch.manual_seed(0)
    weights = CoarSR(scale=2, width=4, blocks=1).state_dict()
    save_model(tmp_path / "start.safetensors", weights, from_state_dict(weights).card)
    start = str(tmp_path / "start.safetensors")
    settings = recipe(
        cubes,
        cached,
        model={"start": start},
        schedule={"steps": 10, "warmup": 2},
        coarse={"scale": 2},
        strategy="full",
    )
    end, _ = train(settings, tmp_path / "run")
    assert end.after["psnr_db"] > end.before["psnr_db"]
    made = load_model(tmp_path / "run")
    assert made.rule.name == load_model(start).rule.name
    assert not torch.equal(
        made.module.state_dict()["GFM_intra_one.left_one_body.body.0.0.body.1.running_mean"],
        weights["GFM_intra_one.left_one_body.body.0.0.body.1.running_mean"],
    )


def test_auto_leaves_the_adapter_out(cubes, cached, tmp_path, run):
    output, _, _ = run
    start = str(next(output.glob("*.safetensors")))
    settings = recipe(
        cubes, cached, name="further", model={"start": start}, strategy="auto",
        schedule={"steps": 6, "warmup": 1},
    )  # fmt: skip
    end, heard = train(settings, tmp_path / "run")
    assert "adapter" not in end.kept
    assert max(e.step for e in heard if type(e).__name__ == "Step") >= 2


def test_photographs_beside_the_cubes_are_left_alone(cached, tmp_path):
    folder = data_files.write_pairs(tmp_path / "pairs", 2, height=40, width=40)
    findings = inspect(recipe(folder, cached))
    findings.check()
    assert [row.rgb for row in findings.rows] == ["", ""]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"coarse": None}, "super-resolution needs coarse.scale"),
        ({"camera": {"cameras": ["cie-1931"]}}, "takes no photographs"),
        ({"task": "rgb-to-cube"}, "coarse is for the task super-resolution"),
        ({"strategy": "adapter"}, "adapter is for photographs"),
        ({"model": {**NETWORK, "head": "base"}}, "leave model.head out"),
    ],
)
def test_settings_of_another_task_are_refused(cubes, cached, changes, sentence, tmp_path):
    import yaml

    content = {
        "task": "super-resolution", "model": NETWORK, "coarse": {"scale": 2}, **changes,
    }  # fmt: skip
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    with pytest.raises(RecipeError, match=sentence) as error:
        read_recipe(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": {"start": "mstpp-photo"}}, "makes cubes of photographs; this training takes"),
        ({"model": {"architecture": "mstpp"}}, r"MST\+\+.* is no network for the task super-res"),
        (
            {"coarse": {"scale": 5}, "batch": {"size": 2, "patch": 8}},
            "3 or a power of two",
        ),
        ({"coarse": {"scale": 2, "bands": 40}}, "coarse.bands is 40"),
        ({"batch": {"size": 2, "patch": 64}}, "less than a patch of 128 x 128.* batch.patch to 22"),
        ({"coarse": {"scale": 2, "degradations": ["bycubic"]}}, "no resampling"),
        ({"validation": {"protocol": "dualsr", "choose": "mrae"}}, "does not define mrae"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(cubes, cached, tmp_path, changes, sentence):
    with pytest.raises(HSRError, match=sentence) as error:
        train(recipe(cubes, cached, **changes), tmp_path / "run")
    assert "\n" not in str(error.value)


def test_a_model_of_another_scale_is_refused(cubes, cached, tmp_path, run):
    output, _, _ = run
    settings = recipe(
        cubes, cached, model={"start": str(output)}, coarse={"scale": 4}, batch={"patch": 8}
    )
    with pytest.raises(HSRError, match=r"2 times as fine, but the recipe sets coarse\.scale: 4"):
        train(settings, tmp_path / "run")


def test_held_out_cubes_are_measured_once_each(cubes, cached, run):
    output, _, _ = run
    settings = recipe(cubes, cached)
    images, _ = prepare(settings)
    found = validation.validate(load_model(output), images.held_out, settings)
    assert list(found.images) == [image.name for image in images.held_out]
    assert np.isfinite(found.mean["ssim"])
    assert read_state(output) is None or read_state(output).status == "finished"


def test_the_bicubic_baseline_is_said_before_the_first_step(run, cubes):
    output, _, heard = run
    (said,) = [e for e in heard if isinstance(e, Baseline)]
    assert heard.index(said) < next(n for n, e in enumerate(heard) if isinstance(e, Began))
    assert said.name == "bicubic, MATLAB's imresize"
    ((name, figures),) = said.images.items()
    from napari_hsr.io import read
    from napari_hsr.resample import modcrop

    fine = modcrop(read(cubes / f"{name}.npz"), 2)
    found = evaluate(upsample(degrade(fine, 2), 2, "bicubic-matlab"), fine, "dualsr")
    assert figures["psnr_db"] == pytest.approx(found["psnr"], abs=1e-4)
    assert said.mean == figures
    in_card = load_model(output).card.figures["the held-out images by bicubic, MATLAB's imresize"]
    assert in_card["psnr_db"] == pytest.approx(figures["psnr_db"], abs=1e-4)
    assert History.read(output / "events.jsonl").baseline == said
    assert "by bicubic, MATLAB's imresize: PSNR" in describe(said)


def test_the_preview_is_a_part_in_fine_pixels_with_the_coarse_ones(run, tmp_path):
    output, _, _ = run
    with np.load(output / "preview.npz") as found:  # small enough to be shown whole
        assert found["prediction"].shape[1:] == (46, 44)
        assert found["coarse"].shape[1:] == (23, 22)
    rng = np.random.default_rng(0)
    truth = rng.random((3, 40, 64), dtype=np.float32)
    coarse = rng.random((3, 10, 16), dtype=np.float32)
    path = validation.write_fine_preview(
        tmp_path / "p.npz", truth, truth, coarse, [1, 2, 3], side=34
    )
    with np.load(path) as found:
        assert found["prediction"].shape == (3, 32, 32)  # whole coarse pixels
        (y, x), size = found["origin"], tuple(found["size"])
        np.testing.assert_array_equal(found["prediction"], truth[:, y : y + 32, x : x + 32])
        y, x = y // 4, x // 4
        np.testing.assert_array_equal(found["coarse"], coarse[:, y : y + 8, x : x + 8])
    assert (y, x, size) == (1, 4, (40, 64))


def test_rows_say_what_each_image_is_made_coarse_to(cubes, cached):
    settings = recipe(cubes, cached, coarse={"scale": 4}, batch={"size": 2, "patch": 8})
    findings = inspect(settings)
    assert [row.coarse for row in findings.rows] == [(11, 11)] * 3
    assert [row.left_over for row in findings.rows] == [(2, 0)] * 3
    header, rows = image_table(findings)
    assert header[4] == "made coarse"
    assert rows[0][4] == "11 × 11 (2 rows left over)"
