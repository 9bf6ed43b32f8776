"""Every network of the zoo in a small size, and the ways in which people wrap their weights."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from napari_hsr.models.architectures import (
    awan,
    drcr,
    edsr,
    hdnet,
    hinet,
    hrnet,
    hscnn_plus,
    inr,
    mirnet,
    mprnet,
    mst_l,
    mstpp,
    mxrunet,
    restormer,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Weights = dict[str, torch.Tensor]

#: MXR-U-Net, small enough to be made in no time.
MXRUNET = mxrunet.Layout(
    channels=3,
    bands=31,
    stem=(4, 6, 8),
    inner=(8, 12, 16, 24),
    outer=(8, 12, 16, 24),
    blocks=(1, 1, 1, 1),
    bottleneck=False,
    attention=True,
)
_PLAIN = replace(MXRUNET, attention=False)
_DEEP = replace(MXRUNET, outer=(16, 24, 32, 48), bottleneck=True)

#: Networks by the names of their specs; three sizes of MXR-U-Net differ in kind.
NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    "awan": lambda: awan.AWAN(3, 31, 16, 2, 1, 3),
    "drcr": lambda: drcr.DRCR(3, 31, 8, 2, 2),
    "edsr": lambda: edsr.EDSR(3, 31, 8, 2),
    "hdnet": lambda: hdnet.HDNet(3, 31, 8, 2, 1, 2),
    "hinet": lambda: hinet.HINet(3, 31, 2, (True, True)),
    "hrnet": lambda: hrnet.HRNet(3, 31, 4),
    "hscnn_plus": lambda: hscnn_plus.HSCNNPlus(3, 31, 2),
    "inr": lambda: inr.INR(
        inr.Layout(channels=3, widths=(4, 4, 4, 4, 4), blocks=1, hidden=inr.HIDDEN, bands=31)
    ),
    "mirnet": lambda: mirnet.MIRNet(features=31, groups=1, height=2, width=1),
    "mprnet": lambda: mprnet.MPRNet(
        mprnet.Widths(features=12, step=6, extra=4, units=1, reduction=3)
    ),
    "mst_l": lambda: mst_l.MST(3, 31, (1, 1)),
    "mstpp": lambda: mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)),
    "mxrunet_shallow": lambda: mxrunet.MXRUNet(MXRUNET),
    "mxrunet_34_nosa": lambda: mxrunet.MXRUNet(_PLAIN),
    "mxrunet_full": lambda: mxrunet.MXRUNet(_DEEP),
    "restormer": lambda: restormer.Restormer(
        width=8, depths=(1, 1, 1, 1, 1), hidden=(10, 21, 42, 85)
    ),
}

#: Those that differ in kind: of attention, of rules for their input, of what they are built of.
IN_KIND = ("drcr", "edsr", "inr", "mstpp", "mxrunet_shallow")


def architecture_of(network: str) -> str:
    """The id in the registry."""
    return "mxrunet" if network.startswith("mxrunet") else network


def weights_of(network: str) -> Weights:
    """Its state dict as it is built, of values that half precision holds exactly."""
    torch.manual_seed(0)
    state = NETWORKS[network]().state_dict()
    return {k: v.half().float() if v.is_floating_point() else v.clone() for k, v in state.items()}


def _prefixed(weights: Weights) -> Weights:
    return OrderedDict((f"module.{key}", value) for key, value in weights.items())


def _halved(weights: Weights) -> Weights:
    """As fastai's mixed precision saves them: batch norms stay in float32."""
    norms = {k.removesuffix("running_var") for k in weights if k.endswith("running_var")}
    return {
        k: v.half() if v.is_floating_point() and f"{k.rpartition('.')[0]}." not in norms else v
        for k, v in weights.items()
    }


_OPTIMISER = {
    "state": {0: {"step": 5, "exp_avg": torch.zeros(2)}},
    "param_groups": [{"lr": 1e-4, "params": [0]}],
}


class Wrapping(NamedTuple):
    """A suffix, and what is put into the file."""

    suffix: str
    wrap: Callable[[Weights], Any]
    only: str = ""


WRAPPINGS: dict[str, Wrapping] = {
    "plain": Wrapping(".pth", lambda w: w),
    "state_dict": Wrapping(
        ".pth", lambda w: {"epoch": 3, "state_dict": w, "optimizer": _OPTIMISER}
    ),
    "model": Wrapping(".pt", lambda w: {"model": w, "opt": _OPTIMISER}),
    "sd": Wrapping(".ckpt", lambda w: {"sd": w, "loss": 0.1}),
    "module": Wrapping(".pkl", _prefixed),
    "state_dict, module": Wrapping(".pth", lambda w: {"state_dict": _prefixed(w), "iter": 9}),
    "another prefix": Wrapping(".pth", lambda w: {f"student.base.{k}": v for k, v in w.items()}),
    "float16": Wrapping(".pth", lambda w: {"model": _halved(w), "opt": _OPTIMISER}),
    "positional": Wrapping(
        ".pth",
        lambda w: {"state_dict": {f"layer{n}.weight": v for n, v in enumerate(w.values())}},
        only="drcr",
    ),
    "safetensors": Wrapping(".safetensors", lambda w: w),
}


def save(weights: Weights, wrapping: str, folder: Path) -> Path:
    """A file of weights as somebody would publish it."""
    suffix, wrap, _ = WRAPPINGS[wrapping]
    path = folder / f"net{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({k: v.contiguous().clone() for k, v in weights.items()}, path)
    else:
        torch.save(wrap(weights), path)
    return path
