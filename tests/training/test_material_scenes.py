"""Scenes painted with measured spectra, and photographs of them under measured lights."""

import csv

import numpy as np
import pytest

import napari_hsr
from napari_hsr.cameras.illuminants import Light, draw_light, light_pool
from napari_hsr.cameras.random_camera import check, doubts, draw
from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.errors import HSRError
from napari_hsr.models.model_file import read_card
from napari_hsr.notices import Code
from napari_hsr.training.data import material_scenes
from napari_hsr.training.data.inspection import inspect_events
from napari_hsr.training.data.material_scenes import MaterialScenes, load_materials
from napari_hsr.training.data.painted_thumbnails import write_thumbnails
from napari_hsr.training.events import Finished, Noticed, result_of
from napari_hsr.training.recipe.schema import MaterialsSettings
from napari_hsr.training.recipe.yaml_io import read_recipe
from napari_hsr.training.train import prepare_events, train, training_patches

NM = np.arange(400.0, 701.0, 10.0)


def table(path, spectra, nm=NM):
    np.savez(path, wavelengths=nm, spectra=spectra)
    return path


def reflectances(count=20, nm=NM, seed=0):
    rng = np.random.default_rng(seed)
    edge = rng.uniform(430, 670, (count, 1))
    return 0.05 + 0.8 / (1 + np.exp(-(nm - edge) / 20))


def scenes(**changes):
    settings = MaterialsSettings(tables=("a.npz",), **changes)
    return MaterialScenes([reflectances(seed=1), reflectances(seed=2)], settings)


@pytest.mark.parametrize("repainted", [0.0, 1.0])
def test_a_painted_patch_holds_mixtures_of_the_tables_spectra(repainted):
    spectra = reflectances(seed=1)
    painter = MaterialScenes([spectra], MaterialsSettings(tables=("a",), repainted=repainted))
    patch = np.random.default_rng(3).uniform(0.1, 0.9, (31, 32, 32)).astype(np.float32)
    for seed in range(5):
        painted = painter.paint(patch, np.random.default_rng(seed))
        assert painted.shape == patch.shape
        assert painted.dtype == np.float32
        assert np.isfinite(painted).all()
        assert painted.min() >= 0
        # every pixel lies in the span of the spectra and white, which gloss adds
        span = np.concatenate([spectra, np.ones((1, 31))]).T
        pixels = painted.reshape(31, -1)
        rest = pixels - span @ np.linalg.lstsq(span, pixels, rcond=None)[0]
        assert np.abs(rest).max() < 1e-4


def test_the_same_generator_paints_the_same_scene():
    patch = np.ones((31, 16, 16), dtype=np.float32)
    one, two = (scenes().paint(patch, np.random.default_rng(7)) for _ in range(2))
    other = scenes().paint(patch, np.random.default_rng(8))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_share_of_painted_patches():
    rng = np.random.default_rng(0)
    wanted = [scenes(share=0.25).wanted(rng) for _ in range(2000)]
    assert 0.2 < np.mean(wanted) < 0.3


def test_a_spectrometers_table_in_percent_and_finer_steps_is_read(tmp_path):
    fine = np.arange(380.0, 751.0, 2.0)
    spectra = 100 * reflectances(12, fine)
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["wavelength_nm", *(f"leaf {n}" for n in range(12))])
        rows.writerows(np.column_stack([fine, spectra.T]).tolist())
    found = load_materials(MaterialsSettings(tables=(tmp_path / "mine.csv",)), NM, 0)
    assert found.tables[0].shape == (12, 31)
    want = np.sort(reflectances(12, NM), axis=0)
    np.testing.assert_allclose(np.sort(found.tables[0], axis=0), want, atol=0.02)


@pytest.mark.parametrize(
    ("spectra", "nm", "words"),
    [
        (reflectances(3), NM, "at least 10 spectra"),
        (reflectances() - 0.6, NM, "from 0 to 1"),
        (reflectances(nm=NM + 60), NM + 60, "are needed"),
        (np.where(np.arange(31) % 3, np.nan, 0.5) * np.ones((20, 1)), NM, "not 0"),
    ],
    ids=["few", "negative", "range", "gaps"],
)
def test_a_table_that_cannot_be_painted_with_is_refused(tmp_path, spectra, nm, words):
    path = table(tmp_path / "t.npz", spectra, nm)
    with pytest.raises(HSRError, match=words):
        load_materials(MaterialsSettings(tables=(path,)), NM, 0)


