"""Loads specs, deterministic weights and the originals' outputs, for tests of parity."""

from __future__ import annotations

import importlib.util
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = CHECKOUT / "tests" / "golden"

#: max|a-b| over max|b| that a port may differ from the original by.
TOLERANCE = 1e-5
TOLERANCES = {"inr": 3e-5}


class Golden(NamedTuple):
    """One case of a network.

    Attributes
    ----------
    spec : dict
        The network's spec.
    weights : dict of str to torch.Tensor
        Its filled state dict; shared between tests, never to be written to.
    input : torch.Tensor
        (1, 3, H, W) float32.
    output : torch.Tensor
        What the original computed.
    tolerance : float
        Allowed max|a-b| over max|b|.
    """

    spec: dict[str, Any]
    weights: dict[str, torch.Tensor]
    input: torch.Tensor
    output: torch.Tensor
    tolerance: float


def _reference() -> Path:
    shared = os.environ.get("NAPARI_HSR_SHARED") or CHECKOUT.parent / "shared"
    return Path(shared) / "reference"


def find(name: str) -> Path:
    """A file of goldens or specs, from the repository or the shared data; else the test is skipped."""
    places = [HERE, HERE / "specs", _reference() / "golden", _reference() / "specs"]
    for place in places:
        if (place / name).is_file():
            return place / name
    pytest.skip(f"{name} is neither in tests/golden nor in {_reference()}")


