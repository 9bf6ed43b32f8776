"""Losses against plain NumPy, where they must not break, and over several processes."""

import math

import numpy as np
import pytest
import torch

from napari_hsr.errors import InputError
from napari_hsr.training.engine import losses
from napari_hsr.training.engine.losses import Loss, floor_at
from napari_hsr.training.recipe.schema import LossTerm

KINDS = ("l1", "rmse", "mrae", "sam")


def _batch(seed=0, n=4, bands=7, size=12):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, bands, size, size)) * rng.random((n, 1, 1, 1))
    return truth + 0.1 * rng.standard_normal(truth.shape), truth


def _tensors(*arrays):
    return tuple(torch.from_numpy(np.asarray(a, dtype=np.float32)) for a in arrays)


def _single(kind, **more):
    return Loss([LossTerm(kind=kind, **more)], 100)


def _numpy_mrae(p, t, share):
    per_value = []
    for mine, truth in zip(p, t, strict=True):
        least = share * truth.max()
        per_value.append(np.abs(mine - truth) / np.where(truth < least, least, truth))
    return np.mean(per_value)


def _numpy_sam(p, t):
    total = []
    for mine, truth in zip(p, t, strict=True):
        norm = np.sqrt((truth**2).sum(0))
        cos = (mine * truth).sum(0) / (np.sqrt((mine**2).sum(0)) * norm)
        weight = norm**2 / (norm**2 + (0.02 * norm.max()) ** 2)
        total.append(np.arccos(np.clip(cos, -1, 1)) * weight)
    return np.mean(total)


REFERENCES = {
    "l1": lambda p, t: np.mean(np.abs(p - t)),
    "rmse": lambda p, t: np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(p, t)]),  # noqa: B905
    "mrae": lambda p, t: _numpy_mrae(p, t, 1e-2),
    "sam": _numpy_sam,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_term_is_its_formula(kind):
    p, t = _batch()
    value, terms = _single(kind)(*_tensors(p, t), 0)
    assert value.dtype == torch.float32
    assert value.shape == ()
    assert terms[kind] == pytest.approx(REFERENCES[kind](p, t), rel=2e-5)
    assert float(value) == pytest.approx(terms[kind], rel=1e-6)


