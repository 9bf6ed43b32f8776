"""CoarSR's prepared copy against the exact module: numbers, chunks, reach and memory."""

from functools import cache

import pytest
import torch

from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import coarsr
from napari_hsr.models.architectures.base import shapes_of
from napari_hsr.models.optimised import convolution
from napari_hsr.models.optimised.coarsr import prepare
from napari_hsr.models.optimised.coarsr_tail import Tail
from napari_hsr.models.optimised_copy import prepared

from ...double_precision import assert_exact
from ...thorough import thorough

SIZES = [(1, 1), (1, 6), (5, 1), (2, 2), (3, 7), (9, 10)]


@pytest.fixture(scope="module")
def small(parity):
    """For a scale and a rule: two blocks of eight channels."""

    @cache
    def load(scale=4, rule=False, blocks=2):
        shapes = shapes_of(lambda: coarsr.CoarSR(scale, 8, blocks, rule))
        return from_state_dict(parity.as_trained(shapes, 3))

    return load


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", thorough([2, 3, 4, 8], always=[3, 4]))
def test_equal_to_the_exact_module(parity, small, scale, size):
    """The smallest images are all borders, where the tail's one convolution is another."""
    model = small(scale, rule=scale % 2 == 0)
    image = parity.seeded_input(11, (2, 6, *size))
    found = prepared(model, "float32")(image)
    assert found.dtype == torch.float32
    assert_exact(found, model.module, image, 1e-5)


@pytest.mark.parametrize("rule", [False, True])
@pytest.mark.parametrize(
    ("scale", "width", "blocks"),
    [
        pytest.param(2, 32, 1, marks=pytest.mark.thorough),
        (3, 16, 2),
        (4, 16, 1),
        pytest.param(8, 16, 2, marks=pytest.mark.thorough),
    ],
)
def test_equal_at_other_widths_and_an_odd_size(parity, scale, width, blocks, rule):
    model = from_state_dict(
        parity.as_trained(shapes_of(lambda: coarsr.CoarSR(scale, width, blocks, rule)))
    )
    image = parity.seeded_input(17, (1, 5, 33, 47))
    assert_exact(prepared(model, "float32")(image), model.module, image, 1e-5)


@pytest.mark.parametrize("bands", thorough([5, 28, 128], always=[5, 28]))
@pytest.mark.parametrize("rule", [False, True])
def test_equal_for_any_number_of_bands(parity, small, bands, rule):
    model = small(2, rule, blocks=1)
    image = parity.seeded_input(12, (1, bands, 5, 7))
    assert_exact(prepared(model, "float32")(image), model.module, image, 1e-5)


@pytest.mark.parametrize(
    "at_once", thorough([1, 35 * 2, 35 * 3, 35 * 31, 10**6], always=[35 * 3, 35 * 31])
)
def test_chunks_of_bands_change_nothing(parity, small, at_once):
    model = small(3, True)
    image = parity.seeded_input(13, (1, 31, 5, 7))
    fast = prepare(model.module, "float32")
    fast.pixels_at_once = at_once
    assert_exact(fast(image), model.module, image, 1e-5)


