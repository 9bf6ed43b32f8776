"""A rectangle of an image, computed alone: the right values in the right place."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_hsr import Cube, Photograph, reconstruct, super_resolve
from napari_hsr.errors import InputError
from napari_hsr.inference import region
from napari_hsr.io.tiff import geokeys, geotiff
from napari_hsr.models import ModelCard
from napari_hsr.models.input_rules import Maximum
from napari_hsr.models.model import Model
from napari_hsr.notices import Code, has
from napari_hsr.spectra.ground_coordinates import ground_of

IMAGE = np.random.default_rng(0).random((20, 30, 3), np.float32)
WAYS = ["4:9,10:22", (slice(4, 9), slice(10, 22)), ((4, 9), (10, 22)), " 4:9 , 10:22 "]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_region_of_a_photograph_is_that_of_the_whole_and_knows_its_place(way):
    whole = reconstruct(IMAGE, "rootpoly-srgb", device="cpu")
    cube = reconstruct(IMAGE, "rootpoly-srgb", device="cpu", region=way)
    np.testing.assert_array_equal(cube.data, whole.data[:, 4:9, 10:22])
    assert (cube.place.pixel, cube.place.origin) == ((1, 1), (4, 10))
    assert has(cube.notices, Code.PART_ONLY)
    assert "Only rows 4 to 8 and columns 10 to 21 were computed." in cube.provenance.steps
    assert whole.place is None
    assert not has(whole.notices, Code.PART_ONLY)


def test_a_cube_lies_on_the_ground_where_its_photograph_and_part_do():
    grid = geotiff.of_six((500000, 2, 0, 5000000, 0, -2)) | geokeys.of_code(32633, True)
    photo = Photograph(IMAGE, "linear-srgb", metadata={geotiff.KEY: grid})
    whole = reconstruct(photo, "rootpoly-srgb", device="cpu")
    part = reconstruct(photo, "rootpoly-srgb", device="cpu", region="4:9,10:22")
    assert ground_of(whole).at(0, 0) == (500001, 4999999)
    assert ground_of(part).at(0, 0) == (500021, 4999991)
    assert geotiff.stated(part.metadata)["keys"] == grid["keys"]
    twice = SimpleNamespace(scale=2, context=0)
    finer = region.of_photograph(photo, twice, "4:9,10:22").ground
    assert ground_of(whole.replace(metadata=finer)).at(0, 0) == (500020.5, 4999991.5)


def test_what_is_known_of_the_whole_image_holds_for_its_part():
    import torch

    card = ModelCard(
        name="toy", title="A toy", architecture="toy", input_encoding="linear-srgb",
        wavelengths_nm=(500, 550, 600),
    )  # fmt: skip
    model = Model(module=torch.nn.Identity(), card=card, weights_sha256="", bands=3, rule=Maximum())
    bright = IMAGE / 2
    bright[0, 0] = 1
    photograph = Photograph(bright, "linear-srgb")
    whole = reconstruct(photograph, model, device="cpu")
    part = reconstruct(photograph, model, device="cpu", region=((4, 9), (10, 22)))
    np.testing.assert_array_equal(part.data, whole.data[:, 4:9, 10:22])


def test_a_region_of_a_cube_lies_over_it():
    cube = Cube(np.random.default_rng(0).random((6, 12, 10)))
    fine = super_resolve(cube, "box", 2, region="2:6,4:10", device="cpu")
    whole = super_resolve(cube, "box", 2, device="cpu")
    np.testing.assert_allclose(fine.data, whole.data[:, 4:12, 8:20], rtol=0, atol=1e-6)
    assert (fine.place.pixel, fine.place.origin) == ((0.5, 0.5), (1.75, 3.75))


@pytest.mark.parametrize(
    "bad",
    ["4:9", "9:4,1:2", "0:21,0:30", "-1:3,0:2", (slice(0, 9, 2), slice(0, 3)), 7, ((1, 2), 3)],
)
def test_no_region(bad):
    with pytest.raises(InputError, match="region") as told:
        region.find(bad, 20, 30)
    assert "\n" not in str(told.value)
    assert region.find((slice(None), slice(3, None)), 20, 30) == (slice(0, 20), slice(3, 30))
