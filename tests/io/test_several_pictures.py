"""Photographs in files of several pictures: the first is read, and the others are told."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_hsr import read
from napari_hsr.notices import Code, has

RED, GREEN = (
    Image.fromarray(np.full((16, 24, 3), colour, np.uint8))
    for colour in ((200, 60, 30), (10, 220, 30))
)


def told(photograph) -> str:
    return " ".join(n.text for n in photograph.notices if n.code is Code.OTHER_IMAGES_LEFT_OUT)


@pytest.mark.parametrize("beside", [False, True])
def test_an_animated_png_is_told(tmp_path, beside):
    """With the first picture a part of the animation, or one beside it for readers that know of none."""
    RED.save(tmp_path / "a.png", save_all=True, append_images=[GREEN], default_image=beside)
    photograph = read(tmp_path / "a.png")
    assert photograph.data[0, 0].tolist() == [200, 60, 30]
    assert "2 pictures" in told(photograph)


def test_a_png_of_one_picture_is_not(tmp_path):
    RED.save(tmp_path / "a.png", save_all=True)
    assert not has(read(tmp_path / "a.png").notices, Code.OTHER_IMAGES_LEFT_OUT)


def test_a_jpeg_of_several_pictures_is_told(tmp_path):
    """As stereo cameras write it, and telephones with a map of brightness."""
    RED.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[GREEN])
    assert "2 pictures" in told(read(tmp_path / "a.jpg"))


def test_a_heic_of_several_pictures_is_told(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    several = heif.from_pillow(RED)
    several.add_from_pillow(GREEN)
    several.save(tmp_path / "a.heic")
    photograph = read(tmp_path / "a.heic")
    assert "2 pictures" in told(photograph)
    assert abs(int(photograph.data[0, 0, 0]) - 200) < 8
