"""What is said of images before a training starts: all of it in the row, one sentence each."""

import threading

import numpy as np
import pytest

from napari_hsr.conversion.wavelengths import resampling
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, FileError, InputError
from napari_hsr.io.folders.cave import write_scene
from napari_hsr.photograph import Photograph
from napari_hsr.training.events import Noticed, Preparing

from ..data_files import CAMERA, GRID, recipe, spectra, write_cube, write_pairs, write_rgb
from ..driven import build, inspect


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NAPARI_HSR_CACHE", str(folder))
    return folder


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "pairs", 3)


def refused(findings) -> str:
    with pytest.raises(InputError) as caught:
        findings.check()
    return str(caught.value)


def row(findings, name: str):
    return next(r for r in findings.rows if r.name == name)


def test_good_pairs_are_described_row_by_row(pairs):
    said = []
    found = inspect(recipe(pairs), said.append)
    found.check()
    assert [r.name for r in found.rows] == ["scene0", "scene1", "scene2"]
    assert (len(found.train), len(found.held_out)) == (2, 1)
    one = found.rows[0]
    assert (one.rgb, one.cube) == ("scene0.png", "scene0.npz")
    assert (one.height, one.width, one.bands) == (24, 20, 31)
    truth = spectra(0)
    assert one.cube_range == (truth.min(), truth.max())
    assert one.rgb_range[1] == 1.0
    assert one.rgb_encoding == "srgb"
    assert one.thumbnail.dtype == np.uint8
    assert one.thumbnail.shape == (24, 20, 3)
    assert not one.problem
    assert not any(r.warnings for r in found.rows)
    assert found.wavelengths.matches(GRID)
    steps = [e for e in said if isinstance(e, Preparing)]
    assert [(e.done, e.total) for e in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert "scene1" in steps[1].message
    assert not [e for e in said if isinstance(e, Noticed)]


def test_the_split_goes_into_a_file_and_comes_back(pairs, tmp_path):
    found = inspect(recipe(pairs, seed=3))
    (tmp_path / "split.txt").write_text(found.split)
    again = inspect(recipe(pairs, seed=4, data={"split_file": tmp_path / "split.txt"}))
    assert [r.held_out for r in again.rows] == [r.held_out for r in found.rows]


def test_a_pair_of_different_sizes(pairs):
    write_rgb(pairs / "scene1.png", spectra(1, 20, 24))
    found = inspect(recipe(pairs))
    assert row(found, "scene1").problem == (
        "The photograph scene1.png has 24 x 20 pixels and the cube scene1.npz 20 x 24; both must "
        "show the same pixels."
    )
    assert refused(found) == f"scene1: {row(found, 'scene1').problem}"


def test_files_that_cannot_be_read_are_counted(pairs):
    (pairs / "scene0.npz").write_bytes(b"PK\x03\x04 rubbish")
    (pairs / "scene2.png").write_bytes(b"")
    found = inspect(recipe(pairs))
    assert "scene0.npz: " in row(found, "scene0").problem
    assert "scene2.png: the file is empty" in row(found, "scene2").problem
    assert row(found, "scene0").height is None
    assert refused(found).endswith("(1 more image has problems.)")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_counted_by_file(pairs, value):
    data = spectra(1)
    data[3, 4:6, 7] = value
    write_cube(pairs / "scene1.npz", data)
    said = refused(inspect(recipe(pairs)))
    assert said == "scene1: 2 of the 14,880 values of scene1.npz are NaN or infinite."


def test_a_photograph_with_nan(pairs):
    (pairs / "scene1.png").unlink()
    rgb = np.full((24, 20, 3), 0.5, np.float32)
    rgb[0, 0, 0] = np.nan
    np.save(pairs / "scene1.npy", rgb)
    found = inspect(recipe(pairs, data={"input_encoding": "srgb"}))
    assert row(found, "scene1").problem == (
        "1 of the 1,440 values of scene1.npy is NaN or infinite."
    )


def test_cubes_of_different_grids_in_one_folder(pairs):
    other = Wavelengths(range(410, 711, 10))
    write_cube(pairs / "scene1.npz", spectra(1), other)
    found = inspect(recipe(pairs))
    assert refused(found) == (
        "scene1: scene1.npz has 31 bands, 410–710 nm, every 10 nm, others have 31 bands, "
        "400–700 nm, every 10 nm: state in data.wavelengths_nm what all are to be resampled to."
    )


def test_grids_are_resampled_on_request_said_aloud(pairs):
    fine = Wavelengths(np.arange(395, 711, 5))
    write_cube(pairs / "scene1.npz", spectra(1, grid=fine), fine)
    wanted = [float(nm) for nm in range(420, 681, 20)]
    settings = recipe(pairs, data={"wavelengths_nm": wanted})
    said = []
    found = inspect(settings, said.append)
    found.check()
    assert list(found.wavelengths) == wanted
    assert {r.bands for r in found.rows} == {14}
    notices = [e.notice for e in said if isinstance(e, Noticed)]
    assert notices == [
        "2 of 3 cubes are resampled from 31 bands, 400–700 nm, every 10 nm to 14 bands, "
        "420–680 nm, every 20 nm.",
        "1 of 3 cubes is resampled from 64 bands, 395–710 nm, every 5 nm to 14 bands, "
        "420–680 nm, every 20 nm.",
    ]
    beyond = recipe(pairs, data={"wavelengths_nm": [400.0, 720.0]})
    assert "cannot be resampled to 2 bands" in refused(inspect(beyond))


def test_a_grid_that_a_file_does_not_name_may_be_stated(tmp_path):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", spectra(0)[:20, :22, :18])
    settings = {"camera": CAMERA, "batch": {"patch": 8}}
    unknown = inspect(recipe(tmp_path, **settings))
    assert "wavelengths of the 20 bands of a.npy are not known" in refused(unknown)
    stated = [420.0 + 10 * i for i in range(20)]
    found = inspect(recipe(tmp_path, data={"wavelengths_nm": stated}, **settings))
    found.check()
    assert list(found.wavelengths) == stated
    assert found.notices[0].text.startswith("2 of 2 cubes are taken to be 20 bands, 420–610 nm")


def test_a_grid_that_the_camera_cannot_be_simulated_on_is_refused_before_training(tmp_path):
    np.save(tmp_path / "a.npy", spectra(0)[:20, :22, :18])
    data = {"wavelengths_nm": [400.0 + 10 * i for i in range(20)]}
    found = inspect(recipe(tmp_path, data=data, camera=CAMERA, batch={"patch": 8}))
    assert "the visible bands of this cube lie in 400–590 nm" in refused(found)


def test_what_has_no_partner_is_left_out_aloud(pairs):
    write_cube(pairs / "lonely.npz", spectra(9))
    found = inspect(recipe(pairs))
    found.check()
    assert len(found.train) + len(found.held_out) == 3
    (notice,) = found.notices
    assert (notice.code, notice.severity) == ("images-left-out", "warning")
    assert notice.text.startswith("1 of 4 images is left out. lonely: No photograph has the name")
    assert found.problems == [f"lonely: {row(found, 'lonely').problem}"]


def test_a_linear_photograph_that_is_stated_to_be_srgb_and_the_reverse(tmp_path):
    for seed in range(2):
        write_cube(tmp_path / f"s{seed}.npz", spectra(seed))
        write_rgb(tmp_path / f"s{seed}.png", spectra(seed), linear=True)
    found = inspect(recipe(tmp_path))
    found.check()  # doubtful, not wrong
    (warning,) = found.rows[0].warnings
    assert "is stated to be sRGB-encoded but looks linear" in warning
    assert all(n.warning for n in found.notices)
    assert not inspect(recipe(tmp_path, data={"input_encoding": "linear"})).rows[0].warnings

    for seed in range(2):
        write_rgb(tmp_path / f"s{seed}.png", spectra(seed))
    found = inspect(recipe(tmp_path, data={"input_encoding": "linear"}))
    assert "is stated to be linear but looks sRGB-encoded" in found.rows[0].warnings[0]
    assert not inspect(recipe(tmp_path)).rows[0].warnings


def test_a_photograph_of_another_scene_is_doubtful(pairs):
    write_rgb(pairs / "scene1.png", spectra(77))
    found = inspect(recipe(pairs))
    assert "The photograph and the cube hardly agree" in row(found, "scene1").warnings[0]
    assert not row(found, "scene0").warnings


def test_an_encoding_that_is_not_known_must_be_stated(pairs):
    (pairs / "scene1.png").unlink()
    np.save(pairs / "scene1.npy", np.full((24, 20, 3), 0.5, np.float32))
    said = refused(inspect(recipe(pairs)))
    assert "encoding of scene1.npy is not known: state in data.input_encoding" in said
    np.save(pairs / "scene1.npy", np.full((24, 20, 3), 200, np.float32))
    said = refused(inspect(recipe(pairs, data={"input_encoding": "srgb"})))
    assert "floating-point values from 200 to 200" in said


def test_scales_that_differ_and_counts_instead_of_reflectance(pairs):
    write_cube(pairs / "scene1.npz", 4095 * spectra(1))
    found = inspect(recipe(pairs))
    found.check()
    counts, apart = row(found, "scene1").warnings
    assert "reflectance lies in 0..1" in counts
    assert "are they on one scale?" in apart
    write_cube(pairs / "scene2.npz", 0 * spectra(1))
    assert "No value of scene2.npz is above 0" in refused(inspect(recipe(pairs)))


def test_an_image_smaller_than_the_patch(pairs):
    found = inspect(recipe(pairs, batch={"patch": 32}))
    assert "20 x 24 pixels, less than a patch of 32 x 32: set batch.patch to 20 or less" in refused(
        found
    )
    assert not found.held_out[0].problem  # it is measured whole
    scaled = recipe(pairs, batch={"patch": 16}, augmentation={"scales": [0.5, 1.0]})
    inspect(scaled).check()


def test_cubes_alone_need_a_camera(tmp_path):
    for seed in range(2):
        write_cube(tmp_path / f"s{seed}.npz", spectra(seed))
    assert refused(inspect(recipe(tmp_path))) == (
        "2 images have no photograph and the recipe names no camera: give photographs, or set the "
        "camera that simulates them (camera.cameras)."
    )
    found = inspect(recipe(tmp_path, camera=CAMERA))
    found.check()
    assert found.rows[0].rgb_range is None
    assert found.rows[0].thumbnail.std() > 0


def test_one_image_only_is_refused_with_what_to_do(tmp_path):
    write_pairs(tmp_path, 1)
    assert refused(inspect(recipe(tmp_path))) == (
        "There is one image only (scene0), so none can be held out to tell whether training helps: "
        "add a second one, or name a folder of others in data.validation_folder."
    )
    write_pairs(tmp_path, 2)
    (tmp_path / "split.txt").write_text("train scene0\ntrain scene1\n")
    all_train = recipe(tmp_path, data={"split_file": tmp_path / "split.txt"})
    assert "No usable image is held out" in refused(inspect(all_train))
    (tmp_path / "split.txt").write_text("held-out scene0\nheld-out scene1\n")
    assert "none is left to train on" in refused(inspect(all_train))


def test_cave_scenes_and_assumed_wavelengths(tmp_path):
    for name in ("balloons", "beads"):
        (tmp_path / f"{name}_ms").mkdir()
        write_scene(Cube(spectra(1), GRID), tmp_path / f"{name}_ms" / f"{name}_ms")
    found = inspect(recipe(tmp_path, camera=CAMERA))
    found.check()
    assert len(found.rows[0].files) == 31
    np.save(tmp_path / "a.npy", spectra(0))
    np.save(tmp_path / "b.npy", spectra(1))
    found = inspect(recipe(tmp_path, camera=CAMERA, data={"layout": "cubes"}))
    assert found.notices[0].text == (
        "2 images have no wavelengths of their own: 31 bands, 400–700 nm, every 10 nm (assumed)."
    )


def test_images_in_memory(tmp_path):
    cubes = [Cube(spectra(i), GRID, name=f"layer {i}") for i in range(2)]
    rgb = Photograph(np.zeros((24, 20, 3), np.uint8), name="photo")
    found = inspect(recipe(), images=[(cube, rgb) for cube in cubes])
    found.check()
    assert [(r.name, r.cube, r.rgb) for r in found.rows] == [
        ("layer 0", "layer 0", "photo"),
        ("layer 1", "layer 1", "photo"),
    ]


def test_what_is_wrong_with_the_settings_is_said_at_once(pairs):
    with pytest.raises(FileError, match="no such folder of training images"):
        inspect(recipe(pairs / "nowhere"))
    with pytest.raises(InputError, match="encoding 'logc' is not known"):
        inspect(recipe(pairs, data={"input_encoding": "logc"}))
    with pytest.raises(InputError, match="ascend strictly"):
        inspect(recipe(pairs, data={"wavelengths_nm": [500.0, 400.0]}))


def test_it_stops_when_asked_to(pairs):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        inspect(recipe(pairs), cancel=stop)


def test_what_is_kept_need_not_be_read_again(pairs, own_cache, monkeypatch):
    settings = recipe(pairs)
    first = inspect(settings, keep=True)

    def never(*_):
        raise AssertionError("it was read again")

    monkeypatch.setattr("napari_hsr.training.data.inspection.load", never)
    monkeypatch.setattr("napari_hsr.training.data.cache_entry.load", never)
    again = inspect(settings)
    for one, other in zip(first.rows, again.rows, strict=True):
        assert (one.cube_range, one.rgb_encoding, one.warnings) == (
            other.cube_range, other.rgb_encoding, other.warnings,
        )  # fmt: skip
        np.testing.assert_array_equal(one.thumbnail, other.thumbnail)
    assert len(build(again, settings).train) == 2


def test_resampling_keeps_what_is_flat_or_a_slope():
    fine, coarse = np.arange(400.0, 701, 5), np.arange(400.0, 701, 10)
    for source, target in (
        (fine, coarse),
        (coarse, fine),
        (coarse, coarse[::3]),
        (fine, coarse + 2),
    ):
        target = target[target <= 700]
        matrix = resampling(source, target)
        np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)
        inner = slice(1, -1)
        np.testing.assert_allclose((matrix @ source)[inner], target[inner], atol=0.3)
    # of two cubes on grids of 10 nm the bands in common are taken as they are
    np.testing.assert_array_equal(resampling(coarse, coarse[::2]), np.eye(31)[::2])
    # from every 5 nm, neighbours count half
    np.testing.assert_allclose(resampling(fine, coarse)[4, 7:10], [0.25, 0.5, 0.25])


def test_photographs_that_the_start_model_cannot_take_are_told(pairs):
    camera = {"start": "rootpoly-nikon-d700"}
    found = inspect(recipe(pairs, model=camera))
    told = "An sRGB photograph cannot be turned into the linear response of the camera nikon-d700"
    assert [told in str(r.problem) for r in found.rows] == [True] * 3
    assert refused(found).startswith(f"scene0: {told}")
    stated = {"input_encoding": "camera:nikon-d700"}
    inspect(recipe(pairs, model=camera, data=stated)).check()
    inspect(recipe(pairs)).check()
