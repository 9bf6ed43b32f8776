"""Which images a training finds, in the layouts that people have on disk."""

from pathlib import Path

import numpy as np
import pytest

from napari_hsr import io
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError, InputError
from napari_hsr.io.folders.cave import write_scene
from napari_hsr.photograph import Photograph
from napari_hsr.training.data.discovery import find, sources
from napari_hsr.training.data.image_source import Scene
from napari_hsr.training.data.packed_cave import is_packed, read_packed
from napari_hsr.training.data.pairing import name_of
from napari_hsr.training.recipe.schema import DataSettings

from ..data_files import CAMERA, GRID, pack, recipe, spectra, write_cube, write_pairs, write_rgb
from ..driven import build, inspect

DATA = spectra(0, 12, 10)


def found(folder: Path, **settings) -> dict[str, tuple[str | None, str | None, bool | None]]:
    """name → (name of the cube, name of the photograph, held out?)."""
    scenes = find(DataSettings(folder=folder, **settings))
    return {
        s.name: (s.cube and s.cube.name, s.rgb and s.rgb.name, s.held_out)
        for s in scenes
        if not s.problem
    }


def problems(folder: Path, **settings) -> list[str]:
    return [s.problem for s in find(DataSettings(folder=folder, **settings)) if s.problem]


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("scene01_RealWorld", "scene01"),
        ("ARAD_HS_0001_clean", "ARAD_HS_0001"),
        ("a-hsi", "a"),
        ("b_rgb_clean", "b"),
        ("hsi_b", "b"),
        ("real_and_fake_apples", "real_and_fake_apples"),
        ("rgb", "rgb"),
        ("programs", "programs"),
    ],
)
def test_words_that_say_what_a_file_is_are_left_out_of_its_name(stem, name):
    assert name_of(stem) == name


def test_pairs_of_one_stem_in_one_folder(tmp_path):
    write_pairs(tmp_path, 2, height=12, width=10)
    (tmp_path / "Thumbs.db").write_bytes(b"rubbish")
    (tmp_path / "notes.txt").write_text("rubbish")
    assert found(tmp_path) == {
        "scene0": ("scene0.npz", "scene0.png", None),
        "scene1": ("scene1.npz", "scene1.png", None),
    }


def test_pairs_whose_names_say_what_they_are(tmp_path):
    write_cube(tmp_path / "leaf_hsi.npz", DATA)
    write_rgb(tmp_path / "leaf_RealWorld.jpg", DATA)
    write_cube(tmp_path / "Stone_cube.h5", DATA)
    write_rgb(tmp_path / "stone-rgb.png", DATA)
    assert found(tmp_path) == {
        "Stone": ("Stone_cube.h5", "stone-rgb.png", None),
        "leaf": ("leaf_hsi.npz", "leaf_RealWorld.jpg", None),
    }


def test_pairs_in_folders_that_are_named_or_guessed(tmp_path):
    for seed in (0, 1):
        write_cube(tmp_path / "Spectral" / f"s{seed}.npz", DATA)
        write_rgb(tmp_path / "RGB" / f"s{seed}.png", DATA)
    both = {f"s{seed}": (f"s{seed}.npz", f"s{seed}.png", None) for seed in (0, 1)}
    assert found(tmp_path) == both
    (tmp_path / "RGB").rename(tmp_path / "what_the_phone_saw")
    named = {"rgb_folder": "what_the_phone_saw", "cube_folder": "Spectral"}
    assert found(tmp_path, **named) == both
    with pytest.raises(FileError, match=r"nowhere: there is no such folder.*data\.rgb_folder"):
        found(tmp_path, rgb_folder="nowhere")


def test_two_folders_that_both_fit_must_be_told_apart(tmp_path):
    write_cube(tmp_path / "cubes" / "a.npz", DATA)
    write_rgb(tmp_path / "rgb" / "a.png", DATA)
    write_rgb(tmp_path / "clean" / "a.png", DATA)
    with pytest.raises(FileError, match=r"clean and rgb both fit.*data\.rgb_folder"):
        found(tmp_path)
    assert found(tmp_path, rgb_folder="clean") == {"a": ("a.npz", "a.png", None)}


def test_a_tiff_or_array_is_a_photograph_by_its_three_channels(tmp_path):
    write_cube(tmp_path / "a_hsi.tif", DATA)
    write_rgb(tmp_path / "a_rgb.tif", DATA)
    np.save(tmp_path / "b_rgb.npy", np.zeros((12, 10, 3), np.uint8))
    np.save(tmp_path / "b_hsi.npy", DATA)
    assert found(tmp_path) == {
        "a": ("a_hsi.tif", "a_rgb.tif", None),
        "b": ("b_hsi.npy", "b_rgb.npy", None),
    }


def test_an_envi_image_is_one_image(tmp_path):
    write_cube(tmp_path / "a.hdr", DATA)
    write_rgb(tmp_path / "a.png", DATA)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.hdr", "a.img", "a.png"]
    assert found(tmp_path) == {"a": ("a.hdr", "a.png", None)}


