"""Every network of the zoo is trained by the engine, in the precisions that trainings choose."""

import numpy as np
import pytest
import torch

from napari_hsr.inference.precision import onednn_has_bfloat16
from napari_hsr.models.card import ModelCard
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.training.data.batch_sampler import Batch
from napari_hsr.training.validation import Validation

from ..small_zoo import IN_KIND, NETWORKS, architecture_of
from ..thorough import thorough
from . import engine

SIDE = 32
ONES = np.ones(2, np.float32)


def batch(step: int, rank: int, world: int) -> Batch:
    """Two patches of noise."""
    rng = np.random.default_rng(step)
    inputs = rng.random((2, 3, SIDE, SIDE), dtype=np.float32)
    cubes = np.repeat(inputs.mean(1, keepdims=True), 31, axis=1)
    return Batch(inputs, cubes, ONES, 0 * ONES, ("one", "two"))


def validate(model, step):
    """The later the better, as long as the weights are numbers."""
    finite = all(torch.isfinite(w).all() for w in model.module.state_dict().values())
    figures = {"psnr_db": step if finite else -1.0, "sam_deg": 0.0, "mrae": 0.0}
    return Validation(figures, {"held": figures})


def half_limited() -> bool:
    """``ATEN_CPU_CAPABILITY`` forbids torch what its library of matrix products may still use."""
    limited = torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
    return limited and onednn_has_bfloat16()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", thorough(NETWORKS, always=IN_KIND))
def test_a_network_takes_steps(name, precision, tmp_path):
    if (name, precision) == ("awan", "bfloat16") and half_limited():
        pytest.skip("torch's fused attention fails where it is limited and oneDNN is not")
    torch.manual_seed(0)
    card = ModelCard(
        name="small",
        title="Small",
        architecture=architecture_of(name),
        input_encoding="linear-srgb",
        wavelengths_nm=tuple(range(400, 701, 10)),
    )
    model = from_state_dict(NETWORKS[name]().state_dict(), card)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    recipe = engine.recipe(
        2, batch={"size": 2, "patch": SIDE}, engine={"precision": precision}, ema=0
    )
    fitted, _ = engine.run(
        tmp_path / "checkpoint", recipe, model=model, batches=batch, validate=validate
    )
    assert fitted.step == 2
    trained = [key for key, _ in model.module.named_parameters()]
    changed = [key for key in trained if not torch.equal(fitted.weights[key], before[key])]
    assert len(changed) > len(trained) / 2
