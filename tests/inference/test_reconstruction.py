"""The one loop: encodings, precision of the input, memory, cancelling, what a result says."""

import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_hsr import Cancelled, Cube, HSRError, Photograph, inference, load_model, reconstruct
from napari_hsr.arguments import ArgumentError
from napari_hsr.errors import InputError
from napari_hsr.inference import Result, list_devices, reconstruct_events, why_not
from napari_hsr.models import from_state_dict
from napari_hsr.progress import Progress

from ..patience import steps, wait_for
from ..small_zoo import weights_of

RNG = np.random.default_rng(7)
EIGHT_BIT = RNG.integers(0, 256, (40, 53, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    """Pixel-wise and quick: what is told here of the loop holds to the last bit."""
    return load_model("rootpoly-srgb")


def linear(srgb):
    """IEC 61966-2-1, written again for the test."""
    low = srgb <= 0.04045
    return np.where(low, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def test_a_photograph_is_decoded_before_the_model_sees_it(model):
    photograph = reconstruct(Photograph(EIGHT_BIT), model)
    bare = reconstruct(linear(EIGHT_BIT / 255.0).astype(np.float32), model)
    np.testing.assert_allclose(photograph.data, bare.data, rtol=0, atol=3e-5)
    not_decoded = reconstruct(EIGHT_BIT, model)  # a bare array is in the model's encoding
    assert np.abs(not_decoded.data - photograph.data).max() > 0.1


def test_8_bit_16_bit_and_float_give_the_same_cube(model):
    cubes = [
        reconstruct(Photograph(image), model).data
        for image in (
            EIGHT_BIT,
            EIGHT_BIT.astype(np.uint16) * 257,
            EIGHT_BIT / np.float32(255),
            EIGHT_BIT / np.float64(255),
        )
    ]
    for other in cubes[1:]:
        np.testing.assert_allclose(other, cubes[0], rtol=0, atol=3e-5)


def test_exposure_and_no_stretching(model):
    """Twice the light is twice the cube: nothing is normalised behind the user's back."""
    image = RNG.random((8, 9, 3), dtype=np.float32) * 0.4
    np.testing.assert_allclose(
        reconstruct(2 * image, model).data, 2 * reconstruct(image, model).data, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("tile", [1, 7, 16, "auto", 10_000])
def test_tiled_equals_whole_to_the_last_bit(model, tile):
    whole = reconstruct(Photograph(EIGHT_BIT[:20, :20]), model, tile="whole")
    tiled = reconstruct(Photograph(EIGHT_BIT[:20, :20]), model, tile=tile)
    np.testing.assert_array_equal(tiled.data, whole.data)


def test_what_a_result_says(model):
    photograph = Photograph(EIGHT_BIT, name="leaf")
    seen = list(reconstruct_events(photograph, model, tile=20))
    *progress, result = seen
    assert all(isinstance(e, Progress) for e in progress)
    assert isinstance(result, Result)
    shares = [e.done / e.total for e in progress[1:]]  # slow tiles report on the way, too
    assert shares == sorted(shares)
    assert {round(6 * share, 6) for share in shares} >= set(range(7))
    cube = result.cube
    assert cube.data.dtype == np.float32
    assert cube.shape == (31, 40, 53)
    assert not cube.wavelengths.assumed
    np.testing.assert_array_equal(np.asarray(cube.wavelengths), np.arange(400, 701, 10))
    assert cube.value_range == (cube.data.min(), cube.data.max())
    assert cube.metadata["card"]["name"] == model.name
    history = cube.provenance
    assert (history.input, history.model) == ("leaf", model.name)
    assert history.weights_sha256 == model.weights_sha256
    assert any("srgb to linear-srgb" in step for step in history.steps)
    assert any("do not determine a spectrum" in step for step in history.steps)
    assert result.device == "cpu" or "cuda" in result.device or result.device == "mps"
    assert result.seconds > 0
    assert result.peak_bytes >= 0
    assert "peak memory" in result.summary()


def test_the_copy_that_a_run_makes_of_the_network_counts_as_its_memory(model, returned_memory):
    class Copy(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module, self.laid_out = module, torch.ones(20_000_000)

        def forward(self, image):
            return self.module(image)

    copied = replace(model, prepare=lambda module, precision: Copy(module))
    *_, result = reconstruct_events(EIGHT_BIT, copied, device="cpu")
    assert result.peak_bytes > 60e6


def test_saturated_pixels_are_reported(model):
    image = np.full((10, 10, 3), 100, np.uint8)
    image[:2, :, 1] = 255
    assert "20 pixels (20.0%) are saturated" in reconstruct(Photograph(image), model).notices[0]
    assert reconstruct(Photograph(image[2:]), model).notices == ()
    large = np.full((100, 100, 3), 100, np.uint8)
    large[:2, :2] = 255
    assert "4 pixels (< 0.1%) are saturated" in reconstruct(Photograph(large), model).notices[0]


def test_nan_pixels_stay_where_they_are(model):
    image = np.full((6, 7, 3), 0.5, np.float32)
    image[2, 3, 1] = np.nan
    cube = reconstruct(Photograph(image), model, tile=4)
    assert np.isnan(cube.data).any(0).sum() == 1
    assert np.isnan(cube.data[:, 2, 3]).all()
    assert np.isfinite(cube.value_range).all()
    assert "1 pixel is NaN" in cube.notices[0]


@pytest.mark.parametrize("options", [{}, {"tile": 8}, {"ensemble": "mean"}, {"finer": 2}])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_one_pixel_without_a_value_leaves_all_others_theirs(wrong, options):
    network = from_state_dict(weights_of("inr" if "finer" in options else "mstpp"))
    image = RNG.random((12, 13, 3), dtype=np.float32)
    image[2, 3, 1] = wrong
    cube = reconstruct(image, network, **options)
    lost = ~np.isfinite(cube.data).all(0)
    finer = options.get("finer", 1)
    assert lost.sum() == finer**2
    assert lost[2 * finer : 3 * finer, 3 * finer : 4 * finer].all()
    assert np.isfinite(cube.value_range).all()
    assert "1 pixel is NaN" in cube.notices[0]


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 1)])
def test_constant_and_tiny_images(model, shape, value):
    cube = reconstruct(Photograph(np.full((*shape, 3), value, np.uint8)), model)
    assert np.isfinite(cube.data).all()
    if value == 0:
        assert not cube.data.any()


def test_encodings_are_converted_or_refused(model):
    camera = load_model("rootpoly-nikon-d700")
    srgb = Photograph(EIGHT_BIT)
    with pytest.raises(InputError, match=r"sRGB.*nikon-d700"):
        reconstruct(srgb, camera)
    assert why_not(srgb, camera) is not None
    assert why_not(srgb, model) is None
    response = Photograph(RNG.random((4, 5, 3), dtype=np.float32), encoding="camera:nikon-d700")
    assert why_not(response, camera) is None
    assert why_not(response, model) is not None
    assert reconstruct(response, camera).shape == (31, 4, 5)
    assert reconstruct(response.data, camera).shape == (31, 4, 5)
    stated = reconstruct(EIGHT_BIT, camera, encoding="camera:Nikon_D700")
    assert stated.shape == (31, 40, 53)


def test_unknown_encoding_must_be_stated(model):
    photograph = Photograph(EIGHT_BIT, encoding=None, name="scan")
    with pytest.raises(InputError, match="encoding of scan is not known"):
        reconstruct(photograph, model)
    a = reconstruct(photograph, model, encoding="srgb")
    b = reconstruct(Photograph(EIGHT_BIT), model)
    np.testing.assert_array_equal(a.data, b.data)
    assert photograph.encoding is None


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 5)), "three colour channels"),
        (np.zeros((4, 5, 4)), "three colour channels"),
        (np.zeros((0, 5, 3)), "empty"),
        (np.zeros((4, 5, 3), np.int64), "not int64"),
        (np.zeros((4, 5, 3), complex), "not complex"),
        (Cube(np.zeros((31, 4, 5))), "needs an RGB photograph"),
        (Photograph(np.full((4, 5, 3), 200.0)), "200"),
        ("no such file.png", "no such file"),
    ],
)
def test_bad_images_are_one_sentence(model, image, words):
    reason = why_not(image, model)
    assert words in reason
    with pytest.raises(HSRError) as caught:
        reconstruct(image, model)
    assert words in str(caught.value)
    # an array of another type is told as the argument that it is
    assert str(caught.value) == reason or isinstance(caught.value, ArgumentError)
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:9"}, "no device 'cuda:9'"),
        ({"device": "tpu"}, "there are: auto"),
        ({"precision": "bfloat16"}, "float32 only"),
        ({"precision": "half"}, "no precision 'half'"),
        ({"tile": 0}, "tile"),
        ({"encoding": "prophoto"}, "prophoto"),
    ],
)
def test_bad_options_are_one_sentence(model, options, words):
    with pytest.raises(InputError, match=words):
        reconstruct(EIGHT_BIT, model, **options)


