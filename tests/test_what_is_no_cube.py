"""What takes a cube says of anything else, in a sentence, that it is none."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import Photograph, super_resolve
from napari_hsr.analysis import components, index, offers, unmix
from napari_hsr.calibration import calibrate
from napari_hsr.cameras import simulate
from napari_hsr.conversion import convert
from napari_hsr.errors import InputError, ModelError
from napari_hsr.matching import classify
from napari_hsr.models import card_of
from napari_hsr.resample import degrade, upsample
from napari_hsr.spectra import pixel, region

TAKE = {
    "calibrate": lambda given: calibrate(given, given),
    "classify": lambda given: classify(given, None),
    "components": lambda given: components(given, "pca", 2),
    "convert": lambda given: convert(given, bands=[0]),
    "degrade": lambda given: degrade(given, 2),
    "index": lambda given: index(given, "b1 / b2"),
    "offers": offers,
    "pixel": lambda given: pixel(given, 0, 0),
    "region": lambda given: region(given, np.ones((4, 4), bool)),
    "simulate": lambda given: simulate(given, "nikon-5100-npl"),
    "unmix": lambda given: unmix(given, None),
    "upsample": lambda given: upsample(given, 2),
}
NONE = {
    "photograph": Photograph(np.zeros((4, 4, 3), np.uint8)),
    "array": np.zeros((5, 4, 4)),
    "path": "scan.hdr",
    "nothing": None,
}


@pytest.mark.parametrize("given", NONE.values(), ids=NONE)
@pytest.mark.parametrize("take", TAKE.values(), ids=TAKE)
def test_what_is_no_cube_is_refused(take, given):
    with pytest.raises(InputError, match=r"must be a Cube( or None)?, not .*: read\(path\) gives"):
        take(given)


def test_what_names_no_model_is_refused():
    """The scale stands third: ``super_resolve(cube, 4)`` names a model."""
    with pytest.raises(ModelError, match="by its name or its file, not 4"):
        super_resolve(np.ones((5, 4, 4)), 4)
    with pytest.raises(ModelError, match="no model or folder named"):
        card_of("n" * 5000)