def test_a_folder_a_scene_and_the_archives_own_folder_around_them(tmp_path):
    for name in ("one", "two"):
        write_cube(tmp_path / "set" / name / "capture.hdr", DATA)
        write_rgb(tmp_path / "set" / name / "photo.jpg", DATA)
    assert found(tmp_path) == {
        "one": ("capture.hdr", "photo.jpg", None),
        "two": ("capture.hdr", "photo.jpg", None),
    }


def test_cubes_alone_are_to_be_photographed(tmp_path):
    write_cube(tmp_path / "a.npz", DATA)
    write_cube(tmp_path / "b_ms.npz", DATA)
    alone = {"a": ("a.npz", None, None), "b_ms": ("b_ms.npz", None, None)}
    assert found(tmp_path) == alone
    assert found(tmp_path, layout="cubes") == alone


def test_photographs_are_passed_over_where_all_are_simulated(tmp_path):
    write_pairs(tmp_path, 2, height=12, width=10)
    write_cube(tmp_path / "third.npz", DATA)
    assert [rgb for _, rgb, _ in found(tmp_path, simulate=True).values()] == [None] * 3
    assert not problems(tmp_path, simulate=True)


def test_what_has_no_partner_is_marked(tmp_path):
    write_pairs(tmp_path, 2, height=12, width=10)
    write_cube(tmp_path / "third.npz", DATA)
    write_rgb(tmp_path / "zebra.png", DATA)
    assert set(found(tmp_path)) == {"scene0", "scene1"}
    assert problems(tmp_path) == [
        "No photograph has the name of the cube third.npz; "
        "set data.simulate to true to simulate all of them.",
        "No cube has the name of the photograph zebra.png.",
    ]


def test_photographs_that_fit_no_cube_do_not_make_cubes_alone_of_them(tmp_path):
    write_cube(tmp_path / "a.npz", DATA)
    write_rgb(tmp_path / "b.png", DATA)
    assert found(tmp_path) == {}
    assert len(problems(tmp_path)) == 2


def test_two_photographs_of_one_cube_are_unclear(tmp_path):
    write_cube(tmp_path / "a.npz", DATA)
    write_rgb(tmp_path / "a_clean.png", DATA)
    write_rgb(tmp_path / "a_RealWorld.jpg", DATA)
    (sentence,) = problems(tmp_path)
    assert "2 photographs (a_RealWorld.jpg, a_clean.png) and 1 cube (a.npz)" in sentence


def test_ntire_with_its_lists(tmp_path):
    for number in range(4):
        name = f"ARAD_1K_{number:04d}"
        write_cube(tmp_path / "Train_spectral" / f"{name}.mat", DATA)
        write_rgb(tmp_path / "Train_RGB" / f"{name}.jpg", DATA)
    lists = tmp_path / "split_txt"
    lists.mkdir()
    (lists / "train_list.txt").write_text("ARAD_1K_0000\nARAD_1K_0002\n")
    (lists / "valid_list.txt").write_text("ARAD_1K_0003\n")
    assert {name: out for name, (_, _, out) in found(tmp_path).items()} == {
        "ARAD_1K_0000": False,
        "ARAD_1K_0002": False,
        "ARAD_1K_0003": True,
    }


def test_ntire_2020_with_a_track_named_and_validation_images(tmp_path):
    for part, name in (("Train", "ARAD_HS_0001"), ("Validation", "ARAD_HS_0451")):
        write_cube(tmp_path / f"NTIRE2020_{part}_Spectral" / f"{name}.mat", DATA)
        write_rgb(tmp_path / f"NTIRE2020_{part}_Clean" / f"{name}_clean.png", DATA)
    assert found(tmp_path) == {
        "ARAD_HS_0001": ("ARAD_HS_0001.mat", "ARAD_HS_0001_clean.png", False),
        "ARAD_HS_0451": ("ARAD_HS_0451.mat", "ARAD_HS_0451_clean.png", True),
    }
    write_rgb(tmp_path / "NTIRE2020_Train_RealWorld" / "ARAD_HS_0001_RealWorld.jpg", DATA)
    with pytest.raises(FileError, match=r"NTIRE2020_Train_Clean.* fit.*data\.rgb_folder"):
        found(tmp_path)


def test_cave_folders_nested_once_or_twice(tmp_path):
    write_scene_folder(tmp_path / "balloons_ms" / "balloons_ms")
    write_scene_folder(tmp_path / "beads_ms")
    write_rgb(tmp_path / "beads_ms" / "beads_RGB.bmp", DATA)
    (tmp_path / "beads_ms" / "Thumbs.db").write_bytes(b"rubbish")
    assert found(tmp_path) == {
        "balloons": ("balloons_ms", None, None),
        "beads": ("beads_ms", None, None),
    }
    # the preview is a photograph only where it is asked for
    assert found(tmp_path, simulate=False) == {"beads": ("beads_ms", "beads_RGB.bmp", None)}


