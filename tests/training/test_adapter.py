"""The closed-form adapter: what it finds, what it leaves alone, and that it is the optimum."""

from dataclasses import replace

import numpy as np
import pytest

import napari_hsr
from napari_hsr.errors import InputError
from napari_hsr.models.input_rules import Maximum, Mean, MinMax, Symmetric
from napari_hsr.photograph import Photograph
from napari_hsr.training.adapter import PULLS, adapt, fit, quarter_sums, start_of
from napari_hsr.training.data.patches import undone
from napari_hsr.training.data.validation_images import validation_images
from napari_hsr.training.engine.band_interpolation import change_bands
from napari_hsr.training.events import Preparing
from napari_hsr.training.ridge import Sums, gather
from napari_hsr.training.validation import validate

from .stand_ins import GRID, image, recipe


@pytest.fixture(scope="module")
def model():
    return napari_hsr.load_model("rootpoly-srgb")


def problem(seed: int, pixels: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (4 spectra, 3 colours, 1), targets that are an affine map of them, and the map."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.random((7, pixels)), np.ones((1, pixels))])
    true = np.random.default_rng(99).normal(size=(4, 8))
    return x, true @ x, true


def adapted_to(*arguments):
    """The result of a generator that also says what it does."""
    events = adapt(*arguments)
    while True:
        try:
            assert isinstance(next(events), Preparing)
        except StopIteration as end:
            return end.value


START = np.concatenate([np.eye(4), np.zeros((4, 4))], axis=1)


def test_an_affine_map_is_found():
    parts = [gather(*problem(seed)[:2]) for seed in range(3)]
    adapter = fit(parts, START)
    true = problem(0)[2]
    np.testing.assert_allclose(adapter.matrix, true[:, :-1], atol=1e-4)
    np.testing.assert_allclose(adapter.offset, true[:, -1], atol=1e-4)
    assert adapter.gain_db > 50


def test_it_is_the_minimum_of_what_it_says_it_minimises():
    rng = np.random.default_rng(1)
    data = [(x, y + rng.normal(size=y.shape)) for x, y, _ in (problem(s, 60) for s in range(3))]
    parts = [gather(x, y) for x, y in data]
    adapter = fit(parts, START)
    assert 0 < adapter.pull < np.inf
    energy = np.mean([np.square(x).mean(axis=1) for x, _ in data], axis=0)

    def cost(matrix: np.ndarray) -> float:
        errors = [np.square(matrix @ x - y).sum(axis=0).mean() for x, y in data]
        return np.mean(errors) + adapter.pull * (energy * np.square(matrix - START)).sum()

    found = np.concatenate([adapter.matrix, adapter.offset[:, None]], axis=1)
    least = cost(found)
    used = slice(None) if adapter.offset.any() else slice(0, -1)
    for _ in range(20):
        other = found.copy()
        other[:, used] += 1e-2 * rng.normal(size=other[:, used].shape)
        assert cost(other) > least


def test_the_pull_is_the_one_that_helps_images_left_out():
    """By least squares on the pixels themselves, with the pull as rows of their own."""
    rng = np.random.default_rng(1)
    data = [(x, y + rng.normal(size=y.shape)) for x, y, _ in (problem(s, 60) for s in range(3))]
    scores = {}
    for used in (slice(0, -1), slice(None)):
        for pull in PULLS:
            gains = []
            for out in range(3):
                rest = [data[n] for n in range(3) if n != out]
                x = np.concatenate([x[used] for x, _ in rest], axis=1)
                y = np.concatenate([y - START @ x for x, y in rest], axis=1)
                energy = np.sqrt(np.square(x).mean(axis=1))
                rows = np.sqrt(pull * x.shape[1]) * np.diag(energy)
                left = np.concatenate([x.T, rows])
                right = np.concatenate([y.T, np.zeros((len(rows), 4))])
                matrix = START.copy()
                matrix[:, used] += np.linalg.lstsq(left, right, rcond=None)[0].T
                x, y = data[out]
                before, after = (np.square(m @ x - y).sum() for m in (START, matrix))
                gains.append(10 * np.log10(before / after))
            scores[np.mean(gains) - np.std(gains, ddof=1)] = (pull, used, np.mean(gains))
    pull, used, gain = scores[max(scores)]
    adapter = fit([gather(x, y) for x, y in data], START)
    assert adapter.pull == pull
    assert adapter.gain_db == pytest.approx(gain, rel=1e-6)
    assert adapter.offset.any() == (used == slice(None))


def test_noise_alone_changes_nothing():
    rng = np.random.default_rng(2)
    parts = []
    for _ in range(4):
        x = problem(int(rng.integers(1000)), 20)[0]
        parts.append(gather(x, START @ x + 0.3 * rng.normal(size=(4, 20))))
    adapter = fit(parts, START)
    small = np.abs(np.concatenate([adapter.matrix, adapter.offset[:, None]], axis=1) - START)
    assert adapter.gain_db < 0.5
    assert small.max() < 0.3


def test_where_images_contradict_each_other_the_start_stays():
    x = problem(0)[0]
    parts = [gather(x, START @ x + 0.2), gather(x, START @ x - 0.2)]
    adapter = fit(parts, START)
    assert adapter.pull == np.inf
    np.testing.assert_array_equal(adapter.matrix, START[:, :-1])
    assert not adapter.offset.any()


def test_sums_add_up_and_know_their_error():
    x, y, _ = problem(5)
    whole = gather(x, y)
    parts = gather(x[:, :150], y[:, :150]) + gather(x[:, 150:], y[:, 150:])
    for one, other in zip(vars(whole).values(), vars(parts).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    matrix = np.random.default_rng(0).normal(size=(8, 4))
    direct = np.square(matrix.T @ x - y).sum(axis=0).mean()
    assert whole.error(matrix) == pytest.approx(direct, rel=1e-9)
    assert whole.mean().error(matrix) == pytest.approx(direct, rel=1e-9)


def test_pixels_that_are_not_finite_are_left_out():
    x, y, _ = problem(5)
    broken = y.copy()
    broken[1, 3] = np.nan
    found = gather(x, broken)
    assert found.weight == x.shape[1] - 1
    assert np.isfinite(found.gram).all()


def test_one_part_alone_is_refused():
    with pytest.raises(InputError, match="needs two images"):
        fit([gather(*problem(0)[:2])], START)


@pytest.mark.parametrize(
    ("rule", "statistics", "expected"),
    [
        (MinMax(), (0.1, 0.9), (1, 0)),
        (Maximum(clip=True), 0.7, (1, 0)),
        (Symmetric(), None, (0.5, 0.5)),
        (Mean(), 0.3, (0.3, 0)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_a_rule_does_to_the_output(rule, statistics, expected):
    assert undone(rule, statistics) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rule", [None, MinMax(), Mean(), Symmetric()], ids=repr)
def test_the_sums_are_those_of_inference(model, rule):
    """The error of A⁰ that the sums give is the squared error of the product's own result."""
    network = model if rule is None else replace(model, rule=rule)
    one = image(1, height=21, width=18)
    given = next(iter(validation_images(one, GRID, recipe(), held_out=False)))
    quarters = quarter_sums(given, network, recipe())
    cube = napari_hsr.reconstruct(Photograph(one.rgb, "linear-srgb"), network, device="cpu")
    squared = np.square(cube.data.astype(np.float64) - one.cube).sum()
    matrix = start_of(network)[1].T
    if isinstance(rule, Symmetric):  # it cuts to 0..1 besides, which the sums do not
        assert np.isfinite(sum(q.error(matrix) for q in quarters))
        return
    assert [q.weight for q in quarters] == [90, 90, 99, 99]
    total = sum(q.error(matrix) * q.weight for q in quarters)
    assert total == pytest.approx(squared, rel=1e-4)


@pytest.mark.parametrize("number", [1, 3])
def test_a_model_is_adapted_to_images_and_gets_better_on_others(model, number):
    train = [image(seed) for seed in range(number)]
    held = [image(8), image(9)]
    adapted, adapter = adapted_to(model, train, recipe())
    before, after = (validate(m, held, recipe()).mean for m in (model, adapted))
    assert after["psnr_db"] > before["psnr_db"] + 3
    assert after["sam_deg"] < before["sam_deg"] - 1
    assert adapter.gain_db > 3
    assert adapted.card.architecture == "adapted"
    assert adapted.card.figures == {}
    assert model.card.figures  # the start stays


def test_adapting_again_replaces_the_adapter(model):
    train = [image(0), image(1)]
    once, first = adapted_to(model, train, recipe())
    network, start = start_of(once)
    assert network.card.architecture == "root-polynomial"
    np.testing.assert_allclose(start[:, :-1], first.matrix, rtol=1e-5, atol=1e-6)
    twice, _ = adapted_to(once, train, recipe())
    assert not any(key.startswith("network.network.") for key in twice.module.state_dict())


def test_an_adapter_on_another_grid(model):
    coarse = napari_hsr.Wavelengths(range(400, 701, 20))
    train = [replace(i, cube=i.cube[::2]) for i in (image(0), image(1), image(2))]
    moved = change_bands(model, coarse)
    adapted, _ = adapted_to(moved, train, recipe())
    held = [replace(image(9), cube=image(9).cube[::2])]
    before, after = (validate(m, held, recipe()).mean for m in (moved, adapted))
    assert adapted.wavelengths == coarse
    assert after["psnr_db"] > before["psnr_db"] + 3


def test_images_without_a_finite_pixel_are_refused(model):
    blank = replace(image(0), cube=np.full_like(image(0).cube, np.nan))
    with pytest.raises(InputError, match="no finite pixels"):
        adapted_to(model, [blank, blank], recipe())


def test_sums_are_plain_data():
    zero = Sums(np.zeros((2, 2)), np.zeros((2, 1)), 0.0, 3.0)
    assert zero.error(np.ones((2, 1))) == 0
