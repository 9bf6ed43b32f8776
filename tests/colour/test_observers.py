"""colour-science is loaded late and without side effects."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_hsr.colour.observers import (
    ILLUMINANTS,
    OBSERVERS,
    band_widths,
    colour_science,
    illuminant_name,
    illuminant_table,
    observer_table,
)


def test_colour_science_is_loaded_late_and_leaves_no_mocks():
    code = """
import sys, warnings
warnings.simplefilter("error")
import napari_hsr.colour as c, napari_hsr.cameras, napari_hsr.samples
heavy = {"colour", "scipy", "skimage", "torch"} & set(sys.modules)
assert not heavy, heavy
c.illuminant_name("D65"), c.normalise_encoding("srgb"), napari_hsr.cameras.list_cameras()
assert "colour" not in sys.modules
c.rendering_matrix(range(400, 701, 10)), c.rendering_matrix(range(400, 701, 10), illuminant="FL11")
assert "colour" not in sys.modules, "a cube is painted by the tables on board"
c.illuminant_name("LED-V2")
try:
    c.illuminant_name("moonl")
except ValueError:
    pass  # a name that is being typed
assert "colour" not in sys.modules, "names are known without it"
c.rendering_matrix(range(400, 701, 10), illuminant="FL1")
assert "colour" in sys.modules
mocks = [n for n, m in sys.modules.items() if type(m).__module__.startswith("unittest.mock")]
assert not mocks, mocks
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_illuminant_of_colour_science_is_known_by_name():
    for name in colour_science().SDS_ILLUMINANTS:
        assert illuminant_name(name.lower()) == name


@pytest.mark.parametrize("name", [*OBSERVERS.values(), *ILLUMINANTS])
def test_the_tables_on_board_are_those_of_colour_science_to_the_last_bit(name):
    colour = colour_science()
    observer = name in OBSERVERS.values()
    nm, values = observer_table(name) if observer else illuminant_table(name)
    theirs = colour.MSDS_CMFS[name] if observer else colour.SDS_ILLUMINANTS[name]
    assert nm.tobytes() == np.array(theirs.wavelengths).tobytes()
    assert values.shape == theirs.values.shape
    assert values.tobytes() == np.array(theirs.values).tobytes()


def test_a_band_at_a_gap_does_not_stand_for_it():
    widths = band_widths(np.r_[np.arange(400.0, 651.0, 10.0), np.arange(850.0, 1001.0, 5.0)])
    np.testing.assert_array_equal(widths, np.r_[np.full(26, 10.0), np.full(31, 5.0)])
    wide = np.array([475.0, 560.0, 668.0, 717.0, 842.0])  # of a multispectral camera: no gap
    np.testing.assert_array_equal(band_widths(wide), np.gradient(wide))
    np.testing.assert_array_equal(band_widths(np.array([400.0, 900.0])), [500.0, 500.0])
