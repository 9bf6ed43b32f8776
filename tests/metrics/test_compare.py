"""The comparison as a generator: same figures as the library, progress, an end when asked."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.metrics import PROTOCOLS, evaluate, maps, several
from napari_hsr.metrics.compare import MAPS, Comparison, Outline, compare_events, why_not
from napari_hsr.progress import Progress

NM = np.arange(400.0, 501.0, 10.0)


def pair(shape=(11, 20, 24), nm=NM):
    rng = np.random.default_rng(5)
    truth = 0.1 + 0.8 * rng.random(shape, dtype=np.float32)
    guess = truth + 0.05 * rng.standard_normal(shape).astype(np.float32)
    return Cube(guess, Wavelengths(nm), units="reflectance"), Cube(
        truth, Wavelengths(nm), units="reflectance"
    )


def run(*cubes, **options):
    events = list(compare_events(*cubes, **options))
    assert isinstance(events[-1], Comparison)
    assert all(isinstance(event, Progress) for event in events[:-1])
    return events[-1]


def threads():
    return [t for t in threading.enumerate() if "Compare" in t.name]


def test_figures_and_maps_are_those_of_the_library():
    cubes = pair()
    found = run(*cubes, maps=MAPS, window=5)
    assert found.evaluation.to_dict() == evaluate(*cubes).to_dict()
    arrays = [cube.data for cube in cubes]
    expected = {
        "sam": maps.sam(*arrays),
        "rmse": maps.rmse(*arrays, unit="reflectance"),
        "mrae": maps.mrae(*arrays),
        "psnr": maps.psnr(*arrays),
        "psnr_window": maps.psnr_window(*arrays, size=5),
    }
    assert list(found.maps) == list(expected)
    for name, made in found.maps.items():
        np.testing.assert_array_equal(made.data, expected[name].data)
        assert (made.name, made.unit, made.limits) == (
            expected[name].name,
            expected[name].unit,
            expected[name].limits,
        )


def test_maps_agree_with_the_figures():
    found = run(*pair(), maps=("sam", "rmse"))
    assert found.maps["sam"].data.mean() == pytest.approx(found.evaluation.values["sam"], rel=1e-5)
    rmse = np.sqrt((found.maps["rmse"].data.astype(float) ** 2).mean())
    assert rmse == pytest.approx(found.evaluation.values["rmse"], rel=1e-5)


def test_maps_take_the_protocols_full_scale():
    rules = replace(PROTOCOLS["default"], name="twice", peak=2.0)
    small, large = (run(*pair(), protocol=p, maps=("psnr",)) for p in ("default", rules))
    difference = large.maps["psnr"].data - small.maps["psnr"].data
    np.testing.assert_allclose(difference, 20 * np.log10(2), rtol=1e-5)


def test_maps_on_common_bands_only():
    guess, truth = pair()
    coarse = Cube(truth.data[::2], Wavelengths(NM[::2]))
    found = run(guess, coarse, maps=("rmse",))
    expected = np.sqrt(((guess.data[::2].astype(float) - coarse.data) ** 2).mean(axis=0))
    np.testing.assert_allclose(found.maps["rmse"].data, expected, rtol=1e-5)


def test_progress_only_rises_and_names_each_step():
    events = list(compare_events(*pair((11, 200, 240)), maps=("sam", "psnr")))[:-1]
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == events[-1].total
    assert len({event.total for event in events}) == 1
    assert list(dict.fromkeys(event.message for event in events)) == [
        "Figures",
        MAPS["sam"],
        MAPS["psnr"],
    ]


def test_cancelled_between_blocks():
    cancel, heard = threading.Event(), []

    def listen():
        for event in compare_events(*pair(), maps=MAPS, cancel=cancel):
            heard.append(event.message)
            if event.message == MAPS["sam"]:
                cancel.set()

    with pytest.raises(Cancelled):
        listen()
    assert heard[-1] == MAPS["sam"]
    assert not threads()


def test_the_work_ends_with_whoever_listens(monkeypatch):
    ended = []

    def endless(*_cubes, cancel, **_options):
        try:
            while True:
                yield Progress(1, 10)
        finally:
            ended.append(cancel)

    monkeypatch.setattr(several, "evaluate_events", endless)
    events = compare_events(*pair())
    next(events)
    next(events)
    events.close()
    assert ended
    assert not threads()


def test_a_fault_inside_comes_out(monkeypatch):
    def refuse(*_cubes, **_options):
        raise InputError("No.")

    monkeypatch.setattr(several, "evaluate_events", refuse)
    with pytest.raises(InputError, match=r"No\."):
        list(compare_events(*pair()))
    assert not threads()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"maps": ("angle",)}, "angle"),
        ({"maps": ("psnr_window",), "window": 4}, "odd"),
        ({"maps": ("psnr_window",), "window": 1}, "odd number of pixels from 3"),
        ({"maps": ("psnr_window",), "window": 21}, "20 x 24"),
        ({"protocol": "nonsense"}, "nonsense"),
        ({"protocol": "mstpp-validation"}, "128"),
    ],
)
def test_refused_before_and_in_the_run_in_the_same_words(options, words):
    cubes = pair()
    reason = why_not(*cubes, **options)
    assert words in reason
    with pytest.raises(InputError) as caught:
        list(compare_events(*cubes, **options))
    assert str(caught.value) == reason


def test_the_window_matters_only_to_its_map():
    assert why_not(*pair(), window=4, maps=("sam",)) is None


def test_why_not_reads_no_data():
    guess = Cube(Outline((31, 10**6, 10**6)), Wavelengths(np.arange(400, 701, 10.0)))
    truth = Cube(Outline((31, 10**6, 10**6)), Wavelengths(np.arange(400, 701, 10.0)))
    assert why_not(guess, truth) is None
    assert "size" in why_not(guess, Cube(Outline((31, 10**6, 7)), truth.wavelengths))
    assert "nm" in why_not(guess, Cube(Outline((31, 10**6, 10**6)), truth.wavelengths.nm + 500))
    irregular = np.delete(np.arange(400, 701, 10.0), [3, 9])
    assert why_not(guess, Cube(Outline((29, 10**6, 10**6)), irregular)) is None
    complex_cube = Cube(Outline((31, 10**6, 10**6), np.complex64), truth.wavelengths)
    assert "real numbers" in why_not(guess, complex_cube)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [("mstpp-validation", "128 pixels"), ("cave-val", "as they are"), ("mxrunet", "MRAE map")],
)
def test_says_where_maps_and_figures_differ(protocol, words):
    cubes = pair((3, 270, 270), NM[:3])
    found = run(*cubes, protocol=protocol, maps=("sam", "mrae"))
    assert any(words in note for note in found.notes)
    angles, relative = run(*cubes, maps=("sam", "mrae")).notes
    assert angles.startswith("SAM (°) map: The colours go from 0 to ")
    assert "all values: " in angles  # the maximum is told
    assert relative.startswith("MRAE map: The colours go from 0 to ")


def test_says_what_the_maps_leave_out():
    guess, truth = pair()
    truth.data[:, :2, :3] = 0
    found = run(guess, truth, maps=("sam",))
    note, clipped = found.notes
    assert note.startswith("SAM (°) map: 6 ")
    assert clipped.startswith("SAM (°) map: The colours go from 0 to ")
    assert np.isnan(found.maps["sam"].data).sum() == 6
