"""The parts of a training, each driven to its end."""

from __future__ import annotations

from napari_hsr.training.data.cache import build_events
from napari_hsr.training.data.inspection import inspect_events
from napari_hsr.training.events import result_of
from napari_hsr.training.runs.estimate import estimate_events
from napari_hsr.training.train import prepare_events


def inspect(recipe, report=None, cancel=None, **options):
    return result_of(inspect_events(recipe, cancel, **options), report)


def build(findings, recipe, report=None, cancel=None):
    return result_of(build_events(findings, recipe, cancel), report)


def prepare(recipe):
    return result_of(prepare_events(recipe))


def estimate(recipe, findings):
    return result_of(estimate_events(recipe, findings=findings))
