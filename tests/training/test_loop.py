"""Fitting weights step by step: what a step is, when it ends, and what is kept."""

from __future__ import annotations

import math
import re
import threading
import warnings

import numpy as np
import pytest
import torch

from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.notices import Code
from napari_hsr.training.engine import loop
from napari_hsr.training.engine.step import NotFiniteError
from napari_hsr.training.events import Began, Measured, Noticed, Saved, Step
from napari_hsr.training.validation import Validation

from . import engine


def test_what_a_fit_says_and_comes_to(tmp_path):
    fitted, heard = engine.run(tmp_path, images=({"a": "1", "b": "2"}, {"c": "3"}))
    assert not fitted.stopped
    assert fitted.state.step == fitted.state.total == 10
    began = heard.of(Began)
    assert [(b.step, b.total, b.train, b.held_out) for b in began] == [(0, 10, ("a", "b"), ("c",))]
    assert [m.step for m in heard.of(Measured)] == [0, 4, 8, 10]
    assert {s.step for s in heard.of(Saved)} >= {0, 3, 4, 6, 8, 9, 10}
    steps = heard.of(Step)
    assert [steps[0].step, steps[-1].step] == [1, 10]
    assert steps[-1].loss < steps[0].loss
    assert steps[-1].seconds_left == 0
    assert set(steps[0].terms) == {"l1", "mrae"}
    best = max(heard.of(Measured), key=lambda m: m.mean["psnr_db"])
    assert (fitted.step, fitted.mean) == (best.step, best.mean)
    assert engine.validate(with_weights(fitted), 0).mean == fitted.mean


def with_weights(fitted):
    from napari_hsr.models.state_dict import from_state_dict

    return from_state_dict(fitted.weights, engine.model().card)


def test_the_start_stays_as_it_is(tmp_path):
    model = engine.model()
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    engine.run(tmp_path, engine.recipe(3), model=model)
    assert engine.same(model.module.state_dict(), before)
    assert not any(p.requires_grad for p in model.module.parameters())


def test_the_last_weights_are_kept_where_the_recipe_says_so(tmp_path):
    worse = iter([30.0, 20.0, 10.0, 5.0])

    def validate(model, step):
        return Validation({"psnr_db": next(worse), "sam_deg": 1.0, "mrae": 1.0}, {})

    fitted, _ = engine.run(
        tmp_path, engine.recipe(validation={"choose": "last"}), validate=validate
    )
    assert (fitted.step, fitted.mean["psnr_db"]) == (10, 5.0)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert engine.same(fitted.weights, saved["average"])


def test_parts_of_a_step_make_the_same_step(tmp_path):
    """Gradients of two halves, added, are those of the whole."""
    whole, _ = engine.run(tmp_path / "1", engine.recipe(3))
    halves, _ = engine.run(
        tmp_path / "2", engine.recipe(3, batch={"size": 4, "patch": 8, "accumulate": 2})
    )
    assert engine.far(whole, halves) < 1e-5
    # a batch of other patches is told apart
    other, _ = engine.run(tmp_path / "3", engine.recipe(3), batches=engine.batches(2))
    assert engine.far(whole, other) > 1e-3


class Fails:
    """Batches and a fault at one place, once."""

    def __init__(self, monkeypatch, error, at=5, where="loss"):
        self.left, self.at, self.calls = 1, at, 0
        if where == "loss":
            from napari_hsr.training.engine.losses import Loss

            plain = Loss.__call__

            def call(loss, prediction, target, step):
                self.once(step, error)
                return plain(loss, prediction, target, step)

            monkeypatch.setattr(Loss, "__call__", call)
        else:
            plain = torch.optim.AdamW.step

            def step(optimiser, closure=None):
                value = plain(optimiser, closure)
                self.calls += 1
                self.once(self.calls - 1, error)
                return value

            monkeypatch.setattr(torch.optim.AdamW, "step", step)

    def once(self, step, error):
        if step == self.at and self.left:
            self.left -= 1
            raise error


