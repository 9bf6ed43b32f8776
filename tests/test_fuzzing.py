"""The scripts that make bad inputs begin: they are run at night, where nobody looks at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
