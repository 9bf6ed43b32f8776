"""Intervals, spread and what is unlike the training, from the run to the files."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from napari_hsr import Photograph, load_model, reconstruct
from napari_hsr.colour import decode_photograph_tile
from napari_hsr.errors import InputError
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.trust.intervals import Looker
from napari_hsr.inference.trust.model_disagreement import witnesses_of
from napari_hsr.models import list_models
from napari_hsr.models.card import RECONSTRUCTION
from napari_hsr.models.interval_table import IntervalTable, decoded, encoded
from napari_hsr.notices import Code, has
from napari_hsr.progress import result_of
from napari_hsr.trust.difficulty import (
    DARK,
    RARITY_CELLS,
    cell_colours,
    chromaticity_cell,
    difficulty,
    rarity,
)


def table_for(model, **changes):
    """Half-widths 0.1 · (level + 1) for pixels, a tenth of it for regions; warm colours are usual."""
    rows = np.arange(RARITY_CELLS)
    rare = np.where(np.add.outer(rows, 0 * rows) >= RARITY_CELLS // 3, 2.0, 12.0)
    levels = 0.1 * np.arange(1, 4)[:, None] * np.ones(31)
    made = IntervalTable(
        weights_sha256=model.weights_sha256,
        coverage=0.9,
        witnesses=witnesses_of(model).hashes,
        slopes=(0.5, 0.1),
        rarity=encoded(rare),
        edges=(0.3, 0.6),
        half_widths=tuple(map(tuple, levels.tolist())),
        region_half_widths=tuple(map(tuple, (levels / 10).tolist())),
        unlike_above=0.6,
        largest=1.0,
        photographs=90,
        calibrated_on="boards",
    )
    return made.model_copy(update=changes)


@pytest.fixture(scope="module")
def model():
    plain = load_model("rootpoly-srgb")
    return replace(plain, card=plain.card.model_copy(update={"intervals": table_for(plain)}))


@pytest.fixture
def photograph():
    image = np.random.default_rng(3).integers(10, 250, (30, 41, 3), dtype=np.uint8)
    image[:10, :10] = (200, 120, 90)
    image[20:, 20:] = (30, 60, 240)
    return Photograph(image, encoding="srgb")


@pytest.fixture
def result(model, photograph):
    return result_of(reconstruct_events(photograph, model, intervals=True))


NEGATIVE = [[-0.1] * 31] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"half_widths": NEGATIVE},
        {"half_widths": [[0.1] * 31, [0.1] * 31, [0.1] * 30 + [-0.1]]},
        {"half_widths": [[0.0] * 31] * 3},
        {"half_widths": [[1e30] * 31] * 3},
        {"half_widths": [[0.1] * 31] * 2},
        {"half_widths": [[0.1] * 31, [0.1] * 30, [0.1] * 31]},
        {"half_widths": [[0.1] * 30] * 3, "region_half_widths": [[0.1] * 30] * 3},
        {"region_half_widths": [[0.1]] * 3},
        {"edges": [0.6, 0.3]},
        {"edges": []},
        {"centres": [0.2, 0.5]},
        {"centres": [0.5, 0.2, 0.8]},
        {"largest": 1e-300},
        {"largest": float("inf")},
        {"slopes": [-9.0, 0.1]},
        {"slopes": [1e308, 1e308]},
        {"camera": [[1.0, 2.0, 3.0]] * 5},
        {"rarity": ["?" * RARITY_CELLS] * RARITY_CELLS},
        {"rarity": ["é" * RARITY_CELLS] * RARITY_CELLS},
        {"rarity": ["0" * (RARITY_CELLS - 1)] * RARITY_CELLS},
    ],
)
def test_a_table_of_intervals_that_makes_none_is_refused_with_its_card(model, changes):
    """Lower ends had been above upper ones, and called 90% of all pixels."""
    whole = model.card.model_dump(mode="json")
    assert type(model.card).model_validate(whole) == model.card
    damaged = {**whole, "intervals": {**whole["intervals"], **changes}}
    with pytest.raises(ValidationError):
        type(model.card).model_validate(damaged)


def test_the_cube_is_that_of_a_run_without_them(model, photograph, result):
    np.testing.assert_array_equal(result.cube.data, reconstruct(photograph, model).data)


def test_half_widths_are_those_of_the_level_times_the_brightness(result):
    intervals = result.trust.intervals
    brightness = result.cube.data.mean(axis=0) + DARK
    hard = 0.6 * intervals.unlike
    expected = 0.1 * (1 + np.digitize(hard, [0.3, 0.6])) * brightness * np.maximum(1, hard)
    assert len(np.unique(intervals.level)) > 1
    np.testing.assert_allclose(intervals.half_width(7), expected, rtol=1e-5)
    np.testing.assert_allclose(intervals.half_width()[7], expected, rtol=1e-5)
    np.testing.assert_allclose(
        intervals.half_width(slice(3, 5), slice(4, 6)), expected[None, 4:6].repeat(2, 0), rtol=1e-5
    )
    np.testing.assert_allclose(intervals.pixel(4, 5), expected[4, 5], rtol=1e-5)
    np.testing.assert_allclose(intervals.mean_half_width(), expected, rtol=1e-5)
    relative = intervals.mean_half_width(result.cube.data)
    np.testing.assert_allclose(relative, expected / result.cube.data.mean(axis=0), rtol=1e-5)


def test_with_centres_they_follow_the_difficulty_without_steps(model, photograph, result):
    """From row to row linearly in its logarithm; the ends hold beyond."""
    table = table_for(model, centres=(0.2, 0.4, 0.8))
    other = replace(model, card=model.card.model_copy(update={"intervals": table}))
    found = result_of(reconstruct_events(photograph, other, intervals=True)).trust.intervals
    hard = 0.6 * found.unlike
    brightness = result.cube.data.mean(axis=0) + DARK
    row = np.clip(np.log2(hard / 0.2), 0, 2)
    assert len(np.unique(row)) > 100
    expected = 0.1 * (1 + row) * brightness * np.maximum(1, hard)
    np.testing.assert_allclose(found.half_width(7), expected, rtol=1e-4)
    np.testing.assert_allclose(found.half_width(slice(3, 5))[1], expected, rtol=1e-4)
    np.testing.assert_allclose(found.mean_half_width(), expected, rtol=1e-4)
    np.testing.assert_allclose(found.pixel(4, 5), expected[4, 5], rtol=1e-4)
    mask = np.zeros((30, 41), bool)
    mask[:10, :10] = True  # all the same colour
    np.testing.assert_allclose(found.region(mask), found.pixel(3, 3) / 10, rtol=1e-3)
    order = np.argsort(hard.ravel())
    relative = (found.half_width(0) / brightness).ravel()[order]
    assert (np.diff(relative) >= -1e-6).all()
    assert table.level(np.array([np.nan])) == 2


def test_maps_are_computed_when_they_are_asked_for_and_no_pixel_waits_for_them(
    model, photograph, monkeypatch
):
    """A run looks at a sample; maps, pixels and the formula in double precision agree to float32."""
    monkeypatch.setattr("napari_hsr.inference.trust.intervals.SAMPLE_PIXELS", 100)
    monkeypatch.setattr("napari_hsr.inference.trust.intervals._BLOCK", 128)
    monkeypatch.setattr("napari_hsr.inference.trust.intervals.STRIP_PIXELS", 200)
    made, looked = [], Looker.new_maps
    monkeypatch.setattr(Looker, "new_maps", lambda self: made.append(self) or looked(self))
    table = table_for(model, centres=(0.2, 0.4, 0.8))
    other = replace(model, card=model.card.model_copy(update={"intervals": table}))
    run = result_of(reconstruct_events(photograph, other, intervals=True))
    found = run.trust.intervals
    record = run.cube.provenance.extra["trust"]
    pixel = found.pixel(4, 5)
    assert not made
    unlike = found.unlike
    assert len(made) == 1
    # A pixel alone may be added up in another order than within a map: twice what is allowed below.
    np.testing.assert_allclose(found.pixel(4, 5), pixel, rtol=4e-6)
    assert found.level.shape == found.scale.shape == unlike.shape == (30, 41)
    assert len(made) == 1
    assert run.trust.record() == record  # what was said of the sample stands
    assert record["unlike_training"] == pytest.approx((unlike > 1).mean(), abs=0.15)
    seen = witnesses_of(model)
    rgb = decode_photograph_tile(photograph.data, "srgb", seen.encoding).reshape(-1, 3).T
    cell, brightness = chromaticity_cell(rgb)
    spectra = run.cube.data.reshape(31, -1).astype(np.float64)
    apart = seen.mean[:, cell] * brightness.astype(np.float64) - spectra
    square = (apart**2).mean(axis=0) + seen.variance[cell] * brightness**2
    spread = np.sqrt(square) / (spectra.mean(axis=0) + DARK)
    np.testing.assert_allclose(found.spread.ravel(), spread, rtol=2e-6)
    hard = difficulty(spread, rarity(cell, decoded(table.rarity)), table.slopes)
    np.testing.assert_allclose(unlike.ravel(), hard / table.unlike_above, rtol=2e-6)
    level = np.interp(np.log(hard), np.log(table.centres), np.arange(3))
    np.testing.assert_allclose(found.level.ravel(), level, atol=2e-6)


def test_in_the_dark_intervals_are_wider_but_nothing_is_more_unlike(model, photograph, result):
    table = table_for(model, centres=(0.2, 0.4, 0.8), dark_slope=0.3)
    other = replace(model, card=model.card.model_copy(update={"intervals": table}))
    found = result_of(reconstruct_events(photograph, other, intervals=True)).trust.intervals
    np.testing.assert_array_equal(found.unlike, result.trust.intervals.unlike)
    brightness = result.cube.data.mean(axis=0) + DARK
    hard = 0.6 * found.unlike * brightness**-0.3
    expected = 0.1 * (1 + np.clip(np.log2(hard / 0.2), 0, 2)) * brightness * np.maximum(1, hard)
    np.testing.assert_allclose(found.half_width(7), expected, rtol=1e-4)


def test_what_is_missed_of_a_known_cameras_colours_counts():
    model = load_model("instant-nikon-d700")
    table, seen = model.card.intervals, witnesses_of(model)
    image = np.random.default_rng(0).random((30, 41, 3)).astype(np.float32)
    taken = Photograph(image, encoding="camera:nikon-d700")
    run = result_of(reconstruct_events(taken, model, intervals=True))
    spectra, rgb = run.cube.data.reshape(31, -1), image.reshape(-1, 3).T
    camera = np.array(table.camera)
    cell, brightness = chromaticity_cell(rgb)
    level = spectra.mean(axis=0) + DARK
    spread = np.sqrt(((seen.mean[:, cell] * brightness - spectra) ** 2).mean(axis=0)) / level
    grey = camera.sum(axis=0)[:, None]
    own = ((camera.T @ spectra - rgb) / grey) ** 2
    mean = ((camera.T @ seen.mean[:, cell] - cell_colours(cell)) / grey * brightness) ** 2
    missed = np.sqrt((own.mean(axis=0) + mean.mean(axis=0)) / 2) / level
    share = table.slopes[0]
    hard = (spread + 1e-3) ** share * (missed + 3e-4) ** (1 - share)
    assert 0 < share < 1
    unlike = run.trust.intervals.unlike.ravel()
    np.testing.assert_allclose(unlike, hard / table.unlike_above, rtol=1e-3)


def test_lower_and_upper_are_cubes_beside_it(result):
    lower, upper = result.trust.intervals.bounds(result.cube)
    half = result.trust.intervals.half_width()
    np.testing.assert_allclose(upper.data - result.cube.data, half, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(lower.data, np.maximum(result.cube.data - half, 0), atol=1e-6)
    assert lower.wavelengths == result.cube.wavelengths
    assert "90%" in upper.provenance.steps[-1]


def test_a_region_has_an_interval_of_its_own(result):
    mask = np.zeros((30, 41), bool)
    mask[:10, :10] = True
    intervals = result.trust.intervals
    np.testing.assert_allclose(intervals.region(mask), intervals.pixel(3, 3) / 10, rtol=1e-4)
    few = np.zeros_like(mask)
    few[:3, :5] = True  # no mean of so few pixels was calibrated
    np.testing.assert_allclose(intervals.region(few), intervals.pixel(3, 3), rtol=1e-4)
    with pytest.raises(InputError, match="no pixel"):
        intervals.region(np.zeros((30, 41), bool))


def test_rare_colours_and_disagreement_are_unlike_the_training(result):
    intervals = result.trust.intervals
    assert intervals.unlike[25, 30] > intervals.unlike[5, 5]  # blue never occurred
    hard = np.sqrt(intervals.spread + 1e-3) * np.exp(0.1 * decoded(intervals.table.rarity)[0, 0])
    assert intervals.unlike[25, 30] == pytest.approx(hard[25, 30] / 0.6, rel=1e-4)


def test_the_spread_is_disagreement_with_the_other_per_pixel_model(result, photograph):
    other = reconstruct(photograph, "instant-photo").data
    apart = np.sqrt(((other - result.cube.data) ** 2).mean(axis=0))
    expected = apart / (result.cube.data.mean(axis=0) + DARK)
    # the table has 256 cells a side: at the edge of all colours a cell is a large step
    off = np.abs(result.trust.intervals.spread - expected)
    assert np.median(off) < 0.004
    assert np.quantile(off, 0.99) < 0.02
    assert off.max() < 0.06


def test_figures_are_in_the_provenance_and_one_sentence_is_said(
    model, photograph, result, monkeypatch
):
    share = (result.trust.intervals.unlike > 1).mean()
    record = result.cube.provenance.extra["trust"]
    assert record["unlike_training"] == pytest.approx(share, abs=1e-4)
    assert record["intervals"] == 0.9
    assert record["interval_half_width_mean"] == pytest.approx(
        result.trust.intervals.half_width().mean(), rel=1e-3
    )
    assert has(result.notices, Code.INTERVALS)
    assert "intervals" not in result.cube.metadata["card"]
    assert share > 0.1
    said = [n for n in result.notices if has([n], Code.UNLIKE_TRAINING)]
    assert said == [f"{share:.0%} of this photograph is unlike what the model was trained on."]
    plain = reconstruct(photograph, model)  # every pixel of a small photograph is looked at
    assert [n for n in plain.notices if has([n], Code.UNLIKE_TRAINING)] == said
    sampling = "napari_hsr.inference.trust.intervals.SAMPLE_PIXELS"
    monkeypatch.setattr(sampling, photograph.height * photograph.width // 4)
    sampled = reconstruct(photograph, model)  # every second pixel of every second row
    [told] = [n for n in sampled.notices if has([n], Code.UNLIKE_TRAINING)]
    assert told.startswith("About ")
    monkeypatch.undo()
    table = table_for(model, unlike_above=9.0)
    tame = replace(model, card=model.card.model_copy(update={"intervals": table}))
    assert not has(reconstruct(photograph, tame).notices, Code.UNLIKE_TRAINING)


def test_beyond_what_was_seen_they_widen_in_proportion(model, photograph, result):
    narrow = table_for(model, largest=0.01)
    other = replace(model, card=model.card.model_copy(update={"intervals": narrow}))
    wide = result_of(reconstruct_events(photograph, other, intervals=True)).trust.intervals
    np.testing.assert_allclose(
        wide.half_width(0),
        result.trust.intervals.half_width(0)
        * (60 * wide.unlike)
        / np.maximum(1, 0.6 * wide.unlike),
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    "changes", [{"weights_sha256": "0" * 64}, {"witnesses": {"instant-photo": "1"}}]
)
def test_a_calibration_of_other_weights_is_not_used(model, photograph, changes):
    stale = replace(
        model, card=model.card.model_copy(update={"intervals": table_for(model, **changes)})
    )
    with pytest.raises(InputError, match="no calibrated intervals"):
        reconstruct(photograph, stale, intervals=True)
    assert not has(reconstruct(photograph, stale).notices, Code.UNLIKE_TRAINING)


def test_pixels_without_a_value_have_no_interval(model):
    rgb = np.full((6, 5, 3), 0.3, np.float32)
    rgb[2, 3, 1] = np.nan
    found = result_of(
        reconstruct_events(Photograph(rgb, encoding="linear-srgb"), model, intervals=True)
    ).trust.intervals
    assert np.isnan(found.half_width(0)).sum() == 1
    assert np.isnan(found.unlike).sum() == 1


def test_they_go_with_exact_colours(model, photograph, result):
    both = result_of(
        reconstruct_events(photograph, model, intervals=True, exact=True, camera="cie-1931")
    )
    np.testing.assert_array_equal(both.trust.intervals.scale, result.trust.intervals.scale)
    assert both.trust.colours.exact


def test_they_are_the_same_on_disk(model, photograph, tmp_path, monkeypatch):
    """The maps are read from the store under its final name, which it does not have during the run."""
    monkeypatch.setattr("napari_hsr.inference.trust.intervals.SAMPLE_PIXELS", 300)
    monkeypatch.setattr("napari_hsr.inference.trust.intervals.GRID_STEPS", 4)
    result = result_of(reconstruct_events(photograph, model, intervals=True))
    options = {"intervals": True, "output": tmp_path / "x.zarr"}
    stored = result_of(reconstruct_events(photograph, model, **options))
    assert not isinstance(stored.cube.data, np.ndarray)
    assert stored.trust.record() == result.trust.record()
    seen = result.trust.intervals.unlike[1::3, 1::3]  # of the grid, whatever it is read in
    assert stored.trust.intervals.unlike_share == pytest.approx((seen > 1).mean())
    for name in ("level", "scale", "spread", "unlike"):
        one, other = (getattr(r.trust.intervals, name) for r in (stored, result))
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        stored.trust.intervals.bounds(stored.cube)[1].data,
        result.trust.intervals.bounds(result.cube)[1].data,
    )


def test_every_bundled_model_is_calibrated_with_its_own_weights():
    """If it fails: ``python training/calibrate_intervals.py``, for all models."""
    for card in list_models():
        if card.task != RECONSTRUCTION:
            continue
        model = load_model(card.name)
        table, witnesses = card.intervals, witnesses_of(model)
        if witnesses is None:  # nothing to take a spread from
            continue
        assert table is not None, card.name
        assert table.weights_sha256 == model.weights_sha256, card.name
        assert table.witnesses == witnesses.hashes, card.name
        assert table.table.shape == (len(table.edges) + 1, model.bands)
        assert (table.table > 0).all()
        assert len(table.centres) == len(table.table), card.name
        for rows in (table.table, table.region_table):
            assert (np.diff(rows, axis=0) >= 0).all(), card.name  # harder, never narrower
        together = table.figures["all sources"]
        assert min(together["auroc"], together["auroc_relative"]) >= 0.75, card.name
        for kind in ("coverage", "coverage_regions"):
            held = {k: f[kind] for k, f in table.figures.items() if kind in f}
            assert len(held) == 7
            assert min(held.values()) >= 0.85, (card.name, kind)
            assert 0.87 <= held["CAVE val"] <= 0.93, (card.name, kind)


def test_the_table_of_rarity_goes_into_a_card_and_back():
    table = np.random.default_rng(0).uniform(0, 13.8, (RARITY_CELLS, RARITY_CELLS))
    rows = encoded(table)
    assert np.abs(decoded(rows) - table).max() <= 13.9 / 63 / 2 + 1e-9
    assert encoded(decoded(rows)) == rows
