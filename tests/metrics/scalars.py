"""Each metric alone: the default protocol with one metric and rules of its own."""

from __future__ import annotations

from dataclasses import replace

from napari_hsr.metrics import PROTOCOLS, evaluate
from napari_hsr.metrics.protocols import MraeRule, SamRule, SsimRule


def figure(key, prediction, truth, **rules) -> float:
    protocol = replace(PROTOCOLS["default"], metrics=(key,), **rules)
    return evaluate(prediction, truth, protocol).values[key]


def mrae(prediction, truth, *, floor=1e-3, epsilon=0.0, zero=None) -> float:
    return figure("mrae", prediction, truth, mrae=MraeRule(floor, epsilon, zero))


def mrse(prediction, truth) -> float:
    return figure("mrse", prediction, truth)


def rmse(prediction, truth) -> float:
    return figure("rmse", prediction, truth)


def psnr(prediction, truth, *, peak=1.0, average="global") -> float:
    key = {"global": "psnr", "band": "psnr_band"}[average]
    return figure(key, prediction, truth, peak=peak)


def sam(prediction, truth, *, zeros="truth-excluded", floor=None) -> float:
    return figure("sam", prediction, truth, sam=SamRule(zeros, floor))


def ssim(prediction, truth, *, peak=1.0, rule=None) -> float:
    return figure("ssim", prediction, truth, peak=peak, ssim=rule or SsimRule())


def ergas(prediction, truth, *, ratio=1.0) -> float:
    return figure("ergas", prediction, truth, ergas_ratio=ratio)


def cc(prediction, truth) -> float:
    return figure("cc", prediction, truth)
