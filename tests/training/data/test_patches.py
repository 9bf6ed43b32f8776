"""Batches of patches: what lies in them, and that they depend on nothing but the step."""

import pickle

import numpy as np
import pytest

from napari_hsr import colour
from napari_hsr.cube import Cube
from napari_hsr.errors import InputError, ModelError
from napari_hsr.models.input_rules import Maximum, Mean, MinMax, Statistics, Symmetric
from napari_hsr.models.model import AsIs
from napari_hsr.photograph import Photograph
from napari_hsr.training.data.patches import ModelInput, Patches, _extremes, _with_mean, undone

from ..data_files import GRID, recipe, seen, spectra
from ..driven import build, inspect

LINEAR = ModelInput("linear-srgb", AsIs())
PLAIN = {"flips": False, "rotations": False}
CIE = {"cameras": ["cie-1931"]}
MATRIX = np.asarray(colour.rendering_matrix(np.asarray(GRID)))
SIZES = ((24, 20), (26, 30), (20, 20), (22, 40))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def images(place):
    """``images(rgb)``: three to train on, given with their photographs or without."""

    def make(rgb: str | None):
        pairs = []
        for seed, size in enumerate(SIZES):
            data = spectra(seed, *size)
            photograph = None
            if rgb is not None:
                picture = colour.convert(0.8 * seen(data), "linear-srgb", rgb)
                photograph = Photograph(picture, rgb, name=f"photo{seed}")
            pairs.append((Cube(data, GRID, name=f"s{seed}"), photograph))
        settings = recipe(data={"cache": place, "hold_out": 1}, camera=CIE)
        return build(inspect(settings, images=pairs), settings).train

    return make


def same(one, other) -> bool:
    fields = ("inputs", "cubes", "gains", "offsets", "names")
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in fields)


FULL = {
    "scales": [1.0, 0.5], "exposure": 0.3, "metamers": 0.5, "tint": 0.2, "mix": 0.5,
}  # fmt: skip
NOISY = {
    "cameras": ["cie-1931", "cie-1964"], "auto_exposure": (0.1, 0.3), "photoelectrons": 1000.0,
    "read_noise": 0.002, "clip": True, "encoding": "srgb", "bits": 8, "jpeg": (60, 95),
}  # fmt: skip


@pytest.mark.parametrize("rgb", [None, "srgb"])
@pytest.mark.parametrize("rule", [AsIs(), MinMax()])
def test_a_batch_is_a_function_of_the_step_alone(images, rgb, rule):
    settings = recipe(augmentation=FULL, camera=NOISY, seed=5)
    train = images(rgb)
    patches = Patches(train, settings, ModelInput("linear-srgb", rule))
    there = {step: patches.batch(step) for step in (0, 1, 7)}
    anew = pickle.loads(pickle.dumps(Patches(train, settings, ModelInput("linear-srgb", rule))))
    for step in (7, 0, 1):  # in another order, in another process
        assert same(anew.batch(step), there[step])
    assert not same(there[0], there[1])
    other = settings.model_copy(update={"seed": 6})
    assert not same(Patches(train, other, ModelInput("linear-srgb", rule)).batch(0), there[0])
    for batch in there.values():
        assert np.isfinite(batch.inputs).all()
        assert np.isfinite(batch.cubes).all()
        assert batch.inputs.dtype == batch.cubes.dtype == np.float32
        assert batch.inputs.shape == (4, 3, 8, 8)
        assert batch.cubes.shape == (4, 31, 8, 8)


def test_ranks_share_the_batch(images):
    settings = recipe(augmentation=FULL, camera=NOISY, batch={"size": 5, "patch": 8})
    patches = Patches(images(None), settings, LINEAR)
    whole = patches.batch(3)
    for rank in range(2):
        part = patches.batch(3, rank, 2)
        np.testing.assert_array_equal(part.inputs, whole.inputs[rank::2])
        np.testing.assert_array_equal(part.cubes, whole.cubes[rank::2])
        assert part.names == whole.names[rank::2]
    with pytest.raises(InputError, match="5 patches cannot be shared by 6"):
        patches.batch(0, 0, 6)


def test_every_image_comes_as_often(images):
    patches = Patches(images(None), recipe(camera=CIE, augmentation=PLAIN), LINEAR)
    names = [n for step in range(6) for n in patches.batch(step).names]
    assert {names.count(n) for n in set(names)} == {8}
    assert len(set(names)) == 3


