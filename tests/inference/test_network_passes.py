"""How far a pass of a network is, and that it stops when asked, in every network on board."""

import itertools
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_hsr.errors import Cancelled
from napari_hsr.inference import reconstruct_events, super_resolve_events
from napari_hsr.inference.estimates import speed_probe
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles import network_passes as passes_module
from napari_hsr.inference.tiles import queue as queue_module
from napari_hsr.inference.tiles.network_passes import Passes
from napari_hsr.models import ModelCard, from_state_dict
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.model import Model
from napari_hsr.models.optimised_copy import prepared
from napari_hsr.progress import Progress

from ..small_zoo import NETWORKS, weights_of

CARD = ModelCard(
    name="parts",
    title="Parts",
    architecture="parts",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)


class Part(torch.nn.Module):
    def __init__(self, action=None):
        super().__init__()
        self.action, self.calls = action, 0

    def __deepcopy__(self, _memo):
        return self  # without weights: a copy counts the same calls

    def forward(self, x):
        self.calls += 1
        if self.action is not None:
            self.action()
        return x + 1


def model_of(*parts):
    module = torch.nn.Sequential(*parts)
    return Model(module=module, card=CARD, weights_sha256="", bands=3, context=0)


def run(model, cancel=None, side=8):
    image = np.zeros((side, side, 3), np.float32)
    return reconstruct_events(image, model, device="cpu", tile="whole", cancel=cancel)


class AfterLooks:
    """A request to cancel that comes after so many looks at it."""

    def __init__(self, looks):
        self.left, self.looks = looks, 0

    def is_set(self):
        self.looks += 1
        return self.looks > self.left


def network(name):
    if name.startswith("coarsr"):
        torch.manual_seed(3)
        return from_state_dict(CoarSR(int(name[-1]), width=8, blocks=2).state_dict())
    return from_state_dict(weights_of(name))


@pytest.mark.parametrize("name", [*NETWORKS, "coarsr2", "coarsr4"])
def test_every_network_looks_often_whether_to_stop(name, monkeypatch):
    clock = itertools.count()  # each part takes as long as the others, however busy the machine is
    monkeypatch.setattr(passes_module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    model = network(name)
    module, bands = prepared(model, model.precisions[0]), model.channels or 6
    side = max(16, model.size_multiple)
    image = torch.rand(1, bands, side, side, generator=torch.Generator().manual_seed(0))
    whole = Passes(AfterLooks(10**9))
    with torch.inference_mode():
        assert torch.equal(whole.run(module, image), module(image))
    assert whole._cancel.looks > 15
    assert whole.share == 0  # it had not run before
    parts = next(clock) - 2  # the beginning and the end were looked at, too
    again = Passes(AfterLooks(10**9))
    again.run(module, image)
    assert again.share == parts / (parts + 1)  # the last part ends the network
    half = Passes(AfterLooks(whole._cancel.looks // 2))
    with pytest.raises(Cancelled):
        half.run(module, image)
    assert 0 < half.share < 1


def test_a_run_says_how_far_it_is_within_a_tile():
    seen = threading.Event()
    model = model_of(Part(), Part(), Part(lambda: seen.wait(60)), Part())
    seen.set()
    list(run(model))
    seen.clear()
    shares = []
    for event in run(model):
        if isinstance(event, Progress) and event.within:
            assert (event.done, event.total) == (0, 1)
            assert event.share == event.within
            shares.append(event.share)
            seen.set()
    assert shares
    assert all(0 < share < 1 for share in shares)


@pytest.mark.parametrize("late", [False, True])
def test_no_time_is_told_once_a_pass_takes_longer_than_it_should(monkeypatch, late):
    seen = threading.Event()
    model = model_of(Part(lambda: seen.wait(60)))
    monkeypatch.setattr(queue_module, "tile_seconds", lambda *_: 8.0)
    share = passes_module.BY_TIME if late else 0.5
    monkeypatch.setattr(Passes, "share", property(lambda _passes: share))
    left = []
    for event in run(model):
        if isinstance(event, Progress) and event.within:
            left.append(event.seconds_left)
            seen.set()
    assert left
    assert all((one is None) == late for one in left)


def test_nothing_more_is_computed_after_a_cancel():
    cancel = threading.Event()
    parts = Part(), Part(cancel.set), Part(), Part()
    with pytest.raises(Cancelled):
        list(run(model_of(*parts), cancel))
    assert [part.calls for part in parts] == [1, 1, 0, 0]


def test_a_cancel_does_not_wait_for_an_operation_without_end(monkeypatch):
    monkeypatch.setattr(passes_module, "PATIENCE", 0.01)
    cancel, end, ended = threading.Event(), threading.Event(), threading.Event()
    after = Part(ended.set)
    events = run(model_of(Part(lambda: (cancel.set(), end.wait(60))), after), cancel)
    with pytest.raises(Cancelled):
        list(events)
    end.set()  # only now
    assert after.calls == 0


def test_a_consumer_that_leaves_ends_the_pass(monkeypatch):
    monkeypatch.setattr(passes_module, "POLL", 0.01)
    end, after = threading.Event(), Part()
    events = run(model_of(Part(lambda: end.wait(60)), after))
    for event in events:
        if event.total and event.message == "Reconstructing":
            break
    next(events)  # within the first part
    end.set()
    events.close()
    assert after.calls == 0


def test_a_fault_of_a_network_arrives_as_it_is():
    def fail():
        raise RuntimeError("of the network")

    with pytest.raises(RuntimeError, match="of the network"):
        list(run(model_of(Part(fail))))


def test_a_long_run_of_an_unknown_speed_measures_it_first(monkeypatch):
    monkeypatch.setattr(speed_probe, "SIDES", (8, 12))
    monkeypatch.setattr(speed_probe, "LONG", 8 * 12**2)
    torch.manual_seed(3)
    model = from_state_dict(CoarSR(2, width=8, blocks=1).state_dict())
    cube = np.random.default_rng(0).random((5, 80, 81), np.float32)
    for first in (True, False, True):
        if first:  # nor is it known how far the parts of the network are
            passes_module._PROFILES.clear()
        *events, _ = super_resolve_events(cube, model, device="cpu", tile=48)
        said = [event.message for event in events]
        assert ("Measuring how long it will take" in said) == first
        computing = [e for e in events if e.message == "Super-resolving"]
        shares = [event.share for event in computing]
        assert shares == sorted(shares)


def test_the_speed_of_thousands_of_bands_is_measured_on_some(monkeypatch):
    monkeypatch.setattr(speed_probe, "SIDES", (8, 12))
    clock = itertools.count()  # each measurement takes a second
    monkeypatch.setattr(speed_probe, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    torch.manual_seed(4)
    model = from_state_dict(CoarSR(2, width=8, blocks=1).state_dict())
    seen, kept, before = set(), [], Passes.run

    def run(self, module, image):
        seen.add(image.shape[1])
        return before(self, module, image)

    monkeypatch.setattr(Passes, "run", run)
    monkeypatch.setattr(speed_probe, "remember_probe", lambda *found: kept.append(found))
    for bands in (31, 3000):
        speed_probe.measure(plan_run(model, 3, 3, bands=bands, device="cpu", precision="float32"))
    assert seen == {31, speed_probe.BANDS}
    (few, *ordinary), (many, *scaled) = kept
    assert (few.bands, many.bands) == (31, 3000)
    np.testing.assert_allclose(scaled, np.array(ordinary) * 3000 / speed_probe.BANDS)