@lru_cache
def _fill() -> Any:
    spec = importlib.util.spec_from_file_location("golden_fill", find("fill.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def spec(net: str) -> dict[str, Any]:
    """``spec_<net>.json``."""
    return json.loads(find(f"spec_{net}.json").read_text())


@lru_cache(maxsize=1)
def weights(net: str) -> dict[str, torch.Tensor]:
    """The filled state dict of a network without ``keep`` keys; only the last one is kept."""
    return _fill().filled_state_dict(spec(net))


def seeded_input(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Float32 in [0, 1)."""
    import torch

    return torch.from_numpy(_fill().seeded_input(seed, shape))


def filled(net: str, keep: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The filled state dict of a network whose constants are those in ``keep``."""
    return _fill().filled_state_dict(spec(net), keep)


def case(net: str, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Input and output of one case of a network, or a skip with the reason."""
    import torch

    with np.load(find(f"{net}_case{number}.npz")) as file:
        shape = tuple(int(n) for n in file["shape"])
        return seeded_input(int(file["seed"]), shape), torch.from_numpy(file["output"])


def golden(net: str, number: int) -> Golden:
    """One case of a network without ``keep`` keys, or a skip with the reason."""
    x, y = case(net, number)
    return Golden(spec(net), weights(net), x, y, TOLERANCES.get(net, TOLERANCE))


class Pipeline(NamedTuple):
    """The original's whole program: ``photograph`` (H, W, 3) uint8 in, ``outputs`` by name out."""

    weights: dict[str, torch.Tensor]
    photograph: np.ndarray
    outputs: dict[str, np.ndarray]


def pipeline(net: str) -> Pipeline:
    """``pipeline_<net>.npz``: outputs are (H, W, bands)."""
    with np.load(find(f"pipeline_{net}.npz")) as file:
        height, width = (int(n) for n in file["hw"])
        rng = np.random.default_rng(int(file["seed"]))
        photograph = rng.integers(7, 221, (height, width, 3), dtype=np.uint8)
        outputs = {key: file[key] for key in file.files if key not in ("seed", "hw")}
    return Pipeline(weights(net), photograph, outputs)


def relative_error(ours: Any, original: Any) -> float:
    """max|a-b| over max|b|; infinite where a value is not finite."""
    ours, original = np.asarray(ours, np.float64), np.asarray(original, np.float64)
    assert ours.shape == original.shape, (ours.shape, original.shape)
    error = float(np.abs(ours - original).max() / np.abs(original).max())
    return error if np.isfinite(error) else float("inf")


def psnr(ours: Any, original: Any) -> float:
    """Peak signal to noise in decibels; the peak is the largest magnitude of the original."""
    ours, original = np.asarray(ours, np.float64), np.asarray(original, np.float64)
    assert ours.shape == original.shape, (ours.shape, original.shape)
    peak, noise = np.abs(original).max(), np.square(ours - original).mean()
    return float(10 * np.log10(peak**2 / noise))


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Small random tensors of the shapes asked for; integers for batch counters."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.zeros(tuple(shape), dtype=torch.int64)
        if key.endswith("num_batches_tracked")
        else torch.rand(tuple(shape), generator=generator) * 0.1 + 0.05
        for key, shape in shapes.items()
    }


def unit_gain(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of both signs that neither raise nor damp what they are multiplied with."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.randn(tuple(shape), generator=generator)
        * (float(np.prod(shape[1:])) ** -0.5 if len(shape) > 1 else 0.05)
        for key, shape in shapes.items()
    }


def as_trained(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, torch.Tensor]:
    """:func:`unit_gain` for networks with norms and gains: these are near 1, scalars are 1."""
    import torch

    weights = unit_gain(shapes, seed)
    for key, value in weights.items():
        if not value.ndim:
            weights[key] = torch.ones((), dtype=torch.int64)
        elif key.endswith(("running_var", "weight_g")) or "gamma" in key:
            weights[key] = 1 + 0.3 * value.clamp(-1, 1)
    return weights


def card(architecture: str, bands: int) -> ModelCard:
    """A card for weights that make any number of bands."""
    from napari_hsr.models.card import ModelCard

    return ModelCard(
        name="test",
        title="Weights of a test",
        architecture=architecture,
        input_encoding="linear-srgb",
        wavelengths_nm=tuple(range(400, 400 + bands)),
    )


def nets() -> list[str]:
    """The networks that there are specs of."""
    return sorted(path.stem.removeprefix("spec_") for path in (HERE / "specs").glob("spec_*.json"))


def shaped(net: str) -> dict[str, torch.Tensor]:
    """A network's keys and shapes, in tensors that hold no values."""
    import torch

    shapes = spec(net)["keys"]
    return {key: torch.empty(tuple(shape), device="meta") for key, shape in shapes.items()}


def reach(module: torch.nn.Module, channels: int, side: int, at: tuple[int, int]) -> int:
    """How many pixels away from ``at`` the farthest input pixel lies that its output depends on.

    Measured by gradients in double precision, on an image of ``side`` × ``side``; meant for
    small positive weights, through which every connection shows.
    """
    import copy

    import torch

    x = torch.rand(1, channels, side, side, dtype=torch.float64).requires_grad_()
    copy.deepcopy(module).double()(x)[0, :, at[0], at[1]].sum().backward()
    seen = x.grad[0].abs().sum(0).nonzero()
    assert seen.min() > 0, "the image is too small to tell"
    assert seen.max() < side - 1, "the image is too small to tell"
    return int((seen - torch.tensor(at)).abs().max())


def assert_left_as_it_is(model: Model, prepare: Callable[..., Any], image: torch.Tensor) -> None:
    """Preparing and running the copies of a model changes neither its module nor the image."""
    import torch

    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    exact, given = model.module(image), image.clone()
    for precision in model.precisions:
        prepare(model.module, precision)(image)
    assert torch.equal(image, given)
    assert torch.equal(model.module(image), exact)
    after = model.module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(value.is_contiguous() for value in after.values())


def assert_reduced_precision_is_near(model: Model) -> None:
    """Copies in lower precisions give float32, other values than the exact module, 45 dB or more near."""
    import torch

    from napari_hsr.models.optimised_copy import prepared

    image = seeded_input(8, (1, 3, 16, 24))
    exact = model.module(image)
    for precision in model.precisions[1:]:
        found = prepared(model, precision)(image)
        assert found.dtype == torch.float32
        assert not torch.equal(found, exact)
        assert psnr(found, exact) >= 45
        assert torch.isfinite(prepared(model, precision)(torch.zeros(1, 3, 9, 8))).all()