def test_equal_where_torch_fuses_nothing(parity, small, monkeypatch):
    monkeypatch.setattr(convolution, "_fused", lambda: False)
    model, image = small(), parity.seeded_input(14, (1, 7, 9, 6))
    assert_exact(prepare(model.module, "float32")(image), model.module, image, 1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", thorough([2, 3, 4, 8], always=[3, 4]))
def test_the_tail_is_one_convolution_in_double_precision(scale, size):
    torch.manual_seed(4)
    exact = coarsr.CoarSR(scale, 5, 1).double().tail
    steps = [
        (conv.kernel(), conv.bias.data.normal_(), shuffle.upscale_factor)
        for conv, shuffle in zip(exact[0][::2], exact[0][1::2], strict=True)
    ]
    tail = Tail(steps, exact[1].kernel(), exact[1].bias.data.normal_(), torch.float64)
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    with torch.no_grad():
        # rounded to float32 at the end alone
        torch.testing.assert_close(tail(x).double(), exact(x), rtol=1e-6, atol=1e-6)


def test_lower_precisions_are_near(parity):
    model = from_state_dict(parity.weights("coarsr_x4"))
    assert model.precisions == ("float32", "bfloat16", "float16")
    image = parity.seeded_input(15, (1, 6, 11, 14))
    exact = model.module(image)
    for precision, least in (("bfloat16", 45), ("float16", 55)):
        found = prepared(model, precision)(image)
        assert found.dtype == torch.float32
        assert parity.psnr(found, exact) >= least


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_cubes_are_finite(small, precision, value):
    image = torch.full((1, 5, 9, 5), value)
    assert torch.isfinite(prepared(small(), precision)(image)).all()


def test_the_exact_module_is_left_as_it_is(parity, small):
    parity.assert_left_as_it_is(small(), prepare, parity.seeded_input(16, (1, 6, 7, 9)))


@pytest.mark.parametrize(
    ("scale", "blocks", "width"),
    [
        (2, 1, 8),
        (3, 1, 8),
        (8, 1, 8),
        pytest.param(4, 2, 8, marks=pytest.mark.thorough),
        pytest.param(4, 2, 16, marks=pytest.mark.thorough),
        pytest.param(2, 1, 32, marks=pytest.mark.thorough),
    ],
)
def test_context_is_how_far_a_pixel_reaches(parity, scale, blocks, width):
    """By gradients, exactly: from the finer pixels of one coarse pixel to all coarse ones."""
    shapes = shapes_of(lambda: coarsr.CoarSR(scale, width, blocks))
    model = from_state_dict(parity.as_trained(shapes, 3))
    module = _positive(model.module)
    side = 2 * model.context + 5
    middle = side // 2
    cube = torch.rand(1, 5, side, side, dtype=torch.float64).requires_grad_()
    own = slice(scale * middle, scale * middle + scale)
    module(cube)[..., own, own].sum().backward()
    seen = cube.grad[0].abs().sum(0).nonzero()
    assert int((seen - middle).abs().max()) == model.context
    assert seen.min() > 0  # the image is large enough to tell
    assert model.context == 8 * blocks + 8


def _positive(module):
    """A copy in double precision in which nothing cancels and no rectifier closes."""
    import copy

    module = copy.deepcopy(module).double()
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.abs_().add_(0.01)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.zero_()
    # the bicubic enlargement reaches as far as the tail, and has weights of both signs
    return module


def test_less_context_would_be_seen(small):
    """Tiles with the context around them equal the whole; with a pixel less they do not."""
    model = small(2, True, blocks=1)
    fast, context = _positive(model.module), model.context
    generator = torch.Generator().manual_seed(15)
    cube = torch.rand(1, 5, 4, 2 * context + 9, dtype=torch.float64, generator=generator)
    core = slice(context + 3, context + 6)
    whole = fast(cube)[..., 2 * core.start : 2 * core.stop]
    for less in (0, 1):
        first = core.start - context + less
        part = fast(cube[..., first : core.stop + context - less])
        found = part[..., 2 * (context - less) : 2 * (context - less + 3)]
        error = float((found - whole).abs().max() / whole.abs().max())
        assert (error <= 5e-15) == (less == 0), error  # float64: the outermost pixel weighs 1e-13


def test_working_memory_is_bounded_whatever_the_number_of_bands(parity, small):
    """What lies beside input and output at a time: no more for 96 bands than for 24."""
    from torch.profiler import ProfilerActivity, profile

    model = small(2, True, blocks=1)
    fast = prepare(model.module, "float32")
    fast.pixels_at_once = 2 * 32 * 32
    extra = {}
    for bands in (24, 96):
        cube = torch.rand(1, bands, 32, 32)
        fast(cube)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            fast(cube)
        held = most = 0
        for event in seen.profiler.kineto_results.events():
            if event.name() == "[memory]":
                held += event.nbytes()
                most = max(most, held)
        # the output, and as much again while it is enlarged
        extra[bands] = most - 2 * cube.nbytes * 4
    assert extra[96] < 1.1 * extra[24] + 2**16
