"""The metrics start fast: SciPy only when SSIM is asked for, and nothing heavier ever."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("scipy", "skimage", "torch", "napari", "qtpy", "h5py", "colour", "tifffile", "PIL")


def test_importing_and_evaluating_loads_nothing_heavy():
    script = (
        "import sys, numpy as np, napari_hsr.spectra\n"
        "from napari_hsr.metrics import evaluate, maps\n"
        "cube = np.ones((3, 20, 20))\n"
        "evaluate(cube, cube, 'cave-val'); maps.sam(cube, cube)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
