"""A step after each band of a batch, as CoarSR's authors train."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_hsr.errors import InputError
from napari_hsr.models.architectures.coarsr import CoarSR, neighbours
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.training.data.batch_sampler import Batch
from napari_hsr.training.engine.step import NotFiniteError
from napari_hsr.training.events import Noticed, Step
from napari_hsr.training.recipe.yaml_io import RecipeError, read_recipe
from napari_hsr.training.validation import Validation

from ..thorough import thorough
from . import engine
from .test_resume import all_equal, last

BANDS, SCALE = 6, 2


def model(intended=False):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        weights = CoarSR(SCALE, width=4, blocks=1, intended=intended).state_dict()
    return from_state_dict(weights)


def batches(size=4, patch=8):
    """Smooth cubes, and every second pixel of them."""

    def batch(step, rank, world):
        numbers = range(rank, size, world)
        draws = [np.random.default_rng([step, i]) for i in numbers]
        fine = np.stack([r.random((BANDS, SCALE * patch, SCALE * patch)) for r in draws])
        fine = ((fine + np.roll(fine, 1, 2) + np.roll(fine, 1, 3)) / 3).astype(np.float32)
        ones = np.ones(len(fine), np.float32)
        names = tuple(f"scene{i}" for i in numbers)
        return Batch(fine[:, :, ::SCALE, ::SCALE].copy(), fine, ones, 0 * ones, names)

    return batch


def validate(made, step):
    return Validation({"psnr_db": 20.0 + step, "sam_deg": 1.0, "mrae": 1.0}, {})


def recipe(steps=2, **changes):
    settings = {
        "task": "super-resolution",
        "coarse": {"scale": SCALE},
        "model": {"architecture": "coarsr"},
        "loss": [{"kind": "l1"}],
        "ema": 0,
        "schedule": {"steps": steps, "kind": "stepped", "every": 1, "factor": 0.5, "warmup": 0},
        **changes,
    }
    adam = {"kind": "adam", "learning_rate": 1e-3, "clip": 0, "step_per": "band"}
    settings["optimiser"] = {**adam, **changes.get("optimiser", {})}
    return engine.recipe(steps, **settings)


def run(folder, given=None, **changes):
    return engine.run(
        folder,
        given or recipe(),
        **{"model": model(), "batches": batches(), "validate": validate, **changes},
    )


def by_hand(steps, clip=0.0, intended=False):
    """The authors' loop over batches and bands, written down for this network's parts."""
    network = model(intended).module.train().requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.9, 0.999))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-3 * 0.5**step
        batch = batches()(step, 0, 1)
        coarse, fine = torch.from_numpy(batch.inputs), torch.from_numpy(batch.cubes)
        bicubic = torch.nn.functional.interpolate(
            coarse, scale_factor=SCALE, mode="bicubic", antialias=True
        )
        state = None
        for i, (l0, l1, r0, r1) in enumerate(neighbours(BANDS, intended)):
            heads = [
                network.head_group_one(coarse[:, [i]]),
                network.head_group_two(coarse[:, [l1, i, r0]]),
                network.head_group_three(coarse[:, [l0, i, r1]]),
            ]
            x = network.GFM_inter_one(network.GFM_intra_one(heads))
            x = [x[:, :, k] + heads[k] for k in range(3)]
            x = network.GFM_inter_two(network.GFM_intra_two(x))
            x = [x[:, :, k] + heads[k] for k in range(3)]
            out = network.conv(network.last_reduceD(torch.cat(x, 1))) + heads[0]
            if i > 0:
                gamma = network.gamma_rnn
                out = network.rnn_reduceD(torch.cat([gamma[0] * out, gamma[1] * state], 1))
            state = out.detach()
            made = network.tail(out + heads[0])[:, 0] + bicubic[:, i]
            loss = torch.nn.functional.l1_loss(made, fine[:, i])
            optimiser.zero_grad(set_to_none=False)
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimiser.step()
    return network.state_dict(), optimiser.state_dict()


def felt(weights, intended):
    """The weights without what a batch norm takes away again.

    The gradient of the biases and the sizes of kernels before it is rounding alone, which Adam
    makes steps of, and its running figures follow them.
    """
    no = () if intended else (".0.bias", ".3.bias", "weight_g", "running_mean", "running_var")
    return {k: v for k, v in weights.items() if ".body." not in k or not k.endswith(no)}


@pytest.mark.parametrize(
    ("clip", "intended"),
    [
        pytest.param(0, False, marks=pytest.mark.thorough),
        pytest.param(0, True, marks=pytest.mark.thorough),
        (0.05, True),
    ],
)
def test_two_batches_make_the_weights_of_the_authors_loop(tmp_path, clip, intended):
    given = recipe(optimiser={"clip": clip}, validation={"choose": "last"})
    fitted, heard = run(tmp_path, given, model=model(intended))
    weights, optimiser = by_hand(2, clip, intended)
    # steps of rounding alone reach the others too, through the epsilon of a batch norm
    near = 1e-6 if intended else 1e-5
    assert engine.far(felt(fitted.weights, intended), felt(weights, intended)) < near
    mine = last(tmp_path)["optimiser"]["state"]
    assert mine.keys() == optimiser["state"].keys()
    for key, state in optimiser["state"].items():
        assert mine[key]["step"] == state["step"], key
        torch.testing.assert_close(mine[key]["exp_avg"], state["exp_avg"], rtol=1e-3, atol=1e-6)
    assert max(state["step"] for state in mine.values()) == 2 * BANDS
    assert (fitted.state.step, heard.of(Step)[-1].step) == (2, 2)
    # one step a batch is another thing, and so is no clipping
    other, _ = run(
        tmp_path / "batch", recipe(optimiser={"step_per": "batch"}), model=model(intended)
    )
    assert engine.far(fitted, other) > 1e-3
    if clip:
        assert engine.far(fitted.weights, by_hand(2, 0, intended)[0]) > 1e-4


def test_a_batch_of_published_weights_moves_all_but_what_nothing_reads(tmp_path):
    fitted, _ = run(tmp_path)
    before = model().module.state_dict()
    same = [k for k in before if torch.equal(before[k], fitted.weights[k])]
    assert not same
    counter = "GFM_intra_one.left_one_body.body.0.0.body.1.num_batches_tracked"
    assert fitted.weights[counter] == 2 * BANDS


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A recipe, the folder of its fit and what came of it."""
    given = recipe(3, ema=0.9, optimiser={"clip": 0.1}, anchor=0.1)
    folder = tmp_path_factory.mktemp("whole")
    return given, folder, run(folder, given)[0]