@pytest.mark.parametrize("augmentation", [PLAIN, {}, {"exposure": 0.5}, {"scales": [0.5, 0.8]}])
def test_a_given_photograph_and_its_cube_show_the_same_place(images, augmentation):
    """The photographs are a linear map of the cubes, and so must every patch be."""
    patches = Patches(images("srgb"), recipe(augmentation=augmentation), LINEAR)
    for step in range(3):
        batch = patches.batch(step)
        expected = np.einsum("nbhw,bc->nchw", batch.cubes, MATRIX)
        for rgb, truth in zip(batch.inputs, expected, strict=True):
            factor = (rgb * truth).sum() / (truth**2).sum()  # each photograph has its exposure
            np.testing.assert_allclose(rgb, factor * truth, atol=2e-3 * rgb.max())


def test_patches_are_cut_at_every_place_the_image_has(images):
    (image, *_) = train = images(None)
    patches = Patches(
        train[:1], recipe(camera=CIE, augmentation=PLAIN, batch={"size": 40, "patch": 18}), LINEAR
    )
    whole = np.asarray(image.cube, np.float32)
    places = set()
    for patch in patches.batch(0).cubes:
        found = [
            (y, x)
            for y in range(whole.shape[1] - 17)
            for x in range(whole.shape[2] - 17)
            if np.array_equal(whole[:, y : y + 18, x : x + 18], patch)
        ]
        assert len(found) == 1
        places.add(found[0])
    rows, columns = zip(*places, strict=True)
    assert (min(rows), max(rows)) == (0, whole.shape[1] - 18)
    assert (min(columns), max(columns)) == (0, whole.shape[2] - 18)


def test_a_simulated_photograph_is_that_of_its_cube(images):
    settings = recipe(camera=CIE, augmentation={**FULL, "scales": [1.0]})
    batch = Patches(images(None), settings, LINEAR).batch(0)
    expected = np.einsum("nbhw,bc->nchw", batch.cubes, MATRIX)
    np.testing.assert_allclose(batch.inputs, expected, atol=1e-5)


def test_the_cube_is_as_bright_as_the_photograph(images):
    camera = {**CIE, "auto_exposure": (0.05, 0.5), "encoding": "srgb"}
    batch = Patches(images(None), recipe(camera=camera), LINEAR).batch(1)
    expected = np.einsum("nbhw,bc->nchw", batch.cubes, MATRIX)
    np.testing.assert_allclose(batch.inputs, expected, atol=1e-4)
    assert np.std([c.mean() for c in batch.cubes]) > 0.02


def test_photographs_come_in_the_models_encoding(images):
    train = images("srgb")
    settings = recipe(augmentation=PLAIN)
    linear = Patches(train, settings, LINEAR).batch(0)
    srgb = Patches(train, settings, ModelInput("srgb", AsIs())).batch(0)
    decoded = colour.srgb_decode(srgb.inputs)
    np.testing.assert_allclose(decoded, linear.inputs, atol=1e-6)
    xyz = Patches(train, settings, ModelInput("xyz-d65", AsIs())).batch(0)
    assert np.abs(xyz.inputs - linear.inputs).max() > 0.01


@pytest.mark.parametrize("rule", [MinMax(), Maximum(), Mean()])
def test_the_rule_is_measured_on_the_whole_photograph(images, rule):
    train = images("srgb")
    settings = recipe(augmentation=PLAIN)
    plain = Patches(train, settings, LINEAR).batch(2)
    ruled = Patches(train, settings, ModelInput("linear-srgb", rule)).batch(2)
    whole = {i.name: colour.srgb_decode(np.asarray(i.rgb)) for i in train}
    for name, before, after in zip(plain.names, plain.inputs, ruled.inputs, strict=True):
        statistics = rule.measure(iter([whole[name]]))
        expected = rule.apply(before.transpose(1, 2, 0), statistics).transpose(2, 0, 1)
        np.testing.assert_allclose(after, expected, rtol=2e-6, atol=1e-6)


def test_the_rule_sees_the_exposure_too(images):
    settings = recipe(augmentation={**PLAIN, "exposure": 1.0})
    rule = ModelInput("linear-srgb", Maximum())
    batch = Patches(images("srgb"), settings, rule).batch(0)
    assert batch.inputs.max() <= 1 + 1e-6
    assert batch.inputs.max((1, 2, 3)).min() > 0.3  # whatever the exposure was
    assert batch.cubes.max((1, 2, 3)).max() > 2 * batch.cubes.max((1, 2, 3)).min()


