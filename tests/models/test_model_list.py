"""Lists of models: what is at hand with its size, and the networks whose weights are not."""

import torch

from napari_hsr.models import DEFAULT, import_checkpoint, list_models, user_models
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.models.card import RECONSTRUCTION, SUPER_RESOLUTION
from napari_hsr.models.checkpoint_import import examine
from napari_hsr.models.model_list import count_text, listings, purpose_of
from napari_hsr.models.published_weights import ENTRIES

SMALL = {"width": 8, "depths": (1, 1, 1, 1, 1), "hidden": (10, 21, 42, 85)}


def test_models_at_hand_first_then_the_networks_without_weights():
    found = listings()
    assert [x.name for x in found] == [
        *(card.name for card in list_models() if card.task == RECONSTRUCTION),
        *(entry.name for entry in ENTRIES if entry.task == RECONSTRUCTION),
    ]
    first, last = found[0], found[-1]
    assert first.name == DEFAULT
    assert first.card is not None
    assert not first.own
    assert first.purpose == "any photograph"
    assert "31 bands, 400–700 nm" in first.facts
    assert "weights" in first.facts
    assert dict(first.details())["Weights"] == "bundled"
    assert dict(first.details())["Source"] == first.card.source
    assert last.card is None
    assert last.entry is not None
    assert last.size == ""
    assert "none published" in last.origin


def test_an_imported_network_is_at_hand_with_its_size_and_origin(tmp_path):
    net = Restormer(**SMALL)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    card = import_checkpoint(tmp_path / "net.pth", "mine", input_encoding="camera:nikon-d700").card
    mine = next(x for x in listings() if x.name == "mine")
    assert mine.own
    assert mine.facts.startswith("mine · raw values of the camera nikon-d700 · 31 bands")
    assert mine.card == card
    assert mine.purpose == "raw values of the camera nikon-d700"
    count = sum(p.numel() for p in net.parameters())
    assert mine.size.startswith(f"{count:,} weights, ")
    assert "net.pth, SHA-256" in mine.origin
    assert "restormer-ntire2022" not in [x.name for x in listings()]
    details = dict(mine.details())
    assert details["Network"] == "restormer"
    assert "31 bands" in details["Output"]
    assert details["Weights"] == "imported"
    assert details["Source"] == card.source == mine.origin
    user_models.remove("mine")
    assert "restormer-ntire2022" in [x.name for x in listings()]


def test_what_the_catalogue_knows_is_told():
    mstpp = dict(next(x for x in listings() if x.name == "mstpp-ntire2022").details())
    assert mstpp["For"] == "raw values of the camera basler-a2a5320-23ucbas"
    assert mstpp["Weights"].startswith("published at https://")
    assert mstpp["Reported"].startswith("MRAE 0.1645")
    assert "Size" not in mstpp


def test_words():
    assert purpose_of("linear-srgb") == purpose_of("srgb") == "any photograph"
    assert purpose_of("") == ""
    assert count_text(1) == "1 weight"
    assert count_text(1_619_625) == "1.62 million weights"


def test_a_checkpoint_is_examined_without_being_kept(tmp_path, own_data):
    net = Restormer(**SMALL, bands=4)
    torch.save({"state_dict": net.state_dict()}, tmp_path / "four.pth")
    found = examine(tmp_path / "four.pth")
    assert found.architecture == "restormer"
    assert found.title.startswith("Restormer")
    assert (found.channels, found.bands) == (3, 4)
    assert found.weights == sum(p.numel() for p in net.parameters())
    assert found.input_rule.startswith("min-max")
    assert not found.asks_for_rule
    assert found.card is None
    assert not own_data.joinpath("models").exists()


def test_models_for_cubes_are_listed_apart(tmp_path):
    on_board = ["coarsr-x2", "coarsr-x3", "coarsr-x4", "coarsr-x8"]
    assert [x.name for x in listings(SUPER_RESOLUTION)] == [*on_board, "coarsr-dualsr"]
    net = CoarSR(2, 4, 1)
    torch.save({"epoch": 1, "model": net.state_dict()}, tmp_path / "net.pth")
    found = examine(tmp_path / "net.pth")
    assert (found.channels, found.bands, found.scale) == (None, None, 2)
    card = import_checkpoint(tmp_path / "net.pth", "finer").card
    mine = next(x for x in listings(SUPER_RESOLUTION) if x.name == "finer")
    assert mine.card == card
    assert mine.facts.startswith("finer · cubes of coarse pixels · ×2, any bands")
    assert "coarsr-dualsr" not in [x.name for x in listings(SUPER_RESOLUTION)]
    assert all(x.task == RECONSTRUCTION for x in listings())
    assert dict(mine.details())["Neighbouring bands"] == card.input_rule


def test_for_a_scale_the_interpolations_stand_behind_its_models(tmp_path):
    torch.save(CoarSR(2, 4, 1).state_dict(), tmp_path / "two.pth")
    import_checkpoint(tmp_path / "two.pth", "two")
    ways = ["bicubic-matlab", "bicubic-opencv", "bicubic-torch", "box"]
    at_two = listings(SUPER_RESOLUTION, 2)
    own = [x.name for x in at_two if x.card is not None]
    assert own[-1] == "two"
    assert [x.name for x in at_two if x.at_hand] == [*own, *ways]
    at_eight = listings(SUPER_RESOLUTION, 8)
    assert [x.name for x in at_eight] == ["coarsr-x8", *ways, "coarsr-dualsr"]
    box = at_eight[4]
    assert (box.task, box.input, box.output) == (SUPER_RESOLUTION, "cube", "×8, any bands")
    assert dict(box.details())["Exactly"].startswith("the mean of the fine pixels")
    assert not {*ways} & {x.name for x in listings(SUPER_RESOLUTION)}
