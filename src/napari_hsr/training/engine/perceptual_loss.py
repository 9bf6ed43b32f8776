"""MXR-U-Net's perceptual loss: features of VGG16 with batch norm, and their Gram matrices.

Source: Banerjee and Palrecha, "MXR-U-Nets for Real Time Hyperspectral Reconstruction" (2020),
after Johnson and others (2016); VGG16 of Simonyan and Zisserman (2015).

    L = 100 mean (p - t)² + Σ_l w_l mean |f_l(p) - f_l(t)| + Σ_l 5000 w_l² mean |G_l(p) - G_l(t)|

with f_l after the ReLU before the third, fourth and fifth pooling, w = 3, 9, 2, and
G = f fᵀ / (channels · height · width). Values are handed over as they are.

The first layer sees all bands. The authors mean it to repeat the trained filters of red, green
and blue; in their program a wrong index leaves 18 of the 31, and the bias, at random values that
they never published. Here all repeat: band j has the filter of colour j mod 3.
"""

from __future__ import annotations

import hashlib
import os
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_hsr.errors import FileError, HSRError, InputError
from napari_hsr.io.library_errors import translated
from napari_hsr.models.architectures.base import first_difference, shapes_of
from napari_hsr.models.state_dict import read_weights
from napari_hsr.training.events import Preparing
from napari_hsr.user_folders import DATA_VARIABLE, cache_folder, data_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

#: torchvision's file; the end of its name is the beginning of its SHA-256, as published.
URL = "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth"
SHA256 = "6c64b313"
#: Channels of the convolutions between the poolings.
WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
#: Places in the sequence whose outputs are compared, and what each weighs.
PLACES = {22: 3.0, 32: 9.0, 42: 2.0}
GRAM = 5000.0
PIXEL = 100.0
#: Bands that the original's first layer takes: others are scaled to as much light.
BANDS = 31
#: Four poolings lie before the last features.
SMALLEST = 16


class Perceptual:
    """The loss; its network is no part of what is trained or saved.

    Parameters
    ----------
    weights : mapping of str to Tensor
        As :func:`vgg_weights` gives them.
    pixel : float
        Weight of the squared error; 10 in the authors' second version.
    """

    def __init__(self, weights: Mapping[str, Tensor], pixel: float = PIXEL):
        self.pixel = pixel
        self._weights = dict(weights)
        self._network: nn.Sequential | None = None

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch (n, bands, h, w), a scalar."""
        return torch.stack(list(self.parts(prediction, target).values())).sum()

    def parts(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted summands: ``pixel``, ``features-22``, ``gram-22`` and so on.

        Raises
        ------
        InputError
            If the patches are smaller than 16 pixels, or the weights take other bands.
        """
        if min(prediction.shape[2:]) < SMALLEST:
            raise InputError(
                f"The perceptual loss needs patches of {SMALLEST} pixels or more, not "
                f"{prediction.shape[2]} × {prediction.shape[3]}."
            )
        network = self._on(prediction.device, prediction.shape[1])
        found = {"pixel": self.pixel * (prediction - target).square().mean()}
        with torch.no_grad():
            truth = _features(network, target)
        for place, mine in _features(network, prediction).items():
            weight = PLACES[place]
            gap = (_gram(mine) - _gram(truth[place])).abs().mean()
            found[f"features-{place}"] = weight * (mine - truth[place]).abs().mean()
            found[f"gram-{place}"] = GRAM * weight**2 * gap
        return found

    def _on(self, device: torch.device, bands: int) -> nn.Sequential:
        network = self._network
        if network is None or network[0].in_channels != bands:
            network = _layers(bands)
            network.load_state_dict(_for_bands(self._weights, bands))
            network.eval().requires_grad_(False)
        self._network = network.to(device)
        return self._network


