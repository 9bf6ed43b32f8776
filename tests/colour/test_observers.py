"""colour-science is loaded late and without side effects."""

from __future__ import annotations

import subprocess
import sys


def test_colour_science_is_loaded_late_and_leaves_no_mocks():
    code = """
import sys, warnings
warnings.simplefilter("error")
import napari_hsr.colour as c, napari_hsr.cameras, napari_hsr.samples
heavy = {"colour", "scipy", "skimage", "torch"} & set(sys.modules)
assert not heavy, heavy
c.illuminant_name("D65"), c.normalise_encoding("srgb"), napari_hsr.cameras.list_cameras()
assert "colour" not in sys.modules
c.rendering_matrix(range(400, 701, 10))
assert "colour" in sys.modules
mocks = [n for n, m in sys.modules.items() if type(m).__module__.startswith("unittest.mock")]
assert not mocks, mocks
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
