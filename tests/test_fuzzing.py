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
    assert silent_values.differing(good, {**good, "data": good["data"] + 1e-9}) == {}
    other = silent_values.differing(good, {"data": good["data"] * 2, "units": None})
    assert other == {
        "data": ("values", "99.00% of them are others"),
        "units": ("reflectance", None),
    }
    content = b"bands = 10\nlines = 20\n"
    assert silent_values.changed(content, random.Random(1)).of(content) != content


@pytest.mark.skipif(not (BENCHMARKS / "fuzz.py").exists(), reason="not in an installed package")
def test_what_could_have_been_seen_in_a_file_is_told_from_what_could_not(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import file_layouts
    from silent_reasons import BYTES, LINES, NAMES, NUMBERS, UNEXPLAINED, Change, reason

    np.save(tmp_path / "a.npy", np.arange(20, dtype="f4").reshape(4, 5))
    content = (tmp_path / "a.npy").read_bytes()
    parts = file_layouts.of(tmp_path / "a.npy", content)
    data = {"data": ("values", "some")}

    def of_array(change, other):
        return reason(change, content, parts, False, other)

    assert of_array(Change("bit", 150, 151, b"\7"), data) == BYTES
    assert of_array(Change("bit", 60, 61, b"\7"), data) == UNEXPLAINED  # in the head
    assert of_array(Change("digit gone", 150, 151, b""), data) == UNEXPLAINED  # a byte less
    assert of_array(Change("bit", 150, 151, b"\7"), {"units": ("a", None)}) == UNEXPLAINED
    grid = list(range(400, 480, 5))
    lines = "".join(f"{nm},0.5\n" for nm in grid)
    table = f"nm,leaf\n{lines}".encode()

    def of_table(change, other):
        return reason(change, table, [], True, other)

    at = table.index(b"420")
    assert of_table(Change("digit gone", at + 6, at + 7, b"7"), data) == NUMBERS
    assert of_table(Change("alike", 3, 4, b"1"), {"names": (["leaf"], ["1eaf"])}) == NAMES
    assert of_table(Change("alike", at + 5, at + 6, b"_"), data) == UNEXPLAINED
    for lost, expected in ((420, UNEXPLAINED), (475, LINES)):
        rest = [nm for nm in grid if nm != lost]
        start = table.index(str(lost).encode())
        other = {"wavelengths": (grid, rest), "shape": ((1, 16), (1, 15))}
        assert of_table(Change("line gone", start, start + 8, b""), other) == expected
    off = [nm if nm != 420 else 422 for nm in grid]
    changed = Change("byte", at + 2, at + 3, b"2")
    assert of_table(changed, {"wavelengths": (grid, off)}) == UNEXPLAINED