def vgg_weights(file: Path | None = None, sha256: str | None = None) -> dict[str, Tensor]:
    """Weights of VGG16-bn's features: the public file, downloaded once, or one at hand.

    Parameters
    ----------
    file : Path or None
        A checkpoint of torch or a .safetensors file with torchvision's names; its first layer
        takes three channels, or the cubes' bands.
    sha256 : str or None
        What the file's SHA-256 begins with; None: that of the public file.

    Returns
    -------
    dict of str to Tensor
        ``0.weight`` to ``41.running_var``, float32.

    Raises
    ------
    HSRError
        If the public file cannot be downloaded.
    FileError
        If the file cannot be read, is another one than its hash says, or not VGG16-bn.
    """
    if file is None:
        for _ in fetch_vgg_weights():
            pass
    path = _public_file() if file is None else file
    found = _sha256(path)
    expected = (sha256 or SHA256).lower()
    if not found.startswith(expected):
        raise FileError(
            path,
            f"a file whose SHA-256 begins with {expected} was expected, but it is {found}; if "
            "it is the right one, state its own as weights_sha256",
        )
    return _checked(read_weights(path), path)


def _public_file() -> Path:
    """Where the public file is kept for the user."""
    place = data_folder() / "downloads" if os.environ.get(DATA_VARIABLE) else cache_folder()
    return place / URL.rpartition("/")[2]


def fetch_vgg_weights() -> Iterator[Preparing]:
    """Download the public file if it is not here; it appears when its hash is right.

    Raises
    ------
    HSRError
        If it cannot be downloaded.
    """
    from napari_hsr.io.atomic import replacing

    path = _public_file()
    if path.is_file():
        return
    sha, done, told = hashlib.sha256(), 0, -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, shared=True) as temporary:
            with urllib.request.urlopen(URL, timeout=30) as answer, temporary.open("wb") as out:
                total = int(answer.headers.get("Content-Length") or 0)
                while chunk := answer.read(1 << 20):
                    out.write(chunk)
                    sha.update(chunk)
                    done += len(chunk)
                    if total and done * 100 // total > told:
                        told = done * 100 // total
                        yield Preparing(done, total, f"Downloading {path.name}")
            if not sha.hexdigest().startswith(SHA256):
                raise FileError(
                    path,
                    f"a file whose SHA-256 begins with {SHA256} was expected from {URL}, but "
                    f"what came has {sha.hexdigest()}",
                )
    except (OSError, HTTPException, HSRError) as error:
        cause = error.problem if isinstance(error, FileError) else error
        raise HSRError(
            f"The weights of VGG16-bn for the perceptual loss could not be downloaded from {URL} "
            f"({cause}): download them by hand and name the file as the loss's weights_file."
        ) from error


def _sha256(path: Path) -> str:
    problem = "weights of VGG16-bn were expected, but it cannot be read"
    with translated(path, problem, only=(OSError,)), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(weights: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The features' weights under their own names, or a sentence about the first that is not so."""
    found = {key.removeprefix("features."): value for key, value in weights.items()}
    first = found.get("0.weight")
    bands = first.shape[1] if first is not None and first.ndim == 4 else 3
    expected = shapes_of(lambda: _layers(bands))
    counters = [key for key in expected if key.endswith("num_batches_tracked")]
    # older files have none; they are not used
    found = {**dict.fromkeys(counters, torch.zeros((), dtype=torch.int64)), **found}
    if problem := first_difference({k: found[k] for k in expected if k in found}, expected):
        raise FileError(path, f"weights of VGG16-bn were expected, but {problem}")
    return {key: found[key] if key in counters else found[key].float() for key in expected}


def _layers(bands: int) -> nn.Sequential:
    """VGG16-bn's features up to the ReLU before the last pooling, in torchvision's order."""
    layers: list[nn.Module] = []
    channels = bands
    for number, group in enumerate(WIDTHS):
        if number:
            layers.append(nn.MaxPool2d(2))
        for width in group:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def _for_bands(weights: Mapping[str, Tensor], bands: int) -> dict[str, Tensor]:
    """With a first layer for this many bands: made from three colours, or as it is."""
    first = weights["0.weight"]
    if first.shape[1] == bands:
        return dict(weights)
    if first.shape[1] != 3:
        raise InputError(
            f"The perceptual loss's weights take {first.shape[1]} bands, but the cubes have "
            f"{bands}; name a file of VGG16-bn for three colours."
        )
    colours = torch.arange(bands) % 3
    return {**weights, "0.weight": first[:, colours] * (BANDS / bands)}


def _features(network: nn.Sequential, x: Tensor) -> dict[int, Tensor]:
    found = {}
    for place, layer in enumerate(network):
        x = layer(x)
        if place in PLACES:
            found[place] = x
    return found


def _gram(features: Tensor) -> Tensor:
    """(n, c, h, w) → (n, c, c): f fᵀ / (c h w)."""
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)