def test_devices_start_with_auto_and_hold_the_cpu():
    ids = [d.id for d in list_devices()]
    assert ids[0] == "auto"
    assert "cpu" in ids


def test_cancel_before_and_in_mid_run(model):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        reconstruct(EIGHT_BIT, model, cancel=cancel)
    cancel.clear()
    seen = []

    def stop_at_third(progress):
        seen.append(progress)
        if progress.done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        reconstruct(EIGHT_BIT, model, tile=8, progress=stop_at_third, cancel=cancel)
    assert seen[-1].done == 3


def test_abandoned_run_leaves_no_thread(model):
    before = set(threading.enumerate())
    run = reconstruct_events(EIGHT_BIT, model, tile=8)
    for event in run:
        if event.done == 2:
            break
    assert set(threading.enumerate()) - before
    run.close()
    # a pass ends between two operations of its network
    wait_for(lambda: not set(threading.enumerate()) - before)


def test_memory_beyond_the_output_is_bounded(model):
    """NumPy's share, counted exactly: no second copy of the photograph is made."""
    image = Photograph(np.zeros((1500, 1600, 3), np.uint8))
    reconstruct(EIGHT_BIT, model)  # libraries are loaded before
    tracemalloc.start()
    try:
        cube = reconstruct(image, model, tile=256)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    as_float = image.data.size * 4
    assert peak - cube.data.nbytes < as_float / 2


