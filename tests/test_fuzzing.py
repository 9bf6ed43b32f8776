"""The scripts that make bad inputs begin: they are run at night, where nobody looks at once."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.skipif(not (BENCHMARKS / "fuzz.py").exists(), reason="not in an installed package")
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_changed_files_are_opened_one_after_the_other():
    # as many as time allows, of which nobody makes a list first
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "import hostile_inputs, fuzz\n"
        "changed = fuzz.changed_files(5)\n"
        "print([next(changed)[2].is_fault for _ in range(3)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.strip().endswith("[False, False, False]"), done.stderr


@pytest.mark.skipif(not (BENCHMARKS / "fuzz.py").exists(), reason="not in an installed package")
def test_other_values_and_facts_are_seen(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    pytest.importorskip("psutil")
    import silent_values

    good = {"data": np.arange(100.0), "units": "reflectance"}
    assert silent_values.differing(good, {**good, "data": good["data"] + 0.1}) == []
    assert silent_values.differing(good, {"data": good["data"] * 2, "units": None}) == [
        "data",
        "units",
    ]
    new, what = silent_values.changed(b"bands = 10\nlines = 20\n", random.Random(1))
    assert what
    assert new != b"bands = 10\nlines = 20\n"