def write_scene_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_scene(Cube(DATA, GRID), folder)


def test_train_and_val_folders_are_a_split(tmp_path):
    pack(tmp_path / "train" / "real_and_fake_apples.npz", DATA)
    pack(tmp_path / "val" / "sponges.npz", DATA)
    pack(tmp_path / "test" / "secret.npz", DATA)
    assert found(tmp_path) == {
        "real_and_fake_apples": ("real_and_fake_apples.npz", None, False),
        "sponges": ("sponges.npz", None, True),
    }


def test_a_validation_folder_holds_its_images_out(tmp_path):
    write_pairs(tmp_path / "a", 2, height=12, width=10)
    write_pairs(tmp_path / "b", 1, height=12, width=10)
    result = found(tmp_path / "a", validation_folder=tmp_path / "b")
    assert {name: out for name, (_, _, out) in result.items()} == {
        "scene0": False,
        "scene1": False,
        "b/scene0": True,
    }
    both = problems(tmp_path / "a", validation_folder=tmp_path / "a")
    assert both == ["It is among the training images and among those held out."] * 2


def test_pairs_by_name_and_images_in_memory(tmp_path):
    cube = write_cube(tmp_path / "x.npz", DATA)
    rgb = write_rgb(tmp_path / "y.png", DATA)
    data = DataSettings.model_validate({"pairs": [{"cube": cube, "rgb": rgb}]})
    layer = Cube(DATA, GRID, name="x")
    photograph = Photograph(np.zeros((12, 10, 3), np.uint8))
    scenes = find(data, [(layer, photograph)])
    assert [(s.name, s.cube, s.rgb) for s in scenes] == [
        ("x", layer, photograph),
        (f"{tmp_path.name}/x", cube, rgb),
    ]
    missing = DataSettings.model_validate({"pairs": [{"cube": tmp_path / "z.npz"}]})
    with pytest.raises(FileError, match=r"z\.npz: there is no such file or folder"):
        find(missing)


def test_no_data_and_two_sources_are_refused(tmp_path):
    with pytest.raises(InputError, match="No images are named"):
        find(DataSettings())
    pair = {"cube": tmp_path / "a.npz"}
    with pytest.raises(InputError, match=r"Both data\.folder and data\.pairs"):
        find(DataSettings.model_validate({"folder": tmp_path, "pairs": [pair]}))


def test_a_folder_without_images_says_what_was_expected(tmp_path):
    with pytest.raises(FileError, match="there is no such folder of training images"):
        found(tmp_path / "nowhere")
    with pytest.raises(FileError, match=r"no training images were found there.*Train_spectral"):
        found(tmp_path)
    write_rgb(tmp_path / "a.png", DATA)
    with pytest.raises(FileError, match="holds 1 photograph but no cube"):
        found(tmp_path)
    with pytest.raises(FileError, match="a folder of training images was expected"):
        found(tmp_path / "a.png")


def test_a_packed_scene_is_decoded(tmp_path, shared, cave):
    path = shared / "data" / "cave" / "val" / "sponges.npz"
    assert is_packed(path)
    expected, nm = cave("val/sponges")
    cube = read_packed(path)
    np.testing.assert_array_equal(cube.data, expected)
    np.testing.assert_array_equal(np.asarray(cube.wavelengths), nm)
    assert not is_packed(write_cube(tmp_path / "other.npz", DATA))


def test_a_damaged_packed_scene_is_named(tmp_path):
    path = pack(tmp_path / "a.npz", DATA)
    again = read_packed(path)
    np.testing.assert_allclose(again.data, DATA, atol=3e-4)
    np.savez(path, planes=np.zeros((2, 5, 4, 4), np.uint8), bits=np.array(12))
    with pytest.raises(FileError, match=r"a\.npz: planes of 2 x 31"):
        read_packed(path)
    assert io.can_read(path)


# --- sources of images ----------------------------------------------------------------------


class Painted:
    """A source whose cubes are made when they are read."""

    def scenes(self):
        for seed in range(3):
            yield Scene(f"painted{seed}", Cube(spectra(seed), GRID, name=f"painted{seed}"))


def test_another_source_of_images_is_trained_on_like_the_others(monkeypatch, tmp_path):
    def with_painted(data, *others):
        return [*sources(data, *others), Painted()]

    write_cube(tmp_path / "a" / "measured.npz", spectra(7))
    monkeypatch.setattr("napari_hsr.training.data.discovery.sources", with_painted)
    settings = recipe(tmp_path / "a", data={"cache": tmp_path / "cache"}, camera=CAMERA)
    found = inspect(settings)
    found.check()
    assert [r.name for r in found.rows] == ["measured", "painted0", "painted1", "painted2"]
    images = build(found, settings)
    painted = next(i for i in (*images.train, *images.held_out) if i.name == "painted2")
    np.testing.assert_allclose(painted.cube, spectra(2), rtol=1e-3)