@pytest.mark.parametrize(("ensemble", "count"), [("mean", 8), ("median", 8), ("strips", 2)])
def test_an_ensemble_of_a_pixel_wise_model_changes_nothing_but_takes_its_passes(
    model, ensemble, count
):
    photograph = Photograph(EIGHT_BIT)
    tile, tiles = ("whole", 1) if ensemble == "strips" else (20, 6)
    events = reconstruct_events(photograph, model, tile=tile, ensemble=ensemble)
    *progress, result = steps(events)
    assert [(e.done, e.total) for e in progress[1:]] == [
        (i, count * tiles) for i in range(count * tiles + 1)
    ]
    single = reconstruct(photograph, model)
    np.testing.assert_allclose(result.cube.data, single.data, rtol=0, atol=1e-6)
    assert len(result.cube.provenance.steps) == len(single.provenance.steps) + 1


def test_an_ensemble_is_cancelled_between_its_passes(model):
    cancel = threading.Event()
    run = reconstruct_events(
        Photograph(EIGHT_BIT), model, tile="whole", ensemble="mean", cancel=cancel
    )
    begun = next(event for event in run if event.done)  # the second pass
    assert (begun.done, begun.total, begun.message) == (1, 8, "Reconstructing")
    cancel.set()
    with pytest.raises(Cancelled):
        next(run)


def test_between_passes_nobody_else_is_in_inference_mode(model):
    import torch

    for _ in reconstruct_events(Photograph(EIGHT_BIT), model, tile=20, ensemble="mean"):
        assert not torch.is_inference_mode_enabled()


def test_ensembles_that_do_not_fit(model):
    with pytest.raises(InputError, match="no ensemble 'best'"):
        reconstruct(EIGHT_BIT, model, ensemble="best")
    with pytest.raises(InputError, match="choose the tile 'whole'"):
        reconstruct(EIGHT_BIT, model, ensemble="strips", tile=20)
    with pytest.raises(InputError, match="at least 4 rows; this one has 3"):
        reconstruct(EIGHT_BIT[:3], model, ensemble="strips")


def test_names_of_0_1_still_work_and_tell_the_new_one():
    for old, new in (
        ("events", "reconstruct_events"),
        ("FinerResult", "SuperResolutionResult"),
    ):
        with pytest.warns(DeprecationWarning, match=new):
            assert getattr(inference, old) is getattr(inference, new)
    with pytest.raises(AttributeError, match="imagined"):
        inference.imagined  # noqa: B018