def test_the_rule_is_measured_on_a_photograph_of_the_whole_scene(images):
    settings = recipe(camera=CIE, augmentation={**PLAIN, "exposure": 0.5})
    batch = Patches(images(None), settings, ModelInput("linear-srgb", Maximum())).batch(0)
    tops = {
        i.name: np.einsum("bhw,bc->hwc", np.asarray(i.sample), MATRIX)[:, :, :].max()
        for i in images(None)
    }
    for name, inputs, cube in zip(batch.names, batch.inputs, batch.cubes, strict=True):
        rgb = np.einsum("bhw,bc->chw", cube, MATRIX)
        # input = rgb / (exposure * top), and the cube has the exposure in it
        ratio = np.median(rgb / inputs)
        assert 10**-0.51 * tops[name] * 0.8 < ratio < 10**0.51 * tops[name] * 1.01


def test_a_rule_that_changes_the_output_is_undone_by_gain_and_offset(images):
    patches = Patches(images("srgb"), recipe(), ModelInput("srgb", Symmetric()))
    batch = patches.batch(0)
    np.testing.assert_array_equal(batch.gains, [0.5] * 4)
    np.testing.assert_array_equal(batch.offsets, [0.5] * 4)
    assert batch.inputs.min() < 0


def test_undone():
    assert undone(AsIs(), None) == (1.0, 0.0)
    assert undone(MinMax(clip=True), (0.0, 1.0)) == (1.0, 0.0)
    assert undone(Statistics((0.1, 0.1, 0.1), (1.0, 1.0, 1.0)), None) == (1.0, 0.0)

    class Square(AsIs):
        def undo(self, bands, statistics):
            return bands**2

    with pytest.raises(ModelError, match="is not affine"):
        undone(Square(), None)


def test_a_rule_that_looks_at_more_than_the_extremes_and_the_mean_is_refused(images):
    class Deviation(AsIs):
        name = "deviation"

        def measure(self, tiles):
            found = [t.std() for t in tiles]
            return sum(found) / len(found) if found else 0.0

    patches = Patches(images("srgb"), recipe(), ModelInput("linear-srgb", Deviation()))
    with pytest.raises(ModelError, match="'deviation' cannot be followed in training"):
        patches.batch(0)


@pytest.mark.parametrize("level", [1e-4, 0.3, 0.9999])
def test_a_few_pixels_have_the_extremes_and_the_mean_of_many(level):
    """Also where nearly all of an image is as dark, or as bright, as it gets anywhere."""
    rng = np.random.default_rng(1)
    image = np.where(rng.random((500, 3)) < level, rng.random((500, 3)) ** 4, 0.0)
    image = image.astype(np.float32) if level < 0.5 else (1 - image**8).astype(np.float32)
    few = _with_mean(_extremes(image), float(image.mean(dtype=np.float64)))
    assert (few.min(), few.max()) == (image.min(), image.max())
    assert few.mean(dtype=np.float64) == pytest.approx(image.mean(dtype=np.float64), rel=1e-6)


def test_the_mean_of_a_photograph_sees_its_exposure(images):
    """As the bundled networks do: the patch is divided by the mean of the brightened image."""
    train, rule = images("srgb"), Mean()
    settings = recipe(augmentation={**PLAIN, "exposure": 1.0})
    plain = Patches(train, settings, LINEAR).batch(1)
    ruled = Patches(train, settings, ModelInput("linear-srgb", rule)).batch(1)
    whole = {i.name: colour.srgb_decode(np.asarray(i.rgb)).mean(dtype=np.float64) for i in train}
    cubes = {i.name: float(i.cube.max()) for i in train}
    for at, name in enumerate(plain.names):
        factor = plain.inputs[at].mean() / ruled.inputs[at].mean() / whole[name]
        assert 0.09 < factor < 11
        assert ruled.gains[at] == pytest.approx(whole[name] * factor, rel=1e-5)
        assert ruled.cubes[at].max() <= cubes[name] * factor * 1.001


def test_what_does_not_fit_is_refused_at_once(images):
    with pytest.raises(InputError, match="no image"):
        Patches([], recipe(), LINEAR)
    with pytest.raises(InputError, match="cannot be turned into"):
        Patches(images("srgb"), recipe(), ModelInput("camera:nikon-d700", AsIs()))
    with pytest.raises(InputError, match="camera of the recipe does not fit the model"):
        Patches(images(None), recipe(camera=CIE), ModelInput("camera:nikon-d700", AsIs()))
    with pytest.raises(InputError, match="there is no camera to simulate one"):
        Patches(images(None), recipe(), LINEAR)
    with pytest.raises(InputError, match=r"set batch\.patch to 20 or less"):
        Patches(images(None), recipe(camera=CIE, batch={"patch": 21}), LINEAR)
    with pytest.raises(InputError, match=r"a batch of 1000000000 take .* of memory, and"):
        Patches(images(None), recipe(camera=CIE, batch={"size": 10**9, "patch": 16}), LINEAR)
