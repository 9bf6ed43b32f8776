"""Tiles on a graphics card, emulated: streams whose work is done only when somebody waits for it."""

from collections import deque
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.devices import full_float32
from napari_hsr.inference.tiles import loop as tile_loop
from napari_hsr.inference.tiles.cuda_graph import AFTER, Recorded
from napari_hsr.inference.tiles.outputs import InMemory
from napari_hsr.inference.tiles.transfers import AtOnce, PageLocked, transfers_of
from napari_hsr.models import ModelCard
from napari_hsr.models.model import Model
from napari_hsr.notices import Code

CPU = torch.device("cpu")
CARD = ModelCard(
    name="toy",
    title="A toy",
    architecture="toy",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)
IMAGE = np.random.default_rng(0).integers(0, 250, (40, 61, 3), np.uint8)


class Card:
    """What :mod:`torch.cuda` has of streams: copies lie in a queue until they are waited for."""

    def __init__(self):
        self.on = self.computing = Card.Stream(CPU)
        self.most = 0  # copies that were under way at once

    class Stream:
        def __init__(self, device):
            self.work, self.began = deque(), 0

        def wait_event(self, event):
            assert event.recorded

    class Event:
        recorded = None

        def record(self, stream):
            self.recorded = stream, len(stream.work) + stream.began

        def synchronize(self):
            stream, number = self.recorded
            while stream.began < number:
                stream.work.popleft()()
                stream.began += 1

    def current_stream(self, device):
        return self.on

    @contextmanager
    def stream(self, stream):
        self.on, before = stream, self.on
        yield
        self.on = before

    def locked(self, shape):
        """Page-locked memory: what is copied into it from the card comes later."""
        return Card.Memory(self, shape)

    class Memory:
        def __init__(self, card, shape):
            self.card, self.here = card, torch.full(tuple(shape), torch.nan)

        def copy_(self, source, non_blocking=False):
            if not non_blocking:
                self.here.copy_(source)
                return
            work = self.card.on.work
            work.append(lambda: self.here.copy_(source))
            self.card.most = max(self.card.most, len(work))

        def to(self, device, non_blocking):
            return self.here.clone()

        def numpy(self):
            return self.here.numpy()


class Box(torch.nn.Module):
    """A mean of 3 × 3 pixels, which may do something else before."""

    def __init__(self):
        super().__init__()
        self.before = lambda images: None
        self.passes = 0

    def forward(self, images):
        self.passes += 1
        self.before(images)
        around = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
        return torch.nn.functional.avg_pool2d(around, 3, 1)


def toy(**options):
    return Model(module=Box(), card=CARD, weights_sha256="", bands=3, context=1, **options)


def result_of(model, **options):
    *_, result = reconstruct_events(IMAGE, model, device="cpu", **options)
    return result


@pytest.fixture
def card(monkeypatch):
    made = Card()
    monkeypatch.setattr(
        tile_loop, "transfers_of", lambda device: PageLocked(device, made, made.locked)
    )
    return made


def test_the_next_tile_is_computed_while_a_result_comes_down(card, monkeypatch):
    expected = result_of(toy(), tile="whole").cube
    model, order = toy(), []
    model.module.before = lambda images: order.append("pass")
    real = InMemory.write
    monkeypatch.setattr(InMemory, "write", lambda *given: (order.append("write"), real(*given))[1])
    found = result_of(model, tile=16)
    np.testing.assert_array_equal(found.cube.data, expected.data)
    assert found.tiles == 12
    assert order == ["pass", *["pass", "write"] * 11, "write"]
    assert card.most == 2
    assert not any(notice.code == Code.GRAPHICS_CARD for notice in found.notices)


@pytest.mark.parametrize("ensemble", ["mean", "median"])
def test_blended_tiles_ensembles_and_missing_values(card, monkeypatch, ensemble):
    model = replace(toy(), context=None)
    image = IMAGE.astype(np.float32) / 255
    image[5, 7] = np.nan
    asked = {"tile": 24, "ensemble": ensemble, "device": "cpu"}
    *told, found = reconstruct_events(image, model, **asked)
    assert [p.done for p in told] == sorted(p.done for p in told)
    monkeypatch.setattr(tile_loop, "transfers_of", AtOnce)
    *_, expected = reconstruct_events(image, model, **asked)
    np.testing.assert_array_equal(found.cube.data, expected.cube.data)
    assert np.isnan(found.cube.data[:, 5, 7]).all()