def test_a_sum_is_weighted_and_its_terms_are_not():
    p, t = _batch(1)
    terms = [
        LossTerm(kind="l1", weight=3),
        LossTerm(kind="mrae", weight=0.5),
        LossTerm(kind="mrae", weight=2, floor=(0.1, 0.1)),
    ]
    value, named = Loss(terms, 10)(*_tensors(p, t), 0)
    assert list(named) == ["l1", "mrae", "mrae-2"]
    expected = (
        3 * REFERENCES["l1"](p, t) + 0.5 * _numpy_mrae(p, t, 1e-2) + 2 * _numpy_mrae(p, t, 0.1)
    )
    assert float(value) == pytest.approx(expected, rel=1e-5)
    assert named["mrae-2"] == pytest.approx(_numpy_mrae(p, t, 0.1), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_of_two_halves_is_the_whole(kind):
    p, t = _tensors(*_batch(2))
    t[0] *= 0.01  # halves that are not alike
    loss = _single(kind)

    def gradient(rows):
        x = p.clone().requires_grad_()
        loss(x[rows], t[rows], 5)[0].backward()
        return x.grad

    whole = gradient(slice(None))
    halves = (gradient(slice(None, None, 2)) + gradient(slice(1, None, 2))) / 2
    torch.testing.assert_close(halves, whole, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "scene", ["black", "black-patch", "equal", "both-black", "opposite", "tiny", "black-pixel"]
)
def test_value_and_gradient_are_finite(kind, scene):
    p, t = _tensors(*_batch(3, n=2))
    if scene == "black":
        t[:] = 0
    elif scene == "black-patch":
        t[0] = 0
    elif scene == "equal":
        p = t.clone()
    elif scene == "both-black":
        p[:], t[:] = 0, 0
    elif scene == "opposite":
        p = -t
    elif scene == "tiny":
        p[:], t[:] = p * 1e-30, t * 1e-38
    else:
        t[:, :, 3, 3], p[:, :, 3, 3], p[:, :, 4, 4] = 0, 0, 0
    p.requires_grad_()
    value, terms = _single(kind, floor=(1e-6, 1e-6))(p, t, 0)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(p.grad).all()
    assert all(math.isfinite(number) for number in terms.values())


def test_zeros_in_the_truth_cost_what_the_floor_says():
    t = np.ones((1, 3, 8, 8))
    t[:, :, :2] = 0
    p = t + 0.01
    (value, _) = _single("mrae", floor=(0.1, 0.1))(*_tensors(p, t), 0)
    assert float(value) == pytest.approx(0.25 * 0.01 / 0.1 + 0.75 * 0.01, rel=1e-5)


def test_a_black_patch_counts_as_nothing_but_in_the_number_of_values():
    p, t = _batch(4, n=2)
    t[1] = 0
    value, _ = _single("mrae")(*_tensors(p, t), 0)
    assert float(value) == pytest.approx(_numpy_mrae(p[:1], t[:1], 1e-2) / 2, rel=1e-5)


def test_the_floor_falls_geometrically():
    assert floor_at((1e-2, 1e-4), 0, 101) == pytest.approx(1e-2)
    assert floor_at((1e-2, 1e-4), 50, 101) == pytest.approx(1e-3)
    assert floor_at((1e-2, 1e-4), 100, 101) == pytest.approx(1e-4)
    assert floor_at((1e-2, 1e-4), 5000, 101) == pytest.approx(1e-4)
    assert floor_at((1e-2, 1e-4), 0, 1) == pytest.approx(1e-2)
    p, t = _batch(5)
    t[:, :, :6] *= 1e-3
    loss = Loss([LossTerm(kind="mrae", floor=(1e-1, 1e-3))], 3)
    for step, share in ((0, 1e-1), (1, 1e-2), (2, 1e-3)):
        assert loss(*_tensors(p, t), step)[1]["mrae"] == pytest.approx(
            _numpy_mrae(p, t, share), rel=1e-5
        )


def test_a_total_that_is_found_later_moves_the_floor():
    p, t = _tensors(*_batch(5))
    t[:, :, :6] *= 1e-3
    loss = Loss([LossTerm(kind="mrae", floor=(1e-1, 1e-3))], 1000)
    early = loss(p, t, 10)[1]["mrae"]
    loss.total_steps = 11
    assert loss(p, t, 10)[1]["mrae"] > early


@pytest.mark.parametrize("degrees", [1e-3, 0.01, 1.0, 45.0, 89.0, 179.0])
def test_angles_are_exact_where_the_arc_cosine_is_not(degrees):
    angle = math.radians(degrees)
    t = np.zeros((1, 2, 8, 8))
    t[:, 0] = 0.5
    p = np.zeros_like(t)
    p[:, 0], p[:, 1] = math.cos(angle), math.sin(angle)
    _, terms = _single("sam")(*_tensors(p, t), 0)
    weight = 1 / (1 + 0.02**2)
    assert terms["sam"] == pytest.approx(angle * weight, rel=1e-4)


def test_nothing_predicted_is_a_right_angle_and_brightness_no_matter():
    p, t = _tensors(*_batch(6))
    loss = _single("sam")
    right = loss(torch.zeros_like(p), torch.ones_like(t), 0)[1]["sam"]
    assert right == pytest.approx(math.pi / 2 / (1 + 0.02**2), rel=1e-5)
    assert loss(3 * p, t, 0)[1]["sam"] == pytest.approx(loss(p, t, 0)[1]["sam"], rel=1e-5)


def test_dark_pixels_hardly_count_in_the_angle():
    p, t = _batch(7, n=1)
    t[:, :, :6] *= 1e-4
    p[:, :, :6] = np.random.default_rng(8).random(p[:, :, :6].shape)  # nonsense in the dark
    bright = _single("sam")(*_tensors(p[:, :, 6:], t[:, :, 6:]), 0)[1]["sam"]
    assert _single("sam")(*_tensors(p, t), 0)[1]["sam"] == pytest.approx(bright / 2, rel=1e-3)


def test_sums_are_of_float32_under_autocast_too():
    p, t = _tensors(*_batch(9))
    loss = Loss([LossTerm(kind=kind) for kind in KINDS], 10)
    plain, _ = loss(p, t, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within, _ = loss(p, t, 0)
    assert within.dtype == torch.float32
    assert float(within) == float(plain)
    half, _ = loss(p.bfloat16(), t, 0)
    assert half.dtype == torch.float32


def test_a_prediction_learns_towards_the_truth():
    p, t = _tensors(*_batch(10, n=1))
    p.requires_grad_()
    loss = Loss([LossTerm(kind=kind) for kind in KINDS], 10)
    before, _ = loss(p, t, 0)
    before.backward()
    with torch.no_grad():
        after, _ = loss(p - 0.05 * p.grad / p.grad.norm(), t, 0)
    assert after < before


def test_other_shapes_are_refused():
    p, t = _tensors(*_batch())
    with pytest.raises(InputError, match=r"\(4, 6, 12, 12\) and the truth's \(4, 7, 12, 12\)"):
        _single("l1")(p[:, :6], t, 0)
    with pytest.raises(InputError, match="batches of one shape"):
        _single("l1")(p[0], t[0], 0)
    with pytest.raises(InputError, match="one term at least"):
        Loss([], 10)


def test_the_terms_by_themselves_are_the_loss():
    p, t = _tensors(*_batch())
    assert float(losses.l1(p, t)) == _single("l1")(p, t, 0)[1]["l1"]
    assert float(losses.sam(p, t)) == _single("sam")(p, t, 0)[1]["sam"]