def test_what_is_assumed_of_a_table_is_told_and_can_be_overruled(tmp_path):
    spectra = 100 * reflectances(20)
    spectra[0], spectra[1], spectra[2, 3:6], spectra[4, 0] = np.nan, 0, np.nan, -1
    path = tmp_path / "leaves.npz"
    names = ["a", "a", *map(str, range(18))]
    np.savez(path, wavelengths=NM, spectra=spectra, names=names)
    found = load_materials(MaterialsSettings(tables=(path,)), NM, 0)
    assert found.tables[0].shape == (18, 31)
    assert found.tables[0].min() == 0
    told = [(n.code, n.text) for n in found.notices]
    for code, words in (
        (Code.VALUES_SCALE_GUESSED, "percent"),
        (Code.SPECTRA_LEFT_OUT, "1 of 20 spectra (a) lack"),
        (Code.SPECTRA_LEFT_OUT, "1 of 20 spectra (a) are black"),
        (Code.SPECTRA_CHANGED, "1 of 20 spectra (0) had gaps"),
        (Code.SPECTRA_CHANGED, "1 of 18 spectra (2) had values below 0, down to -0.01"),
        (Code.SPECTRA_FEW, "18 spectra"),
    ):
        assert any(c == code and words in text and "leaves.npz" in text for c, text in told), words
    with pytest.raises(HSRError, match=r"materials\.scale"):
        load_materials(MaterialsSettings(tables=(path,), scale=1), NM, 0)


def test_the_inspection_tells_what_was_assumed_of_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(material_scenes, "SIDE", 32)
    path = table(tmp_path / "t.npz", reflectances(12, NM[::3]), NM[::3])
    recipe = materials_recipe(tmp_path, f"materials.tables=[{path}]")
    *events, findings = inspect_events(recipe)
    assert Code.SPECTRA_FEW in {n.code for n in findings.notices}
    assert Code.SPECTRA_CHANGED in {e.notice.code for e in events if isinstance(e, Noticed)}


def test_measured_lights(tmp_path):
    nm = np.arange(380.0, 781.0, 5.0)
    lamp = np.exp(-(((nm - 550) / 120) ** 2))
    path = tmp_path / "lights.npz"
    np.savez(path, wavelengths=nm, spectra=[lamp, 0 * lamp, lamp[::-1]], names=["a", "dark", "b"])
    pool = light_pool(f"{path}:*")
    assert [light.name for light in pool] == ["a", "b"]
    np.testing.assert_allclose(pool[0].power(NM), np.interp(NM, nm, lamp))
    assert light_pool(f"{path}:b") == (pool[1],)
    assert light_pool("D65") == (Light("D65"),)
    drawn = {draw_light((f"{path}:*", "A"), np.random.default_rng(n)).name for n in range(30)}
    assert drawn == {"a", "b", "A"}
    with pytest.raises(HSRError, match="no light 'c'"):
        light_pool(f"{path}:c")


def test_gaps_of_a_light_are_closed_and_infinite_power_is_refused(tmp_path):
    spectra = [np.where(NM == 500, np.nan, NM), NM]
    np.savez(tmp_path / "gap.npz", wavelengths=NM, spectra=spectra)
    one, two = light_pool(f"{tmp_path / 'gap.npz'}:*")
    np.testing.assert_allclose(one.power(NM), two.power(NM))
    np.savez(tmp_path / "inf.npz", wavelengths=NM, spectra=[np.where(NM == 500, np.inf, NM)])
    with pytest.raises(HSRError, match="infinite power"):
        light_pool(f"{tmp_path / 'inf.npz'}:*")


def bell(centre):
    return np.exp(-(((NM - centre) / 40) ** 2))


def camera_table(path, centres, nm=NM):
    curves = np.column_stack([NM, *map(bell, centres)])[np.isin(NM, nm)]
    np.savetxt(path, curves, delimiter=",", header="wavelength_nm,R,G,B", comments="")
    return str(path)


def test_curves_and_lights_that_end_inside_the_bands_are_told(tmp_path):
    whole = camera_table(tmp_path / "whole.csv", (600, 540, 460))
    cut = camera_table(tmp_path / "cut.csv", (600, 540, 460), NM[4:])
    dark = camera_table(tmp_path / "dark.csv", (540, 500, 460), NM[:-4])  # sees nothing at the end
    np.savez(tmp_path / "lamp.npz", wavelengths=NM[:-3], spectra=[NM[:-3]], names=["lamp"])
    lamp = f"{tmp_path / 'lamp.npz'}:*"
    told = doubts(CaptureSettings(cameras=(whole, cut, dark), illuminants=("D65", lamp)), NM)
    assert [n.code for n in told] == [Code.CURVES_CUT_OFF] * 2
    assert "cut (440–700 nm)" in told[0].text
    assert not any(name in told[0].text for name in ("whole", "dark"))
    assert "lamp (400–670 nm)" in told[1].text
    assert doubts(CaptureSettings(cameras=(whole,), illuminants=("D65",)), NM) == ()


