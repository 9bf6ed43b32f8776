"""Downsampling and upsampling by named methods, and back-projection between coarse and fine."""

from napari_hsr.georeference import aligned
from napari_hsr.resample.agreement import agreement_events
from napari_hsr.resample.back_projection import refine, refine_events
from napari_hsr.resample.finesr import FineSR, finesr_events
from napari_hsr.resample.methods import BASELINES, DEGRADATIONS, KINDS, Kind, find
from napari_hsr.resample.refinement import Agreement, Pass, Refinement
from napari_hsr.resample.resize import (
    degrade,
    enlarge,
    imresize,
    modcrop,
    shrink,
    upsample,
)
from napari_hsr.resample.scale_pair import check_pair

__all__ = [
    "BASELINES",
    "DEGRADATIONS",
    "KINDS",
    "Agreement",
    "FineSR",
    "Kind",
    "Pass",
    "Refinement",
    "agreement_events",
    "aligned",
    "check_pair",
    "degrade",
    "enlarge",
    "find",
    "finesr_events",
    "imresize",
    "modcrop",
    "refine",
    "refine_events",
    "shrink",
    "upsample",
]
