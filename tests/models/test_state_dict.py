"""Checkpoints as authors save them: every wrapping, every precision, and what must be refused."""

import pickle
from argparse import Namespace
from collections import OrderedDict

import numpy as np
import pytest
import torch

from napari_hsr.errors import FileError, ModelError
from napari_hsr.models import from_state_dict, load_model
from napari_hsr.models.architectures import drcr, restormer
from napari_hsr.models.architectures.base import Architecture, Network, shapes_of
from napari_hsr.models.architectures.root_polynomial import exponents
from napari_hsr.models.checkpoint_import import import_checkpoint
from napari_hsr.models.model_file import save_model
from napari_hsr.models.state_dict import read_weights, unwrap
from napari_hsr.models.torch_checkpoint import TORCH_SUFFIXES, looks_like


def plain():
    generator = torch.Generator().manual_seed(0)
    # numbers that half precision holds exactly
    weight = torch.randint(-64, 64, (31, 6), generator=generator) / 64
    return {"exponents": torch.from_numpy(exponents(2)).float(), "weight": weight}


def prefixed(weights, prefix):
    return OrderedDict((prefix + key, value) for key, value in weights.items())


OPTIMISER = {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}

WRAPPINGS = {
    "plain": lambda w: w,
    "ordered": OrderedDict,
    "state_dict": lambda w: {"epoch": 3, "iter": 9, "state_dict": w, "optimizer": OPTIMISER},
    "model": lambda w: {"model": w, "opt": OPTIMISER},
    "model and sd": lambda w: {"model": {"sd": w, "meta": None}, "opt": None},
    "params": lambda w: {"params": w},
    "an average beside them": lambda w: {
        "params": {k: 0 * v for k, v in w.items()},
        "params_ema": w,
    },
    "generator": lambda w: {"generator": w, "discriminator": {"conv.weight": torch.zeros(3)}},
    "another name": lambda w: {"netG": w, "epoch": 3},
    "module.": lambda w: prefixed(w, "module."),
    "module. twice": lambda w: {"state_dict": prefixed(w, "module.module.")},
    "a training program": lambda w: {"state_dict": prefixed(w, "model.module."), "loops": None},
    "compiled": lambda w: prefixed(w, "_orig_mod."),
    "float16": lambda w: {"model": {k: v.half() for k, v in w.items()}},
    "bfloat16": lambda w: {k: v.bfloat16() for k, v in w.items()},
    "float64": lambda w: {k: v.double() for k, v in w.items()},
    "parameters": lambda w: {k: torch.nn.Parameter(v) for k, v in w.items()},
}


def same(found, expected):
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].dtype == torch.float32
        assert not found[key].requires_grad
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_comes_off(wrapping):
    weights = plain() | {"exponents": torch.eye(3)}  # thirds and halves in every precision
    weights["weight"] = weights["weight"][:, :3]
    wrapped = WRAPPINGS[wrapping](weights)
    same(unwrap(wrapped), weights)
    same(unwrap(unwrap(wrapped)), weights)
    assert from_state_dict(wrapped).card.architecture == "root-polynomial"


@pytest.mark.parametrize("suffix", TORCH_SUFFIXES)
@pytest.mark.parametrize("wrapping", ["state_dict", "module. twice", "float16", "parameters"])
@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_new_and_old(tmp_path, suffix, wrapping, zipped):
    weights = {"exponents": torch.eye(3), "weight": plain()["weight"][:, :3]}
    path = tmp_path / f"net{suffix}"
    torch.save(WRAPPINGS[wrapping](weights), path, _use_new_zipfile_serialization=zipped)
    same(read_weights(path), weights)


def test_numbers_and_options_saved_beside_do_not_hinder(tmp_path):
    path = tmp_path / "net.pth"
    beside = {"best": np.float64(0.1), "mrae": np.float32(0.2), "args": Namespace(lr=1e-4)}
    torch.save({"state_dict": plain()} | beside, path)
    same(read_weights(path), plain())


def test_a_prefix_that_not_all_share_is_a_name():
    weights = {"model.a": torch.zeros(2), "b": torch.zeros(2)}
    assert list(unwrap(weights)) == ["model.a", "b"]


def test_tensors_that_fit_are_not_copied():
    weights = plain()
    assert all(unwrap(weights)[key].data_ptr() == v.data_ptr() for key, v in weights.items())


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ([torch.zeros(2)], "a list was found"),
        (torch.zeros(2), "a Tensor was found"),
        ({}, "not recognised: there are none.$"),
        ({"epoch": 3, "lr": 0.1}, "only epoch, lr"),
        ({"a": torch.zeros(2), "epoch": 3}, "under 'epoch', but an int"),
        ({0: torch.zeros(2)}, "Names of weights"),
        ({"G": {"a": torch.zeros(2)}, "D": {"a": torch.zeros(2)}}, r"several.*\(G, D\)"),
        ({"a": torch.zeros(2), "module.a": torch.zeros(2)}, "both named a"),
    ],
)
def test_what_holds_no_state_dict(state, words):
    with pytest.raises(ModelError, match=words):
        unwrap(state)