@pytest.mark.parametrize("step", thorough([1, 2], always=[1]))
def test_stopped_and_gone_on_it_ends_with_the_same_weights(undisturbed, tmp_path, step):
    given, folder, whole = undisturbed
    first, _ = engine.stopped_after(
        tmp_path / "run", given, step, model=model(), batches=batches(), validate=validate
    )
    assert (first.stopped, first.state.step) == (True, step)
    second, _ = run(tmp_path / "run", given, resume=True)
    assert engine.same(second.weights, whole.weights)
    for key in ("weights", "average", "optimiser"):
        assert all_equal(last(tmp_path / "run")[key], last(folder)[key])


def failing_at(monkeypatch, call, what):
    """The loss of one band is replaced, or raises."""
    from napari_hsr.training.engine.losses import Loss

    plain, calls = Loss.__call__, []

    def loss(self, prediction, target, step):
        calls.append(step)
        if len(calls) - 1 == call:
            if isinstance(what, Exception):
                raise what
            prediction = prediction * what
        return plain(self, prediction, target, step)

    monkeypatch.setattr(Loss, "__call__", loss)


def test_broken_off_between_two_bands_it_begins_from_the_last_checkpoint(tmp_path, monkeypatch):
    """Some bands of the batch have taken their step then; none of them stays."""
    given = recipe(2, engine={"checkpoint_every": 1})
    whole, _ = run(tmp_path / "whole", given)
    failing_at(monkeypatch, BANDS + 3, float("nan"))
    with pytest.raises(NotFiniteError, match="became nan at step 2, on patches of scene0"):
        run(tmp_path / "run", given)
    monkeypatch.undo()
    assert last(tmp_path / "run")["state"]["step"] == 1
    second, _ = run(tmp_path / "run", given, resume=True)
    assert engine.same(second.weights, whole.weights)


@pytest.mark.thorough
def test_out_of_memory_takes_fewer_patches_at_a_time(tmp_path, monkeypatch):
    """With fixed norms the parts of a batch make the same steps, each band's after its last part."""
    given = recipe(2, engine={"checkpoint_every": 1})
    whole, _ = run(tmp_path / "whole", given, model=model(True))
    failing_at(monkeypatch, BANDS + 2, torch.OutOfMemoryError("CUDA out of memory"))
    halves, heard = run(tmp_path / "halves", given, model=model(True))
    (notice,) = [e.notice for e in heard.of(Noticed)]
    assert "2 at a time" in notice
    assert (halves.state.parts, halves.state.step) == (2, 2)
    assert engine.far(whole, halves) < 1e-5
    parts, _ = run(
        tmp_path / "parts",
        recipe(2, batch={"size": 4, "patch": 8, "accumulate": 4}),
        model=model(True),
    )
    assert engine.far(whole, parts) < 1e-5


def test_a_network_that_makes_all_bands_at_once_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"small makes all bands at once; set optimiser\.step_per"):
        engine.run(tmp_path, recipe())


def test_several_processes_are_refused():
    from napari_hsr.training.engine.step import check_band_steps

    network = CoarSR(SCALE, width=4, blocks=1)
    check_band_steps(recipe(), network, "CoarSR", 1)
    check_band_steps(recipe(optimiser={"step_per": "batch"}), network, "CoarSR", 2)
    with pytest.raises(InputError, match=r"takes one process, not 2: set engine\.devices: 1"):
        check_band_steps(recipe(), network, "CoarSR", 2)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["loss.0.kind=sam"], "the loss sam takes whole spectra; set optimiser.step_per: batch"),
        (["optimiser.step_per=pixel"], "one of batch, band"),
    ],
)
def test_what_a_band_cannot_have_is_told_before_it_starts(overrides, sentence):
    with pytest.raises(RecipeError, match=sentence):
        read_recipe("coarsr-paper", overrides)


def test_photographs_have_no_steps_of_bands():
    with pytest.raises(RecipeError, match="is for the task super-resolution"):
        read_recipe("mstpp-paper", ["optimiser.step_per=band"])


def test_the_papers_recipe_does_so():
    assert read_recipe("coarsr-paper").optimiser.step_per == "band"
