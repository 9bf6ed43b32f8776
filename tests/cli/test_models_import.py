"""Every network in every wrapping through the command line: the same weights, bit by bit."""

import json
import zipfile

import numpy as np
import pytest
import torch

from napari_hsr.io import read
from napari_hsr.models import checkpoint_import, from_state_dict
from napari_hsr.models.state_dict import read_weights
from napari_hsr.models.user_models import file_of

from ..small_zoo import IN_KIND, NETWORKS, WRAPPINGS, architecture_of, save, weights_of
from ..thorough import thorough


def same(found, expected):
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype, key
        assert torch.equal(found[key], value), key


@pytest.mark.parametrize("network", thorough(NETWORKS, always=["drcr", "mstpp"]))
def test_every_wrapping_is_stored_as_the_same_weights(hsr, tmp_path, monkeypatch, network):
    weights, hashes = weights_of(network), set()
    for wrapping, (_, _, only) in WRAPPINGS.items():
        if only not in ("", network):
            continue
        path = save(weights, wrapping, tmp_path)
        status, said, noted = hsr("models", "import", path, "--name", "mine", "--overwrite")
        assert status == 0, (wrapping, noted)
        assert f"recognised as {architecture_of(network)}, kept as mine." in said
        hashes.add(json.loads(hsr("models", "show", "mine", "--json")[1])["weights_sha256"])
        same(read_weights(file_of("mine")), weights)
        # the network of these weights has computed an image: it need not for each wrapping
        monkeypatch.setattr(checkpoint_import, "_try", lambda model, path: None)
    assert len(hashes) == 1


@pytest.mark.parametrize("network", thorough(NETWORKS, always=IN_KIND))
def test_the_cube_is_the_network_s_and_the_model_goes_round(hsr, photograph, tmp_path, network):
    weights = weights_of(network)
    hsr("models", "import", save(weights, "state_dict", tmp_path), "--name", "mine")
    handed = tmp_path / "handed.safetensors"
    assert hsr("models", "export", "mine", "-o", handed)[0] == 0
    assert hsr("models", "remove", "mine")[0] == 0
    assert "\nmine: " not in hsr("models")[1]
    assert hsr("models", "import", handed, "--name", "mine")[0] == 0
    same(read_weights(file_of("mine")), weights)

    photo, out = photograph(), tmp_path / "cube.mat"
    status, _, noted = hsr("predict", photo, "--model", "mine", "--precision", "float32", "-o", out)
    assert status == 0, noted
    coded = read(photo).data / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    linear, model = linear.astype(np.float32), from_state_dict(weights)
    statistics = model.rule.measure(iter([linear]))
    x = torch.from_numpy(model.rule.apply(linear, statistics).copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        raw = model.module(x)[0].permute(1, 2, 0).numpy()
    expected = model.rule.undo(raw, statistics).transpose(2, 0, 1)
    assert np.abs(read(out).data - expected).max() <= 1e-5 * np.abs(raw).max()


@pytest.mark.parametrize("network", thorough(NETWORKS, always=IN_KIND))
def test_a_value_that_is_none_is_named(hsr, tmp_path, network):
    weights = weights_of(network)
    last = [key for key, value in weights.items() if value.is_floating_point()][-1]
    weights[last].view(-1)[-1] = float("nan")
    path = save(weights, "state_dict", tmp_path)
    status, said, noted = hsr("models", "import", path, "--name", "mine")
    assert (status, said, noted.count("\n")) == (1, "", 1)
    assert "NaN or infinite" in noted
    assert noted.endswith(f"in {last}.\n")


def repacked(path, content):
    """An archive of torch with its pickle replaced, and everything packed."""
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in entries.items():
            new.writestr(name, content if name.endswith("data.pkl") else data)


def of_another_program(path):
    np.savez(path.with_suffix(".npz"), a=np.zeros(3))
    path.with_suffix(".npz").rename(path)


def huge(path):
    with path.open("wb") as file:
        file.truncate(2**34)  # no disk is taken


def holding_itself(path):
    state = {"epoch": 1}
    state["state_dict"] = {"state_dict": state, "lr": 0.1}
    torch.save(state, path)


def with_one(change):
    """A file of weights in which one tensor is something else."""

    def write(path):
        weights = weights_of("edsr")
        key = list(weights)[-1]
        weights[key] = change(weights[key])
        torch.save(weights, path)

    return write


def program(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"):
            archive.writestr(name, b"")


def swelling(path):
    torch.save(weights_of("edsr"), path)
    repacked(path, bytes(2**24))


BAD = {
    "would swell": (swelling, "would swell to 16,"),
    "another archive": (of_another_program, "another kind of archive"),
    "a program": (program, "a program of TorchScript"),
    "huge": (huge, "another kind of file"),
    "holds itself": (holding_itself, "there are none, only epoch, state_dict"),
    "a vast shape": (
        with_one(lambda w: torch.zeros(1, dtype=torch.float16).expand(10**6, 10**6)),
        "has 1 of the 1,000,000,000,000 values of its shape",
    ),
    "sparse": (with_one(torch.Tensor.to_sparse), "is a sparse tensor"),
    "complex": (with_one(lambda w: w.to(torch.complex64)), "holds complex numbers"),
    "no values": (with_one(lambda w: w.to("meta")), "has a shape and no values"),
    "whole numbers": (with_one(torch.Tensor.int), "holds whole numbers (int32)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_bad_files_are_refused_in_one_sentence(hsr, tmp_path, own_data, kind):
    write, says = BAD[kind]
    path = tmp_path / "net.pth"
    write(path)
    status, said, noted = hsr("models", "import", path, "--name", "mine")
    assert (status, said, noted.count("\n")) == (1, "", 1), noted
    assert noted.startswith(f"napari-hsr: error: {path}: ")
    assert says in noted
    assert not (own_data / "models").exists()


def test_unknown_names_are_told_the_nearest_by_shapes(hsr, tmp_path):
    values = list(weights_of_published("mstpp").values())[:-1]
    torch.save({f"p{n}": value for n, value in enumerate(values)}, tmp_path / "net.pth")
    noted = hsr("models", "import", tmp_path / "net.pth", "--name", "mine")[2]
    assert "the nearest by shapes alone is MST++, but conv_in.weight (31, 3, 3, 3) is" in noted


def weights_of_published(network):
    from napari_hsr.models.registry import ARCHITECTURES

    return next(a for a in ARCHITECTURES if a.id == network).published[0]().state_dict()
