"""A chart between four corners of a picture: its patches, what they say, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from skimage.draw import polygon

from napari_hsr import Photograph, reconstruct
from napari_hsr.cameras.estimate import GRID_NM, components_of, estimate_camera
from napari_hsr.cameras.profiles import list_profiles, read_profile, save
from napari_hsr.cameras.sensitivities import Camera
from napari_hsr.colour import rendering_matrix
from napari_hsr.errors import FileError, InputError
from napari_hsr.inference.region import of_photograph
from napari_hsr.inference.trust.run import colours_of, limits_of
from napari_hsr.models import load_model
from napari_hsr.notices import Code
from napari_hsr.trust.chart_layout import (
    CLASSIC,
    SG,
    _sg_colours,
    known_patches,
    quadrilaterals,
    reflectances_of,
)
from napari_hsr.trust.exact_colours import AT_LEAST, project
from napari_hsr.trust.linear_camera import linear_camera
from napari_hsr.trust.measured_chart import measure_chart, words

CORNERS = np.array([[12.0, 15], [9, 140], [95, 150], [100, 8]])
LIGHT = np.ones(31)


def curves(shift=0.0):
    """A camera of three bells."""
    bells = [np.exp(-0.5 * ((GRID_NM - at - shift) / 35) ** 2) for at in (600, 540, 460)]
    return np.stack(bells, axis=1)


def picture(colours, chart=CLASSIC, corners=CORNERS, size=(110, 160)):
    image = np.full((*size, 3), 0.03)
    for outline, colour in zip(quadrilaterals(corners, chart, 0.8), colours, strict=True):
        image[polygon(outline[:, 0], outline[:, 1], size)] = colour
    return image


@pytest.fixture(scope="module")
def seen():
    """The linear colours of the patches, of a camera without white balance."""
    matrix = curves()
    return reflectances_of(CLASSIC, GRID_NM) @ (matrix / matrix.sum(axis=0).max() * [0.5, 0.8, 0.6])


@pytest.fixture
def raw(seen):
    return Photograph(picture(seen), encoding="camera:mine", name="raw")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path))


def test_the_corners_of_the_layout_are_those_of_the_corner_patches():
    whole = quadrilaterals(CORNERS, CLASSIC, 1 / (1 + CLASSIC.gap))  # a patch without its gap
    for patch, corner in zip((0, 5, 23, 18), range(4), strict=True):
        np.testing.assert_allclose(whole[patch, corner], CORNERS[corner], atol=1e-9)


def test_a_chart_in_perspective_gives_white_balance_and_true_colours(raw, seen):
    profile, fit = measure_chart(raw, CORNERS, CLASSIC, "E", "mine")
    grey = fit.apply(seen[18:])
    assert np.ptp(grey[2]) < 0.02 * grey[2].max()  # neutral 6.5; the white is slightly yellow
    assert profile.delta_e == pytest.approx(np.nanmean(fit.delta_e))
    assert profile.delta_e < 0.5 * np.nanmean(fit.delta_e_before)
    assert "ΔE00" in words(profile, fit)
    linear = profile.apply(raw)
    assert linear.encoding == "linear-srgb"
    at = quadrilaterals(CORNERS, CLASSIC)[18].mean(axis=0).astype(int)
    np.testing.assert_allclose(linear.data[tuple(at)], grey[0], rtol=1e-4)
    assert profile.apply(linear) is linear  # not a second time
    with pytest.raises(InputError, match="is for photographs in camera:mine"):
        profile.apply(replace(raw, encoding="srgb"))


def test_an_sg_chart_is_known_by_its_colours():
    tinted = np.clip(_sg_colours() * [0.6, 0.9, 0.7], 1e-3, 0.98)
    corners = np.array([[4.0, 5], [4, 390], [280, 390], [280, 5]])
    photograph = Photograph(picture(tinted, SG, corners, (290, 400)), "linear-srgb", name="sg")
    profile, fit = measure_chart(photograph, corners, SG)
    assert profile.delta_e < 0.5
    np.testing.assert_allclose(fit.balance, [0.9 / 0.6, 1, 0.9 / 0.7], rtol=0.01)


def test_an_sg_chart_estimates_the_camera_too_by_the_patches_of_the_other_chart(
    raw, seen, monkeypatch
):
    numbers, known = known_patches(SG, GRID_NM)
    assert numbers[[0, 1, 6, 23]].tolist() == [18, 19, 32, 65]  # E2, F2, E3, J5
    mixed = np.random.default_rng(0).dirichlet(np.ones(24) / 4, len(SG))
    mixed[numbers] = np.eye(24)
    colours = mixed @ known @ rendering_matrix(GRID_NM, "D65")
    monkeypatch.setattr("napari_hsr.trust.chart_layout._sg_colours", lambda: colours)
    corners = np.array([[4.0, 5], [4, 390], [280, 390], [280, 5]])
    photograph = Photograph(picture(mixed @ seen, SG, corners, (290, 400)), "camera:mine", "sg")
    profile, fit = measure_chart(photograph, corners, SG)
    assert "Sensitivities were estimated, within" in words(profile, fit)
    alone, _ = measure_chart(raw, CORNERS, CLASSIC)
    np.testing.assert_allclose(profile.sensitivities, alone.sensitivities, rtol=1e-6, atol=1e-9)


def test_the_camera_is_estimated_with_its_uncertainty(raw, seen):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, "E")
    cameras = [Camera(f"c{i}", GRID_NM, curves(shift)) for i, shift in enumerate(range(-12, 13, 3))]
    known = components_of(cameras)
    found = estimate_camera(seen, reflectances_of(CLASSIC, GRID_NM), LIGHT, known)
    true = curves() / curves().sum(axis=0).max() * [0.5, 0.8, 0.6]
    apart = np.abs(found.sensitivities - true)
    assert np.sqrt((apart**2).sum() / (true**2).sum()) < 0.02
    assert found.sensitivities.min() >= 0
    assert (apart <= 3 * found.deviations + 1e-4).mean() > 0.9
    uneven = seen * np.linspace(1, 0.7, len(seen))[:, None]  # is told by the uncertainty
    found = estimate_camera(uneven, reflectances_of(CLASSIC, GRID_NM), LIGHT, known)
    apart = np.abs(found.sensitivities - true * 0.85)
    assert (apart <= 3 * found.deviations + 1e-4).mean() > 0.8
    # the bundled components are of cameras whose curves are no bells: about is enough
    held = linear_camera("linear-srgb", GRID_NM, f"profile:{save(profile)}")
    expected = true * np.array(profile.gains)
    assert np.linalg.norm(held.matrix - expected) < 0.35 * np.linalg.norm(expected)
    assert held.approximate
    with pytest.raises(
        InputError, match=r"Only 0 of the 24 patches .* twelve: expose the chart less"
    ):
        estimate_camera(np.ones((24, 3)), reflectances_of(CLASSIC, GRID_NM), LIGHT)


def test_exact_colours_under_a_profile_are_those_of_the_camera(raw, seen):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, "E")
    held = linear_camera("linear-srgb", GRID_NM, f"profile:{save(profile)}")
    applied = profile.apply(raw)
    rows = slice(30, 60)
    expected = raw.data[rows].reshape(-1, 3) * np.array(profile.gains)
    np.testing.assert_allclose(colours_of(applied, held, rows)[0].T, expected, rtol=1e-6)
    alone = replace(applied, measured=None)  # of a file, of which no more is known
    shown = (applied.data[rows] > 0).all(axis=-1).ravel()  # else it is outside sRGB, and 0
    assert shown.mean() > 0.9
    found = colours_of(alone, held, rows)[0].T
    np.testing.assert_allclose(found[shown], expected[shown], rtol=1e-4, atol=1e-5)
    pure = np.array([[1.0, 0, 0], [0, 0, 0]])  # of a camera or not, it stays a colour
    assert np.isfinite(held.colours(pure)).all()


def test_a_profile_is_kept_only_under_a_name_that_it_is_found_by(raw):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, "E")
    for length in (201, 300):
        with pytest.raises(InputError, match=f"has {length} letters: up to 200"):
            save(replace(profile, name="x" * length))
    assert not list_profiles()
    save(replace(profile, name="x" * 200))
    assert list_profiles() == ["x" * 200]


def test_exact_colours_under_a_profile_without_sensitivities_say_what_it_lacks():
    tinted = np.clip(_sg_colours() * [0.6, 0.9, 0.7], 1e-3, 0.98)
    corners = np.array([[4.0, 5], [4, 390], [280, 390], [280, 5]])
    photograph = Photograph(picture(tinted, SG, corners, (290, 400)), "linear-srgb", name="sg")
    profile, _ = measure_chart(photograph, corners, SG)
    lacks = dict.fromkeys(("wavelengths_nm", "sensitivities", "deviations"), ())
    camera = f"profile:{save(replace(profile, name='web', **lacks))}"
    small = replace(photograph, data=photograph.data[:4, :4])
    reconstruct(small, "rootpoly-srgb", camera=camera)  # colours alone need none
    with pytest.raises(InputError, match="profile web has no estimated sensitivities"):
        reconstruct(small, "rootpoly-srgb", camera=camera, exact=True)


def test_channels_that_the_camera_clipped_stay_inequalities_under_a_profile(raw, seen):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, "E")
    held = linear_camera("linear-srgb", GRID_NM, f"profile:{save(profile)}")
    gains = np.array(profile.gains)
    spectra = 0.8 * reflectances_of(CLASSIC, GRID_NM)[[15, 18]].T  # yellow and white
    light = spectra.T @ held.matrix / gains  # of the camera's channels
    bright = 1.4 / light.max(axis=1, keepdims=True)
    stored = np.clip(np.round(light * bright * 65535), 0, 65535).astype(np.uint16)
    taken = Photograph(stored[None], encoding="camera:mine")
    clipped = stored == 65535
    assert clipped.any(axis=1).all()
    assert not clipped.all()
    applied = profile.apply(taken)
    assert [notice.code for notice in applied.notices] == [Code.SATURATED]
    part = of_photograph(applied, load_model("rootpoly-srgb"), "0:1,1:2").photograph
    whole, alone = slice(0, 1), replace(applied, measured=None)
    for photograph, wanted in ((applied, clipped), (part, clipped[1:]), (alone, clipped)):
        colours, says = colours_of(photograph, held, whole)
        np.testing.assert_array_equal(says.T == AT_LEAST, wanted)
        _, high = limits_of(photograph, held, 0, 0)
        np.testing.assert_array_equal(np.isinf(high), wanted[0])
    # spectra with more light than the camera could tell have its colours, and stay as they are
    truth = spectra * bright.T
    colours, says = colours_of(applied, held, whole)
    found = project(truth, colours, held, says)
    np.testing.assert_allclose(found.spectra, truth, rtol=1e-3)
    assert found.residual.max() < 1e-3
    assert project(truth, colours, held).residual.min() > 0.05


def test_profiles_are_kept_listed_and_read_again(raw, tmp_path):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, name="My camera, daylight")
    path = save(profile)
    assert list_profiles() == ["My camera, daylight"]
    again = read_profile("profile:My camera, daylight")
    np.testing.assert_array_equal(again.apply(raw).data, profile.apply(raw).data)
    kept = json.loads(path.read_text())
    del kept["polynomial"]  # of before there was one
    (path.parent / "older.json").write_text(json.dumps(kept))
    older = read_profile(path.parent / "older.json").apply(raw).data
    by_matrix = raw.data * np.array(profile.gains) @ np.array(profile.matrix)
    np.testing.assert_allclose(older, np.maximum(by_matrix, 0), rtol=1e-4, atol=1e-6)
    (path.parent / "older.json").write_text(json.dumps({**kept, "polynomial": [[1, 2, 3]]}))
    with pytest.raises(FileError, match="no camera profile"):
        read_profile(path.parent / "older.json")
    (path.parent / "older.json").unlink()
    (path.parent / "broken.json").write_text(json.dumps({"profile": 1, "name": "x"}))
    assert len(list_profiles()) == 1
    with pytest.raises(FileError, match="no camera profile"):
        read_profile(path.parent / "broken.json")
    with pytest.raises(InputError, match="kept are: My camera, daylight"):
        read_profile("another")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ["x"]},
        {"encoding": "camera"},
        {"gains": ["1", "2", "3"]},
        {"gains": [1, 2, 1e308]},
        {"gains": [1, 0, 1]},
        {"gains": [-1, -1, -1]},
        {"matrix": [[1, 1, 1]] * 3},
        {"matrix": [[1, 2, 3]] * 2 + [[1, 2, None]]},
        {"delta_e": "small"},
        {
            "wavelengths_nm": [400, 400],
            "sensitivities": [[1, 1, 1]] * 2,
            "deviations": [[1, 1, 1]] * 2,
        },
        {"wavelengths_nm": [400, 410], "sensitivities": [[1, 1, 1]], "deviations": [[1, 1, 1]]},
        {"more": 1},
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_profile_is_refused(raw, tmp_path, wrong):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, name="Mine")
    path = save(profile, tmp_path / "mine.json")
    assert read_profile(path) == profile
    text = wrong if isinstance(wrong, str) else json.dumps(json.loads(path.read_text()) | wrong)
    path.write_text(text)
    with pytest.raises(FileError, match="no camera profile"):
        read_profile(path)


def test_a_profile_is_not_kept_in_the_place_of_another(raw):
    profile, _ = measure_chart(raw, CORNERS, CLASSIC, name="My camera")
    save(profile)
    save(profile)
    with pytest.raises(FileError, match="another profile"):
        save(replace(profile, name="my-camera"))
    with pytest.raises(InputError, match="no letter"):
        save(replace(profile, name="日本"))


def test_what_is_no_chart_or_not_all_of_it_is_refused_in_a_sentence(raw, seen):
    def refused(photograph, corners=CORNERS):
        with pytest.raises(InputError) as found:
            measure_chart(photograph, corners, CLASSIC, "E")
        return str(found.value)

    assert "upside down:" in refused(raw, CORNERS[[2, 3, 0, 1]])
    for quarter in (1, 3):
        assert "lies on its side" in refused(raw, np.roll(CORNERS, quarter, axis=0))
    for order in ([1, 0, 3, 2], [0, 3, 2, 1]):
        assert "is mirrored" in refused(raw, CORNERS[order])
    half = replace(raw, data=raw.data[:, :80])
    assert "2 of the four corners" in refused(half)
    assert "another chart" in refused(half, np.minimum(CORNERS, [109, 79]))
    assert "1 of the four corners" in refused(
        raw, np.add(CORNERS, [[0, 0], [0, 0], [0, 20], [0, 0]])
    )
    assert "cross" in refused(raw, CORNERS[[0, 2, 1, 3]])
    assert "too small" in refused(raw, CORNERS[0] + [[0, 0], [0, 9], [9, 9], [9, 0]])
    bright = replace(raw, data=np.minimum(raw.data * 30, 1))
    assert "over-exposed" in refused(bright)
    assert "not finite" in refused(replace(raw, data=raw.data * np.nan))
    dim = np.random.default_rng(0).normal(raw.data / 300, 0.001)
    assert "under-exposed" in refused(replace(raw, data=np.maximum(dim, 1e-6)))
    assert "four corners" in refused(raw, CORNERS * np.nan)
    noise = np.random.default_rng(0).uniform(0.1, 0.9, (24, 3))
    assert "another chart" in refused(replace(raw, data=picture(noise)))
    assert "state it first" in refused(replace(raw, encoding=None))


def test_corners_that_lie_beside_those_of_the_patches_are_doubted(raw):
    inwards = np.array([[12, 12], [12, -12], [-12, -12], [-12, 12]])
    profile, fit = measure_chart(raw, CORNERS + inwards, CLASSIC, "E")
    assert fit.doubtful
    assert "do the corners lie on" in words(profile, fit)
    profile, fit = measure_chart(raw, CORNERS, CLASSIC, "E")
    assert not fit.doubtful
    assert "corners" not in words(profile, fit)
