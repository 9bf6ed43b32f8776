"""The learning rate against torch's own schedulers and fastai's one-cycle."""

import math
from itertools import pairwise

import pytest
import torch
from torch.optim import lr_scheduler

from napari_hsr.training.engine.learning_rate import first_beta, learning_rate
from napari_hsr.training.recipe.schema import OptimiserSettings, ScheduleSettings

RATE = 3e-4
OPTIMISER = OptimiserSettings(learning_rate=RATE)


def _rates(total, **settings):
    schedule = ScheduleSettings(steps=total, **settings)
    return [learning_rate(OPTIMISER, schedule, step, total) for step in range(total)]


def _torch_rates(total, make):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = make(optimiser)
    rates = []
    for _ in range(total):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        (
            {"kind": "cosine", "final": 2.5e-3},
            lambda o: lr_scheduler.CosineAnnealingLR(o, 90, eta_min=RATE * 2.5e-3),
        ),
        ({"kind": "constant"}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
        (
            {"kind": "polynomial", "power": 1.5},
            lambda o: lr_scheduler.PolynomialLR(o, 90, power=1.5),
        ),
        (
            {"kind": "halving", "every": 20},
            lambda o: lr_scheduler.MultiStepLR(o, [20, 40, 60, 80], gamma=0.5),
        ),
        (
            {"kind": "stepped", "every": 30, "factor": 0.1},
            lambda o: lr_scheduler.MultiStepLR(o, [30, 60], gamma=0.1),
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_courses_are_those_of_torch(settings, make):
    assert _rates(90, warmup=0, **settings) == pytest.approx(_torch_rates(90, make), rel=1e-6)


def test_one_cycle_is_fastais():
    total, rise = 200, 60
    rates = _rates(total, kind="one-cycle", final=1e-6, warmup=70)

    def annealed(start, end, share):
        return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)

    for step, rate in enumerate(rates):
        if step < rise:
            expected = annealed(RATE / 100, RATE, step / rise)
        else:
            expected = annealed(RATE, RATE / 1e6, (step - rise) / (total - rise))
        assert rate == pytest.approx(expected, rel=1e-6)
    assert max(rates) == rates[rise] == pytest.approx(RATE)
    assert rates[0] == pytest.approx(RATE / 100)


def test_one_cycle_lowers_the_first_beta_where_the_rate_is_high():
    optimiser = OptimiserSettings(betas=(0.95, 0.99))
    schedule = ScheduleSettings(steps=100, kind="one-cycle")
    betas = [first_beta(optimiser, schedule, step, 100) for step in range(101)]
    assert betas[0] == pytest.approx(0.95)
    assert betas[30] == min(betas) == pytest.approx(0.85)
    assert betas[100] == pytest.approx(0.95)
    assert first_beta(optimiser, ScheduleSettings(steps=100), 30, 100) == 0.95
    assert first_beta(OptimiserSettings(betas=(0.05, 0.9)), schedule, 30, 100) == 0


@pytest.mark.parametrize("kind", ["cosine", "constant", "polynomial"])
def test_warm_up_rises_in_equal_steps_and_then_the_course_begins(kind):
    rates = _rates(200, kind=kind, warmup=40)
    rises = [b - a for a, b in pairwise(rates[:41])]
    assert rates[0] == pytest.approx(RATE / 41)
    assert rises == pytest.approx([RATE / 41] * 40, rel=1e-6)
    assert rates[40] == pytest.approx(RATE)
    if kind == "cosine":
        assert rates[120] == pytest.approx(RATE * (1 + 1e-3) / 2, rel=1e-6)


def test_the_end_is_what_is_left():
    schedule = ScheduleSettings(steps=1000, kind="cosine", final=0.01)
    assert learning_rate(OPTIMISER, schedule, 1000, 1000) == pytest.approx(RATE * 0.01)
    assert learning_rate(OPTIMISER, schedule, 9999, 1000) == pytest.approx(RATE * 0.01)
    assert learning_rate(OPTIMISER, schedule, 999, 1000) == pytest.approx(RATE * 0.01, rel=1e-3)


@pytest.mark.parametrize("kind", ["cosine", "constant", "polynomial", "one-cycle", "halving"])
@pytest.mark.parametrize("total", [1, 2, 3, 20])
def test_short_trainings_have_rates_too(kind, total):
    rates = _rates(total, kind=kind, warmup=50)
    assert all(0 < rate <= RATE * (1 + 1e-9) for rate in rates)
    if total == 20 and kind not in ("one-cycle",):
        assert max(rates) == pytest.approx(RATE)


def test_a_rate_depends_on_nothing_but_its_step():
    schedule = ScheduleSettings(minutes=1, kind="cosine", warmup=10)
    forwards = [learning_rate(OPTIMISER, schedule, s, 77) for s in range(77)]
    backwards = [learning_rate(OPTIMISER, schedule, s, 77) for s in reversed(range(77))]
    assert forwards == backwards[::-1]
