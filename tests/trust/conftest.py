import numpy as np
import pytest

from napari_hsr.cameras.response import reflectances
from napari_hsr.trust.linear_camera import linear_camera

NM = tuple(float(nm) for nm in range(400, 701, 10))
CASES = {"cie": ("srgb", "cie-1931"), "nikon": ("camera:nikon-5100-npl", None)}


@pytest.fixture(params=CASES)
def seen(request):
    """A row space that photographs have approximately, with negative entries, and a camera's own."""
    encoding, camera = CASES[request.param]
    return linear_camera(encoding, NM, camera)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def truth(rng):
    """Natural spectra at any brightness, (31, 400)."""
    known = reflectances(NM)
    return (known[rng.integers(len(known), size=400)] * rng.uniform(0.05, 1, (400, 1))).T


@pytest.fixture
def guess(truth, rng):
    """What a poor network says of them: another light, noise, nothing in some bands."""
    tint = 1 + 0.4 * rng.standard_normal((31, 1))
    noise = 0.15 * truth.mean(axis=0) * rng.standard_normal(truth.shape)
    return np.maximum(truth * tint + noise, 0)
