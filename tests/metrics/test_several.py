"""Several predictions in one table, inside a region, and how different they look."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.cube import Cube
from napari_hsr.errors import InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.metrics import evaluate, evaluate_several
from napari_hsr.metrics.colour_difference import delta_e_2000, lights_named, xyz_to_lab
from napari_hsr.notices import Code, has

NM = np.arange(400.0, 701.0, 10.0)
#: Of the pairs that Sharma, Wu and Dalal published (Color Research and Application 30(1), 2005).
SHARMA = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
    ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


def cube(seed=0, noise=0.0, name="truth", **changes):
    data = np.random.default_rng(7).uniform(0.1, 0.8, (31, 20, 18))
    data = data + np.random.default_rng(seed).normal(0, noise, data.shape)
    return Cube(data, NM, units="reflectance", name=name, **changes)


@pytest.mark.parametrize(("one", "other", "expected"), SHARMA)
def test_delta_e_is_that_of_the_published_pairs(one, other, expected):
    assert delta_e_2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=5e-5)
    assert delta_e_2000(np.array(other), np.array(one)) == pytest.approx(expected, abs=5e-5)


def test_lab_is_that_of_colour_science():
    from napari_hsr.colour.observers import colour_science

    colour = colour_science()
    white = np.array([95.047, 100.0, 108.883])
    xyz = np.random.default_rng(0).uniform(0, 1, (50, 3)) * white
    xyz[:10] *= 0.005  # in the linear part
    expected = colour.XYZ_to_Lab(xyz / 100, colour.XYZ_to_xy(white / 100))
    np.testing.assert_allclose(xyz_to_lab(xyz, white), expected, atol=1e-4)


def test_delta_e_depends_on_the_light():
    made = evaluate(cube(1, 0.02), cube(), lights=["D65", "A", "3200K"])
    assert list(made.delta_e) == ["D65", "A", "3200K"]
    assert len(set(made.delta_e.values())) == 3
    assert all(0.1 < value < 5 for value in made.delta_e.values())
    assert evaluate(cube(), cube(), lights=["A"]).delta_e == {"A": 0.0}
    assert made.to_dict()["delta_e_2000"]["A"] == made.delta_e["A"]
    assert "ΔE00 A" in made.table()


def test_delta_e_of_flat_greys_is_that_of_their_lightness():
    """For neutral colours ΔE00 depends on L* alone, under every light."""
    pair = [Cube(np.full((31, 3, 3), v), NM, units="reflectance") for v in (0.5, 0.4)]
    made = evaluate(*pair, lights=["D65", "FL11"])
    one, two = (116 * v ** (1 / 3) - 16 for v in (0.5, 0.4))
    middle = ((one + two) / 2 - 50) ** 2
    expected = (one - two) / (1 + 0.015 * middle / np.sqrt(20 + middle))
    np.testing.assert_allclose(list(made.delta_e.values()), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"units": "W m-2 sr-1 nm-1"}, "light of its own"),
        ({"wavelengths": None}, "not known"),
        ({"wavelengths": NM + 600}, "ΔE00 cannot be given"),
        ({"data": np.full((31, 20, 18), 4000.0)}, "reaches 4000"),
    ],
)
def test_delta_e_of_other_things_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        evaluate(cube().replace(**change), cube().replace(**change), lights=["D65"])


def test_percent_is_a_reflectance():
    percent = [one.replace(data=100 * one.data, units="%") for one in (cube(1, 0.02), cube())]
    found = evaluate(percent[0], cube(), lights=["D65"]).delta_e["D65"]
    assert found == pytest.approx(evaluate(cube(1, 0.02), cube(), lights=["D65"]).delta_e["D65"])


def test_lights_that_are_none():
    with pytest.raises(InputError, match="temperature"):
        lights_named(["blackbody"])
    with pytest.raises(InputError, match="not known"):
        lights_named(["moonshine"])


@pytest.mark.parametrize("lazy", [False, True])
def test_a_region_has_the_figures_of_its_part_alone(lazy):
    part = (slice(None), slice(2, 17), slice(3, 16))
    mask = np.zeros((20, 18), bool)
    mask[part[1:]] = True
    pair = [cube(1, 0.05), cube()]
    pair[0].data[4, 3, 3] = np.nan
    pair[0].data[4, 0, 0] = np.nan
    expected = evaluate(*(one.replace(data=one.data[part]) for one in pair), lights=["A"])
    if lazy:
        pair = [one.replace(data=LazyArray(one.data)) for one in pair]
    found = evaluate(*pair, mask=mask, lights=["A"])
    for key, value in expected.values.items():
        assert found.values[key] == pytest.approx(value, rel=1e-12), key
    assert found.delta_e["A"] == pytest.approx(expected.delta_e["A"])
    assert {k: v for k, v in found.excluded.items() if k != "ssim_windows"} == pytest.approx(
        {k: v for k, v in expected.excluded.items() if k != "ssim_windows"}
    )
    assert has(found.notes, Code.REGION)
    assert "195 of 360" in found.notes[0]


def test_a_region_without_a_whole_window_of_ssim_says_so():
    mask = np.zeros((20, 18), bool)
    mask[4:14, 1:17] = True
    told = "SSIM is not defined: no window of 11 x 11 pixels lies wholly inside the region."
    assert told in evaluate(cube(1, 0.05), cube(), mask=mask).notes
    mask[4:15] = True
    found = evaluate(cube(1, 0.05), cube(), mask=mask)
    assert np.isfinite(found.values["ssim"])
    missing = cube(1, 0.05)
    missing.data[:] = np.nan
    missing.data[:, ::12, ::9] = 0.5
    told = "SSIM is not defined: every window holds a value that is not finite."
    assert told in evaluate(missing, cube(), mask=mask).notes


@pytest.mark.parametrize("mask", [np.zeros((20, 18)), np.ones((3, 3))])
def test_a_region_without_pixels_or_of_another_size_is_refused(mask):
    with pytest.raises(InputError, match="region"):
        evaluate(cube(1, 0.1), cube(), mask=mask)


def test_the_table_marks_the_best_of_each_figure():
    rough, fine = cube(1, 0.1, "rough"), cube(2, 0.01, "fine")
    made = evaluate_several([rough, fine, rough], cube(), lights=["D65"])
    assert made.names == ("rough", "fine", "rough (2)")
    assert made.columns[-1].head == "ΔE00 D65 ↓"
    assert {column.head for column in made.columns} >= {"PSNR (dB) ↑", "SAM (°) ↓"}
    assert all(made.best(column) == (1,) for column in made.columns)
    lines = made.table(("<", ">")).splitlines()
    assert lines[1].endswith("ΔE00 D65 ↓")
    assert lines[3].count("*") == lines[3].count("<") == len(made.columns)
    assert "*" not in lines[2] + lines[4]
    assert made.to_dict()["columns"][0]["best"] == ["fine"]
    assert made.to_csv().splitlines()[2].startswith("fine,")
    alone = evaluate(fine, cube(), lights=["D65"])
    assert made.evaluations[1].values == alone.values


def test_equal_rows_are_both_best():
    made = evaluate_several([cube(name="a"), cube(name="b")], cube())
    psnr = next(column for column in made.columns if column.key == "psnr")
    assert made.best(psnr) == (0, 1)
    assert made.text(0, psnr) == "inf"


def test_unlike_grids_are_refused_by_name_or_resampled():
    fine = np.arange(400.0, 701.0, 4.0)
    other = Cube(np.random.default_rng(0).random((fine.size, 20, 18)), fine + 1, name="other")
    with pytest.raises(InputError, match=r"^other: "):
        evaluate_several([cube(1, 0.1, "one"), other], cube())
    made = evaluate_several([cube(1, 0.1, "one"), other], cube(), resample=True)
    assert has(made.evaluations[1].notes, Code.RESAMPLED)
    with pytest.raises(InputError):
        evaluate_several([], cube())
