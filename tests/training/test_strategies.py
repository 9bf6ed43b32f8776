"""Which way to a better model is taken, within which budget, and when none is."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.models.architectures.drcr import DRCR
from napari_hsr.models.architectures.edsr import EDSR
from napari_hsr.models.architectures.mstpp import MSTPlusPlus
from napari_hsr.models.architectures.wrappers import around
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.training.engine.checkpoint import Fitted, State
from napari_hsr.training.events import Began, Measured, Noticed, Preparing, Saved, Step
from napari_hsr.training.export import TrainingFacts, choose_precision, write_model_folder
from napari_hsr.training.strategies import NO_ADAPTER, head_names, train_by_strategy
from napari_hsr.training.validation import validate

from .stand_ins import image, recipe

IMAGES = SimpleNamespace(train=[image(0), image(1)], held_out=[image(8)])


class Run:
    """Strategies with a fit that hands out given PSNRs, and all that was asked of it."""

    def __init__(
        self,
        start,
        psnr=(),
        seconds=0.0,
        stopped=False,
        stop_at=None,
        spent=None,
        resume=False,
        measuring=0.0,
        **settings,
    ):
        settings.setdefault("strategy", "auto")
        settings.setdefault("schedule", {"minutes": 10})
        self.recipe = recipe(**settings)
        self.stop, self.now, self.seconds = threading.Event(), 0.0, seconds
        self.psnr, self.asked, self.events, self.stopped = list(psnr), [], [], stopped
        self.stop_at, self.measuring = stop_at, measuring
        events = train_by_strategy(
            self.recipe, start, IMAGES, self.validate, self.fit, self.stop,
            spent=spent, resume=resume, clock=lambda: self.now,
        )  # fmt: skip
        while True:
            try:
                self.events.append(next(events))
            except StopIteration as end:
                self.outcome = end.value
                return
            if len(self.events) == self.stop_at:
                self.stop.set()

    def validate(self, model, step):
        self.now += self.measuring
        return validate(model, IMAGES.held_out, self.recipe)

    def fit(self, settings, model, trained):
        self.asked.append((settings, model, trained))
        self.now += self.seconds
        psnr = self.psnr.pop(0)
        if isinstance(psnr, Exception):
            raise psnr
        yield Began(0, 20, "CPU", "float32")
        yield Step(20, 20, 0.1)
        yield Saved(20, "checkpoint")
        known = dict(model.module.named_parameters())
        state = model.module.state_dict()
        weights = {k: v + 1e-3 if k in known else v for k, v in state.items()}
        mean = {"psnr_db": psnr, "sam_deg": 1e-3, "mrae": 1e-6}
        start = validate(model, IMAGES.held_out, self.recipe)
        reached = State(step=20, total=20, start_mean=start.mean, start_images=start.images)
        best = 0 if psnr is None else 12
        return Fitted(weights, mean, {"scene8": mean}, best, reached, self.stopped)


@pytest.fixture(scope="module")
def regression():
    return napari_hsr.load_model("rootpoly-srgb")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return from_state_dict(EDSR(width=8, blocks=1).state_dict())


def test_the_adapter_wins_for_a_model_without_trainable_weights(regression):
    found = Run(regression, psnr=[0.0, 0.0])
    outcome = found.outcome
    assert outcome.strategy == "adapter"
    assert outcome.model.card.architecture == "adapted"
    assert outcome.after.mean["psnr_db"] > outcome.before.mean["psnr_db"] + 3
    held = validate(outcome.model, IMAGES.held_out, found.recipe)
    assert held == outcome.after
    assert "strategy adapter was the best" in outcome.kept
    # behind it there are weights to train: the adapter's own, which are all that there are
    assert [s.strategy for s, *_ in found.asked] == ["head"]
    assert set(found.asked[0][2]) == {"adapter.weight", "adapter.bias"}


def test_the_winner_becomes_a_directory_that_is_a_model(regression, tmp_path):
    found = Run(regression, strategy="adapter", name="mine")
    outcome, held = found.outcome, IMAGES.held_out
    stored = choose_precision(outcome.model, held, found.recipe, outcome.after)
    facts = TrainingFacts(
        before=outcome.before, train={"scene0": "0" * 64}, held_out={"scene8": "1" * 64},
        seconds=1, steps=outcome.steps, machine="CPU", strategy=outcome.strategy,
    )  # fmt: skip
    write_model_folder(tmp_path, found.recipe, stored, facts)
    loaded = napari_hsr.load_model(tmp_path)
    assert loaded.card.architecture == "adapted"
    assert loaded.card.training["strategy"] == "adapter"
    assert validate(loaded, held, found.recipe).mean == outcome.after.mean
    assert regression.card.training_data in loaded.card.training_data
    photograph = napari_hsr.Photograph(np.full((5, 4, 3), 128, np.uint8), "srgb")
    assert napari_hsr.reconstruct(photograph, loaded, device="cpu").shape == (31, 5, 4)


def test_each_stage_starts_from_the_best_and_the_best_is_kept(network):
    found = Run(network, psnr=[90.0, 80.0])
    assert found.outcome.strategy == "head"
    first, second = found.asked
    assert [s.strategy for s, *_ in found.asked] == ["head", "full"]
    assert first[1].card.architecture == "adapted"  # the adapter was better than random weights
    expected = first[1].module.state_dict()["adapter.bias"] + 1e-3
    assert torch.equal(second[1].module.state_dict()["adapter.bias"], expected)
    assert second[2] is None
    assert torch.equal(found.outcome.model.module.state_dict()["adapter.bias"], expected)
    assert found.outcome.after.mean["psnr_db"] == 90.0


def test_a_fault_in_a_later_strategy_leaves_what_won_before(network):
    fault = InputError("The loss became nan at step 3, on patches of scene0.")
    found = Run(network, psnr=[fault])
    assert found.outcome.strategy == "adapter"
    assert not found.outcome.stopped
    notices = [e.notice for e in found.events if isinstance(e, Noticed)]
    said = [notice for notice in notices if notice.severity == "warning"]
    assert said == [f"The strategy head failed, and the best model so far is kept: {fault}"]
    with pytest.raises(InputError, match="The loss became nan"):
        Run(network, strategy="head", psnr=[fault])
    with pytest.raises(FileError, match="disk"):
        Run(network, psnr=[FileError("last.pt", "there is no space left on the disk")])


def test_the_time_budget_is_shared(network):
    found = Run(network, psnr=[90.0, 95.0], seconds=200.0)
    minutes = [settings.schedule.minutes for settings, *_ in found.asked]
    assert minutes == pytest.approx([3.0, 10 - 200 / 60])
    assert found.outcome.strategy == "full"


def test_what_the_budget_has_no_room_for_is_said(network):
    found = Run(network, psnr=[90.0], seconds=598.0)
    assert len(found.asked) == 1
    notices = [e.notice for e in found.events if isinstance(e, Noticed)]
    assert notices == ["No time is left for the strategy full."]


def test_the_adapter_is_left_out_where_the_budget_has_no_room_for_it(network):
    """Measuring one held-out image took four minutes, and there are two to fit the adapter to."""
    found = Run(network, psnr=[90.0, 95.0], measuring=240.0)
    assert found.asked[0][0].schedule.minutes == pytest.approx(0.3 * 6)
    notices = [e.notice for e in found.events if isinstance(e, Noticed)]
    assert "No time is left for the strategy adapter." in notices
    assert [s.strategy for s, *_ in found.asked] == ["head", "full"]


def test_where_nothing_could_be_tried_that_is_said_and_not_that_nothing_improved(network):
    found = Run(network, measuring=650.0)
    assert not found.asked
    assert found.outcome.model is None
    assert found.outcome.kept.startswith("No model was made: no time was left to try anything.")


def test_a_resume_has_the_rest_of_the_time_budget(network, tmp_path):
    """What was promised to a stage stands; what is left for the next is what was not spent."""
    spent = tmp_path / "run" / "spent.json"
    first = Run(network, psnr=[90.0], seconds=120.0, stopped=True, spent=spent)
    assert [s.schedule.minutes for s, *_ in first.asked] == pytest.approx([3.0])
    again = Run(network, psnr=[90.0, 95.0], seconds=60.0, spent=spent, resume=True)
    assert [s.schedule.minutes for s, *_ in again.asked] == pytest.approx([3.0, 7.0])
    third = Run(network, psnr=[90.0, 95.0], seconds=60.0, spent=spent, resume=True)
    assert [s.schedule.minutes for s, *_ in third.asked] == pytest.approx([3.0, 7.0])
    anew = Run(network, psnr=[90.0, 95.0], seconds=60.0, spent=spent)
    assert [s.schedule.minutes for s, *_ in anew.asked] == pytest.approx([3.0, 9.0])


def test_a_budget_that_is_spent_begins_no_further_strategy_after_a_resume(network, tmp_path):
    spent = tmp_path / "spent.json"
    Run(network, psnr=[90.0], seconds=598.0, spent=spent, stopped=True)
    again = Run(network, psnr=[90.0], spent=spent, resume=True)
    assert [s.strategy for s, *_ in again.asked] == ["head"]
    assert "No time is left for the strategy full." in [
        e.notice for e in again.events if isinstance(e, Noticed)
    ]
    spent.write_text("{")  # written by halves: it cannot be, but a disk may lose it
    anew = Run(network, psnr=[90.0, 95.0], spent=spent, resume=True)
    assert [s.schedule.minutes for s, *_ in anew.asked] == pytest.approx([3.0, 10.0])


@pytest.mark.parametrize("choose", ["psnr", "sam", "mrae"])
def test_what_wins_is_chosen_by_what_the_recipe_says(network, choose):
    """A stage with less PSNR wins by angle or MRAE where the recipe chooses by these."""
    found = Run(network, psnr=[-90.0, -90.0], validation={"choose": choose})
    assert found.outcome.strategy == ("adapter" if choose == "psnr" else "head")


def test_steps_are_shared(network):
    found = Run(network, psnr=[90.0, 80.0], schedule={"steps": 100})
    assert [s.schedule.steps for s, *_ in found.asked] == [30, 70]


def test_nothing_is_made_where_nothing_is_better(network, monkeypatch):
    perfect = [replace(i, cube=np.zeros_like(i.cube)) for i in IMAGES.held_out]
    silent = from_state_dict({k: torch.zeros_like(v) for k, v in network.module.state_dict().items()})  # fmt: skip
    monkeypatch.setattr(IMAGES, "held_out", perfect)
    found = Run(silent, psnr=[-3.0, None])
    outcome = found.outcome
    assert outcome.model is None
    assert outcome.strategy == ""
    assert outcome.after is None
    assert outcome.before.mean["psnr_db"] == np.inf
    assert outcome.kept.startswith(
        "No model was made: nothing improved on edsr on the held-out images ("
    )
    assert "head PSNR -3.00 dB" in outcome.kept


def test_steps_of_all_stages_make_one_curve(network):
    found = Run(network, psnr=[90.0, 80.0])
    steps = [(type(e), e.step) for e in found.events if isinstance(e, (Measured, Began, Step))]
    assert steps == [
        (Measured, 0), (Measured, 1), (Began, 1), (Step, 21), (Began, 21), (Step, 41),
    ]  # fmt: skip
    assert [e.total for e in found.events if isinstance(e, Step)] == [21, 41]
    assert found.outcome.steps == 41


def test_one_strategy_alone(network, regression):
    found = Run(network, psnr=[90.0], strategy="head")
    assert [s.strategy for s, *_ in found.asked] == ["head"]
    assert found.asked[0][0].schedule.minutes == 10
    assert found.asked[0][1] is network
    assert Run(network, strategy="adapter").asked == []
    with pytest.raises(InputError, match="rootpoly-srgb has no trainable weights"):
        Run(regression, strategy="head")


def test_the_last_weights_are_kept_where_the_recipe_says_so(network):
    last = {"choose": "last"}
    found = Run(network, psnr=[-9.0], strategy="full", validation=last)
    assert found.outcome.after.mean["psnr_db"] == -9.0
    assert Run(network, psnr=[-9.0], strategy="full").outcome.model is None
    assert Run(network, psnr=[-9.0, -9.0], validation=last).outcome.strategy == "adapter"


def test_from_nothing_all_weights_are_trained(network):
    nothing = {"architecture": "edsr"}
    outcome = Run(network, psnr=[25.0], model=nothing).outcome
    assert (outcome.strategy, outcome.before) == ("full", None)
    assert outcome.after.mean["psnr_db"] == 25.0
    stopped = Run(network, psnr=[25.0], model=nothing, stopped=True).outcome
    assert stopped.steps == 20  # that were taken, whichever were the best
    with pytest.raises(InputError, match="adapter needs a start model"):
        Run(network, model=nothing, strategy="adapter")


def test_a_stop_hands_back_the_best_so_far(network):
    found = Run(network, psnr=[90.0], stopped=True)
    assert found.outcome.stopped
    assert found.outcome.strategy == "head"
    assert len(found.asked) == 1
    early = Run(network, stop_at=1).outcome  # right after the start was measured
    assert early.stopped
    assert early.model is None
    assert early.before is not None


def test_a_cancelled_measurement_is_a_stop(network):
    class Cancels(Run):
        def validate(self, model, step):
            raise Cancelled

    outcome = Cancels(network).outcome
    assert outcome.stopped
    assert outcome.kept == "It was stopped before anything was tried."


def test_the_head_is_first_and_last_layer_norms_and_biases():
    edsr = EDSR(width=8, blocks=1)
    matrices = [name for name in head_names(edsr) if edsr.get_parameter(name).ndim > 1]
    assert matrices == ["head.0.weight", "tail.0.weight"]
    assert "body.0.body.0.bias" in head_names(edsr)
    drcr = DRCR(width=16, blocks=1, hidden=2)
    names = head_names(drcr)
    assert {"input_conv2D.conv2d.weight", "output_conv2D.conv2d.weight"} <= set(names)
    assert {"output_prelu2D.weight", "denosing.conv_cat.bias"} <= set(names)
    assert "denosing.conv_cat.weight" not in names
    mst = MSTPlusPlus(stages=1)
    names = head_names(mst)
    assert {"conv_in.weight", "conv_out.weight"} <= set(names)
    assert any("norm" in name for name in names)
    assert sum(p.ndim > 1 for n, p in mst.named_parameters() if n in names) == 2
    adapted = around(edsr.state_dict(), adapter__weight=torch.rand(31, 34), adapter__bias=torch.zeros(31))  # fmt: skip
    wrapped = from_state_dict(adapted).module
    matrices = [n for n in head_names(wrapped) if wrapped.get_parameter(n).ndim > 1]
    assert matrices == ["network.head.0.weight", "adapter.weight"]
    assert "adapter.bias" in head_names(wrapped)


def test_without_weights_and_without_an_adapter_nothing_is_made(regression, monkeypatch):
    from napari_hsr.training import adapter

    def useless(model, *_):
        yield Preparing(0, 0, "Fitting the adapter")
        return model, adapter.Adapter(np.eye(31, 34), np.zeros(31), np.inf, 0.0)

    monkeypatch.setattr(adapter, "adapt", useless)
    found = Run(regression)
    assert found.outcome.model is None
    assert found.asked == []
    notices = [e.notice for e in found.events if isinstance(e, Noticed)]
    assert notices == [
        NO_ADAPTER,
        "rootpoly-srgb has no trainable weights, so only the adapter was tried.",
    ]
