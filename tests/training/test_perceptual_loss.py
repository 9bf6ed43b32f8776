"""MXR-U-Net's perceptual loss against the original's figures, and its weights' way here."""

import hashlib
import importlib.util
import json
import socket
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.training.engine import perceptual_loss
from napari_hsr.training.engine.losses import Loss
from napari_hsr.training.engine.perceptual_loss import (
    Perceptual,
    fetch_vgg_weights,
    vgg_weights,
)
from napari_hsr.training.recipe.schema import LossTerm

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fill = _module(GOLDEN / "fill.py")


@pytest.fixture(scope="module")
def weights():
    """For 31 bands, as the original was run with."""
    spec = json.loads((GOLDEN / "specs" / "spec_vgg16bn31.json").read_text())
    return fill.filled_state_dict(spec)


@pytest.fixture(scope="module")
def colours(weights):
    """For three colours, as the public file has them."""
    return {**weights, "0.weight": weights["0.weight"][:, :3].clone()}


@pytest.fixture(scope="module")
def file(colours, tmp_path_factory):
    """A file like torchvision's, with its classifier's names."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16_bn.pth"
    named = {f"features.{key}": value for key, value in colours.items()}
    torch.save({**named, "classifier.0.bias": torch.zeros(3)}, path)
    return path


@pytest.fixture(scope="module")
def sha(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _pair(bands=31, height=64, width=48):
    return tuple(
        torch.from_numpy(fill.seeded_input(seed, (1, bands, height, width))) for seed in (401, 402)
    )


@pytest.mark.parametrize(("name", "pixel"), [("feature_loss", 100), ("feature_loss_MXR", 10)])
def test_it_is_the_originals(weights, name, pixel):
    golden = json.loads((GOLDEN / "featureloss.json").read_text())
    golden = golden[f"{name} mrse=True pred_seed=401 targ_seed=402 shape=[1, 31, 64, 48]"]
    loss = Perceptual(weights, pixel)
    parts = loss.parts(*_pair())
    for number, place in enumerate((22, 32, 42)):
        assert float(parts[f"features-{place}"]) == pytest.approx(
            golden["parts"][f"feat_{number}"], rel=1e-5
        )
        assert float(parts[f"gram-{place}"]) == pytest.approx(
            golden["parts"][f"gram_{number}"], rel=1e-5
        )
    assert float(parts["pixel"]) == pytest.approx(golden["parts"]["pixel"], rel=1e-5)
    assert float(loss(*_pair())) == pytest.approx(golden["total"], rel=1e-5)


def test_the_prediction_has_a_gradient_and_the_weights_have_none(weights):
    p, t = _pair(height=32, width=32)
    p.requires_grad_()
    loss = Perceptual(weights)
    loss(p, t).backward()
    assert torch.isfinite(p.grad).all()
    assert p.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in loss._network.parameters())
    assert float(loss(t, t)) == 0


def test_batch_norm_keeps_its_statistics(weights):
    p, t = _pair(height=32, width=32)
    loss = Perceptual(weights)
    first = float(loss(p, t))
    loss(3 * p, t)
    assert float(loss(p, t)) == first


@pytest.mark.parametrize("bands", [8, 31])
def test_the_first_layer_repeats_the_three_colours(colours, bands):
    p, _ = _pair(bands, 16, 16)
    network = Perceptual(colours)._on(p.device, bands)
    with torch.no_grad():
        found = network[0](p)
    summed = torch.stack([p[:, j::3].sum(1) for j in range(3)], 1) * 31 / bands
    expected = torch.nn.functional.conv2d(summed, colours["0.weight"], colours["0.bias"], padding=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_other_bands_and_small_patches_are_refused(weights):
    with pytest.raises(InputError, match="take 31 bands, but the cubes have 8"):
        Perceptual(weights)(*_pair(8, 16, 16))
    with pytest.raises(InputError, match="16 pixels or more, not 8 × 48"):
        Perceptual(weights)(*_pair(31, 8, 48))


def test_a_term_of_a_loss_takes_a_file(file, sha, colours):
    p, t = _pair(height=16, width=16)
    loss = Loss([LossTerm(kind="perceptual", weights_file=file, weights_sha256=sha.upper())], 10)
    value, terms = loss(p, t, 0)
    assert terms["perceptual"] == float(value) == float(Perceptual(colours)(p, t))


def test_safetensors_are_read_too(colours, tmp_path):
    path = tmp_path / "vgg.safetensors"
    save_file({k: v for k, v in colours.items() if "tracked" not in k}, path)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    found = vgg_weights(path, sha)
    assert found.keys() == colours.keys()
    assert torch.equal(found["24.weight"], colours["24.weight"])


def test_another_file_than_its_hash_says_is_refused(file, sha):
    with pytest.raises(FileError, match=f"begins with 6c64b313 was expected, but it is {sha}"):
        vgg_weights(file)
    with pytest.raises(FileError, match="begins with 00000000 was expected"):
        vgg_weights(file, "00000000")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"24.weight": None}, r"24.weight \(512, 256, 3, 3\) is missing"),
        ({"3.bias": torch.zeros(9)}, r"3.bias is \(9\) where \(64\) was expected"),
        (
            {"0.weight": torch.zeros(64, 3, 5, 5)},
            r"0.weight is \(64, 3, 5, 5\) where \(64, 3, 3, 3\) was",
        ),
    ],
)
def test_weights_of_another_network_are_refused(colours, tmp_path, change, sentence):
    path = tmp_path / "other.safetensors"
    kept = {k: v for k, v in {**colours, **change}.items() if v is not None}
    save_file(kept, path)
    with pytest.raises(FileError, match=sentence):
        vgg_weights(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_missing_or_damaged_file_is_one_sentence(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        vgg_weights(tmp_path / "none.pth")
    path = tmp_path / "cut.pth"
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(FileError, match="damaged or cut short"):
        vgg_weights(path, hashlib.sha256(path.read_bytes()).hexdigest())


class _Answer(BaseHTTPRequestHandler):
    def __init__(self, content, *args):
        self.content = content
        super().__init__(*args)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args):
        pass


@pytest.fixture
def served(file, monkeypatch):
    """The file behind an address; how often it was asked for is not counted, it stops instead."""
    server = HTTPServer(("127.0.0.1", 0), partial(_Answer, file.read_bytes()))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(
        perceptual_loss, "URL", f"http://127.0.0.1:{server.server_port}/vgg16_bn-test.pth"
    )

    def stop():
        server.shutdown()
        thread.join()
        server.server_close()

    yield stop
    if thread.is_alive():
        stop()


def test_the_public_file_is_downloaded_once(served, sha, monkeypatch, own_data, colours):
    monkeypatch.setattr(perceptual_loss, "SHA256", sha[:8])
    told = list(fetch_vgg_weights())
    found = vgg_weights()
    assert torch.equal(found["0.weight"], colours["0.weight"])
    assert told[-1].done == told[-1].total > 0
    assert [path.name for path in (own_data / "downloads").iterdir()] == ["vgg16_bn-test.pth"]
    served()
    assert torch.equal(vgg_weights()["40.weight"], colours["40.weight"])


def test_a_download_with_another_hash_leaves_nothing(served, own_data):
    with pytest.raises(HSRError, match="begins with 6c64b313") as error:
        vgg_weights()
    assert str(error.value).count(". ") == 0
    assert list((own_data / "downloads").iterdir()) == []


def test_without_a_network_it_is_one_sentence_and_never_random(monkeypatch, own_data):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # it is held, so that nobody listens there
        port = free.getsockname()[1]
        monkeypatch.setattr(
            perceptual_loss, "URL", f"http://127.0.0.1:{port}/vgg16_bn-6c64b313.pth"
        )
        with pytest.raises(
            HSRError, match=r"weights of VGG16-bn.*could not be downloaded.*name the file as"
        ):
            Loss([LossTerm(kind="perceptual")], 10)