@pytest.mark.parametrize("where", ["loss", "optimiser"])
def test_out_of_memory_takes_fewer_patches_at_a_time(tmp_path, monkeypatch, where):
    """Said aloud, and the same result; also where some weights had already taken the step."""
    whole, _ = engine.run(tmp_path / "whole")
    Fails(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"), where=where)
    halves, heard = engine.run(tmp_path / "halves")
    (notice,) = [e.notice for e in heard.of(Noticed)]
    assert (notice.code, notice.severity) == ("smaller-parts", "warning")
    assert "not enough memory for 4 patches" in notice
    assert "2 at a time" in notice
    assert halves.state.parts == 2
    assert halves.state.step == 10
    assert engine.far(whole, halves) < 1e-5


def test_a_batch_of_odd_size_is_shared_evenly_when_memory_runs_out(tmp_path, monkeypatch):
    Fails(monkeypatch, torch.OutOfMemoryError("out of memory"), at=1)
    fitted, heard = engine.run(tmp_path, engine.recipe(3, batch={"size": 6, "patch": 8}))
    assert fitted.state.parts == 2
    Fails(monkeypatch, torch.OutOfMemoryError("out of memory"), at=1)
    recipe = engine.recipe(3, batch={"size": 6, "patch": 8, "accumulate": 2})
    fitted, heard = engine.run(tmp_path / "b", recipe)
    assert fitted.state.parts == 6
    assert "1 at a time" in heard.of(Noticed)[0].notice


def test_no_memory_for_a_single_patch_is_told(tmp_path, monkeypatch):
    fails = Fails(monkeypatch, RuntimeError("DefaultCPUAllocator: can't allocate memory"), at=1)
    fails.left = 99
    with pytest.raises(InputError, match=r"single patch of 8 x 8: reduce batch\.patch\.$"):
        engine.run(tmp_path, engine.recipe(3))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_with_the_images_named(tmp_path, monkeypatch, value):
    plain = engine.batches()

    def batches(step, rank, world):
        batch = plain(step, rank, world)
        if step == 6 and broken:
            batch.cubes[2, 0, 0, 0] = value
        return batch

    broken = True
    uninterrupted, _ = engine.run(tmp_path / "whole")
    with pytest.raises(NotFiniteError) as caught:
        engine.run(tmp_path / "run", batches=batches)
    text = str(caught.value)
    assert "at step 7, on patches of scene0, scene1, scene2, scene3;" in text
    assert text.endswith("the last good weights are kept.")
    saved = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert saved["state"]["step"] == 6
    assert all(v.isfinite().all() for v in saved["weights"].values())
    assert (tmp_path / "run" / saved["state"]["best_file"]).is_file()
    broken = False  # the file is mended: the run goes on, and ends as if nothing had been
    mended, _ = engine.run(tmp_path / "run", batches=batches, resume=True)
    assert engine.same(mended.weights, uninterrupted.weights)


def test_a_fault_in_a_batch_comes_as_its_sentence(tmp_path):
    def batches(step, rank, world):
        if step == 5:
            raise InputError("scene3.png is gone.")
        return engine.batches()(step, rank, world)

    with pytest.raises(InputError, match=r"^scene3\.png is gone\.$"):
        engine.run(tmp_path, batches=batches)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["state"]["step"] == 5


def test_the_anchor_pulls_towards_the_start(tmp_path):
    start = engine.model().module.state_dict()
    far = []
    for anchor in (0.0, 0.3, 30.0):
        recipe = engine.recipe(anchor=anchor, ema=0, validation={"choose": "last"})
        fitted, _ = engine.run(tmp_path / str(anchor), recipe)
        far.append(sum(float((fitted.weights[k] - start[k]).square().sum()) for k in start))
    assert far[0] > far[1] > far[2]


def test_an_average_of_the_weights_is_what_is_kept(tmp_path):
    settings = {"validation": {"choose": "last"}}
    raw = []
    averaged, _ = engine.run(tmp_path / "a", engine.recipe(5, ema=0.5, **settings))
    expected = engine.model().module.state_dict()
    for step in range(1, 6):
        recipe = engine.recipe(5, ema=0, engine={"checkpoint_every": 1}, **settings)
        part, _ = engine.stopped_after(tmp_path / f"{step}", recipe, step)
        assert part.state.step == step
        saved = torch.load(tmp_path / f"{step}" / "last.pt", weights_only=True)
        raw.append(saved["weights"])
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {k: decay * v + (1 - decay) * raw[-1][k] for k, v in expected.items()}
    for key, value in averaged.weights.items():
        torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-7)
    assert engine.far(averaged.weights, raw[-1]) > 1e-4


