"""Other wavelength grids: rows of the last layer, interpolated; exact on the same grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_hsr
from napari_hsr.cube import Wavelengths
from napari_hsr.errors import InputError
from napari_hsr.models.architectures import (
    drcr,
    edsr,
    hdnet,
    hrnet,
    hscnn_plus,
    mst_l,
    mstpp,
    restormer,
)
from napari_hsr.models.architectures.wrappers import around
from napari_hsr.models.card import ModelCard
from napari_hsr.models.state_dict import from_state_dict
from napari_hsr.training.engine.band_interpolation import LAST, change_bands, interpolation, mixed

from .stand_ins import GRID

COARSE = Wavelengths(range(410, 700, 20))
FINE = Wavelengths(np.arange(400, 700.1, 2.5))


def model_of(name: str):
    torch.manual_seed(0)
    if name == "root-polynomial":
        return napari_hsr.load_model("rootpoly-srgb")
    small = {
        "drcr": lambda: drcr.DRCR(width=16, blocks=1, hidden=2),
        "edsr": lambda: edsr.EDSR(width=8, blocks=1),
        "hdnet": lambda: hdnet.HDNet(width=16, before=1, after=1),
        "hrnet": lambda: hrnet.HRNet(width=16),
        "hscnn_plus": lambda: hscnn_plus.HSCNNPlus(blocks=1),
        "restormer": lambda: restormer.Restormer(width=16, depths=(1, 1, 1, 1, 1)),
        "mstpp": lambda: mstpp.MSTPlusPlus(stages=1),
        "mst_l": lambda: mst_l.MST(depths=(1, 1, 1)),
    }
    if name in ("adapted", "bands"):
        own = {"bands__weight": torch.rand(31, 31)}
        if name == "adapted":
            own = {"adapter__weight": torch.rand(31, 34), "adapter__bias": torch.rand(31)}
        return from_state_dict(around(small["edsr"]().state_dict(), **own))
    return from_state_dict(small[name]().state_dict())


def run(module: torch.nn.Module) -> torch.Tensor:
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return module(x)


@pytest.mark.parametrize("name", [*LAST, "hrnet", "mstpp", "mst_l"])
@pytest.mark.parametrize("grid", [COARSE, FINE], ids=["coarse", "fine"])
def test_spectra_on_the_new_grid_are_those_of_the_old_one_interpolated(name, grid):
    model = model_of(name)
    before = run(model.module)
    changed = change_bands(model, grid)
    assert changed.wavelengths == grid
    assert changed.bands == len(grid)
    matrix = torch.from_numpy(interpolation(GRID, grid))
    expected = torch.einsum("tk,nkhw->nthw", matrix, before.double())
    found = run(changed.module).double()
    if name == "root-polynomial":  # it cuts at 0, which does not mix: only uncut spectra agree
        uncut = (before > 0).all(dim=1)
        assert uncut.float().mean() > 0.5
        found, expected = (v.movedim(1, -1)[uncut] for v in (found, expected))
    scale = float(before.abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * scale)
    assert torch.equal(run(model.module), before)  # the one given stays
    assert (changed.card.architecture == name) == (name in LAST)


@pytest.mark.parametrize("name", [*LAST, "hrnet", "mstpp", "mst_l"])
def test_the_same_grid_is_the_same_network_to_the_last_bit(name):
    model = model_of(name)
    assert change_bands(model, Wavelengths(np.asarray(GRID) + 0.004)) is model
    same = mixed(model.module.state_dict(), model.card.architecture, interpolation(GRID, GRID))
    again = from_state_dict(same)
    assert torch.equal(run(again.module), run(model.module))


def test_interpolation_is_linear_and_holds_the_ends():
    matrix = interpolation([400, 410, 420], [390, 400, 404, 410, 425])
    expected = [[1, 0, 0], [1, 0, 0], [0.6, 0.4, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(matrix, expected, atol=1e-12)


def test_the_card_says_what_was_done():
    model = model_of("edsr")
    card = ModelCard(
        **model.card.model_dump()
        | {"figures": {"here": {"psnr_db": 30.0}}, "limits": "Only fruit."}
    )
    changed = change_bands(replace(model, card=card), Wavelengths([380, 390, 400, 500]))
    assert changed.card.figures == {}
    assert changed.card.limits == (
        "Only fruit. Its bands were interpolated from 31 bands, 400–700 nm, every 10 nm to "
        "4 bands, 380–500 nm. At 380, 390 nm, beyond its own, it repeats its nearest band until "
        "trained there."
    )


def test_grids_without_anything_in_common_are_refused():
    with pytest.raises(InputError, match=r"nothing of it lies within 2 bands, 900–910 nm"):
        change_bands(model_of("edsr"), Wavelengths([900, 910]))