def test_a_camera_whose_channels_see_the_same_is_refused(tmp_path):
    alike = camera_table(tmp_path / "alike.csv", (540, 540, 540))
    with pytest.raises(HSRError, match="see the same"):
        check(
            CaptureSettings(
                cameras=(alike,), illuminants=("D65",), white_balance=True, colour_matrix=True
            ),
            NM,
        )


def test_a_camera_that_cannot_photograph_is_found_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(material_scenes, "SIDE", 32)
    alike = camera_table(tmp_path / "alike.csv", (540, 540, 540))
    *_, findings = inspect_events(materials_recipe(tmp_path, f"camera.cameras=[{alike}]"))
    assert "see the same" in findings.faults[0]
    with pytest.raises(HSRError, match="see the same"):
        findings.check()


def test_no_photograph_under_a_light_without_power_where_the_camera_sees(tmp_path):
    nm = np.arange(380.0, 781.0, 5.0)
    path = tmp_path / "lamps.npz"
    red = ((nm > 690) & (nm < 700)).astype(float)  # between the bands: nothing is seen
    np.savez(path, wavelengths=nm, spectra=[red])
    settings = CaptureSettings(
        cameras=("nikon-5100-npl",),
        illuminants=(f"{path}:*",),
        white_balance=True,
        colour_matrix=True,
    )
    with pytest.raises(HSRError, match="sees no colours under"):
        check(settings, NM)
    with pytest.raises(HSRError, match="see no colours under"):
        draw(settings, NM, np.random.default_rng(0))
    np.savez(path, wavelengths=nm, spectra=[red, np.ones_like(nm)], names=["red", "white"])
    check(settings, NM)
    for seed in range(5):
        capture = draw(settings, NM, np.random.default_rng(seed))
        assert "white" in capture.light


def materials_recipe(tmp_path, *settings):
    path = table(tmp_path / "mine.npz", reflectances(40))
    small = ["schedule={steps: 2}", "batch={size: 2, patch: 16}", "validation.every=2"]
    wanted = [f"materials.tables=[{path}]", f"data.cache={tmp_path / 'cache'}", *small, *settings]
    return read_recipe("materials", wanted)


def test_a_training_from_a_spectrometers_table_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(material_scenes, "SIDE", 32)
    recipe = materials_recipe(tmp_path, "schedule={steps: 12, warmup: 0}", "ema=0")
    end = train(recipe, tmp_path / "run")
    assert isinstance(end, Finished)
    assert end.after["psnr_db"] > end.before["psnr_db"]
    card = read_card(tmp_path / "run" / "my-materials.safetensors")
    assert card.architecture == "per-pixel"
    assert [table["name"] for table in card.training["materials"]["tables"]] == ["mine.npz"]
    assert len(card.training["held_out"]) == material_scenes.HELD_OUT


def test_held_out_scenes_are_of_spectra_that_train_no_others(tmp_path):
    settings = MaterialsSettings(tables=(table(tmp_path / "t.npz", reflectances(40)),))
    trained, held_out = (
        {row.tobytes() for row in load_materials(settings, NM, 0, held_out=out).tables[0]}
        for out in (False, True)
    )
    assert len(held_out) == 8
    assert len(trained) == 32
    assert not trained & held_out


def test_batches_hold_painted_patches_and_follow_from_the_step(tmp_path):
    recipe = materials_recipe(tmp_path)
    images, model = result_of(prepare_events(recipe))
    sampler = training_patches(images, recipe, model)
    one, again, other = (sampler.batch(step) for step in (3, 3, 4))
    np.testing.assert_array_equal(one.inputs, again.inputs)
    assert not np.array_equal(one.inputs, other.inputs)


def test_thumbnails_show_different_scenes(tmp_path):
    recipe = materials_recipe(tmp_path)
    picture = napari_hsr.read(write_thumbnails(recipe, tmp_path / "sheet.png")).data
    assert picture.shape == (396, 596, 3)
    first, second = picture[:96, :96], picture[:96, 100:196]
    assert first.std() > 3
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["task=super-resolution", "coarse={scale: 2}", "camera=null"], "rgb-to-cube"),
        (["camera=null"], "photographed by a camera"),
    ],
)
def test_materials_where_they_make_no_sense(tmp_path, settings, words):
    with pytest.raises(HSRError, match=words):
        materials_recipe(tmp_path, *settings)