def test_training_stops_when_nothing_gets_better(tmp_path):
    figures = iter([20.0, 30.0, 25.0, 24.0, 99.0])

    def validate(model, step):
        return Validation({"psnr_db": next(figures), "sam_deg": 1.0, "mrae": 1.0}, {})

    recipe = engine.recipe(100, validation={"every": 3, "patience": 2})
    fitted, heard = engine.run(tmp_path, recipe, validate=validate)
    assert not fitted.stopped
    assert fitted.state.step == 9
    assert (fitted.step, fitted.mean["psnr_db"]) == (3, 30.0)
    assert [m.best for m in heard.of(Measured)] == [True, True, False, False]
    again, heard = engine.run(tmp_path, recipe, validate=validate, resume=True)
    assert engine.same(again.weights, fitted.weights)
    assert not heard.of(Step)


def test_figures_that_are_no_numbers_are_never_better(tmp_path):
    figures = iter([math.nan, math.nan, 10.0, math.nan])

    def validate(model, step):
        return Validation({"psnr_db": next(figures), "sam_deg": math.nan, "mrae": math.nan}, {})

    fitted, _ = engine.run(tmp_path, validate=validate)
    assert fitted.step == 8


@pytest.fixture
def clock(monkeypatch):
    """Seconds are those of the work alone, not of this machine."""
    clock = engine.Clock()
    monkeypatch.setattr(loop, "time", clock)
    return clock


def test_a_time_budget_becomes_steps_once(tmp_path, clock):
    recipe = engine.recipe(None, schedule={"minutes": 0.05, "warmup": 2})
    fitted, heard = engine.run(tmp_path, recipe, batches=clock.batches(), validate=clock.validate)
    (notice,) = [e.notice for e in heard.of(Noticed)]
    total = fitted.state.total
    said = re.search(
        r"for (\d+) more steps in the (\S+) s that are left: one takes (\S+) s, ", notice
    )
    more, left, each = int(said[1]), float(said[2]), float(said[3])
    assert 0 < more < total
    assert more * each == pytest.approx(left, rel=0.05)  # the sentence agrees with itself
    assert fitted.state.step == total > 12
    assert heard.of(Step)[-1].total == total
    assert fitted.state.seconds == pytest.approx(3.0, abs=0.1)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["state"]["total"] == total


def test_steps_that_take_the_whole_budget_are_not_timed_a_dozen_times(tmp_path, clock):
    recipe, clock.step = engine.recipe(None, schedule={"minutes": 0.05, "warmup": 2}), 0.65
    fitted, heard = engine.run(
        tmp_path, recipe, batches=clock.batches(), validate=clock.validate, validations=2
    )
    assert fitted.state.total == fitted.state.step == 4
    assert fitted.state.seconds <= 3.0
    (notice,) = [e.notice for e in heard.of(Noticed)]
    assert notice.code == Code.STEPS_LEFT
    assert notice.startswith(
        "There is time for 2 more steps in the 1.5 s that are left: one takes 0.66 s"
    )


def test_steps_that_become_slow_end_with_the_budget(tmp_path, clock):
    recipe = engine.recipe(None, schedule={"minutes": 0.05, "warmup": 2})
    plain = clock.batches()

    def batches(step, *place):
        clock.step = 0.5 if step >= 14 else 0.05
        return plain(step, *place)

    fitted, heard = engine.run(tmp_path, recipe, batches=batches, validate=clock.validate)
    assert fitted.state.total == fitted.state.step < 30
    assert fitted.state.seconds == pytest.approx(3.0, abs=0.6)  # a slow step more at most
    said = [e.notice for e in heard.of(Noticed)]
    assert said[-1].startswith(f"The time is up after {fitted.state.step} steps")


def test_a_time_budget_is_kept_by_a_resume(tmp_path, clock):
    """The number of steps is saved as soon as it is known."""
    recipe = engine.recipe(
        None, schedule={"minutes": 0.05, "warmup": 2}, engine={"checkpoint_every": 1000}
    )
    first, _ = engine.stopped_after(tmp_path, recipe, 12, batches=clock.batches())
    assert first.stopped
    assert first.state.total > 12
    state = torch.load(tmp_path / "last.pt", weights_only=True)["state"]
    longer = recipe.model_copy(
        update={"schedule": recipe.schedule.model_copy(update={"minutes": 9})}
    )
    second, heard = engine.run(tmp_path, longer, batches=clock.batches(), resume=True)
    assert second.state.total == second.state.step == first.state.total == state["total"]
    assert not heard.of(Noticed)


