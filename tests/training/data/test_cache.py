"""Decoded images: written once, whole or not at all, read back as they were."""

import errno
import os
import pickle
import shutil
import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from napari_hsr import io
from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.notices import Code, has
from napari_hsr.photograph import Photograph
from napari_hsr.training.data import cache, cache_disk, cache_entry, image_source
from napari_hsr.training.events import Noticed
from napari_hsr.units import from_home

from ..data_files import CAMERA, GRID, recipe, spectra, write_cube, write_pairs
from ..driven import build, inspect


@pytest.fixture
def place(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def settings(tmp_path, place):
    folder = write_pairs(tmp_path / "pairs", 3)
    (tmp_path / "split.txt").write_text("train scene0\ntrain scene1\nheld-out scene2\n")
    return recipe(folder, data={"cache": place, "split_file": tmp_path / "split.txt"})


def built(settings, **options):
    return build(inspect(settings), settings, **options)


def entries(place: Path) -> list[str]:
    return sorted(p.name for p in place.iterdir())


def test_images_come_back_as_they_were_decoded(settings, place):
    said = []
    images = built(settings, report=said.append)
    assert [i.name for i in images.train] == ["scene0", "scene1"]
    assert [i.name for i in images.held_out] == ["scene2"]
    assert images.wavelengths.matches(GRID)
    for number, image in enumerate((*images.train, *images.held_out)):
        truth = spectra(number)
        assert isinstance(image.cube, np.memmap)
        assert image.cube.shape == truth.shape
        assert np.abs(image.cube - truth).max() <= image.error <= 2**-11 * truth.max()
        assert image.value_range == (truth.min(), truth.max())
        assert image.wavelengths_nm == tuple(GRID)
        photograph = io.read(settings.data.folder / f"{image.name}.png")
        np.testing.assert_array_equal(image.rgb, (photograph.data / 255).astype(np.float32))
        assert image.rgb_encoding == "srgb"
        np.testing.assert_allclose(image.thumbnail, truth, rtol=1e-6)  # small already
        assert len(image.sha256) == 64
    # what is measured on is exact, what is trained on takes half the room, row by row
    assert images.held_out[0].cube.dtype == np.float32
    assert images.held_out[0].error == 0
    assert images.train[0].cube.dtype == np.float16
    assert images.train[0].cube.transpose(1, 2, 0).flags.c_contiguous
    (notice,) = [e.notice for e in said if isinstance(e, Noticed)]
    assert from_home(place) in notice
    assert "in half precision, at most 0.0" in notice
    assert " kB) are kept in " in notice


def test_a_held_out_image_that_training_has_under_another_name_is_told(tmp_path, place):
    folder = write_pairs(tmp_path / "pairs", 3)
    for path in sorted(folder.glob("scene0*")):
        shutil.copy(path, path.with_name(path.name.replace("scene0", "other")))
    split = tmp_path / "split.txt"
    settings = recipe(folder, data={"cache": place, "split_file": split})
    for held_out, copies in (("other", {"other": "scene0"}), ("scene2", {})):
        names = sorted({"scene0", "scene1", "scene2", "other"} - {held_out})
        split.write_text("".join(f"train {name}\n" for name in names) + f"held-out {held_out}\n")
        said = []
        images = built(settings, report=said.append)
        assert images.copies() == copies
        notices = [event.notice for event in said if isinstance(event, Noticed)]
        assert has(notices, Code.HELD_OUT_IN_TRAINING) == bool(copies)


def test_a_folder_below_the_users_own_is_named_from_there(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert from_home(tmp_path / "a" / "b") == "~/a/b"
    assert from_home(tmp_path.parent / "c") == str(tmp_path.parent / "c")


def test_small_copies_are_means_and_single_pixels(tmp_path, place):
    data = spectra(0, 150, 130)
    images = [Cube(data, GRID, name=f"c{i}") for i in range(2)]
    made = recipe(data={"cache": place}, camera=CAMERA)
    found = inspect(made, images=[(cube, None) for cube in images])
    image = build(found, made).train[0]
    assert image.thumbnail.shape == image.sample.shape == (31, 50, 44)
    np.testing.assert_allclose(
        image.thumbnail[:, 3, 5], data[:, 9:12, 15:18].mean((1, 2)), rtol=1e-5
    )
    np.testing.assert_allclose(
        image.thumbnail[:, 3, 43], data[:, 9:12, 129:].mean((1, 2)), rtol=1e-5
    )
    np.testing.assert_array_equal(image.sample, data[:, ::3, ::3])


@pytest.mark.parametrize("scale", [1e-3, 2e5])
def test_values_that_half_precision_cannot_hold_are_kept_whole(tmp_path, place, scale):
    for seed in range(2):
        write_cube(tmp_path / "c" / f"s{seed}.npz", np.float32(scale) * spectra(seed))
    images = built(recipe(tmp_path / "c", data={"cache": place}, camera=CAMERA))
    (image,) = images.train
    assert image.cube.dtype == np.float32
    assert image.error == 0
    number = int(image.name[1])
    np.testing.assert_array_equal(image.cube, np.float32(scale) * spectra(number))


def test_a_second_run_decodes_nothing(settings, place, monkeypatch):
    built(settings)
    before = {p: p.stat().st_mtime_ns for p in place.rglob("*")}
    monkeypatch.setattr(cache_entry, "load", lambda scene: pytest.fail("decoded again"))
    again = built(settings)
    assert {p: p.stat().st_mtime_ns for p in place.rglob("*")} == before
    assert again.changed() is None


def test_a_file_that_changed_is_decoded_anew_and_its_old_entry_goes(settings, place):
    first = built(settings)
    write_cube(settings.data.folder / "scene0.npz", spectra(7))
    assert first.changed() == (
        f"{settings.data.folder / 'scene0.npz'} changed since the training began; it goes on with "
        "the image as it was read then."
    )
    old = np.array(first.train[0].cube)
    second = built(settings)
    np.testing.assert_allclose(second.train[0].cube, spectra(7), atol=3e-4)
    assert second.train[0].sha256 != first.train[0].sha256
    np.testing.assert_array_equal(first.train[0].cube, old)  # a run under way is not disturbed
    assert len(entries(place)) == 3
    (settings.data.folder / "scene1.png").unlink()
    assert "scene1.png is gone since" in second.changed()


def test_a_file_that_changes_between_looking_and_decoding_is_named(settings):
    found = inspect(settings)
    write_cube(settings.data.folder / "scene1.npz", spectra(8))
    with pytest.raises(FileError, match=r"scene1\.npz: it changed after it was inspected"):
        build(found, settings)


def test_other_settings_make_other_entries(settings, place):
    built(settings)
    data = settings.data.model_copy(update={"wavelengths_nm": (450.0, 550.0, 650.0)})
    other = built(settings.model_copy(update={"data": data}))
    assert other.train[0].cube.shape == (3, 24, 20)
    np.testing.assert_allclose(other.held_out[0].cube, spectra(2)[[5, 15, 25]], rtol=1e-6)
    assert len(entries(place)) == 6


@pytest.mark.parametrize("name", ["cube.npy", "facts.json", "small.npz", "rgb.npy"])
def test_an_entry_that_is_not_whole_is_made_again(settings, place, name):
    built(settings)
    (first,) = place.glob("scene0-*")
    whole = (first / name).read_bytes()
    (first / name).write_bytes(whole[: len(whole) // 2])
    image = built(settings).train[0]
    np.testing.assert_allclose(image.cube, spectra(0), atol=3e-4)
    assert (first / name).stat().st_size == len(whole)


def _flipped(content):
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def _of_another_kind(content):
    file = BytesIO()
    np.save(file, np.load(BytesIO(content)).astype(np.complex64)[:1])
    return file.getvalue()


def _other_words(content):
    return content.replace(b'"error": ', b'"errors": ')


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("cube.npy", lambda content: b""),
        ("cube.npy", _flipped),
        ("cube.npy", _of_another_kind),
        ("rgb.npy", lambda content: b""),
        ("rgb.npy", _flipped),
        ("small.npz", _flipped),
        ("facts.json", _other_words),
        ("facts.json", lambda content: content.replace(b"1", b"2")),
    ],
)
def test_an_entry_that_is_damaged_is_made_again(settings, place, name, damage):
    """A changed value was trained on, another type of numbers and an empty file ended in faults."""
    built(settings)
    (first,) = place.glob("scene0-*")
    whole = (first / name).read_bytes()
    assert damage(whole) != whole
    (first / name).write_bytes(damage(whole))
    image = built(settings).train[0]
    np.testing.assert_allclose(image.cube, spectra(0), atol=3e-4)
    assert (first / name).read_bytes() == whole


@pytest.mark.skipif(os.name != "posix", reason="Windows locks mapped files")
def test_an_entry_that_is_cut_short_during_a_training_is_told(settings, place):
    """The system would end the process."""
    image = built(settings).train[0]
    os.truncate(image.folder / "cube.npy", 200)
    with pytest.raises(FileError, match=r"cube\.npy: it became shorter while it was open"):
        np.asarray(image.cube[:, 3:5, 2:4])


def test_a_full_disk_is_one_sentence_and_leaves_nothing(settings, place, monkeypatch):
    found = inspect(settings)
    with monkeypatch.context() as patch:
        patch.setattr(cache_entry.shutil, "disk_usage", lambda _: _Usage(10_000))
        with pytest.raises(FileError, match=r"10 kB free, and a decoded image needs .*data\.cache"):
            build(found, settings)
    assert entries(place) == []

    real = np.savez

    def full(path, **arrays):
        real(path, **arrays)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cache_entry.np, "savez", full)
        with pytest.raises(FileError, match="the disk is full while decoded images"):
            build(found, settings)
    assert entries(place) == []
    build(found, settings)
    assert len(entries(place)) == 3


class _Usage:
    def __init__(self, free: int):
        self.free = free


def test_a_cache_that_cannot_be_written_is_one_sentence(settings, place):
    place.write_text("a file, not a folder")
    with pytest.raises(FileError, match=r"decoded images cannot be kept there .*NAPARI_HSR_CACHE"):
        built(settings)


def test_it_stops_when_asked_to_and_leaves_no_halves(settings, place, monkeypatch):
    found = inspect(settings)
    stop = threading.Event()
    with pytest.raises(Cancelled):
        build(found, settings, report=lambda _: stop.set(), cancel=stop)
    assert not place.exists() or all(not n.startswith(".") for n in entries(place))


def test_what_a_killed_run_left_behind_is_cleared_up(settings, place):
    built(settings)
    (first,) = place.glob("scene0-*")
    old, new = (first.with_name(f".{first.name}.{n}.part") for n in ("0000", "1111"))
    for left in (old, new):
        left.mkdir()
        (left / "cube.npy").write_bytes(b"half")
    os.utime(old, (0, 0))
    (first / "facts.json").unlink()
    built(settings)
    assert not old.exists()
    assert new.exists()  # another run may be at it


def test_training_that_cannot_start_is_refused_before_anything_is_decoded(tmp_path, place):
    write_pairs(tmp_path / "one", 1)
    with pytest.raises(InputError, match="one image only"):
        built(recipe(tmp_path / "one", data={"cache": place}))
    assert not place.exists()


def test_another_process_maps_the_files_itself(settings):
    image = built(settings).train[0]
    text = pickle.dumps(image)
    assert len(text) < image.cube.nbytes + image.thumbnail.nbytes + image.sample.nbytes
    again = pickle.loads(text)
    assert isinstance(again.cube, np.memmap)
    np.testing.assert_array_equal(again.cube, image.cube)
    np.testing.assert_array_equal(again.rgb, image.rgb)


def test_images_in_memory_are_kept_by_their_content(place):
    made = recipe(data={"cache": place}, camera=CAMERA)

    def run(seeds):
        cubes = [(Cube(spectra(s), GRID, name=f"layer{n}"), None) for n, s in enumerate(seeds)]
        return build(inspect(made, images=cubes), made)

    first, again, other = run([0, 1]), run([0, 1]), run([0, 2])
    hashes = [{i.sha256 for i in (*r.train, *r.held_out)} for r in (first, again, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert first.changed() is None


def test_a_cube_on_disk_is_decoded_in_blocks(tmp_path, place, monkeypatch):
    monkeypatch.setattr("napari_hsr.training.data.scan.BLOCK_VALUES", 5 * 31 * 20)
    monkeypatch.setattr("napari_hsr.io.lazy.LAZY_ABOVE_BYTES", 1000)
    for seed in range(2):
        write_cube(tmp_path / "c" / f"s{seed}.npz", spectra(seed))
    assert not io.read(tmp_path / "c" / "s0.npz").in_memory
    made = recipe(tmp_path / "c", data={"cache": place}, camera=CAMERA)
    images = built(made)
    for image in (*images.train, *images.held_out):
        np.testing.assert_allclose(image.cube, spectra(int(image.name[1])), atol=3e-4)


def test_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.delenv(cache_disk.FOLDER_VARIABLE, raising=False)
    assert cache.folder().name == "training"
    monkeypatch.setenv("NAPARI_HSR_CACHE", str(tmp_path / "env"))
    assert cache.folder() == tmp_path / "env"
    assert cache.folder(tmp_path / "given") == tmp_path / "given"


def entry(place: Path, cube, rgb=None) -> cache_entry.Entry:
    return cache_entry.Entry(image_source.Scene("scene", cube, rgb), place, None, None, False)


def decoded(place: Path, cube, rgb=None) -> cache.CachedImage:
    made = entry(place, cube, rgb)
    if made.open() is None:
        made.write()
    return made.open()


def test_a_list_of_wavelengths_that_changes_beside_a_cube_is_heeded(tmp_path, place):
    np.save(tmp_path / "scene.npy", spectra(0))
    listed = tmp_path / "scene_wavelengths.txt"
    listed.write_text("\n".join(f"{nm:g}" for nm in GRID))
    assert decoded(place, tmp_path / "scene.npy").wavelengths_nm == tuple(GRID)
    listed.write_text("\n".join(f"{nm + 0.5:g}" for nm in GRID))
    assert decoded(place, tmp_path / "scene.npy").wavelengths_nm == tuple(np.array(GRID) + 0.5)
    assert len(entries(place)) == 1


def test_stores_of_one_name_are_not_taken_for_one_another(tmp_path, place):
    one, other = (tmp_path / part / "scene.zarr" for part in "ab")
    for number, store in enumerate((one, other)):
        store.parent.mkdir()
        io.write(Cube(spectra(number), GRID), store)
        seen = decoded(place, store)
        assert np.abs(seen.cube - spectra(number)).max() <= seen.error
    io.write(Cube(spectra(2), GRID), one)
    assert np.abs(decoded(place, one).cube - spectra(2)).max() <= decoded(place, one).error


def test_a_photograph_in_memory_is_known_with_its_encoding(place):
    cube = Cube(spectra(0), GRID)
    data = np.full((*cube.shape[1:], 3), 0.5, np.float32)
    encodings = ("srgb", "linear-srgb")
    seen = [decoded(place, cube, Photograph(data, encoding=name)) for name in encodings]
    assert [image.rgb_encoding for image in seen] == list(encodings)


def test_another_version_decodes_anew(tmp_path, place, monkeypatch):
    path = write_cube(tmp_path / "scene.npz", spectra(0))
    first = entry(place, path).path
    monkeypatch.setattr(cache_entry, "__version__", "0.0")
    assert entry(place, path).path != first
