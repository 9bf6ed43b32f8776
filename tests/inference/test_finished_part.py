"""A cancelled run hands over what was finished, and the rest is empty."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_hsr import Cube, Photograph, load_model, super_resolve
from napari_hsr.errors import Cancelled
from napari_hsr.inference import reconstruct, reconstruct_events, super_resolve_events
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.result_place import Memory
from napari_hsr.io import lazy
from napari_hsr.notices import Code, has

MODEL = "rootpoly-srgb"


@pytest.fixture(scope="module")
def photograph():
    values = np.random.default_rng(4).integers(20, 230, (40, 48, 3))
    return Photograph(values.astype(np.uint8), name="scene")


def stopped(photograph, model, after, **options):
    """What a run that is cancelled before some tile hands over."""
    cancel = threading.Event()
    work = reconstruct_events(photograph, model, cancel=cancel, **options)
    for event in work:
        if event.total and event.done == after:
            break
    cancel.set()
    with pytest.raises(Cancelled) as found:
        list(work)
    return found.value.part


def test_finished_tiles_are_kept_and_the_rest_is_nan(photograph):
    part = stopped(photograph, MODEL, 2, tile=16)
    whole = reconstruct(photograph, MODEL)
    known = np.isfinite(part.cube.data).all(axis=0)
    assert 0 < known.mean() < 0.5
    np.testing.assert_array_equal(part.cube.data[:, known], whole.data[:, known])
    assert np.isnan(part.cube.data[:, ~known]).all()
    assert has(part.notices, Code.CANCELLED_PART)
    assert f"{100 * known.mean():.0f}%" in part.notices[0]
    assert part.cube.provenance.model == MODEL


def test_the_rest_of_a_large_cube_is_not_written(photograph, monkeypatch):
    """That would take seconds where a run is to end at once, and memory that the run never took."""
    plain = stopped(photograph, MODEL, 2, tile=16).cube.data
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    part = stopped(photograph, MODEL, 2, tile=16).cube
    assert not isinstance(part.data, np.ndarray)
    np.testing.assert_array_equal(np.asarray(part.data), plain)
    np.testing.assert_array_equal(part.data[3:7, 5, 2:40:3], plain[3:7, 5, 2:40:3])
    assert part.value_range == (np.nanmin(plain), np.nanmax(plain))


def test_where_nothing_is_finished_nothing_is_looked_at():
    kept = Memory((31, 4, 5), "")
    assert kept.finished_part()[0] == 0
    output = kept.output(plan_run(load_model(MODEL), 4, 5, device="cpu"))
    output.covered = None  # never asked
    assert kept.finished_part()[0] == 0


def test_where_tiles_are_blended_only_what_all_of_them_gave_counts(photograph):
    model = replace(load_model(MODEL), context=None)
    part = stopped(photograph, model, 2, tile=24)
    whole = reconstruct(photograph, model, tile=24)
    known = np.isfinite(part.cube.data).all(axis=0)
    assert 0 < known.mean() < 1
    np.testing.assert_allclose(part.cube.data[:, known], whole.data[:, known], atol=1e-5)


def test_before_the_first_tile_there_is_nothing_and_on_disk_the_store_keeps_it(
    photograph, tmp_path
):
    assert stopped(photograph, MODEL, 0, tile=16) is None
    assert stopped(photograph, MODEL, 2, tile=16, output=tmp_path / "x.zarr") is None
    assert (tmp_path / "x.unfinished.zarr").is_dir()


def test_exact_spectra_that_are_half_projected_are_not_handed_over(photograph):
    work = reconstruct_events(photograph, MODEL, exact=True, camera="cie-1931")
    next(event for event in work if event.message.startswith("Projecting"))
    with pytest.raises(Cancelled) as found:
        work.throw(Cancelled())
    assert found.value.part is None


#: In float32: where processors multiply in bfloat16, tiles of other sizes differ by its rounding.
PLAIN = {"denoise": False, "precision": "float32"}


def finer(cube, at, **options):
    """What a super-resolution that is cancelled where ``at`` holds of its progress hands over."""
    work = super_resolve_events(cube, "coarsr-x2", tile=16, **options)
    next(event for event in work if at(event))
    with pytest.raises(Cancelled) as found:
        work.throw(Cancelled())
    return found.value.part


@pytest.fixture(scope="module")
def coarse():
    values = np.random.default_rng(5).random((6, 32, 40), np.float32)
    values[2, 3, 4] = np.nan
    return Cube(values, name="field")


def test_finer_tiles_are_kept_and_the_rest_is_nan(coarse):
    part = finer(coarse, lambda event: event.share > 0.4, **PLAIN)
    whole = super_resolve(coarse, "coarsr-x2", **PLAIN)
    known = np.isfinite(part.cube.data[0])
    assert 0 < known.mean() < 1
    np.testing.assert_allclose(part.cube.data[:, known], whole.data[:, known], atol=1e-5)
    assert np.isnan(part.cube.data[2, 6:8, 8:10]).all()  # what was missing stays so
    assert np.isnan(part.cube.data[:, ~known]).all()
    assert has(part.notices, Code.CANCELLED_PART)
    assert f"{100 * known.mean():.0f}%" in part.notices[0]
    assert part.cube.name == whole.name
    assert finer(coarse, lambda event: event.message == "Super-resolving") is None


@pytest.mark.parametrize("refine", [False, "back-projection"])
def test_all_of_a_finer_cube_is_kept_where_only_its_comparison_is_missing(coarse, refine):
    late = 0.96 if not refine else 0.85
    part = finer(coarse, lambda event: event.share > late, refine=refine, **PLAIN)
    whole = super_resolve(coarse, "coarsr-x2", **PLAIN)
    np.testing.assert_allclose(part.cube.data, whole.data, atol=1e-5)
    assert "all pixels are there" in part.notices[0]


def test_of_an_interpolation_nothing_is_handed_over(coarse):
    work = super_resolve_events(coarse, "bicubic-matlab", 2)
    next(event for event in work if event.total)
    with pytest.raises(Cancelled) as found:
        work.throw(Cancelled())
    assert found.value.part is None