def test_one_that_is_stopped_before_its_steps_are_known_is_gone_on_with(tmp_path, clock):
    """Preparing takes longer or shorter at every start, and leaves other minutes."""
    recipe = engine.recipe(None, schedule={"minutes": 0.05, "warmup": 2})
    first, _ = engine.stopped_after(tmp_path, recipe, 5, batches=clock.batches())
    assert (first.stopped, first.state.total) == (True, 0)
    left = recipe.model_copy(
        update={"schedule": recipe.schedule.model_copy(update={"minutes": 0.049})}
    )
    second, _ = engine.run(tmp_path, left, batches=clock.batches(), resume=True)
    assert second.state.step == second.state.total > 12
    other = engine.recipe(None, schedule={"minutes": 0.05, "warmup": 3})
    with pytest.raises(FileError, match=r"other settings \(schedule\)"):
        engine.run(tmp_path, other, batches=clock.batches(), resume=True)


def test_only_some_weights_are_trained(tmp_path):
    start = engine.model().module.state_dict()
    fitted, _ = engine.run(
        tmp_path, engine.recipe(4, validation={"choose": "last"}), trained=["tail.0.weight"]
    )
    changed = {k for k in start if not torch.equal(start[k], fitted.weights[k])}
    assert changed == {"tail.0.weight"}
    with pytest.raises(InputError, match="no weights named nothing"):
        engine.run(tmp_path / "b", trained=["nothing"])


def test_a_model_without_weights_to_train_is_told(tmp_path):
    from napari_hsr import load_model

    with pytest.raises(InputError, match=r"^rootpoly-srgb has no trainable weights"):
        engine.run(tmp_path, model=load_model("rootpoly-srgb"))


def test_bfloat16_trains_on_a_cpu(tmp_path):
    fitted, heard = engine.run(tmp_path, engine.recipe(engine={"precision": "bfloat16"}))
    assert heard.of(Began)[0].precision == "bfloat16"
    assert heard.of(Step)[-1].loss < heard.of(Step)[0].loss
    assert all(v.dtype == torch.float32 for v in fitted.weights.values())
    exact, _ = engine.run(tmp_path / "exact")
    assert 0 < engine.far(fitted, exact) < 0.1


def test_a_stop_while_measuring_is_measured_when_it_goes_on(tmp_path):
    """At the last step too: the run is not done before its end is measured."""
    whole, _ = engine.run(tmp_path / "whole")
    stop = threading.Event()

    def validate(model, step):
        if step == 10:
            stop.set()
            raise Cancelled
        return engine.validate(model, step)

    first, _ = engine.run(tmp_path / "run", validate=validate, cancel=stop)
    assert first.stopped
    assert first.state.step == 10
    second, heard = engine.run(tmp_path / "run", resume=True)
    assert not second.stopped
    assert [m.step for m in heard.of(Measured)] == [10]
    assert engine.same(second.weights, whole.weights)
    assert second.step == whole.step


def test_logs_for_tensorboard_and_nothing_is_said_by_libraries(tmp_path, capfd, recwarn):
    recipe = engine.recipe(engine={"tensorboard": True})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.run(tmp_path / "checkpoint", recipe)
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = EventAccumulator(str(tmp_path / "tensorboard"))
    logs.Reload()
    assert {"loss", "learning_rate", "l1", "mrae"} <= set(logs.Tags()["scalars"])
    assert logs.Scalars("loss")[-1].step == 10
    assert [scalar.step for scalar in logs.Scalars("held_out/psnr_db")] == [4, 8, 10]
    assert not (tmp_path / "lightning_logs").exists()


def test_the_learning_rate_is_that_of_the_schedule(tmp_path):
    from napari_hsr.training.engine.learning_rate import learning_rate

    recipe = engine.recipe(6, schedule={"steps": 6, "warmup": 2, "kind": "cosine"})
    _, heard = engine.run(tmp_path, recipe)
    for event in heard.of(Step):
        expected = learning_rate(recipe.optimiser, recipe.schedule, event.step - 1, 6)
        np.testing.assert_allclose(event.learning_rate, expected)