class Mischief:
    """Pickled, it asks the reader to make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, zipped):
    path, trace = tmp_path / "net.pth", tmp_path / "trace"
    content = {"state_dict": plain(), "args": Mischief(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileError, match=r"net\.pth: weights alone.*would run \w+\.open"):
        read_weights(path)
    path.write_bytes(pickle.dumps(Mischief(trace)))
    with pytest.raises(FileError, match="another pickle"):
        read_weights(path)
    assert not trace.exists()


def test_a_whole_network_is_refused_by_name(tmp_path):
    path = tmp_path / "net.pth"
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(FileError, match=r"would run torch\.nn\.modules\.linear\.Linear"):
        read_weights(path)


def _cut(whole, at):
    return whole[: int(len(whole) * at)]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_files_cut_short(tmp_path, zipped, at):
    path = tmp_path / "net.pth"
    torch.save({"state_dict": plain()}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(_cut(path.read_bytes(), at))
    with pytest.raises(FileError, match=r"net\.pth: .*damaged or cut short\.$"):
        read_weights(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"\x89PNG\r\n", "another kind of file"), (b"PK\x03\x04", "damaged")],
)
def test_other_files(tmp_path, content, words):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(FileError, match=words):
        read_weights(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_weights(tmp_path / "absent.pth")
    torch.save({"epoch": 1}, path)
    with pytest.raises(
        FileError, match=r"net\.pth: Weights not recognised: there are none, only epoch\.$"
    ):
        read_weights(path)


def test_drcr_under_other_names_in_the_right_order():
    shapes = shapes_of(lambda: drcr.DRCR(3, 31, 8, 2, 1))
    weights = {key: torch.rand(shape) for key, shape in shapes.items()}
    renamed = {f"module.n{i}": value.half() for i, value in enumerate(weights.values())}
    found = unwrap({"state_dict": renamed})
    assert list(found) == list(weights)
    model = from_state_dict({"state_dict": renamed})
    assert model.card.architecture == "drcr"
    key = "backbone.1.conv4.conv2d.weight"
    torch.testing.assert_close(model.module.state_dict()[key], weights[key], rtol=1e-3, atol=1e-3)


def test_unknown_weights_name_the_nearest_and_the_first_key_that_differs():
    shapes = shapes_of(drcr.DRCR)
    weights = {key: torch.zeros(shape) for key, shape in shapes.items()}
    del weights["input_prelu2D.weight"]
    with pytest.raises(
        ModelError, match=r"nearest is DRCR-Net, but input_prelu2D\.weight \(1\) is"
    ):
        from_state_dict(weights)
    with pytest.raises(ModelError, match=r"no shape in common.* is \w+.*, but .* is missing\.$"):
        from_state_dict({"a": torch.zeros(1), "b": torch.zeros(2)})
    with pytest.raises(ModelError, match=r"nearest is MST\+\+, but body\.0\.embedding\.weight \("):
        from_state_dict({"conv_in.weight": torch.zeros(2), "conv_out.weight": torch.zeros(1)})


def test_names_of_weights_and_shapes_that_nobody_knows():
    vgg = {f"features.{i}.weight": torch.zeros(n, m, 3, 3) for i, n, m in ((0, 64, 3), (1, 64, 64))}
    vgg["classifier.weight"] = torch.zeros(10, 512)
    with pytest.raises(ModelError, match=r"like those of no known network; of these, [\w+-]+ has"):
        from_state_dict(vgg)
    shape = {"classifier.weight": torch.zeros(10, 511)}
    with pytest.raises(
        ModelError, match=r"nearest by the number of tensors is [\w+-]+, but \S+ \("
    ):
        from_state_dict(shape)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04" + bytes(20), "torch"),
        (b"\x80\x04\x95" + bytes(20), "torch"),
        (b"\x80\x01" + bytes(6) + b'{"a":', "safetensors"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), ""),
        (b"", ""),
    ],
)
def test_what_a_file_is_its_beginning_says(tmp_path, content, kind):
    (tmp_path / "x").write_bytes(content)
    assert looks_like(tmp_path / "x") == kind
    assert looks_like(tmp_path / "absent") == ""


def test_a_file_under_the_other_kind_s_name(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HSR_DATA", str(tmp_path / "data"))
    torch.save({"state_dict": plain()}, tmp_path / "torch.safetensors")
    kept = from_state_dict(plain())
    save_model(tmp_path / "ours.pth", plain(), kept.card)
    for name in ("torch.safetensors", "ours.pth"):
        same(read_weights(tmp_path / name), plain())
        model = import_checkpoint(tmp_path / name, "it", overwrite=True)
        assert model.card.architecture == "root-polynomial"
    assert load_model(tmp_path / "ours.pth").weights_sha256 == kept.weights_sha256
    with pytest.raises(ModelError, match="imported first"):
        load_model(tmp_path / "torch.safetensors")


def test_a_title_within_a_sentence_is_short():
    network = Network(build=torch.nn.PReLU)
    named = Architecture(
        id="a", title="A, which has a clause", keys={}, read=lambda weights: network
    )
    with pytest.raises(
        ModelError, match=r"^The weights of A hold NaN or infinite values in weight"
    ):
        named.load({"weight": torch.tensor([torch.nan])})
    shapes = shapes_of(restormer.ARCHITECTURE.published[0])
    del shapes[next(iter(shapes))]
    weights = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    with pytest.raises(ModelError, match=r"Restormer, but \S+ \(48, 3, 3, 3\) is missing"):
        from_state_dict(weights)