def test_memory_that_gives_out_while_a_result_comes_down(card):
    """The one that was on its way is computed again, in smaller tiles."""
    expected, model = result_of(toy(), tile="whole"), toy()

    def little(images):
        if images.shape[-1] > 18 and model.module.passes > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.module.before = little
    found = result_of(model, tile=32)
    np.testing.assert_array_equal(found.cube.data, expected.cube.data)
    assert any(notice.code == Code.TILES_HALVED for notice in found.notices)


def test_without_page_locked_memory_copies_are_waited_for(card):
    def locked(shape):
        if card.most:
            raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be …")
        return Card.locked(card, shape)

    card.locked = locked
    found = result_of(toy(), tile=16)
    np.testing.assert_array_equal(found.cube.data, result_of(toy(), tile="whole").cube.data)
    (told,) = [notice for notice in found.notices if notice.code == Code.GRAPHICS_CARD]
    assert "gave no page-locked memory (CUDA error: out of memory): the result is the same" in told


def test_a_processor_has_nothing_to_transfer():
    assert isinstance(transfers_of(CPU), AtOnce)


def recording(network, images):
    """A pass into memory that the next one writes over, as that of a CUDA graph."""
    shape, made = images.shape, network(images).clone()

    def replay(images):
        assert images.shape == shape
        passes = network.passes
        made.copy_(network(images))
        network.passes = passes  # replayed, not run
        return made.clone()

    return replay


@pytest.mark.parametrize("ahead", [False, True])
def test_a_shape_that_comes_again_is_recorded(monkeypatch, request, ahead):
    if ahead:
        request.getfixturevalue("card")
    made = []
    monkeypatch.setattr(
        tile_loop, "_module", lambda run: made.append(Recorded(run.module(), recording)) or made[0]
    )
    model = toy()
    found = result_of(model, tile=10)
    np.testing.assert_array_equal(found.cube.data, result_of(toy(), tile="whole").cube.data)
    assert AFTER < model.module.passes < found.tiles  # others were replayed
    assert not any(notice.code == Code.GRAPHICS_CARD for notice in found.notices)


def test_other_shapes_are_run_as_always():
    network = Box()
    recorded = Recorded(network, recording)
    first, other = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 5, 8)
    for number in range(1, 6):
        torch.testing.assert_close(recorded(first), Box()(first))
        torch.testing.assert_close(recorded(other * number), Box()(other * number))
    assert network.passes == AFTER + 1 + 5  # the first ones, the recording, those of the other
    kept = recorded(first)
    recorded(first + 1)
    torch.testing.assert_close(kept, Box()(first))  # a result is the caller's


def test_what_cannot_be_recorded_is_run_and_told(monkeypatch):
    def record(network, images):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(tile_loop, "_module", lambda run: Recorded(run.module(), record))
    model = toy()
    found = result_of(model, tile=10)
    np.testing.assert_array_equal(found.cube.data, result_of(toy(), tile="whole").cube.data)
    assert model.module.passes == found.tiles
    (told,) = [notice for notice in found.notices if notice.code == Code.GRAPHICS_CARD]
    assert "operation not permitted when stream is capturing)" in told


def test_a_record_gives_way_to_larger_images():
    network = Box()
    recorded = Recorded(network, recording)
    first, other = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
    for _ in range(4):
        recorded(first)
    assert not recorded.notices()

    def full(images):
        if images.shape[-1] == 16 and not recorded.notices():
            raise torch.OutOfMemoryError("CUDA out of memory.")

    network.before = full
    torch.testing.assert_close(recorded(other), Box()(other))
    assert "too little memory" in recorded.notices()[0]
    torch.testing.assert_close(recorded(first), Box()(first))
    network.before = lambda images: (_ for _ in ()).throw(ValueError("a fault"))
    with pytest.raises(ValueError, match="a fault"):
        recorded(first)


def test_float32_is_float32_on_a_graphics_card():
    convolutions = torch.backends.cudnn.conv
    before = convolutions.fp32_precision
    with full_float32(torch.device("cuda:0")):
        assert convolutions.fp32_precision == "ieee"
    with full_float32(CPU):
        assert convolutions.fp32_precision == before
    assert convolutions.fp32_precision == before
